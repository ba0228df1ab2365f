"""The four equations against loops over single neurons, differences, and the complex step."""

import copy
import pickle
from itertools import product

import numpy as np
import pytest

from companion.activations import ACTIVATIONS, sigmoid
from companion.check import GradientError, check_gradient, relative_error
from companion.costs import COSTS, Quadratic
from companion.network import Network, Parameters

PAIRS = [  # (cost, last activation): every pair that Network accepts
    (cost, last)
    for cost, last in product(COSTS, ACTIVATIONS)
    if COSTS[cost].partner in (None, type(ACTIVATIONS[last]))
]


def random_case(seed, cost, last):
    """A network of 1-5 weight layers with unequal widths, parameters, x and y."""
    rng = np.random.default_rng(seed)
    L = 1 + seed % 5
    sizes = rng.permutation([2, 3, 4, 5, 6, 7])[: L + 1].tolist()
    net = Network(sizes, [*rng.choice(list(ACTIVATIONS), L - 1), last], cost)
    m = int(rng.integers(1, 5))
    while True:
        p = net.initial(rng=rng, biases="unit")
        x, y = rng.normal(size=(sizes[0], m)), rng.dirichlet(np.ones(sizes[-1]), size=m).T
        z = np.concatenate([z.ravel() for z in net.forward(p, x).z[1:]])
        if np.abs(z).min() > 1e-4:  # differences across the corner of a ReLU judge nothing
            return net, p, x, y


def cost_by_name(net, x, y):
    return lambda arrays: net.cost_of(Parameters.from_named(arrays), x, y)


@pytest.mark.parametrize("method", ["central difference", "complex step"])
@pytest.mark.parametrize("cost, last", PAIRS)
def test_two_hundred_random_networks(cost, last, method):
    entries = 0
    for seed in range(25):  # times 9 pairs: 225 networks
        net, p, x, y = random_case(seed, cost, last)
        gradient = net.backward(p, net.forward(p, x), y)
        report = check_gradient(cost_by_name(net, x, y), p.named(), gradient.named(), method=method)
        entries += report.entries
    assert entries > 500


def test_one_neuron_at_a_time():
    """BP1-BP4 as double loops over j and k, one example at a time."""
    rng = np.random.default_rng(5)
    net = Network([3, 4, 5, 2], "sigmoid", "quadratic")
    p = net.initial(rng=rng, biases="unit")
    x, y = rng.normal(size=(3, 6)), rng.random((2, 6))
    dW = [None] + [np.zeros_like(W) for W in p.W[1:]]
    db = [None] + [np.zeros_like(b) for b in p.b[1:]]
    for e in range(6):
        a, slope = [x[:, e]], [None]
        for l in (1, 2, 3):
            z = [sum(p.W[l][j, k] * a[l - 1][k] for k in range(len(a[l - 1]))) + p.b[l][j, 0]
                 for j in range(len(p.W[l]))]  # fmt: skip
            a.append([1 / (1 + np.exp(-z_j)) for z_j in z])
            slope.append([a_j * (1 - a_j) for a_j in a[l]])
        delta = [None, None, None, [(a[3][j] - y[j, e]) * slope[3][j] for j in range(2)]]
        for l in (2, 1):
            delta[l] = [
                sum(p.W[l + 1][i, j] * delta[l + 1][i] for i in range(len(delta[l + 1])))
                * slope[l][j]
                for j in range(len(a[l]))
            ]
        for l in (1, 2, 3):
            for j in range(len(a[l])):
                db[l][j, 0] += delta[l][j] / 6
                for k in range(len(a[l - 1])):
                    dW[l][j, k] += delta[l][j] * a[l - 1][k] / 6
    gradient = net.backward(p, net.forward(p, x), y)
    assert relative_error(gradient.vector, Parameters.of(dW[1:], db[1:]).vector) < 1e-14


class LostTranspose(Network):
    def send_back(self, parameters, trace, y, errors, scale=1.0):
        turned = Parameters(parameters.sizes, parameters.vector)
        turned.W = [None] + [W.T for W in parameters.W[1:]]
        super().send_back(turned, trace, y, errors, scale)


class SlopeOfTheOutput(Network):
    def send_back(self, parameters, trace, y, errors, scale=1.0):
        a = trace.a
        slopes_at_a = [a[0]] + [s.value(v) if s else v for s, v in zip(self.sigma[1:], a[1:])]
        super().send_back(parameters, trace._replace(a=slopes_at_a), y, errors, scale)


