"""What chapter 21 reads from predict_learning.json, against MNIST and what was published.

Bands for 200 networks are those that an independent program measured with other seeds.
"""

import json

import numpy as np
import pytest

from companion.data import DataError, load_mnist
from experiments import predict_learning
from experiments.predict_learning import RESULTS, SEEDS, deep, dying, learn, speeds

KEPT = json.loads(RESULTS.read_text(encoding="utf-8"))
BANDS = {  # hidden layers: median, 5 %, 95 % of ||mean of delta^l||; M. Nielsen, chapter 5
    2: ([0.0592, 0.2922], [0.038, 0.2014], [0.0849, 0.3807]),
    3: ([0.0118, 0.0568, 0.2828], [0.0071, 0.0359, 0.2013], [0.0182, 0.0869, 0.3928]),
    4: (
        [0.0024, 0.0121, 0.0589, 0.2884],
        [0.0012, 0.0067, 0.0373, 0.1982],
        [0.0043, 0.0198, 0.0911, 0.4249],
    ),
}


def disagree(hidden, kept):
    """The largest factor by which percentiles of `kept` (seeds, layers) miss the bands."""
    found = np.percentile(kept, [50, 5, 95], axis=0)
    return np.exp(np.abs(np.log(found / BANDS[hidden])).max())


@pytest.mark.parametrize("part", [slice(0, SEEDS), slice(SEEDS, None)], ids=["seeds", "fresh"])
@pytest.mark.parametrize("hidden", BANDS)
def test_speeds_lie_in_the_bands_of_another_program(hidden, part):
    assert disagree(hidden, np.array(KEPT["speeds"][str(hidden)][part])) < 1.25


def test_other_speeds_are_noticed():
    kept = np.array(KEPT["speeds"]["3"])
    assert disagree(3, 1.5 * kept) > 1.25
    assert disagree(3, kept[:, ::-1]) > 1.25
    assert disagree(3, kept[:5].repeat(40, axis=0)) > 1.25  # five networks for two hundred


def test_the_speeds_of_mnist_are_measured_again():
    try:
        training, _, _ = load_mnist()
    except DataError as error:
        pytest.skip(f"needs MNIST: {error}")
    x, y = training.x[:1000].T, training.y[:1000].T
    for hidden in BANDS:
        for seed in (0, SEEDS):
            again = speeds(hidden, x, y, seed)
            assert np.allclose(again, KEPT["speeds"][str(hidden)][seed], atol=1e-6)
            assert not np.allclose(speeds(hidden, x, y, seed + 1), again, rtol=0.01)


def test_training_begins_again_as_it_did():
    for name in KEPT["learn"]:
        assert abs(learn(name, 0, epochs=1)[0] - KEPT["learn"][name][0][0]) <= 3
    again = dying("relu", 1.0, 0, epochs=1)
    assert abs(again["silent"][0] - KEPT["dying"]["relu 1.0"][0]["silent"][0]) <= 1


def test_the_corrected_start_centres_every_hidden_layer():
    rng = np.random.default_rng(0)
    network, start, _ = deep("sigmoid, corrected", rng)
    for l in range(2, network.L):
        z = start.W[l] @ np.full((30, 1), 0.5) + start.b[l]
        assert np.abs(z).max() < 1e-12
        assert start.W[l].std() == pytest.approx(4 / np.sqrt(30), rel=0.1)


def test_the_script_writes_what_it_measures(tmp_path, monkeypatch):
    monkeypatch.setattr(predict_learning, "RESULTS", tmp_path / "kept.json")
    monkeypatch.setattr(predict_learning, "measured_speeds", lambda: {"2": [[0.1, 0.2]]})
    monkeypatch.setattr(predict_learning, "learn", lambda name, seed: [seed])
    monkeypatch.setattr(predict_learning, "dying", lambda sigma, eta, seed: {"silent": [seed]})
    predict_learning.main([])
    whole = json.loads(predict_learning.RESULTS.read_text())
    assert len(whole["learn"]["tanh"]) == len(whole["dying"]["relu 0.5"]) == 40
    monkeypatch.setattr(predict_learning, "measured_speeds", lambda: {"2": [[0.3, 0.4]]})
    predict_learning.main(["--mnist"])
    again = json.loads(predict_learning.RESULTS.read_text())
    assert again == {**whole, "speeds": {"2": [[0.3, 0.4]]}}
