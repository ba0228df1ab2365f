"""What the public functions ask of the arrays they are given, and what they say otherwise.

Every message quotes what came and says what to do. The inner loops of `network` and `train`
are called with arrays that have passed through here once.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real

import numpy as np


def numbers(name: str, value, dtype=None) -> np.ndarray:
    """`value` as an array of finite floats (real, or complex for the complex step).

    Converted to `dtype` where one is given; else integers and booleans become float64.
    """
    try:
        array = np.asarray(value)
    except ValueError as ragged:
        raise ValueError(f"{name} is no array ({ragged}): give rows of equal length") from None
    if np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries: fill them, or leave their examples out")
    if array.dtype.kind not in "buifc":
        raise TypeError(
            f"{name} must hold numbers, got dtype {array.dtype}: {_short(value)}; "
            "convert it with numpy.asarray(..., dtype=float)"
        )
    if dtype is None and array.dtype.kind in "bui":
        dtype = np.float64
    if dtype is not None:
        if array.dtype.kind == "c" and np.dtype(dtype).kind != "c":
            raise TypeError(f"{name} is complex, and {np.dtype(dtype)} is needed: take {name}.real")
        with np.errstate(over="ignore"):  # what overflows is found below
            array = array.astype(dtype, copy=False)
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(
            f"{name}[{', '.join(map(str, where))}] is {array[where]} in {array.dtype}, and {name} "
            "must be finite: look for a missing value, or for one that is too large"
        )
    return array


def columns(name: str, value, height: int | None = None, dtype=None) -> np.ndarray:
    """`value` as an array of shape (height, m), one example per column, with m >= 1."""
    array = numbers(name, value, dtype)
    expected = f"({'n' if height is None else height}, m)"
    if array.ndim == 1:
        way = f"numbers of several examples are one row, {name}[None, :]"
        if height != 1:
            way = f"one example is one column, {name}[:, None]"
        raise ValueError(f"{name} has shape {array.shape}, expected {expected}: {way}")
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}, expected {expected}")
    if height is not None and array.shape[0] != height:
        rows_given = f": examples are columns here, so hand over {name}.T"
        hint = rows_given if array.shape[1] == height else f": the layer has {height} neurons"
        raise ValueError(f"{name} has shape {array.shape}, expected {expected}{hint}")
    if array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: the batch is empty, give an example")
    return array


def same_shape(name: str, array: np.ndarray, other: str, like: np.ndarray) -> None:
    """Refuse two arrays that NumPy would stretch over each other without a word."""
    if array.shape != like.shape:
        raise ValueError(
            f"{name} has shape {array.shape} but {other} has shape {like.shape}: "
            "they are compared entry by entry, so give both the same shape"
        )


def whole_number(name: str, value, least: int, most: float = np.inf) -> int:
    """`value` as an int in least..most; a float or a bool is refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    if value > most:
        raise ValueError(f"{name} must be at most {most}, got {_short(value)}")
    return int(value)


def real_number(name: str, value, kind: str, fits: Callable[[float], bool]) -> float:
    """`value` as a float, if it is one number that `fits`; `kind` says in words which do.

    What no float can hold, such as 10**400, is infinite here.
    """
    number = np.nan
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = np.inf
    if not fits(number):
        raise ValueError(f"{name} must be {kind}, got {_short(value)}")
    return number


def positive(name: str, value) -> float:
    """`value` as a finite float above 0."""
    return real_number(name, value, "a positive number", lambda number: 0 < number < np.inf)


def generator(rng) -> np.random.Generator:
    """`rng` itself, if it is one of NumPy's generators."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy Generator, got {rng!r}: numpy.random.default_rng(7)")
    return rng


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
