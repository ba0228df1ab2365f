"""What several tests share: the book's style, and a browser."""

import os
import shutil

import matplotlib
import pytest
from playwright.sync_api import sync_playwright

from companion.draw import use_book_style

# No sandbox, because root has none; no calls home, because they would be refused.
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture
def book_style():
    """Figures are drawn in the book's style, and other tests see nothing of it."""
    with matplotlib.rc_context():
        use_book_style()
        yield


@pytest.fixture(scope="session")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium and no Chrome; install one, or say where it is: CHROMIUM=/a/path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
