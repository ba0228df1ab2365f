"""The ledger, and what ties it to the equations of the book. Every judge is shown lies."""

import itertools
import json
import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from equations import repeated, unmatched
from nbformat import v4
from sympy import (
    Derivative,
    Function,
    KroneckerDelta,
    MatMul,
    Mul,
    Rational,
    S,
    Subs,
    Sum,
    cos,
    exp,
    sin,
    symbols,
)
from sympy.matrices.expressions.matexpr import MatrixElement

from book._ext.ledger_page import RECORD, equations, fill, labelled, page
from companion import ledger
from companion.ledger import Entry, LedgerError, checked, defined, proved
from companion.symbolic import (
    ProofError,
    activation,
    entry,
    function_of,
    indices,
    latex,
    matrix,
    sum_over,
    vector,
    widths,
)

ROOT = Path(__file__).parents[1]
BOOK = [nbformat.read(path, as_version=4) for path in sorted((ROOT / "book").glob("*.ipynb"))]
x, y = symbols("x y")
PRODUCT = Derivative(x * sin(x), x), sin(x) + x * cos(x)
EQUAL = x * (sin(x) / x + cos(x))


# proved()


def test_a_derivative_is_printed_as_it_stands_and_proved():
    entry = proved("eq-product", *PRODUCT, wrong={"one term": x * cos(x)})
    assert (entry.kind, entry.known) == ("proved", "Proved")
    assert r"\frac{d}{d x}" in entry.statement and r"\cos" in entry.statement
    [(name, formula, counterexample)] = entry.refuted
    assert (
        name == "one term" and formula.startswith("$x ") and "the left side is $" in counterexample
    )


def test_an_entry_is_printed_as_it_stands_and_looked_up():
    n, j = widths("n"), indices("j")
    W, a, b = matrix("W", n, n), vector("a", n), vector("b", n)
    right, wrong = (
        sum_over(lambda k, i=i: (W[j, k], W[k, j])[i] * a[k, 0], n) + b[j, 0] for i in (0, 1)
    )
    entry = proved("eq-entry", MatrixElement(W * a + b, j, 0), right, wrong={"swapped": wrong})
    assert entry.statement.startswith("$$\n(W a + b)_{j} = ") and len(entry.refuted) == 1
    with pytest.raises(ProofError):
        proved("eq-entry", MatrixElement(W * a + b, j, 0), wrong, wrong={"right": right})


def test_several_statements_stand_under_one_label():
    lhs, rhs = [Derivative(x * y**2, x), Derivative(x * y**2, y)], [y**2, 2 * x * y]
    entry = proved("eq-two", lhs, rhs, wrong={"a factor": [y**2, x * y]})
    assert entry.statement.count("&=") == 2
    assert entry.refuted[0][:2] == ("a factor", "$x y$")  # the line that is wrong, and no other


def test_every_line_is_proved():
    lhs = [Derivative(sin(x), x), Derivative(cos(x), x)]
    with pytest.raises(ProofError):
        proved("eq-two", lhs, [cos(x), sin(x)], wrong={"both": [x, x]})


def test_each_line_that_is_called_wrong_must_be():
    lhs, rhs = [Derivative(x**2, x), Derivative(y**2, y)], [2 * x, 2 * y]
    entry = proved("eq-two", lhs, rhs, wrong={"halves": [x, y]})
    assert [wrong[:2] for wrong in entry.refuted] == [("halves", "$x$"), ("halves", "$y$")]
    assert entry.line == "*Proved*. Refuted: halves."  # a name is said once
    with pytest.raises(LedgerError, match="halves, .* holds as well"):
        proved("eq-two", lhs, rhs, wrong={"halves": [x, 2 * (y**2 + y) / (y + 1)]})


def test_a_second_derivative_is_carried_out():
    second, wrong = Derivative(exp(x * y), x, y), {"no factor": exp(x * y)}
    proved("eq-mixed", second, (1 + x * y) * exp(x * y), wrong=wrong)
    with pytest.raises(ProofError):
        proved("eq-mixed", second, y * exp(x * y), wrong=wrong)


