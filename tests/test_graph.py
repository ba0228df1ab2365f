"""Nodes: every primitive before SymPy, ties, errors that say where, and what meets what."""

import copy
import math
import operator
import pickle
import subprocess
import sys
import weakref
from fractions import Fraction

import numpy as np
import pytest
import sympy

from companion.graph import (
    DomainError,
    Node,
    cos,
    exp,
    in_order,
    log,
    maximum,
    minimum,
    relu,
    sigmoid,
    sin,
    sqrt,
    tanh,
    value,
)
from companion.sweep import adjoints, tangents

X, Y = sympy.symbols("x y", real=True)
ONE = {  # name: (on a Node, in SymPy, points)
    "-x": (lambda x: -x, -X, [-2.0, 0.5]),
    "abs": (abs, sympy.Abs(X), [-2.0, 0.5]),
    "exp": (exp, sympy.exp(X), [-3.0, 0.0, 2.5]),
    "log": (log, sympy.log(X), [0.01, 1.0, 30.0]),
    "sqrt": (sqrt, sympy.sqrt(X), [0.01, 1.0, 30.0]),
    "sin": (sin, sympy.sin(X), [-1.0, 0.0, 2.0]),
    "cos": (cos, sympy.cos(X), [-1.0, 0.0, 2.0]),
    "tanh": (tanh, sympy.tanh(X), [-20.0, -1.0, 0.0, 0.3, 15.0]),
    "sigmoid": (sigmoid, 1 / (1 + sympy.exp(-X)), [-30.0, -1.0, 0.0, 0.3, 35.0]),
    "relu": (relu, sympy.Max(0, X), [-1.5, 2.5]),
    "x ** 2": (lambda x: x**2, X**2, [-3.0, 0.0, 2.0]),
    "x ** -3": (lambda x: x**-3, X**-3, [-3.0, 2.0]),
    "x ** 0": (lambda x: x**0, X**0, [-3.0, 0.0, 2.0]),
    "x ** 1": (lambda x: x**1, X, [-3.0, 0.0, 2.0]),
    "x ** 0.5": (lambda x: x**0.5, sympy.sqrt(X), [0.25, 2.0]),
    "x ** 1.5": (lambda x: x**1.5, X ** sympy.Rational(3, 2), [0.0, 2.0]),
    "3 ** x": (lambda x: 3**x, 3**X, [-2.0, 0.0, 1.5]),
    "x ** x": (lambda x: x**x, X**X, [0.5, 2.0]),
    "3 / x": (lambda x: 3 / x, 3 / X, [-2.0, 0.5]),
    "x / 3": (lambda x: x / 3, X / 3, [-2.0, 0.5]),
    "3 - x": (lambda x: 3 - x, 3 - X, [-2.0, 0.5]),
    "x - 3": (lambda x: x - 3, X - 3, [-2.0, 0.5]),
}
TWO = {
    "x + y": (lambda x, y: x + y, X + Y),
    "x - y": (lambda x, y: x - y, X - Y),
    "x * y": (lambda x, y: x * y, X * Y),
    "x / y": (lambda x, y: x / y, X / Y),
    "x ** y": (lambda x, y: x**y, X**Y),
    "maximum": (maximum, sympy.Max(X, Y)),
    "minimum": (minimum, sympy.Min(X, Y)),
}


def exact(formula, x, y=0):
    point = {X: sympy.Rational(x), Y: sympy.Rational(y)}
    return float(sympy.sympify(formula).subs(point).evalf(30))


@pytest.mark.parametrize("f, formula, points", ONE.values(), ids=ONE)
def test_a_primitive_of_one_argument(f, formula, points):
    """Value and slope, for floats, formulas and arrays. Both uses of x ** x have a share."""
    for point in points:
        y = f(Node(point))
        assert y.value == pytest.approx(exact(formula, point), rel=1e-14, abs=0)
        slope = sum(y.partials)
        assert slope == pytest.approx(exact(sympy.diff(formula, X), point), rel=1e-14, abs=0)
        symbolic = f(Node(X))
        assert exact(symbolic.value, point) == pytest.approx(y.value, rel=1e-14, abs=0)
        assert exact(sum(symbolic.partials), point) == pytest.approx(slope, rel=1e-14, abs=0)
    array = f(Node(np.array(points)))
    assert array.value.tolist() == pytest.approx(
        [f(Node(p)).value for p in points], rel=1e-14, abs=0
    )
    slopes = np.broadcast_to(sum(array.partials), len(points))
    assert slopes.tolist() == pytest.approx(
        [sum(f(Node(p)).partials) for p in points], rel=1e-14, abs=0
    )


