"""A blank sheet measured in inches, and what is written on it.

Arrays and networks are placed by hand, not by data: every position on a sheet is in inches from
its lower left corner, so that a width and a font size can be compared.

Arguments are NumPy's indices, which count from 0. Labels count from 1, as the formulas do.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from numbers import Integral

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from companion.draw.style import INK

PAGE = 6.4  # inches: what fits a column of the book
SIZE = 9.0  # points
PALE = 0.65  # how much ink a zero gets; still readable


def sheet(width: float, height: float) -> Axes:
    """The axes of a new figure of that size. Its edge is kept, so that frames have one size."""
    if width > PAGE + 1e-9:
        raise ValueError(
            f"the drawing would be {width:.1f} inches wide and the page has {PAGE}: "
            "draw fewer arrays or neurons, or give fewer digits"
        )
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    axes.fill([0, width, width, 0], [0, 0, height, height], fc="none", ec="none")
    return axes


def write(axes: Axes, x: float, y: float, text: str, **how) -> None:
    """Write `text` around the point (x, y), in inches; `how` is passed to Matplotlib."""
    how = {"ha": "center", "va": "center", "size": SIZE, "color": INK} | how
    axes.text(x, y, text, **how)


@functools.cache
def width_of(text: str, size: float = SIZE) -> float:
    """The width of a text in inches.

    >>> width_of("") == 0 < width_of("i") < width_of("W")
    True
    """
    return (
        TextPath((0, 0), text, size=size).get_extents().width.item() / 72 if text.strip() else 0.0
    )


def number(value, digits: int = 3) -> str:
    """A number with a true minus sign; anything that is not a number as text.

    >>> number(-0.12345), number(2.0), number("$a_1$")
    ('−0.123', '2', '$a_1$')
    """
    if isinstance(value, (int, float, np.number)):
        return f"{value + 0:.{digits}g}".replace("-", "−")
    return str(value)


def is_zero(value) -> bool:
    """Whether an entry is 0, as a number or as the text "0"."""
    return str(value) == "0" if isinstance(value, str) else bool(value == 0)


def chosen(name: str, given: Iterable, shape: tuple[int, ...]) -> list[tuple]:
    """Places in an array of that shape; None in a place stands for all along that axis.

    >>> chosen("highlight", [(0, None)], (2, 3))
    [(0, None)]
    """
    places = [tuple(place) if isinstance(place, (tuple, list)) else (place,) for place in given]
    for place in places:
        inside = len(place) == len(shape) and all(
            index is None or (isinstance(index, Integral) and 0 <= int(index) < n)
            for index, n in zip(place, shape)
        )
        if not inside:
            raise ValueError(
                f"{name} holds {place}, which is no place in shape {shape}: give "
                f"{len(shape)} numbers counted from 0, or None for all along an axis"
            )
    return places


def plain(text: str) -> str:
    r"""A label as it reads in words, for alt texts.

    >>> plain(r"$\delta^{2}_1$"), plain("$W^T$")
    ('delta^2_1', 'W^T')
    """
    return " ".join(re.sub(r"[$\\{}]", "", text.replace(r"\,", " ")).split())
