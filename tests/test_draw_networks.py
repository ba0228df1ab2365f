"""Drawings of networks: each number at its neuron, each edge its weight, each step its sum."""

import functools
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.patches import Circle, FancyBboxPatch
from matplotlib.text import Annotation

from companion.draw.canvas import PAGE, number
from companion.draw.networks import backward_pass, network, readings, surface
from companion.draw.style import ADJOINT, DARK, VALUE, svg
from companion.network import Network, Parameters
from tests.test_draw_arrays import outside, touching, words

pytestmark = pytest.mark.usefixtures("book_style")

SIZES = {"2-3-2": [2, 3, 2], "2-2-1": [2, 2, 1], "3-4-5-2": [3, 4, 5, 2]}
RGBA = matplotlib.colors.to_rgba


def passed(sizes, m=1, seed=1, **how):
    """Parameters, and the trace and the errors of a batch."""
    rng = np.random.default_rng(seed)
    net = Network(sizes, **how)
    p = net.initial(rng=rng, biases="unit")
    trace = net.forward(p, rng.normal(size=(sizes[0], m)))
    y = np.zeros((sizes[-1], m))
    y[0] = 1
    return net, p, trace, y, net.errors(p, trace, y)


def numbered(sizes, **how):
    _, p, trace, _, errors = passed(sizes)
    return network(sizes, parameters=p, trace=trace, errors=errors, **how)


FIGURES = {
    **{f"{name} names": lambda s=s: network(s, bias=True) for name, s in SIZES.items()},
    **{f"{name} numbers": lambda s=s: numbered(s) for name, s in SIZES.items()},
    "BP2": lambda: numbered([2, 3, 2], neurons=[(1, 0)], edges=[(2, None, 0)], role=ADJOINT),
    "biases and numbers": lambda: numbered([2, 3, 2], bias=True),
    "digits": lambda: network([64, 30, 10]),
    "a path": lambda: network([3, 4, 5, 2], edges=[(1, 0, 2), (2, 3, 0), (3, 1, 3)]),
}
every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


def readable(figure):
    texts = [text for axes in figure.axes for text in axes.texts if text.get_text()]
    assert touching(figure) == [] and outside(figure) == []
    assert all(text.get_size() >= 8 for text in texts)
    assert figure.get_figwidth() <= PAGE + 1e-9


def neurons(figure):
    return [p for p in figure.axes[0].patches if isinstance(p, (Circle, FancyBboxPatch))]


def lines(figure):
    """The plain edges: (start, end, width, style)."""
    return [
        (*line.get_xydata(), line.get_linewidth(), line.get_linestyle())
        for line in figure.axes[0].lines
        if len(line.get_xdata()) == 2
    ]


def arrows(figure):
    return [text for text in figure.axes[0].texts if isinstance(text, Annotation)]


@every_figure
def test_texts_are_readable_and_apart(draw):
    readable(draw())


@every_figure
def test_reproducible_described_and_in_the_colours_of_the_book(draw):
    figure = draw()
    text = svg(figure)
    assert svg(draw()) == text
    assert set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", text)) <= set(DARK)
    assert len(figure.description.split()) >= 5 and not set(figure.description) & set("$\\{}")


@every_figure
def test_neurons_stand_apart(draw):
    figure = draw()
    boxes = [p.get_window_extent() for p in neurons(figure)]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    bounds = figure.bbox.padded(0.5)
    assert all(bounds.contains(*corner) for box in boxes for corner in box.corners())


def test_every_text_in_a_card_stays_in_it():
    figure = numbered([2, 3, 2])
    figure.draw_without_rendering()
    cards = [p.get_window_extent() for p in neurons(figure)]
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        for card in cards:
            if card.overlaps(box):
                assert all(card.padded(0.5).contains(*corner) for corner in box.corners())


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_a_neuron_and_an_edge_for_each(sizes):
    figure = network(sizes)
    assert len(neurons(figure)) == sum(sizes)
    assert len(lines(figure)) == sum(a * b for a, b in zip(sizes, sizes[1:]))
    assert "$a^{0}_{1}$" in words(figure) and f"$a^{{1}}_{{{sizes[1]}}}$" in words(figure)
    assert f"{sizes[0]} inputs" in words(figure)


