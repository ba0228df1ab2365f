"""Both sweeps, on random programs and on large ones, before judges that know nothing of graphs."""

import itertools
import math
import pathlib
import subprocess
import sys
import weakref
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings

from companion.check import adjoint_gap, central_difference, complex_step, relative_error
from companion.graph import DomainError, Node, exp, in_order, maximum, relu, sin
from companion.sweep import Path, adjoints, count_paths, paths, tangents, trace_table
from tests.programs import FORMULAS, NODES, NUMBERS, RATIONAL, SMOOTH, WITH_KINKS, programs, run

ROOT = pathlib.Path(__file__).parents[1]
steady = settings(derandomize=True, deadline=None, database=None, max_examples=60)
POINTS = st.lists(st.integers(-8, 8).map(lambda n: n / 4), min_size=1, max_size=3)
LARGEST, STEEPEST, MOST_PATHS = 30, 300, 2000  # larger ones are left to the tests by hand


def steepness(output, inputs):
    """The sum over all paths of |product|: what the rounding of a derivative is relative to."""
    return max(sum(abs(path.product) for path in paths(output, x)) for x in inputs)


def tame(program, point):
    """The program on Nodes, where numbers are small enough for judges that round or step."""
    inputs = [Node(float(p)) for p in point]
    try:
        output = run(NODES, program, inputs)
    except DomainError:  # an overflow
        assume(False)
    order = in_order(output)
    assume(all(abs(node.value) < LARGEST for node in order))
    assume(all(count_paths(output, x) < MOST_PATHS for x in inputs))
    assume(steepness(output, inputs) < STEEPEST)
    return inputs, output, 1 + steepness(output, inputs)


def far_from_kinks(output):
    def gap(node):
        u, v = [getattr(a, "value", a) for a in (*node.args, 0)][:2]
        return 1 if node.args[0] is node.args[-1] and len(node.args) == 2 else abs(u - v)

    kinks = [n for n in in_order(output) if n.op.startswith(("abs", "relu", "max", "min"))]
    return all(gap(node) > 1e-3 for node in kinks)


def gradient(output, inputs):
    bar = adjoints(output)
    return np.array([bar.get(x, 0) for x in inputs])


# Random programs.


@steady
@given(programs(SMOOTH, 10), POINTS)
def test_complex_step_agrees(program, point):
    inputs, output, scale = tame(program, point)
    judge = complex_step(lambda x: run(NUMBERS, program, x) + 0j, point)
    assert abs(output.value - run(NUMBERS, program, point)) < 1e-12 * LARGEST
    np.testing.assert_allclose(gradient(output, inputs), judge, rtol=0, atol=1e-10 * scale)


@steady
@given(programs(WITH_KINKS, 10), POINTS)
def test_central_difference_agrees(program, point):
    inputs, output, scale = tame(program, point)
    assume(far_from_kinks(output))
    judge = central_difference(lambda x: run(NUMBERS, program, x), point)
    np.testing.assert_allclose(gradient(output, inputs), judge, rtol=0, atol=1e-6 * scale)


@settings(steady, max_examples=25)
@given(programs(SMOOTH, 5), POINTS)
def test_sympy_agrees(program, point):
    inputs, output, scale = tame(program, point)
    X = sympy.symbols(f"x:{len(point)}", real=True)
    formula = sympy.sympify(run(FORMULAS, program, X, quarter=sympy.Rational(1, 4)))
    at = dict(zip(X, map(sympy.Rational, point)))
    judge = [float(formula.diff(x).subs(at).evalf(20)) for x in X]
    np.testing.assert_allclose(gradient(output, inputs), judge, rtol=0, atol=1e-10 * scale)


@settings(steady, max_examples=25)
@given(programs(SMOOTH, 5), POINTS)
def test_formulas_come_from_the_same_program(program, point):
    """Nodes that hold symbols: their adjoint is the derivative as a formula."""
    inputs, output, scale = tame(program, point)
    symbols = sympy.symbols(f"x:{len(point)}", real=True)
    X = [Node(symbol) for symbol in symbols]
    y = run(NODES, program, X, quarter=sympy.Rational(1, 4))
    at = dict(zip(symbols, map(sympy.Rational, point)))
    exact = [float(sympy.sympify(g).subs(at).evalf(20)) for g in gradient(y, X)]
    np.testing.assert_allclose(gradient(output, inputs), exact, rtol=0, atol=1e-10 * scale)


