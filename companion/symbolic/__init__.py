"""Proofs in index notation, for symbolic widths, any activation function and any cost.

    from companion.symbolic import widths, indices, vector, matrix     what statements are about
    from companion.symbolic import sum_over, activation, function_of   sums, sigma, the cost
    from companion.symbolic import entry, derivative                   entries and their slopes
    from companion.symbolic import prove, same, normal_form            proof
    from companion.symbolic import refute                              counterexamples
    from companion.symbolic import latex                               the book's letters

What a proof rests on:
- SymPy's `diff` of sums, products, powers, functions and entries of matrices, and its arithmetic;
- the algebra of finite sums, `normal_form`: its rules are listed in `normal.py`;
- for a cost of symbolically many arguments the total differential, as an axiom (`function_of`);
- for a last line without sums, SymPy's `simplify`;
- every free index is taken to be in range, every activation to be differentiable where it is
  used, and an identity to be claimed only where both of its sides have a value.
In return `refute` uses none of this: it puts in numbers.

Indices count from 0, as in Python. `latex` counts from 1, as the book does.
"""

from companion.symbolic.derivative import derivative
from companion.symbolic.normal import normal_form
from companion.symbolic.objects import (
    ProofError,
    activation,
    entry,
    function_of,
    indices,
    matrix,
    sum_over,
    vector,
    widths,
)
from companion.symbolic.printing import latex
from companion.symbolic.proof import prove, same
from companion.symbolic.refute import Counterexample, refute

__all__ = [
    "Counterexample",
    "ProofError",
    "activation",
    "derivative",
    "entry",
    "function_of",
    "indices",
    "latex",
    "matrix",
    "normal_form",
    "prove",
    "refute",
    "same",
    "sum_over",
    "vector",
    "widths",
]
