"""Judges of a gradient. They know nothing of networks, graphs or backpropagation.

    formula                                      code                       error
    (f(x+h) - f(x-h)) / 2h                       central_difference(f, x)   h^2 and rounding / h
    Im f(x + ih) / h,  h = 1e-30                 complex_step(f, x)         none to speak of
    <v, J u> = <J^T v, u>                        adjoint_gap(Ju, JTv, ..)   for one pair u, v
    |got - expected| / largest of the two        relative_error(..)
    right, wrong, or cannot tell, because        check_gradient(f, x, g)    measured, not assumed

A central difference needs only values of f, and loses a third of the digits, where curvature and
rounding do equal harm. The complex step has no difference in which digits could cancel, so it is
as exact as f itself, but f must be built from analytic steps: no abs, no comparison that looks
at the imaginary part. Squire and Trapp, SIAM Review 40 (1998) 110-112.

`check_gradient` measures how far its judges may be off. Five values of f at equal distances give
two central differences, whose gap tells the curve, and a fourth difference, in which a smooth f
leaves nothing but rounding, and a kink leaves itself. High differences along a line give the
rounding of f: More and Wild, SIAM J. Sci. Comput. 33 (2011) 1292-1314.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.exceptions import ComplexWarning

EPS = float(np.finfo(float).eps)
STEP = float(np.cbrt(EPS))  # balances h^2 against eps / h: 6e-6
TINY_STEP = 1e-30
SEEN = 2e-3  # an entry is told if its judge is off by less than this part of it

ROUNDING = "rounding hides it: give another h, take a constant off f, or use the complex step"
PRECISION = "f is rounded as if it computed in float32: compute it in float64"
RANDOM = (
    "f gives another value when it is called again at the same point: fix its random numbers, "
    "and what it keeps from call to call"
)
NOISE = "it is no larger than the rounding of the gradient itself"
CURVED = "f is too curved for the step: give a smaller h"
KINK = "f has a kink there: move the point"
OUTSIDE = "f is not finite a step away: give a smaller h, or use the complex step"
NOT_ANALYTIC = "differences contradict the complex step: f is not built from analytic steps"

# what an f may raise for a complex number, or far from the point; a slip such as NameError is none
REFUSALS = (ArithmeticError, AssertionError, RuntimeError, TypeError, ValueError)

DIFFERENCE, COMPLEX, AUTO = "central difference", "complex step", "auto"
RIGHT, ZERO, WRONG, SUSPECT, HIDDEN = "right", "zero", "wrong", "suspect", "hidden"


class GradientError(AssertionError):
    """A gradient does not agree with its judge."""


class Undecided(ValueError):
    """No judge can tell whether a gradient is right; `report` says where, and why."""

    def __init__(self, report: Report):
        super().__init__("cannot tell: " + "; ".join(map(str, report.doubts)))
        self.report = report


class Entry(NamedTuple):
    """One entry of a gradient beside its judge's value; `error` is relative to its array."""

    array: str
    index: tuple[int, ...]  # type: ignore[assignment]  # hides tuple.index, as is meant
    got: float
    expected: float
    error: float

    @property
    def place(self) -> str:
        index = ", ".join(map(str, self.index))
        return f"{self.array}[{index}]" if self.index else self.array

    def __str__(self) -> str:
        return (
            f"{self.place}: got {self.got:.12g}, expected {self.expected:.12g} "
            f"(error {self.error:.1e})"
        )


class Doubt(NamedTuple):
    """Entries of one array that could not be told, for one reason; `allowed` belongs to `entry`."""

    entries: int
    entry: Entry
    allowed: float
    why: str

    def __str__(self) -> str:
        e = self.entry
        count = f"{self.entries} entries of {e.array}, such as " if self.entries > 1 else ""
        return (
            f"{count}{e.place}: got {e.got:.3g}, the judge says {e.expected:.3g} and may be off by "
            f"{self.allowed:.1e}, because {self.why}"
        )


class Report(NamedTuple):
    """What `check_gradient` found: how it judged, how many entries, the worst, and its doubts.

    A doubt that matters beside the largest entry of its array makes the verdict "cannot tell".
    """

    method: str
    entries: int
    worst: Entry
    doubts: tuple[Doubt, ...] = ()
    arbitrated: int = 0  # entries for which "auto" asked the complex step
    decided: bool = True  # whether no doubt matters beside the largest entry of its array

    @property
    def verdict(self) -> str:
        return "right" if self.decided else "cannot tell"

    def __str__(self) -> str:
        text = f"{self.entries} entries against the {self.method}; worst at {self.worst}"
        return "; cannot tell: ".join([text, *map(str, self.doubts)])


