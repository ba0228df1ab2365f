"""The book's figures: one style, one colour for each role, SVG that follows light and dark.

    role       light      dark       also told apart by
    ink        #1f2328    #e6e6e6    text, axes, a pixel's ink
    grid       #d0d7de    #444c56    thin lines behind the rest
    value      #0b5cad    #79b8ff    solid lines
    adjoint    #b35900    #ffab70    dashed lines
    tangent    #1a7f37    #7ee787    dotted lines
    wrong      #a40e26    #ff9a9a    dash-dotted lines

A figure is drawn with the light colours; its SVG holds the rule that swaps them where the page is
dark. The same data give the same bytes: no dates, no random identifiers, coordinates rounded.
"""

from __future__ import annotations

import io
import re
from html import escape

import matplotlib
from matplotlib.figure import Figure

DARK = {
    "#1f2328": "#e6e6e6",
    "#d0d7de": "#444c56",
    "#0b5cad": "#79b8ff",
    "#b35900": "#ffab70",
    "#1a7f37": "#7ee787",
    "#a40e26": "#ff9a9a",
}
INK, GRID, VALUE, ADJOINT, TANGENT, WRONG = DARK
ROLES = {VALUE: "-", ADJOINT: "--", TANGENT: ":", WRONG: "-."}
STYLE = {
    "svg.hashsalt": "the calculus of backpropagation",
    "path.simplify": False,  # which points simplifying drops can hang on the last bit
    "font.size": 11.0,
    "figure.figsize": (6.4, 3.6),
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": "medium",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "axes.prop_cycle": matplotlib.cycler(color=list(ROLES), linestyle=list(ROLES.values())),
}


def use_book_style() -> None:
    """Draw every figure from here on in the book's style, and show figures as SVG.

    The first cell of a chapter calls it. Outside a notebook it sets the style only.
    """
    matplotlib.rcParams.update(STYLE)
    try:
        from IPython import get_ipython
    except ImportError:  # pragma: no cover
        return
    shell = get_ipython()
    if shell is not None:
        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, svg)


def svg(figure: Figure) -> str:
    """The figure as SVG text: reproducible, transparent, and right on light and dark pages.

    A figure with a `description` holds it in <desc>, where tools/execute.py finds its alt text.
    """
    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(file, format="svg", bbox_inches="tight", transparent=True, metadata=nothing)
    text = tidy(file.getvalue())
    description = getattr(figure, "description", "")
    return text.replace(">", f"><desc>{escape(description)}</desc>", 1) if description else text


def tidy(text: str) -> str:
    """Matplotlib's SVG text without what differs from run to run, and with the dark colours."""
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.S)
    text = _COORDINATES.sub(lambda part: _DECIMALS.sub(_two_decimals, part[0]), text)
    return text.replace("</style>", _SWAP + _CRISP + "</style>", 1)


_COORDINATES = re.compile(
    r'(?<= d=")[^"]*|(?<= [xy]=")[^"]*|(?<= width=")[^"]*|(?<= height=")[^"]*'
    r'|(?<= viewBox=")[^"]*|(?<=translate\()[^)]*'
)
_DECIMALS = re.compile(r"-?\d+\.\d{3,}(?:e-\d+)?|-0\b(?!\.)|-?\d+(?:\.\d+)?e-\d+")
_SWAP = (
    "@media (prefers-color-scheme:dark){"
    + "".join(
        f'[style*="{part}: {light}"]{{{part}:{dark} !important}}'
        for light, dark in DARK.items()
        for part in ("stroke", "fill")
    )
    + "}"
)
_CRISP = '[id^="pixels"] path{shape-rendering:crispEdges}'  # no seams between the pixels


def _two_decimals(number: re.Match) -> str:
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
