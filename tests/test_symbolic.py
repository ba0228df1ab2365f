"""Every equation of the derivation is proved; what is wrong is refused and refuted."""

# ruff: noqa: E731  (formulas have names here, as in the book)
import importlib.metadata
import random
import re
import subprocess
import sys
from fractions import Fraction

import pytest
import sympy as sp
from sympy import (
    BlockMatrix,
    Function,
    HadamardProduct,
    Identity,
    KroneckerDelta,
    Lambda,
    MatAdd,
    OneMatrix,
    Piecewise,
    S,
    Sum,
    Symbol,
    Trace,
    ZeroMatrix,
    exp,
    hadamard_product,
    log,
    symbols,
    tanh,
)
from sympy.matrices.expressions.diagonal import DiagMatrix
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.tensor.array.expressions import ArrayContraction, ArraySymbol, ArrayTensorProduct
from sympy.tensor.array.expressions.arrayexpr_derivatives import array_derive
from sympy.tensor.array.expressions.from_array_to_matrix import convert_array_to_matrix

from companion.symbolic import (
    ProofError,
    activation,
    derivative,
    entry,
    function_of,
    indices,
    latex,
    matrix,
    normal,
    normal_form,
    prove,
    refute,
    same,
    sum_over,
    vector,
    widths,
)

n, m, r, N = widths("n m r N")
i, j, k, p, q = indices("i j k p q")
sigma = activation()
slope = sigma.prime()
t, u, v = symbols("t u v")

W, W_up = matrix("W^l", m, n), matrix("W^{l+1}", r, m)
a, b, z, y = vector("a", n), vector("b", m), vector("z", m), vector("y", m)
delta, delta_up, g = vector("delta", m), vector("delta^{l+1}", r), vector("g", m)


x_, z_ = vector("x", n), vector("z", n)
V = matrix("V", n, n)
f, C = Function("f"), Function("C")


def one_if_equal(i, j, n):
    return KroneckerDelta(i, j, (0, n - 1))


def gradient(f, x):
    """The entries of the gradient of f by a vector or matrix x, and its shape, as a function."""
    return lambda *where: derivative(f, x[where] if len(where) == 2 else x[where[0], 0])


# name: (left, right, wrong variants of the right)
STATEMENTS = {}


def jacobians():
    J, G, x, s = matrix("J", m, n), matrix("G", n, r), vector("x", n), vector("s", r)
    f = lambda i: function_of(lambda k: x[k, 0], n, lambda k: J[i, k])
    C = function_of(f, m, lambda i: g[i, 0])
    inner = lambda k: function_of(lambda c: s[c, 0], r, lambda c: G[k, c])
    f_of_inner = function_of(inner, n, lambda k: J[i, k])
    z_i = entry(W * a + b, i)
    yield (
        "chain rule",
        derivative(C, x[p, 0]),
        entry(J.T * g, p),
        [g[p, 0] * sum_over(lambda i: J[i, p], m)],
    )
    yield (
        "product of Jacobians",
        derivative(f_of_inner, s[q, 0]),
        entry(J * G, i, q),
        [sum_over(lambda k: J[i, k] * G[q, k], n)],
    )
    yield "affine, by a", derivative(z_i, a[p, 0]), W[i, p], [W[p, i]]
    yield "affine, by b", derivative(z_i, b[p, 0]), one_if_equal(i, p, m), [S.One]
    yield (
        "rank-3 tensor",
        derivative(z_i, W[j, k]),
        one_if_equal(i, j, m) * a[k, 0],
        [
            a[k, 0],
            one_if_equal(i, j, m) * a[j, 0],
        ],
    )
    contracted = sum_over(lambda i: delta[i, 0] * derivative(entry(W * a + b, i), W[j, k]), m)
    yield "its contraction", contracted, entry(delta * a.T, j, k), [delta[k, 0] * a[j, 0]]
    yield (
        "diagonal Jacobian",
        derivative(sigma(z[j, 0]), z[p, 0]),
        entry(DiagMatrix(z.applyfunc(slope)), j, p),
        [slope(z[p, 0]), one_if_equal(j, p, m) * slope(sigma(z[p, 0]))],
    )
    yield (
        "diagonal Jacobian times g",
        DiagMatrix(z.applyfunc(slope)) * g,
        hadamard_product(g, z.applyfunc(slope)),
        [g, z.applyfunc(slope)],
    )


def backpropagation():
    C = function_of(lambda j: sigma(z[j, 0]), m, lambda j: g[j, 0])
    bp1 = hadamard_product(g, z.applyfunc(slope))
    at_a = hadamard_product(g, z.applyfunc(sigma).applyfunc(slope))
    yield "BP1", derivative(C, z[p, 0]), entry(bp1, p), [g[p, 0], entry(at_a, p)]
    J = matrix("J", m, m)
    f = lambda i: function_of(lambda k: z[k, 0], m, lambda k: J[i, k])
    C = function_of(f, m, lambda i: g[i, 0])
    yield "BP1 with a Jacobian", derivative(C, z[p, 0]), entry(J.T * g, p), [entry(J * g, p)]

    b_up, e_up = vector("b^{l+1}", r), vector("e", r)
    up = W_up * z.applyfunc(sigma) + b_up
    C = function_of(lambda i: entry(up, i), r, lambda i: delta_up[i, 0])
    bp2 = hadamard_product(W_up.T * delta_up, z.applyfunc(slope))
    bp2_at_a = hadamard_product(W_up.T * delta_up, z.applyfunc(sigma).applyfunc(slope))
    yield (
        "BP2",
        derivative(C, z[p, 0]),
        entry(bp2, p),
        [
            entry(W_up.T * delta_up, p),
            entry(bp2_at_a, p),
            slope(z[p, 0]) * sum_over(lambda i: W_up[i, p], r) * delta_up[p, 0],
        ],
    )
    frozen = sum_over(lambda i: delta_up[i, 0] * entry(up, i), r)
    yield "BP2, delta frozen", derivative(frozen, z[p, 0]), entry(bp2, p), [-entry(bp2, p)]
    a_l = vector("a^l", m)
    E = function_of(lambda i: sigma(entry(W_up * a_l + b_up, i)), r, lambda i: e_up[i, 0])
    back = W_up.T * hadamard_product(e_up, (W_up * a_l + b_up).applyfunc(slope))
    yield "the error dC/da", derivative(E, a_l[p, 0]), entry(back, p), [entry(W_up.T * e_up, p)]

    C = function_of(lambda i: entry(W * a + b, i), m, lambda i: delta[i, 0])
    yield "BP3", derivative(C, b[p, 0]), delta[p, 0], [delta[p, 0] * a[p, 0]]
    yield (
        "BP4",
        derivative(C, W[p, q]),
        entry(delta * a.T, p, q),
        [
            entry(a * delta.T, p, q),
            entry(delta * a.applyfunc(sigma).T, p, q),
        ],
    )
    yield "by the input", derivative(C, a[q, 0]), entry(W.T * delta, q), [W[p, q] * delta[p, 0]]
    zdot = vector("zdot", m)
    forward = W_up * hadamard_product(z.applyfunc(slope), zdot)
    yield "adjoint identity", delta_up.T * forward, bp2.T * zdot, [delta_up.T * W_up * zdot]

    square, d, c = matrix("V", n, n), vector("d", n), vector("c", n)
    other = matrix("V^l", n, n)
    C = function_of(lambda i: entry(square * c.applyfunc(sigma), i), n, lambda i: d[i, 0])
    right = hadamard_product(square.T * d, c.applyfunc(slope))
    yield (
        "BP2, equal widths",
        derivative(C, c[p, 0]),
        entry(right, p),
        [
            entry(hadamard_product(square * d, c.applyfunc(slope)), p),
            entry(hadamard_product(other.T * d, c.applyfunc(slope)), p),
        ],
    )