def central_difference(f: Callable, x, h: float | None = None):
    """df/dx by f(x + h) and f(x - h); for an array x the gradient, in the shape of x.

    f takes what x is, a number or an array, and returns a real number. h defaults to the cube
    root of the machine epsilon times max(1, |x|), entry by entry, which balances the two errors.

    >>> print(abs(central_difference(np.sin, 1.0) - np.cos(1.0)) < 1e-10)
    True
    """
    x = _real("x", x)
    steps = STEP * np.maximum(1.0, np.abs(x)) if h is None else np.full_like(x, _step(h))

    def slope(index):
        up, down = x.copy(), x.copy()
        up[index] += steps[index]
        down[index] -= steps[index]
        gap = up[index] - down[index]  # what h became in floating point
        if not gap:
            raise ValueError(f"h = {steps[index]} is lost beside x = {x[index]}: take a larger h")
        return (_scalar(f(up[()])) - _scalar(f(down[()]))) / gap

    return _by_entry(slope, x)


def complex_step(f: Callable, x, h: float = TINY_STEP):
    """df/dx by Im f(x + ih) / h; for an array x the gradient, in the shape of x.

    >>> print(complex_step(np.sin, 1.0) - np.cos(1.0))
    0.0
    """
    x, h = _real("x", x), _step(h)

    def slope(index):
        shifted = x.astype(complex)
        shifted[index] += 1j * h
        value = _scalar(f(shifted[()]), real=False)
        if not np.iscomplexobj(value):
            raise ValueError(
                f"f returned {value!r} for a complex argument: somewhere it drops the imaginary "
                "part (float(), abs(), .real); use central_difference for such an f"
            )
        return value.imag / h

    return _by_entry(slope, x)


def relative_error(got, expected) -> float:
    """|got - expected| / max(|got|, |expected|), with the largest entries of arrays; 0 for 0, 0.

    Scaled by an array's largest entry, a small entry next to large ones is not held to digits
    that rounding took from it. Scaled by anything fixed, such as 1, an error of 1e-7 in a
    gradient of 1e-7 would pass.

    >>> relative_error(1e-7, 9e-7)
    0.8888888888888888
    """
    got, expected = map(_floats, (got, expected))
    if got.shape != expected.shape:
        raise ValueError(
            f"got has shape {got.shape} and expected {expected.shape}: nothing to compare"
        )
    gap = np.abs(got - expected).max(initial=0.0)
    size = max(np.abs(got).max(initial=0.0), np.abs(expected).max(initial=0.0))
    if np.isnan(gap) or np.isinf(size):
        return float("inf")
    return float(gap / size) if size else 0.0


def adjoint_gap(forward: Callable, transposed: Callable, u, v) -> float:
    """How far <v, J u> is from <J^T v, u>: 0, but for rounding, where `transposed` is right.

    `forward` maps u to J u and `transposed` maps v to J^T v; the inner product of two arrays is
    the sum of their products, entry by entry. Returned relative to the larger of the two sums of
    absolute products, so that a chance cancellation does not look like an error.

    >>> J = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> adjoint_gap(lambda u: J @ u, lambda v: J.T @ v, [1.0, -1.0], [1.0, 2.0, 3.0])
    0.0
    """
    u, v = _real("u", u), _real("v", v)
    Ju, JTv = np.asarray(forward(u.copy())), np.asarray(transposed(v.copy()))
    if Ju.shape != v.shape or JTv.shape != u.shape:
        raise ValueError(
            f"J u has shape {Ju.shape} and v {v.shape}, J^T v {JTv.shape} and u {u.shape}: "
            "they must agree in pairs"
        )
    if not (u.any() and v.any()):
        raise ValueError(
            "u or v is zero, and every transpose passes with that: draw them at random"
        )
    left, right = v * Ju, JTv * u
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return float("inf")
    size = max(np.abs(left).sum(), np.abs(right).sum())
    return float(abs(left.sum() - right.sum()) / size) if size else 0.0


