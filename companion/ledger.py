"""The ledger: how each labelled equation of the book is known, and what was refuted beside it.

    in a cell of words       $$ lhs = rhs $$ (eq-name)
    in a cell after it       proved("eq-name", lhs, rhs, wrong=..)             SymPy proves it
                             checked("eq-name", left, right, cases, wrong=..)  numbers agree

A judge that never says no proves nothing. So both are given wrong variants of the equation too, and
each must be refuted: by a counterexample, or by numbers that disagree. Whatever is not as it should
be raises; what comes back is an `Entry`, which a notebook shows under the equation, and from which
the build makes the page "Ledger".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from sympy import Derivative, MatrixSymbol, Symbol
from sympy.core.function import AppliedUndef
from sympy.matrices.expressions.matexpr import MatrixElement

from companion.check import relative_error
from companion.symbolic import ProofError, derivative, entry, latex, prove, refute
from companion.symbolic.objects import FunctionOf

RECORD = "application/vnd.companion.ledger+json"  # the type of the output that the build reads
KINDS = ("proved", "checked")
LOOSEST = 1e-4  # a tolerance above it tells too little
GAP = 1e-3  # a wrong variant is off by more than this, relative to the larger side


class LedgerError(AssertionError):
    """An equation that does not hold, or a wrong variant of it that was not refuted."""


@dataclass(frozen=True)
class Entry:
    """One line of the ledger. All texts are Markdown.

    label      of the equation: "eq-" and a name
    kind       "proved" or "checked"
    statement  what was proved, printed from the SymPy expressions; or what was checked, in words
    known      how it is known
    refuted    (wrong variant, how it was refuted), one pair or more
    given      what the statement rests on beside the rules of calculus, or ""
    """

    label: str
    kind: str
    statement: str
    known: str
    refuted: tuple[tuple[str, str], ...]
    given: str = ""

    def __post_init__(self):
        if not re.fullmatch(r"eq-[a-z0-9]+(-[a-z0-9]+)*", self.label):
            raise LedgerError(f"a label is 'eq-' and a name, such as eq-bp2, got {self.label!r}")
        if self.kind not in KINDS:
            raise LedgerError(f"{self.label}: an entry is proved or checked, got {self.kind!r}")
        if not self.refuted:
            raise LedgerError(f"{self.label}: nothing was refuted; pass wrong={{name: variant}}")

    def __str__(self) -> str:
        refuted = [f"  refuted: {variant} ({how})" for variant, how in self.refuted]
        return "\n".join([f"{self.label}: {self._known()}", *refuted])

    def _repr_mimebundle_(self, include=None, exclude=None):
        bullets = "\n".join(f"- {variant} ({how})" for variant, how in self.refuted)
        parts = [f"**{self._known()}**", self.statement, "Wrong, and refuted:", bullets]
        return {
            "text/plain": str(self),
            "text/markdown": "\n\n".join(filter(None, parts)),
            RECORD: asdict(self),
        }

    def _known(self) -> str:
        return f"{self.known}, given {self.given}." if self.given else f"{self.known}."


def proved(label: str, lhs, rhs, *, wrong, given: str = "") -> Entry:
    """Prove lhs = rhs in SymPy, and refute each wrong right-hand side by a counterexample.

    lhs, rhs  what `symbolic.prove` takes, scalars or matrix expressions; or lists of them, for
              several statements under one label. An unevaluated `sympy.Derivative(f, x)`
              is printed as it stands and evaluated by `symbolic.derivative`, an unevaluated
              entry, `MatrixElement(W * a + b, j, 0)`, by `symbolic.entry`
    wrong     {name: wrong right-hand side}, or one wrong right-hand side without a name; in a list
              each line that differs from rhs must be wrong
    given     an axiom or assumption that is built into lhs or rhs, in words: shown, not used

    Raises ProofError where the equation cannot be proved, and LedgerError where both sides are
    written alike or a wrong variant is not refuted.

    >>> from sympy import Derivative, cos, sin
    >>> from sympy.abc import x
    >>> proved("eq-sine", Derivative(sin(x), x), cos(x), wrong={"a sign": -cos(x)}).known
    'Proved in SymPy'
    """
    pairs = _pairs(label, lhs, rhs)
    for left, right in pairs:
        if left == right:
            raise LedgerError(
                f"{label}: both sides are {left}, so nothing is said; leave one unevaluated: "
                "Derivative(f, x), Transpose(A), evaluate=False"
            )
        prove(_evaluated(left), _evaluated(right))
    refuted = []
    for name, variant in (wrong if isinstance(wrong, Mapping) else {"": wrong}).items():
        others = _pairs(label, lhs, variant)
        differing = [other for good, other in zip(pairs, others) if good != other]
        if not differing:
            raise LedgerError(f"{label}: the wrong variant {name or variant} is rhs itself")
        refuted += [_refuted(label, name, *pair) for pair in differing]
    return Entry(label, "proved", _formula(pairs), "Proved in SymPy", tuple(refuted), given)


def checked(
    label: str,
    left: Callable,
    right: Callable,
    cases: Iterable,
    *,
    wrong: Mapping[str, Callable],
    tolerance: float = 1e-12,
    says: str = "",
) -> Entry:
    """Compare left(case) with right(case) for each case; wrong variants must disagree somewhere.

    For what SymPy cannot state: programs, random graphs, shapes, large numbers.

    left, right  functions of a case that return a number or an array
    wrong        {name: function of a case}. Off by more than 1e-3, or 1000 times the tolerance if
                 that is more, in at least one case where its shape is that of `left`
    tolerance    the largest `check.relative_error` allowed, at most 1e-4
    says         what was checked, in words

    Raises LedgerError with the first case that fails, or the wrong variant that does not.

    >>> def double(x):
    ...     return x + x
    >>> wrong = {"a square": lambda x: x * x}
    >>> print(checked("eq-double", double, lambda x: 2 * x, range(5), wrong=wrong))
    eq-double: Checked on 5 cases, to a relative error of $10^{-12}$.
      refuted: a square (off by more than 0.001 in 3 of 5 cases)
    """
    if not 0 <= tolerance <= LOOSEST:
        raise LedgerError(f"{label}: the tolerance must be from 0 to {LOOSEST}, got {tolerance!r}")
    cases = list(cases)
    if not cases:
        raise LedgerError(f"{label}: no cases, so nothing was checked")
    if not isinstance(wrong, Mapping):
        raise LedgerError(f"{label}: wrong must be {{name: function of a case}}, got {wrong!r:.60}")
    expected = [np.array(left(case)) for case in cases]  # copies: right may write into the same
    for number, (case, value) in enumerate(zip(cases, expected)):
        error = relative_error(right(case), value)
        if not error <= tolerance:
            raise LedgerError(
                f"{label}: left and right differ in case {number}, {_brief(case)}: relative error "
                f"{error:.1e}, allowed {tolerance:g}"
            )
    gap = max(GAP, 1000 * tolerance)
    refuted = []
    for name, variant in wrong.items():
        errors = [_error(variant(case), value) for case, value in zip(cases, expected)]
        if not any(gap < error < np.inf for error in errors):
            raise LedgerError(
                f"{label}: the wrong variant {name!r} was not refuted: in none of {len(cases)} "
                f"cases its numbers are off by more than {gap:g}; choose other cases or another one"
            )
        count = sum(error > gap for error in errors)
        refuted.append((name, f"off by more than {gap:g} in {count} of {len(cases)} cases"))
    known = f"Checked on {len(cases)} cases, to a relative error of {_number(tolerance)}"
    return Entry(label, "checked", says, known, tuple(refuted))


def _pairs(label, lhs, rhs):
    """The statements under a label, as a list of (left, right)."""
    if not isinstance(lhs, list | tuple) and not isinstance(rhs, list | tuple):
        return [(lhs, rhs)]
    if not (isinstance(lhs, list | tuple) and isinstance(rhs, list | tuple)):
        raise LedgerError(f"{label}: a list stands against one expression: {lhs} and {rhs}")
    if len(lhs) != len(rhs) or not lhs:
        raise LedgerError(
            f"{label}: {len(lhs)} left-hand and {len(rhs)} right-hand sides: pair them"
        )
    return list(zip(lhs, rhs))


def _evaluated(side):
    """The same; an unevaluated derivative is carried out, and an entry looked up."""
    if isinstance(side, MatrixElement):
        return entry(side.parent, side.i, side.j)
    if not isinstance(side, Derivative):
        return side
    value = side.expr
    for cost in value.atoms(FunctionOf) if len(side.variables) > 1 else ():
        u, _, gradient, _ = cost.args
        if not u.atoms(MatrixSymbol, AppliedUndef) & gradient.atoms(MatrixSymbol, AppliedUndef):
            raise ProofError(
                f"a second derivative of {cost} needs its gradient written out in terms of "
                f"{u.expr}, got {gradient.expr}"
            )
    for variable in side.variables:
        value = derivative(value, variable)
    return value


def _refuted(label, name, lhs, variant):
    """(the wrong variant, its counterexample) in Markdown."""
    shown = ", ".join(filter(None, [name, f"${latex(variant)}$"]))
    left, right = _evaluated(lhs), _evaluated(variant)
    counterexample = refute(left, right)
    if counterexample is None:
        why = "holds as well" if _holds(left, right) else "was not refuted: no counterexample"
        raise LedgerError(f"{label}: the wrong variant {shown} {why}; name another")
    return shown, _where(counterexample)


def _where(counterexample):
    """A counterexample in Markdown, its names in the book's letters."""
    place, sides = counterexample.told()
    entry = [f"entry {_as_markdown(text)}" for text in (place.pop("entry", None),) if text]
    letters = [f"${latex(Symbol(name))} = {text}$" for name, text in place.items()]
    words = ", ".join(f"{side} $= {_tens(text)}$" for side, text in sides.items())
    return ": ".join(filter(None, [", ".join(entry + letters), words]))


def _tens(text):
    return re.sub(r"e([-+]?\d+)$", r" \\cdot 10^{\1}", text)


def _holds(left, right):
    try:
        prove(left, right)
    except ProofError:
        return False
    return True


def _error(got, expected):
    """The relative error of a wrong variant; infinite where it has another shape."""
    return relative_error(got, expected) if np.shape(got) == np.shape(expected) else np.inf


def _brief(case):
    text = " ".join(repr(case).split())
    return text if len(text) <= 80 else text[:80] + ".."


def _formula(pairs):
    lines = [(latex(left), latex(right)) for left, right in pairs]
    if len(lines) == 1:
        body = " = ".join(lines[0])
    else:
        rows = " \\\\[6pt]\n".join(f"{left} &= {right}" for left, right in lines)
        body = f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"
    return f"$$\n{body}\n$$"


def _number(tolerance):
    digits, _, exponent = f"{tolerance:g}".partition("e")
    if not exponent:
        return digits
    factor = "" if digits == "1" else rf"{digits} \cdot "
    return f"${factor}10^{{{int(exponent)}}}$"


def _as_markdown(text):
    return re.sub(r"([\\`*_\[\]<>$])", r"\\\1", text)