class AveragedBias(Network):
    def back_propagate(self, parameters, trace, y, errors, gradient, scale=1.0):
        super().back_propagate(parameters, trace, y, errors, gradient, scale)
        for b in gradient.b[1:]:
            b /= y.shape[1]


class LostHalf(Quadratic):
    def _slope(self, a, y):
        return 2 * (a - y)


@pytest.mark.parametrize(
    "fault, cost",
    [(LostTranspose, "quadratic"), (SlopeOfTheOutput, "quadratic"), (AveragedBias, "quadratic"),
     (Network, LostHalf())],
    ids=["lost transpose", "slope of the output", "averaged bias gradient", "lost half"],
)  # fmt: skip
def test_a_wrong_backward_pass_is_caught(fault, cost):
    rng = np.random.default_rng(3)  # square weights, so that no shape gives the fault away
    net = fault([3, 3, 3], "sigmoid", cost)
    p, x, y = net.initial(rng=rng, biases="unit"), rng.normal(size=(3, 4)), rng.random((3, 4))
    gradient = net.backward(p, net.forward(p, x), y)
    for method in ("central difference", "complex step"):
        with pytest.raises(GradientError):
            check_gradient(cost_by_name(net, x, y), p.named(), gradient.named(), method=method)


def test_a_batch_is_the_mean_of_its_examples():
    net, p, x, y = random_case(4, "softmax_cross_entropy", "softmax")
    x, y = np.tile(x, (1, 3)) + np.arange(3 * x.shape[1]), np.tile(y, (1, 3))
    whole = net.backward(p, net.forward(p, x), y)
    columns = [slice(i, i + 1) for i in range(x.shape[1])]
    alone = [net.backward(p, net.forward(p, x[:, i]), y[:, i]).vector for i in columns]
    assert relative_error(whole.vector, np.mean(alone, axis=0)) < 1e-13
    costs = [net.cost_of(p, x[:, i], y[:, i]) for i in columns]
    assert net.cost_of(p, x, y) == pytest.approx(np.mean(costs), rel=1e-14)


def test_errors_are_the_two_signals():
    net, p, x, y = random_case(2, "quadratic", "softmax")
    trace = net.forward(p, x)
    errors = net.errors(p, trace, y)
    g, delta = errors.g, errors.delta
    gradient = net.backward(p, trace, y)
    assert delta[0] is g[net.L] is trace.z[0] is p.W[0] is None
    np.testing.assert_array_equal(g[0], p.W[1].T @ delta[1])
    for l in range(1, net.L + 1):
        np.testing.assert_allclose(delta[l].sum(axis=1, keepdims=True), gradient.b[l])
        if l < net.L:
            np.testing.assert_array_equal(g[l], p.W[l + 1].T @ delta[l + 1])
            np.testing.assert_allclose(
                delta[l], net.sigma[l].pull_back(trace.z[l], trace.a[l], g[l])
            )


def test_the_slope_by_the_input():
    net, p, x, y = random_case(3, "softmax_cross_entropy", "softmax")
    slope = net.errors(p, net.forward(p, x), y).g[0]
    check_gradient(lambda x: net.cost_of(p, x, y), x, slope)
    with pytest.raises(GradientError):
        check_gradient(lambda x: net.cost_of(p, x, y), x, 2 * slope)


@pytest.mark.parametrize("method", ["central difference", "complex step"])
def test_the_penalty_has_its_term_in_BP4(method):
    net, p, x, y = random_case(4, "cross_entropy", "sigmoid")
    trace = net.forward(p, x)

    def cost(arrays):
        return net.cost_of(Parameters.from_named(arrays), x, y, decay=0.3)

    gradient = net.backward(p, trace, y, decay=0.3)
    check_gradient(cost, p.named(), gradient.named(), method=method)
    for l in range(1, net.L + 1):
        plain = net.backward(p, trace, y)
        np.testing.assert_allclose(gradient.W[l], plain.W[l] + 0.3 * p.W[l], rtol=1e-14)
        np.testing.assert_array_equal(gradient.b[l], plain.b[l])
    for wrong in (plain, plain + 0.6 * p, plain + 0.3 * p):  # none, a lost half, biases too
        with pytest.raises(GradientError):
            check_gradient(cost, p.named(), wrong.named(), method=method)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda x: x[::2]])
def test_the_callers_array_may_be_used_again(layout):
    net = Network([4, 3], "tanh", "quadratic")
    rng = np.random.default_rng(6)
    p, x, y = net.initial(rng=rng), layout(rng.normal(size=(8, 5))), rng.random((3, 5))[:, :5]
    x = x[:4]
    trace = net.forward(p, x)
    right = net.backward(p, trace, y).vector
    x *= 0
    np.testing.assert_array_equal(net.backward(p, trace, y).vector, right)
    assert abs(right[:12]).min() > 0


