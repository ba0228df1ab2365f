"""The network: its parameters, the forward pass, and the four equations of backpropagation.

    formula                                        code                        in words
    a^0 = x                                        a[0]                        the input
    z^l = W^l a^{l-1} + b^l                        z[l]                        weighted input
    a^l = sigma_l(z^l)                             a[l]                        activation
    BP1  delta^L = J^T g^L                         delta[L]                    output error
    BP2  delta^l = J^T g^l,                        delta[l]                    error sent back
         g^l = (W^{l+1})^T delta^{l+1}             g[l]; g[0] is dC/dx
    BP3  dC/db^l = delta^l 1                       gradient.b[l]               bias gradient
    BP4  dC/dW^l = delta^l (a^{l-1})^T             gradient.W[l]               weight gradient

Layers are numbered as in the book: l = 1..L for those with weights, and a^0 is the input. Lists
therefore hold None at place 0 where the book has nothing: W[l] is W^l, with no shift.
Columns are examples: x is (n_0, m), z^l and a^l are (n_l, m), W^l is (n_l, n_{l-1}), b^l (n_l, 1).
The 1/m of the batch is in g^L, so the sums over examples in BP3 and BP4 are plain products.

Weight decay adds decay/2 sum_l ||W^l||^2 to C (`costs.penalty`), and so decay W^l to BP4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from companion._inputs import columns, generator, numbers, real_number, same_shape, whole_number
from companion.activations import Activation, activation_named
from companion.costs import Cost, cost_named, penalty

WIDEST = 2**31 - 1  # neurons that BLAS can count in one layer
DTYPES = tuple(map(np.dtype, (np.float32, np.float64, np.complex64, np.complex128)))


class Views(tuple):
    """Arrays that share one vector: v[l] = array writes into the vector, and so does v[l] += .."""

    def __setitem__(self, l: int, value) -> None:
        if not 0 < abs(l) < len(self):
            raise IndexError(f"layers with weights are numbered 1 to {len(self) - 1}, got {l}")
        value = np.asarray(value)
        same_shape(f"what is assigned to place {l}", value, "the array there", self[l])
        self[l][...] = value


class Parameters:
    """W^1..W^L and b^1..b^L. They are views of one `vector`, so that a step is one subtraction.

    A gradient has the same type: gradient.W[l] is dC/dW^l, of the shape of W[l]. `weights` is the
    part of the vector that holds all W^l.

    >>> p = Parameters.of(W=[[[1.0, 2.0]]], b=[[[0.5]]])    # one layer, from 2 neurons to 1
    >>> p.W[1], p.b[1], p.vector
    (array([[1., 2.]]), array([[0.5]]), array([1. , 2. , 0.5]))
    >>> (p - 0.1 * p).W[1]
    array([[0.9, 1.8]])
    """

    def __init__(self, sizes: Sequence[int], vector: np.ndarray):
        """`sizes` is (n_0, .., n_L); `vector` holds all W^l, row by row, then all b^l.

        The vector is kept, not copied: whoever changes it changes these parameters.
        """
        self.sizes, vector = tuple(sizes), np.asarray(vector)
        shapes = [(n, below) for below, n in pairwise(self.sizes)]
        shapes += [(n, 1) for n in self.sizes[1:]]
        ends = np.cumsum([0] + [rows * columns for rows, columns in shapes]).tolist()
        if vector.shape != (ends[-1],) or vector.dtype not in DTYPES:
            raise ValueError(
                f"the vector has shape {vector.shape} and dtype {vector.dtype}, but a network of "
                f"sizes {list(self.sizes)} has {ends[-1]} parameters: give ({ends[-1]},) numbers "
                "in float32 or float64"
            )
        self.vector = vector
        places = zip(pairwise(ends), shapes, strict=True)
        views = [vector[start:end].reshape(shape) for (start, end), shape in places]
        L = len(self.sizes) - 1
        self.W, self.b = Views([None, *views[:L]]), Views([None, *views[L:]])
        self.weights = vector[: ends[L]]

    @classmethod
    def of(cls, W: Sequence, b: Sequence) -> Parameters:
        """Parameters that hold a copy of the arrays W = [W^1, .., W^L] and b = [b^1, .., b^L].

        Raises ValueError where two layers do not fit together; the message names the layer.
        """
        W = [numbers(f"W^{l}", w) for l, w in enumerate(W, 1)]
        b = [numbers(f"b^{l}", c) for l, c in enumerate(b, 1)]
        if not W or len(W) != len(b):
            raise ValueError(f"got {len(W)} W and {len(b)} b: give one of each for every layer")
        for l, (w, c) in enumerate(zip(W, b, strict=True), 1):
            if w.ndim != 2 or 0 in w.shape:
                raise ValueError(f"W^{l} has shape {w.shape}, expected (n_{l}, n_{l - 1})")
            if c.shape != (len(w), 1):
                raise ValueError(
                    f"b^{l} has shape {c.shape}, but W^{l} has {len(w)} rows: give ({len(w)}, 1)"
                )
            if l > 1 and w.shape[1] != len(W[l - 2]):
                raise ValueError(
                    f"W^{l} has {w.shape[1]} columns, but layer {l - 1} has {len(W[l - 2])} "
                    f"neurons: W^{l} must be (n_{l}, {len(W[l - 2])})"
                )
        sizes = [W[0].shape[1]] + [len(w) for w in W]
        return cls(sizes, np.concatenate([array.ravel() for array in W + b]))

    def named(self) -> dict[str, np.ndarray]:
        """The arrays by the names that the book gives them: {"W^1": .., "b^1": .., ..}."""
        layers = range(1, len(self.sizes))
        pairs = ((f"W^{l}", self.W[l], f"b^{l}", self.b[l]) for l in layers)
        return {name: array for w, W, c, b in pairs for name, array in ((w, W), (c, b))}

    @classmethod
    def from_named(cls, arrays: Mapping[str, np.ndarray]) -> Parameters:
        """The inverse of `named`."""
        layers = range(1, len(arrays) // 2 + 1)
        names = {f"{letter}^{l}" for l in layers for letter in "Wb"}
        if set(arrays) != names:
            raise ValueError(f"got arrays named {sorted(arrays)}, expected {sorted(names)}")
        return cls.of([arrays[f"W^{l}"] for l in layers], [arrays[f"b^{l}"] for l in layers])

    def copy(self) -> Parameters:
        """Parameters of equal value that share no memory with these."""
        return Parameters(self.sizes, self.vector.copy())

    def astype(self, dtype) -> Parameters:
        """A copy in another precision, float32 or float64."""
        return Parameters(self.sizes, self.vector.astype(dtype))

    def __add__(self, other: Parameters) -> Parameters:
        return self._with(np.add, other)

    def __sub__(self, other: Parameters) -> Parameters:
        return self._with(np.subtract, other)

    def __mul__(self, factor: float) -> Parameters:
        if np.ndim(factor) != 0:
            return NotImplemented
        factor = np.asarray(factor).item()  # a number of Python's own keeps float32
        try:
            return Parameters(self.sizes, self.vector * factor)
        except OverflowError:
            raise ValueError(f"the factor is too large for a float: {str(factor):.60}") from None

    __rmul__ = __mul__
    __array_ufunc__ = None  # so that a NumPy number times Parameters asks __rmul__

    def _with(self, operation, other):
        if not isinstance(other, Parameters):
            return NotImplemented
        if self.sizes != other.sizes:
            raise ValueError(
                f"parameters of sizes {list(self.sizes)} and {list(other.sizes)} do not combine"
            )
        return Parameters(self.sizes, operation(self.vector, other.vector))

    def __reduce__(self):  # copied or sent to another process, W and b stay views of the vector
        return Parameters, (self.sizes, self.vector)

    def __repr__(self) -> str:
        return f"Parameters(sizes={list(self.sizes)}, {self.vector.size} {self.vector.dtype})"


class Trace(NamedTuple):
    """What a forward pass leaves behind: z[l] for l = 1..L and a[l] for l = 0..L."""

    z: list[np.ndarray | None]
    a: list[np.ndarray]


@dataclass(frozen=True)
class Errors:
    """The two error signals: delta[l] = dC/dz^l for l = 1..L, and g[l] = dC/da^l for l = 0..L-1.

    g[0] = dC/dx (n_0, m) says how each input should move: for one image, less ink where it is
    positive, more where it is negative. `Network.errors` fills it; the inner loop, which nobody
    asks for it, leaves None there. g^L = dC/da^L is `cost.gradient(a[L], y)`; BP1 needs no copy
    of it. `ones`, a column (m, 1), is no signal: it sums over the examples in BP3.
    """

    g: list[np.ndarray | None]
    delta: list[np.ndarray | None]
    ones: np.ndarray


class Network:
    """A feedforward network: the widths of its layers, an activation for each, and a cost.

    It holds no parameters. Everything it computes is a function of what it is given.

    sizes        n_0, .., n_L; n_0 inputs, then L >= 1 layers with weights
    activations  sigma_1, .., sigma_L, as objects or names; one alone stands for every layer
    cost         a cost or its name

    >>> net = Network([2, 3, 1], "sigmoid", "quadratic")
    >>> p = net.initial(rng=np.random.default_rng(0))
    >>> x, y = np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 0.0]])    # two examples
    >>> [a.shape for a in net.forward(p, x).a]
    [(2, 2), (3, 2), (1, 2)]
    >>> net.backward(p, net.forward(p, x), y).W[1].shape
    (3, 2)
    """

    def __init__(self, sizes: Sequence[int], activations="sigmoid", cost="quadratic"):
        if not isinstance(sizes, (Sequence, np.ndarray)):
            raise TypeError(f"sizes must list the widths of all layers, [2, 3, 1], got {sizes!r}")
        self.sizes = tuple(whole_number(f"n_{l}", n, 1, WIDEST) for l, n in enumerate(sizes))
        if len(self.sizes) < 2:
            raise ValueError(f"sizes is {list(sizes)}: give n_0 and at least one layer, [2, 1]")
        self.L = len(self.sizes) - 1
        if not isinstance(activations, (list, tuple, np.ndarray)):
            activations = [activations] * self.L
        if len(activations) != self.L:
            raise ValueError(
                f"got {len(activations)} activations for {self.L} layers with weights "
                f"(sizes {list(self.sizes)}): give one for each, or one for all"
            )
        self.sigma = [None] + [
            s if isinstance(s, Activation) else activation_named(s) for s in activations
        ]
        self.cost = cost if isinstance(cost, Cost) else cost_named(cost)
        if self.cost.partner and type(self.sigma[-1]) is not self.cost.partner:
            raise ValueError(
                f"{self.cost} goes with {self.cost.partner.name} as the last activation, and here "
                f"that is {self.sigma[-1]}: a certain and wrong answer would cost infinitely much"
            )

    def initial(
        self, *, rng: np.random.Generator, weights="scaled", biases="zero", dtype=np.float64
    ) -> Parameters:
        """Random parameters to start from.

        weights  "scaled"  N(0, 1/n_{l-1}): z keeps the size of a (LeCun et al. 1998)
                 "he"      N(0, 2/n_{l-1}): the same for ReLU, which drops half (He et al. 2015)
                 "unit"    N(0, 1): as in older texts; wide layers start saturated
        biases   "zero", or "unit" for N(0, 1)
        dtype    float64 or float32; the numbers drawn are the same, rounded
        """
        rng = generator(rng)
        spread = _choice("weights", weights, {"scaled": 1.0, "he": 2.0, "unit": None})
        shift = _choice("biases", biases, {"zero": 0.0, "unit": 1.0})
        W, b = [], []
        for below, n in pairwise(self.sizes):
            deviation = 1.0 if spread is None else np.sqrt(spread / below)
            W.append(deviation * rng.standard_normal((n, below)))
            b.append(shift * rng.standard_normal((n, 1)) if shift else np.zeros((n, 1)))
        return Parameters.of(W, b).astype(real_dtype(dtype))

    @np.errstate(over="ignore")  # of e^-z, to infinity, in the sigmoid: see there
    def forward(self, parameters: Parameters, x) -> Trace:
        """Every z^l and a^l for the examples in the columns of x (n_0, m).

        x is copied into a^0, in the precision of the parameters: yours may change before
        `backward` reads a^0 in BP4. Raises ValueError for a wrong shape (rows given for columns,
        an empty batch), NaN, and parameters of another network.
        """
        trace = self._forward(parameters, x)
        trace.a[0] = trace.a[0].copy(order="K")
        return trace

    def _forward(self, parameters, x):
        """A trace whose a[0] may be x itself: for what does not outlive the call."""
        self.check_parameters(parameters)
        x = columns("x", x, self.sizes[0], parameters.vector.dtype)
        trace = self.new_trace(x.shape[1], x.dtype)
        trace.a[0] = x
        self.propagate(parameters, trace)
        return trace

    @np.errstate(over="ignore")
    def backward(self, parameters: Parameters, trace: Trace, y, *, decay=0.0) -> Parameters:
        """The gradient of C at `parameters`, from a forward pass and its targets y (n_L, m).

        The parameters must still be those of the forward pass. With `decay`, C has its penalty,
        as in `cost_of`, and dC/dW^l = delta^l (a^{l-1})^T + decay W^l.
        """
        decay = check_decay(decay)
        y = self._check_backward(parameters, trace, y)
        gradient = Parameters(self.sizes, np.empty_like(parameters.vector))
        errors = self.new_errors(y.shape[1], y.dtype)
        self.back_propagate(parameters, trace, y, errors, gradient)
        if decay:
            gradient.weights += decay * parameters.weights
        return gradient

    @np.errstate(over="ignore")
    def errors(self, parameters: Parameters, trace: Trace, y) -> Errors:
        """The error signals g^l and delta^l themselves, by BP1 and BP2, down to g^0 = dC/dx."""
        y = self._check_backward(parameters, trace, y)
        errors = self.new_errors(y.shape[1], y.dtype)
        self.send_back(parameters, trace, y, errors)
        errors.g[0] = parameters.W[1].T @ errors.delta[1]
        return errors

    @np.errstate(over="ignore")
    def output(self, parameters: Parameters, x) -> np.ndarray:
        """a^L (n_L, m) for the examples in the columns of x (n_0, m)."""
        return self._forward(parameters, x).a[self.L]

    @np.errstate(over="ignore")
    def cost_of(self, parameters: Parameters, x, y, *, decay=0.0) -> float:
        """C for the examples in the columns of x (n_0, m) and their targets y (n_L, m).

        With `decay`, plus the price of large weights, decay/2 sum_l ||W^l||^2.
        """
        decay = check_decay(decay)
        cost = self.cost_at(self._forward(parameters, x), y)
        return cost + penalty(parameters.weights, decay)

    def cost_at(self, trace: Trace, y) -> float:
        """C at the end of a forward pass, for targets y (n_L, m)."""
        z, a = trace.z[self.L], trace.a[self.L]
        y = self.check_targets(y, a.dtype)
        same_shape("y", y, "a^L", a)
        return self.cost.output_cost(self.sigma[self.L], z, a, y)

    # The inner loop. It checks nothing and writes into arrays made once, by the two `new_`.

    def propagate(self, parameters: Parameters, trace: Trace) -> None:
        """The forward pass: fills z[1..L] and a[1..L] of `trace` from its a[0]."""
        W, b = parameters.W, parameters.b
        z, a = trace.z, trace.a
        for l in range(1, self.L + 1):
            np.dot(W[l], a[l - 1], out=z[l])
            z[l] += b[l]
            self.sigma[l].value(z[l], out=a[l])

    def send_back(self, parameters, trace, y, errors, scale=1.0) -> None:
        """BP1 and BP2, for `scale` times the cost: fills `errors`."""
        W, sigma, L = parameters.W, self.sigma, self.L
        z, a = trace.z, trace.a
        g, delta = errors.g, errors.delta
        self.cost.output_error(sigma[L], z[L], a[L], y, scale, out=delta[L])  # BP1
        for l in range(L - 1, 0, -1):
            np.dot(W[l + 1].T, delta[l + 1], out=g[l])
            sigma[l].pull_back(z[l], a[l], g[l], out=delta[l])  # BP2

    def back_propagate(self, parameters, trace, y, errors, gradient, scale=1.0) -> None:
        """All four equations, for `scale` times the cost: fills `errors` and `gradient`."""
        self.send_back(parameters, trace, y, errors, scale)
        a, delta = trace.a, errors.delta
        for l in range(1, self.L + 1):
            np.dot(delta[l], errors.ones, out=gradient.b[l])  # BP3
            np.dot(delta[l], a[l - 1].T, out=gradient.W[l])  # BP4

    def new_trace(self, m: int, dtype) -> Trace:
        """Room for a forward pass of m examples; a[0] is still to be given."""
        layers = [np.empty((n, m), dtype) for n in self.sizes[1:]]
        return Trace([None, *layers], [None, *map(np.empty_like, layers)])

    def new_errors(self, m: int, dtype) -> Errors:
        """Room for the error signals of m examples."""
        layers = [np.empty((n, m), dtype) for n in self.sizes[1:]]
        g = [None, *map(np.empty_like, layers[:-1]), None]
        return Errors(g, [None, *layers], np.ones((m, 1), dtype))

    def check_targets(self, y, dtype) -> np.ndarray:
        """y as an (n_L, m) array of `dtype` on which this network's cost is defined."""
        y = columns("y", y, self.sizes[-1], dtype)
        self.cost.check_targets(y)
        return y

    def _check_backward(self, parameters, trace, y):
        self.check_parameters(parameters)
        if not isinstance(trace, Trace):
            raise TypeError(
                f"the second argument must be the Trace that forward returned, got "
                f"{type(trace).__name__}: network.backward(p, network.forward(p, x), y)"
            )
        shapes = [a.shape for a in trace.a]
        expected = [(n, shapes[0][1]) for n in self.sizes]
        if shapes != expected:
            raise ValueError(
                f"the trace has activations of shapes {shapes}, expected {expected}: "
                "give the trace that this network's forward returned"
            )
        if trace.a[-1].dtype != parameters.vector.dtype:
            raise ValueError(
                f"the trace is {trace.a[-1].dtype} and the parameters are "
                f"{parameters.vector.dtype}: give the trace that forward returned for them"
            )
        y = self.check_targets(y, trace.a[-1].dtype)
        same_shape("y", y, "a^L", trace.a[-1])
        return y

    def check_parameters(self, parameters: Parameters) -> None:
        """Raise TypeError or ValueError where these are not parameters of this network."""
        if not isinstance(parameters, Parameters):
            raise TypeError(
                f"parameters must be Parameters, got {type(parameters).__name__}: "
                "start from network.initial(rng=...), or Parameters.of(W, b)"
            )
        if parameters.sizes != self.sizes:
            raise ValueError(
                f"the parameters are those of sizes {list(parameters.sizes)}, "
                f"and this network has sizes {list(self.sizes)}"
            )
        numbers("the vector of parameters", parameters.vector)

    def __repr__(self) -> str:
        names = [s.name for s in self.sigma[1:]]
        return f"Network({list(self.sizes)}, {names}, {self.cost.name!r})"


def real_dtype(dtype) -> np.dtype:
    """`dtype` as float32 or float64; anything else is refused."""
    found = np.dtype(dtype)
    if found not in DTYPES[:2]:
        raise ValueError(f"dtype must be float32 or float64, got {found}")
    return found


def check_decay(decay) -> float:
    """`decay` as a float; ValueError where it is negative or no finite number."""
    return real_number(
        "decay", decay, "0 or a positive number", lambda number: 0 <= number < np.inf
    )


def _choice(name, given, table):
    if not isinstance(given, str) or given not in table:
        raise ValueError(f"{name} is {given!r}: give one of {', '.join(table)}")
    return table[given]
