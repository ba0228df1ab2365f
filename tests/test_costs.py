"""Costs against their definitions summed one term at a time, and against the complex step."""

from math import log

import numpy as np
import pytest

from companion.activations import ACTIVATIONS, Sigmoid, sigmoid, softmax
from companion.check import check_gradient, relative_error
from companion.costs import COSTS, cost_named, cross_entropy, quadratic, softmax_cross_entropy


def yes_or_no(a, y):
    return -(y * log(a) + (1 - y) * log(1 - a))


DEFINITIONS = {  # C_x, one neuron at a time
    "quadratic": lambda a, y: (a - y) ** 2 / 2,
    "cross_entropy": yes_or_no,
    "softmax_cross_entropy": lambda a, y: -y * log(a),
}
DEFINED = [  # outputs in [0, 1] where the cost needs them
    (cost, sigma)
    for cost in COSTS.values()
    for sigma in ACTIVATIONS.values()
    if not cost.partner or sigma in (sigmoid, softmax)  # the long way, too
]
PARTNERS = [(cross_entropy, sigmoid), (softmax_cross_entropy, softmax)]
every_cost = pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)


def batch(seed=0, n=3, m=4):
    """Weighted inputs, and targets that are shares: in [0, 1], adding up to 1."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, m)), rng.dirichlet(np.ones(n), size=m).T


@every_cost
def test_value_is_the_mean_of_the_definition(cost):
    z, y = batch()
    a = softmax(z)
    one_at_a_time = sum(map(DEFINITIONS[cost.name], a.ravel(), y.ravel())) / 4
    assert cost.value(a, y) == pytest.approx(one_at_a_time, rel=1e-14)


@every_cost
def test_gradient_against_the_complex_step(cost):
    z, y = batch()
    a = softmax(z) if cost.partner else z

    def of_outputs(a):  # the collapse of softmax needs its sum, not each entry, in [0, 1]
        return cost.value(a, y)

    check_gradient(of_outputs, a, cost.gradient(a, y), method="complex step")
    with pytest.raises(AssertionError):
        check_gradient(of_outputs, a, 4 * cost.gradient(a, y), method="complex step")  # lost 1/m


@pytest.mark.parametrize("cost, sigma", DEFINED)
def test_output_error_is_dC_dz(cost, sigma):
    z, y = batch()

    def of_z(z):
        return cost.output_cost(sigma, z, sigma(z), y)

    delta = cost.output_error(sigma, z, sigma(z), y)
    check_gradient(of_z, z, delta, method="complex step")
    np.testing.assert_allclose(cost.output_error(sigma, z, sigma(z), y, scale=3.0), 3 * delta)


@pytest.mark.parametrize("cost, sigma", PARTNERS)
def test_the_collapse_is_a_minus_y(cost, sigma):
    z, y = batch()
    a = sigma(z)
    np.testing.assert_allclose(cost.output_error(sigma, z, a, y), (a - y) / 4, rtol=1e-14)
    the_long_way = sigma.pull_back(z, a, cost.gradient(a, y))
    np.testing.assert_allclose(the_long_way, (a - y) / 4, atol=1e-16)
    assert cost.output_cost(sigma, z, a, y) == pytest.approx(cost.value(a, y), rel=1e-14)


def test_the_collapse_of_softmax_needs_targets_that_add_up_to_one():
    z, y = np.array([[1.0], [2.0], [0.5]]), np.array([[0.2], [0.9], [0.3]])
    a = softmax(z)
    right = softmax.pull_back(z, a, -y / a)
    np.testing.assert_allclose(right, a * y.sum() - y, rtol=1e-14)
    assert relative_error(a - y, right) > 0.2
    with pytest.raises(ValueError, match=r"y\[:, 0\] adds up to 1.4"):
        softmax_cross_entropy.value(a, y)


@pytest.mark.parametrize("cost, sigma", PARTNERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_from_z_nothing_overflows(cost, sigma, dtype):
    z = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]], dtype)
    y = np.array([[0, 0, 1], [1, 1, 0]], dtype)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        a = sigma(z)
        value = cost.output_cost(sigma, z, a, y)
        delta = cost.output_error(sigma, z, a, y)
    per_example = [2e4, 0, log(2)]  # what the definition tends to
    if cost is cross_entropy:
        per_example[2] *= 2
    assert value == pytest.approx(sum(per_example) / 3, rel=1e-6)
    assert np.isfinite(delta).all() and delta.dtype == dtype


def test_a_certain_and_right_answer_costs_nothing():
    y = np.array([[1.0], [0.0]])
    assert cross_entropy.value(y, y) == softmax_cross_entropy.value(y, y) == 0.0
    assert cross_entropy.value(1 - y, y) == np.inf
    np.testing.assert_array_equal(cross_entropy.gradient(y, y), [[-1.0], [1.0]])


@every_cost
def test_shapes_that_numpy_would_stretch_are_refused(cost):
    a, y = np.full((3, 1), 0.5), np.full(3, 1 / 3)
    with pytest.raises(ValueError, match=r"y has shape \(3,\), expected \(n, m\).*y\[:, None\]"):
        cost.value(a, y)
    with pytest.raises(ValueError, match=r"y has shape \(1, 3\) but a has shape \(3, 1\)"):
        cost.value(a, np.ones((1, 3)))
    with pytest.raises(ValueError, match="the batch is empty"):
        cost.value(np.ones((3, 0)), np.ones((3, 0)))
    with pytest.raises(ValueError, match=r"a has shape \(1, 1, 1\)"):
        cost.gradient(np.ones((1, 1, 1)), y)


@pytest.mark.parametrize("cost, _", PARTNERS)
def test_outputs_and_targets_outside_0_and_1_are_quoted(cost, _):
    with pytest.raises(ValueError, match=r"a\[0, 0\] is -0.3: .* needs outputs between 0 and 1"):
        cost.value([[-0.3], [0.5]], [[0.0], [1.0]])
    with pytest.raises(ValueError, match=r"a\[1, 0\] is 1.5: .* needs outputs between 0 and 1"):
        cost.gradient([[0.3], [1.5]], [[0.0], [1.0]])
    for bad in (7, -1):
        with pytest.raises(ValueError, match=rf"y\[1, 0\] is {bad}: .* targets between 0 and 1"):
            cost.value([[0.3], [0.5]], [[0.0], [bad]])


def test_shares_may_be_rounded_but_not_wrong():
    shares = np.full((1000, 2), 0.001, np.float32)
    assert softmax_cross_entropy.value(shares, shares) > 0
    with pytest.raises(ValueError, match=r"y\[:, 0\] adds up to 1.0001"):
        softmax_cross_entropy.value([[0.5], [0.5]], [[1.0], [1e-4]])
    with pytest.raises(ValueError, match=r"y\[:, 1\] adds up to 1.001"):
        softmax_cross_entropy.value(shares, shares + [[0, 1e-6]])


def test_the_collapse_is_for_the_partner_alone():
    class Steeper(Sigmoid):
        """A subclass is another function."""

        def value(self, z, out=None):
            return super().value(2 * z, out)

        def slope(self, z, a, out=None):
            return 2 * super().slope(z, a)

    z, y = batch()
    steeper = Steeper()
    delta = cross_entropy.output_error(steeper, z, steeper(z), y)
    check_gradient(lambda z: cross_entropy.value(steeper(z), y), z, delta, method="complex step")


def test_costs_by_name():
    assert cost_named("quadratic") is quadratic
    assert repr(cross_entropy) == "cross_entropy"
    for unknown in ("hinge", None):
        with pytest.raises(ValueError, match="give one of quadratic, cross_entropy"):
            cost_named(unknown)


def test_the_half_belongs_to_the_cost():
    a, y = np.array([[2.0, 4.0]]), np.array([[1.0, 1.0]])
    assert quadratic.value(a, y) == (1 + 9) / 2 / 2
    np.testing.assert_array_equal(quadratic.gradient(a, y), [[0.5, 1.5]])
