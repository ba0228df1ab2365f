"""Random statements for the prover: what is true should be proved, what is false must not be.

    python -m tools.fuzz_prover [STATEMENTS [SEED]]      10000 true ones and as many false ones

Three kinds take turns: sums with indices, products of matrices, and derivatives of costs of several
arguments. A true statement is an expression against the same, rewritten by rules that are written
down here and nowhere else. A false one is a true one in which something was changed; that it is
false is known from numbers alone, by `refute`, which cannot prove. A statement that was changed and
still agrees at every place that was tried is neither.
"""

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from sympy import (
    Add,
    Expr,
    Function,
    HadamardProduct,
    Identity,
    Integer,
    KroneckerDelta,
    MatMul,
    Max,
    Mul,
    Piecewise,
    Pow,
    S,
    Sum,
    Transpose,
    hadamard_product,
    symbols,
)
from sympy.matrices.expressions.diagonal import DiagMatrix
from sympy.matrices.expressions.matexpr import MatrixElement, MatrixExpr

from companion.symbolic import (
    ProofError,
    activation,
    derivative,
    entry,
    function_of,
    indices,
    matrix,
    refute,
    same,
    sum_over,
    vector,
    widths,
)

LENGTH = 300  # characters of a side; longer ones are drawn again
PLACES = 3  # at which numbers are compared

n, m, s = widths("n m s")
i, j, k, p, q, r = indices("i j k p q r")  # i, p, r run to m; j, q to n; k is bound again and again
t, u, v = symbols("t u v")
W, V, A = matrix("W", m, n), matrix("V", m, n), matrix("A", n, n)
b, d, x, y = vector("b", m), vector("d", m), vector("x", n), vector("y", n)
sigma, C, f, h = activation(), Function("C"), Function("f"), Function("h")
FREE = ((p, m), (r, m), (q, n), (j, n))


def one_if_equal(i, j, width):
    return KroneckerDelta(i, j, (0, width - 1))


@dataclass
class Tally:
    """What came of it, by kind; the statements that went wrong are kept."""

    true: Counter = field(default_factory=Counter)
    proved: Counter = field(default_factory=Counter)
    false: Counter = field(default_factory=Counter)
    proved_false: list = field(default_factory=list)
    unproved: list = field(default_factory=list)
    refuted_true: list = field(default_factory=list)

    def __str__(self):
        lines = [
            f"{kind}: {self.proved[kind]} of {self.true[kind]} true ones proved, "
            f"{sum(kind == other for other, *_ in self.proved_false)} of {self.false[kind]} false"
            for kind in KINDS
        ]
        return "\n".join([*lines, f"true ones that numbers refute: {len(self.refuted_true)}"])


def fuzz(statements: int, seed: int = 0) -> Tally:
    """So many true statements and so many false ones, from one seed."""
    rng, tally = random.Random(seed), Tally()
    kinds = list(KINDS)
    turn = 0
    while min(tally.true.total(), tally.false.total()) < statements:
        turn += 1
        kind = kinds[turn % len(kinds)]
        left, right = KINDS[kind](rng)
        if max(len(str(left)), len(str(right))) > LENGTH:
            continue
        if tally.true.total() < statements:
            tally.true[kind] += 1
            if _proved(left, right):
                tally.proved[kind] += 1
            else:
                tally.unproved.append((kind, left, right))
            if refute(left, right, trials=1, simple=False):
                tally.refuted_true.append((kind, left, right))
        wrong = spoilt(rng, right)
        if tally.false.total() < statements and refute(left, wrong, PLACES, simple=False):
            tally.false[kind] += 1
            if _proved(left, wrong):
                tally.proved_false.append((kind, left, wrong))
    return tally


def _proved(left, right):
    try:
        return same(left, right)
    except ProofError:
        return False


# Sums with indices. `scope` holds pairs of an index and its width.


def index_statement(rng):
    expr = random_sum(rng, 3, FREE)
    return expr, rewritten(rng, expr, FREE)


