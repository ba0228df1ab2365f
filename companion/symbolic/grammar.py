"""What a statement may be made of; anything else is refused before it is proved.

The rules of `normal.py` put one index in place of another. They take it that the value of a whole
hangs on the values of its parts alone, and that is so for

    exact numbers, letters, entries x[k, 0]     whose letters commute and whose places are whole
    sums, products, powers, functions           sigma, exp, Max, C(u, v), function_of
    KroneckerDelta, Piecewise, Sum              over a range of whole numbers

It is not so for a derivative: dC(a_k, a_p)/da_k belongs to one argument of C, dC(a_p, a_p)/da_p to
two. So `read` takes each derivative of an unknown function for one more unknown function, named by
the numbers of the arguments, if these can be told for every value of the indices; and it carries
out what is written as a substitution. `written` is the way back.
"""

from functools import cache

from sympy import (
    Add,
    And,
    DiracDelta,
    Dummy,
    Expr,
    Function,
    I,
    KroneckerDelta,
    Lambda,
    MatrixSymbol,
    Max,
    Min,
    Mul,
    Not,
    NumberSymbol,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    Subs,
    Sum,
    Symbol,
    Tuple,
    preorder_traversal,
)
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.function import AppliedUndef, Derivative
from sympy.core.relational import Relational
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.matrices.expressions.matexpr import MatrixElement

from companion.symbolic.objects import FunctionOf, ProofError, check_letters, fresh


def read(expr) -> Expr:
    """`expr` with derivatives told by argument, or ProofError for what has no place in a proof."""
    check_letters(expr)
    return _read(expr, {})


def _read(expr, spans):
    """`spans` are the ranges of the indices of all sums that `expr` stands in."""

    def rebuilt(args):
        args = tuple(args)
        return expr if args == expr.args else expr.func(*args)

    def of(part):
        return _read(part, spans)

    match expr:
        case Symbol() | Rational() | NumberSymbol():
            return expr
        case _ if expr == I or expr in (S.true, S.false):
            return expr
        case Derivative():
            return _by_slots(expr, spans)
        case Subs() if all(v.is_Symbol for v in expr.variables):
            point = dict(zip(expr.variables, map(of, expr.point)))
            inner = {k: span for k, span in spans.items() if k not in point}
            return fresh(_read(expr.expr, inner)).xreplace(point)
        case MatrixElement() if isinstance(expr.parent, MatrixSymbol):
            if not all(place.is_integer for place in expr.args[1:]):
                raise ProofError(f"the places of an entry are whole numbers, got {expr}")
            if expr.parent.free_symbols & spans.keys():
                raise ProofError(f"the shape of {expr.parent} depends on a summation index")
            return rebuilt([expr.parent, *map(of, expr.args[1:])])
        case KroneckerDelta():
            i, j, *born = map(of, expr.args)
            inside = all(_stays(place, born[0], spans) for place in (i, j)) if born else False
            return rebuilt([i, j, *born] if inside else [i, j])
        case Sum():
            for k, *span in reversed(expr.limits):
                spans = {**spans, k: tuple(span)}
            return rebuilt([_read(expr.function, spans), *expr.limits])
        case FunctionOf():
            u, n, gradient, name = expr.args
            lambdas = [
                Lambda(f.variables, _read(f.expr, {**spans, f.variables[0]: (S.Zero, n - 1)}))
                for f in (u, gradient)
            ]
            return rebuilt([lambdas[0], n, lambdas[1], name])
        case Tuple() | ExprCondPair() | And() | Or() | Not() | Relational():
            return rebuilt(map(of, expr.args))
        case Piecewise():
            if any(condition.is_Symbol for _, condition in expr.args):
                raise ProofError(f"a condition compares numbers, such as z > 0, got {expr}")
            return rebuilt(map(of, expr.args))
        case DiracDelta():
            pass
        case Add() | Mul() | Pow() | Max() | Min() | Function():
            return rebuilt(map(of, expr.args))
    if isinstance(expr, ExprWithLimits):
        raise ProofError(f"sums are the only operation with an index here, got {expr}")
    why = "write exact numbers, Rational(1, 10) for 0.1" if getattr(expr, "is_Float", False) else (
        "write it with entries, sums, products, powers and functions of numbers"
    )  # fmt: skip
    raise ProofError(f"a proof cannot read {type(expr).__name__}, got {expr}: {why}")


