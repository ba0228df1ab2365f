"""The ledger: how each labelled equation of the book is known, and what was refuted beside it.

    in a cell of words       $$ lhs = rhs $$ (eq-name)
    in a cell after it       proved("eq-name", lhs, rhs, wrong=..)             SymPy proves it
                             checked("eq-name", left, right, cases, wrong=..)  numbers agree
                             defined("eq-name", lhs, rhs, wrong=..)            a definition, typed

A judge that never says no proves nothing. So all are given wrong variants of the equation too, and
each must be refuted: by a counterexample, or by numbers that disagree. Whatever is not as it should
be raises; what comes back is an `Entry`, which a notebook shows under the equation: one line for
everybody, and beneath it, folded, all that a judge wants. The page "Ledger" is made of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from sympy import Derivative, MatrixSymbol, Symbol, sympify
from sympy.core.function import AppliedUndef
from sympy.matrices.expressions.matexpr import MatrixElement

from companion.check import relative_error
from companion.symbolic import ProofError, derivative, entry, latex, prove, refute
from companion.symbolic.objects import FunctionOf

RECORD = "application/vnd.companion.ledger+json"  # the type of the output that the build reads
KINDS = ("proved", "checked", "defined")
LOOSEST = 1e-4  # a tolerance above it tells too little
GAP = 1e-3  # a wrong variant is off by more than this, relative to the larger side
DEFINED = "SymPy has typed both sides: their shapes fit, and entry by entry they are the same."


class LedgerError(AssertionError):
    """An equation that does not hold, or a wrong variant of it that was not refuted."""


@dataclass(frozen=True)
class Entry:
    """One record of the ledger. All texts are Markdown.

    label      of the equation: "eq-" and a name
    kind       "proved", "checked" or "defined"
    known      how it is known, in a few words
    given      what the statement rests on beside the rules of calculus, or ""
    refuted    (name of a mistake, its formula or "", how it was refuted), one triple or more;
               a mistake in several lines of a statement has one for each
    statement  what was proved, printed from the SymPy expressions; or what was checked, in words
    detail     what else there is to say on how it is known, or ""
    """

    label: str
    kind: str
    known: str
    given: str
    refuted: tuple[tuple[str, str, str], ...]
    statement: str
    detail: str = ""

    def __post_init__(self):
        if not re.fullmatch(r"eq-[a-z0-9]+(-[a-z0-9]+)*", self.label):
            raise LedgerError(f"a label is 'eq-' and a name, such as eq-bp2, got {self.label!r}")
        if self.kind not in KINDS:
            raise LedgerError(f"{self.label}: the kind is one of {KINDS}, got {self.kind!r}")
        if not self.refuted:
            raise LedgerError(f"{self.label}: nothing was refuted; pass wrong={{name: variant}}")

    @property
    def line(self) -> str:
        """What everybody reads: how it is known, what is given, and which mistakes were refuted."""
        known = f"*{self.known}*" + (f", given {self.given}" if self.given else "")
        names = "; ".join(dict.fromkeys(name for name, _, _ in self.refuted))
        return f"{known}. Refuted: {names}."

    def __str__(self) -> str:
        return "\n".join([f"{self.label}: {self.line}", *self._folded()])

    def _repr_mimebundle_(self, include=None, exclude=None):
        fold = f'<details class="record {self.label}">'
        summary = f"<summary>How this was {self.kind}</summary>"
        parts = [self.line, fold + summary, *self._folded(), "</details>"]
        return {
            "text/plain": str(self),
            "text/markdown": "\n\n".join(parts),
            RECORD: asdict(self),
        }

    def _folded(self):
        bullets = [
            f"- *{name}*" + (f", {formula}" if formula else "") + f": {how}"
            for name, formula, how in self.refuted
        ]
        return [*filter(None, [self.statement, self.detail]), "\n".join(bullets)]


def proved(label: str, lhs, rhs, *, wrong: Mapping, given: str = "") -> Entry:
    """Prove lhs = rhs in SymPy, and refute each wrong right-hand side by a counterexample.

    lhs, rhs  what `symbolic.prove` takes, scalars or matrix expressions; or lists of them, for
              several statements under one label. An unevaluated `sympy.Derivative(f, x)`
              is printed as it stands and evaluated by `symbolic.derivative`, an unevaluated
              entry, `MatrixElement(W * a + b, j, 0)`, by `symbolic.entry`
    wrong     {name of a mistake: wrong right-hand side}; in a list each line that differs from
              rhs must be wrong
    given     an axiom or assumption that is built into lhs or rhs, in words: shown, not used

    Raises ProofError where the equation cannot be proved, and LedgerError where both sides are
    written alike or a wrong variant is not refuted.

    >>> from sympy import Derivative, cos, sin
    >>> from sympy.abc import x
    >>> entry = proved("eq-sine", Derivative(sin(x), x), cos(x), wrong={"a sign": -cos(x)})
    >>> entry.line
    '*Proved*. Refuted: a sign.'
    """
    pairs = _proved_pairs(label, lhs, rhs)
    known = "Proved for any widths" if any(map(_has_width, pairs)) else "Proved"
    refuted, arbitrary = _all_refuted(label, lhs, pairs, wrong)
    return Entry(label, "proved", known, given, refuted, _formula(pairs), _free(arbitrary))


def defined(label: str, lhs, rhs, *, wrong: Mapping, given: str = "", cases: int = 20) -> Entry:
    """As `proved`, for what is true by the definition of an operation, and is called so.

    Both sides are typed (their shapes must fit), compared entry by entry, and computed with
    random numbers as well: `refute` must find no difference in so many `cases`.

    >>> from sympy.matrices.expressions.matexpr import MatrixElement
    >>> from companion.symbolic import indices, matrix, sum_over, vector, widths
    >>> n, j = widths("n"), indices("j")
    >>> W, a = matrix("W", n, n), vector("a", n)
    >>> row, column = (sum_over(lambda k: w(k) * a[k, 0], n) for w in
    ...                (lambda k: W[j, k], lambda k: W[k, j]))
    >>> defined("eq-row", MatrixElement(W * a, j, 0), row, wrong={"a column": column}).line
    '*Definition, typed and checked*. Refuted: a column.'
    """
    pairs = _proved_pairs(label, lhs, rhs)
    for left, right in pairs:
        if found := refute(_evaluated(left), _evaluated(right), trials=cases):
            raise LedgerError(f"{label}: proved, but numbers disagree: {found}")
    refuted, arbitrary = _all_refuted(label, lhs, pairs, wrong)
    detail = " ".join(filter(None, [DEFINED, _free(arbitrary)]))
    known = "Definition, typed and checked"
    return Entry(label, "defined", known, given, refuted, _formula(pairs), detail)


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
    eq-double: *Checked in 5 cases*. Refuted: a square.
    Relative errors up to $10^{-12}$ are allowed.
    - *a square*: off by more than 0.001 in 3 of 5 cases
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
        refuted.append((name, "", f"off by more than {gap:g} in {count} of {len(cases)} cases"))
    known = f"Checked in {len(cases)} cases"
    detail = f"Relative errors up to {_number(tolerance)} are allowed."
    if tolerance == 0:
        detail = "Both sides must be exactly equal."
    return Entry(label, "checked", known, "", tuple(refuted), says, detail)


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


def _proved_pairs(label, lhs, rhs):
    pairs = _pairs(label, lhs, rhs)
    for left, right in pairs:
        if left == right:
            raise LedgerError(
                f"{label}: both sides are {left}, so nothing is said; leave one unevaluated: "
                "Derivative(f, x), Transpose(A), evaluate=False"
            )
        prove(_evaluated(left), _evaluated(right))
    return pairs


def _has_width(pair):
    """Is a width of anything in it a letter?"""
    letters = set().union(*(side.free_symbols for side in map(sympify, pair)))
    sizes = [size for M in letters if isinstance(M, MatrixSymbol) for size in M.shape]
    letters = letters.union(*(size.free_symbols for size in sizes))
    return any(s.is_integer and s.is_positive for s in letters)


def _all_refuted(label, lhs, pairs, wrong):
    """(the triples of an Entry, the names of the functions whose values could be chosen)."""
    if not isinstance(wrong, Mapping):
        raise LedgerError(f"{label}: wrong must be {{name of a mistake: variant}}, got {wrong}")
    refuted, arbitrary = [], []
    for name, variant in wrong.items():
        others = _pairs(label, lhs, variant)
        differing = [other for good, other in zip(pairs, others) if good != other]
        if not differing:
            raise LedgerError(f"{label}: the wrong variant {name} is rhs itself")
        for left, right in differing:
            found = _refuted(label, name, left, right)
            refuted.append((name, f"${latex(right)}$", _told(found)))
            arbitrary += found.arbitrary
    return tuple(refuted), dict.fromkeys(arbitrary)


def _refuted(label, name, lhs, variant):
    """A counterexample."""
    left, right = _evaluated(lhs), _evaluated(variant)
    counterexample = refute(left, right)
    if counterexample is None:
        why = "holds as well" if _holds(left, right) else "was not refuted: no counterexample"
        raise LedgerError(
            f"{label}: the wrong variant {name}, {latex(variant)}, {why}; name another"
        )
    return counterexample


def _free(arbitrary):
    """What a reader must know before he meets the numbers of a counterexample."""
    if not arbitrary:
        return ""
    names = ", ".join(f"${latex(Symbol(name))}$" for name in arbitrary)
    may, have = "may be any differentiable function", "it has"
    if len(arbitrary) > 1:
        may, have = "may be any differentiable functions", "they have"
    return f"{names} {may}, so below {have} values and slopes chosen at will."


def _told(counterexample):
    """A counterexample in Markdown, in the book's letters, indices counted from 1."""
    values, sides = counterexample.told(first=1)
    at = f"entry {_as_markdown(counterexample.entry)}, " if counterexample.entry else ""
    letters = ", ".join(f"${latex(key)} = {text}$" for key, text in values.items())
    where = f"with {at}{letters}" if at or letters else "always"
    left, right = map(_tens, sides.values())
    return f"{where}, the left side is ${left}$, and this is ${right}$"


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