def random_sum(rng, depth, scope):
    def index(size):
        return rng.choice([i for i, width in scope if width == size])

    def deeper(scope=scope):
        return random_sum(rng, depth - 1, scope)

    kind = rng.random()
    if depth == 0 or kind < 0.15:
        size = rng.choice([m, n])
        leaves = [W[index(m), index(n)], V[index(m), index(n)], b[index(m), 0], x[index(n), 0]]
        delta = one_if_equal(index(size), index(size), size)
        leaves += [A[index(n), index(n)], S(rng.randint(-2, 3)), delta]
        return rng.choice(leaves)
    if kind < 0.3:
        return deeper() + deeper()
    if kind < 0.5:
        return deeper() * deeper()
    if kind < 0.56:
        return sigma(deeper())
    if kind < 0.6:
        return C(x[index(n), 0], b[index(m), 0]).diff(x[index(n), 0]) + deeper()  # by a slot
    if kind < 0.63:
        return f(deeper() * t).diff(t)  # SymPy writes Subs
    if kind < 0.66:
        return Piecewise((deeper(), b[index(m), 0] > 0), (deeper(), True))
    if kind < 0.69:
        return Max(0, deeper())
    if kind < 0.73:
        return deeper() ** 2
    if kind < 0.77:
        low, high = rng.choice([(0, 1), (0, 2), (1, 2), (-1, 1)])
        letter = indices("k") if low >= 0 else symbols("whole", integer=True)
        delta = KroneckerDelta(letter, index(n), (0, n - 1)) if low >= 0 else letter
        return Sum(delta * deeper() + letter, (letter, low, high))
    size = rng.choice([m, n])
    letter = rng.choice([i, j, k, indices("l")])  # some are free letters too: they may clash
    inner = [(other, width) for other, width in scope if other != letter]
    if not {m, n} <= {width for _, width in inner}:
        letter, inner = indices("l"), list(scope)
    return Sum(deeper([*inner, (letter, size)]), (letter, 0, size - 1))


def rewritten(rng, expr, scope):
    """The same value in other words: a few rules of finite sums, applied here and there."""
    if isinstance(expr, Sum) and len(expr.limits) == 1:
        (letter, low, high), body = expr.limits[0], expr.function
        inner = [(i, width) for i, width in scope if i != letter]
        inner += [(letter, high + 1)] if low == 0 else []
        body = rewritten(rng, body, inner)
        rule = rng.randrange(4)
        if rule == 0 and low.is_Integer and high.is_Integer:
            return Add(*(at(body, letter, Integer(place)) for place in range(low, high + 1)))
        if rule == 1 and body.is_Add:
            return Add(*(Sum(part, *expr.limits) for part in body.args))
        if rule == 2 and isinstance(body, Sum) and letter not in body.limits[0][0].free_symbols:
            if not any(letter in bound.free_symbols for bound in body.limits[0][1:]):
                return Sum(Sum(body.function, *expr.limits), *body.limits)
        if rule == 3 and body.is_Mul:
            inside = [part for part in body.args if letter in part.free_symbols]
            outside = [part for part in body.args if letter not in part.free_symbols]
            return Mul(*outside, Sum(Mul(*inside), *expr.limits))
        new = type(letter)(f"{letter.name}_{rng.randint(1, 99)}", **letter.assumptions0)
        return Sum(at(body, letter, new), (new, low, high))
    if isinstance(expr, MatrixElement) and rng.random() < 0.3:
        place = rng.choice([1, 2])
        old, width = expr.args[place], expr.parent.shape[place - 1]
        if old.is_Symbol and (old, width) in scope:  # a delta picks what was there
            new = indices(f"c_{rng.randint(1, 99)}")
            parts = [*expr.args[:place], new, *expr.args[place + 1 :]]
            return Sum(one_if_equal(new, old, width) * expr.func(*parts), (new, 0, width - 1))
        return expr
    if isinstance(expr, (Add, Mul, Pow)) or (isinstance(expr, Function) and not _opaque(expr)):
        args = [rewritten(rng, part, scope) for part in expr.args]
        if expr.is_Pow and expr.exp == 2 and rng.random() < 0.5:
            return Mul(args[0], args[0], evaluate=False)
        if expr.is_Mul and rng.random() < 0.4:  # one bracket is multiplied out
            sums = [part for part in args if part.is_Add]
            if sums:
                args.remove(sums[0])
                return Add(*(Mul(*args, part) for part in sums[0].args))
        return expr.func(*args)
    return expr


def _opaque(expr):
    return isinstance(expr, (KroneckerDelta, Piecewise))