def test_a_second_derivative_of_a_cost_needs_its_gradient_written_out():
    n, p, q = widths("n"), *indices("p q")
    a, g = vector("a", n), vector("g", n)
    C = function_of(lambda j: a[j, 0], n, lambda j: g[j, 0])
    with pytest.raises(ProofError, match="needs its gradient written out in terms of"):
        proved("eq-h", Derivative(C, a[p, 0], a[q, 0]), S.Zero, wrong={"g": g[p, 0]})
    C = function_of(lambda j: a[j, 0], n, lambda j: a[j, 0] ** 2)
    right = 2 * a[p, 0] * KroneckerDelta(p, q, (0, n - 1))
    proved("eq-h", Derivative(C, a[p, 0], a[q, 0]), right, wrong={"all": 2 * a[p, 0]})


def test_a_wrong_variant_needs_a_name():
    with pytest.raises(LedgerError, match="wrong must be {name of a mistake: variant}"):
        proved("eq-product", *PRODUCT, wrong=x * cos(x))


def test_a_wrong_equation_is_not_proved():
    with pytest.raises(ProofError):
        proved("eq-product", PRODUCT[0], x * cos(x), wrong={"one term": sin(x)})


@pytest.mark.parametrize(
    "wrong, verdict",
    [
        ({}, "nothing was refuted"),
        ({"nothing": PRODUCT[1]}, "nothing is rhs itself"),
        ({"one term": x * cos(x), "in other words": EQUAL}, "in other words, .* holds as well"),
        ({"a list": [x]}, "a list stands against one expression"),
    ],
)
def test_a_wrong_variant_must_be_wrong(wrong, verdict):
    with pytest.raises(LedgerError, match=f"eq-product.*{verdict}"):
        proved("eq-product", *PRODUCT, wrong=wrong)


def test_a_wrong_variant_without_a_counterexample_is_an_error(monkeypatch):
    monkeypatch.setattr(ledger, "refute", lambda left, right: None)
    with pytest.raises(LedgerError, match="one term, .* was not refuted: no counterexample"):
        proved("eq-product", *PRODUCT, wrong={"one term": x * cos(x)})


def test_a_counterexample_is_told_in_the_letters_of_the_book():
    n, k = widths("n_{l-1}"), indices("k")
    W, w = matrix("W^l", n, n), symbols("wbar_1")
    [(_, _, how)] = proved(
        "eq-w", Derivative(x * w * W[0, k], x), w * W[0, k], wrong={"turned": w * W[k, 0]}
    ).refuted
    number = r"-?\d+(/2)?"
    assert re.fullmatch(
        rf"with \$n_\{{l-1\}} = 2\$, \$k = 2\$, \$\\bar\{{w\}}_\{{1\}} = {number}\$, "
        rf"\$W\^\{{l\}}_\{{12\}} = {number}\$, \$W\^\{{l\}}_\{{21\}} = {number}\$, "
        rf"the left side is \${number}\$, and this is \${number}\$",
        how,
    ), how


n, r, m = widths("n r m")
j, k, e = indices("j k e")
W, delta, b = matrix("W^{l+1}", r, n), vector("delta^{l+1}", r), vector("b^{l+1}", r)
Z, D = matrix("z^l", n, m), matrix("delta^{l+1}", r, m)
z, t, sigma, f = vector("z^l", n), symbols("t"), activation(), Function("f")
sent = sum_over(lambda j: W[j, k] * delta[j, 0], r)
batch = sum_over(lambda j: W[j, k] * D[j, e], r)
moving = f(*(Function(name)(t) for name in "uv"))
FOLLOWED = {  # name: (right side, wrong variant)
    "slope forgotten": (sent * sigma.prime()(z[k, 0]), sent),
    "slope taken at a": (
        sent * sigma.prime()(z[k, 0]), sent * sigma.prime()(sigma(z[k, 0])),
    ),
    "slopes of the layer above": (
        sent * sigma.prime()(z[k, 0]),
        sum_over(lambda j: W[j, k] * delta[j, 0] * sigma.prime()(entry(
            W * z.applyfunc(sigma) + b, j)), r),
    ),
    "transpose": (entry(W * W.T, j, 0), entry(W * W.T, 0, 0)),
    "all examples": (
        batch * sigma.prime()(Z[k, e]),
        batch * sum_over(lambda i: sigma.prime()(Z[k, i]), m),
    ),
    "a batch too many": (
        sum_over(lambda i: D[j, i], m) / m, sum_over(lambda i: D[j, i], m),
    ),
    "a rate forgotten": (
        moving.diff(t), sum(moving.diff(u) for u in moving.args),
    ),
    "an unknown slope": (f(x * y).diff(x), f(x * y).diff(x) / y),
    "a sigmoid": (exp(x) / (1 + exp(x)) ** 2, x * (1 - x)),
    "a number among indices": (
        sum_over(lambda i: i * z[i, 0], n) + j, sum_over(lambda i: z[i, 0], n) + j,
    ),
}  # fmt: skip


