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
everything is done entry by entry: a scalar that meets an array is the same at all points, and every
partial of the result has one entry for each. Arrays that meet must have one shape. A Node keeps a
copy of an array.

At a tie `maximum` and `minimum` have the partial 1/2 for either argument. The slopes of relu and of
abs at 0 are taken to be 0. Where a value or a slope does not exist, as for log(-1) or sqrt(0), or
overflows, a DomainError says where; nan is refused wherever it comes from.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
import sys
import threading
import weakref
from collections.abc import Iterable, Mapping
from fractions import Fraction
from operator import attrgetter
from typing import Any

import numpy as np

NOT_FINITE = "the value or a slope is too large for a float, or is nan"
NAN = "nan is not a number, and nothing can be computed from it"
HALF = Fraction(1, 2)

_births = itertools.count()
_new = object.__new__
_here = threading.local()  # .sent: what the copy that is being made has, see `_Sent`


class DomainError(ArithmeticError, ValueError):
    """A value or a slope that does not exist, or is too large for a float."""


class Node:
    """A number and where it came from. An input is `Node(3.0)`, or `Node(3.0, name="x")`.

    Arithmetic with Nodes and plain numbers makes new Nodes. A Node cannot be changed.

    <, <=, > and >= compare values. == and != are refused, and so is `if x:`, for a Node is neither
    its value nor a statement: write x.value == 0, or x is y. So Nodes are looked for in a set or a
    dict, where each is a key of its own, not in a list.

    args    what `op` was applied to; unlike `parents`, plain numbers are among them
    born    counts all Nodes ever made. A node is younger than its parents.

    Raises TypeError for a value or a partial that is no number and for a parent that is no Node,
    DomainError for nan, and ValueError unless there is one partial for each parent, and one shape
    for the value and the partials that are arrays.

    >>> x = Node(3.0, name="x")
    >>> y = 2 * x + x
    >>> y.value, y.partials, y.op
    (9.0, (1, 1), '{} + {}')
    >>> y.parents
    (Node(6.0 = 2 * x), Node(3.0, name='x'))
    """

    _value: Any
    _parents: tuple[Node, ...]
    _partials: tuple[Any, ...]
    _op: str
    _args: tuple[Any, ...]
    _name: str
    _born: int
    __slots__ = ("__weakref__", "_args", "_born", "_name", "_op", "_parents", "_partials", "_value")
    __array_ufunc__ = None  # array * node asks the node, not each entry of the array

    value = property(attrgetter("_value"), doc="The number computed here.")
    parents = property(attrgetter("_parents"), doc="The Nodes it was computed from, use by use.")
    partials = property(attrgetter("_partials"), doc="The local partial for each of `parents`.")
    op = property(attrgetter("_op"), doc="What was done, such as '{} * {}'; '' for an input.")
    args = property(attrgetter("_args"), doc="What it was done to: Nodes and plain numbers.")
    name = property(attrgetter("_name"), doc="The name that was given to the Node, or ''.")
    born = property(attrgetter("_born"), doc="How many Nodes there were before this one.")

    def __new__(cls, value, parents=(), partials=(), op="", args=None, *, name=""):
        value, parents, partials = _number(value), tuple(parents), tuple(map(_number, partials))
        if len(parents) != len(partials):
            raise ValueError(
                f"{len(parents)} parents and {len(partials)} partials: give one partial for each "
                "use of a parent"
            )
        for parent in parents:
            _must_be_node(parent)
        if isinstance(value, np.ndarray) or any(isinstance(d, np.ndarray) for d in partials):
            _one_shape([value, *partials], "the value and its partials have shapes")
        args = (
            parents
            if args is None
            else tuple(x if isinstance(x, Node) else _number(x) for x in args)
        )
        return _make(value, parents, partials, op, args, name)

    def __reduce__(self):
        """Copied, or sent to another process, it is born anew after all that it was made of."""
        sent = getattr(_here, "sent", lambda: None)()
        if sent is None:
            sent = _Sent()
            _here.sent = weakref.ref(sent)
        *before, _ = _reached([self], sent)
        args = (self._value, self._parents, self._partials, self._op, self._args)
        return _born_anew, (sent, before, self._name, *args)

    def named(self, name: str) -> Node:
        """A Node that says the same under a name, for trace tables and pictures.

        >>> (Node(2.0, name="a") + 1).named("c")
        Node(3.0 = a + 1, name='c')
        """
        args = (self._value, self._parents, self._partials, self._op, self._args)
        return _make(*args, str(name))

    @property
    def formula(self) -> str:
        """What was done to what, such as 'a * b'; '' for an input. Nameless nodes print values."""
        return self._op.format(*map(_brief, self._args))

    def __repr__(self) -> str:
        formula = f" = {self.formula}" if self._op else ""
        name = f", name={self._name!r}" if self._name else ""
        return f"Node({_written(self._value, repr)}{formula}{name})"

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
        return _compared(operator.lt, self, other)

    def __le__(self, other):
        return _compared(operator.le, self, other)

    def __gt__(self, other):
        return _compared(operator.gt, self, other)

    def __ge__(self, other):
        return _compared(operator.ge, self, other)

    __hash__ = object.__hash__  # a key is found by what it is, so == is never asked

    def __eq__(self, other):
        if self is other:
            return True
        raise TypeError(
            f"{self!r:.60} == {_shown(other)}: a Node is not its value. Compare values, as in "
            "x.value == 0; ask `x is y` for the same Node, and look for Nodes in a set or a dict"
        )

    def __bool__(self):
        raise TypeError(
            f"{self!r:.60} is not true or false: ask for its value, as in x.value != 0 or x > 0"
        )


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
    """The larger of x and y. In a tie it is x, and either has the partial 1/2.

    >>> maximum(Node(3.0), Node(2.0)).partials, maximum(Node(2.0), Node(2.0)).partials
    ((1, 0), (0.5, 0.5))
    """
    return _two(_maximum, "maximum({}, {})", x, y)


