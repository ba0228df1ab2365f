"""How fast layers learn, and which networks learn at all: python -m experiments.predict_learning

Over 200 seeds, and 200 fresh ones, the lengths of the errors in untrained networks on the first
1,000 images of MNIST, as Nielsen measures them (Neural Networks and Deep Learning, 2015, chapter
5). Over 20 seeds, and 20 fresh ones, networks with five hidden layers that read scikit-learn's
digits, and ReLUs that die. What comes out lies in predict_learning.json, which chapter 21 reads;
it runs the beginning again and compares. `--mnist` measures the errors alone, and keeps the rest.
"""

import json
import platform
import sys
from pathlib import Path

import numpy as np

from companion.data import load_digits, load_mnist
from companion.network import Network
from companion.train import train

RESULTS = Path(__file__).with_suffix(".json")
HIDDEN = (2, 3, 4)  # layers of 30 neurons in Nielsen's networks
SEEDS, FEW = 200, 20  # as many again are fresh: numbered from there on
EPOCHS = 10
DEEP = {  # name: (activation, how its weights start, eta)
    "sigmoid": ("sigmoid", "scaled", 0.8),
    "sigmoid, corrected": ("sigmoid", "corrected", 0.8),
    "tanh": ("tanh", "scaled", 0.05),
    "ReLU": ("relu", "he", 0.05),
    "sigmoid, eta 0.05": ("sigmoid", "scaled", 0.05),
    "sigmoid, eta 3.2": ("sigmoid", "scaled", 3.2),
}
DYING = ["relu", "leaky_relu", "tanh"]
RATES = [0.1, 0.5, 1.0]


def speeds(hidden, x, y, seed):
    """||mean of delta^l|| over the examples, for every hidden layer l of Nielsen's network."""
    network = Network([len(x), *[30] * hidden, 10], "sigmoid", "cross_entropy")
    start = network.initial(rng=np.random.default_rng(seed), biases="unit")
    delta = network.errors(start, network.forward(start, x), y).delta  # 1/m is in delta
    return [float(np.linalg.norm(delta[l].sum(axis=1))) for l in range(1, network.L)]


def deep(name, rng):
    """A network of five hidden layers for 64 pixels, its start, and its learning rate."""
    sigma, weights, eta = DEEP[name]
    activations = [*[sigma] * 5, "softmax"]
    network = Network([64, *[30] * 5, 10], activations, "softmax_cross_entropy")
    if weights != "corrected":
        return network, network.initial(rng=rng, weights=weights), eta
    start = network.initial(rng=rng)
    for l in range(1, network.L):
        start.W[l] *= 4
        if l > 1:  # sigma is 1/2 on average, and the bias takes that away
            start.b[l] = -start.W[l].sum(axis=1, keepdims=True) / 2
    return network, start, eta


def learn(name, seed, epochs=EPOCHS):
    """How many of 360 validation images are right after each epoch."""
    rng = np.random.default_rng(seed)
    training, validation = load_digits(rng=rng)
    network, start, eta = deep(name, rng)
    run = train(network, start, training, epochs=epochs, batch=10, eta=eta, rng=rng,
                validation=validation)  # fmt: skip
    return [round(record.accuracy * len(validation)) for record in run]


def dying(sigma, eta, seed, epochs=EPOCHS):
    """Of 30 hidden neurons, those silent on every training image after each epoch; the right."""
    rng = np.random.default_rng(seed)
    training, validation = load_digits(rng=rng)
    network = Network([64, 30, 10], [sigma, "softmax"], "softmax_cross_entropy")
    weights = "scaled" if sigma == "tanh" else "he"
    start = network.initial(rng=rng, weights=weights)
    silent, right = [], []
    for record in train(network, start, training, epochs=epochs, batch=10, eta=eta, rng=rng,
                        validation=validation):  # fmt: skip
        trace = network.forward(record.parameters, training.x.T)
        slope = network.sigma[1].derivative(trace.z[1])
        silent.append(int((slope.max(axis=1) == 0).sum()))
        right.append(round(record.accuracy * len(validation)))
    return {"silent": silent, "right": right}


def measured_speeds(folder=None):
    training, _, _ = load_mnist(folder)
    x, y = training.x[:1000].T.copy(), training.y[:1000].T.copy()
    return {
        str(hidden): [np.round(speeds(hidden, x, y, s), 6).tolist() for s in range(2 * SEEDS)]
        for hidden in HIDDEN
    }


def main(arguments):
    about = {"versions": {"python": platform.python_version(), "numpy": np.__version__}}
    if "--mnist" in arguments:
        about = json.loads(RESULTS.read_text(encoding="utf-8"))
    else:
        about["learn"] = {name: [learn(name, s) for s in range(2 * FEW)] for name in DEEP}
        about["dying"] = {
            f"{sigma} {eta}": [dying(sigma, eta, seed) for seed in range(2 * FEW)]
            for sigma in DYING
            for eta in RATES
        }
    about["speeds"] = measured_speeds()
    RESULTS.write_text(json.dumps(about) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
