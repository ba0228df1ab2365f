"""Programs to judge derivatives with: each runs on Nodes, on NumPy's numbers and on formulas.

`run` hands a program the functions of one of three worlds, so that a judge in NumPy or SymPy never
meets a rule of `companion.graph`.
"""

from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import sympy

from companion import graph

NODES = graph
NUMBERS = SimpleNamespace(
    exp=np.exp, log=np.log, sqrt=np.sqrt, sin=np.sin, cos=np.cos, tanh=np.tanh,
    sigmoid=lambda x: 1 / (1 + np.exp(-x)), relu=lambda x: np.maximum(0, x),
    maximum=np.maximum, minimum=np.minimum,
)  # fmt: skip
FORMULAS = SimpleNamespace(
    exp=sympy.exp, log=sympy.log, sqrt=sympy.sqrt, sin=sympy.sin, cos=sympy.cos, tanh=sympy.tanh,
    sigmoid=lambda x: 1 / (1 + sympy.exp(-x)),
)  # fmt: skip

RATIONAL = {  # w: functions of one of the worlds; u, v: earlier values; c: a constant
    "u + v": lambda w, u, v, c: u + v,
    "u - v": lambda w, u, v, c: u - v,
    "u * v": lambda w, u, v, c: u * v,
    "u / v": lambda w, u, v, c: u / (v * v + 1),
    "u + c": lambda w, u, v, c: u + c,
    "u - c": lambda w, u, v, c: u - c,
    "u * c": lambda w, u, v, c: u * c,
    "u / c": lambda w, u, v, c: u / c,
    "c + u": lambda w, u, v, c: c + u,
    "c - u": lambda w, u, v, c: c - u,
    "c * u": lambda w, u, v, c: c * u,
    "c / u": lambda w, u, v, c: c / (u * u + 1),
    "-u": lambda w, u, v, c: -u,
    "u ** 3": lambda w, u, v, c: u**3,
    "u ** -2": lambda w, u, v, c: (u * u + 1) ** -2,
}
SMOOTH = {
    **RATIONAL,
    "u ** v": lambda w, u, v, c: (u * u + 1) ** v,
    "u ** c": lambda w, u, v, c: (u * u + 1) ** c,
    "c ** u": lambda w, u, v, c: (c * c) ** u,
    "exp": lambda w, u, v, c: w.exp(u),
    "log": lambda w, u, v, c: w.log(u * u + 1),
    "sqrt": lambda w, u, v, c: w.sqrt(u * u + 1),
    "sin": lambda w, u, v, c: w.sin(u),
    "cos": lambda w, u, v, c: w.cos(u),
    "tanh": lambda w, u, v, c: w.tanh(u),
    "sigmoid": lambda w, u, v, c: w.sigmoid(u),
}
WITH_KINKS = {
    **SMOOTH,
    "abs": lambda w, u, v, c: abs(u),
    "relu": lambda w, u, v, c: w.relu(u),
    "maximum": lambda w, u, v, c: w.maximum(u, v),
    "minimum": lambda w, u, v, c: w.minimum(u, v),
    "maximum c": lambda w, u, v, c: w.maximum(c, u),
    "minimum c": lambda w, u, v, c: w.minimum(u, c),
}


def programs(operations, longest):
    """(the names of the operations, which earlier values each is applied to, its constant)."""
    constant = st.integers(1, 9).flatmap(lambda n: st.sampled_from([n, -n]))
    earlier = st.integers(0, longest)
    step = st.tuples(st.sampled_from(sorted(operations)), earlier, earlier, constant)
    return st.lists(step, min_size=1, max_size=longest)


def run(world, program, inputs, quarter=0.25):
    """The last value of the program; a constant n stands for n quarters."""
    values = list(inputs)
    for name, i, j, n in program:
        u, v = values[-1 - i % len(values)], values[-1 - j % len(values)]
        values.append(WITH_KINKS[name](world, u, v, n * quarter))
    return values[-1]
