"""Pictures of graphs: nothing covers anything else, every number is there, and words say it too."""

import json
import random
import re
import subprocess
import sys
from fractions import Fraction
from itertools import combinations, pairwise
from operator import add, mul
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.transforms import Bbox

from companion.draw import (
    ADJOINT,
    DARK,
    VALUE,
    animation,
    describe,
    evaluation,
    graph,
    layout,
    player,
    svg,
    sweeps,
)
from companion.draw.tensors import contraction_frames
from companion.graph import Node, exp, in_order, log, sigmoid, sin, tanh
from companion.sweep import adjoints, paths, tangents

pytestmark = pytest.mark.usefixtures("book_style")


def inputs(names, *values):
    return [Node(value, name=name) for name, value in zip(names.split(), values, strict=True)]


def two_uses():
    a, b = inputs("a b", 2.0, 1.0)
    return ((a + b).named("c") * (b + 1).named("d")).named("e")


def sigmoid_neuron():
    w0, x0, w1, x1, w2 = inputs("w0 x0 w1 x1 w2", 2.0, -1.0, -3.0, -2.0, -3.0)
    return 1 / (1 + exp(-(w0 * x0 + w1 * x1 + w2)))


def neuron_with_cost():
    w, x, b, y = inputs("w x b y", 0.6, 1.0, 0.9, 0.0)
    a = sigmoid((w * x + b).named("z")).named("a")
    return (0.5 * (a - y) ** 2).named("C")


def logarithm_and_sine():
    x1, x2 = inputs("x1 x2", 2.0, 5.0)
    return log(x1) + x1 * x2 - sin(x2)


def square():
    (x,) = inputs("x", 3.0)
    return x * x


def chain():
    (y,) = inputs("x", -0.2)
    for f in (sin, exp, tanh, sin, sigmoid):
        y = f(y)
    return y


def network():
    """A 2-3-2 network: 48 nodes, two of them outputs."""
    rng = np.random.default_rng(0)
    a = inputs("x1 x2", 0.5, -1.0)
    for l, n in ((1, 3), (2, 2)):
        W = [[Node(round(rng.normal(), 2), name=f"W^{l}_{{{j}{k}}}") for k in range(len(a))]
             for j in range(n)]  # fmt: skip
        b = [Node(0.1 * j, name=f"b^{l}_{j}") for j in range(n)]
        products = [[w * x for w, x in zip(row, a, strict=True)] for row in W]
        a = [sigmoid(sum(row[1:], row[0]) + c) for row, c in zip(products, b, strict=True)]
    return a


def anything(seed):
    """A graph that no one thought of."""
    rng = random.Random(seed)
    nodes = inputs("x y z", 0.5, -0.7, 1.2)
    for _ in range(rng.randrange(4, 16)):
        one, other = rng.choices(nodes[-6:], k=2)
        nodes.append(rng.choice([mul, add, lambda one, _: sin(one)])(one, other))
    return nodes[-1]


GRAPHS = {
    f.__name__: f
    for f in (two_uses, sigmoid_neuron, neuron_with_cost, logarithm_and_sine, square, chain)
}
every_graph = pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)


def full(output):
    """The picture with all that it can show."""
    dot = tangents(output, {in_order(output)[0]: 1})
    return graph(output, tangents=dot, adjoints=adjoints(output), partials=True)


# Nothing covers anything else.