def _stays(place, born, spans):
    """Whether an index of a Kronecker delta keeps to the range that the delta was born with.

    SymPy takes [i = j] for 0 once i or j has left it. One that may leave it, loses its range.
    """
    if not place.free_symbols & spans.keys():
        return True
    low, high = spans.get(place, (S.NegativeInfinity, S.Infinity))
    return bool((low - born[0]).is_nonnegative and (born[1] - high).is_nonnegative)


# Derivatives of unknown functions.


def _by_slots(expr, spans):
    call = expr.expr
    if not isinstance(call, AppliedUndef):
        raise ProofError(
            f"a derivative that was not carried out: {expr}; call doit(), or use derivative"
        )
    slots = []
    for v, times in expr.variable_count:
        if not _is_own(v, call) or not times.is_Integer:
            raise ProofError(
                f"{v} is no argument of its own in {call}, or not for every value of the indices, "
                f"so {expr} can be read in two ways; give every argument its own letter"
            )
        slots += [call.args.index(v)] * int(times)
    return _partial(call.func, tuple(sorted(slots)))(*(_read(a, spans) for a in call.args))


def _is_own(v, call):
    """Whether v is one argument of the call, and no other has it in it, nor ever will."""
    others = [a for a in call.args if a != v]
    if v.is_integer or len(others) + 1 != len(call.args):
        return False
    parts = (part for a in others for part in preorder_traversal(a))
    return not any(type(part) is type(v) and may_meet(part, v) for part in parts)


def may_meet(a, b) -> bool:
    """Whether a and b are one, or can become one when something is put in for their indices.

    >>> from companion.symbolic import indices, vector
    >>> (i, j), x, t = indices("i j"), vector("x", 3), Symbol("t")
    >>> may_meet(x[i, 0], x[j, 0]), may_meet(x[i, 0], x[i + 1, 0]), may_meet(t, x[i, 0])
    (True, False, False)
    """
    if a == b:
        return True
    if isinstance(a, MatrixSymbol) or not any(
        s.is_integer for s in a.free_symbols | b.free_symbols
    ):
        return False
    if a.is_integer and b.is_integer:
        return (a - b).is_zero is not False
    if any(side.is_Symbol and not side.is_integer for side in (a, b)) or (a.is_Atom and b.is_Atom):
        return False
    if all(isinstance(side, (AppliedUndef, MatrixElement)) for side in (a, b)):
        return a.func == b.func and all(map(may_meet, a.args, b.args))
    return True  # 2 u and k u, for one


@cache
def _partial(func, slots):
    """The partial derivative of an unknown function by these of its arguments, as a function."""
    return type(f"{func.__name__}^{slots}", (Function,), {"origin": (func, slots)})


def written(expr) -> Expr:
    """`expr` with its partial derivatives as SymPy writes them; `read` reads it again."""
    args = [written(part) for part in expr.args]
    if not hasattr(expr.func, "origin"):
        return expr if tuple(args) == expr.args else expr.func(*args)
    func, slots = expr.func.origin
    call = func(*args)
    if all(getattr(args[s], "_diff_wrt", False) and _is_own(args[s], call) for s in slots):
        return Derivative(call, *(args[s] for s in slots))
    letters = {s: Dummy(f"xi_{s + 1}") for s in slots}
    call = func(*(letters.get(s, a) for s, a in enumerate(args)))
    point = tuple(args[s] for s in letters)
    return Subs(Derivative(call, *(letters[s] for s in slots)), tuple(letters.values()), point)
