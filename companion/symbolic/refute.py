"""Counterexamples: numbers put in for everything, and the two sides computed and compared.

Nothing here knows how to differentiate, to rearrange a sum or to prove. First it looks for numbers
that a reader can follow with a pencil: the smallest widths, small whole numbers and halves; of all
that it finds with these widths the simplest is kept. If there is none, it goes on with widths of 2
or 3 and random fractions. Free indices lie below all widths, and all is real. Of a function of
which nothing is known, such as sigma or sigma', every value is chosen as well, once for each
argument: f and its derivatives are functions of their own, as indeed a differentiable function may
have any values and slopes at finitely many points.

Fractions are exact, and any gap between the sides counts. With exp, log, sqrt and the like in it,
a statement is evaluated with 50 digits, and only a gap above 1e-20 (of the larger side, or of 1)
counts, provided that it is there with 100 digits, too, and as large.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import mpmath
from sympy import (
    Abs,
    Add,
    Dummy,
    Expr,
    Function,
    Heaviside,
    KroneckerDelta,
    MatrixSymbol,
    Max,
    Min,
    Mul,
    Piecewise,
    Pow,
    Subs,
    Sum,
    Symbol,
    sign,
    sympify,
)
from sympy.core.function import Application, AppliedUndef, Derivative
from sympy.core.relational import Relational
from sympy.core.symbol import Str
from sympy.logic.boolalg import Boolean, BooleanFunction
from sympy.matrices.expressions.matexpr import MatrixElement

from companion.symbolic.objects import FunctionOf, ProofError, pairs
from companion.symbolic.printing import is_number as _is_number

DIGITS = 50
GAP = Fraction(1, 10**20)

PENCIL = [Fraction(v) for v in (1, 2, 3, 4, 5)], [Fraction(v, 2) for v in (-4, -2, -1, 1, 2, 4, 6)]
DRAWS = 60  # for one choice of widths, once there is a counterexample


@dataclass(frozen=True)
class Counterexample:
    """Where two sides differ, with every number that is needed to compute them.

    values     widths, indices, symbols, entries and values of unknown functions. Indices count
               from 0, as in code
    arbitrary  the functions among them of which nothing is known, so that any value will do
    entry      in a list or matrix, the place of what differs, such as "[1]"; else ""
    """

    values: Mapping[Expr, Fraction | mpmath.mpf]
    left: Fraction | mpmath.mpf
    right: Fraction | mpmath.mpf
    arbitrary: tuple[str, ...] = ()
    counted: frozenset[Symbol] = frozenset()
    entry: str = ""

    def __str__(self):
        values, sides = self.told()
        places = [f"entry = {self.entry}"] if self.entry else []
        places = ", ".join(places + [f"{key} = {value}" for key, value in values.items()])
        sides = ", ".join(f"{side} = {value}" for side, value in sides.items())
        return f"{places}: {sides}" if places else sides

    def told(self, first: int = 0) -> tuple[dict[Expr, str], dict[str, str]]:
        """The values and the two sides as texts, with digits enough to differ.

        Indices count from `first`: from 0 as in code, or from 1 as in the book.
        """
        digits = next(d for d in range(5, DIGITS + 1) if d == DIGITS or self._differ(d))
        sides = {"left": _text(self.left, digits), "right": _text(self.right, digits)}
        shift = {key: first if key in self.counted else 0 for key in self.values}
        return {key: _text(value + shift[key]) for key, value in self.values.items()}, sides

    def _differ(self, digits):
        return _text(self.left, digits) != _text(self.right, digits)


def refute(lhs, rhs, trials: int = 20, simple: bool = True) -> Counterexample | None:
    """A place where the two sides differ, or None if there was none in so many random ones.

    The sides are what `same` takes. Indices in a counterexample count from 0.

    simple   look for one that can be followed with a pencil, which takes longer

    Raises ProofError for what has no numbers, or no value at any place that was tried.

    >>> from sympy import Symbol, cos, diff, sin
    >>> x = Symbol("x")
    >>> refute(diff(sin(x), x), cos(x)) is None
    True
    >>> print(refute(x**2, 2 * x))
    x = 1: left = 1, right = 2
    """
    statements = pairs(lhs, rhs)
    defined = not statements
    for statement in statements if simple else []:
        if found := _by_pencil(*statement, trials):
            return found
    for seed in range(trials):
        for place, left, right in statements:
            try:
                found = _compare(place, left, right, _World(seed, DIGITS, left, right))
            except _Undefined:
                continue
            defined = True
            if found:
                return found
    if not defined:
        raise ProofError(f"no value at any of {trials} random places: {lhs} and {rhs}")
    return None


def _by_pencil(place, left, right, trials):
    """The simplest counterexample that was found with the smallest widths, or None."""
    sides = left, right
    for sizes in _sizes(*sides):
        best, seed = None, 0
        while seed < (DRAWS if best else min(trials, 8)):
            try:
                world = _World(seed, DIGITS, *sides, sizes=sizes)
                found = _compare(place, left, right, world)
            except _Undefined:
                found = None
            seed += 1
            if found and (best is None or _effort(found) < _effort(best)):
                best = found
        if best:
            return best
    return None


def _sizes(*sides):
    """Widths of 1 and 2 for all of them, the smallest first."""
    names = sorted({s for s in _letters(*sides)[1] if _is_width(s)}, key=str)
    choices = product((1, 2), repeat=min(len(names), 4))
    rows = sorted(choices, key=lambda row: (sum(row), row))
    return [dict(zip(names, (*row, *[2] * len(names)))) for row in rows]


def _effort(found):
    """How hard a counterexample is to follow; the smaller, the better."""
    sides = found.left, found.right
    numbers = [v for key, v in found.values.items() if not getattr(key, "is_integer", False)]
    effort = 100 * sum(not isinstance(v, Fraction) for v in sides)
    effort += 2 * sum(map(_hardness, sides)) + sum(map(_hardness, numbers))
    effort += sum(v in (0, 1) for v in numbers)
    return effort + 2 * (len(numbers) - len(set(numbers)))  # equal numbers hide which is which


def _hardness(v):
    if not isinstance(v, Fraction):
        return 0
    return 4 * (v.denominator == 2) + 20 * (v.denominator > 2) + 2 * (v < 0) + abs(v) / 8


def _compare(place, left, right, world):
    values = world.value(left), world.value(right)
    if not _differ(*values):
        return None
    if not all(isinstance(value, Fraction) for value in values):
        finer = _World(world.seed, 2 * DIGITS, left, right, sizes=world.sizes)
        again = finer.value(left), finer.value(right)
        if not _differ(*again) or not _agree(_gap(*values), _gap(*again)):
            return None
    counted = frozenset(
        s for s in world.named if s.is_integer and not _is_width(s)
        and not (_is_number(s, left) or _is_number(s, right))
    )  # fmt: skip
    names = tuple(dict.fromkeys(world.arbitrary))
    return Counterexample(world.shown(), *values, names, counted, place)


def _differ(left, right):
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left != right
    with mpmath.workdps(2 * DIGITS):
        left, right = _mpf(left), _mpf(right)
        return abs(left - right) > _mpf(GAP) * max(1, abs(left), abs(right))


def _gap(left, right):
    with mpmath.workdps(2 * DIGITS):
        return _mpf(left) - _mpf(right)


def _agree(gap, finer):
    """Rounding errors shrink when digits are added; a gap that is there keeps its size."""
    return abs(gap - finer) <= abs(gap) / 1000


class _Undefined(ArithmeticError):
    """No real number: a division by 0, the logarithm of a negative number, no such entry."""


def _letters(*sides):
    """The sizes of all matrices, and all symbols, also those of the sizes."""
    used = set().union(*(side.free_symbols for side in sides))
    sizes = {size for M in used if isinstance(M, MatrixSymbol) for size in M.shape}
    used |= {s for size in sizes for s in size.free_symbols}
    return sizes, {s for s in used if isinstance(s, Symbol)}


class _World:
    """One choice of everything, made when first asked for and the same whenever asked again.

    sizes   the widths, if they are chosen already; numbers are then small ones
    """

    def __init__(self, seed, digits, *sides, sizes=None):
        self.seed, self.digits, self.sizes, self.drawn = seed, digits, sizes, {}
        self.used, self.arbitrary, self.muted = {}, [], 0
        shapes, letters = _letters(*sides)
        self.named = sorted(letters, key=lambda s: (not _is_width(s), s.name, str(s.assumptions0)))
        drawn = {s: self._symbol(s) for s in self.named if _is_width(s)}
        fixed = [Fraction(int(size)) for size in shapes if size.is_Integer and size > 1]
        self.below = int(min([*drawn.values(), *fixed], default=2))
        self.single = {  # indices of arrays that have but one row, or one column
            place
            for e in set().union(*(side.atoms(MatrixElement) for side in sides))
            for place, size in zip(e.args[1:], e.parent.shape)
            if size == 1
        }
        known = {f for side in sides for f in side.atoms(Application)}
        kinked = any(isinstance(f, Heaviside | Max | Min | Abs | sign) for f in known)
        self.smooth = not kinked and any(
            isinstance(f, Function)
            and not hasattr(f.func, "prime")
            and not isinstance(f, AppliedUndef | FunctionOf | KroneckerDelta | Piecewise)
            for f in known
        )  # then 0 is an easy number: exp(0) = 1

    def shown(self):
        """Every value that was used, under what stands for it: functions come last."""
        whole = {s: self._symbol(s) for s in self.named if s.is_integer}
        kinds = (lambda e: e.is_Symbol, lambda e: isinstance(e, MatrixElement), lambda e: True)
        kind = {e: next(k for k, is_it in enumerate(kinds) if is_it(e)) for e in self.used}
        order = sorted(self.used, key=lambda e: (kind[e], str(e) if kind[e] < 2 else ""))
        return whole | {e: self.used[e] for e in order}

    def value(self, expr):
        """The value of a number: a Fraction, or an mpf where that is not possible."""
        with mpmath.workdps(self.digits):
            return self._value(expr, {})

    def _draw(self, key, choices=None):
        if key not in self.drawn:
            rng = random.Random(f"{self.seed} {key}")
            numerator = rng.randint(1, 9) * (rng.choice((1, -1)) if self.seed % 2 == 0 else 1)
            number = Fraction(numerator, rng.randint(4, 7))
            if self.sizes is not None:
                pool = PENCIL[self.seed % 3 == 2]
                number = rng.choice([*pool, *[Fraction(0)] * (3 * self.smooth)])
            self.drawn[key] = Fraction(rng.choice(choices)) if choices else number
        return self.drawn[key]

    def _show(self, expr, number):
        if not self.muted:
            self.used.setdefault(expr, number)
        return number

    def _symbol(self, s):
        key = (s.name, s.dummy_index if isinstance(s, Dummy) else "", str(s.assumptions0))
        if _is_width(s):
            return Fraction(self.sizes[s]) if self.sizes else self._draw(key, (2, 3))
        below = 1 if s in self.single else self.below
        number = self._draw(key, range(below)) if s.is_integer else self._draw(key)
        number = abs(number) if s.is_positive else -abs(number) if s.is_negative else number
        for name, holds in s.assumptions0.items():
            if getattr(_sympy(number), f"is_{name}") is (not holds):
                raise _Undefined(f"{number} is no value of a symbol with {name}={holds}")
        return number if s.is_integer else self._show(s, number)

    def _oracle(self, name, arguments):
        """The value of an unknown function; arguments that agree in 30 decimals are the same."""
        rounded = tuple(int(mpmath.nint(_mpf(a) * 10**30)) for a in arguments)
        return self._draw((name, rounded))

    def _unknown(self, call, env):
        """f(u), the value of a function of which nothing is known."""
        places, arguments = self._places(call.args, env)
        number = self._oracle((str(call.func), ()), arguments)
        self._note(call.func.__name__.rstrip("'"))
        return self._show(call.func(*places), number)

    def _note(self, name):
        if not self.muted:
            self.arbitrary.append(name)

    def _places(self, arguments, env):
        """What is shown between the brackets, and its numbers.

        A letter or an entry is shown as it is, and then its number does not matter.
        """
        shown, numbers = [], []
        for a in arguments:
            plain = a.is_Symbol and a not in env or isinstance(a, MatrixElement | AppliedUndef)
            self.muted += plain
            numbers.append(self._value(a, env))
            self.muted -= plain
            shown.append(self._concrete(a, env) if plain else _sympy(numbers[-1]))
        return shown, numbers

    def _concrete(self, expr, env):
        """The same, with a number for each index."""
        whole = {s: self._symbol(s) for s in self.named if s.is_integer and not _is_width(s)}
        return expr.xreplace({s: _sympy(v) for s, v in (env | whole).items()})

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
                return self._product(expr.args, of)
            case Pow():
                return self._power(of(expr.base), of(expr.exp))
            case KroneckerDelta():
                return Fraction(int(of(expr.args[0]) == of(expr.args[1])))
            case MatrixElement() if isinstance(expr.parent, MatrixSymbol):
                M, i, j = expr.parent, int(of(expr.i)), int(of(expr.j))
                if not M.valid_index(i, j):
                    raise _Undefined(f"{M} has no entry {i}, {j}")
                return self._show(MatrixElement(M, i, j), self._draw((M.name, i, j)))
            case Sum():
                return self._sum(expr.function, list(expr.limits), env)
            case FunctionOf():
                return self._function_of(*expr.args, env)
            case AppliedUndef():
                return self._unknown(expr, env)
            case Derivative():
                return self._partial(expr, env)
            case Subs() if _is_slope(expr):
                slope = expr.expr
                way = tuple(range(len(slope.expr.args))) * int(slope.derivative_count)
                point, arguments = self._places(expr.point, env)
                self._note(slope.expr.func.__name__)
                number = self._oracle((str(slope.expr.func), way), arguments)
                return self._show(Subs(slope, expr.variables, point), number)
            case Subs():
                return self._value(expr.expr, env | dict(zip(expr.variables, map(of, expr.point))))
            case Piecewise():
                return self._first(expr.args, env)
            case Function() if hasattr(expr.func, "prime"):
                return self._unknown(expr, env)
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

    def _product(self, factors, of):
        """Of what a Kronecker delta makes 0, nothing is shown."""
        result, muted = Fraction(1), self.muted
        for part in sorted(factors, key=lambda f: not isinstance(f, KroneckerDelta)):
            self.muted = muted + (result == 0)
            result *= of(part)
        self.muted = muted
        return result

    def _function_of(self, u, n, gradient, name, env):
        arguments, size = [], int(self._value(n, env))
        for part in (u, gradient):
            k = part.variables[0]
            arguments += [
                self._value(part.expr, env | {k: Fraction(t)}) for t in range(size)
            ]  # fmt: skip
        name = Symbol(name.name) if isinstance(name, Str) else self._concrete(name, env)
        number = self._oracle(("function_of", str(name)), arguments)
        self._note("C")
        call = Function(_flat(name))(*map(_sympy, arguments[:size]))
        return self._show(call, number)

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
        _, arguments = self._places(call.args, env)
        name = str(call.func)
        ways = (tuple(sorted(way)) for way in product(*slots))
        total = sum((self._oracle((name, way), arguments) for way in ways), Fraction(0))
        self._note(name)
        return self._show(expr, total)

    def _first(self, pieces, env):
        for piece, condition in pieces:
            if self._value(condition, env):
                return self._value(piece, env)
        raise _Undefined("no piece applies")


def _is_slope(expr):
    """f'(u), as SymPy writes it: the derivative of f(xi) by xi, and u for xi."""
    slope = expr.expr
    return (
        isinstance(slope, Derivative)
        and isinstance(slope.expr, AppliedUndef)
        and slope.expr.args == expr.variables
        and len(expr.variables) == 1
    )


def _flat(name):
    return name.name if name.is_Symbol else f"{name.parent.name}_{{{name.i + 1}}}"


def _is_width(s):
    return s.is_integer and s.is_positive


def _mpf(value):
    return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _sympy(value):
    return sympify(value)


def _text(value, digits=5):
    return mpmath.nstr(value, digits) if isinstance(value, mpmath.mpf) else str(value)
