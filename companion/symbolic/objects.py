"""What statements are about: widths, indices, vectors, matrices, their entries, sums, functions.

    formula                code                        in words
    n, m                   widths("n m")               symbolic widths of layers
    j, k                   indices("j k")              indices, from 0 to the width less 1
    z^l, W^l               vector("z^l", n), matrix("W^l", m, n)
    sum_k f(k)             sum_over(f, n)              its index is new, so it clashes with none
    sigma, sigma'          s = activation(), s.prime()
    C(a_1, .., a_n)        function_of(a, n, gradient)
    y_i(x_1, .., x_n)      function_of(x, n, gradient, y[i, 0])
    (W a + b)_j            entry(W * a + b, j)         an entry, by the definition of the operation

SymPy has no function of symbolically many arguments. `FunctionOf` is one, and the one axiom of
this package is its derivative: dC/dt = sum_j dC/du_j * du_j/dt, the total differential.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import chain, count

from sympy import (
    Add,
    BlockMatrix,
    Dummy,
    Expr,
    Function,
    HadamardProduct,
    Identity,
    KroneckerDelta,
    Lambda,
    MatAdd,
    MatMul,
    MatPow,
    MatrixBase,
    MatrixExpr,
    MatrixSymbol,
    Mul,
    OneMatrix,
    S,
    Sum,
    Symbol,
    SympifyError,
    Transpose,
    Tuple,
    ZeroMatrix,
    preorder_traversal,
    symbols,
    sympify,
)
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.function import AppliedUndef, ArgumentIndexError
from sympy.core.symbol import Str
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.diagonal import DiagMatrix
from sympy.matrices.expressions.hadamard import HadamardPower
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.printing.latex import latex as sympy_latex


class ProofError(Exception):
    """A statement that was not proved, or a question that would get a wrong answer."""


def widths(names: str):
    """Symbols for widths, whole numbers from 1: one, or a tuple, like `sympy.symbols`.

    >>> n, m = widths("n m")
    >>> vector("z", n).shape
    (n, 1)
    """
    return symbols(names, integer=True, positive=True)


def indices(names: str):
    """Symbols for indices, whole numbers from 0: one, or a tuple, like `sympy.symbols`."""
    return symbols(names, integer=True, nonnegative=True)


def vector(name: str, n) -> MatrixSymbol:
    """A column (n, 1). Its entry j is `vector(name, n)[j, 0]`."""
    return MatrixSymbol(name, n, 1)


def matrix(name: str, m, n) -> MatrixSymbol:
    """A matrix (m, n)."""
    return MatrixSymbol(name, m, n)


def sum_over(f: Callable, n) -> Sum:
    """The sum of f(k) over k = 0, .., n-1. It is printed with the letter that f has for its index.

    >>> n = widths("n")
    >>> sum_over(lambda i: vector("x", n)[i, 0], n)
    Sum(x[_i, 0], (_i, 0, n - 1))
    """
    k = _index(f.__code__.co_varnames[0] if hasattr(f, "__code__") else "k")
    return Sum(f(k), (k, 0, n - 1))


def activation(name: str = "sigma", latex: str | None = None) -> type[Function]:
    r"""A differentiable function of one number, of which nothing else is known.

    The same name gives the same function. Its derivative is `.prime()`, and that has one too.
    `latex` is how it is printed; by default, by its name, with Greek letters.

    >>> sigma, x = activation(), Symbol("x")
    >>> sigma(x**2).diff(x)
    2*x*sigma'(x**2)
    >>> sigma.prime().prime()(x)
    sigma''(x)
    """
    return _generic(name, sympy_latex(Symbol(name)) if latex is None else latex, 0)


@cache
def _generic(name, latex, order):
    def fdiff(self, argindex=1):
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return prime()(self.args[0])

    def prime():
        return _generic(name, latex, order + 1)

    members = {
        "nargs": 1,
        "fdiff": fdiff,
        "prime": staticmethod(prime),
        "letters": latex + "'" * order,
    }
    return type(name + "'" * order, (Function,), members)


class FunctionOf(Function):
    """C(u_0, .., u_{n-1}); its arguments are j -> u_j, n, j -> dC/du_j and C. See `function_of`."""

    nargs = 4

    def _eval_derivative(self, t):
        u, n, gradient, _ = self.args
        return sum_over(lambda j: gradient(j) * u(j).diff(t), n)


def function_of(u: Callable, n, gradient: Callable, name="C") -> FunctionOf:
    """Any differentiable C(u(0), .., u(n-1)), a number; its gradient has the entries gradient(j).

    name    how it is printed: a text, or an entry such as y[i, 0] where each i has a function

    The axiom: its derivative is the total differential. Letters given as the gradient stand for
    its values at one point, so a second derivative needs a gradient written out in terms of u.

    >>> n, p = widths("n"), indices("p")
    >>> a, g = vector("a", n), vector("g", n)
    >>> cost = function_of(lambda j: a[j, 0], n, lambda j: g[j, 0])
    >>> cost.diff(a[p, 0])
    Sum(KroneckerDelta(_j, p, (0, n - 1))*g[_j, 0], (_j, 0, n - 1))
    """
    j = _index("j")
    name = Str(name) if isinstance(name, str) else name
    return FunctionOf(Lambda(j, fresh(u(j))), n, Lambda(j, fresh(gradient(j))), name)


def entry(M: MatrixExpr, i, j=0) -> Expr:
    """The entry (i, j) of a matrix expression, by the definition of what was done.

    Raises ProofError for an operation that is not among sums, products, powers, transposes,
    Hadamard products and powers, `applyfunc`, `DiagMatrix` of a column, 0, 1 and identity matrices,
    and a row of blocks times a column of blocks.

    >>> m, n = widths("m n")
    >>> i, j = indices("i j")
    >>> entry(vector("d", m) * vector("x", n).T, i, j)
    d[i, 0]*x[j, 0]
    """
    i, j = sympify(i), sympify(j)
    match M:
        case MatrixSymbol() | MatrixBase():
            return M[i, j]
        case MatAdd():
            return Add(*(entry(A, i, j) for A in M.args))
        case MatMul(args=(BlockMatrix() as row, BlockMatrix() as column)):
            return _entry_of_blocks(row, column, i, j)
        case MatMul():
            coefficient, factors = M.as_coeff_matrices()
            return _entry_of_product(coefficient, factors, i, j)
        case MatPow() if M.exp.is_Integer and M.exp > 1:
            return _entry_of_product(S.One, [M.base] * int(M.exp), i, j)
        case Transpose():
            return entry(M.arg, j, i)
        case HadamardProduct():
            return Mul(*(entry(A, i, j) for A in M.args))
        case HadamardPower():
            base, power = (entry(A, i, j) if A.is_Matrix else A for A in M.args)
            return base**power
        case ElementwiseApplyFunction():
            return fresh(M.function)(entry(M.expr, i, j))
        case OneMatrix():
            return S.One
        case ZeroMatrix():
            return S.Zero
        case Identity():
            return _delta(i, j, M.shape[0])
        case DiagMatrix() if M.args[0].shape[1] == 1:
            return entry(M.args[0], i) * _delta(i, j, M.shape[0])
    raise ProofError(f"no definition of an entry of {type(M).__name__}, got {M}: write it out")


def _entry_of_product(coefficient, factors, i, j):
    first, *rest = factors
    if not rest:
        return coefficient * entry(first, i, j)
    rest, size = MatMul(*rest), sympify(first.shape[1])
    if size == 0:
        return S.Zero
    if size == 1 or (size.is_Integer and _written_out(first, rest)):
        terms = (entry(first, i, k) * entry(rest, k, j) for k in range(size))
        return coefficient * Add(*terms)
    return coefficient * sum_over(lambda k: entry(first, i, k) * entry(rest, k, j), size)


def _written_out(*sides) -> bool:
    """Whether a matrix whose entries are written out is among them: its places are numbers."""
    for M in sides:
        parts = preorder_traversal(M)
        for part in parts:
            if isinstance(part, BlockMatrix):
                parts.skip()  # what is written out there is blocks, not entries
            elif isinstance(part, MatrixBase):
                return True
    return False


def _entry_of_blocks(row, column, i, j):
    """(A B) times C over D is A C + B D: blocks multiply like numbers."""
    widths = [A.shape[1] for A in row.blocks[0, :]], [C.shape[0] for C in column.blocks[:, 0]]
    if row.blockshape[0] != 1 or column.blockshape[1] != 1 or widths[0] != widths[1]:
        raise ProofError(f"blocks are a row times a column that fit, got {row} and {column}")
    products = zip(row.blocks[0, :], column.blocks[:, 0])
    return Add(*(entry(A * C, i, j) for A, C in products))


def _delta(i, j, n):
    """[i = j], with the range of the two indices: SymPy leaves it out of a DiagMatrix."""
    return KroneckerDelta(i, j, (0, n - 1))


def check_letters(*sides) -> None:
    """Refuse letters that do not commute, different ones of one name, and indices of a wrong kind.

    An index can be 0, and what it was declared to be holds in the whole range of its sum. A range
    ends at its first number or later, or just before it: then it is empty.
    """
    for kind in (Symbol, MatrixSymbol):
        named = {}
        for s in set().union(*(side.atoms(kind) for side in sides)):
            if not isinstance(s, Dummy) and named.setdefault(s.name, s) != s:
                raise ProofError(
                    f"two different letters are called {s.name}, in {sides[0]}: make each once, "
                    "and give letters of another width or with other assumptions another name"
                )
    for side in sides:
        if wrong := [s for s in side.atoms(Symbol, AppliedUndef) if s.is_commutative is False]:
            raise ProofError(f"{wrong[0]} does not commute, in {side}: write matrices as entries")
        for k, low, high in (limit for e in side.atoms(Sum) for limit in e.limits):
            _check_range(k, low, high)
        used = {i for e in side.atoms(MatrixElement) for i in e.args[1:]}
        used |= {k for e in side.atoms(Sum) for k in e.bound_symbols}
        if wrong := [i for i in used if i.is_Symbol and i.is_positive]:
            raise ProofError(
                f"{wrong[0]} is an index of {side}, but cannot be 0: "
                "make it with indices, not widths"
            )


def _check_range(k, low, high):
    known = _index(k.name, low).assumptions0
    if (high - low + 1).is_negative:
        raise ProofError(f"a sum over {k} from {low} to {high} runs backwards: turn it round")
    wrong = [
        f"{name}={holds}" for name, holds in k.assumptions0.items() if known.get(name) != holds
    ]
    if wrong and not k.is_positive:  # a width is told so in other words
        raise ProofError(
            f"{k} runs from {low} to {high}, and was declared with {', '.join(wrong)}, "
            "which is not so for all of these: make it with indices, or with integer=True alone"
        )


def pairs(lhs, rhs) -> list[tuple[str, Expr, Expr]]:
    """What a statement says about numbers: (name of the entry or "", left, right).

    Two matrix expressions of equal shape give one pair, their entries (i, j) for two free indices
    that neither of them uses; lists, tuples and explicit matrices, also within products, give one
    for each entry.
    """
    if any(isinstance(side, (list, tuple)) or _written_out(side) for side in (lhs, rhs)):
        left, right = _listed(lhs), _listed(rhs)
        if left.keys() != right.keys():
            raise ProofError(f"{len(left)} entries against {len(right)}, or another shape: "
                             f"{lhs} and {rhs}")  # fmt: skip
        if not left:
            raise ProofError(f"no entries, so nothing to prove: {lhs} and {rhs}")
        return [
            (f"{place} {where}".strip(), l, right_entry)
            for place in left
            for where, l, right_entry in pairs(left[place], right[place])
        ]
    lhs, rhs = map(_number_or_matrix, (lhs, rhs))
    shapes = [side.shape if isinstance(side, MatrixExpr) else () for side in (lhs, rhs)]
    if shapes[0] != shapes[1]:
        raise ProofError(f"a shape {shapes[0]} against {shapes[1]}: {lhs} and {rhs}")
    check_letters(lhs, rhs)
    if not isinstance(lhs, MatrixExpr):
        return [("", lhs, rhs)]
    if 0 in lhs.shape:
        raise ProofError(f"no entries, so nothing to prove: {lhs} and {rhs}")
    taken = {s.name for side in (lhs, rhs) for s in side.atoms(Symbol, MatrixSymbol)}
    letters = (s for s in chain("ijpqrs", map("i_{}".format, count(1))) if s not in taken)
    i, j = (S.Zero if size == 1 else indices(next(letters)) for size in lhs.shape)
    return [("", entry(lhs, i, j), entry(rhs, i, j))]


def _number_or_matrix(side):
    try:
        read = sympify(side)
    except SympifyError:
        read = None
    if not isinstance(read, (Expr, MatrixExpr)) or isinstance(read, Lambda):
        raise ProofError(f"a side is a number or a matrix, got {side}")
    return read


def _listed(side):
    if isinstance(side, (list, tuple)):
        return {f"[{place}]": value for place, value in enumerate(side)}
    if isinstance(side, (MatrixBase, MatrixExpr)) and all(size.is_Integer for size in
                                                         map(sympify, side.shape)):  # fmt: skip
        rows, columns = map(int, side.shape)
        return {f"[{i}, {j}]": entry(side, i, j) for i in range(rows) for j in range(columns)}
    raise ProofError(
        "a list is compared with a list and a matrix with a matrix, explicit entries with widths "
        f"that are numbers, got {side}"
    )


def fresh(expr, letters: bool = True):
    """The same expression with a new index for every sum.

    Nothing that is put in later can then be mistaken for a summation index. The new one has the
    letter of the old one, to be printed with, or without `letters` all have the same.
    """
    if not expr.has(ExprWithLimits):
        return expr
    expr = expr.func(*(fresh(part, letters) for part in expr.args))
    if not isinstance(expr, Sum):
        if isinstance(expr, ExprWithLimits):
            raise ProofError(f"sums are the only operation with an index here, got {expr}")
        return expr
    body, limits = expr.function, []
    for k, low, high in expr.limits:
        if not (low.is_integer and high.is_integer):
            raise ProofError(f"a sum runs between whole numbers, got {low} to {high}: use widths")
        new = _index(k.name if letters else "k", low)
        body, limits = body.xreplace({k: new}), [limit.xreplace({k: new}) for limit in limits]
        limits.append(Tuple(new, low, high))
    return Sum(body, *limits)


def nameless(expr):
    """`fresh`, all indices with one letter: so letters do not count in a normal form."""
    return fresh(expr, letters=False)


def _index(name, low=S.Zero):
    return Dummy(name, integer=True, nonnegative=sympify(low).is_nonnegative or None)