def minimum(x, y):
    """The smaller of x and y. In a tie it is x, and either has the partial 1/2."""
    return _two(_minimum, "minimum({}, {})", x, y)


def in_order(outputs: Node | Iterable[Node]) -> list[Node]:
    """All nodes that `outputs` (one Node or several) depend on, and these, parents first.

    A node can only use nodes that exist, so the order of birth is a topological order.

    >>> x = Node(3.0, name="x")
    >>> in_order(x * x + 1)
    [Node(3.0, name='x'), Node(9.0 = x * x), Node(10.0 = 9 + 1)]
    """
    outputs = list(outputs) if isinstance(outputs, Iterable) else [outputs]
    for node in outputs:
        _must_be_node(node)
    return _reached(outputs, set())


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
    return _written(number)


def value(x):
    """The value of a Node; a plain number is its own."""
    return x._value if isinstance(x, Node) else _number(x)


def is_finite(number) -> bool:
    """Whether a value of any kind that a Node can hold is neither infinite nor nan.

    >>> is_finite(1e308), is_finite(np.array([1.0, np.inf]))
    (True, False)
    """
    if isinstance(number, float):
        return number - number == 0
    if isinstance(number, np.ndarray):
        return bool(np.isfinite(number).all())
    if _is_formula(number):
        S = sys.modules["sympy"].S
        return not number.has(S.NaN, S.Infinity, S.NegativeInfinity, S.ComplexInfinity)
    return True


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
    _, _, exponent_slope = _pow_to_node(u, v)
    power, base_slope, _ = _pow_of_node(u, v)
    return power, base_slope, exponent_slope


def _pow_of_node(u, n):
    if not _is_formula(u) and not _is_formula(n):
        _require((u >= 0) | (n % 1 == 0), "a base below 0 needs a whole exponent")
        _require((u != 0) | (n == 0) | (n >= 1), "at 0 the value or its slope is infinite")
    return u**n, n * u ** _choose(n == 0, 0, n - 1), None


def _pow_to_node(c, v):
    _require(
        (c > 0) | (c == 0) & (v > 0),
        "the slope with respect to the exponent needs a base above 0, or 0 to a power above 0",
    )
    power = c**v
    return power, None, power * _library(c).log(_choose(c == 0, 1, c))  # 0^v = 0 is flat


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
    flat = u <= 0
    return _choose(flat, 0, u), _choose(flat, 0, 1)


def _abs(u):
    return abs(u), _choose(u >= 0, _choose(u <= 0, 0, 1), -1)


def _maximum(u, v):
    slope = _slope_of_larger(u, v)
    return _choose(u >= v, u, v), slope, 1 - slope


def _minimum(u, v):
    slope = _slope_of_larger(u, v)
    return _choose(u <= v, u, v), 1 - slope, slope


def _slope_of_larger(u, v):
    """With respect to u. In a tie u and v share it."""
    exact = not any(isinstance(w, (float, np.ndarray)) for w in (u, v))
    return _choose(u > v, 1, _choose(u < v, 0, HALF if exact else 0.5))


# From rules to Nodes.


def _make(value, parents, partials, op, args, name=""):
    """A Node of parts that are known to fit. It alone holds `value`, if that is an array."""
    if type(value) is np.ndarray:
        value.flags.writeable = False
    node = _new(Node)
    node._value = value
    node._parents = parents
    node._partials = partials
    node._op = op
    node._args = args
    node._name = name
    node._born = next(_births)
    return node


def _one(rule, op, x):
    if not isinstance(x, Node):
        return _apply(rule, op, _number(x))[0]
    u, slope = _apply(rule, op, x)
    return _make(u, (x,), (slope,), op, (x,))


def _two(rule, op, x, y):
    x = x if isinstance(x, Node) else _number(x)
    y = y if isinstance(y, Node) else _number(y)
    args = x, y
    u, dx, dy = _apply(rule, op, x, y)
    if not isinstance(x, Node):
        return _make(u, (y,), (dy,), op, args) if isinstance(y, Node) else u
    if not isinstance(y, Node):
        return _make(u, (x,), (dx,), op, args)
    return _make(u, args, (dx, dy), op, args)


