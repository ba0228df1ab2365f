"""The bridge: a network computed node by node has the gradient of BP1 to BP4."""

import numpy as np
import pytest

from companion import graph
from companion.check import relative_error
from companion.network import Network, Parameters
from companion.sweep import adjoints, tangents

NODES = {
    "sigmoid": np.frompyfunc(graph.sigmoid, 1, 1),
    "tanh": np.frompyfunc(graph.tanh, 1, 1),
    "relu": np.frompyfunc(graph.relu, 1, 1),
    "identity": lambda z: z,
}
as_nodes = np.frompyfunc(lambda number: graph.Node(float(number)), 1, 1)


def softmax_cross_entropy(z, y):
    """Summed over the columns, from single operations."""
    e = np.frompyfunc(graph.exp, 1, 1)(z)
    return -(y * np.frompyfunc(graph.log, 1, 1)(e / e.sum(axis=0))).sum()


def quadratic(a, y):
    return ((a - y) ** 2).sum() / 2


def cost_as_a_graph(network, p, x, y):
    """C as a Node, and the Nodes of all parameters by name."""
    nodes = {name: as_nodes(array) for name, array in p.named().items()}
    a = x
    for l in range(1, network.L + 1):
        z = nodes[f"W^{l}"] @ a + nodes[f"b^{l}"]
        a = z if network.sigma[l].name == "softmax" else NODES[network.sigma[l].name](z)
    last = softmax_cross_entropy if network.sigma[network.L].name == "softmax" else quadratic
    return last(a, y) / x.shape[1], nodes


CASES = [
    ([2, 1], ["sigmoid"], 1),
    ([2, 3, 2], ["sigmoid", "sigmoid"], 4),
    ([3, 4, 5, 2], ["tanh", "relu", "sigmoid"], 3),
    ([4, 3, 5, 3, 2], ["relu", "tanh", "sigmoid", "identity"], 2),
    ([3, 5, 4], ["tanh", "softmax"], 5),
]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case[0])))
def case(request):
    sizes, activations, m = request.param
    cost = "softmax_cross_entropy" if activations[-1] == "softmax" else "quadratic"
    network, rng = Network(sizes, activations, cost), np.random.default_rng(sum(sizes))
    p = network.initial(rng=rng, biases="unit")
    classes = rng.integers(sizes[-1], size=m)
    y = (
        np.eye(sizes[-1])[:, classes]
        if cost.startswith("soft")
        else rng.normal(size=(sizes[-1], m))
    )
    return network, p, rng.normal(size=(sizes[0], m)), y


def test_the_graph_has_the_gradient_of_the_four_equations(case):
    network, p, x, y = case
    cost, nodes = cost_as_a_graph(network, p, x, y)
    bar = adjoints(cost)
    gradient = network.backward(p, network.forward(p, x), y)
    assert cost.value == pytest.approx(network.cost_of(p, x, y), rel=1e-13)
    for name, array in gradient.named().items():
        by_graph = np.array([[bar[node] for node in row] for row in nodes[name]])
        assert relative_error(array, by_graph) < 1e-12, name


def test_a_tangent_of_the_graph_is_the_gradient_times_the_direction(case):
    network, p, x, y = case
    cost, nodes = cost_as_a_graph(network, p, x, y)
    direction = network.initial(rng=np.random.default_rng(5), biases="unit")
    seed = {
        node: rate
        for name, rates in direction.named().items()
        for node, rate in zip(nodes[name].ravel(), rates.ravel().tolist())
    }
    gradient = network.backward(p, network.forward(p, x), y)
    assert tangents(cost, seed)[cost] == pytest.approx(
        gradient.vector @ direction.vector, rel=1e-12
    )


@pytest.mark.parametrize("l", [1, 2, 3])
def test_a_wrong_equation_is_seen(l):
    """BP2 with a lost transpose: all widths are equal, so nothing but the numbers can tell."""
    network = Network([3, 3, 3, 3])
    rng = np.random.default_rng(l)
    p = network.initial(rng=rng)
    x, y = rng.normal(size=(2, 3, 4))
    cost, nodes = cost_as_a_graph(network, p, x, y)
    bar = adjoints(cost)
    delta = network.errors(p, network.forward(p, x), y).delta
    trace = network.forward(p, x)
    if l < 3:
        delta[l] = p.W[l + 1] @ delta[l + 1] * network.sigma[l].derivative(trace.z[l])
    by_graph = np.array([[bar[node] for node in row] for row in nodes[f"W^{l}"]])
    error = relative_error(delta[l] @ trace.a[l - 1].T, by_graph)
    assert error < 1e-12 if l == 3 else error > 0.01


def test_parameters_can_be_made_from_the_adjoints():
    network = Network([2, 3, 2])
    p = network.initial(rng=np.random.default_rng(3))
    x, y = np.array([[0.5], [-1.0]]), np.array([[1.0], [0.0]])
    cost, nodes = cost_as_a_graph(network, p, x, y)
    bar = adjoints(cost)
    found = {n: [[bar[node] for node in row] for row in array] for n, array in nodes.items()}
    gradient = network.backward(p, network.forward(p, x), y)
    assert relative_error(Parameters.from_named(found).vector, gradient.vector) < 1e-12
