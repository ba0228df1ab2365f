"""What is timed: three networks on MNIST, or on random arrays of its shape where it is absent.

Every competitor trains the same network, by plain gradient descent in float32, on the same data,
with the same batch and learning rate, in a new random order every epoch. One exception:
scikit-learn knows no quadratic cost for classes, and trains `small` with softmax cross-entropy.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Workload:
    """One network and how it is trained; `hidden` and `output` are names of activations."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    hidden: str
    output: str
    cost: str
    eta: float

    @property
    def activations(self) -> list[str]:
        """One for each layer with weights."""
        return [self.hidden] * (len(self.sizes) - 2) + [self.output]

    @property
    def multiplications(self) -> int:
        """In the matrix products of one step: forward, gradient, and errors sent back."""
        products = [n * below for below, n in zip(self.sizes, self.sizes[1:], strict=False)]
        return self.batch * (2 * sum(products) + sum(products[1:]))


WORKLOADS = {
    w.name: w
    for w in (
        Workload("small", (784, 32, 10), 16, "sigmoid", "sigmoid", "quadratic", 3.0),
        Workload("mid", (784, 100, 10), 32, "sigmoid", "softmax", "softmax_cross_entropy", 0.5),
        Workload(
            "large", (784, 512, 512, 10), 128, "relu", "softmax", "softmax_cross_entropy", 0.1
        ),
    )
}
EXAMPLES = 60_000


def data() -> tuple[np.ndarray, np.ndarray, str]:
    """x (60000, 784) and one-hot y (60000, 10), float32, and where they come from."""
    from companion.data import DataError, load_mnist

    try:
        training, _, _ = load_mnist(validation=0, download=False)
        return training.x, training.y, "MNIST"
    except DataError:
        rng = np.random.default_rng(0)
        x = rng.random((EXAMPLES, 784), dtype=np.float32)
        return x, np.eye(10, dtype=np.float32)[rng.integers(0, 10, EXAMPLES)], "random arrays"