def test_softmax_in_a_hidden_layer_needs_no_special_case():
    rng = np.random.default_rng(8)
    net = Network([4, 3, 5, 2], ["softmax", "tanh", "softmax"], "quadratic")
    p, x, y = net.initial(rng=rng), rng.normal(size=(4, 3)), rng.random((2, 3))
    gradient = net.backward(p, net.forward(p, x), y)
    check_gradient(cost_by_name(net, x, y), p.named(), gradient.named(), method="complex step")


def test_float32_is_float64_rounded():
    net, p, x, y = random_case(3, "cross_entropy", "sigmoid")
    exact = net.backward(p, net.forward(p, x), y)
    p = p.astype(np.float32)
    trace = net.forward(p, x)
    rounded = net.backward(p, trace, y)
    assert {array.dtype for array in (*trace.z[1:], *trace.a, rounded.vector)} == {np.dtype("f4")}
    assert 1e-12 < relative_error(rounded.vector, exact.vector) < 1e-5


# --- parameters --------------------------------------------------------------------------------


def test_parameters_are_one_vector_seen_in_parts():
    net = Network([3, 4, 2])
    p = net.initial(rng=np.random.default_rng(0), biases="unit")
    p.vector[:] = np.arange(p.vector.size)
    np.testing.assert_array_equal(p.W[1], np.arange(12.0).reshape(4, 3))
    np.testing.assert_array_equal(p.b[2], [[24.0], [25.0]])
    assert list(p.named()) == ["W^1", "b^1", "W^2", "b^2"]
    np.testing.assert_array_equal(Parameters.from_named(p.named()).vector, p.vector)
    np.testing.assert_array_equal(Parameters.of(p.W[1:], p.b[1:]).vector, p.vector)
    q = p.copy()
    q.W[1][0, 0] = 99
    assert p.W[1][0, 0] == 0 and q.vector[0] == 99
    np.testing.assert_array_equal((p + p - np.float64(2) * p).vector, 0)
    np.testing.assert_array_equal((p * 3).b[1], 3 * p.b[1])
    assert repr(p) == "Parameters(sizes=[3, 4, 2], 26 float64)"


def copies(p):
    return [pickle.loads(pickle.dumps(p)), copy.deepcopy(p), p.copy(), p.astype(np.float64)]


def test_the_parts_never_come_apart_from_the_vector():
    p = Network([3, 4, 2]).initial(rng=np.random.default_rng(0), biases="unit")
    before = p.vector.copy()
    for q in copies(p):
        q.vector -= 1000
        np.testing.assert_array_equal(q.W[2], p.W[2] - 1000)
        q.b[1][...] = 7
        assert (q.vector == 7).sum() == 4
    np.testing.assert_array_equal(p.vector, before)
    p.W[1] = np.arange(12.0).reshape(4, 3)
    p.b[2] -= 5
    np.testing.assert_array_equal(p.vector[:12], np.arange(12))
    np.testing.assert_array_equal(p.vector[-2:], before[-2:] - 5)
    with pytest.raises(ValueError, match=r"shape \(3,\) but the array there has shape \(4, 3\)"):
        p.W[1] = np.zeros(3)
    for l in (0, 3):
        with pytest.raises(IndexError, match=f"are numbered 1 to 2, got {l}"):
            p.W[l] = np.zeros((4, 3))


def test_precision_is_kept():
    p = Network([3, 4, 2]).initial(rng=np.random.default_rng(0), dtype=np.float32)
    q = Parameters.of(p.W[1:], p.b[1:])
    for same in (q, np.float64(0.1) * p, p * np.array(2.0), p - p, p.copy(), *copies(p)[:2]):
        assert same.vector.dtype == np.float32


