"""What several tests of figures share."""

import matplotlib
import pytest

from companion.draw import use_book_style


@pytest.fixture
def book_style():
    """Figures are drawn in the book's style, and other tests see nothing of it."""
    with matplotlib.rc_context():
        use_book_style()
        yield
