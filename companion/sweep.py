"""The two ways to walk a computational graph, and the paths that they add up.

Both sweeps read the local partials that `graph` stored while it computed the values. Forward mode
goes parents first and asks how every node moves when the inputs move. Reverse mode goes children
first and asks how the output moves when each node moves.

    formula              code              in words
    v_j                  node.value        the number computed at a node
    dv_j/dp              partial           local partial with respect to a parent p, one per use
    v_j dot              dot[node]         tangent: rate of v_j when the inputs move at rate `seed`
    v_j bar              bar[node]         adjoint: d(output)/d(v_j)

Where the values are arrays, each entry is a point, and the graph stands for as many graphs side by
side. A tangent then has the shape of its node's value, or of the seed's, and an adjoint that of the
output: one number for each point, for a scalar that all points share as well. Add its entries up
for the derivative of the sum over the points.

Griewank and Walther, Evaluating Derivatives (2008), chapter 3, in these letters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from companion.graph import DomainError, Node, in_order, is_finite, names_of, short, value


class Path(NamedTuple):
    """A way from a source to the output: the nodes on it, and the product of its partials."""

    nodes: tuple[Node, ...]
    product: object


def tangents(output: Node, seed: Mapping[Node, float]) -> dict[Node, float]:
    """Forward mode, one sweep per seed:  v_j dot = sum over uses of dv_j/dp * p dot.

    seed    how fast each input moves, {x: 1} for d/dx; inputs that are not named stand still.
            Seeding a node that is itself computed adds to its rate.

    Raises ValueError if the seed names a node that `output` does not depend on, TypeError if it is
    no dict of numbers, and DomainError, which names the node, if a tangent overflows a float.

    >>> x = Node(3.0)
    >>> y = x * x + x
    >>> tangents(y, {x: 1})[y]
    7.0
    """
    order = in_order([output])
    seed = _rates(seed, output, order)
    dot = {}
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            for node in order:
                rate = seed.get(node, 0)
                for parent, partial in zip(node._parents, node._partials):
                    rate = rate + partial * dot[parent]
                dot[node] = rate
    except OverflowError:  # a float times a whole number that is too large for one
        raise _overflow("tangent of", node) from None
    _must_be_finite("tangent of", dot, order, ends=[output])
    if isinstance(output.value, np.ndarray):
        zeros = np.zeros(output.value.shape)
        arrays = (node for node in order if isinstance(node.value, np.ndarray))
        dot.update({node: dot[node] + zeros for node in arrays})
    return dot


def adjoints(output: Node) -> dict[Node, float]:
    """Reverse mode, one sweep per output:  p bar = sum over uses of p of v_j bar * dv_j/dp.

    A node that `output` does not depend on is not in the dict. The adjoints are plain numbers: a
    program that goes on with them, as x * adjoints(y)[x], leaves no edge for the way through the
    sweep, and its own derivative lacks that term. For second derivatives let the Nodes hold SymPy
    symbols: their adjoints are formulas, which can be differentiated again.

    Raises DomainError, which names the node, if an adjoint overflows a float.

    >>> x = Node(3.0)
    >>> adjoints(x * x + x)[x]
    7.0
    """
    order = in_order([output])
    bar: dict[Node, Any] = defaultdict(int, {output: 1})
    order.reverse()
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            for node in order:
                share = bar[node]
                for parent, partial in zip(node._parents, node._partials):
                    bar[parent] += share * partial
    except OverflowError:
        raise _overflow("adjoint of", parent) from None
    _must_be_finite("adjoint of", bar, order, ends=(node for node in order if not node._parents))
    if isinstance(output.value, np.ndarray):
        return {node: share + np.zeros(output.value.shape) for node, share in bar.items()}
    return dict(bar)


def count_paths(output: Node, source: Node) -> int:
    """How many paths lead from `source` to `output`: a forward sweep with every partial 1.

    Two uses of a parent are two edges, and make two paths.

    >>> x = Node(3.0)
    >>> count_paths(x * x + x, x)
    3
    """
    count = {}
    for node in in_order([output, source]):
        count[node] = int(node is source) + sum(count[parent] for parent in node.parents)
    return count[output]


def paths(output: Node, source: Node) -> Iterator[Path]:
    """Every path from `source` to `output`, one at a time, each with its product.

    Their products add up to the derivative. There may be very many: see `count_paths`. Raises
    DomainError if a product overflows a float.

    >>> x = Node(3.0)
    >>> [path.product for path in paths(x * x + x, x)]
    [3.0, 3.0, 1]
    """
    leads = {source}  # the nodes from which a way back to the source exists
    leads.update(node for node in in_order([output, source]) if not leads.isdisjoint(node.parents))
    one = np.ones(output.value.shape) if isinstance(output.value, np.ndarray) else 1
    waiting = [Path((output,), one)]
    while waiting:
        nodes, product = waiting.pop()
        if not is_finite(product):
            raise _overflow("product of partials from the output back to", nodes[0])
        if nodes[0] is source:
            yield Path(nodes, product)
        elif nodes[0] in leads:
            uses = zip(nodes[0]._parents, nodes[0]._partials)
            with np.errstate(over="ignore", invalid="ignore"):
                waiting += reversed([Path((p, *nodes), d * product) for p, d in uses])


def trace_table(output: Node, seed: Mapping[Node, float] | None = None, digits: int = 4) -> str:
    """The evaluation and both sweeps as a table, one line for each node, parents first.

    seed    as for `tangents`; without it there is no column of tangents
    digits  significant digits of floats

    Nodes without a name are called v1, v2, ..

    >>> a, b = Node(2.0, name="a"), Node(1.0, name="b")
    >>> print(trace_table((a + b) * (b + 1), {b: 1}))
    node  formula  value  tangent  adjoint
    a                  2        0        2
    b                  1        1        5
    v1    a + b        3        1        2
    v2    b + 1        2        1        3
    v3    v1 * v2      6        5        1
    """
    order = in_order([output])
    bar = adjoints(output)
    dot = None if seed is None else tangents(output, seed)
    names = names_of(order)
    rows = [["node", "formula", "value", *(["tangent"] if dot else []), "adjoint"]]
    for node in order:
        operands = [names[x] if isinstance(x, Node) else short(x, digits) for x in node.args]
        numbers = [node.value, *([dot[node]] if dot else []), bar[node]]
        texts = [short(number, digits) for number in numbers]
        rows.append([names[node], node.op.format(*operands), *texts])
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:])]
        lines.append("  ".join(left + right).rstrip())
    return "\n".join(lines)


def _rates(seed, output, order):
    """The seed as numbers, one for each point where it is an array."""
    if not isinstance(seed, Mapping):
        raise TypeError(
            f"a seed is a dict such as {{x: 1}}, got {type(seed).__name__}: {seed!r:.60}"
        )
    known = set(order)
    for node, rate in seed.items():
        if node not in known:
            raise ValueError(f"the output does not depend on {node!r}: seed one of its inputs")
        if isinstance(rate, Node):
            raise TypeError(f"a rate is a plain number, got {rate!r}: give its value")
    rates = {node: value(rate) for node, rate in seed.items()}
    shapes = {np.shape(number) for number in (output.value, *rates.values())} - {()}
    if len(shapes) > 1:
        raise DomainError(
            f"a seed and values of shapes {' and '.join(map(str, sorted(shapes)))}: an entry "
            "stands for a point, so give both one shape"
        )
    return rates


def _must_be_finite(what, numbers, order, ends):
    """Raise DomainError at the first node of `order` whose number is infinite or nan.

    Such a number spreads to all that is computed from it, so it has reached one of the `ends`.
    """
    if not all(is_finite(numbers[node]) for node in ends):
        raise _overflow(what, next(node for node in order if not is_finite(numbers[node])))


def _overflow(what, node):
    return DomainError(f"the {what} {node!r:.100} is too large for a float")
