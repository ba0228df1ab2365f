"""Proof: both sides have one normal form. A statement that is not proved is tested with numbers."""

from sympy import KroneckerDelta, Sum, simplify

from companion.symbolic.normal import reduced
from companion.symbolic.objects import ProofError, pairs
from companion.symbolic.refute import refute


def same(lhs, rhs) -> bool:
    """True: equal for all widths, proved. False: no proof was found; `refute` may know more.

    The sides are numbers, matrix expressions of equal shape (equal in every entry), or lists,
    tuples and explicit matrices. The difference of two numbers is brought to normal form; if no
    sum and no Kronecker delta is left in it, SymPy's `simplify` may finish.

    >>> from sympy import Symbol, exp
    >>> x = Symbol("x")
    >>> same(exp(x) / (1 + exp(x)), 1 / (1 + exp(-x)))
    True
    """
    return all(_is_zero(left, right) for _, left, right in pairs(lhs, rhs))


def _is_zero(left, right):
    gap = reduced(reduced(left) - reduced(right))
    return gap == 0 or (not gap.has(Sum, KroneckerDelta) and simplify(gap, doit=False) == 0)


def prove(lhs, rhs) -> None:
    """Return if `same`; else raise ProofError, with a counterexample where there is one.

    >>> from companion.symbolic import matrix, vector, widths
    >>> n = widths("n")
    >>> W, x = matrix("W", n, n), vector("x", n)
    >>> prove((W * x).T, x.T * W.T)
    >>> prove(W * x, W.T * x)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    companion.symbolic.objects.ProofError: not equal:
      left:  W*x
      right: W.T*x
      n = 2, i = 0, W[0, 0] = 2, W[0, 1] = 4, ...: left = 10, right = 9
    """
    if same(lhs, rhs):
        return
    try:
        found = refute(lhs, rhs)
    except ProofError as error:
        found, reason = None, f"no proof, and no values to compare: {error}"
    else:
        reason = str(found or "no proof found, and no counterexample either")
    verdict = "not equal" if found else "not proved"
    raise ProofError(f"{verdict}:\n  left:  {lhs}\n  right: {rhs}\n  {reason}")