def check_gradient(
    f: Callable,
    point,
    gradient,
    *,
    method: str = "auto",
    tolerance: float | None = None,
    h: float | None = None,
) -> Report:
    """Judge `gradient` of f at `point`, entry by entry: right, wrong, or cannot tell, because.

    f          maps what `point` is to a number; it gets copies, so it may work in place
    point      a number, an array or list, or a dict of arrays by name: {"W^1": .., "b^1": ..}
    gradient   of the same kind and shapes
    method     "central difference"; "complex step" for an f that takes complex arguments; or
               "auto": differences, and the complex step where they cannot tell
    tolerance  the largest error allowed, relative to the entry: 1e-7 by default beside a
               difference, 1e-12 beside a complex step, 1e-4 in float32. Allowed in addition is
               what the judge itself may be off by, which is measured.
    h          the step of the differences; 8e-6 max(1, |x|) by default, and others where that
               cannot tell

    Right are entries beside which the judge is off by less than 1/500 of them, and entries that
    are zero to within the rounding of the point or of the gradient itself. Of what is left, the
    report's `doubts` say why it could not be told, array by array; its `verdict` is "right" if
    they could change no entry by 1/500 of the largest entry of the array. The error of an entry
    is shown relative to that largest entry.

    Raises GradientError where an entry is wrong, which names the array, the index, what was got
    and what was expected; Undecided, a ValueError, where a doubt could hide more than that; and
    ValueError where names or shapes differ, where the tolerance is not from 0 to less than 1, and
    where f is not finite.

    >>> print(check_gradient(lambda x: (x**3).sum(), [1.0, 2.0], [3.0, 12.0]))
    ... # doctest: +ELLIPSIS
    2 entries against the central difference; worst at x[...
    >>> check_gradient(lambda x: (x**3).sum(), [1.0, 2.0], [3.0, 6.0], method="complex step")
    Traceback (most recent call last):
        ...
    companion.check.GradientError: x[1]: got 6, expected 12 (error 5.0e-01)
    >>> check_gradient(lambda x: 1e13 + abs(x), 1.0, 2.0)    # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    companion.check.Undecided: cannot tell: x: got 2, ... because rounding hides it: ...
    """
    if method not in (DIFFERENCE, COMPLEX, AUTO):
        raise ValueError(f"method is {method!r}: give one of {DIFFERENCE}, {COMPLEX}, {AUTO}")
    tolerance = None if tolerance is None else float(tolerance)
    if tolerance is not None and not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}: give a number from 0 to less than 1")
    named = isinstance(point, Mapping)
    points, gradients = (dict(p) if named else {"x": p} for p in (point, gradient))
    if points.keys() != gradients.keys():
        raise ValueError(f"point has {sorted(points)}, gradient has {sorted(gradients)}")
    if not any(np.size(x) for x in points.values()):
        raise ValueError("there is nothing to check: point holds no numbers")
    unit = max(map(_unit, [*points.values(), *gradients.values()]))
    points = {name: _real(name, x) for name, x in points.items()}
    claims = {}
    for name, x in points.items():
        got = np.asarray(gradients[name])
        if got.shape != x.shape:
            raise ValueError(f"{name} has shape {x.shape}, but its gradient {got.shape}")
        if got.dtype.kind == "c":
            raise ValueError(f"the gradient of {name} must hold real numbers, got {got!r:.60}")
        claims[name] = got.astype(float)
    probe = _Probe(f, points, named, unit)
    return _Trial(probe, claims, method, tolerance, None if h is None else _step(h)).report()


class _Look(NamedTuple):
    """A judge's value of one slope, how far it may be off, and how much of that is due to what."""

    slope: float
    allowed: float
    rounding: float = 0.0
    fold: float = 0.0  # a fourth difference over h: at a kink it does not shrink with h
    h: float = 0.0

    def contradicts(self, value, tolerance, allowed=0.0) -> bool:
        size = max(abs(value), abs(self.slope))
        return abs(value - self.slope) > self.allowed + allowed + tolerance * size

    @property
    def noisy(self) -> bool:
        """Whether rounding is to blame for most of what is allowed; it shows in the fold, too."""
        fold = self.fold if self.fold < 10 * self.rounding else 0.0
        return self.rounding + fold > self.allowed / 2

    def tells(self, value, part=SEEN) -> bool:
        return self.allowed <= part * max(abs(value), abs(self.slope))


