r"""LaTeX in the book's letters.

    code                           LaTeX
    vector("z^l", n)[j, 0]         z^{l}_{j}
    matrix("W^{l+1}", m, n).T      (W^{l+1})^{T}
    KroneckerDelta(j, p)           [j = p]          Iverson's bracket, for delta is the error
    z.applyfunc(sigma.prime())     \sigma'(z)
    f(x, y).diff(x)                \frac{\partial f}{\partial x}
    f(x(t), y(t)).diff(t)          \frac{d f}{d t}

Indices in code count from 0, in the book from 1. A sum over k = 0, .., n-1 is therefore printed
from 1 to n, and the entry x[0, 0] as x_{1}. This is left undone in a sum in which k is not only
an index but also a number, as in sum_k k x_k.
"""

from itertools import chain, count

from sympy import (
    Dummy,
    Expr,
    KroneckerDelta,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Mul,
    S,
    Sum,
    Symbol,
    Tuple,
    sympify,
)
from sympy.core.function import AppliedUndef, Derivative
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.printing.latex import LatexPrinter

LETTERS = "kjiqsth"  # of a sum whose author named no index, or one that is taken; never m, e or l


def latex(expr) -> str:
    r"""LaTeX of an expression, a matrix expression, an equation or a list of them.

    A summation index keeps the letter that its author gave it, in `sum_over(lambda i: ..)`, unless
    something else in the expression has it.

    >>> from companion.symbolic import indices, matrix, vector, widths
    >>> n0, n1 = widths("n_{l-1} n_{l}")
    >>> W, a, b = matrix("W^l", n1, n0), vector("a^{l-1}", n0), vector("b^l", n1)
    >>> print(latex(W * a + b))
    W^{l} a^{l-1} + b^{l}
    >>> from companion.symbolic import entry
    >>> print(latex(entry(W * a + b, indices("j"))))
    \sum_{k=1}^{n_{l-1}} W^{l}_{jk} a^{l-1}_{k} + b^{l}_{j}
    """
    expr = Tuple(*expr) if isinstance(expr, (list, tuple)) else sympify(expr)
    by = (v for d in expr.atoms(Derivative) for v in d.variables)  # not among the free symbols
    taken = {s.name for part in (expr, *by) for s in part.free_symbols}
    taken |= {M.name.partition("^")[0] for M in expr.atoms(MatrixSymbol)}
    return _BookPrinter().doprint(_lettered(_alike(expr), taken, {}))


def _alike(expr):
    """The same expression, in which sums that differ only in a nameless index are equal.

    Such an index is named by its height, how deep sums are nested below it, and by its letter.
    Two that are nested in each other differ in height, so none captures another.
    """
    if not expr.has(Sum):
        return expr
    args = [_alike(part) for part in expr.args]
    if not isinstance(expr, Sum):
        return expr.func(*args)
    height = 1 + max(
        (int(_height(s)) for s in args[0].atoms(Symbol) if _height(s).isdecimal()), default=0
    )
    nameless = [k for k in expr.bound_symbols if isinstance(k, Dummy)]
    names = {k: Symbol(f"_{height + i}:{k.name}", **k.assumptions0) for i, k in enumerate(nameless)}
    return Sum(*(arg.xreplace(names) for arg in args))


def _height(s):
    return s.name[1:].partition(":")[0] if s.name.startswith("_") else ""


def _lettered(expr, taken, done):
    """The same expression, each of its sums with a letter of its own; `taken` grows with them.

    A sum that occurs twice, as in f(z) g(z), has one letter in both places: it is in `done`.
    """
    if not expr.has(Sum):
        return expr
    if isinstance(expr, Sum):
        if expr not in done:
            names = {k: Symbol(_letter(k, taken), **k.assumptions0) for k in expr.bound_symbols}
            limits = [limit.xreplace(names) for limit in expr.limits]
            done[expr] = Sum(_lettered(expr.function.xreplace(names), taken, done), *limits)
        return done[expr]
    return expr.func(*(_lettered(part, taken, done) for part in expr.args))


def _letter(k, taken):
    own = [name for name in [k.name.rpartition(":")[2]] if not name.startswith("_")]
    letter = next(s for s in chain(own, LETTERS, map("k_{}".format, count(1))) if s not in taken)
    taken.add(letter)
    return letter


