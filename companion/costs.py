"""Costs: how wrong the network is on a batch, and how the cost moves with its last layer.

This is the only module that knows a 1/2 or a 1/m. A batch of m examples is an (n, m) array of
outputs a and one of targets y; C_x is the cost of one example, and C = (1/m) sum_x C_x.

    formula                                     code                         in words
    C_x = 1/2 sum_j (a_j - y_j)^2               quadratic                    for any output
    C_x = -sum_j (y_j ln a_j                    cross_entropy                n yes-or-no answers
              + (1 - y_j) ln(1 - a_j))
    C_x = -sum_j y_j ln a_j,  sum_j y_j = 1     softmax_cross_entropy        one class out of n

    C                                           cost.value(a, y)             a number
    g^L = dC/da^L                               cost.gradient(a, y)          gradient by a
    delta^L = dC/dz^L                           cost.output_error(...)       BP1

Each of the last two has a partner, the activation for which BP1 collapses to (a - y) / m:
sigmoid for `cross_entropy`, softmax for `softmax_cross_entropy`. With its partner a cost is
computed from z, where no logarithm of a rounded 0 can occur, and `Network` accepts it with no
other. With any other activation it is computed from a, and BP1 is the transposed Jacobian of
that activation times g^L, which is infinite where the network is certain and wrong.

What a alone cannot tell is lost: a = sigmoid(20) rounds to 1 in float32, and a = sigmoid(37) in
float64, so that `value(a, y)` of a certain and right answer is 0, and of a wrong one infinite.
"""

from __future__ import annotations

import numpy as np

from companion._inputs import columns, same_shape
from companion.activations import Activation, Sigmoid, Softmax, softplus

ROUNDING = 1e-6  # that shares may miss 1 by, however few there are


class Cost:
    """A cost function; the rules of each are in its own class below."""

    name: str
    partner: type[Activation] | None = None

    def value(self, a, y) -> float:
        """C = (1/m) sum_x C_x, from outputs a and targets y, both of shape (n, m).

        Below the spacing of the numbers at a = 1 nothing is seen; `Network.cost_of` knows z, and
        sees it. Raises ValueError where the shapes differ, where an entry is NaN or infinite, and
        where the cost is not defined for these outputs or targets.
        """
        a, y = self._pair(a, y)
        return _mean(self._from_a(a, y), a.shape[1])

    def gradient(self, a, y) -> np.ndarray:
        """g^L = dC/da^L, of the shape (n, m) of a; raises what `value` raises."""
        a, y = self._pair(a, y)
        return self._slope(a, y) / a.shape[1]

    def output_cost(self, sigma: Activation, z, a, y) -> float:
        """C for a last layer a = sigma(z); from z where sigma is the cost's partner."""
        per_entry = self._from_z(z, y) if type(sigma) is self.partner else self._from_a(a, y)
        return _mean(per_entry, a.shape[1])

    def output_error(self, sigma: Activation, z, a, y, scale=1.0, out=None) -> np.ndarray:
        """BP1, for `scale` times the cost: delta^L = J^T g^L, or scale (a - y) / m; unchecked.

        z, a = sigma(z) and y have shape (n, m). `scale` = eta makes everything that follows
        from delta^L the step that descent takes, with no further pass over the weights. The
        collapse is right to one rounding of 1/m: where a has become y, delta is 0.
        """
        if type(sigma) is self.partner:
            out = np.subtract(a, y, out=out)
        else:
            out = sigma.pull_back(z, a, self._slope(a, y), out=out)
        out *= scale / a.shape[1]
        return out

    def check_targets(self, y: np.ndarray) -> None:
        """Raise ValueError where this cost is not defined for targets y (n, m)."""

    def check_outputs(self, a: np.ndarray) -> None:
        """Raise ValueError where this cost is not defined for outputs a (n, m)."""

    def _pair(self, a, y):
        a, y = columns("a", a), columns("y", y)
        same_shape("y", y, "a", a)
        self.check_outputs(a)
        self.check_targets(y)
        return a, y

    # The rules: an array whose entries add up to sum_x C_x, and the gradient of that sum by a.
    def _from_a(self, a, y) -> np.ndarray:
        raise NotImplementedError

    def _from_z(self, z, y) -> np.ndarray:
        raise NotImplementedError

    def _slope(self, a, y) -> np.ndarray:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.name


class Quadratic(Cost):
    """C_x = 1/2 ||a - y||^2, so that g = a - y for one example.

    >>> quadratic.value([[1.0], [0.0]], [[0.0], [0.0]])
    0.5
    """

    name = "quadratic"

    def _from_a(self, a, y):
        return (a - y) ** 2 / 2

    def _slope(self, a, y):
        return a - y


