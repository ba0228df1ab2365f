r"""Arrays as cells: equations of matrices, a rank-3 tensor as a stack of floors, a contraction.

A filled cell holds a number, an empty one a zero: what a derivative is made of is seen before it
is read. Values have a solid frame and adjoints a dashed one, as everywhere in the book.

    what is drawn                                     function
    grad_x = J^T grad_y                               matrices
    T_ijk = dz_i/dW_jk = [i = j] a_k                  tensor, slices
    sum over i of delta_i T_ijk = delta_j a_k         contraction, contraction_frames
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from companion.draw.canvas import (
    PAGE,
    PALE,
    chosen,
    is_zero,
    number,
    plain,
    sheet,
    width_of,
    write,
)
from companion.draw.style import ADJOINT, GRID, INK, ROLES, VALUE

HEIGHT = 0.3  # of a cell
GAP = 0.14  # on either side of a symbol
LINE = 0.22  # from one line of text to the next
DEPTH, SLANT = 0.24, 0.13  # a tile goes up by the one and right by the other
BLOCK = 0.1  # height of a block on its tile
ROW = 0.36  # from a row of tiles to the one behind: no block hides what is behind it


@dataclass(frozen=True, eq=False)
class Array:
    """A matrix or vector to be drawn.

    values     (rows, columns); n numbers or texts alone are drawn as a column (n, 1)
    title      written over it, such as "$J^T$"
    axes       the names of the two indices, down and across: ("i", "j")
    highlight  places (i, j) to frame, counted from 0; (i, None) is a row, (None, j) a column
    role       VALUE, ADJOINT or TANGENT: colour and line of its frame

    >>> Array([1.0, 0.0], "$g$").values.shape
    (2, 1)
    """

    values: np.ndarray
    title: str = ""
    axes: tuple[str, str] = ("", "")
    highlight: Sequence[tuple] = ()
    role: str = VALUE

    def __post_init__(self):
        values = _entries(self.values)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(
                f"an Array has rows and columns, got shape {values.shape}: "
                "give (rows, columns), or use tensor for three axes"
            )
        if self.role not in ROLES:
            raise ValueError(f"role is {self.role!r}: give VALUE, ADJOINT or TANGENT")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "highlight", chosen("highlight", self.highlight, values.shape))


def matrices(*parts, digits: int = 3, numbers: bool = True) -> Figure:
    r"""Arrays side by side, with the symbols of an equation between them.

    parts    an Array, anything NumPy makes an array of, or a symbol: "=", "@", r"$\odot$"
    digits   significant digits of the numbers in the cells
    numbers  False: cells are empty or filled, and nothing is written in them

    All cells have one size. What does not fit the page goes on in a new line, which begins with a
    symbol. Raises ValueError where one array alone is too wide.

    >>> figure = matrices(Array([[1, 2], [0, 3]], "$J$"), "@", [5, 7], "=", [19, 21])
    >>> figure.description
    'J [[1, 2], [0, 3]] @ [5, 7] = [19, 21].'
    """
    if all(isinstance(part, str) for part in parts):
        raise ValueError(f"matrices got {list(parts)!r}: give at least one array")
    parts = [part if isinstance(part, (str, Array)) else Array(part) for part in parts]
    cell = cell_of(parts, digits) if numbers else _small_cell(parts)
    lines = _wrapped(parts, cell)
    sizes = [size_of(line, cell) for line in lines]
    top = sum(height for _, height in sizes) + 0.2 * len(lines) - 0.15
    axes = sheet(max(width for width, _ in sizes) + 0.1, top + 0.05)
    for line, (_, height) in zip(lines, sizes):
        write_equation(axes, 0.05, top, line, cell, digits if numbers else None)
        top -= height + 0.2
    axes.figure.description = " ".join(_in_words(part, digits) for part in parts) + "."
    return axes.figure


def tensor(
    values, *, title: str = "", axes: tuple[str, str, str] = ("i", "j", "k"), digits: int = 3
) -> Figure:
    """A rank-3 tensor T[i, j, k]: one floor for each i, with its rows j from back to front.

    An entry is a block on its tile, a zero an empty tile. Under it stand the counts of both.

    values  (n_i, n_j, n_k) of numbers or texts
    axes    the names of the three indices

    >>> tensor(np.einsum("ij,k->ijk", np.eye(2), [3.0, 4.0, 5.0])).description
    'Tensor of shape (2, 2, 3): 6 of 12 entries are not zero, at ijk = 111 112 113 221 222 223.'
    """
    values = _rank_three(values)
    tower = _Tower(values, axes, digits)
    words = _count(values)
    width = max(tower.width, width_of(words), width_of(title, 11)) + 0.1
    paper = sheet(width, tower.height + 2 * LINE + 0.1 + (0.3 if title else 0))
    tower.draw(paper, (width - tower.width) / 2, 2 * LINE + 0.05)
    write(paper, width / 2, LINE / 2 + 0.05, words)
    if title:
        write(paper, width / 2, tower.height + 2 * LINE + 0.2, title, size=11)
    places = [
        "".join(str(i + 1) for i in place)
        for place in np.ndindex(values.shape)
        if not is_zero(values[place])
    ]
    where = f", at {''.join(axes)} = {' '.join(places)}" if 0 < len(places) <= 12 else ""
    name = f"Tensor {plain(title)}".strip()
    paper.figure.description = f"{name} of shape {values.shape}: {words}{where}."
    return paper.figure


def slices(
    values, *, title: str = "T", axes: tuple[str, str, str] = ("i", "j", "k"), digits: int = 3
) -> Figure:
    """The same tensor as matrices side by side, one for each value of the first index.

    title  the letter of the tensor; the slices are called T_1jk, T_2jk, ..
    """
    values = _rank_three(values)
    letter = plain(title)
    return matrices(
        *(
            Array(part, f"${letter}_{{{i} {axes[1]} {axes[2]}}}$", (axes[1], axes[2]))
            for i, part in enumerate(values, 1)
        ),
        digits=digits,
    )


def contraction(delta, values, *, at: tuple[int, int] | None = None, digits: int = 3) -> Figure:
    r"""The contraction sum_i delta_i T_ijk: delta beside the floors of T, the result at the right.

    delta   (n_i,) or (n_i, 1)
    values  T, (n_i, n_j, n_k)
    at      (j, k), counted from 0: the entry being computed. The entries of T that it takes, one
            on each floor, are framed, the entries of the result after it are still open, and the
            sum is written out below. None: the whole result.

    Raises ValueError where delta and T do not pair.
    """
    delta, values = np.asarray(delta, dtype=float).ravel(), _rank_three(values)
    values = np.asarray(values, dtype=float)
    if delta.shape != values.shape[:1]:
        raise ValueError(
            f"delta has {len(delta)} entries and T has shape {values.shape}: "
            f"give ({values.shape[0]},), one number for each i"
        )
    result = np.einsum("i,ijk->jk", delta, values)
    done = np.vectorize(lambda entry: number(entry, digits), otypes=[object])(result)
    framed = []
    if at is not None:
        framed = chosen("at", [at], result.shape)
        if None in framed[0]:
            raise ValueError(f"at is {at}: give one entry (j, k) of the result")
        later = np.arange(result.size).reshape(result.shape) > np.ravel_multi_index(at, done.shape)
        done = np.where(later, "", done)
    right = Array(done, r"$\Sigma_i\,\delta_i\,T_{ijk}$", ("j", "k"), framed, ADJOINT)
    cell = cell_of([Array(result)], digits)
    tower = _Tower(values, ("i", "j", "k"), digits, at)
    column = max(HEIGHT, *(width_of(number(d, digits)) + 0.14 for d in delta))
    lines = _sum_in_words(delta, values, at, digits)
    size = size_of([right], cell)
    width = column + 0.1 + tower.width + 0.2 + size[0]
    width = max(width, *map(width_of, lines)) + 0.1
    height = max(tower.height, size[1])
    paper = sheet(width, height + 2 * LINE + 0.2)
    base = 2 * LINE + 0.1 + (height - tower.height) / 2
    tower.draw(paper, column + 0.15, base)
    for i, d in enumerate(delta):
        y = base + tower.floor(i) + tower.rise / 2
        box = column, HEIGHT
        _cell(paper, 0.05, y + HEIGHT / 2, box, number(d, digits), is_zero(d), ADJOINT)
        _frame(paper, 0.05, y + HEIGHT / 2, column, HEIGHT, ADJOINT)
    top = base + tower.floor(0) + tower.rise / 2 + HEIGHT
    write(paper, 0.05 + column / 2, top - 0.03, r"$\delta_i$", size=11)
    write(paper, column + 0.25 + tower.width, 2 * LINE + 0.1 + height / 2, "=", size=12)
    left = column + 0.35 + tower.width
    middle = 2 * LINE + 0.1 + (height + size[1]) / 2
    write_equation(paper, left, middle, [right], cell, digits)
    for line, words in enumerate(lines):
        write(paper, width / 2, 0.05 + LINE * (len(lines) - line - 0.5), words)
    paper.figure.description = (
        f"Contraction of delta {_listed(delta, digits)} with T of shape {values.shape}, "
        f"{_count(values)}: " + "; ".join(plain(line) for line in lines) + "."
    )
    return paper.figure


def contraction_frames(delta, values, *, digits: int = 3) -> list[Figure]:
    """The steps of `contraction`, one figure of the same size for each entry of the result."""
    places = np.ndindex(_rank_three(values).shape[1:])
    return [contraction(delta, values, at=at, digits=digits) for at in places]


# Cells and equations. A cell is (width, height) in inches.


def cell_of(parts: Sequence, digits: int) -> tuple[float, float]:
    """The cell that holds the widest entry of all arrays in `parts`."""
    entries = [entry for part in parts if isinstance(part, Array) for entry in part.values.flat]
    widest = max(width_of(number(entry, digits)) for entry in entries)
    return max(HEIGHT, widest + 0.12), HEIGHT


def _small_cell(parts):
    """A square without a number: as large as others, or small enough for the page."""
    columns = sum(part.values.shape[1] for part in parts if isinstance(part, Array))
    beside = size_of(parts, (0.0, 0.0))[0] + 0.1
    side = min(HEIGHT, (PAGE - beside) / columns)
    return max(side, 0.03), max(side, 0.03)


def _wrapped(parts, cell):
    """The parts in lines that fit the page; an array stays with the symbols before it."""
    lines, waiting = [[]], []
    for part in parts:
        waiting.append(part)
        if isinstance(part, Array):
            if lines[-1] and size_of([*lines[-1], *waiting], cell)[0] > PAGE - 0.1:
                lines.append([])
            lines[-1] += waiting
            waiting = []
    lines[-1] += waiting
    return lines


def size_of(parts: Sequence, cell: tuple[float, float]) -> tuple[float, float]:
    """Width and height, in inches, of what `write_equation` draws."""
    width = sum(
        width_of(part, 12) + 2 * GAP if isinstance(part, str) else sum(_widths(part, cell))
        for part in parts
    )
    touching = [pair for pair in pairwise(parts) if all(isinstance(part, Array) for part in pair)]
    return width + 2 * GAP * len(touching), _head(parts) + cell[1] * max(map(_rows, parts))


def write_equation(axes: Axes, left: float, top: float, parts: Sequence, cell, digits) -> None:
    """Draw arrays and symbols from the point (left, top) on; `digits` None writes no numbers."""
    middle = top - _head(parts) - cell[1] * max(map(_rows, parts)) / 2
    before = ""
    for part in parts:
        if isinstance(part, str):
            wide = width_of(part, 12) + 2 * GAP
            write(axes, left + wide / 2, middle, part, size=12)
        else:
            left += 2 * GAP if isinstance(before, Array) else 0
            beside, wide = _widths(part, cell)
            rows, columns = part.values.shape
            x = left + beside + (wide - columns * cell[0]) / 2
            _write_array(axes, x, middle + rows * cell[1] / 2, part, cell, digits)
            wide += beside
        left, before = left + wide, part


def _write_array(axes, left, top, array, cell, digits):
    (rows, columns), (wide, high) = array.values.shape, cell
    for (i, j), entry in np.ndenumerate(array.values):
        words = "" if digits is None else number(entry, digits)
        empty = is_zero(entry) or entry == ""
        _cell(axes, left + j * wide, top - i * high, cell, words, empty, array.role)
    _frame(axes, left, top, columns * wide, rows * high, array.role)
    for i, j in array.highlight:
        x, across = (left, columns * wide) if j is None else (left + j * wide, wide)
        y, down = (top, rows * high) if i is None else (top - i * high, high)
        axes.add_patch(Rectangle((x, y), across, -down, fc="none", ec=INK, lw=2.2, zorder=4))
    down, across = array.axes
    if down:
        write(axes, left - 0.14, top - rows * high / 2, rf"${down}$" + "\n↓")
    if across:
        write(axes, left + columns * wide / 2, top + 0.12, rf"${across}\,\rightarrow$")
    if array.title:
        above = top + (0.12 + LINE if across else 0.15)
        write(axes, left + columns * wide / 2, above, array.title, size=11)


def _cell(axes, left, top, cell, words, empty, role):
    fill = "none" if empty else role
    wide, high = cell
    axes.add_patch(Rectangle((left, top), wide, -high, fc=fill, ec="none", alpha=0.15))
    axes.add_patch(Rectangle((left, top), wide, -high, fc="none", ec=GRID, lw=0.7))
    if words:
        pale = PALE if empty else None
        write(axes, left + wide / 2, top - high / 2 - 0.01, words, alpha=pale)


def _frame(axes, left, top, wide, high, role):
    line = Rectangle((left, top), wide, -high, fc="none", ec=role, lw=1.4, ls=ROLES[role], zorder=3)
    axes.add_patch(line)


def _rows(part):
    return 1 if isinstance(part, str) else len(part.values)


def _widths(array, cell):
    """How wide the name of the first axis and the array itself are."""
    beside = 0.26 if array.axes[0] else 0.02
    return beside, max(array.values.shape[1] * cell[0], width_of(array.title, 11)) + 0.02


def _head(parts):
    """The height of titles and names of axes."""
    arrays = [part for part in parts if isinstance(part, Array)]
    title = 0.3 if any(array.title for array in arrays) else 0.02
    return title + (LINE if any(array.axes[1] for array in arrays) else 0)


def _in_words(part, digits):
    if isinstance(part, str):
        return plain(part)
    rows, columns = part.values.shape
    if part.values.size > 12:
        zeros = sum(map(is_zero, part.values.flat))
        return f"{plain(part.title)} of shape ({rows}, {columns}) with {zeros} zeros".strip()
    lists = [_listed(row, digits) for row in part.values]
    entries = _listed(part.values[:, 0], digits) if columns == 1 else f"[{', '.join(lists)}]"
    return f"{plain(part.title)} {entries}".strip()


def _listed(entries, digits):
    return "[" + ", ".join(plain(number(entry, digits)) for entry in entries) + "]"


def _entries(values):
    values = np.asarray(values)
    return values if values.dtype.kind in "biufUO" else np.asarray(values, dtype=float)


# The tower of floors.


def _rank_three(values):
    values = _entries(values)
    if values.ndim != 3 or 0 in values.shape:
        raise ValueError(
            f"T has shape {values.shape}: give three axes, (n_i, n_j, n_k); "
            "matrices draws arrays of one or two"
        )
    return values


def _count(values):
    full = sum(not is_zero(entry) for entry in values.flat)
    return f"{full} of {values.size} entries are not zero"


def _sum_in_words(delta, values, at, digits):
    if at is None:
        return [r"$\Sigma_i\,\delta_i\,T_{ijk}$ for all $j$, $k$: $i$ is summed away"]
    j, k = at
    pairs = zip(delta, values[:, j, k])
    terms = (" · ".join(map(_bracketed, (number(d, digits), number(t, digits)))) for d, t in pairs)
    total = number(float(delta @ values[:, j, k]), digits)
    return [
        rf"$j = {j + 1},\ k = {k + 1}$:   $\Sigma_i\,\delta_i\,T_{{i {j + 1} {k + 1}}}$",
        "= " + " + ".join(terms) + f" = {total}",
    ]


def _bracketed(words):
    return f"({words})" if words.startswith("−") else words


class _Tower:
    """Where the floors, tiles and blocks of a tensor stand."""

    def __init__(self, values, axes, digits, at=None):
        self.values, self.axes, self.digits, self.at = values, axes, digits, at
        n_i, n_j, n_k = values.shape
        words = [number(entry, digits) for entry in values.flat if not is_zero(entry)]
        self.tile = max(0.38, max(map(width_of, words), default=0) + 0.1)
        self.slant = SLANT * ROW / DEPTH
        self.label = width_of(f"${axes[0]} = {n_i}$") + 0.1
        self.rise = (n_j - 1) * ROW + DEPTH + BLOCK
        self.storey = self.rise + 0.28
        self.width = self.label + n_k * self.tile + (n_j - 1) * self.slant + SLANT + 0.32
        self.height = n_i * self.storey - 0.02

    def floor(self, i):
        """The height of floor i's front edge over the foot of the tower."""
        return (len(self.values) - 1 - i) * self.storey

    def draw(self, paper, left, foot):
        n_i, n_j, n_k = self.values.shape
        left += self.label

        def corner(i, j, k):
            back = n_j - 1 - j
            return left + k * self.tile + back * self.slant, foot + self.floor(i) + back * ROW

        self._pillars(paper, corner)
        for i, j, k in np.ndindex(n_i, n_j, n_k):
            last = k == n_k - 1 or is_zero(self.values[i, j, k + 1])
            self._place(paper, corner(i, j, k), self.values[i, j, k], last, (j, k) == self.at)
        for i in range(n_i):
            x, y = corner(i, n_j - 1, 0)
            name = rf"${self.axes[0]} = {i + 1}$"
            write(paper, x - 0.06, y + self.rise / 2, name, ha="right")
        x, y = corner(0, 0, 0)
        middle = x + SLANT + n_k * self.tile / 2
        write(paper, middle, y + DEPTH + BLOCK + 0.13, rf"${self.axes[2]}\,\rightarrow$")
        x, y = corner(0, (n_j - 1) / 2, n_k)
        write(paper, x + SLANT + 0.12, y, rf"${self.axes[1]}\,\swarrow$", ha="left")

    def _pillars(self, paper, corner):
        n_i, n_j, n_k = self.values.shape
        for j, k in [(n_j - 1, 0), (n_j - 1, n_k)]:
            ends = [corner(0, j, k), corner(n_i - 1, j, k)]
            paper.plot(*zip(*ends), color=GRID, lw=0.8, ls="-", zorder=0)

    def _place(self, paper, corner, entry, last, framed):
        x, y = corner
        wide, up = self.tile, 0.0 if is_zero(entry) else BLOCK

        def face(points, alpha):
            points = [(x + a, y + b) for a, b in points]
            fill = Polygon(points, fc=VALUE, ec="none", alpha=alpha)
            paper.add_patch(fill)
            paper.add_patch(Polygon(points, fc="none", ec=VALUE, lw=0.9, joinstyle="round"))

        top = [(0, up), (wide, up), (wide + SLANT, up + DEPTH), (SLANT, up + DEPTH)]
        if up:
            face(top, 0.15)
            face([(0, 0), (wide, 0), (wide, up), (0, up)], 0.45)
            if last:
                side = [(wide, 0), (wide + SLANT, DEPTH), (wide + SLANT, up + DEPTH), (wide, up)]
                face(side, 0.7)
            middle = x + (wide + SLANT) / 2, y + up + DEPTH / 2 - 0.01
            write(paper, *middle, number(entry, self.digits))
        else:
            points = [(x + a, y + b) for a, b in top]
            paper.add_patch(Polygon(points, fc="none", ec=INK, lw=0.6, alpha=0.5, ls=(0, (2, 2))))
        if framed:
            points = [(x + a, y + b) for a, b in top]
            paper.add_patch(Polygon(points, fc="none", ec=INK, lw=2.2, zorder=4))
