r"""Networks as layers of neurons, with the numbers that a forward and a backward pass leave there.

    what is drawn                                        function
    neurons, weights, some of them picked out            network
    every step of a forward and a backward pass          backward_pass
    the cost as a function of two weights, and a path    surface

A neuron is a circle with the name of its activation, or a card once its numbers are known:
z, a and delta, one below the other. Arguments are NumPy's indices, which count from 0: the weight
(l, j, k) is W[l][j, k]. Labels count from 1, as the formulas do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from companion.draw.canvas import PAGE, chosen, number, plain, sheet, width_of, write
from companion.draw.style import ADJOINT, INK, ROLES, VALUE
from companion.draw.tensors import LINE, Array, cell_of, size_of, write_equation
from companion.network import Errors, Network, Parameters, Trace

RADIUS = 0.22  # of a circle
ROW = 0.22  # from a number in a card to the next
GAP = 0.16  # between neurons of a layer
LETTERS = {"z": ("z", VALUE), "a": ("a", VALUE), "delta": (r"\delta", ADJOINT)}


def readings(trace: Trace, errors: Errors | None = None, *, example: int = 0) -> dict:
    """The numbers at each neuron for one example: (l, j) -> {"z": .., "a": .., "delta": ..}.

    An input has "a" only, and without `errors` there is no "delta".

    >>> net = Network([1, 1], "identity")
    >>> p = Parameters.of(W=[[[2.0]]], b=[[[1.0]]])
    >>> trace = net.forward(p, [[3.0]])
    >>> readings(trace, net.errors(p, trace, [[5.0]]))
    {(0, 0): {'a': 3.0}, (1, 0): {'z': 7.0, 'a': 7.0, 'delta': 2.0}}
    """
    if not isinstance(trace, Trace):
        raise TypeError(
            f"readings needs the Trace that network.forward returned, got {type(trace).__name__}"
        )
    m = trace.a[0].shape[1]
    if not 0 <= example < m:
        raise ValueError(f"example is {example} in a batch of {m}: count from 0 to {m - 1}")
    if errors and errors.delta[-1].shape != trace.a[-1].shape:
        raise ValueError(
            f"delta^L has shape {errors.delta[-1].shape} and a^L {trace.a[-1].shape}: "
            "give the errors of this trace"
        )
    signals = {"z": trace.z, "a": trace.a, "delta": errors.delta if errors else []}
    return {
        (l, j): {
            name: float(signal[l][j, example])
            for name, signal in signals.items()
            if l < len(signal) and signal[l] is not None
        }
        for l, a in enumerate(trace.a)
        for j in range(len(a))
    }


def network(
    sizes: Sequence[int],
    *,
    parameters: Parameters | None = None,
    trace: Trace | None = None,
    errors: Errors | None = None,
    example: int = 0,
    neurons: Sequence[tuple] = (),
    edges: Sequence[tuple] = (),
    role: str = VALUE,
    bias: bool = False,
    most: int = 6,
    digits: int = 3,
) -> Figure:
    """A network in layers, input on the left.

    sizes       n_0, .., n_L; a layer of more than `most` neurons is cut short by dots
    parameters  the width of an edge is |w|; solid where w > 0, dashed where w < 0
    trace       what `forward` returned: each neuron shows z and a of one `example` of the batch
    errors      what `Network.errors` returned: it shows delta as well
    neurons     (l, j) to frame; (l, None) is a whole layer
    edges       (l, j, k) to pick out; (2, None, k) are all edges from neuron k into layer 2
    role        what those edges carry: VALUE forward, ADJOINT back; arrowheads show which way
    bias        a square 1 in each layer but the last, on which the biases are weights

    >>> network([2, 3, 2], edges=[(2, None, 0)], role=ADJOINT).description
    'Network of 2, 3 and 2 neurons. Picked out: the edges from layer 2 back to neuron 1 of layer 1.'
    """
    sizes = _widths(sizes)
    if errors is not None and trace is None:
        raise ValueError("errors came without a trace: give the trace they were computed from")
    numbers = {} if trace is None else readings(trace, errors, example=example)
    _same_sizes(sizes, parameters, trace)
    neurons = _places("neurons", neurons, sizes, 2)
    edges = _places("edges", edges, sizes, 3)
    plan = _Plan(sizes, numbers, most, bias, digits)
    spots = [(l, j) for l, j in neurons]
    spots += [spot for l, j, k in edges for spot in ((l, j), (l - 1, k))]
    for l, j in spots:
        if j is not None and j not in plan.slots[l]:
            raise ValueError(
                f"neuron {j} of layer {l} is left out by the dots: give most={max(sizes)}, "
                "or pick one that is drawn"
            )
    key = 0 if parameters is None else LINE
    axes = sheet(plan.width, plan.height + key)
    plan.draw(axes, key, numbers, parameters, neurons, edges, role)
    if parameters is not None:
        words = "solid: $w > 0$,  dashed: $w < 0$,  width: $|w|$"
        write(axes, plan.width / 2, 0.12, words)
    axes.figure.description = _in_words(sizes, numbers, neurons, edges, role, digits)
    return axes.figure


def backward_pass(
    net: Network, parameters: Parameters, x, y, *, digits: int = 3
) -> list[Figure]:  # fmt: skip
    """A forward and a backward pass of one example, one figure of the same size for each step.

    First z and a, neuron by neuron; then the cost; then delta, from the last layer back; then the
    gradient, layer by layer. Each figure shows the network with the numbers known so far, the edges
    in use, the arrays of the step with the row in use framed, and its arithmetic in words.

    x (n_0, 1) and y (n_L, 1). Raises ValueError for a batch, and for a network too large to draw.
    """
    trace = net.forward(parameters, x)
    if trace.a[0].shape[1] != 1:
        raise ValueError(f"x has {trace.a[0].shape[1]} examples: give one column, (n_0, 1)")
    if max(net.sizes) > 4 or sum(net.sizes) > 12:
        raise ValueError(
            f"a network of sizes {list(net.sizes)} has too many steps to follow: "
            "give layers of at most 4 neurons, and at most 12 neurons in all"
        )
    errors = net.errors(parameters, trace, y)
    numbers = readings(trace, errors)
    steps = _steps(net, parameters, trace, errors, np.asarray(y, dtype=float), digits)
    plan = _Plan(net.sizes, numbers, 4, False, digits)
    cell = cell_of([part for step in steps for part in step.equation], digits)
    panels = [size_of(step.equation, cell) for step in steps if step.equation]
    lines = max(len(step.caption) for step in steps)
    below = max(height for _, height in panels) + LINE * lines + 0.25
    width = max(plan.width, *(panel[0] for panel in panels))
    width = max(width, *(width_of(line) for step in steps for line in step.caption)) + 0.1
    figures, known = [], {place: {} for place in numbers}
    for step in steps:
        for place, letter in step.computes:
            known[place][letter] = numbers[place][letter]
        axes = sheet(width, plan.height + below)
        plan.draw(
            axes, below, known, None, [place for place, _ in step.computes], step.edges, step.role,
            left=(width - plan.width) / 2,
        )  # fmt: skip
        for i, line in enumerate(step.caption):
            write(axes, width / 2, below - 0.02 - LINE * (i + 0.5), line)
        if step.equation:
            wide, _ = size_of(step.equation, cell)
            top = below - LINE * lines - 0.1
            write_equation(axes, (width - wide) / 2, top, step.equation, cell, digits)
        axes.figure.description = "; ".join(map(plain, step.caption)) + "."
        figures.append(axes.figure)
    return figures


def surface(
    cost: Callable[[float, float], float],
    across: tuple[float, float],
    up: tuple[float, float],
    *,
    path=None,
    labels: tuple[str, str] = ("$w_1$", "$w_2$"),
    height: str = "cost",
    points: int = 61,
) -> Figure:
    """Lines of equal cost over two weights, and the path of a descent.

    cost    called with two numbers, at points * points places
    across  from where to where the first weight goes; `up` the second
    path    (steps, 2): a ring marks its start, a cross its end
    height  what `cost` returns, in words, for the description
    """
    first, second = np.linspace(*across, points), np.linspace(*up, points)
    heights = np.array([[cost(u, v) for u in first] for v in second], dtype=float)
    if not np.isfinite(heights).all():
        raise ValueError("the cost is not finite everywhere there: choose smaller ranges")
    figure = Figure(figsize=(4.8, 4.0), layout="constrained")
    axes = figure.add_subplot()
    lines = axes.contour(first, second, steady(heights), levels=10, colors=VALUE, linewidths=0.9)
    axes.clabel(lines, levels=lines.levels[::2], fontsize=8, colors=INK)
    axes.set(xlabel=labels[0], ylabel=labels[1], xlim=across, ylim=up)
    axes.grid(False)
    words = f"the {height} goes from {number(heights.min())} to {number(heights.max())}"
    if path is not None:
        path = np.asarray(path, dtype=float)
        if path.ndim != 2 or path.shape[1] != 2 or not len(path):
            raise ValueError(f"path has shape {path.shape}: give (steps, 2), two weights a row")
        axes.plot(*path.T, ".-", color=INK, lw=1.2, ms=4)
        axes.plot(*path[0], "o", color=INK, ms=9, mfc="none")
        axes.plot(*path[-1], "x", color=INK, ms=9, mew=2)
        ends = (", ".join(map(number, end)) for end in (path[0], path[-1]))
        words += ", and a path of {} steps leads from ({}) to ({})".format(len(path) - 1, *ends)
    names = " and ".join(map(plain, labels))
    figure.description = f"Lines of equal {height} over {names}: {words}."
    return figure


def steady(values: np.ndarray) -> np.ndarray:
    """The values, rounded far below what the eye sees: no line hangs on their last bits.

    Which way a contour leaves a point that has the height of its level is decided by the last bit
    of that point. The step is about 1e-9 of the range (of a thousandth of the largest value, where
    that is more), and a fraction that no values share: none is half way between two multiples.

    >>> bool((steady(np.array([0.0, 0.3, 1.0])) == steady(np.array([1e-17, 0.1 + 0.2, 1.0]))).all())
    True
    """
    span = max(np.ptp(values), 1e-3 * np.abs(values).max())
    if span == 0:
        return values
    step = math.sqrt(3) * 1e-9 * 2.0 ** np.floor(np.log2(span * math.sqrt(2)))
    return np.round(values / step) * step + 0.0


# Where everything stands.


class _Plan:
    """Where the neurons of a drawing stand, and how large they are."""

    def __init__(self, sizes, numbers, most, bias, digits):
        if most < 4:
            raise ValueError(f"most is {most}: a layer cut short needs room for 4")
        self.sizes, self.bias, self.digits = sizes, bias, digits
        self.lines = {
            l: [letter for letter in LETTERS if letter in numbers[l, 0]]
            for l in range(len(sizes))
            if numbers
        }
        words = [
            width_of(_name(letter, l, j)) + width_of(number(value, digits))
            for (l, j), entry in numbers.items()
            for letter, value in entry.items()
        ]
        self.card = max(words) + 0.3 if words else 2 * RADIUS
        tallest = max((ROW * len(lines) + 0.1 for lines in self.lines.values()), default=2 * RADIUS)
        self.pitch = tallest + GAP
        self.slots = [range(n) if n <= most else [*range(most - 2), None, n - 1] for n in sizes]
        rows = max(len(slots) + (bias and l < len(sizes) - 1) for l, slots in enumerate(self.slots))
        between = 1.2 if numbers else 1.5
        L = len(sizes) - 1
        self.margin = 0.15 if numbers else 0.3
        room = PAGE - 0.1 - 2 * self.margin - (L + 1) * self.card
        between = max(0.4, min(between, room / L))
        self.step = self.card + between
        self.width = self.card + L * self.step + 2 * self.margin
        self.height = rows * self.pitch + 2 * LINE + 0.1
        self.middle = 2 * LINE + 0.05 + rows * self.pitch / 2

    def spot(self, l, slot):
        """The middle of a place in layer l; the bias, at slot -1, stands over the others."""
        over = self.bias and l < len(self.sizes) - 1
        count = len(self.slots[l]) + over
        y = self.middle + ((count - 1) / 2 - slot - over) * self.pitch
        return self.margin + self.card / 2 + l * self.step, y

    def shown(self, l):
        """(j, x, y) of each neuron of layer l that is drawn."""
        return [(j, *self.spot(l, s)) for s, j in enumerate(self.slots[l]) if j is not None]

    def draw(self, axes, foot, numbers, parameters, neurons, edges, role, left=0.0):
        place = _Shift(left, foot)
        for l in range(1, len(self.sizes)):
            self._edges(axes, place, l, parameters, edges, role)
        for l, n in enumerate(self.sizes):
            for slot, j in enumerate(self.slots[l]):
                x, y = place(*self.spot(l, slot))
                if j is None:
                    axes.plot([x] * 3, [y - 0.1, y, y + 0.1], "o", color=INK, ms=2.5)
                    continue
                framed = any(m == l and i in (None, j) for m, i in neurons)
                self._neuron(axes, x, y, l, j, numbers.get((l, j), {}), framed)
            if self.bias and l < len(self.sizes) - 1:
                x, y = place(*self.spot(l, -1))
                axes.add_patch(Rectangle((x - 0.14, y - 0.14), 0.28, 0.28, fc="none", ec=INK))
                write(axes, x, y, "1")
            x, _ = place(*self.spot(l, 0))
            kind = "input" if l == 0 else "neuron"
            write(axes, x, foot + 0.05 + 1.5 * LINE, rf"$l = {l}$")
            write(axes, x, foot + 0.05 + 0.5 * LINE, f"{n} {kind}{'s' * (n > 1)}", size=8)

    def _neuron(self, axes, x, y, l, j, known, framed):
        style = {"fc": "none", "ec": INK, "lw": 2.4 if framed else 1.0}
        if not self.lines:
            axes.add_patch(Circle((x, y), RADIUS, **style))
            write(axes, x, y, _name("a", l, j))
            return
        lines = self.lines[l]
        high, wide = ROW * len(lines) + 0.1, self.card
        corner = x - wide / 2, y - high / 2
        shape = "round,pad=0,rounding_size=0.08"
        axes.add_patch(FancyBboxPatch(corner, wide, high, boxstyle=shape, **style))
        for i, letter in enumerate(lines):
            line, colour = y + ((len(lines) - 1) / 2 - i) * ROW, LETTERS[letter][1]
            write(axes, x - wide / 2 + 0.07, line, _name(letter, l, j), ha="left", color=colour)
            if letter in known:
                words = number(known[letter], self.digits)
                write(axes, x + wide / 2 - 0.07, line, words, ha="right", color=colour)

    def _edges(self, axes, place, l, parameters, edges, role):
        weights = [] if parameters is None else parameters.W[1:]
        largest = max((np.abs(W).max() for W in weights), default=0) or 1.0
        for k, x, y in self.shown(l - 1):
            for j, u, v in self.shown(l):
                start, end = place(x + self.card / 2, y), place(u - self.card / 2, v)
                thin = {"color": INK, "lw": 0.7, "ls": "-", "alpha": 0.45}
                if parameters is not None:
                    w = parameters.W[l][j, k]
                    thin = {"color": INK, "ls": "--"} if w < 0 else {"color": VALUE, "ls": "-"}
                    thin["lw"] = 0.3 + 2.5 * abs(w) / largest
                if any(m == l and i in (None, j) and h in (None, k) for m, i, h in edges):
                    ends = (start, end) if role != ADJOINT else (end, start)
                    thick = {"color": role, "lw": 1.8, "ls": ROLES[role], "shrinkA": 0}
                    arrow = {"arrowstyle": "-|>,head_width=0.25,head_length=0.5", "shrinkB": 0}
                    axes.annotate("", ends[1], ends[0], arrowprops=thick | arrow, zorder=2)
                else:
                    axes.plot(*zip(start, end), zorder=1, **thin)
        if self.bias:
            x, y = place(*self.spot(l - 1, -1))
            for _, u, v in self.shown(l):
                end = place(u - self.card / 2, v)
                axes.plot([x + 0.14, end[0]], [y, end[1]], color=INK, lw=0.7, ls=":", zorder=1)


class _Shift(NamedTuple):
    left: float
    foot: float

    def __call__(self, x, y):
        return x + self.left, y + self.foot


def _name(letter, l, j):
    return rf"${LETTERS[letter][0]}^{{{l}}}_{{{j + 1}}}$"


def _widths(sizes):
    sizes = tuple(sizes)
    if len(sizes) < 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in sizes):
        raise ValueError(f"sizes is {list(sizes)}: give n_0 and at least one layer, [2, 3, 2]")
    return sizes


def _same_sizes(sizes, parameters, trace):
    if parameters is not None and parameters.sizes != sizes:
        raise ValueError(
            f"the parameters are those of sizes {list(parameters.sizes)}, "
            f"and this network has sizes {list(sizes)}"
        )
    if trace is not None and [len(a) for a in trace.a] != list(sizes):
        raise ValueError(
            f"the trace has layers of {[len(a) for a in trace.a]} neurons, "
            f"and this network has sizes {list(sizes)}"
        )


def _places(name, places, sizes, axes):
    """Neurons (l, j) or edges (l, j, k) that exist in a network of these sizes."""
    for place in places:
        l = place[0] if isinstance(place, tuple) and place else None
        if not isinstance(l, (int, np.integer)) or not axes - 2 <= l < len(sizes):
            raise ValueError(
                f"{name} holds {place!r}: its first number is a layer, {axes - 2} to "
                f"{len(sizes) - 1}"
            )
        shape = (sizes[l],) if axes == 2 else (sizes[l], sizes[l - 1])
        chosen(f"{name} of layer {l}", [place[1:]], shape)
    return list(places)


def _in_words(sizes, numbers, neurons, edges, role, digits):
    layers = ", ".join(map(str, sizes[:-1])) + f" and {sizes[-1]}"
    text = [f"Network of {layers} neurons."]

    def one(l, j):
        return f"layer {l}" if j is None else f"neuron {j + 1} of layer {l}"

    picked = [one(l, j) for l, j in neurons]
    for l, j, k in edges:
        to, start = one(l, j), one(l - 1, k)
        way = f"{to} back to {start}" if role == ADJOINT else f"{start} to {to}"
        picked.append(f"the edge{'s' * (None in (j, k))} from {way}")
    if picked:
        text.append(f"Picked out: {', '.join(picked)}.")
    if 0 < len(numbers) <= 12:
        for (l, j), entry in numbers.items():
            said = (f"{name}^{l}_{j + 1} = {number(v, digits)}" for name, v in entry.items())
            text.append(", ".join(said) + ".")
    return " ".join(text)


# The steps of a forward and a backward pass.


class _Step(NamedTuple):
    caption: list[str]
    computes: list[tuple] = []  # ((l, j), letter)
    edges: list[tuple] = []
    role: str = VALUE
    equation: list = []


def _steps(net, parameters, trace, errors, y, digits):
    """All steps, in order."""
    z, a, delta, L = trace.z, trace.a, errors.delta, net.L

    def say(value):
        return number(float(value), digits)

    def product(*factors):
        return " · ".join(f"({t})" if t.startswith("−") else t for t in map(say, factors))

    def column(name, l, values, row=None, role=VALUE):
        framed = [] if row is None else [(row, None)]
        return Array(values, f"${name}^{l}$", highlight=framed, role=role)

    known = [((0, k), "a") for k in range(net.sizes[0])]
    steps = [_Step(["The input: $a^0 = x$"], known, equation=[column("a", 0, a[0])])]
    for l in range(1, L + 1):
        W, b = parameters.W[l], parameters.b[l]
        for j in range(net.sizes[l]):
            terms = [product(w, v) for w, v in zip(W[j], a[l - 1][:, 0])]
            sums = " + ".join([*terms, product(b[j, 0])])
            caption = [
                f"{_name('z', l, j)} = {sums} = {say(z[l][j, 0])}",
                rf"{_name('a', l, j)} = {net.sigma[l].name}({say(z[l][j, 0])}) = "
                f"{say(a[l][j, 0])}",
            ]
            if not hasattr(net.sigma[l], "slope"):
                caption[1] = rf"{_name('a', l, j)} = {say(a[l][j, 0])}, from all of $z^{l}$"
            equation = [
                column("z", l, _so_far(z[l], j, say), j), "=", column("W", l, W, j), "@",
                column("a", l - 1, a[l - 1]), "+", column("b", l, b, j),
            ]  # fmt: skip
            places = [((l, j), "z"), ((l, j), "a")]
            steps.append(_Step(caption, places, [(l, j, None)], VALUE, equation))
    cost = f"The cost: $C$ = {say(net.cost_at(trace, y))}  ({net.cost.name})"
    ends = [column("a", L, a[L]), ",", Array(y, "$y$")]
    steps.append(_Step([cost, "It is a function of $a^L$ and of the target $y$"], equation=ends))
    for l in range(L, 0, -1):
        for j in range(net.sizes[l]):
            caption, equation = _error(net, parameters, trace, errors, y, l, j, say, product)
            edges = [] if l == L else [(l + 1, None, j)]
            steps.append(_Step(caption, [((l, j), "delta")], edges, ADJOINT, equation))
    gradient = net.backward(parameters, trace, y)
    for l in range(L, 0, -1):
        caption = [
            rf"BP4:  $\partial C/\partial W^{l}_{{jk}} = \delta^{l}_j\,a^{l - 1}_k$",
            rf"BP3:  $\partial C/\partial b^{l}_j = \delta^{l}_j$",
        ]
        equation = [
            Array(gradient.W[l], rf"$\partial C/\partial W^{l}$", role=ADJOINT), "=",
            column(r"\delta", l, delta[l], role=ADJOINT), "@",
            Array(a[l - 1].T, f"$(a^{l - 1})^T$"),
        ]  # fmt: skip
        steps.append(_Step(caption, [], [(l, None, None)], ADJOINT, equation))
    return steps


def _error(net, parameters, trace, errors, y, l, j, say, product):
    """The caption and the arrays of delta^l_j: BP1 in the last layer, BP2 below it."""
    sigma, z, a, delta = net.sigma[l], trace.z[l], trace.a[l], errors.delta[l]
    name, result = _name("delta", l, j), say(delta[j, 0])
    left = Array(_so_far(delta, j, say), rf"$\delta^{l}$", highlight=[(j, None)], role=ADJOINT)
    row = [(j, None)]
    if l == net.L and net.cost.partner is type(sigma):
        caption = [
            f"BP1:  {name} = {_name('a', l, j)} − $y_{j + 1}$",
            f"= {say(a[j, 0])} − {product(y[j, 0])} = {result}",
        ]
        parts = [Array(a, f"$a^{l}$", highlight=row), "−", Array(y, "$y$", highlight=row)]
        return caption, [left, "=", *parts]
    if l == net.L:
        g = net.cost.gradient(a, y)
        caption = [rf"BP1:  $g^{l}_{j + 1} = \partial C/\partial a^{l}_{j + 1}$ = {say(g[j, 0])}"]
        parts = [Array(g, f"$g^{l}$", highlight=row, role=ADJOINT)]
    else:
        g, above, W = errors.g[l], errors.delta[l + 1], parameters.W[l + 1]
        terms = " + ".join(product(w, d) for w, d in zip(W[:, j], above[:, 0]))
        caption = [rf"BP2:  $g^{l}_{j + 1}$ = {terms} = {say(g[j, 0])}"]
        parts = [
            Array(W.T, rf"$(W^{l + 1})^T$", highlight=row), "@",
            Array(above, rf"$\delta^{l + 1}$", role=ADJOINT),
        ]  # fmt: skip
    if not hasattr(sigma, "slope"):
        return [*caption, f"{name} = {result}, row {j + 1} of $J^T g^{l}$"], [left, "from", *parts]
    slope = sigma.derivative(z)
    caption.append(
        rf"{name} = $g^{l}_{j + 1}\,\sigma'(z^{l}_{j + 1})$ = "
        f"{product(g[j, 0], slope[j, 0])} = {result}"
    )
    tail = Array(slope, rf"$\sigma'(z^{l})$", highlight=row)
    return caption, [left, "=", *parts, r"$\odot$", tail]


def _so_far(column, row, say):
    """The entries of a column that are known when `row` has been computed."""
    return [say(entry) if i <= row else "" for i, entry in enumerate(column[:, 0])]