def _apply(rule, op, *args):
    """The rule on the values of `args`; an error of arithmetic says where it happened."""
    values = [x._value if isinstance(x, Node) else x for x in args]
    try:
        for u in values:
            if isinstance(u, np.ndarray):
                return _apply_to_arrays(rule, values)
        results = rule(*values)
        for u in results:
            kind = type(u)
            if kind is not int and (
                u - u != 0 if kind is float else _is_formula(u) and u.is_number and not is_finite(u)
            ):
                raise DomainError(NOT_FINITE)
        return results
    except ArithmeticError as error:
        where = op.format(*(_brief(x) for x in args))
        got = " and ".join(f"{_brief(x)} = {_shown(u)}" for x, u in zip(args, values))
        raise DomainError(f"{where}: {error}, got {got}") from None


def _apply_to_arrays(rule, values):
    """The rule entry by entry, where one of the values, or more, is an array."""
    shape = _one_shape(values, "arrays of shapes")
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        value, *slopes = rule(*(float(u) if isinstance(u, (int, Fraction)) else u for u in values))
    if not all(u is None or is_finite(u) for u in (value, *slopes)):
        raise DomainError(NOT_FINITE)
    return value, *(
        np.broadcast_to(np.asarray(0.0 if u is None else u, float), shape) for u in slopes
    )


def _one_shape(values, what):
    """The shape of those values that are arrays, and that the others can be given."""
    shapes = {u.shape for u in values if isinstance(u, np.ndarray)}
    if len(shapes) > 1:
        raise DomainError(
            f"{what} {' and '.join(map(str, sorted(shapes)))}: an entry stands for a "
            "point, so give both one shape"
        )
    for u in values:
        if _is_formula(u):
            raise TypeError(f"an array combines with numbers, got the formula {u!s:.60}")
    return shapes.pop()


def _compared(compare, x, y):
    u, v = x._value, value(y)
    if isinstance(u, np.ndarray) or isinstance(v, np.ndarray):
        _one_shape([u, v], "arrays of shapes")
    return compare(u, v)


# How Nodes are copied: a graph may be deeper than Python can recurse, so nodes go parents first.


class _Sent(set):
    """The Nodes that one copy, or one pickle, has or will have before it needs them.

    It is part of what is copied, and so lives as long as the copying: no longer than a memo.
    """

    def __reduce__(self):
        return set, ()


def _born_anew(sent, before, name, *args):
    return Node(*args, name=name)


def _reached(nodes, found):
    """`nodes` and all that they depend on, parents first, without what was `found` before."""
    new = set(nodes)
    waiting = list(new)
    while waiting:
        for parent in waiting.pop()._parents:
            if parent not in new and parent not in found:
                new.add(parent)
                waiting.append(parent)
    found |= new
    return sorted(new, key=attrgetter("_born"))


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
    kind = type(u)
    if kind is float and u == u or kind is int or kind is Fraction:
        return u
    if isinstance(u, (np.generic, np.ndarray)) and not isinstance(u, np.ma.MaskedArray):
        if u.dtype.kind in "fiub":
            if np.ndim(u):
                return _array(u)
            return _number(float(u) if u.dtype.kind == "f" else int(u))
    elif isinstance(u, (float, int, Fraction)):
        if u != u:
            raise DomainError(f"{NAN}, got {u!r}")
        plain = next(kind for kind in (float, int, Fraction) if isinstance(u, kind))
        return plain(u)  # no subclass: it would compute in its own way
    elif _is_formula(u) and getattr(u, "is_commutative", False):
        if u in (sys.modules["sympy"].nan, sys.modules["sympy"].zoo):
            raise DomainError(f"{NAN}, got {u}")
        return u
    got = f"an array of {u.dtype}" if kind is np.ndarray else kind.__name__
    raise TypeError(
        f"a Node combines with a Node or a number, got {got}: {_shown(u)}; an array must hold real "
        "numbers, none of them masked, and its entries are then computed side by side; use "
        "companion.network for layers"
    )


def _array(u):
    u = np.array(u, dtype=float)  # no subclass either
    if np.isnan(u).any():
        raise DomainError(f"{NAN}, got {_shown(u)}")
    u.flags.writeable = False
    return u


def _must_be_node(x):
    if not isinstance(x, Node):
        raise TypeError(f"a graph is made of Nodes, got {type(x).__name__}: {_shown(x)}")


def _brief(x):
    """A name, or a value, in a few characters."""
    if not isinstance(x, Node):
        return f"{x:.6g}" if isinstance(x, float) else f"{_written(x):.30}"
    return x._name or _brief(x._value)


def _shown(x):
    return f"{_written(x, repr):.60}"


def _written(x, write=str):
    try:
        return write(x)
    except ValueError:  # Python does not write whole numbers of thousands of digits
        return f"<{type(x).__name__} of too many digits to write>"