class _Probe:
    """f near a point, always on copies; its rounding, and its slopes by either judge."""

    def __init__(self, f, points, named, unit):
        self.f, self.points, self.named = f, points, named
        self.rng = np.random.default_rng(0)
        first = self.raw(points)
        self.unit = max(unit, _unit(first))  # the rounding unit that f seems to compute in
        self.here = self.value(points)
        if not np.isfinite(self.here):
            raise ValueError("f is not finite at point, so its differences say nothing")
        self.steady = self.here == float(first)
        distant = [self.shifted(1 / 8, floor=1.0) for _ in range(2)]
        distant.append({name: 0 * x for name, x in points.items()})  # where nothing is saturated
        changes = [abs(value - self.here) for value in map(self.away, distant)]
        self.noise = max(self.measured_noise(), abs(self.here - float(first)))
        self.far = max([self.noise, *filter(np.isfinite, changes)])  # by how much f changes

    def raw(self, points, real=True):
        copies = {name: x.copy()[()] for name, x in points.items()}
        return _scalar(self.f(copies if self.named else copies["x"]), real)

    def value(self, points) -> float:
        return float(self.raw(points))

    def away(self, points) -> float:
        """f away from the point, where it may be undefined: then nan."""
        try:
            with np.errstate(all="ignore"):
                return self.value(points)
        except (ArithmeticError, ValueError):
            return np.nan

    def placed(self, name, index, value, points=None):
        """The points, with `value` at one place."""
        points = self.points if points is None else points
        x = points[name].astype(np.result_type(float, value))
        x[index] = value
        return {**points, name: x}

    def shifted(self, size, floor=None):
        """The points, every entry moved at random by up to `size` times its own size.

        An entry counts as at least `floor`, or else as the root mean square of its array.
        """
        shifted = {}
        for name, x in self.points.items():
            least = floor or (np.sqrt(np.mean(x**2)) if x.any() else 1.0)
            scale = np.maximum(np.abs(x), least)
            shifted[name] = np.asarray(x + size * scale * self.rng.uniform(-1, 1, x.shape))
        return shifted

    def measured_noise(self) -> float:
        """The rounding of f: sixth differences of nine values along a line.

        A smooth f leaves nothing else in them where the values are close together. If they are
        so close that most are equal, they are taken farther apart, and an f that rounds so
        coarsely does not compute in float64. One line is at the point, and one a step away,
        where f is rounded differently if the point is a minimum.
        """
        noise = EPS / 2 * abs(self.here)
        for centre in self.points, self.shifted(2.0**-17, floor=1.0):
            for spacing in (1e-9, 1e-7, 1e-5, 1e-3):
                ends = self.shifted(spacing)
                steps = {name: ends[name] - x for name, x in self.points.items()}
                line = [
                    self.away({n: np.asarray(x + j * steps[n]) for n, x in centre.items()})
                    for j in range(-4, 5)
                ]
                if not np.isfinite(line).all():
                    break
                if len(set(line)) > 4:
                    found = float(np.sqrt(np.mean(np.diff(line, 6) ** 2) / 924))  # binomial(12, 6)
                    if spacing > 1e-9 and found > 1e-9 * abs(self.here):
                        self.unit = max(self.unit, float(np.finfo(np.float32).eps))
                    noise = max(noise, found)
                    break
        return noise

    def difference(self, name, index, h) -> _Look:
        """The slope from f at distances h and h/2 to either side, free of the term in h^2."""
        x = self.points[name][index]
        places = x - h, x - h / 2, x + h / 2, x + h
        if len({*places, x}) < 5:
            raise ValueError(f"h = {h} is lost beside x = {x}: take a larger h")
        f = [self.away(self.placed(name, index, place)) for place in places]
        if not np.isfinite(f).all():
            return _Look(np.nan, np.inf, h=h)
        a, b, c, d = f
        inner, outer = (c - b) / (places[2] - places[1]), (d - a) / (places[3] - places[0])
        fold = abs(a - 4 * b + 6 * self.here - 4 * c + d) / h
        rounding = 9 * max(self.noise, EPS / 2 * max(map(abs, f))) / h
        slope = float(inner + (inner - outer) / 3)
        return _Look(slope, float(abs(inner - outer) + fold + rounding), rounding, fold, h)

    def imaginary(self, name, index, points=None) -> float:
        """The slope by the complex step; raises whatever an f does that does not take it."""
        points = self.points if points is None else points

        def alone(x):
            return self.raw(self.placed(name, index, x, points), real=False)

        with warnings.catch_warnings():
            warnings.simplefilter("error", ComplexWarning)
            try:
                return float(complex_step(alone, points[name][index]))
            except ComplexWarning as dropped:
                raise ValueError(
                    "f does not take complex arguments: use the central difference"
                ) from dropped

    def spread(self, name, index, slope) -> float:
        """How far rounding, of the point and on the way, may move a complex step."""
        others = [self.imaginary(name, index, self.shifted(8 * self.unit)) for _ in range(3)]
        return 2 * max(abs(other - slope) for other in others)

    def rise(self, name, index) -> float:
        """How steep f is on average over a long step, to the steeper side."""
        x = self.points[name][index]
        step = max(1.0, abs(x)) / 8
        ends = [self.away(self.placed(name, index, x + s)) for s in (-step, step)]
        rise = max(abs(end - self.here) for end in ends)
        return rise / step if np.isfinite(rise) else 0.0


