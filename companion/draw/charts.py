"""Charts of a training and of what a network sees: curves, pictures, a confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from companion.draw.style import ADJOINT, GRID, INK, ROLES, VALUE

LEVELS = 8  # shades from paper to full ink in a picture


def learning_curves(
    runs: Mapping[str, Sequence], *, ylabel: str, reference: Mapping[str, float] | None = None
) -> Figure:
    """One curve for each name in `runs`, over epochs 1, 2, ..

    runs       name -> array of shape (seeds, epochs); the line is the median over the seeds, and
               a band reaches from the lowest to the highest. At most four names.
    reference  name -> height of a thin horizontal line, such as a target
    """
    figure = Figure()
    axes = figure.add_subplot()
    if not 1 <= len(runs) <= len(ROLES):
        raise ValueError(f"runs has {len(runs)} names: give one to {len(ROLES)}")
    for (name, values), (colour, line) in zip(runs.items(), ROLES.items(), strict=False):
        values = np.asarray(values, dtype=float)
        if values.ndim != 2 or values.size == 0:
            raise ValueError(f"{name!r} has shape {values.shape}, expected (seeds, epochs)")
        epochs = np.arange(1, values.shape[1] + 1)
        axes.plot(epochs, np.median(values, axis=0), line, color=colour, label=name)
        axes.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.2, lw=0)
    for name, height in (reference or {}).items():
        axes.axhline(height, color=INK, lw=0.8, ls=(0, (1, 2)))
        axes.annotate(
            name, (1, height), xycoords=("axes fraction", "data"), ha="right", va="bottom"
        )
    axes.set(xlabel="epoch", ylabel=ylabel)
    axes.margins(x=0.02)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    return figure


def pictures(
    rows, shape: tuple[int, int], *, titles: Sequence[str] | None = None, across: int = 10,
    signed: bool = False,
) -> Figure:  # fmt: skip
    """A grid of small pictures, one for each row of `rows` (N, height * width).

    shape   (height, width) in pixels
    titles  a text over each picture
    across  how many stand side by side
    signed  False: 0 is paper and the largest entry of all full ink. True, for weights: positive
            entries in one colour, negative ones in another and, where they are large, marked by
            a cross; the deeper the colour, the larger the entry.
    """
    rows = np.asarray(rows, dtype=float)
    if rows.ndim != 2 or rows.shape[1] != shape[0] * shape[1] or not len(rows):
        raise ValueError(f"rows has shape {rows.shape}, expected (N, {shape[0]} * {shape[1]})")
    if titles is not None and len(titles) != len(rows):
        raise ValueError(f"got {len(titles)} titles for {len(rows)} pictures")
    if not signed and rows.min() < 0:
        raise ValueError(f"a pixel is {rows.min():.6g}: pass signed=True for values below 0")
    across = min(across, len(rows))
    down = -(-len(rows) // across)
    width = 6.4 / max(across, 5)
    figure = Figure(figsize=(width * across, (width + (0.25 if titles else 0.05)) * down))
    largest = np.abs(rows).max() or 1.0
    for i, row in enumerate(rows):
        axes = figure.add_subplot(down, across, i + 1)
        axes.set(xlim=(0, shape[1]), ylim=(shape[0], 0), aspect="equal", xticks=[], yticks=[])
        for side in axes.spines.values():
            side.set(visible=True, color=GRID)
        picture = row.reshape(shape) / largest
        _ink(axes, picture, VALUE if signed else INK)
        if signed:
            _ink(axes, -picture, ADJOINT, crosses=True)
        if titles is not None:
            axes.set_title(titles[i])
    figure.subplots_adjust(0, 0, 1, 1, wspace=0.08, hspace=0.45 if titles else 0.08)
    return figure


def confusion(counts, names: Sequence[str] | None = None) -> Figure:
    """A confusion matrix: `counts[i, j]` examples of class i were called j.

    Hits stand on the diagonal. Every count but 0 is written; the shade of a miss grows with it.
    """
    counts = np.asarray(counts)
    n = len(counts)
    if counts.shape != (n, n) or not n:
        raise ValueError(f"counts has shape {counts.shape}, expected one row and column per class")
    names = [str(i) for i in range(n)] if names is None else list(names)
    figure = Figure(figsize=(4.8, 4.8))
    axes = figure.add_subplot()
    misses = counts * (1 - np.eye(n, dtype=int))
    _ink(axes, 0.35 * np.eye(n), VALUE)
    _ink(axes, 0.45 * misses / (misses.max() or 1), ADJOINT)
    for i, j in np.argwhere(counts):
        axes.text(j + 0.5, i + 0.5, str(counts[i, j]), ha="center", va="center")
    middles = np.arange(n) + 0.5
    axes.set(xlim=(0, n), ylim=(n, 0), aspect="equal", xlabel="called", ylabel="true class")
    axes.set_xticks(middles, names)
    axes.set_yticks(middles, names)
    axes.tick_params(length=0)
    axes.grid(False)
    return figure


def _ink(axes, picture, colour, crosses=False):
    """Draw the positive entries of `picture`, at most 1, as squares: one path for each shade."""
    shades = np.ceil(np.clip(picture, 0, 1) * LEVELS - 1e-9).astype(int)
    for shade in np.unique(shades[shades > 0]):
        squares = [_square(i, j) for i, j in np.argwhere(shades == shade)]
        patch = PathPatch(Path.make_compound_path(*squares), fc=colour, alpha=shade / LEVELS, lw=0)
        patch.set_gid(f"pixels{sum(len(other.patches) for other in axes.figure.axes)}")
        axes.add_patch(patch)
    if crosses and shades.max() > LEVELS // 4:
        dots = [(j + 0.5, i + 0.5) for i, j in np.argwhere(shades > LEVELS // 4)]
        axes.plot(*zip(*dots, strict=True), "x", color=INK, ms=2.5, mew=0.7, ls="none")


def _square(i, j):
    return Path([(j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1), (j, i)], closed=True)