def test_parameters_combine_with_their_like_only():
    p, q = (Network(s).initial(rng=np.random.default_rng(0)) for s in ([1, 2], [2, 2]))
    with pytest.raises(ValueError, match=r"sizes \[1, 2\] and \[2, 2\] do not combine"):
        p + q
    for wrong in (lambda: p - 1.0, lambda: p * np.ones(4), lambda: np.ones(4) * p):
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.parametrize(
    "W, b, says",
    [
        ([], [], "got 0 W and 0 b"),
        ([[[1.0]]], [], "got 1 W and 0 b"),
        ([[1.0]], [[[0.0]]], r"W\^1 has shape \(1,\), expected \(n_1, n_0\)"),
        ([[[1.0]]], [[0.0]], r"b\^1 has shape \(1,\), but W\^1 has 1 rows: give \(1, 1\)"),
        ([[[1.0]], [[1.0, 2.0]]], [[[0.0]], [[0.0]]], r"W\^2 has 2 columns, but layer 1 has 1"),
        ([[[np.nan]]], [[[0.0]]], r"W\^1\[0, 0\] is nan"),
    ],
)
def test_layers_that_do_not_fit_are_named(W, b, says):
    with pytest.raises(ValueError, match=says):
        Parameters.of(W, b)


@pytest.mark.parametrize("vector", [np.zeros(5), np.zeros((7, 1)), np.zeros(7, int)])
def test_a_vector_of_the_wrong_kind_is_refused(vector):
    with pytest.raises(ValueError, match=r"sizes \[1, 2, 1\] has 7 parameters"):
        Parameters([1, 2, 1], vector)


# --- the network -------------------------------------------------------------------------------


def test_initial_weights_have_the_spread_they_promise():
    net = Network([400, 300, 2])
    for scheme, spread in (("scaled", 1 / 400), ("he", 2 / 400), ("unit", 1.0)):
        p = net.initial(rng=np.random.default_rng(0), weights=scheme)
        assert p.W[1].var() == pytest.approx(spread, rel=0.02)
        assert not p.b[1].any()
    p = net.initial(rng=np.random.default_rng(0), biases="unit", dtype="float32")
    assert p.vector.dtype == np.float32
    assert p.b[1].var() == pytest.approx(1.0, rel=0.2)
    a, b = (net.initial(rng=np.random.default_rng(s)).vector for s in (1, 1))
    np.testing.assert_array_equal(a, b)


def test_a_network_is_known_by_its_parts():
    net = Network([2, 3, 1], ["relu", sigmoid], "cross_entropy")
    assert repr(net) == "Network([2, 3, 1], ['relu', 'sigmoid'], 'cross_entropy')"
    assert net.sigma[2] is sigmoid and net.L == 2


def test_a_network_that_was_sent_to_another_process_is_the_same():
    net, p, x, y = random_case(3, "cross_entropy", "sigmoid")
    again = pickle.loads(pickle.dumps(net))
    assert repr(again) == repr(net)
    x *= 1e4  # only BP1 from z survives this
    gradients = [n.backward(p, n.forward(p, x), y).vector for n in (net, again)]
    np.testing.assert_array_equal(*gradients)