@pytest.mark.parametrize("f, formula", TWO.values(), ids=TWO)
@pytest.mark.parametrize("x, y", [(2.0, 3.0), (3.0, -2.0), (0.5, 0.25)])
def test_a_primitive_of_two_arguments(f, formula, x, y):
    node = f(Node(x), Node(y))
    wanted = [exact(formula, x, y), *(exact(formula.diff(v), x, y) for v in (X, Y))]
    assert [node.value, *node.partials] == pytest.approx(wanted, rel=1e-14, abs=0)
    assert f(Node(x), y).partials == node.partials[:1]  # a plain number is no parent
    assert f(x, Node(y)).partials == node.partials[1:]
    assert f(Node(x), y).value == f(x, Node(y)).value == node.value
    arrays = f(Node(np.array([x, x])), Node(np.array([y, y])))
    assert arrays.value.tolist() == [node.value] * 2
    assert [np.broadcast_to(d, 2).tolist() for d in arrays.partials] == [
        [d] * 2 for d in node.partials
    ]


def test_slopes_keep_their_digits_far_out():
    """Where tanh and the sigmoid are flat, 1 - t^2 and s (1 - s) would be 0."""
    for u in (-700.0, -40.0, 40.0, 300.0):
        assert sigmoid(Node(u)).partials[0] == pytest.approx(math.exp(-abs(u)), rel=1e-13, abs=0)
        assert tanh(Node(u / 2)).partials[0] == pytest.approx(
            4 * math.exp(-abs(u)), rel=1e-13, abs=0
        )
    for u in (-1e6, 1e6):
        assert sigmoid(Node(u)).value == (u > 0) and sigmoid(Node(u)).partials == (0.0,)
        assert tanh(Node(u)).value == math.copysign(1, u) and tanh(Node(u)).partials == (0.0,)
    ends = sigmoid(Node(np.array([-1e6, 1e6])))
    assert ends.value.tolist() == [0.0, 1.0] and ends.partials[0].tolist() == [0.0, 0.0]


# Ties and kinks.


@pytest.mark.parametrize("f", [maximum, minimum])
def test_in_a_tie_the_arguments_share(f):
    x, y = Node(2.0), Node(2)
    assert f(x, y).partials == (0.5, 0.5) and type(f(x, y).value) is float
    assert f(y, x).partials == (0.5, 0.5) and type(f(y, x).value) is int
    assert f(x, 2).partials == f(2, x).partials == f(x, 2.0).partials == (0.5,)
    a = Node(np.array([1.0, 2.0, 3.0]))
    assert f(a, 2.0).partials[0][1] == f(2.0, a).partials[0][1] == 0.5
    assert [d.tolist() for d in f(a, a).partials] == [[0.5] * 3] * 2
    for exact in (y, Node(Fraction(2)), Node(True) + 1):
        for slope in (*f(exact, 2).partials, *f(exact, exact).partials):
            assert slope == Fraction(1, 2) and type(slope) is Fraction
    formula = f(Node(X), Node(Y))
    for point, slopes in [((1, 2), (0, 1)), ((2, 1), (1, 0)), ((2, 2), (Fraction(1, 2),) * 2)]:
        wanted = slopes if f is maximum else slopes[::-1]
        at = dict(zip((X, Y), point))
        assert tuple(d.subs(at) for d in formula.partials) == wanted
        assert formula.value.subs(at) == (max if f is maximum else min)(point)


def test_kinks_that_cancel():
    """The smooth functions log(1 + e^z), with and without -z, |z| and z, at their kinks."""
    for zero in (0.0, 0, -0.0, np.zeros(2)):
        z = Node(zero)
        soft = maximum(z, 0) + log(1 + exp(-abs(z)))
        for y, slope in [
            (soft, 0.5),
            (soft - z * 1.0, -0.5),
            (maximum(z, -z), 0),
            (maximum(z, 0) - maximum(-z, 0), 1),
            (maximum(z, 0) + minimum(z, 0), 1),
            (relu(z) - relu(-z), 0),  # what a convention cannot do, though z has slope 1
            (maximum(maximum(z, 0), 0) - maximum(z, 0), -0.25),  # nor sharing, though this is 0
        ]:
            assert np.all(adjoints(y)[z] == slope) and np.all(tangents(y, {z: 1})[y] == slope)


