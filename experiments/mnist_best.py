"""How far a plain network goes on MNIST: python -m experiments.mnist_best

One hidden layer of ReLU, softmax with cross-entropy, weight decay, momentum, and an eta that
falls. Three stages, told apart by "stage" in mnist_best.json, which chapter 20 reads:

    search    eta and decay, one seed each, judged on the 10,000 validation images
    test      the choice trained on all 60,000 images, three seeds; only here, and once for each
              seed, are the test images looked at
    fashion   the same choice, and published settings for MNIST, on Fashion-MNIST; left out, with
              a message, where Debian's package dataset-fashion-mnist is not installed

A run already in the file is not repeated, so an interrupted series goes on where it stopped.
"""

import json
import platform
from pathlib import Path

import numpy as np

from companion.data import as_split, load_mnist, read_idx
from companion.network import Network
from companion.train import classes, train

RESULTS = Path(__file__).with_suffix(".json")
FASHION = Path("/usr/share/datasets/fashion-mnist")
PLAIN = {
    "hidden": 500,
    "kind": [["relu", "softmax"], "softmax_cross_entropy"],
    "weights": "he",
    "batch": 100,
    "momentum": 0.9,
    "centred": True,
    "falling": True,
}
PUBLISHED = {  # for MNIST, by Nielsen, with scaled weights
    "hidden": 30,
    "kind": ["sigmoid", "quadratic"],
    "weights": "scaled",
    "batch": 10,
    "eta": 3.0,
    "decay": 0.0,
    "momentum": 0.0,
    "centred": None,
    "falling": False,
}
SEARCH = [  # (eta, decay)
    (0.02, 1e-4),
    (0.05, 1e-4),
    (0.05, 5e-4),
    (0.05, 1e-3),
]
SEARCH_EPOCHS, EPOCHS = 12, 25
SEEDS = (1, 2, 3)  # the search had seed 0


def falling(eta, epochs):
    """A learning rate that falls along a straight line, to eta/epochs in the last epoch."""
    return lambda epoch: eta * (1 - (epoch - 1) / epochs)


def prepared(training, others, centred):
    """The inputs less the mean image, in units of the pixels' standard deviation.

    With `centred` False the mean stays in; with None the inputs stay as they are.
    """
    if centred is None:
        return [part.x for part in (training, *others)]
    mean = training.x.mean(axis=0, dtype=np.float64) if centred else 0.0
    deviation = (training.x - mean).std(dtype=np.float64)
    return [((part.x - mean) / deviation).astype(np.float32) for part in (training, *others)]


def run(training, judge, settings, seed, epochs, last_only=False):
    """How many images of `judge` are right after each epoch; or after the last, and which are not.

    A missed image is a pair, its place and what it was called.
    """
    x, judged = prepared(training, [judge], settings["centred"])
    rng = np.random.default_rng(seed)
    network = Network([x.shape[1], settings["hidden"], 10], *settings["kind"])
    start = network.initial(rng=rng, weights=settings["weights"], dtype=np.float32)
    eta = falling(settings["eta"], epochs) if settings["falling"] else settings["eta"]
    options = {name: settings[name] for name in ("batch", "momentum", "decay")}
    options |= {"epochs": epochs, "eta": eta, "rng": rng, "measure": False}
    right = []
    for record in train(network, start, (x, training.y), **options):
        if not last_only or record.epoch == epochs:
            answers = classes(network.output(record.parameters, judged.T))
            right.append(int((answers == judge.labels).sum()))
    if not last_only:
        return {"right": right}
    missed = np.flatnonzero(answers != judge.labels).tolist()
    return {"right": right, "missed": [[i, int(answers[i])] for i in missed]}


def fashion():
    """Fashion-MNIST as MNIST comes: 60,000 training images and 10,000 test images, or None."""
    if not FASHION.is_dir():
        print(f"{FASHION} is not there: apt install dataset-fashion-mnist")
        return None
    parts = [
        [read_idx(FASHION / f"{part}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1")]
        for part in ("train", "t10k")
    ]
    return [as_split(images, labels, dtype=np.float32) for images, labels in parts]


def chosen(runs):
    """The settings of the search with most validation images right after the last epoch."""
    return max((r for r in runs if r["stage"] == "search"), key=lambda r: r["right"][-1])[
        "settings"
    ]


def save(runs):
    """Write one run on a line."""
    versions = json.dumps({"python": platform.python_version(), "numpy": np.__version__})
    lines = ",\n".join(map(json.dumps, runs))
    RESULTS.write_text(f'{{"versions": {versions}, "runs": [\n{lines}\n]}}\n', encoding="utf-8")


def main():
    runs = json.loads(RESULTS.read_text())["runs"] if RESULTS.exists() else []

    def once(stage, settings, seed, epochs, examples, judge):
        about = {"stage": stage, "settings": settings, "seed": seed, "epochs": epochs}
        if not any(about.items() <= r.items() for r in runs):
            last_only = stage in ("test", "fashion")
            runs.append(about | run(examples, judge, settings, seed, epochs, last_only))
            print(stage, settings, "seed", seed, "right:", runs[-1]["right"][-1], flush=True)
            save(runs)

    training, validation, _ = load_mnist()
    for eta, decay in SEARCH:
        settings = PLAIN | {"eta": eta, "decay": decay}
        once("search", settings, 0, SEARCH_EPOCHS, training, validation)
    choice = chosen(runs)
    everything, _, test = load_mnist(validation=0)
    for seed in SEEDS:
        once("test", choice, seed, EPOCHS, everything, test)
    clothes = fashion()
    for seed in SEEDS if clothes else ():
        once("fashion", choice, seed, SEARCH_EPOCHS, *clothes)
        once("fashion", PUBLISHED, seed, SEARCH_EPOCHS, *clothes)


if __name__ == "__main__":
    main()
