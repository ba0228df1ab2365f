"""Activations: how a neuron turns its weighted input z into its activation a.

Each knows three things: its value, its derivative as a function of z, and the product of its
transposed Jacobian with a vector, which is all that backpropagation ever asks of it.

    formula                        code                          in words
    a = sigma(z)                   sigma(z)                      the activation
    sigma'(z)                      sigma.derivative(z)           slope, neuron by neuron
    J = da/dz                      sigma.jacobian(z)             rows are gradients
    J^T g,  g = dC/da              sigma.pull_back(z, a, g)      dC/dz, for every column at once

For an activation that treats each neuron alone, J is diagonal and J^T g is sigma'(z) * g, entry
by entry. Softmax mixes the neurons of a layer; its J is full, and it needs no special case,
because `pull_back` is the product with J^T in both cases.

Columns are examples: z, a and g have shape (n, m). `value` and `pull_back` are the network's
inner loop: they check nothing and write into `out`. Calling an activation checks its input.
"""

from __future__ import annotations

import re

import numpy as np

from companion._inputs import numbers, real_number

ONE = np.ones((), np.float32)  # an array, since NumPy converts a Python 1 anew in every call


class Activation:
    """An activation function; the rules of each are in its own class below."""

    name: str

    @np.errstate(over="ignore")
    def __call__(self, z) -> np.ndarray:
        """The activation a = sigma(z), a new array of the same shape.

        Raises TypeError for what is no number and ValueError for NaN, infinity and an empty z.
        """
        z = numbers("z", z)
        if z.size == 0:
            raise ValueError(f"z has shape {z.shape}: it is empty, give at least one number")
        return self.value(z, np.empty_like(z))[()]

    def value(self, z: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """a = sigma(z), written into `out` where it is given; unchecked."""
        raise NotImplementedError

    def pull_back(self, z, a, g, out: np.ndarray | None = None) -> np.ndarray:
        """J^T g for every column: turns g = dC/da into dC/dz; unchecked.

        `z`, `a` = sigma(z) and `g` have shape (n, m); `out` must be none of them.
        """
        raise NotImplementedError

    @np.errstate(over="ignore")
    def jacobian(self, z) -> np.ndarray:
        """The Jacobian J_ij = da_i/dz_j of one column z of shape (n,), as an (n, n) array.

        Column j of J^T is J^T e_j, so the identity matrix, pulled back, is J^T.

        >>> softmax.jacobian([0.0, 0.0])
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])
        """
        z = numbers("z", z)
        if z.ndim != 1:
            raise ValueError(f"z has shape {z.shape}, expected (n,): give one column, z[:, 0]")
        z = np.tile(z[:, None], (1, z.size))
        return self.pull_back(z, self.value(z), np.eye(len(z), dtype=z.dtype)).T

    def __repr__(self) -> str:
        return self.name


class Elementwise(Activation):
    """An activation in which neuron j looks at z_j alone: J = diag(sigma'(z))."""

    def slope(self, z, a, out=None) -> np.ndarray:
        """sigma'(z); `a` = sigma(z) is handed over so that it need not be computed again."""
        raise NotImplementedError

    @np.errstate(over="ignore")
    def derivative(self, z) -> np.ndarray:
        """sigma'(z), entry by entry: a function of the weighted input z, not of a.

        >>> sigmoid.derivative([0.0, 0.0])
        array([0.25, 0.25])
        """
        z = numbers("z", z)
        return self.slope(z, self.value(z, np.empty_like(z)), np.empty_like(z))[()]

    def pull_back(self, z, a, g, out=None) -> np.ndarray:
        out = self.slope(z, a, out)
        out *= g
        return out


class Identity(Elementwise):
    """sigma(z) = z: the output of a regression, or a layer left linear."""

    name = "identity"

    def value(self, z, out=None):
        return np.positive(z, out=out)

    def slope(self, z, a, out=None):
        out = np.empty_like(z) if out is None else out
        out[...] = 1
        return out


class Sigmoid(Elementwise):
    """sigma(z) = 1 / (1 + e^-z), the logistic function; sigma' = a (1 - a) <= 1/4.

    Below z = -88.7 in float32 and z = -709.8 in float64, e^-z overflows to infinity, and
    1 / (1 + infinity) = 0 is the right value, rounded. So the public functions silence NumPy's
    warning of it, and `value` is called where it is silenced.
    """

    name = "sigmoid"

    def value(self, z, out=None):
        a = np.negative(z, out=out)
        if z.dtype.kind == "c":  # a complex step: e^(infinity + ih) would be no number
            a = np.minimum(a, np.log(np.finfo(z.dtype).max) - 1, out=out)
        a = np.exp(a, out=out)
        a = np.add(a, ONE, out=out)
        return np.reciprocal(a, out=out)

    def slope(self, z, a, out=None):
        out = np.subtract(ONE, a, out=out)
        out *= a
        return out


class Tanh(Elementwise):
    """sigma(z) = tanh z = 2 sigmoid(2z) - 1; sigma' = 1 - a^2."""

    name = "tanh"

    def value(self, z, out=None):
        return np.tanh(z, out=out)

    def slope(self, z, a, out=None):
        out = np.multiply(a, a, out=out)
        return np.subtract(ONE, out, out=out)


class ReLU(Elementwise):
    """sigma(z) = max(0, z); sigma' = 1 where z > 0, else 0, and 0 at the kink z = 0."""

    name = "relu"

    def value(self, z, out=None):
        if z.dtype.kind == "c":  # a complex step: compare the real parts alone
            return np.multiply(z, z.real > 0, out=out)
        out = np.empty_like(z) if out is None else out
        out.fill(0)  # the larger of two arrays is found three times as fast as that of z and 0
        return np.maximum(z, out, out=out)

    def slope(self, z, a, out=None):
        out = np.empty_like(z) if out is None else out
        return np.greater(z, 0, out=out, casting="unsafe")


class LeakyReLU(Elementwise):
    """sigma(z) = z where z > 0, else leak * z, with 0 < leak < 1; sigma'(0) = leak."""

    def __init__(self, leak: float = 0.01):
        kind = "a number between 0 and 1"
        self.leak = real_number("leak", leak, kind, lambda number: 0 < number < 1)
        self.name = "leaky_relu" if self.leak == 0.01 else f"leaky_relu({self.leak})"

    def value(self, z, out=None):
        if z.dtype.kind == "c":
            return np.multiply(z, np.where(z.real > 0, 1, self.leak), out=out)
        out = np.multiply(z, self.leak, out=out)
        return np.maximum(z, out, out=out)

    def slope(self, z, a, out=None):
        out = np.empty_like(z) if out is None else out
        np.greater(z, 0, out=out, casting="unsafe")
        return np.maximum(out, self.leak, out=out)


class Softplus(Elementwise):
    """sigma(z) = log(1 + e^z), a smooth ReLU; sigma' is the logistic function.

    Written as max(z, 0) + log(1 + e^-|z|), in which nothing can overflow.
    """

    name = "softplus"

    def value(self, z, out=None):
        positive = np.maximum(z, 0)
        small = np.exp(z - 2 * positive)  # e^-|z|, and analytic on both sides of 0
        return np.add(np.log1p(small), positive, out=out)

    def slope(self, z, a, out=None):
        return sigmoid.value(z, out=out)


class Softmax(Activation):
    """a_j = e^(z_j) / sum_k e^(z_k): the neurons of a layer share out the number 1.

    J = diag(a) - a a^T, so J^T g = a * (g - sum_k a_k g_k). The largest z of each column is
    subtracted first; that changes no a and keeps every exponential at most 1.
    """

    name = "softmax"

    def value(self, z, out=None):
        a = np.subtract(z, z.max(axis=0), out=out)
        a = np.exp(a, out=out)
        return np.divide(a, np.add.reduce(a, axis=0), out=out)

    def derivative(self, z):
        """There is no entrywise derivative: neuron j looks at every z_k."""
        raise TypeError(
            "softmax has no entrywise derivative, its Jacobian is full: "
            "use softmax.jacobian(z) for one column, or softmax.pull_back(z, a, g)"
        )

    def pull_back(self, z, a, g, out=None):
        out = np.subtract(g, np.add.reduce(a * g, axis=0), out=out)
        out *= a
        return out


identity = Identity()
sigmoid = Sigmoid()
tanh = Tanh()
relu = ReLU()
leaky_relu = LeakyReLU()
softplus = Softplus()
softmax = Softmax()

ACTIVATIONS = {s.name: s for s in (identity, sigmoid, tanh, relu, leaky_relu, softplus, softmax)}


def activation_named(name: str) -> Activation:
    """The activation that has this name.

    >>> activation_named("relu"), activation_named("leaky_relu(0.2)")
    (relu, leaky_relu(0.2))
    """
    if isinstance(name, str):
        if name in ACTIVATIONS:
            return ACTIVATIONS[name]
        leak = re.fullmatch(r"leaky_relu\(([0-9.e-]+)\)", name)
        if leak:
            return LeakyReLU(float(leak[1]))
    known = ", ".join(ACTIVATIONS)
    raise ValueError(f"no activation is called {name!r}: give one of {known}")
