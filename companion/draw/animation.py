"""Steps in a player that needs nothing but the page: an evaluation, both sweeps, any figures.

The player is Matplotlib's. Its frames are SVG and follow light and dark as every figure does. They
have most lines in common: the page holds each line once, and for each frame the numbers of its
lines. Identifiers are made from what the frames print, so that the same graph gives the same bytes.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from html import escape

import matplotlib
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from companion.draw.graphs import LETTERS, Plan, describe, math_name, text_width
from companion.draw.style import ADJOINT, VALUE, tidy
from companion.graph import Node
from companion.sweep import adjoints

ICONS = {  # in place of a font of icons from another host
    "minus": "−",
    "fast-backward": "|‹",
    "step-backward": "‹",
    "play fa-flip-horizontal": "◂",
    "pause": "‖",
    "play": "▸",
    "step-forward": "›",
    "fast-forward": "›|",
    "plus": "+",
}
TERMS = 3  # of a sum that a caption writes out
HASHED = re.compile(r"\b(?:[a-z]+|C\w+_)[0-9a-f]{10}\b")  # a name in Matplotlib's SVG


class Animation:
    """An animation as a notebook shows it, its `html`, and its `description` in words."""

    def __init__(self, html: str, description: str):
        self.html = html
        self.description = description

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.description


def player(figures: Iterable[Figure]) -> Animation:
    """The figures one by one, as steps of one size; its description is made of theirs.

    Raises ValueError if there is no figure, or if their sizes differ.

    >>> from companion.draw.tensors import contraction_frames
    >>> player(contraction_frames([2.0], [[[3.0, 5.0]]])).description.split(":")[0]
    'Animation of 2 steps'
    """
    figures = list(figures)
    sizes = {tuple(map(float, figure.get_size_inches())) for figure in figures}
    if len(sizes) != 1:
        raise ValueError(
            f"{len(figures)} figures of the sizes {sorted(sizes)}, in inches: "
            "give one figure or more, all of one size"
        )
    shown = Figure(figsize=sizes.pop())

    def draw(i):
        shown.savefig = figures[i].savefig

    words = [getattr(figure, "description", "") for figure in figures]
    steps = " ".join(f"{i}. {text}" for i, text in enumerate(words, 1) if text)
    return _played(shown, draw, len(figures), steps)


def evaluation(
    output: Node, *, names: Mapping[Node, str] | None = None, digits: int = 4
) -> Animation:
    """The values of the graph of `output` one by one, parents first, each with its arithmetic.

    The arguments are those of `graph`. The first step shows the inputs; each of the others adds one
    value, and marks the node and the edges it comes from.
    """
    plan = Plan(output, names, True, None, None, False, digits)
    steps = _forward(plan)
    said = describe(output, names=names, digits=digits)
    return _animation(plan, steps, f"the values from left to right. {said}")


def sweeps(
    output: Node,
    *,
    names: Mapping[Node, str] | None = None,
    partials: bool = False,
    digits: int = 4,
) -> Animation:
    """The steps of `evaluation`, then the adjoints one by one, each with its arithmetic.

    The arguments are those of `graph`.
    """
    bar = adjoints(output)
    plan = Plan(output, names, True, None, bar, partials, digits)
    steps = _forward(plan) + _reverse(plan, bar)
    said = describe(output, names=names, adjoints=bar, digits=digits)
    way = "the values from left to right, then the adjoints from right to left"
    return _animation(plan, steps, f"{way}. {said}")


def _animation(plan, steps, words):
    captions = [caption for *_, caption in steps]
    width = max([plan.width, *(text_width(caption, LETTERS - 1) + 0.1 for caption in captions)])
    figure = Figure(figsize=(width, plan.height + 0.34))

    def draw(i):
        role, _, highlight, caption = steps[i]
        shown = {(role, node) for role, nodes, *_ in steps[: i + 1] for node in nodes}
        figure.clear()
        plan.draw(figure, highlight, shown, role, caption)

    return _played(figure, draw, len(steps), words)


def _played(figure, draw, count, words):
    """The player of `count` frames; draw(i) makes `figure` show frame i."""
    with matplotlib.rc_context({"animation.frame_format": "svg"}):
        movie = FuncAnimation(
            figure, draw, frames=count, init_func=lambda: None, cache_frame_data=False
        )
        page = movie.to_jshtml(fps=1, default_mode="once")
    description = f"Animation of {count} steps: {words}"
    return Animation(_compact(page, description), description)


def _forward(plan):
    """A step is a role, the nodes that get their number, what is highlighted, and a caption."""
    inputs = [node for node in plan.order if not node.parents]
    steps = [(VALUE, inputs, inputs, "Given: the inputs")]
    for node in plan.order:
        if node.parents:
            words = [math_name(plan.called[x]) if isinstance(x, Node) else plan.text(x)
                     for x in node.args]  # fmt: skip
            numbers = [
                _factor(plan.numbers[VALUE][x] if isinstance(x, Node) else plan.text(x))
                for x in node.args
            ]
            op = node.op.replace("-", "−").replace(" * ", " · ").replace("**", "^")
            parts = [op.format(*words), op.format(*numbers), plan.numbers[VALUE][node]]
            caption = " = ".join([math_name(plan.called[node]), *parts])
            uses = [(node, use) for use in range(len(node.parents))]
            steps.append((VALUE, [node], [*uses, node], f"Forward: {caption}"))
    return steps


def _reverse(plan, bar):
    steps = []
    for node in reversed(plan.order):
        uses = [
            (child, use)
            for child in reversed(plan.order)
            for use, parent in enumerate(child.parents)
            if parent is node
        ]
        symbols = [f"{_bar(plan, child)} · {_partial(plan, child, node)}" for child, _ in uses]
        numbers = [
            f"{_factor(plan.text(bar[child]))} · {_factor(plan.text(child.partials[use]))}"
            for child, use in uses
        ]
        parts = [_bar(plan, node), _sum(symbols), _sum(numbers), plan.numbers[ADJOINT][node]]
        caption = " = ".join(part for part in parts if part)
        steps.append((ADJOINT, [node], [*uses, node], f"Reverse: {caption}"))
    return steps


def _sum(terms):
    return " + ".join(terms if len(terms) <= TERMS else [*terms[: TERMS - 1], "…"])


def _factor(text):
    return f"({text})" if text.startswith("−") else text


def _bar(plan, node):
    name = math_name(plan.called[node])
    simple = re.match(r"\$[A-Za-z]", name)
    return rf"$\bar{{{name[1]}}}{name[2:]}" if simple else f"adjoint of {name}"


def _partial(plan, child, node):
    return "/".join(f"∂{math_name(plan.called[x])}" for x in (child, node))


def _compact(player, description):
    """Matplotlib's player without links, with fixed identifiers and names, and small frames."""
    coded = re.findall(r'  frames\[\d+\] = "data:image/svg\+xml;base64,([^"]*)"\n', player)
    frames = [base64.b64decode(text.replace("\\\n", "")).decode() for text in coded]
    frames = [re.sub(r"\s*<!--.*?-->", "", tidy(text), flags=re.S) for text in frames]
    frames = [text.replace("fill: #ffffff", "fill: none") for text in frames]  # the paper
    names = {}  # Matplotlib's are hashes of numbers with all their digits, of which we print two
    frames = [
        HASHED.sub(lambda name: f"n{names.setdefault(name[0], len(names))}", text)
        for text in frames
    ]
    frames = [[line.strip() for line in text.splitlines()] for text in frames]
    place = {line: i for i, line in enumerate(dict.fromkeys(sum(frames, [])))}
    numbers = [[place[line] for line in frame] for frame in frames]
    code = (
        f"var lines = {json.dumps(list(place), ensure_ascii=False)};\n"
        f"{json.dumps(numbers, separators=(',', ':'))}.forEach(function(frame, i) {{\n"
        "  var text = frame.map(function(k) { return lines[k]; }).join('\\n');\n"
        "  frames[i] = 'data:image/svg+xml,' + encodeURIComponent(text);\n});\n"
    )
    start, end = player.index("  frames[0] = "), player.index("/* set a timeout")
    player = player[:start] + code + player[end:]
    old = re.search(r'id="_anim_img([0-9a-f]{32})"', player)[1]
    player = player.replace(old, f"{zlib.crc32(code.encode()):08x}")
    player = re.sub(r'<link rel="stylesheet"[^>]*>', "", player)
    player = re.sub(r'<i class="fa fa-([^"]*)"></i>', lambda icon: ICONS[icon[1]], player)
    # A form without a name is no landmark, and two players make no two landmarks of one name.
    player = re.sub(r'<form title="[^"]*" aria-label="[^"]*"', "<form", player)
    player = player.replace("<img ", f'<img alt="{escape(description)}" ', 1)
    return player.replace('type="range"', 'type="range" aria-label="Step"', 1)
