"""How far a plain network goes on MNIST: python -m experiments.mnist_best

One hidden layer of ReLU, softmax with cross-entropy, weight decay, momentum, and an eta that
falls. Four stages, told apart by "stage" in mnist_best.json, which chapter 20 reads:

    search    eta and decay, one seed each, judged on the 10,000 validation images
    without   the choice with one part left out, three seeds, the same judge
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
PLAIN = {"hidden": 500, "batch": 100, "momentum": 0.9, "centred": True, "falling": True}
SEARCH = [{"eta": eta, "decay": decay} for decay in (1e-4, 3e-4, 1e-3) for eta in (0.02, 0.05)]
SEARCH_EPOCHS, EPOCHS = 12, 25
SEEDS = (1, 2, 3)  # the search had seed 0


def without(choice):
    """The choice with one part left out; without momentum, steps 1/(1 - mu) times as long."""
    return [
        choice | {"decay": 0.0},
        choice | {"momentum": 0.0, "eta": choice["eta"] / (1 - choice["momentum"])},
        choice | {"falling": False},
        choice | {"centred": False},
        choice,
    ]


def falling(eta, epochs):
    """A learning rate that falls along a straight line, to eta/epochs in the last epoch."""
    return lambda epoch: eta * (1 - (epoch - 1) / epochs)


def prepared(training, others, centred):
    """The inputs less the mean image (if centred), in units of the pixels' standard deviation."""
    mean = training.x.mean(axis=0, dtype=np.float64) if centred else 0.0
    deviation = (training.x - mean).std(dtype=np.float64)
    return [((part.x - mean) / deviation).astype(np.float32) for part in (training, *others)]


def run(training, judge, settings, seed, epochs, every_epoch=True):
    """How many images of `judge` are right after each epoch (or the last), and which are missed."""
    x, judged = prepared(training, [judge], settings["centred"])
    rng = np.random.default_rng(seed)
    sizes = [x.shape[1], settings["hidden"], 10]
    network = Network(sizes, ["relu", "softmax"], "softmax_cross_entropy")
    start = network.initial(rng=rng, weights="he", dtype=np.float32)
    eta = falling(settings["eta"], epochs) if settings["falling"] else settings["eta"]
    options = {name: settings[name] for name in ("batch", "momentum", "decay")}
    right = []
    for record in train(
        network, start, (x, training.y), epochs=epochs, eta=eta, rng=rng, measure=False, **options
    ):
        if every_epoch or record.epoch == epochs:
            answers = classes(network.output(record.parameters, judged.T))
            right.append(int((answers == judge.labels).sum()))
    missed = np.flatnonzero(answers != judge.labels)
    return {
        "right": right,
        "missed": [[int(i), int(answers[i])] for i in missed] if not every_epoch else [],
    }


def published(training, judge, seed, epochs=30):
    """Nielsen's [784, 30, 10] with scaled weights, as in mnist_published, on other images."""
    rng = np.random.default_rng(seed)
    network = Network([784, 30, 10], "sigmoid", "quadratic")
    start = network.initial(rng=rng, weights="scaled", biases="unit", dtype=np.float32)
    *_, last = train(
        network, start, training, epochs=epochs, batch=10, eta=3.0, rng=rng, measure=False
    )
    answers = classes(network.output(last.parameters, judge.x.T))
    return {"right": [int((answers == judge.labels).sum())], "missed": []}


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


def main():
    runs = json.loads(RESULTS.read_text())["runs"] if RESULTS.exists() else []

    def once(stage, settings, seed, epochs, work):
        about = {"stage": stage, "settings": settings, "seed": seed, "epochs": epochs}
        if not any(about.items() <= r.items() for r in runs):
            runs.append(about | work())
            versions = {"python": platform.python_version(), "numpy": np.__version__}
            text = ",\n".join(json.dumps(r) for r in runs)
            RESULTS.write_text(
                f'{{"versions": {json.dumps(versions)}, "runs": [\n{text}\n]}}\n', encoding="utf-8"
            )
            print(stage, settings, "seed", seed, "right:", runs[-1]["right"][-1], flush=True)

    training, validation, _ = load_mnist()
    for settings in (PLAIN | s for s in SEARCH):
        once(
            "search",
            settings,
            0,
            SEARCH_EPOCHS,
            lambda s=settings: run(training, validation, s, 0, SEARCH_EPOCHS),
        )
    choice = chosen(runs)
    everything, _, test = load_mnist(validation=0)
    for seed in SEEDS:
        once(
            "test",
            choice,
            seed,
            EPOCHS,
            lambda k=seed: run(everything, test, choice, k, EPOCHS, every_epoch=False),
        )
    for seed in SEEDS:
        for settings in without(choice):
            once(
                "without",
                settings,
                seed,
                SEARCH_EPOCHS,
                lambda k=seed, s=settings: run(training, validation, s, k, SEARCH_EPOCHS),
            )
    clothes = fashion()
    if clothes:
        for seed in SEEDS:
            once(
                "fashion",
                choice,
                seed,
                SEARCH_EPOCHS,
                lambda k=seed: run(*clothes, choice, k, SEARCH_EPOCHS, every_epoch=False),
            )
            once(
                "fashion",
                {"hidden": 30, "published": True},
                seed,
                30,
                lambda k=seed: published(*clothes, k),
            )


if __name__ == "__main__":
    main()
