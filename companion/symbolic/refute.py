"""Counterexamples: numbers put in for everything, and the two sides computed and compared.

Nothing here knows how to differentiate, to rearrange a sum or to prove. Widths are 2 or 3, free
indices lie below all of them, and entries and symbols are random fractions, so all is real. Of a
function of which nothing is known, such as sigma or sigma', every value is drawn at random as
well, once for each argument: f and its derivatives are functions of their own, as indeed a
differentiable function may have any values and slopes at finitely many points.

Fractions are exact, and any gap between the sides counts. With exp, log, sqrt and the like in it,
a statement is evaluated with 50 digits, and only a gap above 1e-20 (of the larger side, or of 1)
counts, provided that it is there with 100 digits, too.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import mpmath
from sympy import (
    Add,
    Dummy,
    Expr,
    Function,
    KroneckerDelta,
    MatrixSymbol,
    Mul,
    Piecewise,
    Pow,
    Subs,
    Sum,
    Symbol,
    sympify,
)
from sympy.core.function import Application, AppliedUndef, Derivative
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean, BooleanFunction
from sympy.matrices.expressions.matexpr import MatrixElement

from companion.symbolic.objects import FunctionOf, ProofError, pairs

DIGITS = 50
GAP = Fraction(1, 10**20)


@dataclass(frozen=True)
class Counterexample:
    """Where two sides differ. `values` are the widths, indices and symbols by name."""

    values: Mapping[str, object]
    left: object
    right: object

    def __str__(self):
        places, sides = (
            ", ".join(" = ".join(pair) for pair in pairs.items()) for pairs in self.told()
        )
        return f"{places}: {sides}" if places else sides

    def told(self) -> tuple[dict[str, str], dict[str, str]]:
        """The place and the two sides, each a text by its name, with digits enough to differ."""
        digits = next(d for d in range(5, DIGITS + 1) if d == DIGITS or self._differ(d))
        sides = {"left": _text(self.left, digits), "right": _text(self.right, digits)}
        return {name: _text(value) for name, value in self.values.items()}, sides

    def _differ(self, digits):
        return _text(self.left, digits) != _text(self.right, digits)


def refute(lhs, rhs, trials: int = 20) -> Counterexample | None:
    """A place where the two sides differ, or None if there was none in so many random ones.

    The sides are what `same` takes. Indices in a counterexample count from 0; matrices and
    functions that were drawn at random are not listed in it.

    Raises ProofError for what has no numbers, or no value at any place that was tried.

    >>> from sympy import Symbol, cos, diff, sin
    >>> x = Symbol("x")
    >>> refute(diff(sin(x), x), cos(x)) is None
    True
    >>> print(refute(x**2, 2 * x))
    x = -6/5: left = 36/25, right = -12/5
    """
    statements = pairs(lhs, rhs)
    defined = not statements
    for seed in range(trials):
        for place, left, right in statements:
            try:
                found = _compare(place, left, right, seed)
            except _Undefined:
                continue
            defined = True
            if found:
                return found
    if not defined:
        raise ProofError(f"no value at any of {trials} random places: {lhs} and {rhs}")
    return None


def _compare(place, left, right, seed):
    world = _World(seed, DIGITS, left, right)
    values = world.value(left), world.value(right)
    if not _differ(*values):
        return None
    if not all(isinstance(value, Fraction) for value in values):
        finer = _World(seed, 2 * DIGITS, left, right)
        if not _differ(finer.value(left), finer.value(right)):
            return None
    named = {"entry": place} if place else {}
    return Counterexample(named | world.symbols(), *values)


def _differ(left, right):
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left != right
    with mpmath.workdps(2 * DIGITS):
        left, right = _mpf(left), _mpf(right)
        return abs(left - right) > _mpf(GAP) * max(1, abs(left), abs(right))


class _Undefined(ArithmeticError):
    """No real number: a division by 0, the logarithm of a negative number."""


class _World:
    """One choice of everything, made when first asked for and the same whenever asked again."""

    def __init__(self, seed, digits, *sides):
        self.seed, self.digits, self.drawn = seed, digits, {}
        used = set().union(*(side.free_symbols for side in sides))
        sizes = {size for M in used if isinstance(M, MatrixSymbol) for size in M.shape}
        used |= {s for size in sizes for s in size.free_symbols}
        self.named = sorted(
            (s for s in used if isinstance(s, Symbol)),
            key=lambda s: (not _is_width(s), s.name, str(s.assumptions0)),
        )
        drawn = {s: self._symbol(s) for s in self.named if _is_width(s)}
        fixed = [Fraction(int(size)) for size in sizes if size.is_Integer and size > 1]
        self.below = int(min([*drawn.values(), *fixed], default=2))

    def symbols(self):
        """The values of the symbols by name."""
        return {s.name: self._symbol(s) for s in self.named}

    def value(self, expr):
        """The value of a number: a Fraction, or an mpf where that is not possible."""
        with mpmath.workdps(self.digits):
            return self._value(expr, {})

    def _draw(self, key, choices=None):
        if key not in self.drawn:
            rng = random.Random(f"{self.seed} {key}")
            numerator = rng.randint(1, 9) * (rng.choice((1, -1)) if self.seed % 2 == 0 else 1)
            number = Fraction(numerator, rng.randint(4, 7))
            self.drawn[key] = Fraction(rng.choice(choices)) if choices else number
        return self.drawn[key]

    def _symbol(self, s):
        key = (s.name, s.dummy_index if isinstance(s, Dummy) else "", str(s.assumptions0))
        if _is_width(s):
            return self._draw(key, (2, 3))
        number = self._draw(key, range(self.below)) if s.is_integer else self._draw(key)
        number = abs(number) if s.is_positive else -abs(number) if s.is_negative else number
        for name, holds in s.assumptions0.items():
            if getattr(_sympy(number), f"is_{name}") is (not holds):
                raise _Undefined(f"{number} is no value of a symbol with {name}={holds}")
        return number

    def _oracle(self, name, arguments):
        """The value of an unknown function; arguments that agree in 30 decimals are the same."""
        rounded = tuple(int(mpmath.nint(_mpf(a) * 10**30)) for a in arguments)
        return self._draw((name, rounded))

    def _value(self, expr, env):
        def of(part):
            return self._value(part, env)

        match expr:
            case _ if expr in env:
                return env[expr]
            case Symbol():
                return self._symbol(expr)
            case Add():
                return sum(map(of, expr.args), Fraction(0))
            case Mul():
                result = Fraction(1)
                for part in expr.args:
                    result *= of(part)
                return result
            case Pow():
                return self._power(of(expr.base), of(expr.exp))
            case KroneckerDelta():
                return Fraction(int(of(expr.args[0]) == of(expr.args[1])))
            case MatrixElement() if isinstance(expr.parent, MatrixSymbol):
                return self._draw((expr.parent.name, int(of(expr.i)), int(of(expr.j))))
            case Sum():
                return self._sum(expr.function, list(expr.limits), env)
            case FunctionOf():
                return self._function_of(*expr.args, env)
            case AppliedUndef():
                return self._oracle((str(expr.func), ()), map(of, expr.args))
            case Derivative():
                return self._partial(expr, env)
            case Subs():
                return self._value(expr.expr, env | dict(zip(expr.variables, map(of, expr.point))))
            case Piecewise():
                return self._first(expr.args, env)
            case Function() if hasattr(expr.func, "prime"):
                return self._oracle((str(expr.func), ()), map(of, expr.args))
            case Relational():
                return bool(expr.func(*map(_sympy, map(of, expr.args))))
            case BooleanFunction():
                return bool(expr.func(*map(of, expr.args)))
            case Boolean():
                return bool(expr)
            case Application():
                return self._number(expr.func(*map(_sympy, map(of, expr.args))))
        if isinstance(expr, Expr) and not expr.args:
            return self._number(expr)
        raise ProofError(f"no numbers for {type(expr).__name__}, got {expr}")

    def _number(self, value):
        """A SymPy number as a Fraction, if it is one."""
        if value.is_Rational:
            return Fraction(int(value.p), int(value.q))
        value = value.evalf(self.digits)
        if value.is_Rational:
            return Fraction(int(value.p), int(value.q))
        if not value.is_Float:
            raise _Undefined(value)
        return mpmath.mpf(value._mpf_)

    def _power(self, base, exponent):
        if base == 0 and exponent < 0:
            raise _Undefined("division by 0")
        if isinstance(exponent, Fraction) and exponent.denominator == 1:
            return base ** int(exponent)
        return self._number(_sympy(base) ** _sympy(exponent))

    def _sum(self, body, limits, env):
        if not limits:
            return self._value(body, env)
        k, low, high = limits.pop()  # the last of the limits is the outermost sum
        span = (self._value(bound, env) for bound in (low, high))
        start, stop = (int(bound) for bound in span)
        terms = (
            self._sum(body, list(limits), env | {k: Fraction(t)}) for t in range(start, stop + 1)
        )
        return sum(terms, Fraction(0))

    def _function_of(self, u, n, gradient, _, env):
        arguments = []
        for part in (u, gradient):
            k = part.variables[0]
            span = range(int(self._value(n, env)))
            arguments += [self._value(part.expr, env | {k: Fraction(t)}) for t in span]
        return self._oracle(("function_of", ()), arguments)

    def _partial(self, expr, env):
        """A partial derivative of an unknown function: by its slots, a function of its own."""
        call = expr.expr
        if not isinstance(call, AppliedUndef):
            raise ProofError(f"a derivative that was not carried out: {expr}; call doit()")
        slots = []
        for v, times in expr.variable_count:
            here = [slot for slot, argument in enumerate(call.args) if argument == v]
            if not here or any(a.has(v) for a in call.args if a != v) or not times.is_Integer:
                raise ProofError(f"{v} is no argument of its own in {call}: cannot evaluate {expr}")
            slots += [here] * int(times)
        arguments = [self._value(a, env) for a in call.args]
        name = str(call.func)
        ways = (tuple(sorted(way)) for way in product(*slots))
        return sum((self._oracle((name, way), arguments) for way in ways), Fraction(0))

    def _first(self, pieces, env):
        for piece, condition in pieces:
            if self._value(condition, env):
                return self._value(piece, env)
        raise _Undefined("no piece applies")


def _is_width(s):
    return s.is_integer and s.is_positive


def _mpf(value):
    return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _sympy(value):
    return sympify(value)


def _text(value, digits=5):
    return mpmath.nstr(value, digits) if isinstance(value, mpmath.mpf) else str(value)