@pytest.mark.parametrize("zero", [0.0, -0.0, 0, Fraction(0), sympy.Integer(0), np.array([0.0])])
def test_relu_and_abs_are_flat_at_zero(zero):
    for f in (relu, abs):
        assert f(Node(zero)).value == 0 and f(Node(zero)).partials[0] == 0


def test_relu_of_a_formula_keeps_the_convention():
    y = relu(Node(X))
    for point, number, slope in [(-1, 0, 0), (0, 0, 0), (2, 2, 1)]:
        assert y.value.subs(X, point) == number and y.partials[0].subs(X, point) == slope
    assert abs(Node(X)).partials[0].subs(X, 0) == 0


# Where there is no value, or no slope.

BAD = {  # message: what is wrong
    "log(a): log needs a number above 0, got a = -1.0": lambda: log(Node(-1.0, name="a")),
    "log(0): log needs a number above 0, got 0 = 0": lambda: log(0),
    "a / 0: division by 0, got a = 1.0 and 0 = 0": lambda: Node(1.0, name="a") / 0,
    "1 / 0: division by 0, got 1 = 1 and 0 = 0.0": lambda: 1 / Node(0.0),
    "sqrt(0): sqrt needs a number above 0: below it has no value, at 0 an infinite": lambda: sqrt(
        Node(0.0)
    ),
    "sqrt(-4): ": lambda: sqrt(Node(-4.0)),
    "exp(1000): math range error, got 1000 = 1000.0": lambda: exp(Node(1e3)),
    "-8 ** 0.333333: a base below 0 needs a whole exponent, got -8 = -8.0 and 0.333333 = 0.3": (
        lambda: Node(-8.0) ** (1 / 3)
    ),
    "-8 ** 0.333333: the slope with respect to the exponent needs a base above 0": (
        lambda: (-8) ** Node(1 / 3)
    ),
    "-8 ** 3: the slope with respect to the exponent": lambda: Node(-8.0) ** Node(3.0),
    "0 ** -2: the slope with respect to the exponent": lambda: 0 ** Node(-2.0),
    "0 ** 0: the slope with respect to the exponent": lambda: Node(0.0) ** Node(0.0),
    "0 ** 0.4: at 0 the value or its slope is infinite": lambda: Node(0.0) ** Node(0.4),
    "[0. 0.] ** [1. 0.]: the slope with respect": (
        lambda: np.zeros(2) ** Node(np.array([1.0, 0.0]))
    ),
    "0 ** 0.5: at 0 the value or its slope is infinite": lambda: Node(0.0) ** 0.5,
    "0 ** -1: at 0 the value or its slope is infinite": lambda: Node(0.0) ** -1,
    "2 ** 100000: ": lambda: Node(2.0) ** 1e5,
    "1e+200 * 1e+200: the value or a slope is too large": lambda: Node(1e200) * Node(1e200),
    "1 / 1e-200: the value or a slope is too large": lambda: 1 / Node(1e-200),  # only the slope
    "1e+308 + 1e+308: ": lambda: Node(1e308) + 1e308,
    "inf - inf: the value or a slope is too large for a float, or is nan": (
        lambda: Node(math.inf) - Node(math.inf)
    ),
    "log(-1): log needs": lambda: log(Node(sympy.Integer(-1))),
    "1 / 0: division": lambda: 1 / Node(Fraction(0)),
    "[ 1. -1.]": lambda: log(Node(np.array([1.0, -1.0]))),
    "log(a): log needs a number above 0, got a = array([ 1., -1.])": (
        lambda: log(Node(np.array([1.0, -1.0]), name="a"))
    ),
    "1 / [1. 0.]: division by 0": lambda: 1 / Node(np.array([1.0, 0.0])),
    "sqrt([1. 0.]): sqrt needs": lambda: sqrt(Node(np.array([1.0, 0.0]))),
    "a base below 0 needs a whole exponent, got [ 1. -8.] = array": (
        lambda: Node(np.array([1.0, -8.0])) ** (1 / 3)
    ),
    "overflow encountered in exp, got [   1. 1000.] = array([   1., 1000.])": (
        lambda: exp(Node(np.array([1.0, 1e3])))
    ),
    "overflow encountered in multiply": lambda: Node(np.array([1.0, 1e200])) * 1e200,
    "oo - oo: the value or a slope": lambda: Node(sympy.oo) - sympy.oo,
    "[1. 1.] * 1000000": lambda: Node(np.array([1.0, 1.0])) * 10**400,
    "int too large": lambda: Node(0.5) * 10**5000,
}