class _Trial:
    """What is claimed of the slopes of f, entry by entry, and what the judges say."""

    def __init__(self, probe, claims, method, tolerance, h):
        self.probe, self.claims, self.method, self.h = probe, claims, method, h
        least = 1e3 * probe.unit
        self.near = max(1e-7, least) if tolerance is None else tolerance
        self.exact = max(1e-12, least) if tolerance is None else tolerance
        self.takes_complex, self.refusal = method != DIFFERENCE, ""
        self.asked, self.references = 0, {}
        self.places = [(n, index) for n, x in claims.items() for index in np.ndindex(x.shape)]
        self.looks = {place: self.first_look(place) for place in self.places}
        self.sizes = dict.fromkeys(claims, 0.0)  # the largest entry of each array
        for place, look in self.looks.items():
            slope = look.slope if look.tells(0.0) else 0.0  # rounding is no slope
            values = abs(self.got(place)), abs(slope), self.sizes[place[0]]
            self.sizes[place[0]] = max(value for value in values if np.isfinite(value))

    def got(self, place) -> float:
        return float(self.claims[place[0]][place[1]])

    def entry(self, place) -> Entry:
        got, expected = self.got(place), self.looks[place].slope
        gap, size = abs(got - expected), max(self.sizes[place[0]], abs(expected))
        error = float(gap / size if 0 < gap < np.inf else gap)
        name, index = place
        return Entry(name, index, got, expected, np.inf if np.isnan(error) else error)

    def report(self) -> Report:
        verdicts = {place: self.at_first(place) for place in self.places}
        for place in sorted(self.places, key=lambda place: -self.entry(place).error):
            if verdicts[place] == SUSPECT:
                verdicts[place] = self.closer(place)
            if verdicts[place] == WRONG:
                raise GradientError(str(self.entry(place)))
        for place in self.places:
            if verdicts[place] == HIDDEN:
                verdicts[place] = self.closer(place)
        wrong = [self.entry(place) for place in self.places if verdicts[place] == WRONG]
        if wrong:
            raise GradientError(str(max(wrong, key=lambda entry: entry.error)))

        entries = {place: self.entry(place) for place in self.places}
        doubtful = {}
        for place, verdict in verdicts.items():
            if verdict == ZERO:
                entries[place] = entries[place]._replace(error=0.0)
            elif verdict != RIGHT:
                doubtful.setdefault((place[0], verdict), []).append(place)
        doubts, decided = [], True
        for (name, why), places in doubtful.items():
            worst = max(places, key=self.hidden)
            doubts.append(Doubt(len(places), entries[worst], self.looks[worst].allowed, why))
            decided = decided and self.hidden(worst) <= SEEN * self.sizes[name]
        report = Report(
            self.method if self.method != AUTO else DIFFERENCE,
            len(entries),
            max(entries.values(), key=lambda entry: entry.error),
            tuple(doubts),
            self.asked,
            decided,
        )
        if not decided:
            raise Undecided(report)
        return report

    def hidden(self, place) -> float:
        """How far an entry may be off, as far as its judge can tell."""
        look = self.looks[place]
        gap = abs(self.got(place) - look.slope) + look.allowed
        return gap if np.isfinite(gap) else np.inf

    def first_look(self, place) -> _Look:
        if self.method == COMPLEX:
            return _Look(self.probe.imaginary(*place), 0.0)
        return self.probe.difference(*place, self.step(place))

    def step(self, place) -> float:
        return self.h or 2.0**-17 * max(1.0, abs(self.probe.points[place[0]][place[1]]))

    def at_first(self, place) -> str:
        got, look = self.got(place), self.looks[place]
        if not np.isfinite(got):
            return WRONG
        if self.method == COMPLEX and self.reference(place[0]) is False:
            return HIDDEN
        if look.contradicts(got, self.exact if self.method == COMPLEX else self.near):
            return SUSPECT
        part = SEEN if not self.takes_complex else min(SEEN, 100 * self.near)  # else ask it
        return RIGHT if look.tells(got, part) else HIDDEN

    def closer(self, place) -> str:
        """The verdict on an entry that the first look left open; looks[place] becomes its judge."""
        arbiter = self.arbiter(place)
        looks = [] if self.method == COMPLEX else [self.looks[place]]
        verdict = None
        if looks:
            self.looks[place], verdict = self.weighed(place, arbiter, looks)
        if verdict not in (RIGHT, ZERO):
            looks = self.more(place, looks)
            self.looks[place], verdict = self.weighed(place, arbiter, looks)
        return verdict

    def weighed(self, place, arbiter, looks) -> tuple[_Look, str]:
        """The look that judges an entry, and its verdict, from a complex step and differences."""
        got, best = self.got(place), min(looks, key=lambda look: look.allowed)
        near = [look for look in looks if look.h <= 64 * best.h]  # a curve misleads longer steps
        agree = not any(look.contradicts(best.slope, 0.0, best.allowed) for look in near)
        if _at_kink(looks):
            return best, KINK if self.probe.steady else RANDOM
        if arbiter and agree and best.contradicts(arbiter.slope, self.near):
            if self.method == COMPLEX and not best.contradicts(got, self.near):
                gap = abs(best.slope - arbiter.slope)
                return arbiter._replace(allowed=gap), NOT_ANALYTIC
            arbiter = None
        if arbiter and arbiter.contradicts(got, self.exact):
            if (verdict := self.as_rounded(place, arbiter)) is not None:
                return arbiter, verdict
            sure = agree and best.contradicts(got, self.near)
            sure = sure or (arbiter.slope and self.trusted(place[0]))
            return (arbiter, WRONG) if sure else (best, self.why(best))
        if arbiter and arbiter.slope and arbiter.tells(got):
            return arbiter, RIGHT
        if arbiter and max(abs(got), abs(arbiter.slope)) <= arbiter.allowed / 4:
            if self.trusted(place[0]):
                return arbiter, ZERO
        if best.contradicts(got, self.near):
            verdict = self.as_rounded(place, best) or WRONG
            return best, verdict if agree else CURVED
        if best.tells(got):
            return best, RIGHT
        if self.is_zero(place, best):
            return best, ZERO
        return (arbiter, NOISE) if arbiter and arbiter.slope else (best, self.why(best))

    def as_rounded(self, place, look) -> str | None:
        """The verdict where a claim differs from its judge by no more than both are rounded.

        A slope is rounded where it is added up and where a derivative, such as 1 - a^2, cancels.
        Either can take some units in the last place of the largest slopes of the array, or of
        those of f nearby.
        """
        got = self.got(place)
        gap, size = abs(got - look.slope), max(abs(got), abs(look.slope))
        nearby = self.probe.far / max(1.0, abs(self.probe.points[place[0]][place[1]]))
        largest = max(self.sizes[place[0]], nearby, self.probe.rise(*place))
        if gap <= self.near * size and gap <= 64 * self.probe.unit * abs(self.probe.here):
            return RIGHT
        if gap > 64 * self.probe.unit * largest:
            return None
        return RIGHT if gap <= SEEN * size else NOISE

    def is_zero(self, place, look) -> bool:
        """Whether a claim is zero for its rounding, and a difference, as far as it matters."""
        least = max(abs(self.got(place)) / (4 * self.probe.unit), look.allowed / self.near)
        return np.isfinite(look.slope) and self.beside(place, least)

    def beside(self, place, least) -> bool:
        """Whether slopes are this large in the same array, or on the way to a distant point."""
        if least <= self.sizes[place[0]]:
            return True
        rise = self.probe.rise(*place)
        return least <= rise or self.got(place) == self.looks[place].slope == rise == 0

    def arbiter(self, place) -> _Look | None:
        """The complex step, if f takes it; how far it may be off is measured if it matters."""
        if not self.takes_complex:
            return None
        got = self.got(place)
        try:
            look = _Look(self.probe.imaginary(*place), 0.0)
            if look.contradicts(got, self.exact):
                look = look._replace(allowed=self.probe.spread(*place, look.slope))
        except REFUSALS as error:
            self.takes_complex, self.refusal = False, f"{type(error).__name__}: {error}"
            return None
        self.asked += 1
        return look if np.isfinite(look.slope) and np.isfinite(look.allowed) else None

    def more(self, place, looks) -> list[_Look]:
        """Differences at other steps: to confirm a contradiction, or because none could tell."""
        h, got = self.step(place), self.got(place)
        looks = looks or [self.probe.difference(*place, h)]
        if looks[0].contradicts(got, self.near):
            looks = looks + [self.probe.difference(*place, step) for step in (h / 4, 4 * h)]
        if self.h is None:
            for factor in (2.0**5, 2.0**10):
                best = min(looks, key=lambda look: look.allowed)
                if best.tells(got):
                    break
                step = h * factor if best.noisy else h / factor
                looks = looks + [self.probe.difference(*place, step)]
        return looks

    def reference(self, name) -> bool | None:
        """Whether differences bear out the complex step at the largest entry of an array."""
        if name not in self.references:
            places = [place for place in self.places if place[0] == name]
            place = max(places, key=lambda place: np.nan_to_num(abs(self.looks[place].slope)))
            best = min(self.more(place, []), key=lambda look: look.allowed)
            slope = self.probe.imaginary(*place)
            sharp = best.allowed <= abs(slope) / 10
            borne_out = not best.contradicts(slope, self.near)
            self.references[name] = borne_out if sharp or not borne_out else None
        return self.references[name]

    def trusted(self, name) -> bool:
        """Whether the complex step is borne out in this array, or else far from the point."""
        here = self.reference(name)
        return self.borne_out_away if here is None else here

    @cached_property
    def borne_out_away(self) -> bool:
        """Whether differences bear it out along a line a long step away, where slopes are large."""
        probe = self.probe
        start, end = (probe.shifted(1 / 8, floor=1.0) for _ in range(2))

        def line(t):
            there = {name: np.asarray(x + t * (end[name] - x)) for name, x in start.items()}
            return probe.raw(there, real=False)

        try:
            along = _Probe(line, {"x": np.zeros(())}, False, probe.unit)
            look, slope = along.difference("x", (), 2.0**-17), along.imaginary("x", ())
        except REFUSALS:
            return False
        return look.tells(slope, 0.1) and not look.contradicts(slope, self.near)

    def why(self, look) -> str:
        if not self.probe.steady:
            return RANDOM
        if not np.isfinite(look.slope):
            return OUTSIDE
        if not look.noisy:
            return CURVED
        if self.probe.unit > EPS:
            return PRECISION
        refused = f" (f does not take complex numbers: {self.refusal})" if self.refusal else ""
        return ROUNDING + refused