def told(how):
    """{LaTeX: number} of what a printed counterexample says, and the two sides."""
    *values, left, right = re.findall(r"\$([^$]+)\$", how)
    values = dict(value.rsplit(" = ", 1) for value in values)
    return {key: Rational(text) for key, text in values.items()}, Rational(left), Rational(right)


def recomputed(expr, told, bound):
    """The value of an expression, from printed numbers alone: by hand, as a reader would.

    It owes nothing to `refute`. Indices are counted from 1, `bound` are those of sums.
    """

    def of(part):
        return recomputed(part, told, bound)

    def letters(part):
        """As it is printed, with a number for each index."""
        fixed = {s: told[latex(s)] - 1 for s in part.free_symbols if s.is_integer
                 and s.is_nonnegative and not s.is_positive and s not in bound}  # fmt: skip
        return latex(part.xreplace(fixed | bound))

    if expr in bound:
        return bound[expr]
    if isinstance(expr, Sum):
        [(i, low, high)] = expr.limits
        return sum(recomputed(expr.function, told, bound | {i: S(value)})
                   for value in range(int(of(low)), int(of(high)) + 1))  # fmt: skip
    if expr.is_Symbol:
        return told[latex(expr)]
    if isinstance(expr, MatrixElement):
        return told[letters(expr)]
    if hasattr(expr.func, "prime") and letters(expr) not in told:
        return told[latex(expr.func(of(expr.args[0])))]
    if isinstance(expr, Subs):
        return told[latex(Subs(expr.expr, expr.variables, [of(p) for p in expr.point]))]
    if hasattr(expr.func, "prime") or isinstance(expr, Derivative):
        return told[letters(expr)]
    return expr.func(*map(of, expr.args)) if expr.args else expr


@pytest.mark.parametrize("right, wrong", FOLLOWED.values(), ids=FOLLOWED)
def test_a_counterexample_can_be_followed_with_a_pencil(right, wrong):
    left = MatMul(right, evaluate=False) if right.is_Matrix else Mul(1, right, evaluate=False)
    [(_, _, how)] = proved("eq-a", left, right, wrong={"wrong": wrong}).refuted
    values, left, right_side = told(how)
    assert recomputed(right, values, {}) == left != right_side == recomputed(wrong, values, {})
    numbers = [*values.values(), left, right_side]
    assert all(number.q in (1, 2, 4) and abs(number) <= 40 for number in numbers), how
    changed = values | {key: value + 1 for key, value in list(values.items())[-1:]}
    assert recomputed(right, changed, {}) != left or recomputed(wrong, changed, {}) != right_side


def test_a_function_of_which_nothing_is_known_is_announced_before_its_numbers():
    right, wrong = FOLLOWED["slope forgotten"]
    entry = proved("eq-a", Mul(1, right, evaluate=False), right, wrong={"wrong": wrong})
    assert entry.detail.startswith(r"$\sigma$ may be any differentiable function")
    shown = entry._repr_mimebundle_()["text/markdown"]
    assert shown.index("may be any") < shown.index("the left side is")
    assert proved("eq-product", *PRODUCT, wrong={"one term": x * cos(x)}).detail == ""


def test_any_widths_are_claimed_where_a_width_is_a_letter():
    right, wrong = FOLLOWED["slope forgotten"]
    entry = proved("eq-a", Mul(1, right, evaluate=False), right, wrong={"wrong": wrong})
    assert entry.known == "Proved for any widths"