@pytest.mark.parametrize("message, compute", BAD.items(), ids=BAD)
def test_an_error_says_what_was_computed_of_what(message, compute):
    with pytest.raises(DomainError) as caught:
        compute()
    assert message in str(caught.value)
    assert isinstance(caught.value, ArithmeticError) and isinstance(caught.value, ValueError)


def test_the_edge_of_a_domain_is_inside():
    assert (Node(0.0) ** 1).partials == (1.0,) and (Node(0.0) ** 0).partials == (0.0,)
    assert (Node(0.0) ** 1.5).partials == (0.0,) and (Node(-8.0) ** 3).partials == (192.0,)
    powers = Node(np.array([0.0, 0.0, 2.0, -2.0])) ** np.array([0.0, 1.0, 0.0, 2.0])
    assert powers.value.tolist() == [1.0, 0.0, 1.0, 4.0]
    assert powers.partials[0].tolist() == [0.0, 1.0, 0.0, -4.0]


def test_zero_to_a_power_above_zero_is_flat():
    for zero in (0.0, 0, Fraction(0), sympy.Integer(0), np.zeros(2)):
        y = zero ** Node(0.4)
        assert np.all(y.value == 0) and np.all(y.partials[0] == 0)
    assert [(Node(0.0) ** Node(v)).partials for v in (2.0, 1.0)] == [(0.0, 0.0), (1.0, 0.0)]
    y = np.array([0.0, 2.0]) ** Node(np.array([0.4, 3.0]))
    assert y.value.tolist() == [0, 8] and y.partials[0].tolist() == [0, 8 * math.log(2)]


NANS = [
    math.nan,
    np.float64("nan"),
    np.float32("nan"),
    np.longdouble("nan"),
    np.array(math.nan),
    np.array([1.0, math.nan]),
    np.float32([math.nan]),
    sympy.nan,
    sympy.zoo,
]


@pytest.mark.parametrize("nan", NANS, ids=repr)
def test_nan_is_refused_wherever_it_comes_from(nan):
    x = Node(np.array([1.0, 2.0])) if np.ndim(nan) else Node(2.0)
    attempts = [Node, exp, relu, value, lambda u: Node(1.0, (x,), (u,))]
    attempts += [lambda u: Node(1.0, (x,), (1.0,), "{}", (u,)), lambda u: tangents(x, {x: u})]
    for f in (maximum, minimum, operator.add, operator.mul, operator.pow, operator.lt, operator.ge):
        attempts += [lambda u, f=f: f(x, u), lambda u, f=f: f(u, x)]
    for attempt in attempts:
        with pytest.raises(DomainError, match="nan is not a number"):
            attempt(nan)


@pytest.mark.parametrize(
    "wrong",
    [
        [1.0],
        (1.0,),
        "1",
        None,
        1j,
        {1.0},
        np.array([1j]),
        np.array(["a"]),
        np.array(1j),
        np.complex128(1),
        X > 0,
        np.ma.array([1.0, 2.0], mask=[False, True]),
        np.ma.array([1.0, 2.0]),
        np.ma.masked,
        np.datetime64(1, "s"),
    ],
    ids=lambda wrong: repr(wrong)[:30],
)
def test_what_is_no_number_is_refused_on_either_side(wrong):
    x = Node(2.0)
    attempts = [Node, exp, relu, value, lambda u: maximum(x, u), lambda u: x < u]
    for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        attempts += [lambda u, f=f: f(x, u), lambda u, f=f: f(u, x)]
    for attempt in attempts:
        with pytest.raises(TypeError, match="a Node combines with a Node or a number, got "):
            attempt(wrong)


def test_matrices_and_other_formulas_that_do_not_commute_are_refused():
    x = Node(2.0)
    for wrong in (
        sympy.zeros(2, 2),
        sympy.ImmutableMatrix([[1]]),
        sympy.MatrixSymbol("M", 2, 2),
        sympy.Symbol("q", commutative=False),
    ):
        for attempt in (Node, exp, lambda u: x * u, lambda u: maximum(u, x)):
            with pytest.raises(TypeError, match="a Node combines with a Node or a number, got "):
                attempt(wrong)


def test_an_array_of_nodes_is_refused_on_either_side():
    x = Node(2.0)
    for compute in (
        lambda: np.array([x, x]) * x,
        lambda: x * np.array([x, x]),
        lambda: Node(np.array([x])),
        lambda: Node(x),
    ):
        with pytest.raises(TypeError, match="got (an array of object|Node): .*companion.network"):
            compute()
    with pytest.raises(TypeError):
        np.exp(x)