def faults(figure):
    """What overlaps in a picture of a graph, as the Agg renderer draws it."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    (axes,) = figure.axes
    figure.draw(renderer)
    texts = [(t.get_text(), t.get_window_extent(renderer)) for t in axes.texts if t.get_text()]
    boxes = [p.get_window_extent(renderer) for p in axes.patches if isinstance(p, FancyBboxPatch)]
    curves = [dense(p.get_transform().transform_path(p.get_path()))
              for p in axes.patches if isinstance(p, PathPatch)]  # fmt: skip
    heads = [p.get_transform().transform(p.get_xy()) for p in axes.patches
             if isinstance(p, Polygon)]  # fmt: skip
    found = []
    for (text, one), (other, two) in combinations(texts, 2):
        if meet(one, two):
            found.append(f"{text!r} and {other!r} overlap")
    for one, two in combinations(boxes, 2):
        if meet(one, two):
            found.append("two nodes overlap")
    for text, one in texts:
        inside = [box for box in boxes if meet(one, box)]
        if inside and not (len(inside) == 1 and contains(inside[0], one)):
            found.append(f"{text!r} crosses the frame of a node")
        if any(within(points, one) for points in curves + heads):
            found.append(f"an edge runs through {text!r}")
    for box in boxes:
        if any(within(points, box) for points in curves + heads):
            found.append("an edge runs through a node")
    page = Bbox([[0, 0], figure.bbox.size])
    found += [f"{text!r} leaves the picture" for text, one in texts if not contains(page, one)]
    return found


def dense(path):
    """Points along a path, a few pixels apart at most, without the gaps in it."""
    points = []
    for vertices, code in path.iter_bezier():
        if code != path.MOVETO:
            points.extend(vertices(np.linspace(0, 1, 100)))
    return np.array(points)


def meet(one, other, slack=0.5):
    return (
        min(one.x1, other.x1) - max(one.x0, other.x0) > slack
        and min(one.y1, other.y1) - max(one.y0, other.y0) > slack
    )


def contains(outer, inner, slack=0.5):
    return (
        outer.x0 - slack <= inner.x0 <= inner.x1 <= outer.x1 + slack
        and outer.y0 - slack <= inner.y0 <= inner.y1 <= outer.y1 + slack
    )


def within(points, box, slack=1.5):
    (x, y) = points.T
    deep = (x > box.x0 + slack) & (x < box.x1 - slack) & (y > box.y0 + slack)
    return bool((deep & (y < box.y1 - slack)).any())


@every_graph
def test_nothing_overlaps(make):
    output = make()
    for figure in (graph(output), graph(output, adjoints=adjoints(output)), full(output)):
        assert faults(figure) == []
        assert figure.get_size_inches()[0] <= 6.2


def test_nothing_overlaps_in_a_network():
    figure = graph(network())
    assert faults(figure) == []
    width, height = figure.get_size_inches()
    assert width <= 6.2 and height < 9
    assert min(text.get_size() for text in figure.axes[0].texts) >= 8


@pytest.mark.parametrize("seed", range(4))
def test_nothing_overlaps_in_any_graph(seed):
    assert faults(full(anything(seed))) == []


def patch(figure, kind, i=0):
    return [p for p in figure.axes[0].patches if isinstance(p, kind)][i]


WRONG = {  # name: (what is done to a good picture, what the judge must say)
    "a number on a number": (
        lambda f: f.axes[0].texts[1].set_position(f.axes[0].texts[3].get_position()),
        "overlap",
    ),
    "a node on a node": (
        lambda f: patch(f, FancyBboxPatch, 1).set_y(patch(f, FancyBboxPatch, 0).get_y() + 0.1),
        "two nodes overlap",
    ),
    "a number on a frame": (
        lambda f: f.axes[0].texts[1].set_y(f.axes[0].texts[1].get_position()[1] + 0.1),
        "crosses the frame",
    ),
    "a node on an edge": (
        lambda f: patch(f, FancyBboxPatch, -1).set_x(patch(f, FancyBboxPatch, -1).get_x() - 0.4),
        "through a node",
    ),
    "a number on an edge": (
        lambda f: f.axes[0].texts[1].set_position(patch(f, PathPatch).get_path().vertices[1]),
        "an edge runs through",
    ),
    "a number beyond the margin": (lambda f: f.axes[0].texts[1].set_x(-1), "leaves the picture"),
}


@pytest.mark.parametrize("spoil, verdict", WRONG.values(), ids=WRONG)
def test_the_judge_sees_what_is_wrong(spoil, verdict):
    figure = graph(two_uses())
    assert faults(figure) == []
    spoil(figure)
    assert any(verdict in fault for fault in faults(figure))


# The layout.


def parents_of(output):
    return {node: node.parents for node in in_order(output)}


@every_graph
def test_columns_grow_along_every_edge(make):
    parents = parents_of(make())
    column = layout.columns(parents)
    for where in (column, layout.late_inputs(parents, column)):
        assert all(where[p] < where[child] for child, uses in parents.items() for p in uses)
    routes = layout.routes(parents, column)
    assert len(routes) == sum(map(len, parents.values()))
    for route in routes.values():
        places = [item.column if isinstance(item, layout.Bend) else column[item] for item in route]
        assert all(right - left == 1 for left, right in pairwise(places))


def test_an_order_without_crossings_is_found():
    parents = {"a": (), "b": (), "c": (), "d": (), "db": ("b",), "ac": ("a", "c"), "dd": ("d",)}
    column = layout.columns(parents)
    layers = layout.ordered(column, layout.routes(parents, column))
    place = {item: i for layer in layers for i, item in enumerate(layer)}
    edges = [(place[p], place[child]) for child, uses in parents.items() for p in uses]
    assert not any((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(edges, 2))
    assert [(0, 1), (1, 0)] != edges  # the graph as given has crossings: a-ac and b-db


def test_heights_keep_their_distance_and_follow_their_neighbours():
    parents = {"a": (), "b": (), "c": (), "sum": ("a", "b", "c"), "alone": ("sum",)}
    column = layout.columns(parents)
    routes = layout.routes(parents, column)
    layers = layout.ordered(column, routes)
    height = layout.heights(layers, routes, dict.fromkeys(parents, (0.4, 0.6)))
    gaps = [height[low] - height[high] for high, low in pairwise(layers[0])]
    assert min(gaps) >= 1 - 1e-9
    middle = sum(height[item] for item in "abc") / 3
    assert height["sum"] == pytest.approx(middle, abs=1e-2)
    assert height["alone"] == pytest.approx(height["sum"], abs=1e-2)


# What is drawn.


def written(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


@every_graph
def test_every_value_and_every_adjoint_is_written_in_its_place(make):
    output = make()
    bar = adjoints(output)
    texts = graph(output, adjoints=bar, names={output: "out"}).axes[0].texts
    for style, numbers in (("normal", [n.value for n in bar]), ("italic", list(bar.values()))):
        expected = sorted(f"{number + 0.0:.4g}".replace("-", "−") for number in numbers)
        colour = {"normal": VALUE, "italic": ADJOINT}[style]
        drawn = [t.get_text() for t in texts if t.get_color() == colour]
        legend = {"normal": "value above", "italic": "adjoint below, italic"}[style]
        assert sorted(drawn) == sorted([*expected, legend])
        assert all(t.get_style() == style for t in texts if t.get_color() == colour)
    for node, number in bar.items():
        if node is output:
            name = next(t for t in texts if t.get_text() == "out")
            column = [t for t in texts if abs(t.get_position()[0] - name.get_position()[0]) < 1e-9]
            above, below = f"{node.value:.4g}".replace("-", "−"), f"{number:.4g}"
            ys = {t.get_text(): t.get_position()[1] for t in column}
            assert ys[above] < ys["out"] < ys[below]  # heights grow downwards


def test_names_and_operations():
    figure = graph(two_uses(), values=False)
    assert written(figure) == ["$a$", "$b$", "$c$", "+", "$d$", "+ 1", "$e$", "×"]
    x, y = inputs("x y", 2.0, 3.0)
    for node, operation in [
        (x - y, "−"), (-x, "−"), (1 / x, "1 /"), (x**2, r"$(\cdot)^{2}$"), (x**y, "^"),
        (2**x, r"2 ^"), (log(x), "log"), (sigmoid(x), "σ"), (x * -0.5, "× −0.5"),
    ]:  # fmt: skip
        assert written(graph(node, values=False))[-1] == operation
    assert written(graph(x * y, names={x: "cost", y: "w12"}, values=False))[:2] == [
        "cost",
        "$w_{12}$",
    ]


NAMES = (  # as given, as typeset
    ("w_1_2", "w_1_2"), ("x^2^3", "x^2^3"), ("x_{1}_{2}", "x_{1}_{2}"), ("a_1^2", "$a_1^2$"),
    ("x_{a_b}", "x_{a_b}"), ("x_", "x_"), ("$", "$"), ("US$", "US$"), (r"$\theta$", r"$\theta$"),
    ("a$b$", "a$b$"), ("100%", "100%"), ("{", "{"), ("\\", "\\"), ("δ_1", "δ_1"), ("é", "é"),
    ("a b", "a b"), ("<&>", "<&>"), ("", "$v_{1}$"),
)  # fmt: skip


@pytest.mark.parametrize("name, typeset", NAMES)
def test_any_name_that_can_be_seen_is_drawn(name, typeset):
    (x,) = [Node(3.0, name=name)]
    figure = graph(x * x, values=False)
    assert written(figure)[0] == typeset
    assert f"Input {name or 'v1'}." in figure.description
    ElementTree.fromstring(svg(figure))
    assert faults(figure) == []


def test_a_player_of_a_node_with_a_formula_or_a_dollar_for_a_name():
    for name in (r"$\theta$", "$", "w_1_2"):
        assert f"Input {name} = 3" in repr(sweeps(Node(3.0, name=name) * 2))


def test_partials_stand_on_the_edges():
    assert [t for t in written(graph(square(), values=False, partials=True)) if t == "3"] == [
        "3"
    ] * 2
    assert "3" not in written(graph(square(), values=False))


def test_exact_numbers_are_written_exactly():
    x = Node(Fraction(1, 3), name="x")
    assert written(graph(x * 2))[1] == "1/3"


def test_an_array_is_shortened_and_a_formula_for_a_name_stays_one():
    x = Node(np.arange(9.0), name="x")
    assert written(graph(x, names={x: r"$\theta$"})) == [r"$\theta$", "[0. ... 8.]"]


def edges(figure):
    return [p for p in figure.axes[0].patches if isinstance(p, PathPatch)]


def test_two_uses_are_two_edges():
    one, other = edges(graph(square()))
    assert (one.get_path().vertices[0] == other.get_path().vertices[0]).all()
    gap = np.abs(one.get_path().vertices - other.get_path().vertices)[:, 1].max()
    assert gap > 0.15


def heavy(figure):
    patches = figure.axes[0].patches
    return tuple(
        sum(p.get_linewidth() > 2 for p in patches if isinstance(p, kind))
        for kind in (FancyBboxPatch, PathPatch)
    )


def test_a_path_is_drawn_heavier():
    e = two_uses()
    a, b = in_order(e)[:2]
    assert heavy(graph(e)) == (0, 0)
    (path,) = paths(e, a)
    assert heavy(graph(e, highlight=path.nodes)) == (3, 2)
    assert heavy(graph(e, highlight=[b])) == (1, 0)
    x = square()
    assert heavy(graph(x, highlight=[(x, 0)])) == (0, 1)
    assert heavy(graph(x, highlight=[*x.parents[:1], x])) == (2, 2)


def test_each_edge_has_its_own_partial():
    a, b = inputs("a b", 5.0, 7.0)
    shown = [text.get_text() for text in graph(a * b, partials=True).axes[0].texts]
    assert (shown.count("5"), shown.count("7"), shown.count("35")) == (2, 2, 1)


def test_arguments_that_do_not_commute_arrive_in_their_order():
    a, b = inputs("a b", 5.0, 7.0)
    one, other = a - b, b - a
    edges = animation.Plan(one * other, None, True, None, None, False, 4).edges
    first, second = ([edges[child, use][-1][1] for child in (one, other)] for use in (0, 1))
    assert first[0] != second[0] and first[1] != second[1]
    assert (first[0] > second[0]) == (first[1] > second[1])


def test_a_wide_graph_is_continued_below():
    figure = graph(network())
    dashed = [p for p in figure.axes[0].patches if p.get_linestyle() == "--"]
    boxes = [p for p in figure.axes[0].patches if isinstance(p, FancyBboxPatch)]
    assert dashed and len(boxes) - len(dashed) == len(in_order(network())) == 48
    uses = sum(len(node.parents) for node in in_order(network()))
    assert len(edges(figure)) == uses


@every_graph
def test_same_graph_same_bytes(make):
    text = svg(full(make()))
    assert svg(full(make())) == text
    assert set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", text)) <= set(DARK)


def test_same_bytes_in_another_process():
    code = (
        "import tests.test_draw_graphs as t; from companion import draw; draw.use_book_style(); "
        "print(t.svg(t.full(t.sigmoid_neuron())), t.sweeps(t.square()).html)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == f"{svg(full(sigmoid_neuron()))} {sweeps(square()).html}\n"


# In words.


def test_the_description_says_every_number():
    e = two_uses()
    said = describe(e, adjoints=adjoints(e))
    assert said == (
        "Computational graph of 5 nodes. Inputs a = 2 (adjoint 2) and b = 1 (adjoint 5). "
        "c = a + b = 3 (adjoint 2). d = b + 1 = 2 (adjoint 3). Output e = c * d = 6 (adjoint 1)."
    )
    dot = tangents(e, {in_order(e)[1]: 1})
    assert "Output e = c * d = 6 (tangent 5)." in describe(e, tangents=dot)


def test_the_description_says_what_is_on_the_edges_and_what_is_heavier():
    e = two_uses()
    a, b, c, d, _ = in_order(e)
    said = describe(e, partials=True, highlight=(b, c, e))
    assert "Inputs a = 2 and b = 1. c = a + b = 3 (local partials 1, 1). d = b + 1 = 2 (" in said
    assert "Output e = c * d = 6 (local partials 2, 3). Drawn heavier: b, c, e." in said
    assert "heavier: b to c, d to e." in describe(e, highlight=[(c, 1), (e, 1)])
    assert "heavier: b, d, e" in graph(e, highlight=iter((b, d, e))).description


def test_a_node_made_by_hand_is_a_function_of_its_parents():
    (x,) = inputs("x", 3.0)
    y = Node(0.0, (x, x), (5.0, 7.0), name="y")
    said = graph(y, values=False, partials=True).description
    assert said.endswith("Input x. Output y = f(x, x) (local partials 5, 7).")


def test_a_large_graph_is_summed_up():
    said = describe(network())
    assert said.startswith("Computational graph of 48 nodes. 19 inputs, 10 columns of nodes")
    assert "Outputs v25 = sigmoid(v24) = " in said and len(said) < 250


def test_the_description_counts_as_people_do():
    x, y = inputs("x y", 1.0, 2.0)
    assert describe(x) == "Computational graph of 1 node. Input x = 1."
    assert describe([x, y]) == "Computational graph of 2 nodes. Inputs x = 1 and y = 2."
    chain = x
    for _ in range(14):
        chain = chain + 1
    assert "of 15 nodes. 1 input, 15 columns of nodes from" in describe(chain)
    many = [Node(1.0) for _ in range(13)]
    assert "of 13 nodes. 13 inputs, 1 column of nodes from" in describe(many)


def test_outputs_may_come_one_by_one():
    x = Node(3.0, name="x")
    outputs = [x * x, x + 1]
    said = "Computational graph of 3 nodes. Input x = 3. Outputs v1 = x * x = 9 and v2 = x + 1 = 4."
    assert graph(node for node in outputs).description == said
    assert describe(node for node in outputs) == said


def test_the_figure_says_it_too():
    (x,) = inputs("x<1>", 3.0)
    figure = graph(x * x)
    assert figure.description == describe(x * x)
    root = ElementTree.fromstring(svg(figure))
    assert root[0].tag.endswith("desc") and root[0].text == figure.description


# The animation.


def frames(animation):
    """The SVG of every frame, put together as the page does it."""
    lines = json.loads(re.search(r"var lines = (\[.*\]);\n", animation.html)[1])
    numbers = json.loads(re.search(r"\n(\[\[.*\]\])\.forEach", animation.html)[1])
    return ["\n".join(lines[k] for k in frame) for frame in numbers]


@pytest.mark.parametrize("make", [two_uses, square])
def test_a_step_for_the_inputs_for_every_value_and_for_every_adjoint(make):
    output = make()
    order = in_order(output)
    shown = frames(sweeps(output))
    assert len(shown) == 1 + sum(1 for node in order if node.parents) + len(order)
    assert len(set(shown)) == len(shown)
    sizes = {ElementTree.fromstring(text).get("viewBox") for text in shown}
    assert len(sizes) == 1
    for text in shown:
        assert set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", text)) <= set(DARK)


def test_the_arithmetic_of_a_caption_is_right():
    output = two_uses()
    bar = adjoints(output)
    plan = animation.Plan(output, None, True, None, bar, False, 4)
    checked = 0
    for *_, caption in animation._forward(plan) + animation._reverse(plan, bar):
        parts = [part for part in caption.split(" = ") if not re.search("[A-Za-z$]", part)]
        if len(parts) == 2:
            sum_, result = (part.replace("·", "*").replace("−", "-") for part in parts)
            assert eval(sum_) == pytest.approx(float(result))
            checked += 1
    assert checked == 3 + 4  # three values; all adjoints but the first


def test_a_number_is_shown_when_its_step_comes(monkeypatch):
    shown = []
    monkeypatch.setattr(animation.Plan, "draw", lambda *args: shown.append(args[3]))
    output = square()
    sweeps(output)
    (x,) = output.parents[:1]
    steps = [(VALUE, x), (VALUE, output), (ADJOINT, output), (ADJOINT, x)]
    assert [seen for i, seen in enumerate(shown) if seen not in shown[:i]] == [
        set(steps[:n]) for n in (1, 2, 3, 4)
    ]


def test_the_player_is_reproducible_and_asks_no_other_host():
    html = sweeps(two_uses()).html
    assert html == sweeps(two_uses()).html
    assert not re.search(r"(href|src)=.https?:", html)
    assert '<form action="#n" name=' in html  # labelled, two would clash
    assert "{id}" not in html and "fa-" not in html
    ids = re.findall(r'\bid="(_anim\w+)"', html)
    assert len(ids) == len(set(ids)) == 5
    other = re.findall(r'\bid="(_anim\w+)"', sweeps(square()).html)
    assert not set(ids) & set(other)  # two players on one page


def test_the_player_of_ten_nodes_is_small():
    assert len(in_order(neuron_with_cost())) == 10
    assert len(sweeps(neuron_with_cost()).html) < 250_000


def test_the_player_says_what_it_shows():
    animation = sweeps(two_uses())
    assert animation._repr_html_() == animation.html
    assert repr(animation).startswith("Animation of 9 steps: the values from left to right")
    assert f'<img alt="{animation!r}" id=' in animation.html
    assert 'type="range" aria-label="Step"' in animation.html


def test_a_player_shows_the_figures_it_was_given():
    figures = contraction_frames([2.0, 3.0], np.einsum("ij,k->ijk", np.eye(2), [5.0, 7.0]))
    animation = player(figures)
    assert animation.html == player(figures).html
    shown = frames(animation)
    assert len(shown) == len(set(shown)) == 4
    assert len({ElementTree.fromstring(text).get("viewBox") for text in shown}) == 1
    for figure in figures:
        assert figure.description in animation.description
    assert "4. Contraction of delta" in repr(animation)


@pytest.mark.parametrize("figures", [[], [Figure(figsize=(2, 2)), Figure(figsize=(2, 3))]])
def test_a_player_wants_figures_of_one_size(figures):
    with pytest.raises(ValueError, match="give one figure or more, all of one size"):
        player(figures)


def test_an_evaluation_is_the_first_half_and_shows_no_adjoint():
    e = two_uses()
    shown = evaluation(e)
    assert len(frames(shown)) == 4
    assert repr(shown) == f"Animation of 4 steps: the values from left to right. {describe(e)}"
    for sign in (f"stroke: {ADJOINT};", "adjoint"):
        assert sign in sweeps(e).html and sign not in shown.html


def test_captions_do_the_arithmetic(monkeypatch):
    from companion.draw.graphs import Plan

    captions, draw = [], Plan.draw
    monkeypatch.setattr(
        Plan, "draw", lambda self, *args: (captions.append(args[-1]), draw(self, *args))[1]
    )
    e = two_uses()
    sweeps(e)
    assert captions[-9:][:4] == [
        "Given: the inputs",
        "Forward: $c$ = $a$ + $b$ = 2 + 1 = 3",
        "Forward: $d$ = $b$ + 1 = 1 + 1 = 2",
        "Forward: $e$ = $c$ · $d$ = 3 · 2 = 6",
    ]
    assert captions[-5] == r"Reverse: $\bar{e}$ = 1"
    assert captions[-2].endswith(" = 3 · 1 + 2 · 1 = 5")


# Bad input.

X, Y = inputs("x y", 3.0, 4.0)
BAD = {
    "no node": (lambda: graph(3.0), TypeError, "not iterable|graph is made of Nodes"),
    "nothing": (lambda: graph([]), ValueError, "there is no output"),
    "adjoints": (lambda: graph(X, adjoints=[1.0]), TypeError, r"adjoints must be a dict.*list"),
    "tangents": (lambda: graph(X, tangents={Y: 1}), ValueError, r"tangents names Node\(4.0, name"),
    "names": (lambda: describe(X, names={Y: "z"}), ValueError, "not in the graph"),
    "highlight": (lambda: graph(X, highlight=[Y]), ValueError, "highlight names Node"),
    "a name with two indices in a formula": (
        lambda: graph(X, names={X: "$x_1_2$"}),
        ValueError,
        "cannot draw the name .*Double subscript",
    ),
    "a name that is no formula": (
        lambda: graph(X, names={X: r"$\bad{$"}),
        ValueError,
        "cannot draw the name",
    ),
    "a name of letters that are not there": (
        lambda: graph(X, names={X: "日本"}),
        ValueError,
        "the font has no '日', in the name '日本'",
    ),
    "a long name": (lambda: graph(Node(1.0, name="x" * 99)), ValueError, "inches wide, more than"),
    "a blank name": (lambda: graph(Node(1.0, name=" ")), ValueError, "' ' is no name"),
    "a name of two lines": (lambda: graph(X, names={X: "a\nb"}), ValueError, "is no name"),
    "nothing to describe": (lambda: describe([]), ValueError, "there is no output"),
    "use": (lambda: graph(X * X, highlight=[(X, 0)]), ValueError, r"pairs \(child, k\)"),
}


@pytest.mark.parametrize("call, error, says", BAD.values(), ids=BAD)
def test_bad_input_is_quoted(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_no_two_nodes_of_a_picture_have_one_name():
    x = Node(2.0, name="v1")
    assert (
        describe(x * x) == "Computational graph of 2 nodes. Input v1 = 2. Output v2 = v1 * v1 = 4."
    )