def test_each_example_has_a_cost_of_its_own():
    C, g = vector("C", m), matrix("g", n, m)
    total = sum_over(lambda i: function_of(lambda j: Z[j, i], n, lambda j: g[j, i], C[i, 0]), m)
    entry = proved("eq-a", Derivative(total, Z[j, e]), g[j, e], wrong={"sum": g[j, e] * 2})
    assert r"\sum_{i=1}^{m} C_{i}(z^{l}_{1i}, \ldots, z^{l}_{ni})" in entry.statement


def test_the_author_names_the_index_of_a_sum():
    a = vector("a", n)
    left = MatrixElement(W * a, j, 0)
    for letter, right in [
        ("k", sum_over(lambda k: W[j, k] * a[k, 0], n)),
        ("i", sum_over(lambda i: W[j, i] * a[i, 0], n)),
        ("k", sum_over(lambda j: W[indices("j"), j] * a[j, 0], n)),  # j is taken
    ]:
        entry = proved("eq-a", left, right, wrong={"twice": 2 * right})
        assert (
            rf"\sum_{{{letter}=1}}^{{n}} W^{{l+1}}_{{j{letter}}} a_{{{letter}}}" in entry.statement
        )


# defined()


def test_a_definition_is_called_so():
    a = vector("a", n)
    row = sum_over(lambda k: W[j, k] * a[k, 0], n)
    left, wrong = MatrixElement(W * a, j, 0), {"the first column": W[j, 0] * a[0, 0]}
    entry = defined("eq-row", left, row, wrong=wrong, given="shapes")
    assert entry.kind == "defined"
    assert entry.line == (
        "*Definition, typed and checked*, given shapes. Refuted: the first column."
    )
    with pytest.raises(ProofError):
        defined("eq-row", left, 2 * row, wrong=wrong)
    with pytest.raises(ProofError, match="shape"):
        defined("eq-row", W * a, a, wrong=wrong)
    with pytest.raises(LedgerError, match="rhs itself"):
        defined("eq-row", left, row, wrong={"row": row})


def test_a_definition_is_computed_too(monkeypatch):
    a = vector("a", n)
    monkeypatch.setattr(ledger, "prove", lambda left, right: None)
    with pytest.raises(LedgerError, match="proved, but numbers disagree: n = 1"):
        defined("eq-a", 2 * a, 3 * a, wrong={"four": 4 * a})


def test_an_equation_that_says_nothing_is_refused():
    with pytest.raises(LedgerError, match="eq-a: both sides are .* nothing is said"):
        proved("eq-a", PRODUCT[0].doit(), PRODUCT[1], wrong={"one term": x * cos(x)})


def test_lists_must_have_one_length():
    with pytest.raises(LedgerError, match="2 left-hand and 1 right-hand"):
        proved("eq-two", [x, y], [x], wrong={"y": [y]})


# checked()

rng = np.random.default_rng(0)
SHAPES = [(3, 3), (2, 4), (1, 1), (4, 4)]
MATRICES = [rng.normal(size=shape) for shape in SHAPES]


def gram(a):
    return a.T @ a


def gram_by_sums(a):
    return np.einsum("ki,kj->ij", a, a)


def other_side(a):
    return a @ a.T  # for 2 x 4 it has another shape, for 1 x 1 it is right


def test_numbers_agree_and_the_wrong_variant_does_not():
    wrong = {"the other side": other_side}
    entry = checked("eq-gram", gram, gram_by_sums, iter(MATRICES), wrong=wrong, says="Any $A$.")
    assert entry.kind == "checked" and entry.statement == "Any $A$."
    assert entry.line == "*Checked in 4 cases*. Refuted: the other side."
    assert entry.detail == "Relative errors up to $10^{-12}$ are allowed."
    assert entry.refuted == (("the other side", "", "off by more than 0.001 in 3 of 4 cases"),)


@pytest.mark.parametrize(
    "tolerance, shown",
    [
        (0, "Both sides must be exactly equal."),
        (1e-4, "Relative errors up to 0.0001 are allowed."),
        (2.5e-9, r"Relative errors up to $2.5 \cdot 10^{-9}$ are allowed."),
    ],
)
def test_a_tolerance_is_shown_as_it_is(tolerance, shown):
    wrong = {"twice": lambda n: 2 * n}
    entry = checked("eq-n", float, float, range(3), wrong=wrong, tolerance=tolerance)
    assert entry.detail == shown