def test_arrays_of_two_shapes_do_not_meet():
    column, row = np.ones((3, 1)), np.ones(3)
    for compute in (
        lambda: Node(column, name="a") - Node(row, name="b"),
        lambda: Node(column, name="a") - row,
        lambda: maximum(column, Node(row, name="b")),
    ):
        with pytest.raises(ValueError, match=r"arrays of shapes \(3,\) and \(3, 1\): an entry"):
            compute()
    assert (Node(column) - column).value.shape == (3, 1)
    for compare in (operator.lt, operator.ge):
        with pytest.raises(ValueError, match="an entry stands for a point"):
            compare(Node(column), row)
    with pytest.raises(ValueError, match="the value and its partials have shapes"):
        Node(row, (Node(row),), (column,))


def test_an_array_meets_no_formula():
    for compute in (lambda: Node(X) * np.ones(2), lambda: Node(np.ones(2)) + X):
        with pytest.raises(TypeError, match="an array combines with numbers, got the formula x"):
            compute()


def test_every_partial_of_an_array_has_one_entry_for_each_point():
    a, w = Node(np.array([1.0, 2.0, 4.0])), Node(3.0)
    for y in (a + w, w - a, a * w, a / w, a**2, -a, relu(a), maximum(w, a), a**0, 2**a):
        assert all(np.shape(d) == (3,) for d in y.partials)
        with pytest.raises(ValueError, match="read-only"):
            y.partials[0][0] = 7


# What meets what.

NUMBERS = [2.0, 2, Fraction(2), np.float64(2), np.float32(2), np.int64(2), np.array(2.0)]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: type(n).__name__)
@pytest.mark.parametrize("base", [3.0, 3, Fraction(3), np.array([3.0, 3.0])], ids=repr)
def test_numbers_of_every_kind_on_either_side(number, base):
    x = Node(base)
    for f, left, right, slope_left, slope_right in [
        (operator.add, 5, 5, 1, 1),
        (operator.sub, 1, -1, 1, -1),
        (operator.mul, 6, 6, 2, 2),
        (operator.truediv, 3 / 2, 2 / 3, 1 / 2, -2 / 9),
        (operator.pow, 9, 8, 6, 8 * math.log(2)),
        (maximum, 3, 3, 1, 1),
        (minimum, 2, 2, 0, 0),
    ]:
        for node, wanted, slope in [
            (f(x, number), left, slope_left),
            (f(number, x), right, slope_right),
        ]:
            assert type(node) is Node and node.parents == (x,)
            assert np.shape(node.value) == np.shape(base)
            assert np.asarray(node.value, float) == pytest.approx(wanted, rel=1e-15, abs=0)
            assert np.asarray(node.partials[0], float) == pytest.approx(slope, rel=1e-15, abs=0)


@pytest.mark.parametrize("x", [Node(3.0), Node(3), Node(Fraction(3)), Node(X)], ids=repr)
def test_symbols_on_either_side(x):
    s = sympy.Symbol("s", positive=True)
    u = sympy.nsimplify(x.value)
    for f in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        assert sympy.simplify(sympy.nsimplify(f(x, s).value) - f(u, s)) == 0
        assert sympy.simplify(sympy.nsimplify(f(s, x).value) - f(s, u)) == 0
        assert type(f(x, s)) is type(f(s, x)) is Node
    for f, wanted in ((maximum, 5), (minimum, 3)):
        for node in (f(x, s), f(s, x)):
            assert float(node.value.subs({X: 3, s: 5})) == wanted


@pytest.mark.parametrize("right", [np.array([1.0, 2.0]), np.array([1, 2]), np.float32([1, 2])])
def test_arrays_on_either_side(right):
    x = Node(np.array([3.0, 4.0]))
    assert (x * right).value.tolist() == (right * x).value.tolist() == [3, 8]
    assert (x - right).value.tolist() == [2, 2] and (right - x).value.tolist() == [-2, -2]
    assert (right / x).partials[0].tolist() == [-1 / 9, -2 / 16]
    assert (right**x).value.tolist() == [1, 16] and (x**right).value.tolist() == [3, 16]
    assert (x + right).value.dtype == Node(right).value.dtype == float


def test_true_and_false_count_as_one_and_zero():
    x = Node(2.0)
    assert (x + True).value == 3.0 and (False * x).partials == (False,)
    assert (x * np.array([True, False])).value.tolist() == [2.0, 0.0]