def _at_kink(looks) -> bool:
    """Whether slopes to the left and right differ, as much at a small step as at a large one."""
    small, large = (pick(looks, key=lambda look: look.h) for pick in (min, max))
    if small.h == large.h:
        return False
    return small.fold > max(large.fold / 2, small.allowed / 2, 10 * small.rounding)


def _unit(value) -> float:
    """The rounding unit of what a value is stored in."""
    dtype = getattr(value, "dtype", None)
    floats = isinstance(dtype, np.dtype) and dtype.kind in "fc"
    return max(EPS, float(np.finfo(dtype).eps)) if floats else EPS


def _floats(value):
    """An array of floats (uint8 would wrap round), also from Fractions and numbers of SymPy."""
    array = np.asarray(value)
    return array if array.dtype.kind in "fc" else array.astype(float)


def _by_entry(slope, x):
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        gradient[index] = slope(index)
    return gradient[()]


def _real(name, value):
    x = np.array(value, dtype=float) if np.isrealobj(value) else np.asarray(value)
    if x.dtype != float or not np.isfinite(x).all():
        raise ValueError(f"{name} must hold finite real numbers, got {value!r:.60}")
    return x


def _step(h):
    if not h > 0:
        raise ValueError(f"the step h must be positive, got {h!r}")
    return float(h)


def _scalar(value, real=True):
    if np.ndim(value) != 0 or (real and np.iscomplexobj(value)):
        raise ValueError(
            f"f must return one {'real ' if real else ''}number, got {value!r:.60}: "
            "sum it, or check one output at a time"
        )
    return value if not isinstance(value, np.ndarray) else value[()]
