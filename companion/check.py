"""Judges of a gradient. They know nothing of networks, graphs or backpropagation.

    formula                                      code                       error
    (f(x+h) - f(x-h)) / 2h                       central_difference(f, x)   h^2 and rounding / h
    Im f(x + ih) / h,  h = 1e-30                 complex_step(f, x)         none to speak of
    <v, J u> = <J^T v, u>                        adjoint_gap(Ju, JTv, ..)   for one pair u, v
    |got - expected| / largest of the two        relative_error(..)

A central difference needs only values of f, and loses a third of the digits, where curvature and
rounding do equal harm. The complex step has no difference in which digits could cancel, so it is
as exact as f itself, but f must be built from analytic steps: no abs, no comparison that looks
at the imaginary part. Squire and Trapp, SIAM Review 40 (1998) 110-112.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

STEP = float(np.cbrt(np.finfo(float).eps))  # balances h^2 against eps / h: 6e-6
TINY_STEP = 1e-30


class GradientError(AssertionError):
    """A gradient does not agree with its judge."""


class Entry(NamedTuple):
    """One entry of a gradient beside its judge's value; `error` is relative to its array."""

    array: str
    index: tuple[int, ...]  # type: ignore[assignment]  # hides tuple.index, as is meant
    got: float
    expected: float
    error: float

    def __str__(self) -> str:
        index = ", ".join(map(str, self.index))
        place = f"{self.array}[{index}]" if self.index else self.array
        return (
            f"{place}: got {self.got:.12g}, expected {self.expected:.12g} (error {self.error:.1e})"
        )


class Report(NamedTuple):
    """What `check_gradient` found: how it judged, how many entries, and the worst of them."""

    method: str
    entries: int
    worst: Entry

    def __str__(self) -> str:
        return f"{self.entries} entries against the {self.method}; worst at {self.worst}"


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
    method: str = "central difference",
    tolerance: float | None = None,
) -> Report:
    """Judge `gradient` of f at `point`, entry by entry, and report the worst one by name.

    f          maps what `point` is to a number
    point      a number, an array, or a dict of arrays by name: {"W^1": .., "b^1": ..}
    gradient   of the same kind and shapes
    method     "central difference", or "complex step" for an f that takes complex arguments
    tolerance  the largest error allowed, 1e-7 or 1e-12 by default. The error of an entry is
               relative to the largest entry of its array. A central difference is allowed, in
               addition, what the rounding of f does to it, |f| eps / h.

    Raises GradientError, which names the array, the index, what was got and what was expected,
    and ValueError where names or shapes differ, where the tolerance is not from 0 to less than 1,
    and where f is so large that the rounding of its differences hides the gradient.

    >>> print(check_gradient(lambda x: (x**3).sum(), np.array([1.0, 2.0]), np.array([3.0, 12.0])))
    ... # doctest: +ELLIPSIS
    2 entries against the central difference; worst at x[...
    >>> check_gradient(lambda x: (x**3).sum(), np.array([1.0, 2.0]), np.array([3.0, 6.0]),
    ...                method="complex step")
    Traceback (most recent call last):
        ...
    companion.check.GradientError: x[1]: got 6, expected 12 (error 5.0e-01)
    """
    judges = {
        "central difference": (central_difference, 1e-7),
        "complex step": (complex_step, 1e-12),
    }
    if method not in judges:
        raise ValueError(f"method is {method!r}: give one of {', '.join(judges)}")
    judge, usual = judges[method]
    tolerance = usual if tolerance is None else float(tolerance)
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}: give a number from 0 to less than 1")
    named = isinstance(point, Mapping)
    points, gradients = (dict(p) if named else {"x": p} for p in (point, gradient))
    if points.keys() != gradients.keys():
        raise ValueError(f"point has {sorted(points)}, gradient has {sorted(gradients)}")

    if not any(np.size(x) for x in points.values()):
        raise ValueError("there is nothing to check: point holds no numbers")
    rounding = 0.0
    if judge is central_difference:
        rounding = np.finfo(float).eps * abs(_scalar(f(point))) / STEP
        if not np.isfinite(rounding):
            raise ValueError("f is not finite at point, so its differences say nothing")
        claimed = max(np.abs(np.asarray(g)).max(initial=0.0) for g in gradients.values())
        if np.isfinite(claimed) and rounding > claimed / 10 > 0:
            raise ValueError(
                f"f is so large that its rounding moves a difference by {rounding:.1e}, and no "
                f"entry of the gradient exceeds {claimed:.1e}: take a constant off f, or use the "
                "complex step"
            )

    entries, worst, worst_excess = 0, None, -1.0
    for name, x in points.items():
        x, got = _real(name, x), np.asarray(gradients[name])
        if got.shape != x.shape:
            raise ValueError(f"{name} has shape {x.shape}, but its gradient {got.shape}")
        alone = (lambda v, name=name: f({**points, name: v})) if named else f
        expected = np.asarray(judge(alone, x))
        size = max(np.abs(got).max(initial=0.0), np.abs(expected).max(initial=0.0))
        gap = np.abs(got - expected)
        gap = np.where(np.isfinite(got) & np.isfinite(expected), gap, np.inf)
        entries += x.size
        if x.size:
            index = tuple(int(i) for i in np.unravel_index(gap.argmax(), x.shape))
            error, excess = (
                e / size if 0 < e < np.inf else e
                for e in (float(gap[index]), max(0.0, float(gap[index]) - rounding))
            )
            if excess > worst_excess:
                worst_excess = excess
                worst = Entry(name, index, float(got[index]), float(expected[index]), error)
    if worst_excess > tolerance:
        raise GradientError(str(worst))
    return Report(method, entries, worst)


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