def test_exact_numbers_stay_exact():
    x = Node(Fraction(1, 3))
    y = (2 * x + 1) ** 3 / (x - 2) - 4
    assert y.value == Fraction(5, 3) ** 3 / Fraction(-5, 3) - 4 and type(y.value) is Fraction
    assert (Node(7) * 10**40).value == 7 * 10**40
    assert type((Node(3) / 2).value) is float


def test_functions_of_plain_numbers_return_numbers():
    assert exp(0) == 1.0 and log(1.0) == 0.0 and sqrt(4) == 2.0 and relu(-2) == 0
    assert maximum(1, 2) == 2 and minimum(Fraction(1, 2), 3) == Fraction(1, 2)
    assert sin(0) == tanh(0) == 0 and cos(0) == 1 and sigmoid(0) == 0.5
    assert exp(X) == sympy.exp(X) and exp(np.zeros(2)).tolist() == [1.0, 1.0]
    assert value(Node(3.0)) == value(3.0) == 3.0 and type(value(np.float64(3))) is float


def test_a_plain_program_runs_on_every_kind_of_value():
    def f(x):
        return x * x / 2 + Fraction(1, 2) * x

    assert f(Node(Fraction(1, 3))).value == Fraction(2, 9)
    assert f(Node(3.0)).value == 6.0 and f(Node(np.array([3.0, 1.0]))).value.tolist() == [6.0, 1.0]
    assert sympy.expand(f(Node(X)).value) == X**2 / 2 + X / 2


# Nodes as objects.


def test_a_node_cannot_be_changed():
    x = Node(2.0, name="x")
    y = x * 3
    for node in (x, y):
        for name in (
            "value",
            "parents",
            "partials",
            "op",
            "args",
            "name",
            "born",
            "formula",
            "new",
        ):
            with pytest.raises(AttributeError):
                setattr(node, name, 1)
    for name in ("value", "parents", "partials"):
        with pytest.raises(AttributeError):
            delattr(y, name)
    assert (y.value, y.parents, y.partials, y.args) == (6.0, (x,), (3,), (x, 3))


def test_a_node_does_not_change_with_what_it_was_made_of():
    points, weights = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    x, parents = Node(points), [Node(1.0)]
    y, made = x * weights, Node(1.0, parents, [2.0], "twice")
    points[0] = weights[0] = 100
    parents.clear()
    assert x.value.tolist() == [1, 2] and y.value.tolist() == [3, 8]
    assert y.partials[0].tolist() == [3, 4] and len(made.parents) == 1
    with pytest.raises(ValueError, match="read-only"):
        y.value[0] = 0


def test_a_node_keeps_copies_of_what_it_is_applied_to():
    """Not of the value alone: the operands that `args` shows, and partials given by hand."""
    x, weights, slope = Node(np.array([1.0, 2.0])), np.array([3.0, 4.0]), np.array([5.0, 6.0])
    args = [x, weights]
    y, made = x * weights, Node(x.value, [x], [slope], "{} by {}", args)
    weights[0] = slope[0] = 100
    args.clear()
    assert y.args[1].tolist() == made.args[1].tolist() == [3, 4]
    assert made.partials[0].tolist() == [5, 6] and "[3. 4.]" in y.formula
    for kept in (y.args[1], made.args[1], made.partials[0]):
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 0
    locked = np.array([1.0, 2.0])
    locked.flags.writeable = False
    assert (Node(locked) + locked).value.tolist() == [2, 4]
    assert exp(np.zeros(2)).flags.writeable  # a plain array is the caller's


def test_numbers_of_other_classes_become_plain_ones():
    class Half(float):
        def __add__(self, other):
            return 0

    for number, kind in [(Half(0.5), float), (True, int), (np.bool_(True), int)]:
        assert type(Node(number).value) is type((Node(0) + number).args[1]) is kind
    assert type(Node(np.longdouble(2)).value) is float and (Node(1.0) + Half(0.5)).value == 1.5


def test_whole_numbers_of_any_size():
    x = Node(10**5000)
    assert (x * x).value == 10**10_000 and x > 1.5 and adjoints(x * x)[x] == 2 * 10**5000
    for node in (x, x + 1, Node(Fraction(10**5000, 3)) * 2):  # longer than Python writes
        assert "of too many digits" in repr(node) and len(node.formula) < 80