def nearly(factor):
    return lambda a: factor * gram(a)


REFUSED = {  # name: (right, cases, wrong, tolerance, what the ledger must say)
    "another value": (other_side, MATRICES[:1], {"w": nearly(2)}, 1e-12, "differ in case 0, array"),
    "a little off": (nearly(1 + 1e-9), MATRICES, {"w": nearly(2)}, 1e-12, "allowed 1e-12"),
    "not a number": (nearly(np.nan), MATRICES, {"w": nearly(2)}, 1e-12, "relative error inf"),
    "no cases": (gram_by_sums, [], {"w": nearly(2)}, 1e-12, "no cases"),
    "nothing wrong": (gram_by_sums, MATRICES, {}, 1e-12, "nothing was refuted"),
    "a wrong that is right": (gram_by_sums, MATRICES, {"same": gram}, 1e-12, "'same' was not"),
    "a wrong that is nearly right": (
        gram_by_sums, MATRICES, {"w": nearly(1.0009)}, 1e-12, "off by more than 0.001",
    ),
    "a wrong in shape only": (
        gram_by_sums, MATRICES, {"w": lambda a: gram(a).ravel()}, 1e-12, "'w' was not refuted",
    ),
    "a wrong without numbers": (gram_by_sums, MATRICES, {"w": nearly(np.nan)}, 1e-12, "not refut"),
    "a wrong without a name": (gram_by_sums, MATRICES, other_side, 1e-12, "wrong must be"),
    "a loose tolerance": (gram_by_sums, MATRICES, {"w": nearly(2)}, 1e-3, "from 0 to 0.0001"),
    "no tolerance": (gram_by_sums, MATRICES, {"w": nearly(2)}, np.nan, "got nan"),
}  # fmt: skip


@pytest.mark.parametrize("right, cases, wrong, tolerance, verdict", REFUSED.values(), ids=REFUSED)
def test_a_check_is_refused(right, cases, wrong, tolerance, verdict):
    with pytest.raises(LedgerError, match=f"eq-gram: .*{verdict}"):
        checked("eq-gram", gram, right, cases, wrong=wrong, tolerance=tolerance)


def test_every_case_is_looked_at():
    late = {"w": lambda n: n + 2}
    with pytest.raises(LedgerError, match="differ in case 10, 10"):
        checked("eq-n", float, lambda n: float(n) if n != 10 else 11.0, range(20), wrong=late)


def test_a_wrong_variant_must_be_far_beyond_the_tolerance():
    with pytest.raises(LedgerError, match="off by more than 0.1"):
        checked("eq-n", float, float, [1.0], wrong={"w": lambda n: 1.05 * n}, tolerance=1e-4)


def test_a_side_that_works_in_place_is_not_compared_with_itself():
    sides = (lambda a: a.__imul__(2), lambda a: a.__iadd__(5))
    with pytest.raises(LedgerError, match="differ in case 0"):
        checked("eq-a", *sides, [np.ones(3), np.zeros(3)], wrong={"w": lambda a: 7 * a})


# Entry