def at(expr, letter, new):
    """`expr` with `new` in place of a letter; sums that bind the letter again keep it."""
    if isinstance(expr, Sum):
        limits = [(k, *(at(bound, letter, new) for bound in span)) for k, *span in expr.limits]
        bound = any(k == letter for k, *_ in limits)
        return Sum(expr.function if bound else at(expr.function, letter, new), *limits)
    if not expr.args:
        return new if expr == letter else expr
    return expr.func(*(at(part, letter, new) for part in expr.args))


# Matrices.


def matrix_statement(rng):
    expr = random_matrix(rng, 3, *rng.choice([(m, n), (m, 1), (n, 1), (n, n), (n, m)]))
    return expr, other_words(rng, expr)


def random_matrix(rng, depth, rows, columns):
    def deeper(rows=rows, columns=columns):
        return random_matrix(rng, depth - 1, rows, columns)

    known = {(m, n): (W, V), (n, n): (A, Identity(n)), (m, 1): (b, d), (n, 1): (x, y)}
    if depth == 0 or rng.random() < 0.1:
        if (rows, columns) in known:
            return rng.choice(known[rows, columns])
        if (columns, rows) in known:
            return Transpose(rng.choice(known[columns, rows]))
        return b * d.T if rows == m else b.T * d  # (m, m) and (1, 1)
    kind = rng.randrange(7)
    if kind == 0:
        return deeper() + deeper()
    if kind == 1:
        return hadamard_product(deeper(), deeper())
    if kind == 2:
        return deeper(columns, rows).T
    if kind == 3 and rows != 1:
        return DiagMatrix(rng.choice(known[rows, 1])) * deeper()
    if kind == 4:
        return deeper().applyfunc(sigma)
    middle = rng.choice([m, n, 1])
    return deeper(rows, middle) * deeper(middle, columns)


def other_words(rng, M):
    """The same matrix by the rules of matrix algebra; now and then its entries, summed up."""
    if not isinstance(M, MatrixExpr):
        return M
    args = [other_words(rng, part) for part in M.args]
    if isinstance(M, Transpose) and isinstance(M.arg, MatMul):
        return MatMul(*(factor.T for factor in reversed(args[0].args)))
    if isinstance(M, MatMul):
        for place, part in enumerate(args):
            if isinstance(part, MatrixExpr) and part.is_MatAdd and rng.random() < 0.6:
                rest = args[:place], args[place + 1 :]
                terms = [MatMul(*rest[0], term, *rest[1]) for term in part.args]
                return sum(terms[1:], terms[0])
            if isinstance(part, DiagMatrix) and M.shape[1] == 1 and place == len(args) - 2:
                last = hadamard_product(args[-1], part.args[0])
                return MatMul(*args[:place], last) if place else last
    if isinstance(M, HadamardProduct):
        return hadamard_product(*reversed(args))
    return M.func(*args)


# Costs of several arguments.


def cost_statement(rng):
    return rng.choice([_layers, _slots, _batch])(rng)


def _layers(rng):
    """dC/dx or dC/dW through one layer or two, against the product that backpropagation takes."""
    g, top = vector("g", m), rng.choice([W, V])
    below, slope = rng.choice(
        [
            (x, lambda back: back),
            (x.applyfunc(sigma), lambda back: hadamard_product(back, x.applyfunc(sigma.prime()))),
            (hadamard_product(x, y), lambda back: hadamard_product(back, y)),
            (A * x, lambda back: A.T * back),
        ]
    )
    z = top * below + b
    outer = rng.choice([None, sigma, activation("tau")])
    a = z.applyfunc(outer) if outer else z
    cost = function_of(lambda i: entry(a, i), m, lambda i: g[i, 0])
    delta = hadamard_product(g, z.applyfunc(outer.prime())) if outer else g
    if rng.random() < 0.3:
        return derivative(cost, top[p, q]), entry(delta * below.T, p, q)
    if rng.random() < 0.2:
        return derivative(cost, b[p, 0]), entry(delta, p)
    return derivative(cost, x[q, 0]), entry(slope(top.T * delta), q)


def _slots(rng):
    """An unknown function of two numbers or three, by its slots, each slope written by hand."""
    inner = {
        f(t): f(t).diff(t),
        h(t) * u: h(t).diff(t) * u,
        sigma(t * u): u * sigma.prime()(t * u),
        t**2 + v: 2 * t,
        v * t: v,
        sum_over(lambda k: x[k, 0] * t, n): sum_over(lambda k: x[k, 0], n),
        y[q, 0]: S.Zero,
    }
    used = rng.sample(list(inner), rng.choice([2, 3]))
    slopes = []
    for slot in range(len(used)):
        xi = symbols(f"xi_{slot}")
        args = [xi if place == slot else part for place, part in enumerate(used)]
        slopes.append(C(*args).diff(xi).subs(xi, used[slot]) * inner[used[slot]])
    scale = rng.choice([1, n, x[p, 0]])
    return derivative(scale * C(*used), t), scale * Add(*slopes)