class _BookPrinter(LatexPrinter):
    def _print_MatrixSymbol(self, M):
        base, _, above = M.name.partition("^")
        return self._print(Symbol(base)) + (f"^{{{above.strip('{}')}}}" if above else "")

    def _print_MatrixElement(self, element):
        row, column = map(self._index, (element.i, element.j))
        subscript = row
        if element.parent.shape[1] != 1:
            subscript += column if len(row) == len(column) == 1 else f",{column}"
        name = self._print(element.parent)
        plain = isinstance(element.parent, MatrixSymbol)
        return f"{name if plain else _parenthesised(name)}_{{{subscript}}}"

    def _index(self, i):
        return self._print(i + 1 if i.is_Integer else i)

    def _print_Transpose(self, expr):
        return f"{self._base(expr.arg)}^{{T}}"

    def _base(self, expr):
        """Something that takes an exponent: in parentheses, unless it is one plain letter."""
        symbol = expr.parent if isinstance(expr, MatrixElement) else expr
        plain = isinstance(symbol, MatrixSymbol) and "^" not in symbol.name
        return self._print(expr) if plain else _parenthesised(self._print(expr))

    def _print_HadamardProduct(self, expr):
        compound = (MatAdd, MatMul)
        parts = [(isinstance(A, compound), self._print(A)) for A in expr.args]
        return r" \odot ".join(_parenthesised(text) if c else text for c, text in parts)

    def _print_HadamardPower(self, expr):
        return rf"{self._base(expr.base)}^{{\circ {self._print(expr.exp)}}}"

    def _print_OneMatrix(self, expr):
        return r"\mathbf{1}"

    def _print_BlockMatrix(self, expr):
        rows = r" \\ ".join(" & ".join(map(self._print, row)) for row in expr.blocks.tolist())
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"

    def _print_Identity(self, expr):
        return "I"

    def _print_DiagMatrix(self, expr):
        return r"\operatorname{diag}" + _parenthesised(self._print(expr.args[0]))

    def _print_ElementwiseApplyFunction(self, expr):
        argument = Dummy()
        self._settings["symbol_names"][argument] = self._print(expr.expr)
        return self._print(expr.function(argument))

    def _print_MatAdd(self, expr):
        return self._sum_of(sorted(expr.args, key=_minus_last))

    def _print_Add(self, expr, order=None):
        terms = self._as_ordered_terms(expr, order=order)
        return self._sum_of(sorted(terms, key=lambda t: (_minus_last(t), not t.has(Sum))))

    def _sum_of(self, terms):
        text = ""
        for term in terms:
            part = self._print(term)
            minus = part.startswith("-")
            sign = (" - " if minus else " + ") if text else ("- " if minus else "")
            text += sign + (part[1:].lstrip() if minus else part)
        return text

    def _print_Mul(self, expr):
        """Numbers and letters, then entries, then functions, and sums at the end."""
        if not expr.is_Mul:
            return super()._print_Mul(expr)  # SymPy hands in powers such as 1/x, too
        sums = [f for f in expr.args if isinstance(f, Sum)]
        if _is_fraction(expr):
            rest = Mul(*(f for f in expr.args if f not in sums))
            return " ".join([self._print(rest), *self._factors(sums)]) if sums else (
                super()._print_Mul(expr))  # fmt: skip
        factors, sign = sorted(expr.as_ordered_factors(), key=_rank), ""
        if factors[0].is_Integer and factors[0] < 0:
            sign, factors = "- ", [-factors[0], *factors[1:]]
        return sign + " ".join(self._factors([f for f in factors if f != 1]))

    def _factors(self, factors):
        """Each of them printed; parentheses around what would swallow the next one."""
        texts = [self._print(f) for f in factors]
        wide = [f.is_Add or isinstance(f, Sum) and f is not factors[-1] for f in factors]
        return [_parenthesised(text) if w else text for text, w in zip(texts, wide)]

    def _helper_print_standard_power(self, expr, template):
        if isinstance(expr.base, MatrixElement):
            return template % (self._base(expr.base), self._print(expr.exp))
        return super()._helper_print_standard_power(expr, template)

    def _print_KroneckerDelta(self, expr, exp=None):
        i, j = expr.args[:2]
        return f"[{self._index(i)} = {self._index(j)}]"

    def _print_Sum(self, expr):
        body, heads = expr.function, []
        for k, low, high in reversed(expr.limits):
            shift = 0 if is_number(k, body) else 1
            limits = self._print(low + shift), self._print(high + shift)
            heads.append(rf"\sum_{{{self._print(k)}={limits[0]}}}^{{{limits[1]}}}")
        text = self._print(body)
        return " ".join([*heads, _parenthesised(text) if body.is_Add else text])

    def _print_Function(self, expr, exp=None):
        if hasattr(expr.func, "letters"):
            name = expr.func.letters
        elif isinstance(expr, AppliedUndef):
            name = self._print(Symbol(expr.func.__name__))
        else:
            return super()._print_Function(expr, exp)
        text = name + _parenthesised(", ".join(map(self._print, expr.args)))
        return f"{text}^{{{exp}}}" if exp else text

    def _print_FunctionOf(self, expr, exp=None):
        u, n, _, name = expr.args
        last = Dummy(integer=True, nonnegative=True)
        self._settings["symbol_names"][last] = self._print(n)
        arguments = rf"{self._print(u(S.Zero))}, \ldots, {self._print(u(last))}"
        text = self._print(name) + _parenthesised(arguments)
        return f"{text}^{{{exp}}}" if exp else text

    def _print_Derivative(self, expr):
        """df/dx, where f is an unknown function of letters or of other unknown functions."""
        f = expr.expr
        if not isinstance(f, AppliedUndef):
            text, body = super()._print_Derivative(expr), self._print(f)
            if f.is_Mul and not _is_fraction(f) and text.endswith(body):
                text = text.removesuffix(body) + _parenthesised(body)  # d/dx of all factors
            plain = r"\frac{d}{d "
            if isinstance(expr.variables[0], MatrixElement) and text.startswith(plain):
                text = r"\frac{\partial}{\partial " + text[len(plain) :]  # one entry of several
            return text
        alone = len(f.args) == 1 or f.free_symbols == {expr.variables[0]}  # nothing else can move
        d = "d" if alone else r"\partial"
        below = " ".join(
            f"{d} {self._variable(v)}" + (f"^{{{self._print(times)}}}" if times != 1 else "")
            for v, times in expr.variable_count
        )
        order = sum(times for _, times in expr.variable_count)
        above = f"{d}^{{{self._print(order)}}}" if order != 1 else d
        return rf"\frac{{{above} {self._print(Symbol(f.func.__name__))}}}{{{below}}}"

    def _print_Subs(self, expr):
        """f'(u), where SymPy writes the derivative of f(xi) by xi, and u for xi."""
        slope = expr.expr
        unknown = isinstance(slope, Derivative) and isinstance(slope.expr, AppliedUndef)
        if not unknown or slope.expr.args != expr.variables:
            return super()._print_Subs(expr)
        primes = "'" * int(slope.derivative_count)
        name = self._print(Symbol(slope.expr.func.__name__))
        return name + primes + _parenthesised(self._print(expr.point[0]))

    def _variable(self, v):
        return self._print(Symbol(v.func.__name__) if isinstance(v, AppliedUndef) else v)


def _parenthesised(text):
    tall = any(tower in text for tower in (r"\frac", r"\sum", r"\left"))
    return rf"\left({text}\right)" if tall else f"({text})"


def _minus_last(term):
    return term.could_extract_minus_sign() if isinstance(term, Expr) else False


def _is_fraction(product):
    return any(
        f.is_Pow and f.exp.could_extract_minus_sign() or f.is_Rational and not f.is_Integer
        for f in product.args
    )


def _rank(factor):
    """Where a factor stands in a product."""
    base = factor.base if factor.is_Pow else factor
    if base.is_Number:
        return 0
    if base.is_Symbol:
        return 1
    if isinstance(base, MatrixElement):
        return 3 if base.parent.shape[1] == 1 else 2
    if isinstance(base, Sum):
        return 6
    return 5 if isinstance(base, KroneckerDelta) else 4


def is_number(k, body) -> bool:
    """Does k stand in `body` other than as an index or as an argument of an unknown function?"""
    places = body.atoms(MatrixElement, KroneckerDelta, AppliedUndef)
    return body.xreplace({place: Dummy() for place in places}).has(k)