@pytest.mark.parametrize(
    "new, verdict",
    [
        ({"label": "bp2"}, "got 'bp2'"),
        ({"label": "eq-BP 2"}, "got 'eq-BP 2'"),
        ({"kind": "believed"}, "the kind is one of .* got 'believed'"),
        ({"refuted": ()}, "nothing was refuted"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(new, verdict):
    good = record("proved", "eq-a")
    assert Entry(**good).label == "eq-a"
    with pytest.raises(LedgerError, match=verdict):
        Entry(**good | new)


def test_an_entry_is_a_line_and_a_fold():
    entry = proved("eq-a", *PRODUCT, wrong={"one term": x * cos(x)}, given="$x > 0$")
    shown = entry._repr_mimebundle_()
    line = "*Proved*, given $x > 0$. Refuted: one term."
    assert shown["text/plain"].startswith(f"eq-a: {line}\n$$")
    first, fold, *inside, last, end = shown["text/markdown"].split("\n\n")
    assert first == line
    assert fold == '<details class="record eq-a"><summary>How this was proved</summary>'
    assert inside[0].startswith("$$") and last.startswith("- *one term*, $x ")
    assert end == "</details>"  # blank lines around both, or what is inside is no Markdown
    record = json.loads(json.dumps(shown[RECORD]))
    assert Entry(**record | {"refuted": tuple(map(tuple, record["refuted"]))}) == entry


# Equations and calls in notebooks

WORDS = "Here:\n\n$$\na + b\n$$ (eq-a)\n\n$$ c $$\n\nand\n\n```{math}\n:label: eq-b\nb\n```\n"


def cell(source, *shown, tags=()):
    """A cell of code that shows the entries (kind, label)."""
    entries = [(record(*entry), f"*{entry[0]}*\n\nfold of {entry[1]}") for entry in shown]
    data = [{RECORD: one, "text/markdown": text, "text/plain": ""} for one, text in entries]
    outputs = [v4.new_output("display_data", data=bundle) for bundle in data]
    return v4.new_code_cell(source, outputs=outputs, metadata={"tags": list(tags)})


def record(kind, label):
    known = "Proved" if kind == "proved" else "Checked in 9 cases"
    refuted = [["a lost transpose", "$A$", "with n = 2, the left side is 1, and this is 3"]]
    entry = {"label": label, "kind": kind, "statement": "$$1 = 1$$", "known": known}
    return entry | {"refuted": refuted, "given": ""}


def good():
    """Cell 1 holds two equations; 2 proves one, 3 checks the other."""
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# 3. Sweep forward"),
            v4.new_markdown_cell(WORDS),
            cell('proved("eq-a", 1, 1, wrong=2)', ("proved", "eq-a")),
            cell('ledger.checked("eq-b", f, g, [1], wrong={})', ("checked", "eq-b")),
        ]
    )


def swap(nb, one, other):
    nb.cells[one], nb.cells[other] = nb.cells[other], nb.cells[one]


def say(nb, old, new, number=1):
    assert old in nb.cells[number].source
    nb.cells[number].source = nb.cells[number].source.replace(old, new)


TWO = ("display(proved('eq-a', 1, 1), checked('eq-b'))", ("proved", "eq-a"), ("checked", "eq-b"))
PLANTED = {  # name: (what is done to the good notebook, all that the judge must say)
    "nothing": (lambda nb: None, []),
    "two calls in a cell": (lambda nb: nb.cells.__setitem__(slice(2, 4), [cell(*TWO)]), []),
    "no call": (lambda nb: nb.cells.pop(2), ["eq-a: neither proved nor checked"]),
    "no equation": (lambda nb: say(nb, "$$ (eq-a)", "$$"), ["cell 2: proved('eq-a'), but no"]),
    "only code": (
        lambda nb: say(nb, "Here:\n\n$$\na + b\n$$ (eq-a)", "```text\n$$ a $$ (eq-a)\n```"),
        ["cell 2: proved('eq-a'), but no equation has this label"],
    ),
    "the call first": (
        lambda nb: swap(nb, 1, 2),
        ["cell 1: proved('eq-a') stands before its equation", "eq-a: neither"],
    ),
    "a label twice": (lambda nb: say(nb, "eq-b", "eq-a"), ["eq-a: two", "cell 3: checked('eq-b')"]),
    "a label of another kind": (
        lambda nb: [say(nb, "eq-a", "bp2"), nb.cells.pop(2)],
        ["bp2: the label of an equation begins with eq-", "bp2: neither"],
    ),
    "a result thrown away": (
        lambda nb: nb.cells[2].update(outputs=[]),
        ["cell 2: proved('eq-a') is not shown", "eq-a: neither"],
    ),
    "a result of another call": (
        lambda nb: say(nb, "checked", "proved", 3),
        ["cell 3: proved('eq-b') is not shown", "cell 3: shows eq-b as checked", "eq-b: neither"],
    ),
    "a result without a call": (
        lambda nb: nb.cells[3].update(source="entry"),
        ["cell 3: shows eq-b as checked, but does not call", "eq-b: neither"],
    ),
    "a computed label": (
        lambda nb: say(nb, '"eq-a"', "label", 2),
        ["cell 2: write the label", "cell 2: shows eq-a as proved", "eq-a: neither"],
    ),
    "a call that fails on purpose": (
        lambda nb: nb.cells.append(cell("proved('eq-c', 1, 2)", tags=["raises-exception"])),
        [],
    ),
    "a magic": (lambda nb: nb.cells.append(cell("%pwd")), []),
    "only a call that fails": (
        lambda nb: nb.cells[2].metadata.update(tags=["raises-exception"]),
        ["eq-a: neither"],
    ),
}


@pytest.mark.parametrize("plant, verdict", PLANTED.values(), ids=PLANTED)
def test_equations_and_calls_are_matched(plant, verdict):
    nb = good()
    plant(nb)
    found = unmatched(nb)
    assert len(found) == len(verdict), found
    assert all(line.startswith(start) for line, start in zip(found, verdict)), found


@pytest.mark.parametrize("nb", BOOK, ids=lambda nb: nb.cells[0].source.splitlines()[0])
def test_every_labelled_equation_of_the_book_is_proved_or_checked(nb):
    assert unmatched(nb) == []


def test_no_label_is_used_twice_in_the_book():
    assert repeated(BOOK) == []
    assert repeated([good(), good()]) == ["eq-a", "eq-b"]


def test_only_notebooks_have_labelled_equations():
    for path in (ROOT / "book").glob("*.md"):
        assert labelled(path.read_text(encoding="utf-8")) == [], path.name


@pytest.mark.parametrize(
    "words, expected",
    [
        (WORDS, [("eq-a", "a + b"), ("eq-b", "b")]),
        ("$$ a $$\n\nwords (eq-a)", []),
        ("$$ a $$\n$$ b $$ (eq-b)", [("eq-b", "b")]),
        ("within a line $$ a $$ (eq-a)\n\n$$ b $$ (eq-b) and more\n\n$$ c $$\n(eq-c)", []),
        (":::{math}\n:class: c\n:label: eq-c\n\nc\n:::", [("eq-c", "c")]),
        ("```python\n$$ a $$ (eq-a)\n```\n$$ b $$ (eq-b)", [("eq-b", "b")]),
        ("```{note}\n$$ a $$ (eq-a)\n```\nand `x`\n```{note}\n$$ b $$\n```", [("eq-a", "a")]),
    ],
)
def test_equations_are_found(words, expected):
    assert labelled(words) == expected


# The page


def test_the_page_names_each_equation_and_how_it_is_known():
    other = v4.new_notebook(cells=[v4.new_markdown_cell("# Notation")])
    text = page([other, good()])
    counts = "2 records: 1 proved, 1 checked, 0 defined. Wrong variants refuted: 2."
    assert text.startswith(f"{counts}\n\n## 3. Sweep forward\n")
    assert "Notation" not in text  # it has no equation
    first, second = text.split("{eq}`")[1:]
    link = "{ref}`Its place in the chapter <record-eq-a>`."
    assert first.startswith(f"eq-a`\n: $$\n  a + b\n  $$\n\n  *proved* {link}\n\n  fold of eq-a")
    assert second.startswith("eq-b`\n: $$\n  b\n") and "fold of eq-b" in second


def test_the_page_says_what_is_not_known():
    nb = good()
    nb.cells[2].outputs = []
    text = page([nb])
    assert text.startswith("1 records: 0 proved, 1 checked, 0 defined.")
    assert text.count("Neither proved, nor checked, nor a definition.") == 1


def test_the_page_of_a_book_without_labels_says_so():
    assert page([]) == "No equation has a label yet, so the ledger is empty."


def test_the_page_has_all_that_the_book_shows():
    everything = list(itertools.chain.from_iterable(map(equations, BOOK)))
    assert page(BOOK).count("{eq}`") == len(everything)


def test_the_page_is_filled_when_the_book_is_built():
    source = [(ROOT / "book" / "ledger.md").read_text(encoding="utf-8")]
    fill(SimpleNamespace(srcdir=ROOT), "book/ledger", source)
    assert source[0].endswith(page(BOOK) + "\n")
    other = ["# API"]
    fill(SimpleNamespace(srcdir=ROOT), "book/api", other)
    assert other == ["# API"]


def test_companion_and_the_page_agree_on_the_type_of_a_record():
    assert ledger.RECORD == RECORD