def batches_and_costs():
    A, D = matrix("A", n, N), matrix("Delta", m, N)
    z_of = lambda i, c: sum_over(lambda k: W[i, k] * A[k, c], n) + b[i, 0]
    C = sum_over(lambda c: function_of(lambda i: z_of(i, c), m, lambda i: D[i, c]), N) / N
    yield (
        "batch, by W",
        derivative(C, W[p, q]),
        entry(D * A.T, p, q) / N,
        [
            entry(D * A.T, p, q),
            entry(A * D.T, p, q) / N,
        ],
    )
    yield "batch, by b", derivative(C, b[p, 0]), entry(D * OneMatrix(N, 1), p) / N, [D[p, p] / N]
    quadratic = sum_over(lambda i: (sigma(z[i, 0]) - y[i, 0]) ** 2, m) / 2
    error = hadamard_product(z.applyfunc(sigma) - y, z.applyfunc(slope))
    yield (
        "quadratic cost",
        derivative(quadratic, z[p, 0]),
        entry(error, p),
        [
            2 * entry(error, p),
            sigma(z[p, 0]) - y[p, 0],
        ],
    )
    penalty = t / 2 * sum_over(lambda i: sum_over(lambda k: W[i, k] ** 2, n), m)
    yield "weight decay", derivative(penalty, W[p, q]), t * W[p, q], [2 * t * W[p, q]]

    x, c = vector("x", n), vector("y", n)
    total = sum_over(lambda k: exp(x[k, 0]), n)
    soft = lambda i: exp(x[i, 0]) / total
    yield (
        "softmax, Jacobian",
        derivative(soft(i), x[p, 0]),
        soft(i) * (one_if_equal(i, p, n) - soft(p)),
        [soft(i) * (1 - soft(p)), soft(i) * one_if_equal(i, p, n)],
    )
    yield (
        "softmax, symmetric",
        derivative(soft(i), x[p, 0]),
        derivative(soft(p), x[i, 0]),
        [-derivative(soft(p), x[i, 0])],
    )
    yield "softmax, columns", sum_over(lambda i: derivative(soft(i), x[p, 0]), n), S.Zero, [S.One]
    yield "softmax, sum", sum_over(soft, n), S.One, [n * S.One]
    shifted = exp(x[i, 0] + t) / sum_over(lambda k: exp(x[k, 0] + t), n)
    yield "softmax, shift", shifted, soft(i), [exp(t) * soft(i)]
    av = vector("a", n)
    yield (
        "softmax, matrix",
        DiagMatrix(av) - av * av.T,
        DiagMatrix(av) * (Identity(n) - OneMatrix(n, 1) * av.T),
        [Identity(n) - av * av.T, DiagMatrix(av)],
    )
    cross = -sum_over(lambda i: c[i, 0] * log(soft(i)), n)
    right = soft(p) * sum_over(lambda i: c[i, 0], n) - c[p, 0]
    yield "cross-entropy", derivative(cross, x[p, 0]), right, [soft(p) - c[p, 0], -right]

    s = lambda w: 1 / (1 + exp(-w))
    binary = -sum_over(lambda i: y[i, 0] * log(s(z[i, 0])) + (1 - y[i, 0]) * log(1 - s(z[i, 0])), m)
    yield (
        "binary cross-entropy",
        derivative(binary, z[p, 0]),
        s(z[p, 0]) - y[p, 0],
        [(s(z[p, 0]) - y[p, 0]) * s(z[p, 0])],
    )
    yield "sigmoid'", derivative(s(u), u), s(u) * (1 - s(u)), [s(u) * (1 + s(u))]
    yield "tanh'", derivative(tanh(u), u), 1 - tanh(u) ** 2, [1 - tanh(u)]
    yield "softplus'", derivative(log(1 + exp(u)), u), s(u), [s(-u)]


def induction():
    """P(l): dC/dt = sum_j delta^l_j dz^l_j/dt, for any scalar t that C depends on through z^l."""
    z_l = Function("z")  # z^l_k as an unknown function of k and t
    zdot = lambda k: derivative(z_l(k, t), t)
    C = function_of(lambda j: sigma(z_l(j, t)), m, lambda j: g[j, 0])
    base = lambda s: sum_over(lambda j: g[j, 0] * s(z_l(j, t)) * zdot(j), m)
    yield "induction, base", derivative(C, t), base(slope), [base(sigma)]
    up = lambda i: sum_over(lambda k: W_up[i, k] * sigma(z_l(k, t)), m)
    given = sum_over(lambda i: delta_up[i, 0] * derivative(up(i), t), r)
    back = lambda k: entry(W_up.T * delta_up, k)
    step = sum_over(lambda k: back(k) * slope(z_l(k, t)) * zdot(k), m)
    yield "induction, step", given, step, [sum_over(lambda k: back(k) * zdot(k), m)]


for chapter in (jacobians, backpropagation, batches_and_costs, induction):
    STATEMENTS |= {name: parts for name, *parts in chapter()}


@pytest.mark.parametrize("left, right, wrong", STATEMENTS.values(), ids=STATEMENTS)
def test_the_derivation(left, right, wrong):
    prove(left, right)
    assert refute(left, right, trials=4) is None
    assert wrong
    for variant in wrong:
        assert not same(left, variant)
        found = refute(left, variant)
        assert found is not None and found.left != found.right
        with pytest.raises(ProofError, match="not equal:\n(.|\n)*left = .*, right = "):
            prove(left, variant)


