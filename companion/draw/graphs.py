"""Pictures of computational graphs: inputs on the left, outputs on the right.

    in the picture          code               told apart by
    value                   node.value         above its node, upright
    tangent                 tangents[node]     above the value, bold
    adjoint                 adjoints[node]     below its node, italic
    local partial           node.partials      on its edge

A node shows its name and its operation. Every use of a node is an edge of its own. A graph too wide
for the page is continued below; a node that is used there again stands there in a dashed frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from companion.draw import layout
from companion.draw.style import ADJOINT, GRID, INK, TANGENT, VALUE
from companion.graph import Node, in_order, names_of, short

# Lengths are inches, sizes of letters points.
WIDTH = 6.14  # of the widest picture; with its margins it fills a page
MARGIN = 0.03  # left and right, for half the width of a frame
CHANNEL = 0.25, 0.65  # between two columns, where edges turn: at least, at most
LINE = 0.145  # from one line of numbers to the next
PORT = 0.21  # between two edges that reach a node
FLAT = 1e-9  # edges whose ends differ by less are drawn level: rounding is no slope
ARROW = 0.13  # from the edge of a column to its boxes: room for the head of an arrow
LETTERS, NUMBERS = 10.5, 8.5
FONTS = {VALUE: {}, TANGENT: {"weight": "bold"}, ADJOINT: {"style": "italic"}, INK: {}}
SIGNS = {"**": "^", "*": "×", "sigmoid": "σ", "maximum": "max", "minimum": "min"}
MANY = 12  # nodes; a description names no more of them


class Again(NamedTuple):
    """A node that was drawn in a part above, where the graph is continued."""

    node: Node


def graph(
    output: Node | Iterable[Node],
    *,
    names: Mapping[Node, str] | None = None,
    values: bool = True,
    tangents: Mapping[Node, object] | None = None,
    adjoints: Mapping[Node, object] | None = None,
    partials: bool = False,
    highlight: Iterable = (),
    digits: int = 4,
) -> Figure:
    """The computational graph of `output`, one Node or several.

    names      node -> what to call it; else its own name, or v1, v2, .. as in a trace table
    values     whether to write every value
    tangents   node -> number, as `sweep.tangents` returns them
    adjoints   node -> number, as `sweep.adjoints` returns them
    partials   whether to write the local partials on the edges
    highlight  Nodes to draw heavier, and the edges between each two that follow one another: the
               nodes of a path. A pair (child, k) is the edge of its use number k alone.
    digits     significant digits of floats

    The figure describes itself in words, see `describe`: its `description` is the alt text.

    Raises TypeError for what is no Node, ValueError for a Node that is not in the graph.

    >>> x = Node(3.0, name="x")
    >>> graph(x * x).description
    'Computational graph of 2 nodes. Input x = 3. Output v1 = x * x = 9.'
    """
    output = output if isinstance(output, Node) else list(output)
    plan = Plan(output, names, values, tangents, adjoints, partials, digits)
    figure = Figure(figsize=(plan.width, plan.height))
    highlight = list(highlight)
    plan.draw(figure, highlight)
    figure.description = describe(
        output,
        names=names,
        values=values,
        tangents=tangents,
        adjoints=adjoints,
        partials=partials,
        highlight=highlight,
        digits=digits,
    )
    return figure


def describe(
    output: Node | Iterable[Node],
    *,
    names: Mapping[Node, str] | None = None,
    values: bool = True,
    tangents: Mapping[Node, object] | None = None,
    adjoints: Mapping[Node, object] | None = None,
    partials: bool = False,
    highlight: Iterable = (),
    digits: int = 4,
) -> str:
    """The graph in words, for those who do not see it. A large one is summed up.

    The arguments are those of `graph`. A node that was made by hand is called f of its parents.

    >>> a, b = Node(2.0, name="a"), Node(1.0, name="b")
    >>> print(describe((a + b).named("c") * (b + 1).named("d"), names={}))
    Computational graph of 5 nodes. Inputs a = 2 and b = 1. c = a + b = 3. d = b + 1 = 2. \