def test_wide_layers_are_cut_short_by_dots():
    figure = network([64, 30, 10])
    assert len(neurons(figure)) == 3 * 5
    assert {"$a^{0}_{4}$", "$a^{0}_{64}$", "64 inputs", "10 neurons"} <= set(words(figure))
    assert "$a^{0}_{5}$" not in words(figure)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert len(dots) == 3 and all(len(line.get_xdata()) == 3 for line in dots)


def test_the_numbers_are_those_of_trace_and_errors():
    net, p, trace, y, errors = passed([2, 3, 2], m=3)
    assert readings(trace, errors, example=2)[1, 0] == {
        "z": trace.z[1][0, 2], "a": trace.a[1][0, 2], "delta": errors.delta[1][0, 2],
    }  # fmt: skip
    assert readings(trace)[2, 1].keys() == {"z", "a"}
    shown = words(network([2, 3, 2], trace=trace, errors=errors, example=2))
    for l in (1, 2):
        for signal in (trace.z[l], trace.a[l], errors.delta[l]):
            assert all(number(value) in shown for value in signal[:, 2].tolist())
    other = words(network([2, 3, 2], trace=trace, errors=errors, example=0))
    assert shown != other


def test_a_number_stands_in_the_card_of_its_neuron():
    _, _, trace, _, _ = passed([2, 3, 2])
    figure = network([2, 3, 2], trace=trace)
    names = {t.get_text(): t.get_position() for t in figure.axes[0].texts}
    for j in range(3):
        x, y = names[f"$z^{{1}}_{{{j + 1}}}$"]
        u, v = names[number(float(trace.z[1][j, 0]))]
        assert v == pytest.approx(y) and 0 < u - x < 1.2
    heights = [names[f"$z^{{1}}_{{{j + 1}}}$"][1] for j in range(3)]
    assert heights == sorted(heights, reverse=True)  # neuron 1 on top


def test_edges_show_size_and_sign_of_the_weights():
    p = Parameters.of(W=[[[1.0, -2.0]]], b=[[[0.0]]])
    (_, _, thin, solid), (_, _, thick, dashed) = lines(network([2, 1], parameters=p))
    assert (solid, dashed) == ("-", "--")
    assert (thick - 0.3) / (thin - 0.3) == pytest.approx(2)
    assert "solid: $w > 0$,  dashed: $w < 0$,  width: $|w|$" in words(network([2, 1], parameters=p))


def test_picked_edges_point_the_way_their_numbers_go():
    forward = arrows(network([2, 3, 2], edges=[(2, None, 0)]))
    back = arrows(network([2, 3, 2], edges=[(2, None, 0)], role=ADJOINT))
    assert len(forward) == len(back) == 2
    # xy is the head of an arrow, and its position the tail
    assert all(arrow.xy[0] > arrow.get_position()[0] for arrow in forward)
    assert all(arrow.xy[0] < arrow.get_position()[0] for arrow in back)
    assert len({arrow.xy for arrow in back}) == 1  # both end at the one neuron
    styles = (
        {a.arrow_patch.get_linestyle() for a in forward},
        {a.arrow_patch.get_linestyle() for a in back},
    )
    assert styles == ({"-"}, {"--"})
    assert {a.arrow_patch.get_edgecolor() for a in back} == {RGBA(ADJOINT)}
    assert {a.arrow_patch.get_edgecolor() for a in forward} == {RGBA(VALUE)}
    assert len(arrows(network([2, 3, 2], edges=[(1, 2, 1)]))) == 1
    assert len(arrows(network([2, 3, 2], edges=[(1, None, None)]))) == 6
    assert not arrows(network([2, 3, 2]))


def test_picked_neurons_are_framed():
    def thick(**how):
        return [p.get_linewidth() > 2 for p in neurons(network([2, 3, 2], **how))]

    assert thick(neurons=[(1, 1)]) == [False, False, False, True, False, False, False]
    assert thick(neurons=[(2, None)]) == 5 * [False] + 2 * [True]


def test_descriptions_say_what_is_picked_out():
    text = network([2, 3, 2], neurons=[(1, 0)], edges=[(2, 1, 2)]).description
    assert text == (
        "Network of 2, 3 and 2 neurons. Picked out: neuron 1 of layer 1, "
        "the edge from neuron 3 of layer 1 to neuron 2 of layer 2."
    )
    assert f"a^0_1 = {number(float(passed([2, 2, 1])[2].a[0][0, 0]))}." in (
        numbered([2, 2, 1]).description
    )