def test_cross_entropy_where_the_targets_sum_to_one():
    x, c = vector("x", n), vector("y", n)
    total = sum_over(lambda k: exp(x[k, 0]), n)
    cross = -sum_over(lambda i: c[i, 0] * log(exp(x[i, 0]) / total), n)
    ones = normal_form(sum_over(lambda i: c[i, 0], n))
    error = normal_form(derivative(cross, x[p, 0])).subs(ones, 1)
    prove(error, exp(x[p, 0]) / total - c[p, 0])
    assert not same(error, exp(x[p, 0]) / total)


def network(depth):
    """The cost of a network of so many layers, and for each layer W, b, a^{l-1} and its delta."""
    size = widths(f"n_0:{depth + 1}")
    f = [activation(f"sigma_{l}") for l in range(depth + 1)]
    W = [None] + [matrix(f"W^{l}", size[l], size[l - 1]) for l in range(1, depth + 1)]
    b = [None] + [vector(f"b^{l}", size[l]) for l in range(1, depth + 1)]
    a, z = [vector("x", size[0])], [None]
    for l in range(1, depth + 1):
        z.append(W[l] * a[l - 1] + b[l])
        a.append(z[l].applyfunc(f[l]))
    top = vector("g", size[depth])
    C = function_of(lambda j: entry(a[depth], j), size[depth], lambda j: top[j, 0])
    delta = {depth: hadamard_product(top, z[depth].applyfunc(f[depth].prime()))}
    for l in range(depth - 1, 0, -1):
        delta[l] = hadamard_product(W[l + 1].T * delta[l + 1], z[l].applyfunc(f[l].prime()))
    return C, [(W[l], b[l], a[l - 1], delta[l]) for l in range(1, depth + 1)]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_whole_networks(depth):
    C, layers = network(depth)
    for W, b, below, delta in layers:
        prove(derivative(C, b[p, 0]), entry(delta, p))
        prove(derivative(C, W[p, q]), entry(delta * below.T, p, q))
        wrong = entry(delta * below.applyfunc(sigma).T, p, q)
        assert not same(derivative(C, W[p, q]), wrong)
        assert refute(derivative(C, W[p, q]), wrong) is not None


def test_the_axiom_agrees_with_sympy():
    """The total differential, for an unknown function of 1 to 4 arguments."""
    for size in range(1, 5):
        inner = [Function(f"u_{i}")(t) for i in range(size)]
        C = Function("C")(*inner)
        expected = sum(sp.Derivative(C, w) * w.diff(t) for w in inner)
        assert sp.expand(C.diff(t) - expected) == 0
        grad = vector("g", size)
        x = vector("x", size)
        ours = function_of(lambda j, x=x: x[j, 0] ** 2, size, lambda j, g=grad: g[j, 0])
        prove(derivative(ours, x[0, 0]), 2 * x[0, 0] * grad[0, 0])


EXPRESSIONS = {
    "affine": lambda A, B, x, y: A * x + y,
    "outer": lambda A, B, x, y: 3 * y * x.T / 7,
    "three": lambda A, B, x, y: B * (A * x + y),
    "row": lambda A, B, x, y: y.T * A * x,
    "transposed": lambda A, B, x, y: (B * A).T,
    "square": lambda A, B, x, y: A.T * A * x,
    "Hadamard": lambda A, B, x, y: hadamard_product(B.T * OneMatrix(4, 1), A * x, y),
    "Hadamard power": lambda A, B, x, y: hadamard_product(y, y),
    "diagonal": lambda A, B, x, y: (DiagMatrix(y) - y * y.T) * A,
    "power": lambda A, B, x, y: (A * A.T) ** 3 * y,
    "zero": lambda A, B, x, y: MatAdd(ZeroMatrix(2, 1), y),
    "identity": lambda A, B, x, y: Identity(2) * y - y / 2,
    "applyfunc": lambda A, B, x, y: (A * x).applyfunc(Lambda(t, t**2 + 1)),
    "blocks": lambda A, B, x, y: BlockMatrix([[A, y]]) * BlockMatrix([[x], [OneMatrix(1, 1)]]),
}


def test_a_table_of_blocks_is_no_table_of_entries():
    n, k, m = widths("n k m")
    W, b, A, ones = matrix("W", n, k), vector("b", n), matrix("A", k, m), OneMatrix(1, m)
    product = BlockMatrix([[W, b]]) * BlockMatrix([[A], [ones]])
    prove(product, W * A + b * ones)
    with pytest.raises(ProofError):
        prove(product, W * A + 2 * b * ones)


