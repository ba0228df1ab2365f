"""The normal form of an index expression: two sides that share it are equal, for all widths.

The rules are those of finite sums, and each of them keeps the value:

    (sum_i x_i) (sum_k y_k) = sum_i sum_k x_i y_k     a product of sums is multiplied out,
    sum_i (x_i + y_i) = sum_i x_i + sum_i y_i         a sum of terms is split,
    sum_k [k = p] f(k) = f(p)                         a Kronecker delta picks its term,
    [i = j] f(j) = [i = j] f(i)                       and makes its two indices one,
    sum_i sum_k x_i y_k = (sum_i x_i) (sum_k y_k)     what belongs apart is put apart,
    sum_k 1 = n                                       a sum over nothing counts,
    sum_{k=0}^{1} x_k = x_0 + x_1                     a width that is a number is written out,
    sum_i sum_k = sum_k sum_i                         order and
    sum_i x_i = sum_k x_k                             names of the indices are fixed.

The third rule needs p to lie in the range of the sum. It is used if the delta was born with that
very range, and if p is a summation index of the same range, a number in it, or a free index: such
a one lies below every width, so the range must be that of an index, from 0 to some width less 1.
A product of sums is multiplied out to contract its deltas, and what is left is put apart again.
"""

import re
from itertools import groupby, islice, permutations, product

from sympy import (
    Add,
    Basic,
    Expr,
    Function,
    Integer,
    KroneckerDelta,
    Lambda,
    Mul,
    Piecewise,
    Pow,
    Sum,
    Symbol,
    default_sort_key,
    exp,
    sympify,
)
from sympy.core.relational import Relational

from companion.symbolic.grammar import read, written
from companion.symbolic.objects import ProofError
from companion.symbolic.objects import nameless as fresh

ORDERS = 1000  # of the indices of a sum; where more remain, a statement is refused

Factors = list[Expr]
Limits = dict[Symbol, tuple[Expr, Expr]]


def normal_form(expr) -> Expr:
    """A sum of products of numbers, entries, functions and sums of such products.

    >>> from companion.symbolic import indices, sum_over, vector, widths
    >>> n, p = widths("n"), indices("p")
    >>> x = vector("x", n)
    >>> total = sum_over(lambda k: x[k, 0], n)
    >>> normal_form(total.diff(x[p, 0]))
    1
    >>> normal_form(sum_over(lambda k: x[k, 0] + total, n))
    n*Sum(x[_1, 0], (_1, 0, n - 1)) + Sum(x[_1, 0], (_1, 0, n - 1))
    """
    return written(reduced(expr))


def reduced(expr) -> Expr:
    """The normal form, in which a derivative of an unknown function is one more such function."""
    expr = sympify(expr)
    try:
        return _normal(fresh(read(expr)), {})
    except IndexError:
        raise ProofError(f"an index runs beyond the array it belongs to, in {expr}") from None


def _normal(expr, around: Limits) -> Expr:
    """`around` are the ranges of the indices of all sums that `expr` stands in."""
    if not expr.has(Sum, KroneckerDelta):
        return expr.expand()
    if isinstance(expr, Mul):  # lets S * S**-1 cancel before S is multiplied out
        expr = Mul(*(_normal(f, around) if f.has(Sum) else f for f in expr.args))
    return Add(*(_closed(*term, around) for term in _terms(fresh(expr))))


def _terms(expr) -> list[tuple[Factors, Limits]]:
    """Products and the sums over them, which together are equal to `expr`."""
    match expr:
        case Add():
            return [term for part in expr.args for term in _terms(part)]
        case Mul():
            return _multiplied(expr.args)
        case Pow() if expr.exp.is_Integer and expr.exp > 1 and (expr.base.is_Add or expr.has(Sum)):
            return _multiplied([expr.base] * int(expr.exp))
        case Sum():
            limits = {k: (low, high) for k, low, high in expr.limits}
            terms = [(factors, inner | limits) for factors, inner in _terms(expr.function)]
            for _, all_limits in terms:
                if any(bound.has(*limits) for span in all_limits.values() for bound in span):
                    raise ProofError(f"the limits of a sum depend on another index: {expr}")
            return terms
        case Piecewise() if expr.has(Sum, KroneckerDelta):
            return _multiplied_pieces(expr.args)
        case exp() if isinstance(expr.args[0], Add):
            return _multiplied([exp(part) for part in expr.args[0].args])
    return [([expr], {})]


def _multiplied(parts):
    """Each term of the first part times each of the second, ..; `fresh` made all indices differ.

    Where a part comes twice, as in a square, each copy gets indices of its own.
    """
    parts = [_terms(fresh(part)) for part in parts]
    return [
        (
            [f for factors, _ in chosen for f in factors],
            {k: limit for _, limits in chosen for k, limit in limits.items()},
        )
        for chosen in product(*parts)
    ]


def _multiplied_pieces(pieces):
    """Each piece times a Piecewise that is 1 where the piece applies, and 0 elsewhere."""
    terms = []
    for place, (piece, _) in enumerate(pieces):
        mark = Piecewise(*((int(place == k), condition) for k, (_, condition) in enumerate(pieces)))
        terms += [([*factors, mark], limits) for factors, limits in _terms(fresh(piece))]
    return terms


def _closed(factors, limits, around):
    """One term: its deltas contracted, its functions in normal form, its sums put apart."""
    factors, limits = _contract(factors, limits, around)
    for k, (low, high) in limits.items():
        if low.is_Integer and high.is_Integer:
            rest = {i: limit for i, limit in limits.items() if i != k}
            places = [{k: Integer(place)} for place in range(int(low), int(high) + 1)]
            return Add(*(_closed([f.xreplace(at) for f in factors], rest, around) for at in places))
    scope = {**around, **limits}
    factors = Mul.make_args(Mul(*(_inside(f, scope) for f in factors)))
    return _apart(list(factors), limits)


