"""Drawings of arrays: every entry is there, in its place, and no text touches another."""

import re

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Polygon, Rectangle

from companion.draw.canvas import PAGE, chosen, number, plain, sheet, width_of, write
from companion.draw.style import ADJOINT, DARK, INK, VALUE, svg
from companion.draw.tensors import (
    Array,
    contraction,
    contraction_frames,
    matrices,
    slices,
    tensor,
)

pytestmark = pytest.mark.usefixtures("book_style")

J = np.array([[2.0, 0.0, -1.0], [0.5, 3.0, 0.0]])
G = np.array([0.25, -1.2])


def cube(n, a):
    """dz_i/dW_jk = [i = j] a_k."""
    return np.einsum("ij,k->ijk", np.eye(n), a)


T = cube(3, [3.0, 0.5, -1.25, 2.0])
DELTA = [0.5, -1.5, 2.0]
NAMED = np.array([["$W_{11}$", "$W_{12}$"], ["$W_{21}$", "$W_{22}$"]])
FIGURES = {
    "equation": lambda: matrices(
        Array(J.T @ G, r"$\nabla_x$ (3,)", ("j", ""), [(1, 0)], ADJOINT),
        "=",
        Array(J.T, "$J^T$ (3, 2)", ("j", "i"), [(1, None)]),
        "@",
        Array(G, r"$\nabla_y$ (2,)", ("i", ""), [(None, 0)], ADJOINT),
    ),
    "texts": lambda: matrices(Array(NAMED, "$W$", ("i", "j")), r"$\odot$", np.eye(2)),
    "two lines": lambda: matrices(J, "=", *[NAMED, "@"] * 4, NAMED),
    "side by side": lambda: matrices(np.eye(2), np.eye(3)),
    "no numbers": lambda: matrices(np.eye(12), "=", np.eye(20), numbers=False),
    "cube 2x2x3": lambda: tensor(cube(2, [3, 0.5, -1.25]), title="$T_{ijk}$"),
    "cube 3x3x4": lambda: tensor(T),
    "slices": lambda: slices(T),
    "contraction": lambda: contraction(DELTA, T),
    "a step": lambda: contraction(DELTA, T, at=(1, 2)),
}
every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