# The stepwise pass.

PASSES = {
    "sigmoid": {"sizes": [2, 3, 2]},
    "deep": {"sizes": [2, 2, 2, 1], "activations": "tanh"},
    "cross-entropy": {"sizes": [2, 3, 2], "cost": "cross_entropy"},
    "softmax": {
        "sizes": [2, 3, 2],
        "activations": ["relu", "softmax"],
        "cost": "softmax_cross_entropy",
    },
    "softmax inside": {"sizes": [2, 2, 1], "activations": ["softmax", "identity"]},
}
every_pass = pytest.mark.parametrize("name", PASSES)


@functools.cache
def steps_of(name):
    net, p, trace, y, errors = passed(**PASSES[name])
    return net, p, trace, errors, backward_pass(net, p, trace.a[0], y)


@every_pass
def test_one_step_for_each_number_and_layer(name):
    net, _, _, _, frames = steps_of(name)
    behind = sum(net.sizes[1:])
    assert len(frames) == 1 + behind + 1 + behind + net.L
    assert len({tuple(frame.get_size_inches()) for frame in frames}) == 1
    said = [frame.description for frame in frames]
    assert [text[:3] for text in said[2 + behind :]] == (
        ["BP1"] * net.sizes[-1] + ["BP2"] * sum(net.sizes[1:-1]) + ["BP4"] * net.L
    )


@every_pass
def test_every_frame_is_readable(name):
    for frame in steps_of(name)[-1]:
        readable(frame)


@every_pass
def test_numbers_appear_when_they_are_computed(name):
    net, _, trace, errors, frames = steps_of(name)

    def cards(frame):  # the numbers in cards stand at the right edge of their card
        return sum(text.get_ha() == "right" for text in frame.axes[0].texts)

    n_0, behind = net.sizes[0], sum(net.sizes[1:])
    forward = [n_0 + 2 * i for i in range(behind + 1)]
    back = [forward[-1] + i for i in range(behind + 1)]
    assert [cards(frame) for frame in frames] == forward + back + [back[-1]] * net.L


def test_captions_hold_the_arithmetic():
    _, p, trace, errors, frames = steps_of("sigmoid")
    known = re.compile(r"(?<![\d^_.])[−]?\d+\.?\d*(?:e[−+]?\d+)?")

    def values(text):
        return [float(part.replace("−", "-")) for part in known.findall(text)]

    first = frames[1].description.split(";")[0].split("=")
    terms = re.split(r" \+ (?!0\d)", first[1])
    total = sum(np.prod(values(term)) for term in terms)
    assert total == pytest.approx(trace.z[1][0, 0], abs=0.01)
    assert values(first[2])[0] == pytest.approx(trace.z[1][0, 0], rel=0.01)
    hidden = next(frame for frame in frames if frame.description.startswith("BP2"))
    g, delta = hidden.description.split(";")
    summed = sum(np.prod(values(term)) for term in g.split("=")[1].split(" + "))
    assert summed == pytest.approx(errors.g[1][0, 0], abs=0.002)
    assert values(delta.split("=")[-1])[0] == pytest.approx(errors.delta[1][0, 0], rel=0.01)
    product = np.prod(values(delta.split("=")[2]))
    assert product == pytest.approx(errors.delta[1][0, 0], rel=0.02)


def test_the_matrices_of_a_hidden_step_are_those_of_the_network():
    _, p, _, errors, frames = steps_of("sigmoid")
    hidden = next(frame for frame in frames if frame.description.startswith("BP2"))
    shown = words(hidden)
    for value in (*p.W[2].ravel(), *errors.delta[2].ravel(), *errors.delta[1].ravel()[:1]):
        assert number(value) in shown or number(value, 2) in shown


def test_errors_travel_back_along_the_edges_of_their_neuron():
    net, *_, frames = steps_of("sigmoid")
    hidden = [frame for frame in frames if frame.description.startswith("BP2")]
    heads = [{arrow.xy for arrow in arrows(frame)} for frame in hidden]
    assert [len(arrows(frame)) for frame in hidden] == [net.sizes[2]] * net.sizes[1]
    assert all(len(head) == 1 for head in heads) and len(set.union(*heads)) == net.sizes[1]