def _batch(rng):
    """A mean over examples of a cost whose slopes are letters, or of squares."""
    X, Y = matrix("X", n, s), matrix("Y", m, s)
    z = lambda i, c: sum_over(lambda k: W[i, k] * X[k, c], n)  # noqa: E731
    if rng.random() < 0.5:
        cost = sum_over(lambda c: function_of(lambda i: z(i, c), m, lambda i: Y[i, c]), s)
        return derivative(cost / s, W[p, q]), entry(Y * X.T, p, q) / s
    squares = sum_over(lambda c: sum_over(lambda i: (z(i, c) - Y[i, c]) ** 2, m), s) / 2
    return derivative(squares, W[p, q]), entry((W * X - Y) * X.T, p, q)


KINDS = {"indices": index_statement, "matrices": matrix_statement, "costs": cost_statement}


# Something wrong.


def spoilt(rng, expr):
    """`expr` with one thing changed, somewhere: an index, a factor, a sign, a function, a sum."""
    if isinstance(expr, MatrixExpr):
        return _spoilt_matrix(rng, expr)
    old, whole_with = rng.choice(list(_parts(expr)))
    return whole_with(_wrong(rng, old))


def _wrong(rng, old):
    if isinstance(old, MatrixElement):
        parent, *places = old.args
        axis = rng.randrange(2)
        if parent.shape == (n, n) and rng.random() < 0.5:
            return parent[places[1], places[0]]
        others = [i for i, width in FREE if width == parent.shape[axis] and i != places[axis]]
        if others:
            places[axis] = rng.choice(others)
            return parent[tuple(places)]
        return 2 * old
    if isinstance(old, KroneckerDelta):
        return rng.choice([S.One, 1 - old])
    if isinstance(old, Sum) and rng.random() < 0.5:
        (letter, low, high), *rest = old.limits
        return Sum(old.function, (letter, low, high - 1 if high.is_Integer else high + 1), *rest)
    if isinstance(old, Add):
        return Add(*old.args[1:])
    if isinstance(old, Mul):
        return Mul(*old.args[1:])
    if old.is_Function and hasattr(old.func, "prime"):
        return old.func.prime()(*old.args)
    return rng.choice([-old, 2 * old, old + 1])


def _parts(expr, whole_with=lambda new: new):
    """The numbers of which an expression is made, itself among them.

    Each comes with a function that gives the whole, with something else in that very place: a 0
    may be the body of a sum and the place of an entry, too.
    """
    yield expr, whole_with
    places = []
    if isinstance(expr, (Add, Mul, Pow, Max)) or (expr.is_Function and not _opaque(expr)):
        places = [at for at, part in enumerate(expr.args) if not part.is_Number]
    if isinstance(expr, Sum):
        places = [0]
    for place in places:
        before, part, after = expr.args[:place], expr.args[place], expr.args[place + 1 :]
        if isinstance(part, Expr):
            yield from _parts(
                part,
                lambda new, before=before, after=after: whole_with(expr.func(*before, new, *after)),
            )


def _spoilt_matrix(rng, M):
    """A matrix of the same shape: a part of a shape of its own is swapped, scaled or turned."""
    swaps = {W: V, V: W, b: d, d: b, x: y, y: x, A: A.T}
    letters = sorted(M.atoms(type(W)), key=str)
    if not letters or rng.random() < 0.3:
        return 2 * M
    letter = rng.choice(letters)
    return M.xreplace({letter: swaps[letter]})


def main(statements: int = 10_000, seed: int = 0) -> int:
    start = time.perf_counter()
    tally = fuzz(statements, seed)
    print(tally)
    print(f"{time.perf_counter() - start:.0f} s")
    for title in ("proved_false", "refuted_true"):
        for kind, left, right in getattr(tally, title):
            print(f"{title}: {kind}\n  {left}\n  {right}")
    for kind, left, right in tally.unproved[:20]:
        print(f"not proved: {kind}\n  {left}\n  {right}")
    return bool(tally.proved_false or tally.refuted_true)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
