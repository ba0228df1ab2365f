"""What does a node cost, beside the usual design of a closure on every node?

    python -m benchmarks.engine

Both engines compute the same number, and its derivatives, from the same million operations: sums of
chains v <- v x + y, short enough for the recursion of the other design. Each of its closures holds
the node that holds it, and Python's collector walks these cycles again and again; so both are
timed with the collector and without it.
"""

import gc
import time
import tracemalloc
from statistics import median

from companion.graph import Node
from companion.sweep import adjoints

LENGTH = 400  # operations in a chain; the closure design recurses once for each


class Value:
    """The usual design: data and gradient on every node, and a closure to add to its parents'."""

    def __init__(self, data, parents=(), op=""):
        self.data = data
        self.grad = 0.0
        self.parents = set(parents)
        self.op = op
        self.push = lambda: None

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other), "+")

        def push():
            self.grad += out.grad
            other.grad += out.grad

        out.push = push
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other), "*")

        def push():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.push = push
        return out

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for parent in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node.push()


def program(x, y, operations):
    """Chains of LENGTH operations, added up in pairs."""
    sums = []
    for _ in range(operations // (LENGTH + 1)):
        v = x
        for _ in range(LENGTH // 2):
            v = v * x + y
        sums.append(v)
    while len(sums) > 1:
        sums = [a + b for a, b in zip(sums[::2], sums[1::2])] + sums[len(sums) & ~1 :]
    return sums[0]


def with_nodes(operations):
    """Seconds forward, seconds in reverse, and the derivative."""
    x, y = Node(0.5), Node(1.0)
    started = time.perf_counter()
    output = program(x, y, operations)
    between = time.perf_counter()
    slope = adjoints(output)[x]
    return between - started, time.perf_counter() - between, slope


def with_closures(operations):
    x, y = Value(0.5), Value(1.0)
    started = time.perf_counter()
    output = program(x, y, operations)
    between = time.perf_counter()
    output.backward()
    return between - started, time.perf_counter() - between, x.grad


def bytes_per_node(engine, operations=100_000):
    """What the graph takes, without what the reverse sweep takes."""
    gc.collect()
    tracemalloc.start()
    graph = program(engine(0.5), engine(1.0), operations)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del graph
    return taken / operations


def compared(operations, rounds, collecting) -> list[str]:
    """Lines on the two engines, run in turns, with Python's collector of cycles at work or not."""
    turns = []
    for _ in range(rounds):
        turn = []
        for engine in (with_nodes, with_closures):
            gc.collect()
            if not collecting:
                gc.disable()
            turn.append(engine(operations))
            gc.enable()
        nodes, closures = turn
        if abs(nodes[2] - closures[2]) > 1e-9 * abs(closures[2]):
            raise ArithmeticError(f"two derivatives: {nodes[2]!r} and {closures[2]!r}")
        turns.append(turn)
    lines = [f"Collector of cycles {'on' if collecting else 'off'}:"]
    for which, name in enumerate(("companion.graph", "closure per node")):
        forward, reverse = (median(t[which][k] for t in turns) / operations * 1e6 for k in (0, 1))
        lines.append(f"- {name}: forward {forward:.2f}, reverse {reverse:.2f}")
    ratios = [sum(nodes[:2]) / sum(closures[:2]) for nodes, closures in turns]
    span = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return [
        *lines,
        f"- companion over closures, both directions: {median(ratios):.2f} ({span})",
        "",
    ]


def report(operations=1_000_000, rounds=3) -> str:
    lines = ["", f"{operations:,} operations; microseconds for each, median of {rounds}.", ""]
    for collecting in (True, False):
        lines += compared(operations, rounds, collecting)
    ours, theirs = bytes_per_node(Node), bytes_per_node(Value)
    lines.append(f"Memory: {ours:.0f} bytes a node, with closures {theirs:.0f}.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(report())