def test_a_surface_has_its_path_and_heights():
    figure = surface(lambda u, v: u * u + 3 * v * v, (-2, 2), (-1, 1), path=[(-1, 1), (0, 0)])
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[-1, 1], [0, 0]])
    ends = [line.get_xydata().tolist() for line in axes.lines[1:3]]
    assert ends == [[[-1, 1]], [[0, 0]]]  # a ring and a cross
    assert figure.description == (
        "Lines of equal cost over w_1 and w_2: the cost goes from 0 to 7, "
        "and a path of 1 steps leads from (−1, 1) to (0, 0)."
    )
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$w_1$", "$w_2$")
    other = surface(lambda u, v: u, (0, 2), (0, 1), height="root of the cost")
    assert other.description == (
        "Lines of equal root of the cost over w_1 and w_2: the root of the cost goes from 0 to 2."
    )
    for level, paths in zip(axes.collections[0].levels, axes.collections[0].get_paths()):
        u, v = paths.vertices.T
        np.testing.assert_allclose(u * u + 3 * v * v, level, atol=0.02)


def batch():
    net, p, trace, y, _ = passed([2, 3, 2], m=3)
    return backward_pass(net, p, trace.a[0], y)


def large():
    net, p, trace, y, _ = passed([5, 3, 2])
    return backward_pass(net, p, trace.a[0], y)


def test_equal_lines_are_equal_weights_in_all_layers():
    p = Parameters.of([2 * np.ones((2, 2)), np.ones((2, 2)) / 2], [np.zeros((2, 1))] * 2)
    drawn = {round(width, 6) for *_, width, _ in lines(network([2, 2, 2], parameters=p))}
    assert drawn == {0.3 + 2.5, 0.3 + 2.5 / 4}


def test_each_neuron_has_its_bias():
    dotted = [line for line in lines(network([2, 3, 1], bias=True)) if line[-1] == ":"]
    assert len(dotted) == 3 + 1


BAD = {
    "sizes": (lambda: network([3]), r"sizes is \[3\]: give n_0 and at least one layer"),
    "edge layer": (lambda: network([2, 3, 2], edges=[(0, 0, 0)]), r"edges holds \(0, 0, 0\): its"),
    "edge": (lambda: network([2, 3, 2], edges=[(1, 0, 2)]), r"\(0, 2\), which is no place in"),
    "neuron": (lambda: network([2, 3, 2], neurons=[(2, 2)]), r"neurons of layer 2 holds \(2,\)"),
    "behind the dots": (
        lambda: network([2, 10, 2], neurons=[(1, 5)]),
        "neuron 5 of layer 1 is left out .* most=10",
    ),
    "edge behind the dots": (
        lambda: network([2, 10, 2], edges=[(2, 0, 5)]),
        "neuron 5 of layer 1 is left out",
    ),
    "parameters": (
        lambda: network([2, 2], parameters=passed([2, 3])[1]),
        r"parameters are those of sizes \[2, 3\], and this network has sizes \[2, 2\]",
    ),
    "trace": (lambda: network([2, 2], trace=passed([2, 3])[2]), r"layers of \[2, 3\] neurons"),
    "errors of another batch": (
        lambda: readings(passed([2, 3])[2], passed([2, 3], m=2)[4]),
        "give the errors of this",
    ),
    "errors alone": (lambda: network([2, 3], errors=passed([2, 3])[4]), "errors came without"),
    "example": (lambda: readings(passed([2, 3])[2], example=1), "example is 1 in a batch of 1"),
    "most": (lambda: network([9, 9], most=2), "most is 2"),
    "a batch": (batch, "x has 3 examples: give one column"),
    "too large": (large, r"sizes \[5, 3, 2\] has too many steps"),
    "path": (lambda: surface(lambda u, v: u, (0, 1), (0, 1), path=[1, 2]), r"path has shape \(2,"),
    "infinite": (lambda: surface(lambda u, v: np.inf, (0, 1), (0, 1)), "not finite everywhere"),
}


@pytest.mark.parametrize("call, says", BAD.values(), ids=BAD)
def test_bad_input_is_quoted(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_readings_ask_for_a_trace():
    with pytest.raises(TypeError, match="readings needs the Trace .* got list"):
        readings([1])
