"""Another judge, where it is installed: PyTorch's automatic differentiation."""

import numpy as np
import pytest

from companion.check import relative_error
from companion.network import Network

torch = pytest.importorskip("torch", reason="PyTorch is not installed, so it judges nothing here")

SIGMA = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "softplus": torch.nn.functional.softplus,
    "softmax": lambda z: torch.softmax(z, dim=0),
}
COST = {  # summed over the neurons, mean over the examples in the columns
    "quadratic": lambda a, y: ((a - y) ** 2).sum() / 2 / a.shape[1],
    "cross_entropy": lambda a, y: (
        torch.nn.functional.binary_cross_entropy(a, y, reduction="sum") / a.shape[1]
    ),
    "softmax_cross_entropy": lambda a, y: -(y * torch.log(a)).sum() / a.shape[1],
}


@pytest.mark.parametrize("seed", range(60))
def test_gradients_agree(seed):
    rng = np.random.default_rng(seed)
    L = 1 + seed % 5
    sizes = rng.permutation([2, 3, 4, 5, 6, 7])[: L + 1].tolist()
    cost = list(COST)[seed % 3]
    partner = {"cross_entropy": "sigmoid", "softmax_cross_entropy": "softmax"}
    last = partner.get(cost) or rng.choice(list(SIGMA))
    net = Network(sizes, [*rng.choice(list(SIGMA), L - 1), last], cost)
    p = net.initial(rng=rng, biases="unit")
    x, y = rng.normal(size=(sizes[0], 5)), rng.dirichlet(np.ones(sizes[-1]), size=5).T

    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in p.named().items()}
    a = torch.tensor(x)
    for l in range(1, L + 1):
        a = SIGMA[net.sigma[l].name](leaves[f"W^{l}"] @ a + leaves[f"b^{l}"])
    value = COST[cost](a, torch.tensor(y))
    value.backward()

    assert net.cost_of(p, x, y) == pytest.approx(value.item(), rel=1e-12)
    for name, ours in net.backward(p, net.forward(p, x), y).named().items():
        assert relative_error(ours, leaves[name].grad.numpy()) < 1e-10
