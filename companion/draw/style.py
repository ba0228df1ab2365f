"""The colours and the style of the book's figures."""

from companion.draw import (  # noqa: F401
    ADJOINT,
    DARK,
    GRID,
    INK,
    ROLES,
    TANGENT,
    VALUE,
    WRONG,
    svg,
    use_book_style,
)  # fmt: skip