@steady
@given(programs(RATIONAL, 6), POINTS)
def test_fractions_are_exact_by_every_route(program, point):
    """Reverse mode, forward mode, paths and SymPy: equal, not approximately equal."""
    inputs = [Node(Fraction(p)) for p in point]
    y = run(NODES, program, inputs, quarter=Fraction(1, 4))
    assume(all(count_paths(y, x) < MOST_PATHS for x in inputs))
    assume(len(str(y.value)) < 400)
    X = sympy.symbols(f"x:{len(point)}")
    formula = run(FORMULAS, program, X, quarter=sympy.Rational(1, 4))
    at = dict(zip(X, map(sympy.Rational, point)))
    used = set(in_order(y))
    assert type(y.value) is Fraction and y.value == formula.subs(at)
    for x, symbol in zip(inputs, X):
        exact = formula.diff(symbol).subs(at)
        assert adjoints(y).get(x, 0) == exact
        assert sum(path.product for path in paths(y, x)) == exact
        assert x not in used or tangents(y, {x: 1})[y] == exact


@steady
@given(programs(WITH_KINKS, 10), POINTS, st.lists(st.integers(-4, 4), min_size=3, max_size=3))
def test_the_two_modes_are_transposes(program, point, directions):
    """y dot for any seed is the sum of adjoint times seed, at every kink as well."""
    inputs, output, scale = tame(program, point)
    used = set(in_order(output))
    seed = {x: float(s) for x, s in zip(inputs, directions) if x in used}
    bar, dot = adjoints(output), tangents(output, seed)
    assert set(bar) == set(dot) == set(used)
    assert abs(dot[output] - sum(bar[x] * s for x, s in seed.items())) < 1e-11 * scale


@steady
@given(programs(WITH_KINKS, 8), POINTS)
def test_every_adjoint_is_a_sum_over_paths(program, point):
    """Of every node, computed ones too, and against an enumeration by recursion."""
    _, output, scale = tame(program, point)

    def products(node, source):
        uses = zip(node.parents, node.partials)
        below = [partial * p for parent, partial in uses for p in products(parent, source)]
        return [1] if node is source else below

    bar = adjoints(output)
    for node in in_order(output):
        found = list(paths(output, node))
        assert count_paths(output, node) == len(found) == len(products(output, node))
        sizes = sorted(float(path.product) for path in found)
        assert np.allclose(sizes, sorted(map(float, products(output, node))), rtol=1e-12)
        assert abs(sum(path.product for path in found) - bar[node]) < 1e-11 * scale
        for path in found:
            assert path.nodes[0] is node and path.nodes[-1] is output
            assert all(p in set(child.parents) for p, child in itertools.pairwise(path.nodes))


@steady
@given(programs(WITH_KINKS, 10), st.lists(POINTS.filter(lambda p: len(p) == 3), max_size=4))
def test_arrays_are_computed_entry_by_entry(program, points):
    points = [[0.5, -1.25, 2.0], *points]
    runs = [tame(program, point) for point in points]
    assume(all(far_from_kinks(output) for _, output, _ in runs))
    X = [Node(np.array(column)) for column in zip(*points)]
    Y = run(NODES, program, X)
    bar, shape = adjoints(Y), (len(points),)
    for k, (inputs, output, scale) in enumerate(runs):
        assert abs(np.broadcast_to(Y.value, shape)[k] - output.value) < 1e-12 * LARGEST
        for x, a in zip(inputs, X):
            exact = adjoints(output).get(x, 0)
            assert abs(np.broadcast_to(bar.get(a, 0), shape)[k] - exact) < 1e-10 * scale
            if a in bar:
                tangent = np.broadcast_to(tangents(Y, {a: 1})[Y], shape)[k]
                assert abs(tangent - exact) < 1e-10 * scale