def _contract(factors, limits, around):
    deltas = [f for f in factors if isinstance(f, KroneckerDelta)]
    for delta in deltas:
        rest = list(factors)
        rest.remove(delta)
        for k, p in permutations(delta.args[:2]):
            span = limits.get(k)
            if span and span == delta.delta_range and _within(p, span, {**around, **limits}):
                limits = {i: limit for i, limit in limits.items() if i != k}
                return _contract([f.xreplace({k: p}) for f in rest], limits, around)
    for delta in deltas:
        i, j = delta.args[:2]
        new = [f if f == delta else f.xreplace({j: i}) for f in factors] if j.is_Symbol else factors
        if new != factors:
            return _contract(new, limits, around)
    return factors, limits


def _within(p, span, known):
    """Is p in the range? A free index is taken to be: it is one if it may be 0, a width may not.

    A range of length 1, or one that does not begin at 0, or ends at an index, is not that of all
    free indices; nor is one that may be empty.
    """
    if p in known:
        return known[p] == span
    if p.is_Symbol:
        low, high = span
        every = low == 0 and high != 0 and (high + 1).is_positive
        return every and _is_index(p) and not any(map(_is_index, high.free_symbols))
    return p.is_Integer and (p - span[0]).is_nonnegative and (span[1] - p).is_nonnegative


def _is_index(s):
    return s.is_integer and s.is_nonnegative and not s.is_positive


def _inside(factor, scope):
    """The arguments of a function or a power in normal form."""
    if not isinstance(factor, (Function, Pow)) or isinstance(factor, KroneckerDelta):
        return factor
    if not factor.has(Sum, KroneckerDelta):
        return factor.expand()
    if isinstance(factor, Piecewise):
        told = {r: r.func(*(_normal(a, scope) for a in r.args)) for r in factor.atoms(Relational)}
        return factor.xreplace(told)
    opaque = [isinstance(a, Lambda) or not isinstance(a, Expr) for a in factor.args]
    return factor.func(*(a if o else _normal(a, scope) for a, o in zip(factor.args, opaque)))


def _apart(factors, limits):
    """Sums that share no factor become a product of sums."""
    done, waiting = [], dict(limits)
    while waiting:
        group = dict([waiting.popitem()])
        while linked := [f for f in factors if f.has(*group)]:
            further = {k: waiting.pop(k) for k in list(waiting) if any(f.has(k) for f in linked)}
            if not further:
                break
            group |= further
        factors = [f for f in factors if f not in linked]
        done.append(_summed(Mul(*linked), group))
    return Mul(*done, *factors)


def _summed(body, limits):
    """The sum of `body`, its indices _1, _2, .. in an order that does not depend on their names."""
    if body == 1:
        sizes = [high - low + 1 for low, high in limits.values()]
        if all(size.is_nonnegative for size in sizes):
            return Mul(*sizes)
    used = [s.name for s in body.atoms(Symbol)]
    first = max([int(name[1:]) for name in used if re.fullmatch(r"_\d+", name)], default=0) + 1

    def ordered(order):
        names = {k: _letter(first + place, limits[k][0]) for place, k in enumerate(order)}
        return Sum(body.xreplace(names), *((names[k], *limits[k]) for k in order))

    alike = _grouped(limits, lambda k: str(limits[k]))
    orders = list(islice(_orders(body, alike, ordered), ORDERS + 1))
    if len(orders) > ORDERS:
        raise ProofError(f"{len(limits)} indices can be told apart in too many ways in {body}")
    return min(orders, key=default_sort_key)


def _orders(body, cells, ordered):
    """The sum written with its indices in every order that how they occur leaves open.

    `cells` are lists of indices, of which those in one list may still be alike. One of them is
    put first, which tells more of the others apart, and so on. Where two lead to the same sum,
    one of them can take the other's place, and to follow the first is enough. So eight indices
    that can be exchanged freely have one order, not 40320.
    """
    cells = _refined(body, cells)
    place = next((place for place, cell in enumerate(cells) if len(cell) > 1), None)
    if place is None:
        yield ordered([k for (k,) in cells])
        return
    tried, seen = [], set()
    for k in cells[place]:
        if any(body.xreplace({k: i, i: k}) == body for i in tried):
            continue
        others = [i for i in cells[place] if i != k]
        found = _orders(body, [*cells[:place], [k], others, *cells[place + 1 :]], ordered)
        for at, one in enumerate(found):
            if at == 0 and one in seen:
                break
            seen.add(one)
            yield one
        tried.append(k)


def _refined(body, cells):
    """The cells split by how their indices occur beside the others, as far as that goes."""
    factors = Mul.make_args(body)
    while True:
        colour = {k: Symbol(f"cell {place}") for place, cell in enumerate(cells) for k in cell}

        def occurrence(k, colour=colour):
            marks = colour | {k: Symbol("self")}
            return sorted(str(f.xreplace(marks)) for f in factors if f.has(k))

        parts = (_grouped(cell, occurrence) if len(cell) > 1 else [cell] for cell in cells)
        split = [part for several in parts for part in several]
        if len(split) == len(cells):
            return cells
        cells = split


def _grouped(items, key):
    return [list(group) for _, group in groupby(sorted(items, key=key), key=key)]


def _letter(number, low: Basic):
    return Symbol(f"_{number}", integer=True, nonnegative=low.is_nonnegative or None)
