"""How well does a network read MNIST's test images after one second of training?

    python -m benchmarks.one_second

Counted are the seconds inside the steps of `train`; the test images are looked at once, at the end.
"""

from statistics import median

import numpy as np


def accuracy(seed: int, limit: float = 1.0) -> tuple[float, float, int]:
    """Share of test images read correctly, seconds of training (< limit), and epochs."""
    from companion.data import load_mnist
    from companion.network import Network
    from companion.train import evaluate, train

    training, _, test = load_mnist(validation=0, download=False)
    network = Network([784, 100, 10], ["relu", "softmax"], "softmax_cross_entropy")
    rng = np.random.default_rng(seed)
    start = network.initial(rng=rng, weights="he", dtype=np.float32)
    run = train(network, start, training, epochs=100, batch=32, eta=0.15, rng=rng, measure=False)
    spent, last = 0.0, None
    for record in run:
        if spent + record.seconds >= limit:
            break
        spent, last = spent + record.seconds, record
    if last is None:
        raise RuntimeError(f"one epoch took {record.seconds:.2f} s, longer than the limit")
    return evaluate(network, last.parameters, test).accuracy, spent, last.epoch


def report(seeds=range(3)) -> str:
    from companion.data import DataError

    try:
        results = [accuracy(seed) for seed in seeds]
    except DataError as error:
        return f"\nNo MNIST, so nothing was read in a second: {error}\n"
    found = ", ".join(f"{a:.2%} after {s:.2f} s ({n} epochs)" for a, s, n in results)
    middle = median(a for a, _, _ in results)
    return f"\nMNIST test images after less than one second: {found}; median {middle:.2%}\n"


if __name__ == "__main__":
    print(report())
