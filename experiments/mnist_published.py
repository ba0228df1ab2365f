"""Trains on MNIST with settings that others have published: python -m experiments.mnist_published

Each setting runs with several seeds, and with two widths of the random numbers that its weights
start from. What comes out lies in mnist_published.json, which chapter 20 reads; the chapter
trains the first epoch of one run again and compares.

Sources: Nielsen, Neural Networks and Deep Learning (2015), chapter 1, for [784, 30, 10] and
[784, 100, 10]; a tutorial's program of Nielsen's kind for [784, 32, 10] with batches of 16.
"""

import json
import platform
from pathlib import Path

import numpy as np

from companion.data import load_mnist
from companion.network import Network
from companion.train import classes, train

RESULTS = Path(__file__).with_suffix(".json")
SETTINGS = [  # sizes, batch, images set aside from the 60,000
    ([784, 30, 10], 10, 10_000),
    ([784, 32, 10], 16, 0),
    ([784, 100, 10], 10, 10_000),
]
WEIGHTS = ["unit", "scaled"]  # N(0, 1) as published, and N(0, 1/n_{l-1})
SEEDS = range(10)
EPOCHS, ETA = 30, 3.0


def run(sizes, batch, aside, weights, seed, epochs=EPOCHS, cost="quadratic", eta=ETA):
    """One run: how many test images are right after each epoch, and what was answered last."""
    training, _, test = load_mnist(validation=aside)
    rng = np.random.default_rng(seed)
    network = Network(sizes, "sigmoid", cost)
    start = network.initial(rng=rng, weights=weights, biases="unit", dtype=np.float32)
    right = []
    options = {"epochs": epochs, "batch": batch, "eta": eta, "rng": rng, "measure": False}
    for record in train(network, start, training, **options):
        answers = classes(network.output(record.parameters, test.x.T))
        right.append(int((answers == test.labels).sum()))
    return {
        "sizes": sizes,
        "batch": batch,
        "training": len(training),
        "weights": weights,
        "seed": seed,
        "right": right,
        "answers": np.bincount(answers, minlength=10).tolist(),
    }


def main():
    runs = []
    for seed in SEEDS:
        for sizes, batch, aside in SETTINGS:
            for weights in WEIGHTS:
                runs.append(run(sizes, batch, aside, weights, seed))
                print(sizes, weights, "seed", seed, "right:", runs[-1]["right"][-1], flush=True)
                versions = {"python": platform.python_version(), "numpy": np.__version__}
                about = {"eta": ETA, "epochs": EPOCHS, "versions": versions}
                RESULTS.write_text(json.dumps(about | {"runs": runs}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