Output v1 = c * d = 6.
    """
    ends = [output] if isinstance(output, Node) else list(output)
    order, called = _named(ends, names)

    def said(node):
        operands = [
            called[x] if isinstance(x, Node) else short(x, digits, ends=1) for x in node.args
        ]
        formula = node.op.format(*operands)
        if node.parents and not node.op:
            formula = f"f({', '.join(called[parent] for parent in node.parents)})"
        parts = [called[node], formula, short(node.value, digits, ends=1) if values else ""]
        extras = {"tangent": (tangents or {}).get(node), "adjoint": (adjoints or {}).get(node)}
        more = [f"{word} {short(x, digits, ends=1)}" for word, x in extras.items() if x is not None]
        if partials and node.parents:
            slopes = ", ".join(short(x, digits, ends=1) for x in node.partials)
            more.append(f"local partial{'s' * (len(node.partials) > 1)} {slopes}")
        return " = ".join(filter(None, parts)) + (f" ({', '.join(more)})" if more else "")

    inputs = [node for node in order if not node.parents]
    asked, computed = set(ends), [node for node in order if node.parents]
    inner = [node for node in computed if node not in asked]
    results = [node for node in computed if node in asked]
    sentences = [f"Computational graph of {_counted(len(order), 'node')}"]
    if len(order) <= MANY:
        sentences += _listed("Input", [said(node) for node in inputs])
        sentences += [said(node) for node in inner]
    else:
        columns = 1 + max(layout.columns({node: node.parents for node in order}).values())
        of_nodes = f"{_counted(columns, 'column')} of nodes from left to right"
        sentences += [f"{_counted(len(inputs), 'input')}, {of_nodes}"]
    sentences += _listed("Output", [said(node) for node in results])
    heavier = [
        called[item]
        if isinstance(item, Node)
        else f"{called[item[0].parents[item[1]]]} to {called[item[0]]}"
        for item in highlight
    ]
    if heavier and len(order) <= MANY:
        sentences.append(f"Drawn heavier: {', '.join(heavier)}")
    return ". ".join(sentences) + "."


def _counted(number, word):
    return f"{number} {word}{'s' * (number != 1)}"


def _listed(word, items):
    *most, last = items or [""]
    if most:
        return [f"{word}s {', '.join(most)} and {last}"]
    return [f"{word} {last}"] if last else []


class Plan:
    """What is to be drawn, and where: the same for every step of an animation."""

    def __init__(self, output, names, values, tangents, adjoints, partials, digits):
        self.order, self.called = _named(output, names)
        self.digits = digits
        held = {node: node.value for node in self.order} if values else None
        tables = {"values": held, "tangents": tangents, "adjoints": adjoints}
        self.numbers = {
            role: {node: self.text(x) for node, x in _known(title, table, self.order).items()}
            for role, (title, table) in zip((VALUE, TANGENT, ADJOINT), tables.items())
            if table is not None
        }
        self.partials = {
            (node, use): self.text(x)
            for node in self.order
            for use, x in enumerate(node.partials)
            if partials
        }
        self.at, self.edges = {}, {}
        self.width = self.height = 0.0
        for parents, column in self.parts():
            self.place(parents, column)
        self.legend_width = sum(width for _, _, width in self.legend())
        self.shift = max(self.legend_width - self.width, 0) / 2
        self.width = max(self.width, self.legend_width)
        self.height += 0.28 if self.legend_width else 0.0

    # What is written, and the room it takes.

    def text(self, x) -> str:
        return short(x, self.digits, ends=1).replace("-", "−")

    def operation(self, node) -> str:
        """What is done at a node, such as +, exp or + 1: the formula without its Nodes."""
        args = ["·" if isinstance(x, Node) else self.text(x) for x in node.args]
        text = node.op.replace("-", "−").format(*args)
        text = re.sub(r"\(·(, ·)*\)", "", text)
        text = re.sub(r"\*\*|\*|sigmoid|maximum|minimum", lambda sign: SIGNS[sign[0]], text)
        if power := re.fullmatch(r"· \^ (\S+)", text):
            return "^" if power[1] == "·" else rf"$(\cdot)^{{{power[1]}}}$"
        return text if "(" in text else text.replace("·", "").strip()

    def label(self, item) -> list[str]:
        """The lines inside a box: a name, and the operation of what was computed."""
        if isinstance(item, Again):
            return [math_name(self.called[item.node])]
        return [math_name(self.called[item]), *([self.operation(item)] if item.parents else [])]

    def box(self, item) -> tuple[float, float]:
        lines = self.label(item)
        ports = (self.ports(item) - 1) * PORT + 0.2
        width = max(text_width(line, LETTERS) for line in lines)
        return max(0.34, width + 0.14), max(0.28 if len(lines) == 1 else 0.42, ports)

    def ports(self, item) -> int:
        return 0 if isinstance(item, Again) else len(item.parents)

    def roles(self, item) -> list[str]:
        return [role for role, table in self.numbers.items() if item in table]

    def reach(self, item) -> tuple[float, float]:
        if isinstance(item, layout.Bend):
            return 0.1, 0.1
        half, below = self.box(item)[1] / 2 + 0.09, ADJOINT in self.roles(item)
        return half + LINE * (len(self.roles(item)) - below), half + LINE * below

    def sides(self, item) -> tuple[float, float]:
        """How far a node with its numbers and the ends of its edges reaches to left and right."""
        half = self.box(item)[0] / 2
        numbers = [
            text_width(self.numbers[role][item], NUMBERS, role) / 2 for role in self.roles(item)
        ]
        return max([half + self.lead(item), *numbers]), max([half, *numbers])

    def lead(self, item) -> float:
        """The length of the level end of the edges into a node, which holds their partials."""
        if not self.ports(item):
            return 0.0
        texts = [self.partials.get((item, use), "") for use in range(self.ports(item))]
        widest = max(text_width(text, NUMBERS) for text in texts)
        return ARROW + (widest + 0.24 if widest else 0)

    def legend(self) -> list[tuple[str, str, float]]:
        """(words, role, width) for each kind of number in the picture, if there are several."""
        words = {VALUE: "value above", TANGENT: "tangent on top, bold"}
        words[ADJOINT] = "adjoint below, italic"
        entries = [(words[role], role) for role in self.numbers]
        entries += [("partial on its edge", INK)] if self.partials else []
        if len(entries) < 2:
            return []
        return [(text, role, text_width(text, NUMBERS, role) + 0.25) for text, role in entries]

    # Where it stands.

    def parts(self) -> list[tuple[dict, dict]]:
        """(parents, columns) of the whole graph or, where that is too wide, of parts of it."""
        parents = {node: node.parents for node in self.order}
        column = layout.columns(parents)
        if self.fits(parents, column):
            return [(parents, column)]
        late = layout.late_inputs(parents, column)
        stage = {node: late[node] + (not node.parents) for node in self.order}
        found, start, end = [], min(stage.values()), max(stage.values()) + 1
        while start < end:
            stop = start + 1
            while stop < end and self.fits(*self.part(stage, start, stop + 1)):
                stop += 1
            if stop < end:  # cut where little is used again, and into parts of like size
                pieces = -(-(end - start) // (stop - start))
                ideal = start + (end - start) / pieces
                stops = range((start + stop + 1) // 2, stop + 1)
                stop = min(stops, key=lambda k: (self.used_again(stage, k), abs(k - ideal)))
            found.append(self.part(stage, start, stop))
            start = stop
        return found

    def part(self, stage, start, stop) -> tuple[dict, dict]:
        again, parents = {}, {}
        for node in (node for node in self.order if start <= stage[node] < stop):
            parents[node] = tuple(
                parent if stage[parent] >= start else again.setdefault(parent, Again(parent))
                for parent in node.parents
            )
        parents = dict.fromkeys(again.values(), ()) | parents
        return parents, layout.late_inputs(parents, layout.columns(parents))

    def used_again(self, stage, stop) -> int:
        """How many nodes of stages before `stop` are used from there on."""
        later = (node for node in self.order if stage[node] >= stop)
        return len({p for node in later for p in node.parents if stage[p] < stop})

    def across(self, parents, column) -> list[tuple[float, float]]:
        """For each column, how far it reaches to the left and to the right of its nodes."""
        layers = [[(0.0, 0.0)] for _ in range(max(column.values()) + 1)]
        for item in parents:
            layers[column[item]].append(self.sides(item))
        return [tuple(map(max, zip(*layer))) for layer in layers]

    def fits(self, parents, column) -> bool:
        sides = self.across(parents, column)
        return sum(map(sum, sides)) + CHANNEL[0] * (len(sides) - 1) <= WIDTH

    def place(self, parents, column) -> None:
        """Place a part of the graph below what has been placed."""
        sides = self.across(parents, column)
        spare = (WIDTH - sum(map(sum, sides))) / max(len(sides) - 1, 1)
        channel = min(max(spare, CHANNEL[0]), CHANNEL[1])
        lefts = [MARGIN + sum(map(sum, sides[:k])) + channel * k for k in range(len(sides))]
        rights = [left + sum(side) for left, side in zip(lefts, sides)]
        routes = layout.routes(parents, column)
        layers = layout.ordered(column, routes)
        reach = {item: self.reach(item) for layer in layers for item in layer}
        height = layout.heights(layers, routes, reach)
        top = min(height[item] - reach[item][0] for item in height)
        down = self.height + (0.2 if self.height else 0.0) - top
        for item in parents:
            k = column[item]
            self.at[item] = (rights[k] - sides[k][1], height[item] + down)
        self.height = down + max(height[item] + reach[item][1] for item in height)
        self.width = max(self.width, rights[-1] + MARGIN)
        for child in parents:
            uses = [(child, use) for use in range(self.ports(child))]
            if uses and child.op in ("{} + {}", "{} * {}"):
                uses.sort(key=lambda use: height[routes[use][-2]])  # no crossing at the ports
            for i, use in enumerate(uses):
                route = routes[use]
                port = height[child] + PORT * (i - (len(uses) - 1) / 2)
                levels = [down + height[item] for item in route[:-1]] + [down + port]
                start = self.at[route[0]][0] + self.box(route[0])[0] / 2
                tip = self.at[child][0] - self.box(child)[0] / 2
                k = column[route[0]]
                ends = [start, *lefts[k + 1 : column[child] + 1]]
                levels = zip(ends, [*rights[k : column[child]], tip], levels)
                self.edges[use] = [(x, y) for left, right, y in levels for x in (left, right)]

    # The picture.

    def draw(self, figure, highlight=(), shown=None, colour=INK, caption="") -> None:
        """Draw on an empty figure of this size.

        shown     the (role, node) pairs whose numbers are written; None for all
        colour    of what is highlighted
        caption   a line below the graph
        """
        axes = figure.add_axes((0, 0, 1, 1))
        bottom = figure.get_size_inches()[1]
        axes.set(xlim=(-self.shift, self.width - self.shift), ylim=(bottom, 0))
        axes.set_axis_off()
        nodes, uses = self.highlighted(highlight)
        for use in self.edges:
            self.draw_edge(axes, use, *((2.4, colour) if use in uses else (0.9, INK)))
        for item in self.at:
            self.draw_node(axes, item, *((2.4, colour) if item in nodes else (1.1, INK)))
            for role in self.roles(item):
                if shown is None or (role, item) in shown:
                    self.draw_number(axes, item, role)
        x = margin = MARGIN - self.shift
        for text, role, width in self.legend():
            _write(axes, x, self.height - 0.06, text, NUMBERS, role, ha="left")
            x += width
        _write(axes, margin, bottom - 0.08, caption, LETTERS - 1, INK, ha="left")

    def highlighted(self, highlight) -> tuple[set, set]:
        """The nodes and the uses among `highlight`, with the edges between neighbours."""
        items = list(highlight)
        nodes = [item for item in items if isinstance(item, Node)]
        _known("highlight", dict.fromkeys(nodes), self.order)
        uses = {item for item in items if not isinstance(item, Node)}
        if unknown := [use for use in uses if use not in self.edges]:
            raise ValueError(
                f"highlight holds {unknown[0]!r:.80}: give Nodes of the graph, or pairs "
                "(child, k) for its use number k of a parent"
            )
        steps = set(zip(items, items[1:]))
        uses |= {(c, k) for c, k in self.edges if (c.parents[k], c) in steps}
        return set(nodes), uses

    def draw_edge(self, axes, use, weight, colour):
        *points, (tip, y) = self.edges[use]
        vertices, codes = [points[0]], [Path.MOVETO]
        for (x0, y0), (x1, y1) in zip(points, points[1:]):
            if abs(y1 - y0) < FLAT:
                vertices, codes = [*vertices, (x1, y1)], [*codes, Path.LINETO]
            else:
                middle = (x0 + x1) / 2
                vertices += [(middle, y0), (middle, y1), (x1, y1)]
                codes += [Path.CURVE4] * 3
        if use in self.partials:
            text, middle = self.partials[use], tip - (ARROW + self.lead(use[0])) / 2
            half = text_width(text, NUMBERS) / 2 + 0.04
            vertices += [(middle - half, y), (middle + half, y)]
            codes += [Path.LINETO, Path.MOVETO]
            _write(axes, middle, y + 0.04, text, NUMBERS, INK)
        vertices, codes = [*vertices, (tip - 0.06, y)], [*codes, Path.LINETO]
        style = {"ec": colour, "lw": weight, "capstyle": "butt", "joinstyle": "round"}
        axes.add_patch(PathPatch(Path(vertices, codes), fc="none", **style))
        w = 0.032 + 0.006 * weight
        head = [(tip - 0.01, y), (tip - 0.09 - w / 2, y - w), (tip - 0.09 - w / 2, y + w)]
        axes.add_patch(Polygon(head, fc=colour, ec="none"))

    def draw_node(self, axes, item, weight, colour):
        x, y = self.at[item]
        width, height = self.box(item)
        computed = self.ports(item) > 0
        patch = FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height,
            boxstyle=f"round,pad=0,rounding_size={0.12 if computed else 0.03}",
            fc="none" if computed else GRID, ec=colour, lw=weight,
            ls="--" if isinstance(item, Again) else "-",
        )  # fmt: skip
        axes.add_patch(patch)
        name, *operation = self.label(item)
        _write(axes, x, y + (-0.05 if operation else 0.05), name, LETTERS, INK)
        for text in operation:
            _write(axes, x, y + 0.14, text, LETTERS - 1, INK)

    def draw_number(self, axes, item, role):
        x, y = self.at[item]
        half = self.box(item)[1] / 2
        above = [other for other in self.roles(item) if other != ADJOINT]
        row = half + 0.15 if role == ADJOINT else -half - 0.06 - LINE * above.index(role)
        _write(axes, x, y + row, self.numbers[role][item], NUMBERS, role)


def _write(axes, x, y, text, size, role, ha="center"):
    axes.text(x, y, text, size=size, color=role, ha=ha, va="baseline", **FONTS[role])


def _known(title, table, order):
    """`table`, {} for None, after a look at its keys."""
    if table is None:
        return {}
    if not isinstance(table, Mapping):
        raise TypeError(
            f"{title} must be a dict that has Nodes for keys, got {type(table).__name__}: "
            f"{table!r:.60}"
        )
    if unknown := [node for node in table if node not in set(order)]:
        raise ValueError(
            f"{title} names {unknown[0]!r:.80}, which is not in the graph: give its Nodes"
        )
    return table


def _named(output, names) -> tuple[list[Node], dict[Node, str]]:
    """The nodes in their order, and what each is called in the picture and in words.

    Raises ValueError for a name that cannot be drawn: one that is too long, has letters that the
    font lacks or that do not print, or is wrong as a formula.
    """
    order = in_order(output)
    if not order:
        raise ValueError("there is no output: give a Node, or a list of at least one")
    called = {
        node: str(name) for node, name in names_of(order, _known("names", names, order)).items()
    }
    font = get_font(findfont(FontProperties()))
    for name in called.values():
        if not name.strip() or not name.isprintable():
            raise ValueError(f"{name!r:.60} is no name for a node: give letters that can be seen")
        try:
            width = text_width(math_name(name), LETTERS)
        except ValueError as error:
            why = str(error).strip().splitlines()[-1]
            raise ValueError(
                f"Matplotlib cannot draw the name {name!r:.60} ({why}): give another in names"
            ) from None
        if missing := [letter for letter in name if not font.get_char_index(ord(letter))]:
            raise ValueError(
                f"the font has no {missing[0]!r}, in the name {name!r:.60}: give another in names"
            )
        if width > WIDTH / 2:
            raise ValueError(
                f"the name {name!r:.60} is {width:.1f} inches wide, more than half of a picture: "
                "give a shorter one in names"
            )
    return order, called


def math_name(name):
    """A name as it is typeset: one letter, with what follows as its index, is in math letters.

    An index or an exponent is set once each; a name with two of one kind is written as it is.

    >>> math_name("w12"), math_name("W^l_{jk}"), math_name("w_1_2"), math_name("cost")
    ('$w_{12}$', '$W^l_{jk}$', 'w_1_2', 'cost')
    """
    if "$" in name:
        return name
    if match := re.fullmatch(r"([A-Za-z])(\d+)", name):
        return f"${match[1]}_{{{match[2]}}}$"
    if re.fullmatch(r"[A-Za-z]([_^](\w|\{\w+\}))*", name) and max(map(name.count, "_^")) <= 1:
        return f"${name}$"
    return name


@cache
def text_width(text, size, role=INK):
    if not text.strip():
        return 0.0
    letters = FontProperties(size=size, **FONTS[role])
    return TextPath((0, 0), text, prop=letters).get_extents().width / 72