def boxes(figure):
    """(text, its box in pixels) of every text that is drawn."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [text for axes in figure.axes for text in axes.texts if text.get_text().strip()]
    return [(text, text.get_window_extent(renderer)) for text in texts]


def touching(figure):
    """The pairs of texts whose boxes share more than a hair."""
    found = [(text.get_text(), box.padded(-0.5)) for text, box in boxes(figure)]
    return [
        (one, other)
        for i, (one, box) in enumerate(found)
        for other, another in found[i + 1 :]
        if box.overlaps(another)
    ]


def outside(figure):
    """The texts that leave the sheet."""
    sheet_box = figure.bbox.padded(0.5)
    return [
        text.get_text()
        for text, box in boxes(figure)
        if not all(sheet_box.contains(*point) for point in box.corners())
    ]


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def framed(figure):
    """The patches drawn as a thick frame."""
    return [patch for patch in figure.axes[0].patches if patch.get_linewidth() > 2]


@every_figure
def test_texts_are_readable_and_apart(draw):
    figure = draw()
    assert touching(figure) == [] and outside(figure) == []
    assert all(text.get_size() >= 8 for text, _ in boxes(figure))
    assert figure.get_figwidth() <= PAGE + 1e-9


def test_the_judge_of_texts_can_say_no():
    axes = sheet(2, 1)
    write(axes, 1, 0.5, "one")
    write(axes, 1.1, 0.5, "two")
    write(axes, 2, 0.9, "beyond")
    assert touching(axes.figure) == [("one", "two")]
    assert outside(axes.figure) == ["beyond"]


@every_figure
def test_reproducible_in_the_colours_of_the_book(draw):
    text = svg(draw())
    assert svg(draw()) == text
    used = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", text))
    assert used and used <= set(DARK)


@every_figure
def test_a_figure_describes_itself(draw):
    description = draw().description
    assert len(description.split()) >= 5 and description.endswith(".")
    assert not set(description) & set("$\\{}")


def test_every_entry_stands_in_its_cell():
    figure = matrices(Array(J, "$J$"), "@", [1, 2, 3])
    axes = figure.axes[0]
    cells = [p for p in axes.patches if isinstance(p, Rectangle) and p.get_alpha()]
    inside = [
        text.get_text()
        for cell in cells
        for text in axes.texts
        if cell.get_window_extent().contains(*axes.transData.transform(text.get_position()))
    ]
    assert inside == ["2", "0", "−1", "0.5", "3", "0", "1", "2", "3"]
    empty = [cell.get_facecolor()[3] == 0 for cell in cells]
    assert empty == [False, True, False, False, False, True, False, False, False]


def test_a_zero_is_pale_and_a_number_is_not():
    texts = matrices([[0.0, 4.0]]).axes[0].texts
    assert {text.get_text(): text.get_alpha() for text in texts} == {"0": 0.65, "4": None}


def test_frames_tell_values_from_adjoints_without_colour():
    axes = matrices(Array([1]), "=", Array([2], role=ADJOINT)).axes[0]
    frames = {p.get_edgecolor(): p.get_linestyle() for p in axes.patches if p.get_zorder() == 3}
    colours = matplotlib.colors.to_rgba
    assert frames == {colours(VALUE): "-", colours(ADJOINT): "--"}


def test_a_row_a_column_and_an_entry_are_framed():
    (row,) = framed(matrices(Array(J, highlight=[(0, None)])))
    (column,) = framed(matrices(Array(J, highlight=[(None, 2)])))
    (entry,) = framed(matrices(Array(J, highlight=[(1, 1)])))
    assert row.get_width() == pytest.approx(3 * entry.get_width())
    assert row.get_y() == pytest.approx(entry.get_y() - entry.get_height())
    assert column.get_height() == pytest.approx(2 * entry.get_height())
    assert column.get_x() == pytest.approx(entry.get_x() + entry.get_width())


def blocks(figure):
    return [text for text in figure.axes[0].texts if re.fullmatch(r"−?[\d.]+", text.get_text())]


@pytest.mark.parametrize("n, a", [(2, [3.0, 0.5, -1.25]), (3, [3.0, 0.5, -1.25, 2.0]), (1, [7.0])])
def test_a_tensor_has_a_block_for_each_entry_and_counts_them(n, a):
    figure = tensor(cube(n, a))
    assert [text.get_text() for text in blocks(figure)] == n * [number(x) for x in a]
    assert f"{n * len(a)} of {n * n * len(a)} entries are not zero" in words(figure)
    dashed = [p for p in figure.axes[0].patches if p.get_linestyle() not in ("-", "solid")]
    assert len(dashed) == n * n * len(a) - n * len(a)  # the zeros


def test_no_block_hides_another_tile():
    """Tops and empty tiles of different rows and floors do not overlap; of one row they touch."""
    tiles = [
        np.array(p.get_xy())[:4]
        for p in tensor(np.ones((2, 3, 2))).axes[0].patches
        if isinstance(p, Polygon) and len(p.get_xy()) == 5 and p.get_alpha() is None
    ]
    spans = {(round(t[:, 1].min(), 6), round(t[:, 1].max(), 6)) for t in tiles[::1]}
    tops = sorted(span for span in spans if span[1] - span[0] > 0.2 and span[1] - span[0] < 0.3)
    assert len(tops) == 6  # three rows on each of two floors
    assert all(high <= low for (_, high), (low, _) in zip(tops, tops[1:]))


def test_each_block_stands_at_its_place():
    values = np.arange(1.0, 13.0).reshape(2, 3, 2)
    places = {t.get_text(): t.get_position() for t in tensor(values).axes[0].texts}
    x, y = (np.vectorize(lambda v, k=k: places[number(v)][k])(values) for k in (0, 1))
    assert (np.diff(x, axis=2) > 0).all()  # k to the right
    assert (np.diff(y, axis=1) < 0).all() and (np.diff(x, axis=1) < 0).all()  # j to the front
    assert (np.diff(y, axis=0) < 0).all()  # i down


def test_slices_are_the_tensor():
    figure = slices(cube(2, [7.0, 8.0]))
    assert [t for t in words(figure) if t in "0 7 8".split()] == list("78000078")
    assert "$T_{2 j k}$" in words(figure)


def test_steps_of_a_contraction_fill_the_outer_product():
    frames = contraction_frames(DELTA, T)
    outer = np.outer(DELTA, [3.0, 0.5, -1.25, 2.0])
    assert len(frames) == outer.size
    assert len({tuple(frame.get_size_inches()) for frame in frames}) == 1
    for n, frame in enumerate(frames):
        assert len(framed(frame)) == len(DELTA) + 1  # one entry on each floor, and the result
        assert words(frame)[-1].endswith(f"= {number(outer.flat[n])}")
    assert words(frames[6])[-1] == "= 0.5 · 0 + (−1.5) · (−1.25) + 2 · 0 = 1.88"
    assert [["1.5" in words(f), "0.25" in words(f)] for f in frames[:2]] == [[1, 0], [1, 1]]
    left = min(t.get_position()[0] for t in frames[0].axes[0].texts if t.get_text() == "−1.5")
    column = [t for t in frames[0].axes[0].texts if t.get_position()[0] == left]
    heights = {t.get_text(): t.get_position()[1] for t in column}
    assert heights["0.5"] > heights["−1.5"] > heights["2"]
    shown = [len([t for t in words(frame) if t]) for frame in frames]
    assert shown == list(range(shown[0], shown[0] + outer.size))  # one more entry each time


def test_small_tools():
    assert number(-0.0) == "0" and number(1234.5) == "1.23e+03" and number("x") == "x"
    assert plain(r"$\Sigma_i\,\delta_i$") == "Sigma_i delta_i"
    assert width_of("WW") > 1.9 * width_of("W")
    assert chosen("a", [1, (0,)], (2,)) == [(1,), (0,)]


BAD = {
    "no array": (lambda: matrices("="), r"matrices got \['='\]: give at least one array"),
    "three axes": (lambda: matrices(T), r"shape \(3, 3, 4\): give \(rows, columns\), or use tens"),
    "role": (lambda: Array([1], role="red"), "role is 'red': give VALUE"),
    "place": (lambda: Array(J, highlight=[(2, 0)]), r"\(2, 0\), which is no place in shape \(2, 3"),
    "too wide": (
        lambda: matrices([1], "=", np.full((1, 40), 0.123)),
        r"inches wide and the page has 6\.4",
    ),
    "two axes": (lambda: tensor(J), r"T has shape \(2, 3\): give three axes"),
    "delta": (lambda: contraction([1, 2], T), r"delta has 2 entries and T has shape \(3, 3, 4\)"),
    "at": (lambda: contraction(DELTA, T, at=(3, 0)), r"at holds \(3, 0\), which is no place"),
    "all": (lambda: contraction(DELTA, T, at=(None, 0)), r"at is \(None, 0\): give one entry"),
}


@pytest.mark.parametrize("call, says", BAD.values(), ids=BAD)
def test_bad_input_is_quoted(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_ink_is_the_colour_of_what_is_framed():
    (patch,) = framed(matrices(Array([[1, 2]], highlight=[(0, 1)])))
    assert patch.get_edgecolor() == matplotlib.colors.to_rgba(INK)