@pytest.mark.parametrize("build", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_entries_are_those_of_explicit_matrices(build):
    M = build(matrix("A", 2, 3), matrix("B", 4, 2), vector("x", 3), vector("y", 2))
    explicit = M.as_explicit()
    for row in range(M.shape[0]):
        for column in range(M.shape[1]):
            assert sp.expand(entry(M, row, column).doit() - explicit[row, column]) == 0
    assert same(M, explicit)
    assert not same(M, explicit + sp.ones(*M.shape))


def test_sides_of_many_kinds():
    x = vector("x", 2)
    prove([u + u, t], [2 * u, t])
    prove(x, sp.Matrix([x[0, 0], x[1, 0]]))
    prove((vector("x", n), u), (vector("x", n), u))
    assert str(refute([u, t], [u, 2 * t], trials=1)).startswith("entry = [1], t = ")
    with pytest.raises(ProofError, match="shape"):
        same(W * a, a)
    with pytest.raises(ProofError, match="2 entries against 1"):
        prove([u, t], [u])
    with pytest.raises(ProofError, match="no entries, so nothing to prove"):
        prove([], [])
    with pytest.raises(ProofError, match="two different letters are called x"):
        prove(vector("x", n)[p, 0], vector("x", m)[p, 0])
    with pytest.raises(ProofError, match="a matrix with a matrix"):
        prove([u, t], W * a)
    with pytest.raises(ProofError, match="a number or a matrix"):
        same(sp.true, sp.true)
    with pytest.raises(ProofError, match="Inverse"):
        entry(matrix("A", n, n).I, p, q)
    with pytest.raises(ProofError, match="a row times a column"):
        entry(BlockMatrix([[W], [W]]) * BlockMatrix([[a]]), p)


def test_matrices_that_are_written_out_in_a_product():
    X, x2, swap = matrix("X", 2, 2), vector("x", 2), sp.Matrix([[0, 1], [1, 0]])
    prove(X * swap, sp.Matrix([[X[0, 1], X[0, 0]], [X[1, 1], X[1, 0]]]))
    prove(swap * (swap * X), X)
    prove((X * swap).T, swap * X.T)
    prove(hadamard_product(X, sp.ImmutableMatrix(swap)), sp.Matrix([[0, X[0, 1]], [X[1, 0], 0]]))
    prove(DiagMatrix(sp.ImmutableMatrix([u, v])) * x2, sp.Matrix([u * x2[0, 0], v * x2[1, 0]]))
    for left, right in [(X * swap, swap * X), (2 * (X * swap), X * swap), (swap * X, X)]:
        assert not same(left, right) and refute(left, right) is not None
    with pytest.raises(ProofError, match="widths that are numbers"):
        prove(matrix("Y", n, 2) * swap, matrix("Y", n, 2))


def test_widths_of_zero_and_one():
    prove(matrix("P", 2, 0) * matrix("Q", 0, 2), ZeroMatrix(2, 2))
    assert not same(vector("e", 0).T * vector("e", 0), OneMatrix(1, 1))
    with pytest.raises(ProofError, match="no entries, so nothing to prove"):
        prove(vector("e", 0), 2 * vector("e", 0))
    row = matrix("R", 1, n)
    assert refute(row[p, q], 2 * row[p, q]).values[p] == 0  # it has no other row


def test_powers_of_matrices_entry_by_entry():
    X = matrix("X", 2, 2)
    assert entry(sp.HadamardPower(X, X), i, j) == X[i, j] ** X[i, j]
    assert entry(sp.HadamardPower(2, X), i, j) == 2 ** X[i, j]


@pytest.mark.parametrize("side", [None, Lambda(t, t), {u: v}, iter([u]), sp.Eq(u, v), "u +"])
def test_a_side_that_is_no_number_and_no_matrix_is_refused(side):
    for ask in (same, refute):
        with pytest.raises(ProofError, match="a side is a number or a matrix"):
            ask(side, u)


# The normal form keeps values: random expressions, computed before and after by plain loops.


def random_expression(rng, depth, scope):
    """`scope` holds pairs of an index and its width."""
    index = lambda size: rng.choice([i for i, width in scope if width == size])
    choice = rng.random()
    if depth == 0 or choice < 0.18:
        size = rng.choice([m, n])
        leaves = (W[index(m), index(n)], b[index(m), 0], a[index(n), 0], S(rng.randint(-2, 3)))
        return rng.choice([*leaves, one_if_equal(index(size), index(size), size)])
    deeper = lambda scope=scope: random_expression(rng, depth - 1, scope)
    if choice < 0.36:
        return deeper() + deeper()
    if choice < 0.6:
        return deeper() * deeper()
    if choice < 0.68:
        return rng.choice([sigma, slope])(deeper())
    if choice < 0.73:
        return deeper() ** 2
    size = rng.choice([m, n])
    if choice < 0.85:
        return sum_over(lambda i: deeper([*scope, (i, size)]), size)
    letter = rng.choice(indices("i j k"))  # the same letters again and again: they may clash
    return Sum(deeper([*scope, (letter, size)]), (letter, 0, size - 1))


def by_loops(expr, world, env):
    """The value of a random expression. It owes nothing to `refute`."""
    of = lambda part: by_loops(part, world, env)
    if expr.is_Symbol:
        return env[expr]
    if expr.is_Integer:
        return int(expr)
    if expr.is_Add:
        return sum(map(of, expr.args))
    if expr.is_Mul:
        return sp.prod(map(of, expr.args))
    if expr.is_Pow:
        return of(expr.base) ** of(expr.exp)
    if isinstance(expr, KroneckerDelta):
        return int(of(expr.args[0]) == of(expr.args[1]))
    if isinstance(expr, Sum):
        (index, low, high), rest = expr.limits[-1], expr.limits[:-1]
        inner = Sum(expr.function, *rest) if rest else expr.function
        span = range(of(low), of(high) + 1)
        return sum(by_loops(inner, world, env | {index: place}) for place in span)
    key = (expr.func.__name__, *(str(part) if part.is_Matrix else of(part) for part in expr.args))
    return world.setdefault(key, random.Random(str(key)).randint(-9, 9))


def test_the_normal_form_keeps_values():
    rng, rewritten, compared = random.Random(1), 0, 0
    while compared < 200:
        expr = random_expression(rng, 4, [(p, m), (i, m), (q, n), (j, n)])
        if len(str(expr)) > 400:
            continue
        compared += 1
        form = normal_form(expr)
        rewritten += form != expr
        for seed in range(3):
            env = {m: 2 + seed % 2, n: 3 - seed % 2, p: seed % 2, i: 1, q: 1, j: (seed + 1) % 2}
            assert by_loops(expr, {}, env) == by_loops(form, {}, env), (expr, form)
        found = refute(expr, form, trials=2)
        assert found is None, (expr, form, found)
        assert refute(expr, form + 1, trials=1) is not None
    assert rewritten > 100


def test_an_index_of_one_sum_may_leave_the_range_of_another():
    """sum_k [k = i] x_k is x_i only where x has an entry i: here i runs further than k."""
    x = vector("x", n)
    inner = Sum(one_if_equal(k, i, n) * x[k, 0], (k, 0, n - 1))
    beyond = Sum(sigma(inner), (i, 0, m - 1))
    assert not same(beyond, Sum(sigma(x[i, 0]), (i, 0, m - 1)))
    prove(Sum(sigma(inner), (i, 0, n - 1)), Sum(sigma(x[i, 0]), (i, 0, n - 1)))
    assert not same(Sum(one_if_equal(k, p, m), (k, 0, n - 1)), 1)  # p may be n or more
    assert not same(Sum(one_if_equal(k, m, n), (k, 0, n - 1)), 1)  # m is a width, not an index


def picked_from(low, high, factor=S.One):
    return Sum(KroneckerDelta(k, p, (low, high)) * factor, (k, low, high))


def test_a_free_index_is_in_the_range_of_indices_only():
    """Free indices lie below all widths: in no range from 1, of one number, or of none."""
    from_zero = Symbol("d", integer=True, nonnegative=True)
    for low, high in [(0, j), (0, 0), (1, n), (0, from_zero - 1), (0, n - 2), (0, p - 1)]:
        assert not same(picked_from(low, high, x_[k, 0]), x_[p, 0]), (low, high)
        assert not same(picked_from(low, high), 1), (low, high)
    for low, high in [(0, j), (0, 0), (0, from_zero - 1)]:
        assert refute(picked_from(low, high), S.One) is not None, (low, high)
    for high in (1, 4, n - 1, n, n * m - 1):
        prove(picked_from(0, high), 1)
    prove(picked_from(0, n - 1, x_[n - 1 - k, 0]), x_[n - 1 - p, 0])


def test_indices_of_nested_sums_are_kept_apart():
    by_rows = sum_over(lambda i: sigma(sum_over(lambda k: V[i, k], n)), n)
    by_columns = sum_over(lambda i: sigma(sum_over(lambda k: V[k, i], n)), n)
    prove(by_rows, sum_over(lambda k: sigma(sum_over(lambda i: V[k, i], n)), n))
    assert not same(by_rows, by_columns)
    assert refute(by_rows, by_columns) is not None


def test_sums_the_normal_form_does_not_know():
    x = vector("x", n)
    for expr, reason in [
        (Sum(Sum(x[k, 0], (k, 0, j)), (j, 0, n - 1)), "depend on another index"),
        (Sum(1 / (k + 1) ** 2, (k, 0, sp.oo)), "whole numbers"),
        (sp.Product(x[k, 0], (k, 0, n - 1)), "only operation"),
    ]:
        with pytest.raises(ProofError, match=reason):
            normal_form(expr)


# What a proof cannot read, or would read in two ways.

picked = lambda body: Sum(one_if_equal(k, p, n) * body, (k, 0, n - 1))
x5, NC = vector("x", 5), symbols("A B", commutative=False)


def cost_of(one, other):
    return C(x_[one, 0], x_[other, 0])


UNREADABLE = {  # name: (left, right, what the refusal says)
    "a slope of two entries": lambda: (
        picked(cost_of(k, p).diff(x_[q, 0])),
        2 * one_if_equal(p, q, n) * sp.Derivative(cost_of(p, p), x_[p, 0]),
        "read in two ways",
    ),
    "a slope of two values": lambda: (
        picked(sp.Derivative(C(f(k), f(p)), f(k))),
        sp.Derivative(C(f(p), f(p)), f(p)),
        "read in two ways",
    ),
    "of a letter and its square": lambda: (
        sp.Derivative(C(u, u**2), u), S.Zero, "no argument of its own"
    ),
    "by an index": lambda: (sp.Derivative(f(k), k), S.Zero, "no argument of its own"),
    "not carried out": lambda: (
        picked(sp.Derivative(x_[k, 0] * x_[p, 0], x_[k, 0])), 2 * x_[p, 0], "not carried out"
    ),
    "backwards": lambda: (Sum(k, (k, 3, 0)), S.Zero, "runs backwards"),
    "backwards, of symbolic length": lambda: (Sum(k, (k, n + 1, 0)), S.Zero, "runs backwards"),
    "no letters that commute": lambda: (NC[0] * NC[1], NC[1] * NC[0], "does not commute"),
    "in a sum": lambda: (
        sum_over(lambda c: x_[c, 0] * NC[0], n), x_[0, 0] * NC[0], "does not commute"
    ),
    "an index that is negative": lambda: (
        Sum(sp.Abs(Symbol("c", integer=True, negative=True)), (Symbol("c", integer=True,
        negative=True), 0, n - 1)), S.Zero, "negative=True"
    ),
    "an index that is even": lambda: (
        Sum((-1) ** Symbol("c", even=True), (Symbol("c", even=True), 0, n - 1)), n, "even=True"
    ),
    "an index from below zero": lambda: (Sum(abs(k), (k, -1, 1)), S.Zero, "nonnegative=True"),
    "beyond the array": lambda: (Sum(x5[k, 0], (k, 0, 7)), S.Zero, "beyond the array"),
    "rounded numbers": lambda: (u + 1e16 + 1, u + sp.Float(1e16), "exact numbers"),
    "infinity": lambda: (u + sp.oo, u - sp.oo, "Infinity"),
    "a limit": lambda: (sp.Limit(f(u), u, 0), f(0), "cannot read Limit"),
    "an integral": lambda: (f(sp.Integral(t, (t, 0, u))), S.Zero, "cannot read Integral|only oper"),
    "a delta that is no function": lambda: (u * sp.DiracDelta(u), S.Zero, "DiracDelta"),
    "an array of another kind": lambda: (sp.IndexedBase("x")[k], S.Zero, "Indexed"),
    "a vector for a number": lambda: (f(x_), S.Zero, "does not commute.*write matrices as entries"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_refused(case):
    left, right, reason = case()
    with pytest.raises(ProofError, match=reason):
        prove(left, right)


def test_a_delta_does_not_vanish_where_its_index_leaves_the_range_it_was_born_with():
    born = KroneckerDelta(k, p, (0, 3))
    six = Sum(Sum(born, (k, 0, 5)), (p, 0, 5))
    assert not same(six, 4)
    prove(six, 6)
    assert refute(six, 6) is None and refute(six, 4) is not None


def test_derivatives_are_told_by_argument():
    slot = sp.Derivative(C(x_[k, 0], u), x_[k, 0])
    prove(picked(slot), sp.Derivative(C(x_[p, 0], u), x_[p, 0]))
    assert not same(picked(slot), sp.Derivative(C(x_[p, 0], u), u))
    first = C(t, x_[p, 0]).diff(t)  # the slope by the first argument, whatever stands there
    second = C(x_[p, 0], t).diff(t)
    at = lambda slope: sp.Subs(slope, t, x_[k, 0])
    prove(picked(at(first)), sp.Subs(first, t, x_[p, 0]))
    for wrong in (sp.Subs(second, t, x_[p, 0]), 2 * sp.Subs(first, t, x_[p, 0])):
        assert not same(picked(at(first)), wrong)
        assert refute(picked(at(first)), wrong) is not None
    form = normal_form(picked(at(first)))  # written as SymPy writes it, and read again
    assert form == sp.Subs(first, t, x_[p, 0]) and normal_form(form) == form
    assert same(C(u, v).diff(u, v), C(u, v).diff(v, u))
    assert not same(C(u, v).diff(u, v), C(u, v).diff(u, u))


def test_a_condition_may_hold_a_sum():
    positive = lambda letter: Piecewise((1, Sum(x_[letter, 0], (letter, 0, n - 1)) > 0), (0, True))
    prove(positive(k), positive(i))
    assert not same(positive(k), 1 - positive(k))


def chained(ks):
    """A star whose rays are two indices long: alike, but no two indices can be exchanged."""
    return sp.Mul(*(V[ks[0], i] * sigma(V[i, k]) * x_[k, 0] for i, k in zip(ks[1::2], ks[2::2])))


ALIKE = {
    "exchanged freely": lambda ks: sigma(sum(x_[k, 0] for k in ks)),
    "rays": chained,
    "a ring": lambda ks: sp.Mul(*(V[i, k] for i, k in zip(ks, [*ks[1:], ks[0]]))),
}


@pytest.mark.parametrize("f", ALIKE.values(), ids=ALIKE)
def test_many_indices_that_are_alike(f, monkeypatch):
    """Nine: 362880 orders, of which a few are looked at."""
    looked, refined = [], normal._refined
    monkeypatch.setattr(normal, "_refined", lambda *args: looked.append(1) or refined(*args))
    ks = list(indices("c0:9"))
    total = lambda ks: Sum(f(ks), *((k, 0, n - 1) for k in ks))
    prove(total(ks), total(ks[::-1]))
    assert not same(total(ks), 2 * total(ks))
    assert len(looked) < 1000


def test_too_many_orders_are_refused(monkeypatch):
    monkeypatch.setattr(normal, "ORDERS", 0)
    with pytest.raises(ProofError, match="2 indices can be told apart in too many ways"):
        normal_form(Sum(sigma(V[i, j]), (i, 0, n - 1), (j, 0, n - 1)))


# What SymPy answers wrongly, without a word. If one of these fails, SymPy has changed: look
# whether it now answers rightly, and whether `derivative` may be less strict.

product_of = Lambda((u, v), u * v)
leaky = Piecewise((1, z_[j, 0] > 0), (0, True))


def transposed_by_convert_array_to_matrix():
    weights, below, delta = ArraySymbol("W", (m, n)), ArraySymbol("x", (n,)), ArraySymbol("d", (m,))
    affine = ArrayContraction(ArrayTensorProduct(weights, below), (1, 2))
    tensor = array_derive(affine, weights)
    outer = ArrayContraction(ArrayTensorProduct(tensor, delta), (2, 3)).doit()
    return outer.shape, convert_array_to_matrix(outer).shape


def trace_by_vector():
    d2, z2 = vector("d", 2), vector("z", 2)
    slopes = Trace(d2.T * z2.applyfunc(Lambda(t, t**3))).diff(z2).as_explicit()
    return len(set(sp.flatten(slopes.tolist()))) == 1  # truth: 3 d_0 z_0^2 and 3 d_1 z_1^2


def shape_of_quadratic_by_x():
    gap = (W * a + b).applyfunc(tanh) - y
    return (gap.T * gap / 2).diff(a).shape


SILENTLY_WRONG = {  # name: (the call, its wrong answer, the truth in words)
    "T1 differentiate by a summation index": (
        lambda: Sum(x_[k, 0] ** 2, (k, 0, n - 1)).diff(x_[k, 0]),
        Sum(2 * x_[k, 0], (k, 0, n - 1)),
        "2 x_k, with a free k",
    ),
    "T2 doit captures a free index": (
        lambda: Sum(
            one_if_equal(i, k, m) * Sum(W[i, k] * a[k, 0], (k, 0, n - 1)), (i, 0, m - 1)
        ).doit(),
        Sum(W[k, k] * a[k, 0], (k, 0, n - 1)),
        "the free k stays outside",
    ),
    "T3 function of a vector": (lambda: C(z).diff(z), 0, "an unknown gradient"),
    "T4 1x1 matrix by an entry": (lambda: (delta.T * W * a).diff(W[p, q]), 0, "delta_p a_q"),
    "T5 trace by a vector": (trace_by_vector, True, "two different entries"),
    "T6 quadratic cost by x": (shape_of_quadratic_by_x, (n, m), "(n, 1)"),
    "T8 sum of two costs": (
        lambda: (Trace(V.T * V) + Trace(V.T * matrix("U", n, n))).diff(V),
        0,
        "2 V + U",
    ),
    "T9 a middle used twice": (
        lambda: C(f(u), f(u)).diff(u).subs(C, product_of).doit(),
        4 * f(u) * f(u).diff(u),
        "2 f f'",
    ),
    "T9 a middle and its square": (
        lambda: C(f(u), f(u) ** 2).diff(u).subs(C, product_of).doit(),
        5 * f(u) ** 2 * f(u).diff(u),
        "3 f^2 f'",
    ),
    "T10 simplify lets an index escape": (
        lambda: sp.simplify(-Sum(one_if_equal(j, p, n) * leaky * x_[j, 0], (j, 0, n - 1))),
        Piecewise((-x_[p, 0], z_[j, 0] > 0), (0, True)),
        "the condition is z_p > 0",
    ),
    "T12 arrays to matrices": (
        transposed_by_convert_array_to_matrix,
        ((m, n), (n, m)),
        "(m, n) both times",
    ),
    "entry by its index": (lambda: z_[i, 0].diff(i), 0, "nothing: i is a whole number"),
    "function by function": (lambda: Sum(f(k), (k, 0, n - 1)).diff(f(p)), 0, "1"),
}


@pytest.mark.parametrize("call, answer, truth", SILENTLY_WRONG.values(), ids=SILENTLY_WRONG)
def test_sympy_still_answers_wrongly(call, answer, truth):
    version = importlib.metadata.version("sympy")
    assert str(call()) == str(answer), f"SymPy {version} has changed; the truth is: {truth}"


REFUSED = {
    "T1": (Sum(x_[k, 0] ** 2, (k, 0, n - 1)), x_[k, 0], "k is a summation index"),
    "T3": (C(z), z, "z is a matrix: differentiate by one entry"),
    "T3, by an entry": (C(z), z[p, 0], "as a number made of entries"),
    "T4": (delta.T * W * a, W[p, q], "is a matrix: differentiate one entry"),
    "T5": (Trace(delta.T * z.applyfunc(tanh)), z, "z is a matrix"),
    "T5, by an entry": (Trace(V), V[p, q], "as a number made of entries"),
    "T9": (C(f(u), f(u)), u, "two arguments"),
    "T9, squared": (C(f(u), f(u) ** 2), u, "two arguments"),
    "T9, entries": (C(z[i, 0], z[j, 0]), z[p, 0], "two arguments"),
    "T15": (sp.IndexedBase("x")[i], sp.IndexedBase("x")[p], "a Symbol or an entry"),
    "by an index": (z_[i, 0], i, "whole number"),
    "by a width": (sum_over(lambda k: x_[k, 0], n), n, "whole number"),
    "by a function": (f(u) ** 2, f(u), "a Symbol or an entry"),
    "of a condition": (sp.Gt(u, 0), u, "as a number"),
    "a width as an index": (Sum(x_[r, 0] ** 2, (r, 0, n - 1)), x_[0, 0], "r is an index .* be 0"),
    "a width at an entry": (x_[r, 0] ** 2, x_[0, 0], "r is an index of .*cannot be 0"),
    "two arrays of one name": (
        sum_over(lambda k: x_[k, 0] ** 2, n), vector("x", m)[p, 0], "letters are called x"
    ),
    "two numbers of one name": (sp.Symbol("t", real=True) ** 2, sp.Symbol("t"), "are called t"),
}  # fmt: skip


@pytest.mark.parametrize("expr, wrt, reason", REFUSED.values(), ids=REFUSED)
def test_refused_derivatives(expr, wrt, reason):
    with pytest.raises(ProofError, match=reason):
        derivative(expr, wrt)


def test_a_second_derivative_of_a_product():
    once = derivative(sum_over(lambda k: sigma(x_[k, 0]), n) * x_[q, 0], x_[p, 0])
    twice = derivative(normal_form(once), x_[q, 0])
    bend = x_[q, 0] * slope.prime()(x_[p, 0]) + slope(x_[q, 0])
    assert same(twice, slope(x_[p, 0]) + one_if_equal(p, q, n) * bend)
    assert not same(twice, slope(x_[p, 0]) + bend)


def test_a_range_that_may_be_empty_is_not_summed_away():
    assert not same(sum_over(lambda k: KroneckerDelta(k, 1, (0, n - 1)), n), 1)  # n = 1
    assert not same(sum_over(lambda k: S.One, n - 2), n - 2)  # n = 1


def test_a_free_index_takes_a_letter_that_is_left():
    taken = sp.Symbol("i") * sp.Symbol("j") * sp.prod(sp.symbols("p q r s"))
    assert same(taken * W, taken * W) and not same(taken * W, 2 * taken * W)


def test_traps_that_are_avoided():
    """T2, T10 and T16: our own contraction is right where SymPy's is wrong or stuck."""
    nested = Sum(one_if_equal(i, k, m) * Sum(W[i, k] * a[k, 0], (k, 0, n - 1)), (i, 0, m - 1))
    prove(nested, entry(W * a, k))
    escaped = -Sum(one_if_equal(j, p, n) * leaky * x_[j, 0], (j, 0, n - 1))
    prove(escaped, -x_[p, 0] * Piecewise((1, z_[p, 0] > 0), (0, True)))
    assert not same(escaped, Piecewise((-x_[p, 0], z_[j, 0] > 0), (0, True)))
    prove(DiagMatrix(z) * g, HadamardProduct(z, g))
    own = derivative(C(z_[i, 0], u), z_[p, 0])
    assert own == one_if_equal(i, p, n) * sp.Derivative(C(z_[i, 0], u), z_[i, 0])
    two = vector("z", 2)
    assert derivative(C(two[0, 0], two[1, 0]), two[0, 0]).has(sp.Derivative)
    captured = z_.applyfunc(Lambda(t, Sum(t * x_[k, 0], (k, 0, n - 1))))
    prove(entry(captured, k), z_[k, 0] * sum_over(lambda s: x_[s, 0], n))


# Counterexamples: what is wrong is refuted, what is right is not.


def test_scalar_statements():
    x, y = symbols("x y")
    found = refute(sp.diff(x * sp.sin(y), x), sp.cos(y))
    assert set(found.values) == {y}
    assert float(found.left) == pytest.approx(float(sp.sin(found.values[y])), rel=1e-15)
    assert float(found.right) == pytest.approx(float(sp.cos(found.values[y])), rel=1e-15)
    assert refute(sp.diff(x * sp.sin(y), x), sp.sin(y)) is None
    positive = Symbol("s", positive=True)
    assert refute(sp.sqrt(positive**2), positive) is None
    assert refute(sp.sqrt(x**2), x) is not None  # x may be negative
    assert refute(log(x**2), 2 * log(x)) is None  # where both exist
    assert refute(exp(x) * exp(y), exp(x + y)) is None
    assert refute(exp(x) * exp(y), exp(x + y) + sp.Float("1e-15")) is not None
    assert refute(sp.Max(0, x), Piecewise((x, x > 0), (0, True))) is None
    assert refute(sp.Max(0, x), x) is not None
    assert refute(sp.Heaviside(x), Piecewise((1, x > 0), (0, sp.Not(x > 0)))) is None
    assert refute(sp.pi, sp.Rational(22, 7)) is not None
    assert refute(Symbol("c", negative=True) + 1, 1).right == 1
    with pytest.raises(ProofError, match="no value at any of 20"):
        refute(Symbol("c", irrational=True), u)  # every number that is tried is a fraction


def test_rounding_is_no_counterexample():
    x = Symbol("x", positive=True)
    right = sp.exp(40 * x) * (sp.cosh(x) ** 2 - sp.sinh(x) ** 2 - 1)
    assert refute(right * exp(60 * x), S.Zero) is None
    assert refute(right + exp(-30 * x), S.Zero) is not None


def test_unknown_functions():
    h = Function("h")
    chain = derivative(f(h(u)), u)
    assert refute(chain, f(u).diff(u) * h(u).diff(u)) is not None
    assert refute(chain, chain + f(u) - f(u)) is None
    inside = derivative(f(u**2), u)  # SymPy writes Subs
    assert refute(inside, 2 * u * f(u).diff(u)) is not None
    second = C(u, v).diff(u, v)
    assert refute(second, C(u, v).diff(v, u)) is None
    assert refute(second, C(u, v).diff(u, u)) is not None
    assert refute(sigma(u + v) ** 2, sigma(v + u) * sigma(u + v)) is None
    assert refute(sigma(exp(u) * exp(v)), sigma(exp(u + v))) is None  # equal but for rounding
    assert refute(sigma(exp(u)), sigma(exp(v))) is not None
    assert refute(sigma(u), slope(u)) is not None
    assert refute(sigma(u), sigma(u + S(10) ** -9)) is not None  # near is not equal
    cost = lambda g: function_of(lambda i: z_[i, 0], n, g)
    assert refute(cost(lambda i: x_[i, 0]), cost(lambda i: x_[i, 0])) is None
    assert refute(cost(lambda i: x_[i, 0]), cost(lambda i: 2 * x_[i, 0])) is not None


def test_what_has_no_values():
    with pytest.raises(ProofError, match="no value at any of 20"):
        refute(log(-exp(u)), u)
    with pytest.raises(ProofError, match="no value at any of 20"):
        refute(Sum(x5[k, 0], (k, 0, 7)), S.Zero)  # beyond the array
    with pytest.raises(ProofError, match="no numbers for Integral"):
        refute(sp.Integral(f(u), u), u)
    with pytest.raises(ProofError, match="doit"):
        refute(sp.Derivative(u**2, u), 2 * u)
    with pytest.raises(ProofError, match="not proved(.|\n)*no values to compare"):
        prove(log(-exp(u)), u)
    with pytest.raises(ProofError, match="no argument of its own"):
        refute(sp.Derivative(C(u, u**2), u), u)
    assert refute(1 / (u - u + t), 1 / t) is None
    assert refute(Piecewise((u, u > 0)), abs(u)) is None
    with pytest.raises(ProofError, match="no proof found, and no counterexample either"):
        prove(sp.Abs(Symbol("c", positive=True) - u) ** 2, (Symbol("c", positive=True) - u) ** 2)


def test_a_counterexample_can_be_read_and_checked():
    """The numbers that are named are the whole truth of a statement without matrices."""
    found = refute(sum_over(lambda k: k, n), n**2 / 2)
    size = found.values[n]
    assert found.left == size * (size - 1) / 2 and found.right == Fraction(size**2, 2)
    assert str(found) == f"n = {size}: left = {found.left}, right = {found.right}"
    assert str(refute(S.One, S.Zero)) == "left = 1, right = 0"
    names = list(map(str, refute(W[i, q] * u, W[q, i] * u).values))
    assert names[:5] == ["m", "n", "i", "q", "u"]  # widths first
    assert all(re.fullmatch(r"W\^l\[[01], [01]\]", name) for name in names[5:])
    with pytest.raises(AttributeError):
        found.left = 0


PRINTED = {
    r"z^{l}_{j}": vector("z^l", n)[j, 0],
    r"W^{l}_{jk}": W[j, k],
    r"x_{1}": x_[0, 0],
    r"\delta^{l+1}": delta_up,
    r"[j = p]": one_if_equal(j, p, n),
    r"\eta \delta_{j}": Symbol("eta") * delta[j, 0],
    r"((W^{l+1})^{T} \delta^{l+1}) \odot \sigma'(z)": hadamard_product(
        W_up.T * delta_up, z.applyfunc(slope)
    ),
    r"V^{T} x": V.T * x_,
    r"W^{l} a + b": W * a + b,
    r"\sum_{k=1}^{n} W^{l}_{jk} a_{k} + b_{j}": entry(W * a + b, j),
    r"\sigma'(z_{p}) \sum_{k=1}^{r} W^{l+1}_{kp} \delta^{l+1}_{k}": slope(z[p, 0])
    * entry(W_up.T * delta_up, p),
    r"(\delta_{j})^{2}": None,
    r"x_{p}^{2}": x_[p, 0] ** 2,
    r"(z^{l}_{p})^{2}": vector("z^l", n)[p, 0] ** 2,
    r"\frac{1}{z^{l}_{p}}": 1 / vector("z^l", n)[p, 0],
    r"\frac{1}{N} \sum_{k=1}^{n} x_{k}": sum_over(lambda k: x_[k, 0], n) / N,
    r"\frac{\partial f}{\partial x}": f(Symbol("x"), Symbol("y")).diff(Symbol("x")),
    r"\frac{d f}{d u}": f(u).diff(u),
    r"\frac{d C}{d u}": sp.Derivative(C(f(u), slope(u)), u),
    r"\frac{\partial C}{\partial f}": C(f(u), slope(u)).diff(f(u)),
    r"2 u f'(u^{2})": f(u**2).diff(u),
    r"\frac{\partial^{2} C}{\partial u \partial v}": C(u, v).diff(u, v),
    r"\sigma''(u)": slope.prime()(u),
    r"f(u) = u^{2}": sp.Eq(f(u), u**2),
    r"\sigma_{2}(u)": activation("sigma_2")(u),
    r"C(x_{1}, \ldots, x_{n})": function_of(lambda i: x_[i, 0], n, lambda i: z_[i, 0]),
    r"a_{i}(x_{1}, \ldots, x_{n})": function_of(
        lambda k: x_[k, 0], n, lambda k: z_[k, 0], vector("a", n)[indices("i"), 0]
    ),
    r"\sum_{k=0}^{n - 1} k x_{k}": sum_over(lambda k: k * x_[k, 0], n),
    r"\operatorname{diag}(x) - x x^{T}": DiagMatrix(x_) - x_ * x_.T,
    r"- 2 x_{p}": -2 * x_[p, 0],
    r"1 - \sigma(u)^{2}": 1 - sigma(u) ** 2,
    r"x_{p} \left(u + v\right)^{2}": (u + v) ** 2 * x_[p, 0],
    r"\frac{d}{d u} \sin{\left(u \right)}": sp.Derivative(sp.sin(u), u),
    r"x_{1} + x_{5}": x_[0, 0] + x_[4, 0],
    r"x^{\circ 2}": hadamard_product(x_, x_),
    r"I + \mathbf{1}": Identity(n) + OneMatrix(n, n),
    r"(W^{l} a + b)_{j}": MatrixElement(W * a + b, j, 0),
    r"\begin{pmatrix} W^{l} & b \end{pmatrix}": BlockMatrix([[W, b]]),
    r"\begin{pmatrix} a \\ \mathbf{1} \end{pmatrix}": BlockMatrix([[a], [OneMatrix(1, 1)]]),
    r"\left(\sum_{k=1}^{n} x_{k}\right) \sum_{j=1}^{n} z_{j}": Sum(x_[k, 0], (k, 0, n - 1))
    * Sum(z_[k, 0], (k, 0, n - 1)),
}
del PRINTED[r"(\delta_{j})^{2}"]


@pytest.mark.parametrize("text, expr", PRINTED.items(), ids=PRINTED)
def test_latex(text, expr):
    assert latex(expr) == text


def test_latex_never_uses_a_letter_twice():
    letters = indices("k j i q s t h c")
    inner = sum_over(lambda s: sum_over(lambda c: W[s, c], n), m)
    text = latex(inner * sp.prod(letters))
    assert text.endswith(r"\sum_{k_{2}=1}^{m} \sum_{k_{1}=1}^{n} W^{l}_{k_{2},k_{1}}")
    assert latex(Sum(x_[p, 0], (p, 0, n - 1))) == r"\sum_{p=1}^{n} x_{p}"
    assert latex(x_[p, 0] * Sum(x_[p, 0], (p, 0, n - 1))) == r"x_{p} \sum_{k=1}^{n} x_{k}"
    total = sp.Derivative(sum_over(lambda k: x_[k, 0], n), x_[indices("k"), 0])
    assert latex(total) == r"\frac{\partial}{\partial x_{k}} \sum_{j=1}^{n} x_{j}"
    by_entry = sp.Derivative(Sum(x_[k, 0] * z_[k, 0], (k, 0, n - 1)), x_[k, 0])
    assert latex(by_entry) == r"\frac{\partial}{\partial x_{k}} \sum_{j=1}^{n} x_{j} z_{j}"


def test_latex_gives_a_sum_that_occurs_twice_one_letter():
    total, other = (sum_over(lambda k, v=v: v[k, 0], n) for v in (x_, z_))
    once = r"\sum_{k=1}^{n} x_{k}"
    assert latex(sigma(total) * slope(total)) == (
        rf"\sigma\left({once}\right) \sigma'\left({once}\right)"
    )
    assert latex(slope(total) * slope(other)).count("k=1") == 1


def test_latex_puts_what_is_differentiated_in_brackets():
    """d/du u v could be read as (du/du) v."""
    assert latex(sp.Derivative(u * v, u)) == r"\frac{\partial}{\partial u} (u v)"
    assert latex(sp.Derivative(u / v, u)) == r"\frac{\partial}{\partial u} \frac{u}{v}"
    assert latex(sp.Derivative(-u * v, u)).endswith(r"\left(- u v\right)")


def test_companion_does_not_import_sympy():
    code = "import sys, companion; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