def test_parents_are_nodes():
    with pytest.raises(TypeError, match="a graph is made of Nodes, got float: 2.0"):
        Node(1.0, (2.0,), (1.0,))


def test_one_partial_for_each_parent():
    x = Node(1.0)
    for parents, partials in [((x,), ()), ((), (1.0,)), ((x, x), (1.0,))]:
        counts = f"{len(parents)} parents and {len(partials)} partials: give one"
        with pytest.raises(ValueError, match=counts):
            Node(1.0, parents, partials)


def test_a_node_compares_by_value():
    x, y = Node(2.0), Node(2.0)
    assert x <= y and x >= y and not x < y and not x > y
    assert x < 3 and 3 > x and 1 < x and x > 1 and x <= 2 and x >= 2 and 2 <= x and 2 >= x
    assert not x > 3 and not x <= 1 and not x >= 3 and not x < 2
    assert (Node(np.array([1.0, 3.0])) < x).tolist() == [True, False]
    assert max(Node(1.0), x) is x


OTHERS = [
    0, 2.0, True, None, "x", [2.0], (2.0,), 1j, math.nan, Fraction(2), np.float64(2), np.int64(2),
    np.array(2.0), np.array([2.0, 2.0]), np.ma.masked, sympy.Integer(2), X, Node(2.0), Node(3.0),
]  # fmt: skip


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: repr(other)[:30])
@pytest.mark.parametrize("number", [2.0, Fraction(2), X, np.array([2.0, 2.0])], ids=repr)
def test_equality_is_refused_and_says_what_to_compare(number, other):
    x = Node(number)
    for ask in (
        lambda: x == other,
        lambda: other == x,
        lambda: x != other,
        lambda: other != x,
        lambda: x in [other],
        lambda: [other].index(x),
    ):
        with pytest.raises(TypeError, match="a Node is not its value.*x.value == 0.*x is y"):
            ask()


@pytest.mark.parametrize("number", [0.0, 1.0, 0, Fraction(1), X, np.array([1.0])], ids=repr)
def test_a_node_is_not_true_or_false(number):
    x = Node(number)
    for ask in (
        lambda: bool(x),
        lambda: not x,
        lambda: x or 1,
        lambda: 1 if x else 2,
        lambda: any([x]),
    ):
        with pytest.raises(TypeError, match="not true or false: .*x.value != 0"):
            ask()


def test_nodes_are_keys_each_of_its_own():
    x, y = Node(2.0), Node(2.0)
    assert x == x and not x != x and x in [x] and [x, y] == [x, y] and (x, 1) in {(x, 1): 0}
    assert len({x, y, x}) == 2 and {x: 1, y: 2}[y] == 2 and x not in {y} and x not in {2.0: 1}
    many = [Node(float(k % 7)) for k in range(10_000)]
    place = {node: k for k, node in enumerate(many)}
    assert len(place) == len(many) and all(place[node] == k for k, node in enumerate(many))
    weak = weakref.WeakKeyDictionary({x: "x", y: "y"})
    assert weak[x] == "x" and weak[y] == "y"


def test_repr_names_and_formulas():
    a, b = Node(2.0, name="a"), Node(Fraction(1, 3))
    assert repr(a) == "Node(2.0, name='a')" and repr(b) == "Node(Fraction(1, 3))"
    assert repr(a * b) == "Node(0.6666666666666666 = a * 1/3)"
    assert [f.formula for f in (a + 1, 1 - a, a / 2, 2**a, a**2, -a, abs(a))] == [
        "a + 1", "1 - a", "a / 2", "2 ** a", "a ** 2", "-a", "abs(a)"]  # fmt: skip
    functions = (exp, log, sqrt, sin, cos, tanh, sigmoid, relu)
    assert [f(a).formula for f in functions] == [f"{f.__name__}(a)" for f in functions]
    assert maximum(a, 0).formula == "maximum(a, 0)" and minimum(0, a).formula == "minimum(0, a)"
    assert a.formula == "" and +a is a
    assert len(repr(a + 10**100)) < 200 and len((Node(np.zeros(1000)) + 1).formula) < 50


def test_named_says_the_same_under_a_name():
    a = Node(2.0, name="a")
    y = a * a
    c = y.named("c")
    assert (c.value, c.parents, c.partials, c.op, c.args) == (
        4.0,
        (a, a),
        (2, 2),
        "{} * {}",
        (a, a),
    )
    assert c.name == "c" and y.name == "" and (c + 1).formula == "c + 1"
    assert (3 - a).named("d").args == (3, a) and repr(
        (3 - a).named(5)
    ) == "Node(1.0 = 3 - a, name='5')"


