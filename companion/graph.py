"""A computation as a graph: every node holds a number, its parents and its local partials.

A program that is run on Nodes instead of numbers leaves such a graph behind. What is computed
about a graph, such as derivatives (`sweep`), is returned in a dict and never stored in it.

    formula          code             in words
    v_j              node.value       the number computed at a node
    p -> j           node.parents     the nodes that v_j was computed from, one entry for each use
    dv_j/dp          node.partials    local partial derivative, one for each use
    f                node.op          what was done, "{} * {}", or "" for an input

Values may be floats, ints, Fractions, SymPy expressions or arrays of floats: one program gives
numbers, exact numbers and formulas. An array holds one number for each of many points, and
everything is done entry by entry: a scalar that meets an array gets one partial for each entry.
Arrays that meet must have one shape. A Node keeps a copy of an array.

At a tie `maximum` and `minimum` take their first argument, and it alone has the partial 1; so
relu(z) = maximum(0, z) has slope 0 at z = 0. The slope of abs at 0 is taken to be 0. Where a value
or a slope does not exist, as for log(-1) or sqrt(0), or overflows, a DomainError says where.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import sys
from collections.abc import Iterable, Mapping
from fractions import Fraction
from operator import attrgetter

import numpy as np

NOT_FINITE = "the value or a slope is too large for a float, or is nan"

_births = itertools.count()


class DomainError(ArithmeticError, ValueError):
    """A value or a slope that does not exist, or is too large for a float."""


class Node:
    """A number and where it came from. An input is `Node(3.0)`, or `Node(3.0, name="x")`.

    Arithmetic with Nodes and plain numbers makes new Nodes. A Node cannot be changed. Two Nodes
    are equal only if they are the same one; <, <=, > and >= compare their values.

    args    what `op` was applied to; unlike `parents`, plain numbers are among them
    born    counts all Nodes ever made. A node is younger than its parents.

    Raises TypeError for a value that is no number, and ValueError unless there is one partial for
    each parent.

    >>> x = Node(3.0, name="x")
    >>> y = 2 * x + x
    >>> y.value, y.partials, y.op
    (9.0, (1, 1), '{} + {}')
    >>> y.parents
    (Node(6.0 = 2 * x), Node(3.0, name='x'))
    """

    __slots__ = ("__weakref__", "_args", "_born", "_name", "_op", "_parents", "_partials", "_value")
    __array_ufunc__ = None  # array * node asks the node, not each entry of the array

    value = property(attrgetter("_value"), doc="The number computed here.")
    parents = property(attrgetter("_parents"), doc="The Nodes it was computed from, use by use.")
    partials = property(attrgetter("_partials"), doc="The local partial for each of `parents`.")
    op = property(attrgetter("_op"), doc="What was done, such as '{} * {}'; '' for an input.")
    args = property(attrgetter("_args"), doc="What it was done to: Nodes and plain numbers.")
    name = property(attrgetter("_name"), doc="The name that was given to the Node, or ''.")
    born = property(attrgetter("_born"), doc="How many Nodes there were before this one.")

    def __init__(self, value, parents=(), partials=(), op="", args=None, *, name=""):
        if type(value) is not float:
            value = _number(value)
        if len(parents) != len(partials):
            raise ValueError(
                f"{len(parents)} parents and {len(partials)} partials: give one partial for each "
                "use of a parent"
            )
        self._value = value
        self._parents = tuple(parents)
        self._partials = tuple(partials)
        self._op = op
        self._args = self._parents if args is None else args
        self._name = name
        self._born = next(_births)

    def __reduce__(self):  # copied, or sent to another process, it is born anew after its parents
        args = (self._value, self._parents, self._partials, self._op, self._args)
        return functools.partial(Node, name=self._name), args

    def named(self, name: str) -> Node:
        """A Node that says the same under a name, for trace tables and pictures.

        >>> (Node(2.0, name="a") + 1).named("c")
        Node(3.0 = a + 1, name='c')
        """
        args = (self._value, self._parents, self._partials, self._op, self._args)
        return Node(*args, name=str(name))

    @property
    def formula(self) -> str:
        """What was done to what, such as 'a * b'; '' for an input. Nameless nodes print values."""
        return self._op.format(*map(_brief, self._args))

    def __repr__(self) -> str:
        formula = f" = {self.formula}" if self._op else ""
        name = f", name={self._name!r}" if self._name else ""
        return f"Node({self._value!r}{formula}{name})"

    def __add__(self, other):
        return _two(_add, "{} + {}", self, other)

    def __radd__(self, other):
        return _two(_add, "{} + {}", other, self)

    def __sub__(self, other):
        return _two(_sub, "{} - {}", self, other)

    def __rsub__(self, other):
        return _two(_sub, "{} - {}", other, self)

    def __mul__(self, other):
        return _two(_mul, "{} * {}", self, other)

    def __rmul__(self, other):
        return _two(_mul, "{} * {}", other, self)

    def __truediv__(self, other):
        return _two(_div, "{} / {}", self, other)

    def __rtruediv__(self, other):
        return _two(_div, "{} / {}", other, self)

    def __pow__(self, other):
        rule = _pow if isinstance(other, Node) else _pow_of_node
        return _two(rule, "{} ** {}", self, other)

    def __rpow__(self, other):
        return _two(_pow_to_node, "{} ** {}", other, self)

    def __neg__(self):
        return _one(_neg, "-{}", self)

    def __pos__(self):
        return self

    def __abs__(self):
        return _one(_abs, "abs({})", self)

    def __lt__(self, other):
        return self._value < value(other)

    def __le__(self, other):
        return self._value <= value(other)

    def __gt__(self, other):
        return self._value > value(other)

    def __ge__(self, other):
        return self._value >= value(other)


def exp(x):
    """e^x. Like all functions of this module it takes a Node, or a number and returns a number.

    >>> exp(Node(0.0)).value
    1.0
    """
    return _one(_exp, "exp({})", x)


def log(x):
    """The natural logarithm of x > 0."""
    return _one(_log, "log({})", x)


def sqrt(x):
    """The square root of x > 0; at 0 its slope is infinite."""
    return _one(_sqrt, "sqrt({})", x)


def sin(x):
    """The sine of x radians."""
    return _one(_sin, "sin({})", x)


def cos(x):
    """The cosine of x radians."""
    return _one(_cos, "cos({})", x)


def tanh(x):
    """The hyperbolic tangent."""
    return _one(_tanh, "tanh({})", x)


def sigmoid(x):
    """1 / (1 + e^-x), for any x: nothing overflows."""
    return _one(_sigmoid, "sigmoid({})", x)


def relu(x):
    """The larger of 0 and x; its slope at 0 is 0.

    >>> relu(Node(0.0)).partials
    (0,)
    """
    return _one(_relu, "relu({})", x)


def maximum(x, y):
    """The larger of x and y; in a tie x, which then has the partial 1.

    >>> maximum(Node(2.0), Node(2.0)).partials
    (1, 0)
    """
    return _two(_maximum, "maximum({}, {})", x, y)


def minimum(x, y):
    """The smaller of x and y; in a tie x, which then has the partial 1."""
    return _two(_minimum, "minimum({}, {})", x, y)


def in_order(outputs: Node | Iterable[Node]) -> list[Node]:
    """All nodes that `outputs` (one Node or several) depend on, and these, parents first.

    A node can only use nodes that exist, so the order of birth is a topological order.

    >>> x = Node(3.0, name="x")
    >>> in_order(x * x + 1)
    [Node(3.0, name='x'), Node(9.0 = x * x), Node(10.0 = 9 + 1)]
    """
    waiting = list(outputs) if isinstance(outputs, Iterable) else [outputs]
    for node in waiting:
        if not isinstance(node, Node):
            raise TypeError(f"a graph is made of Nodes, got {type(node).__name__}: {node!r:.60}")
    found = set(waiting)
    while waiting:
        for parent in waiting.pop()._parents:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return sorted(found, key=attrgetter("_born"))


def names_of(order: Iterable[Node], names: Mapping[Node, str] | None = None) -> dict[Node, str]:
    """What to call each node: by `names`, by its own name, or v1, v2, .., which nobody else has.

    >>> x = Node(3.0, name="x")
    >>> list(names_of(in_order(x * x + 1)).values())
    ['x', 'v1', 'v2']
    """
    called = {node: (names or {}).get(node) or node.name for node in order}
    given = set(called.values())
    free = (v for n in itertools.count(1) if (v := f"v{n}") not in given)
    return {node: name or next(free) for node, name in called.items()}


def short(number, digits: int, ends: int = 3) -> str:
    """A value of any kind that a Node can hold, in a few characters.

    Of a long array as many numbers are written as `ends` says, at its beginning and at its end.

    >>> short(2 / 3, 3), short(Fraction(2, 3), 3)
    ('0.667', '2/3')
    """
    if isinstance(number, float):
        return f"{number + 0.0:.{digits}g}"
    if isinstance(number, np.ndarray):
        text = np.array2string(number, precision=digits, threshold=max(4, 2 * ends), edgeitems=ends)
        return re.sub(r"-(?=0\.0*(?:e[+-]\d+)?(?!\d))", " ", text)  # 0. has no sign
    return str(number)


def value(x):
    """The value of a Node; a plain number is its own."""
    return x._value if isinstance(x, Node) else _number(x)


# The calculus: what is computed, and the slope with respect to each argument. The argument of a
# rule is a number, an array or a formula; which functions it needs, `_library` knows.


def _add(u, v):
    return u + v, 1, 1


def _sub(u, v):
    return u - v, 1, -1


def _mul(u, v):
    return u * v, v, u


def _div(u, v):
    _require(v != 0, "division by 0")
    ratio = u / v
    return ratio, 1 / v, -ratio / v


def _pow(u, v):
    _require(u > 0, "the slope with respect to the exponent needs a base above 0")
    power = u**v
    return power, v * u ** (v - 1), power * _library(u).log(u)


def _pow_of_node(u, n):
    if not _is_formula(u) and not _is_formula(n):
        _require((u >= 0) | (n % 1 == 0), "a base below 0 needs a whole exponent")
        _require((u != 0) | (n == 0) | (n >= 1), "at 0 the value or its slope is infinite")
    return u**n, n * u ** _choose(n == 0, 0, n - 1), None


def _pow_to_node(c, v):
    power, _, slope = _pow(c, v)
    return power, None, slope


def _neg(u):
    return -u, -1


def _exp(u):
    e = _library(u).exp(u)
    return e, e


def _log(u):
    _require(u > 0, "log needs a number above 0")
    return _library(u).log(u), 1 / u


def _sqrt(u):
    _require(u > 0, "sqrt needs a number above 0: below it has no value, at 0 an infinite slope")
    root = _library(u).sqrt(u)
    return root, 1 / (2 * root)


def _sin(u):
    library = _library(u)
    return library.sin(u), library.cos(u)


def _cos(u):
    library = _library(u)
    return library.cos(u), -library.sin(u)


def _tanh(u):
    t = _library(u).tanh(u)
    if _is_formula(u):
        return t, 1 - t**2
    e = _library(u).exp(-2 * abs(u))  # where t is near 1, 1 - t^2 would lose its digits
    return t, 4 * e / (1 + e) ** 2


def _sigmoid(u):
    e = _library(u).exp(-u if _is_formula(u) else -abs(u))  # never overflows
    upper = 1 / (1 + e)
    return upper if _is_formula(u) else _choose(u >= 0, upper, e * upper), e / (1 + e) ** 2


def _relu(u):
    z, _, slope = _maximum(0, u)
    return z, slope


def _abs(u):
    return abs(u), _choose(u >= 0, _choose(u <= 0, 0, 1), -1)


def _maximum(u, v):
    return _either(u >= v, u, v)


def _minimum(u, v):
    return _either(u <= v, u, v)


def _either(first, u, v):
    return _choose(first, u, v), _choose(first, 1, 0), _choose(first, 0, 1)


# From rules to Nodes.


def _one(rule, op, x):
    if not isinstance(x, Node):
        return _apply(rule, op, x)[0]
    u, slope = _apply(rule, op, x)
    return Node(u, (x,), (slope,), op)


def _two(rule, op, x, y):
    u, dx, dy = _apply(rule, op, x, y)
    if not isinstance(x, Node):
        return Node(u, (y,), (dy,), op, (x, y)) if isinstance(y, Node) else u
    if not isinstance(y, Node):
        return Node(u, (x,), (dx,), op, (x, y))
    return Node(u, (x, y), (dx, dy), op)


def _apply(rule, op, *args):
    """The rule on the values of `args`; an error of arithmetic says where it happened."""
    values = [x._value if isinstance(x, Node) else _number(x) for x in args]
    try:
        for u in values:
            if isinstance(u, np.ndarray):
                return _apply_to_arrays(rule, values)
        results = rule(*values)
        for u in results:
            if type(u) is float and u - u != 0:
                raise DomainError(NOT_FINITE)
        return results
    except ArithmeticError as error:
        where = op.format(*(_brief(x) for x in args))
        got = " and ".join(f"{_brief(x)} = {u!r:.60}" for x, u in zip(args, values))
        raise DomainError(f"{where}: {error}, got {got}") from None


def _apply_to_arrays(rule, values):
    """The rule entry by entry, where one of the values, or more, is an array."""
    shapes = {u.shape for u in values if isinstance(u, np.ndarray)}
    if len(shapes) > 1:
        raise DomainError(
            f"arrays of shapes {' and '.join(map(str, sorted(shapes)))}: an entry stands for a "
            "point, so give both one shape"
        )
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        results = rule(*(float(u) if isinstance(u, Fraction) else u for u in values))
    if not all(u is None or np.isfinite(u).all() for u in results):
        raise DomainError(NOT_FINITE)
    return results


def _require(condition, why):
    """Raise unless the condition holds, for all entries of an array; formulas may be undecided."""
    if condition is True or _is_formula(condition) and condition != False:  # noqa: E712
        return
    if not np.all(condition):
        raise DomainError(why)


def _choose(condition, one, other):
    """`one` where the condition holds, else `other`."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, one, other) * 1.0
    if _is_formula(condition):
        return sys.modules["sympy"].Piecewise((one, condition), (other, True))
    return one if condition else other