def test_the_judges_see_a_wrong_partial():
    def broken_square(x):
        return Node(x.value**2, (x,), (x.value,), "square")  # dv/dx is 2x, not x

    x = Node(3.0)
    numeric = central_difference(lambda t: t**2, 3.0)
    assert relative_error(adjoints(x * x)[x], numeric) < 1e-9
    assert relative_error(adjoints(broken_square(x))[x], numeric) > 0.4
    J = np.array([adjoints(sin(x) * x)[x]])
    assert adjoint_gap(lambda u: J * u, lambda v: J * v, [2.0], [3.0]) < 1e-15
    assert adjoint_gap(lambda u: J * u, lambda v: -J * v, [2.0], [3.0]) > 1


# Too large for a float.


def dead_end(kind):
    x = Node(kind(-1.0))
    v = relu(x) * 1e-300
    for _ in range(310):
        v = v * 10.0
    return x, v


@pytest.mark.parametrize("kind", [float, lambda u: np.array([u, u / 2])], ids=["float", "array"])
def test_an_overflow_says_where_and_never_leaves_nan(kind):
    x, y = dead_end(kind)
    with pytest.raises(DomainError, match=r"the adjoint of Node\(.* \* 10\) is too large for a"):
        adjoints(y)
    with pytest.raises(DomainError, match=r"product of partials from the output back to Node\("):
        list(paths(y, x))
    slopes = np.where(np.asarray(x.value) < 0, 0, 1e10)
    np.testing.assert_allclose(tangents(y, {x: 1})[y], slopes, rtol=1e-12, atol=0)
    x = Node(kind(1e-300))
    y = x * 1e-10 * 1e200 * 1e200 * 0
    with pytest.raises(DomainError, match=r"the tangent of Node\(.* 1e\+200\) is too large for a"):
        tangents(y, {x: 1})
    assert np.all(adjoints(y)[x] == 0)
    with pytest.raises(DomainError, match="the tangent of Node"):
        tangents(y, {x: math.inf})


def test_whole_numbers_too_large_for_a_float():
    x = Node(1)
    y = Node(0.5, (x * 10**400,), (0.25,), "by hand({})")
    with pytest.raises(DomainError, match=r"the adjoint of Node\(1\) is too large for a float"):
        adjoints(y)
    with pytest.raises(DomainError, match=r"the tangent of Node\(0.5 = by hand.* is too large"):
        tangents(y, {x: 1})


FACTORS = st.lists(st.sampled_from([0, 0.0, -1e200, 1e200, 1e300, 3.0, "relu", "+"]), max_size=9)


@settings(steady, max_examples=100)
@given(st.sampled_from([0.0, -1.0, 1e-300, 1e-100]), FACTORS)
def test_the_modes_agree_or_say_where(start, factors):
    """Products that leave the range of floats: the exact product, rounded, or a DomainError."""
    x = v = Node(start)
    exact = Fraction(1)
    try:
        for c in factors:
            v = relu(v) if c == "relu" else v + v if c == "+" else v * c
            exact *= sum(map(Fraction, v.partials))
    except DomainError:
        assume(False)
    for sweep in (lambda: adjoints(v)[x], lambda: tangents(v, {x: 1})[v]):
        try:
            slope = sweep()
        except DomainError as error:
            assert "is too large for a float" in str(error)
        else:
            assert slope == pytest.approx(float(exact), rel=1e-12, abs=0)


def test_what_is_computed_with_adjoints_forgets_them():
    """d/dx of x * d(x^3)/dx is 9 x^2. Formulas see that; numbers lose the term of the sweep."""
    x, s = Node(2.0), sympy.Symbol("s")
    y = x * adjoints(x**3)[x]
    assert y.value == 24 and adjoints(y)[x] == 12
    symbolic = Node(s)
    formula = adjoints(symbolic**3)[symbolic]
    z = Node(2.0)
    again = z * sympy.lambdify(s, formula)(z)
    assert again.value == 24 and adjoints(again)[z] == 36
    with pytest.raises(TypeError, match="a rate is a plain number, got Node"):
        tangents(x * 2, {x: Node(1.0)})


# What the sweeps take and return.


