"""Where the nodes of a graph stand in a picture, so that no edge runs through a node.

After Sugiyama, Tagawa and Toda (1981), in four steps:

    columns    a node stands right of all its parents
    bends      an edge that skips columns keeps a place free in each of them, its bend
    order      a column is sorted by where its neighbours stand; the sweep with the fewest
               crossings is kept
    heights    each as near to its neighbours as the others of its column let it

An item is a node of the graph or a Bend. `parents` maps nodes to their parents, one entry for each
use, and lists parents first. Heights grow downwards. The same graph always gives the same picture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

SWEEPS = 16  # over the columns, to sort them
ROUNDS = 100  # over the columns, to settle heights
SAME = 1e-9  # heights that differ by less are one height, and rounding


class Bend(NamedTuple):
    """The place that use number `use` of a parent by `child` keeps free in a column."""

    child: Hashable
    use: int
    column: int


def columns(parents: Mapping) -> dict:
    """Item -> the number of edges on the longest way to it from an input."""
    column = {}
    for child, uses in parents.items():
        column[child] = 1 + max((column[parent] for parent in uses), default=-1)
    return column


def late_inputs(parents: Mapping, column: Mapping) -> dict:
    """The same columns, but an input stands just left of the first node that uses it."""
    first = {}
    for child, uses in parents.items():
        for parent in uses:
            first[parent] = min(column[child], first.get(parent, column[child]))
    return {item: k if parents[item] else first.get(item, 1) - 1 for item, k in column.items()}


def routes(parents: Mapping, column: Mapping) -> dict[tuple, list]:
    """(child, use) -> the items that the edge visits: the parent, its bends, the child."""
    found = {}
    for child, uses in parents.items():
        for use, parent in enumerate(uses):
            between = range(column[parent] + 1, column[child])
            bends = [Bend(child, use, k) for k in between]
            found[child, use] = [parent, *bends, child]
    return found


def ordered(column: Mapping, routes: Mapping) -> list[list]:
    """The items of each column, from top to bottom, with few crossings of edges."""
    left, right = defaultdict(list), defaultdict(list)
    layers = [[] for _ in range(max(column.values()) + 1)]
    for item, k in column.items():
        layers[k].append(item)
    for route in routes.values():
        for bend in route[1:-1]:
            layers[bend.column].append(bend)
        for one, other in pairwise(route):
            right[one].append(other)
            left[other].append(one)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, right)
    for sweep in range(SWEEPS):
        near = left if sweep % 2 == 0 else right
        for layer in layers if near is left else reversed(layers):
            place = {item: i for each in layers for i, item in enumerate(each)}
            layer.sort(key=lambda item: _mean([place[n] for n in near[item]], place[item]))
        count = _crossings(layers, right)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    return best


def heights(layers: Sequence[Sequence], routes: Mapping, reach: Mapping) -> dict:
    """Item -> its height: edges as level as possible, and no two items of a column too near.

    reach   item -> how far it reaches (up, down) from its height
    """
    pulls = defaultdict(list)
    for route in routes.values():
        for one, other in pairwise(route):
            weight = 8 if isinstance(one, Bend) and isinstance(other, Bend) else 1
            pulls[one].append((weight, other))
            pulls[other].append((weight, one))
    height = {item: float(i) for layer in layers for i, item in enumerate(layer)}
    for _ in range(ROUNDS):
        for layer in layers:
            # With the distances that must lie between them taken off, heights must not decrease.
            off, wanted = [0.0], []
            for upper, lower in pairwise(layer):
                off.append(off[-1] + reach[upper][1] + reach[lower][0])
            for item, shift in zip(layer, off):
                weight = sum(w for w, _ in pulls[item])
                pull = sum(w * height[other] for w, other in pulls[item])
                wanted.append(
                    (weight, pull / weight - shift) if weight else (1, height[item] - shift)
                )
            for item, shift, level in zip(layer, off, _increasing(wanted)):
                height[item] = level + shift
    for route in routes.values():
        _straighten(layers, route[1:-1], reach, height)
    return height


def _straighten(layers, bends, reach, height):
    """Put the bends of an edge at one height, if they have room there."""
    if not bends:
        return
    level = sum(height[bend] for bend in bends) / len(bends)
    for bend in bends:
        layer = layers[bend.column]
        i = next(k for k, item in enumerate(layer) if item is bend)
        for upper, lower in pairwise(layer[max(i - 1, 0) : i + 2]):
            high = level if upper is bend else height[upper]
            low = level if lower is bend else height[lower]
            if low - high < reach[upper][1] + reach[lower][0] - SAME:
                return
    height.update(dict.fromkeys(bends, level))


def _increasing(wanted):
    """The non-decreasing sequence nearest to the (weight, number) pairs: pool what is too low."""
    pools = []  # of weight, mean, count
    for weight, level in wanted:
        pools.append((weight, level, 1))
        while len(pools) > 1 and pools[-2][1] >= pools[-1][1]:
            (w, a, n), (v, b, m) = pools[-2:]
            pools[-2:] = [(w + v, (w * a + v * b) / (w + v), n + m)]
    return [level for _, level, count in pools for _ in range(count)]


def _crossings(layers, right):
    count = 0
    for here, there in pairwise(layers):
        place = {item: i for i, item in enumerate(there)}
        ends = [(i, place[other]) for i, item in enumerate(here) for other in right[item]]
        count += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(ends, 2))
    return count


def _mean(numbers, otherwise):
    return sum(numbers) / len(numbers) if numbers else otherwise
