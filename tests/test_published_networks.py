"""Networks that others published with their numbers, computed again with BP1 to BP4."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from companion.costs import Cost
from companion.network import Network, Parameters

PUBLISHED = json.loads((Path(__file__).parents[1] / "book/published.json").read_text())
MAZUR = PUBLISHED["mazur"]["full"]
DIGITS = PUBLISHED["mazur"]["published"]


def mazur():
    """The network, its parameters, the input and the target."""
    parameters = Parameters.of(
        W=[[[0.15, 0.2], [0.25, 0.3]], [[0.4, 0.45], [0.5, 0.55]]],
        b=[[[0.35], [0.35]], [[0.6], [0.6]]],
    )
    return Network([2, 2, 2]), parameters, [[0.05], [0.1]], [[0.01], [0.99]]


def mazur_numbers():
    """Every number of the worked example, by the names in the file."""
    network, p, x, y = mazur()
    trace = network.forward(p, x)
    errors, gradient = network.errors(p, trace, y), network.backward(p, trace, y)
    step = p.copy()
    for l in (1, 2):  # its biases stay as they are
        step.W[l] -= 0.5 * gradient.W[l]
    after = network.forward(step, x)
    return {
        "net_h": trace.z[1],
        "out_h": trace.a[1],
        "net_o": trace.z[2],
        "out_o": trace.a[2],
        "E": (trace.a[2] - y) ** 2 / 2,
        "E_total": network.cost_at(trace, y),
        "delta_o": errors.delta[2],
        "dW2": gradient.W[2],
        "db2": gradient.b[2],
        "dE_dout_h": errors.g[1],
        "delta_h": errors.delta[1],
        "dW1": gradient.W[1],
        "db1": gradient.b[1],
        "W1_new": step.W[1],
        "W2_new": step.W[2],
        "out_after_1": after.a[2],
        "E_after_1": network.cost_at(after, y),
        "E_after_1_if_biases_updated_too": network.cost_of(p - 0.5 * gradient, x, y),
    }


@pytest.mark.parametrize("name", mazur_numbers())
def test_a_number_of_mazur(name):
    got, expected = np.ravel(mazur_numbers()[name]), np.ravel(MAZUR[name])
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def places(number):
    """Half a unit of the last digit that was printed."""
    digits = f"{number:.12f}".rstrip("0")
    return 0.5 * 10.0 ** -len(digits.split(".")[1])


def test_the_digits_that_mazur_printed():
    network, p, x, y = mazur()
    got = {name: np.ravel(value) for name, value in mazur_numbers().items()}
    sigma_prime = [
        np.ravel(network.sigma[l].derivative(network.forward(p, x).z[l])) for l in (1, 2)
    ]
    found = {
        "net_h1": got["net_h"][0],
        "out_h1": got["out_h"][0],
        "out_h2": got["out_h"][1],
        "net_o1": got["net_o"][0],
        "out_o1": got["out_o"][0],
        "out_o2": got["out_o"][1],
        "E_o1": got["E"][0],
        "E_o2": got["E"][1],
        "E_total": got["E_total"][0],
        "dE_dout_o1": got["out_o"][0] - 0.01,
        "dout_dnet_o1": sigma_prime[1][0],
        "dE_dw5": got["dW2"][0],
        "delta_o1": got["delta_o"][0],
        "dEo1_douth1": got["delta_o"][0] * 0.4,
        "dEo2_douth1": got["delta_o"][1] * 0.5,
        "dE_douth1": got["dE_dout_h"][0],
        "douth1_dneth1": sigma_prime[0][0],
        "dE_dw1": got["dW1"][0],
    }
    found |= {f"w{i}+": w for i, w in enumerate([*got["W1_new"], *got["W2_new"]], 1)}
    assert found.keys() == DIGITS.keys()
    off = [n for n, digits in DIGITS.items() if abs(found[n] - digits) > places(digits) * 1.001]
    assert off == ["dEo2_douth1"]  # -0.019049118258, printed as -0.019049119
    assert abs(found[off[0]] - DIGITS[off[0]]) < 2 * places(DIGITS[off[0]])


def test_mazur_goes_wrong_if_the_weights_move_before_the_hidden_error_is_computed():
    network, p, x, y = mazur()
    trace = network.forward(p, x)
    moved = p.copy()
    moved.W[2] -= 0.5 * network.backward(p, trace, y).W[2]
    wrong = network.backward(moved, trace, y).W[1]
    np.testing.assert_allclose(wrong, MAZUR["wrong_order_dW1_if_W2_updated_first"], rtol=1e-8)
    assert wrong[0, 0] < 0.84 * MAZUR["dW1"][0][0]


def test_mazur_after_ten_thousand_updates():
    network, p, x, y = mazur()
    for update in range(10_000):
        if update == 9_999:
            assert network.cost_of(p, x, y) == pytest.approx(MAZUR["E_after_9999"], rel=1e-7)
        gradient = network.backward(p, network.forward(p, x), y)
        for l in (1, 2):
            p.W[l] -= 0.5 * gradient.W[l]
    assert network.cost_of(p, x, y) == pytest.approx(MAZUR["E_after_10000"], rel=1e-7)


class Hinge(Cost):
    """C_x = max(0, 1 - y a), for targets of -1 and 1."""

    name = "hinge"

    def _from_a(self, a, y):
        return np.maximum(0, 1 - y * a)

    def _slope(self, a, y):
        return np.where(1 - y * a > 0, -y, 0.0)


def two_moons():
    """100 points, examples in columns, and targets of -1 and 1."""
    rng = np.random.RandomState(1337)  # what the published run drew from
    t = np.linspace(0, np.pi, 50)
    outer = np.column_stack([np.cos(t), np.sin(t)])
    inner = np.column_stack([1 - np.cos(t), 1 - np.sin(t) - 0.5])
    order = np.arange(100)
    rng.shuffle(order)
    x = np.vstack([outer, inner])[order] + rng.normal(scale=0.1, size=(100, 2))
    return x.T, 2 * np.repeat([0, 1], 50)[order][None] - 1


def train_on_moons(penalty_slope=2e-4):
    """The losses and the accuracies in percent that the published run printed."""
    draw = random.Random(1337)
    shapes = [(16, 2), (16, 16), (1, 16)]
    W = [[[draw.uniform(-1, 1) for _ in range(n)] for _ in range(m)] for m, n in shapes]
    p = Parameters.of(W, [np.zeros((m, 1)) for m, _ in shapes])
    network = Network([2, 16, 16, 1], ["relu", "relu", "identity"], Hinge())
    x, y = two_moons()
    losses, accuracies = [], []
    for k in range(100):
        trace = network.forward(p, x)
        losses.append(network.cost_at(trace, y) + 1e-4 * (p.vector**2).sum())
        accuracies.append(100 * np.mean((trace.a[3] > 0) == (y > 0)))
        p = p - (1 - 0.9 * k / 100) * (network.backward(p, trace, y) + penalty_slope * p)
    return losses, accuracies


def test_a_hundred_published_losses():
    losses, accuracies = train_on_moons()
    published = PUBLISHED["micrograd_demo"]
    np.testing.assert_allclose(losses, published["losses"], rtol=1e-12)
    np.testing.assert_allclose(accuracies, published["accuracy_percent"], rtol=0, atol=1e-9)


def test_the_hundred_losses_notice_a_forgotten_factor():
    losses, _ = train_on_moons(penalty_slope=1e-4)
    assert np.abs(np.array(losses) / PUBLISHED["micrograd_demo"]["losses"] - 1).max() > 0.01