def test_an_adjoint_or_a_tangent_for_every_node():
    x, unused = Node(3.0), Node(4.0)
    square = x * x
    y = square * x
    assert adjoints(y) == {y: 1, square: 3.0, x: 27.0}
    assert tangents(y, {x: 2}) == {x: 2, square: 12.0, y: 54.0}
    assert unused not in adjoints(y)
    assert adjoints(x) == {x: 1} and tangents(x, {}) == {x: 0}


def test_nothing_is_stored_so_a_second_call_says_the_same():
    x = Node(3.0)
    y = exp(x * x) * x
    first = adjoints(y)
    assert adjoints(y) == first and tangents(y, {x: 1}) == tangents(y, {x: 1})
    first[x] = 0.0
    assert adjoints(y)[x] != 0.0


def test_a_parent_used_many_times_counts_every_use():
    x = Node(3.0)
    v = x
    for _ in range(10_000):
        v = v + x
    assert adjoints(v)[x] == tangents(v, {x: 1})[v] == count_paths(v, x) == 10_001


def test_seeding_a_computed_node_adds_to_its_rate():
    x = Node(3.0)
    square = x * x
    y = square * 5 + x
    assert tangents(y, {square: 1})[y] == 5.0
    assert tangents(y, {square: 1, x: 1})[square] == 7.0
    assert tangents(y, {square: 1, x: 1})[y] == 36.0


def test_a_seed_may_be_a_fraction_a_formula_or_an_array():
    x, s = Node(2), sympy.Symbol("s")
    assert tangents(x * x, {x: Fraction(1, 3)})[x] == Fraction(1, 3)
    assert list(tangents(x * x, {x: Fraction(1, 3)}).values())[-1] == Fraction(4, 3)
    assert list(tangents(x * x, {x: s}).values())[-1] == 4 * s
    A = Node(np.array([1.0, 2.0]))
    y = A * x
    assert tangents(y, {A: np.array([1.0, 10.0])})[y].tolist() == [2.0, 20.0]


def test_a_scalar_among_arrays_has_one_derivative_for_each_point():
    points = np.array([1.0, 2.0, 4.0])
    w = Node(3.0)
    y = w * points + w  # the second use meets an array later
    assert adjoints(y)[w].tolist() == tangents(y, {w: 1})[y].tolist() == [2.0, 3.0, 5.0]


@pytest.mark.parametrize(
    "f",
    [
        lambda X, w, b: w * X + b,
        lambda X, w, b: X * w - b,
        lambda X, w, b: (w + b) * X,
        lambda X, w, b: b * b + w * X,
        lambda X, w, b: maximum(b, X) * 1 + w,
        lambda X, w, b: w + X - (b - w),
    ],
)
@pytest.mark.parametrize("point", [[1.0, 2.0, 4.0], [[1.0, 2.0], [3.0, 5.0]], [3.0], []])
def test_a_shared_scalar_has_one_adjoint_for_each_point(f, point):
    """As many graphs side by side, each with its own scalars, by every route."""
    X, w, b = Node(np.array(point)), Node(2.0), Node(3.0)
    y = f(X, w, b)
    bar, shape = adjoints(y), np.shape(point)
    for k, number in np.ndenumerate(np.array(point)):
        alone = [Node(float(number)), Node(2.0), Node(3.0)]
        exact = adjoints(f(*alone))
        for shared, single in zip((X, w, b), alone):
            dot = tangents(y, {shared: 1})
            assert bar[shared][k] == dot[y][k] == exact[single]
            assert np.sum([path.product[k] for path in paths(y, shared)]) == exact[single]
            assert all(np.shape(dot[node]) == np.shape(node.value) for node in dot)
            assert type(dot[shared]) is (np.ndarray if shared is X else int)
    assert all(np.shape(number) == shape for number in bar.values())
    assert np.all(adjoints(X)[X] == np.ones(shape)) and np.shape(tangents(X, {})[X]) == shape
    assert np.shape(next(paths(X, X)).product) == shape