def _is_formula(u):
    return hasattr(u, "free_symbols")  # the mark of everything that SymPy makes


def _library(u):
    """Where to find exp, log, .. for u."""
    if type(u) is float:
        return math
    if isinstance(u, np.ndarray):
        return np
    return sys.modules["sympy"] if _is_formula(u) else math


def _number(u):
    """u as a value of a Node: an array as floats that nobody else can change."""
    if type(u) in (float, int, Fraction) or _is_formula(u) and getattr(u, "is_commutative", False):
        return u
    if isinstance(u, np.ndarray) and u.dtype.kind in "fiub" and u.ndim:
        u = np.array(u, dtype=float)  # no subclass: a matrix would multiply in its own way
        u.flags.writeable = False
        return u
    if isinstance(u, (np.floating, np.integer, np.ndarray)) and u.dtype.kind in "fiub":
        return u.item()
    if isinstance(u, (int, float, Fraction)):
        return u
    kind = f"an array of {u.dtype}" if isinstance(u, np.ndarray) else type(u).__name__
    raise TypeError(
        f"a Node combines with a Node or a number, got {kind}: {u!r:.60}; an array must hold real "
        "numbers, and its entries are then computed side by side; use companion.network for layers"
    )


def _brief(x):
    """A name, or a value, in a few characters."""
    if not isinstance(x, Node):
        return f"{x:.6g}" if isinstance(x, float) else f"{x!s:.30}"
    return x._name or _brief(x._value)