def test_parents_come_first_whatever_the_order_of_use():
    x, y = Node(1.0), Node(2.0)
    late = x * y
    z = (late + x) * (y + late)
    order = in_order(z)
    assert len(order) == len(set(order)) == 6 and order[-1] is z
    place = {node: k for k, node in enumerate(order)}
    for node in order:
        assert all(place[parent] < place[node] for parent in node.parents)
        assert all(parent.born < node.born for parent in node.parents)
    assert in_order([z, x]) == order and in_order(iter([y, late])) == [x, y, late]
    assert in_order([]) == [] and in_order(x) == [x]


@pytest.mark.parametrize("wrong", [3, None, "ab", [Node(1.0), 3]], ids=repr)
def test_an_order_of_what_are_no_nodes_is_refused(wrong):
    with pytest.raises(TypeError, match="a graph is made of Nodes, got (int|NoneType|str): "):
        in_order(wrong)


def test_a_graph_that_was_sent_to_another_process_goes_on_in_order():
    make = (
        "import pickle, sys; from companion.graph import Node; [Node(1.0) for _ in range(1000)]; "
        "x = Node(3.0, name='x'); sys.stdout.buffer.write(pickle.dumps((x, x * x)))"
    )
    sent = subprocess.run([sys.executable, "-c", make], capture_output=True, check=True).stdout
    use = (
        "import pickle, sys; from companion.sweep import adjoints, tangents; "
        "x, y = pickle.loads(sys.stdin.buffer.read()); z = y * y + x; "
        "print(x.name, adjoints(z)[x], tangents(z, {x: 1.0})[z])"
    )
    got = subprocess.run([sys.executable, "-c", use], input=sent, capture_output=True, check=True)
    assert got.stdout.decode().split() == ["x", "109.0", "109.0"]


def test_a_matrix_is_an_array():
    M = Node(np.array([[1.0, 2.0], [3.0, 4.0]]).view(np.matrix))
    assert type(M.value) is np.ndarray
    np.testing.assert_array_equal((M * M).value, [[1, 4], [9, 16]])


COPIES = {
    "pickle": lambda graph: pickle.loads(pickle.dumps(graph)),
    "pickle in Python": lambda graph: pickle.loads(pickle._dumps(graph)),
    "the oldest protocol": lambda graph: pickle.loads(pickle.dumps(graph, 0)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_deep_graph_is_copied_with_its_sharing_and_its_order(copied):
    x = Node(1.0, name="x")
    v = x
    for _ in range(4_000):
        v = v * 0.5 + x
    order, bar = in_order(v), adjoints(v)
    there = copied({"end": v, "begin": x, "all": order, "bar": bar})
    y, again = there["end"], in_order(there["end"])
    assert len(again) == len(order) and again[0] is there["begin"] and again[-1] is y
    assert all(a is b for a, b in zip(again, there["all"])) and not set(again) & set(order)
    assert [n.value for n in again] == [n.value for n in order]
    assert [n.formula for n in again[:5]] == [n.formula for n in order[:5]]
    place, spot = ({n: k for k, n in enumerate(nodes)} for nodes in (order, again))
    for a, b in zip(order, again):
        assert [place[p] for p in a.parents] == [spot[p] for p in b.parents]
    assert adjoints(y)[again[0]] == bar[x] == there["bar"][again[0]]
    assert (
        len(in_order(copied(order[:3])[1])) == 2
    )  # the last copy is forgotten: no more than asked


def test_a_graph_deeper_than_python_recurses():
    """In a process of its own, where no tracer slows it down."""
    code = (
        "import copy, pickle; from companion.graph import Node, in_order\n"
        "v = Node(1.0)\n"
        "for _ in range(20_000): v = -v\n"
        "for w in pickle.loads(pickle.dumps(v)), copy.deepcopy(v), copy.copy(v):\n"
        "    assert w is not v and len(in_order(w)) == 20_001"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr


def test_a_copy_is_as_fixed_as_its_original():
    a = Node(np.array([1.0, 2.0]), name="a")
    y = (a * np.array([3.0, 4.0])).named("y")
    for z in (copy.copy(y), copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert (
            z is not y and z.name == "y" and z.value.tolist() == [3, 8] and z.formula == y.formula
        )
        for array in (z.value, z.args[1], z.partials[0]):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
    assert copy.copy(y).parents[0] is a and copy.deepcopy(y).parents[0] is not a