def test_a_seed_of_another_shape_is_refused():
    X, w = Node(np.ones(3)), Node(2.0)
    for seed in ({X: np.ones((3, 1))}, {w: np.ones(2)}, {X: np.ones(3), w: np.ones(1)}):
        with pytest.raises(DomainError, match="a seed and values of shapes .* an entry stands"):
            tangents(X * w, seed)
    assert tangents(X * w, {w: np.array([1.0, 0.0, 2.0])})[w].tolist() == [1, 0, 2]


def test_adjoints_are_arrays_of_their_own():
    a = Node(np.array([1.0, 2.0]))
    y = a * a + a
    adjoints(y)[a][:] = 7
    assert y.value.tolist() == [2.0, 6.0] and adjoints(y)[a].tolist() == [3.0, 5.0]


@pytest.mark.parametrize("used", [True, False])
def test_a_seed_outside_the_graph_is_refused(used):
    x, other = Node(2.0, name="x"), Node(1.0, name="other")
    y = x * 3
    seed = {x: 1, other: 1} if used else {other: 1}
    with pytest.raises(ValueError, match=r"does not depend on Node\(1.0, name='other'\): seed one"):
        tangents(y, seed)
    with pytest.raises(ValueError, match="does not depend on Node"):
        trace_table(y, seed)
    with pytest.raises(ValueError, match="does not depend on Node"):
        tangents(y, {y * 2: 1})  # made of y, not part of it


def test_what_is_no_graph_and_no_seed_is_refused():
    x = Node(2.0)
    for wrong in (3.0, None, (x, x), [x]):
        for sweep in (
            adjoints,
            trace_table,
            lambda y: tangents(y, {x: 1}),
            lambda y: count_paths(y, x),
            lambda y: list(paths(y, x)),
        ):
            with pytest.raises(TypeError, match="a graph is made of Nodes, got"):
                sweep(wrong)
    for count in (count_paths, lambda y, source: list(paths(y, source))):
        with pytest.raises(TypeError, match="a graph is made of Nodes, got float: 2.0"):
            count(x * 2, 2.0)
    with pytest.raises(TypeError, match=r"a seed is a dict such as {x: 1}, got list: \[Node"):
        tangents(x * 2, [x])


# Paths.


def test_paths_with_their_nodes_and_products():
    x = Node(3.0)
    double = 2 * x
    y = double * x + x
    product = y.parents[0]
    assert list(paths(y, x)) == [
        Path((x, double, product, y), 6.0),
        Path((x, product, y), 6.0),
        Path((x, y), 1),
    ]
    assert list(paths(x, x)) == [Path((x,), 1)] and count_paths(x, x) == 1


def test_there_is_no_path_from_what_was_not_used():
    x, y = Node(1.0), Node(2.0)
    assert count_paths(x * 2, y) == 0 and list(paths(x * 2, y)) == []
    assert count_paths(x, x * 2) == 0 and list(paths(x, x * 2)) == []  # not backwards either


def diamonds(count, x):
    for _ in range(count):
        x = x + x
    return x


def test_very_many_paths_are_counted_without_listing_them():
    x = Node(1)
    y = diamonds(60, x)
    assert count_paths(y, x) == 2**60 == adjoints(y)[x] == tangents(y, {x: 1})[y]
    assert count_paths(diamonds(100, x) + x, x) == 2**100 + 1  # no float counts that far


def test_a_grid_has_binomially_many_paths():
    side = 12
    corner = Node(1)
    row = [corner] * (side + 1)
    for _ in range(side):
        row = list(itertools.accumulate(row[1:], lambda left, up: left + up, initial=corner * 1))
    assert count_paths(row[-1], corner) == adjoints(row[-1])[corner] == math.comb(2 * side, side)


def test_paths_come_one_at_a_time():
    x = Node(1)
    found = paths(diamonds(60, x), x)
    assert [path.product for path in itertools.islice(found, 5)] == [1] * 5
    assert len(next(found).nodes) == 61


def test_paths_do_not_wander_where_the_source_is_not():
    """2^60 paths lead to `other`; the one that leads to x comes at once."""
    x, other = Node(1), Node(1)
    y = diamonds(60, other) + x
    assert [path.nodes for path in paths(y, x)] == [(x, y)]


# The table.