NET = Network([2, 3, 2], "sigmoid", "quadratic")
P = NET.initial(rng=np.random.default_rng(0))
GOOD_X, GOOD_Y = np.zeros((2, 4)), np.zeros((2, 4))
TRACE = NET.forward(P, GOOD_X)
Q = Parameters([2, 2], np.zeros(6))
BAD = {
    "no layers": (lambda: Network([2]), "give n_0 and at least one layer"),
    "beyond all numbers": (lambda: Network([10**400, 1]), "n_0 must be at most 2147483647, got 10"),
    "a factor": (lambda: 10**400 * P, "the factor is too large for a float: 1000"),
    "decay": (lambda: NET.cost_of(P, GOOD_X, GOOD_Y, decay=-1), "decay must be 0 or a positive"),
    "decay, huge": (lambda: NET.backward(P, TRACE, GOOD_Y, decay=10**400), "decay must be 0 or a"),
    "width 0": (lambda: Network([2, 0, 1]), "n_1 must be at least 1, got 0"),
    "unknown": (lambda: Network([2, 1], "swish"), "no activation is called 'swish'"),
    "unknown cost": (lambda: Network([2, 1], "relu", "mse"), "no cost is called 'mse'"),
    "count": (lambda: Network([2, 3, 1], ["relu"]), "got 1 activations for 2 layers"),
    "range": (lambda: Network([2, 1], "tanh", "cross_entropy"), "goes with sigmoid as the last"),
    "partner": (lambda: Network([2, 1], "sigmoid", "softmax_cross_entropy"), "goes with softmax"),
    "scheme": (lambda: NET.initial(rng=np.random.default_rng(0), weights="xavier"), "'xavier'"),
    "biases": (lambda: NET.initial(rng=np.random.default_rng(0), biases="one"), "biases is 'one'"),
    "dtype": (lambda: NET.initial(rng=np.random.default_rng(0), dtype=int), "got int64"),
    "rows": (lambda: Network([3, 1]).forward(Network([3, 1]).initial(rng=np.random.default_rng(0)),
             np.zeros((5, 3))), r"x has shape \(5, 3\), expected \(3, m\): .* over x.T"),
    "neurons": (lambda: NET.forward(P, np.zeros((3, 4))), "the layer has 2 neurons"),
    "one example": (lambda: NET.forward(P, np.zeros(2)), r"is one column, x\[:, None\]"),
    "one row": (lambda: Network([1, 1]).cost_of(Parameters([1, 1], np.zeros(2)), [[1.0]], [1.0]),
                r"numbers of several examples are one row, y\[None, :\]"),
    "masked": (lambda: NET.forward(P, np.ma.array(GOOD_X, mask=GOOD_X == 0)), "x has masked entr"),
    "precision": (lambda: NET.backward(P.astype("f4"), TRACE, GOOD_Y),
                  "the trace is float64 and the parameters are float32: give the trace"),
    "empty": (lambda: NET.forward(P, np.zeros((2, 0))), "the batch is empty"),
    "nan": (lambda: NET.forward(P, np.full((2, 1), np.nan)), r"x\[0, 0\] is nan"),
    "other": (lambda: Network([2, 4, 2]).forward(P, GOOD_X), r"those of sizes \[2, 3, 2\]"),
    "targets": (lambda: NET.backward(P, TRACE, GOOD_Y[:, :1]), r"y has shape \(2, 1\) but a\^L"),
    "turned": (lambda: NET.cost_of(P, GOOD_X, np.zeros((4, 2))), "hand over y.T"),
    "trace": (lambda: Network([2, 5, 2]).backward(Network([2, 5, 2]).initial(
              rng=np.random.default_rng(0)), TRACE, GOOD_Y), "give the trace that this network's"),
    "names": (lambda: Parameters.from_named({"W^1": [[1.0]], "b^2": [[1.0]]}),
              r"named \['W\^1', 'b\^2'\], expected \['W\^1', 'b\^1'\]"),
    "not finite": (lambda: NET.forward(P * np.nan, GOOD_X), "the vector of parameters.0. is nan"),
    "not this net's": (lambda: NET.backward(Network([2, 4, 2]).initial(
                       rng=np.random.default_rng(0)), TRACE, GOOD_Y), r"those of sizes \[2, 4, 2"),
    "too large": (lambda: NET.forward(P.astype("f4"), GOOD_X + 1e300), "is inf in float32"),
    "none": (lambda: Network([2, 1], None), "no activation is called None"),
    "stretched": (lambda: NET.cost_at(TRACE, GOOD_Y[:, :1]), r"y has shape \(2, 1\) but a\^L has"),
    "negative": (lambda: (n := Network([2, 2], "softmax", "softmax_cross_entropy")).backward(
                 Q, n.forward(Q, GOOD_X), GOOD_Y - 1), r"y\[0, 0\] is -1"),
    "labels": (lambda: Network([2, 2], "softmax", "softmax_cross_entropy").cost_of(
               Q, GOOD_X, GOOD_Y), "adds up to 0"),
}  # fmt: skip


@pytest.mark.parametrize("call, says", BAD.values(), ids=BAD)
def test_bad_input_is_quoted(call, says):
    with pytest.raises(ValueError, match=says):
        call()


WRONG_TYPES = {
    "seed for a generator": (lambda: NET.initial(rng=7), r"got 7: numpy.random.default_rng\(7\)"),
    "arrays for parameters": (lambda: NET.forward([GOOD_X], GOOD_X), "got list: start from"),
    "half a neuron": (lambda: Network([2, 1.5]), "n_1 must be a whole number, got 1.5"),
    "x for the trace": (lambda: NET.backward(P, GOOD_X, GOOD_Y), "the Trace that forward returned"),
    "one width": (lambda: Network(3), r"sizes must list the widths of all layers.*got 3"),
    "complex": (lambda: NET.forward(P, GOOD_X + 1j), "x is complex, and float64 is needed"),
    "text": (lambda: NET.forward(P, [["a"], ["b"]]), "must hold numbers"),
}


@pytest.mark.parametrize("call, says", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_wrong_types_are_quoted(call, says):
    with pytest.raises(TypeError, match=says):
        call()


def test_importing_companion_is_numpy_and_quick():
    import subprocess
    import sys

    code = "import sys, companion.train, companion.check; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"matplotlib", "sympy", "sklearn", "scipy", "IPython", "tqdm"}
    assert not heavy & set(loaded.stdout.split())
