"""Numbers as another machine might compute them: results moved in their last bits.

Another processor, BLAS, C library or Python sums in another order and rounds exp, log and powers
otherwise. `shake` makes this process do so: every such result of NumPy, `math` and `sum` moves by
`size`, relative to itself or, for a sum, to the size of its terms. What is exact everywhere stays:
elementwise + - * / and sqrt, sums of numbers with few bits such as 0.25, exp(0). As on a real
machine, the same computation gives the same result each time.

    pytest --nbval --shake 1        runs every notebook shaken (conftest.py); see tools/portable.py
"""

import builtins
import ctypes
import functools
import gc
import math
from collections.abc import Callable

import numpy as np
from numpy._core import _methods

SIZE = 1e-15  # five units in the last place; a central difference multiplies it by 1e5
MIX = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: its multiples have bits without a pattern
FEW = 2.0**20  # a number below it and a multiple of its inverse has few bits
CURVES = (
    "exp exp2 expm1 log log2 log10 log1p logaddexp power float_power cbrt hypot sin cos tan sinh "
    "cosh tanh arcsin arccos arctan arctan2 arcsinh arccosh arctanh"
).split()
SUMS = "sum dot vdot inner matmul matvec vecmat vecdot tensordot einsum".split()
SCALARS = "exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh pow hypot atan".split()

# CPython keeps an operator of a built-in class in a slot: the pointer number METHODS of the class
# leads to a table, in which these are the places of ** and @.
METHODS, SLOTS = 12, {"__pow__": 5, "__matmul__": 34}


def shake(seed: int | str, size: float = SIZE) -> None:
    """Move results in this process from now on: each its own way, or all "up" or all "down"."""

    def ways(result):
        """Up or down, entry by entry, as its bits and the seed have it."""
        if isinstance(seed, str):
            return {"up": 1.0, "down": -1.0}[seed]
        bits = np.atleast_1d(np.asarray(result.real, dtype=np.float64)).view(np.uint64)
        mixed = (bits ^ (bits >> 29) ^ np.uint64(seed)) * np.uint64(MIX)
        return np.where(mixed >> 63, 1.0, -1.0).reshape(np.shape(result))

    def moved(result, scale):
        step = ways(result) * max(size, 2 * float(np.finfo(result.dtype).eps)) * scale
        with np.errstate(all="ignore"):
            if isinstance(result, np.ndarray):
                return np.add(result, step, out=result, casting="unsafe")
            return result.dtype.type(result + step)

    def curve(f):
        """A function whose result is rounded: it moves relative to itself."""

        def shaken(*args, **how):
            result = f(*args, **how)
            if not _rounded(result):
                return result
            scale = np.where(_short(result), 0.0, np.abs(result))
            if type(result) is float:
                return float(moved(np.float64(result), scale))
            return moved(result, scale)

        return shaken

    def total(f):
        """A sum of products: it moves relative to the same sum without signs."""

        def shaken(*args, **how):
            args = [_array(value) for value in args]
            result = f(*args, **how)
            floats = [value for value in args if _rounded(value)]
            if not _rounded(result) or all(np.all(_short(value)) for value in floats):
                return result
            how.pop("out", None)
            sizes = [np.abs(value) if _rounded(value) else value for value in args]
            return moved(result, np.abs(f(*sizes, **how)))

        return shaken

    def power(f):
        rounded = curve(f)

        def shaken(base, exponent, *rest):
            # NumPy multiplies, divides or takes a root.
            exact = np.ndim(base) and not np.ndim(exponent) and exponent in (-1, 0, 0.5, 1, 2)
            return (f if exact else rounded)(base, exponent, *rest)

        return shaken

    def plain_sum(terms, /, start=0):
        terms = list(terms)
        result = builtin_sum(terms, start)
        if type(result) is not float or all(map(_short, terms)):
            return result
        return float(moved(np.float64(result), builtin_sum(map(abs, terms))))

    for names, wrap, module in [(CURVES, curve, np), (SUMS, total, np), (SCALARS, curve, math)]:
        for name in names:
            if hasattr(module, name):
                setattr(module, name, _Shaken(getattr(module, name), wrap))
    np.linalg.norm = curve(np.linalg.norm)
    _methods.umr_sum = total(_methods.umr_sum)  # .sum(), .mean(), .std() of an array
    builtin_sum, builtins.sum = builtins.sum, plain_sum
    _replace(np.ndarray, "__matmul__", total, total)
    for kind in (np.ndarray, np.float64):  # int ** calls the slot of float, which has to stay
        _replace(kind, "__pow__", power, curve)


class _Shaken:
    """A function of NumPy or `math`, the same in all but its results."""

    def __init__(self, f, wrap):
        functools.update_wrapper(self, f, updated=())
        self._f, self._call = f, wrap(f)

    def __call__(self, *args, **how):
        return self._call(*args, **how)

    def __getattr__(self, name):
        return getattr(self._f, name)


def _replace(kind: type, name: str, wrap: Callable, wrap_reverse: Callable) -> None:
    """Put a wrapped function in the place of an operator of a built-in class."""
    own = gc.get_referents(kind.__dict__)[0]  # the dictionary that kind.__dict__ lets us read
    reverse = name.replace("__", "__r", 1)
    for each, wrapping in [(name, wrap), (reverse, wrap_reverse)]:
        own[each] = wrapping(own[each])
    # The slot of a class written in Python looks the method up: the built-in class gets the same.
    _slot(kind, name).value = _slot(type("Python", (), {name: own[name]}), name).value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


def _slot(kind, name):
    word = ctypes.sizeof(ctypes.c_void_p)
    table = ctypes.c_void_p.from_address(id(kind) + METHODS * word).value
    return ctypes.c_void_p.from_address(table + SLOTS[name] * word)


def _array(value):
    return np.asarray(value) if isinstance(value, list) else value


def _rounded(value):
    """Whether it is made of floats."""
    if type(value) in (float, complex):
        return True
    return getattr(getattr(value, "dtype", None), "kind", "") in ("f", "c")


def _short(value):
    """Where a number has few bits, and is exact on every machine; where it is none, too."""
    value = np.asarray(value)
    if value.dtype.kind not in "fc":
        return np.ones(value.shape, dtype=bool)
    parts = [value.real, value.imag]
    with np.errstate(all="ignore"):
        few = [(p * FEW == np.rint(p * FEW)) & (abs(p) < FEW) | ~np.isfinite(p) for p in parts]
    return few[0] & few[1]