def test_trace_table_by_hand():
    x, w = Node(0.5, name="x"), Node(-2.0, name="w")
    y = (maximum(w * x, -3) - Fraction(1, 2)).named("y")
    table = """
node  formula          value  tangent  adjoint
x                        0.5        1       -2
w                         -2        0      0.5
v1    w * x               -1       -2        1
v2    maximum(v1, -3)     -1       -2        1
y     v2 - 1/2          -1.5       -2        1"""
    assert trace_table(y, {x: 1}) == table[1:]
    without = [line.split()[-2:] for line in trace_table(y).splitlines()]
    assert trace_table(y, {}).splitlines()[-1].split()[-2:] == ["0", "1"]  # all inputs stand still
    assert without[0] == ["value", "adjoint"] and without[-1] == ["-1.5", "1"]


def test_trace_table_gives_no_name_twice():
    """A node that is called v1 keeps its name, and the nameless ones get others."""
    y = Node(1.0, name="v1") * 2 + Node(3.0)
    names = [line.split()[0] for line in trace_table(y).splitlines()[1:]]
    assert sorted(names) == ["v1", "v2", "v3", "v4"] and names[0] == "v1"


def test_trace_table_rounds_to_digits_and_shows_every_kind_of_number():
    x, s = Node(2.0), sympy.Symbol("s")
    assert "1.41" in trace_table(x**0.5, digits=3) and "1.414" not in trace_table(x**0.5, digits=3)
    assert "1.4142136" in trace_table(x**0.5, digits=8)
    assert trace_table(-Node(0.0)).splitlines()[-1].split()[2] == "0"  # no -0
    square = Node(s)
    assert trace_table(square * square).splitlines()[1].split() == ["v1", "s", "2*s"]
    assert trace_table(Node(Fraction(1, 3)) * 1).splitlines()[1].split() == ["v1", "1/3", "1"]
    table = trace_table(Node(np.arange(100.0)) * Node(0.5))
    assert "[ 0.  1.  2. ... 97. 98. 99.]" in table and "0.5" in table


# Large graphs.


MILLION = 1_000_000


def chain():
    """v <- x - v, again and again: neither the sweeps recurse, nor printing, nor freeing."""
    x = Node(1.0)
    first = v = Node(0.25)
    for _ in range(MILLION):
        v = x - v
    assert v.value == 0.25 and repr(v) == "Node(0.25 = 1 - 0.75)"
    bar = adjoints(v)
    assert len(bar) == MILLION + 2 and bar[first] == 1 and bar[x] == 0
    assert tangents(v, {first: 3, x: 5})[v] == 3
    freed = weakref.ref(first)
    del bar, first, x, v
    assert freed() is None


def wide():
    inputs = tuple(Node(1.0) for _ in range(MILLION))
    y = Node(float(MILLION), inputs, (2,) * MILLION, "sum") * 1
    bar = adjoints(y)
    assert len(bar) == MILLION + 2 and all(bar[x] == 2 for x in inputs)
    assert tangents(y, dict.fromkeys(inputs, 1))[y] == 2 * MILLION
    assert count_paths(y, inputs[-1]) == 1


@pytest.mark.parametrize("work", [chain, wide], ids=lambda work: work.__name__)
def test_a_million_nodes(work):
    """In a process of its own, where no tracer slows it down and no collector looks for cycles."""
    code = f"import gc; gc.disable(); import tests.test_sweep as t; t.{work.__name__}()"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert run.returncode == 0, run.stderr


def test_one_long_path_and_a_long_table():
    x = Node(0.5)
    v = x
    for _ in range(10_000):
        v = relu(v)
    (path,) = paths(v, x)
    assert len(path.nodes) == 10_001 and path.product == 1
    assert len(trace_table(v).splitlines()) == 10_002


def test_a_long_chain_of_factors():
    """The derivative of 1.0001 ** k * x is 1.0001 ** k."""
    x = Node(1.0)
    v = x
    for _ in range(10_000):
        v = v * 1.0001
    assert adjoints(v)[x] == pytest.approx(math.exp(10_000 * math.log1p(1e-4)), rel=1e-9, abs=0)
