"""Derivatives, but not those that SymPy 1.14 gets wrong without saying so.

SymPy differentiates a number by an entry of a matrix correctly, and what comes back carries the
range of its indices: dz_i/dz_p = [i = p], both from 0 to n-1. Of other calls it answers some
wrongly; `derivative` refuses these and says what to do instead.
"""

from itertools import permutations

from sympy import (
    Dummy,
    Expr,
    KroneckerDelta,
    Lambda,
    MatrixSymbol,
    Symbol,
    preorder_traversal,
    sympify,
)
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.function import AppliedUndef, Derivative
from sympy.matrices.expressions.matexpr import MatrixElement, MatrixExpr

from companion.symbolic.grammar import may_meet, read
from companion.symbolic.objects import ProofError, check_letters


def derivative(expr, wrt) -> Expr:
    """The derivative of a number by a Symbol, or by one entry of a vector or matrix.

    The slope of Max(0, z) is Heaviside(z), which SymPy takes to be 1/2 at 0; the book takes 0.

    Raises ProofError where SymPy would not answer, or not correctly.

    >>> from companion.symbolic import indices, sum_over, vector, widths
    >>> n, p = widths("n"), indices("p")
    >>> x = vector("x", n)
    >>> derivative(sum_over(lambda k: x[k, 0] ** 2, n), x[p, 0])
    Sum(2*KroneckerDelta(_k, p, (0, n - 1))*x[_k, 0], (_k, 0, n - 1))
    >>> derivative(x.T * x, x)
    Traceback (most recent call last):
        ...
    companion.symbolic.objects.ProofError: x is a matrix: differentiate by one entry, x[p, 0]
    """
    expr, wrt = sympify(expr), sympify(wrt)
    _check_variable(wrt)
    _check_scalar(expr)
    check_letters(expr, wrt)
    bound = {k for part in expr.atoms(ExprWithLimits, Lambda) for k in part.bound_symbols}
    if clash := wrt.free_symbols & bound:
        raise ProofError(
            f"{clash.pop()} is a summation index of {expr}: name the index of {wrt} differently"
        )
    for call in expr.atoms(AppliedUndef):
        _check_call(call)
    read(expr)
    deltas = {d: Dummy() for d in expr.atoms(KroneckerDelta)}  # SymPy trips over their ranges
    back = {v: d for d, v in deltas.items()}
    return expr.xreplace(deltas).diff(wrt).xreplace(back)


def _check_variable(wrt):
    if isinstance(wrt, MatrixExpr):
        raise ProofError(f"{wrt} is a matrix: differentiate by one entry, {wrt}[p, 0]")
    entry_of_symbol = isinstance(wrt, MatrixElement) and isinstance(wrt.parent, MatrixSymbol)
    if not (entry_of_symbol or isinstance(wrt, Symbol)):
        raise ProofError(f"differentiate by a Symbol or an entry such as z[p, 0], got {wrt}")
    if wrt.is_integer:
        raise ProofError(f"{wrt} is a whole number: nothing can be differentiated by it")


def _check_scalar(expr):
    """Matrices may only occur as entries: SymPy takes the rest of them for constants."""
    if isinstance(expr, MatrixExpr):
        raise ProofError(f"{expr} is a matrix: differentiate one entry, entry(.., i, j)")
    elements = [e for e in expr.atoms(MatrixElement) if isinstance(e.parent, MatrixSymbol)]
    rest = expr.xreplace({e: Dummy() for e in elements})
    if not isinstance(expr, Expr) or rest.has(MatrixExpr):
        raise ProofError(f"write {expr} as a number made of entries such as z[i, 0]")


def _check_call(call):
    """C(f(u), 2 f(u)): SymPy writes dC/df(u) for the first slot and then reads it as both."""
    for slot, other in permutations(call.args, 2):
        if isinstance(slot, (AppliedUndef, Derivative, MatrixElement)) and any(
            type(part) is type(slot) and may_meet(part, slot) for part in preorder_traversal(other)
        ):
            raise ProofError(
                f"{slot} stands in two arguments of {call}: a derivative by it is ambiguous; "
                "use function_of, or give every argument its own letter"
            )