class CrossEntropy(Cost):
    """C_x = -sum_j (y_j ln a_j + (1 - y_j) ln(1 - a_j)), for outputs and targets in [0, 1].

    From z, with a = sigmoid(z):  C_x = sum_j y_j softplus(-z_j) + (1 - y_j) softplus(z_j), a sum
    in which nothing cancels, as ln a = -softplus(-z) and ln (1 - a) = -softplus(z).

    >>> round(cross_entropy.value([[0.5]], [[1.0]]), 6)    # ln 2
    0.693147
    """

    name = "cross_entropy"
    partner: type[Activation] = Sigmoid

    def _from_a(self, a, y):
        return -_x_log(y, a) - _x_log(1 - y, 1 - a)

    def _from_z(self, z, y):
        return y * softplus.value(-z) + (1 - y) * softplus.value(z)

    def _slope(self, a, y):
        return _x_over(1 - y, 1 - a) - _x_over(y, a)

    def check_outputs(self, a):
        outside = (a.real < 0) | (a.real > 1)
        _refuse(outside, "a", a, f"{self.name} needs outputs between 0 and 1: end in a sigmoid")

    def check_targets(self, y):
        outside = (y.real < 0) | (y.real > 1)
        _refuse(outside, "y", y, f"{self.name} needs targets between 0 and 1")


class SoftmaxCrossEntropy(CrossEntropy):
    """C_x = -sum_j y_j ln a_j, for targets in [0, 1] that add up to 1 in every column.

    From z, with a = softmax(z):  C_x = ln sum_j e^(z_j) - sum_j y_j z_j. Both terms are taken
    relative to the largest z, whose own e^0 = 1 is left to log1p: so neither is negative.
    Without sum_j y_j = 1 the collapse of BP1 would read a sum_j y_j - y, not a - y.

    >>> round(softmax_cross_entropy.value([[0.5], [0.5]], [[1.0], [0.0]]), 6)
    0.693147
    """

    name = "softmax_cross_entropy"
    partner = Softmax

    def _from_a(self, a, y):
        return -_x_log(y, a)

    def _from_z(self, z, y):
        shifted = z - z.max(axis=0)
        others = np.exp(shifted)
        np.put_along_axis(others, z.argmax(axis=0)[None], 0, axis=0)
        return np.log1p(others.sum(axis=0)) - (y * shifted).sum(axis=0)

    def _slope(self, a, y):
        return -_x_over(y, a)

    def check_outputs(self, a):
        outside = (a.real < 0) | (a.real > 1)
        _refuse(outside, "a", a, f"{self.name} needs outputs between 0 and 1: end in a softmax")

    def check_targets(self, y):
        super().check_targets(y)
        total = y.real.sum(axis=0, dtype=np.float64)
        wrong = np.flatnonzero(abs(total - 1) > ROUNDING)
        if wrong.size:
            wrong = wrong[abs(total[wrong] - 1) > max(ROUNDING, len(y) * _spacing(y.real))]
        if wrong.size:
            x = int(wrong[0])
            raise ValueError(
                f"y[:, {x}] adds up to {total[x]:.6g}, {abs(total[x] - 1):.1g} away from 1, and "
                f"{self.name} needs 1 in every column: give one-hot columns or shares, "
                "y / y.sum(axis=0)"
            )


def penalty(weights, decay: float) -> float:
    """The price of large weights, decay/2 sum_l ||W^l||^2, that weight decay adds to C.

    `weights` are all the W^l, as one array (`Parameters.weights`); biases go free. Its gradient
    is decay W^l, which BP4 gets as a second term. Source: Krogh and Hertz, A simple weight decay
    can improve generalization, 1992. Nielsen's lambda/n is this decay, n his number of examples.

    >>> penalty(np.array([3.0, 4.0]), decay=0.1)
    1.25
    """
    return decay / 2 * (weights * weights).sum().item() if decay else 0.0


def _spacing(y):
    """Of the numbers at 1, in the precision that the entries of y came in."""
    return np.finfo(np.float32 if (y == y.astype(np.float32)).all() else y.dtype).eps


def _mean(per_entry, m):
    """The sum of all entries over m, as a Python number (complex in a complex step)."""
    return (per_entry.sum() / m).item()


def _x_log(x, a):
    """x ln a with 0 ln 0 = 0, the limit; infinite where x > 0 = a."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(x == 0, 0, x * np.log(np.where(x == 0, 1, a)))


def _x_over(x, a):
    """x / a with 0 / 0 = 0: a target of 0 asks nothing; infinite where x > 0 = a."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(x == 0, 0, x / np.where(x == 0, 1, a))


def _refuse(wrong, name, array, rule):
    if wrong.any():
        i, x = (int(k) for k in np.argwhere(wrong)[0])
        shown = f"{array[i, x]:.6g}"
        shown = str(array[i, x]) if shown == "1" else shown  # 1.0000000000000002 is not 1
        raise ValueError(f"{name}[{i}, {x}] is {shown}: {rule}")


quadratic = Quadratic()
cross_entropy = CrossEntropy()
softmax_cross_entropy = SoftmaxCrossEntropy()

COSTS = {c.name: c for c in (quadratic, cross_entropy, softmax_cross_entropy)}


def cost_named(name: str) -> Cost:
    """The cost that has this name.

    >>> cost_named("quadratic")
    quadratic
    """
    if isinstance(name, str) and name in COSTS:
        return COSTS[name]
    raise ValueError(f"no cost is called {name!r}: give one of {', '.join(COSTS)}")
