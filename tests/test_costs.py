"""Costs against their definitions summed one term at a time, and against the complex step."""

from math import log

import mpmath
import numpy as np
import pytest

from companion.activations import ACTIVATIONS, Sigmoid, sigmoid, softmax
from companion.check import check_gradient, relative_error
from companion.costs import (
    COSTS,
    cost_named,
    cross_entropy,
    penalty,
    quadratic,
    softmax_cross_entropy,
)
from companion.network import Network, Parameters


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


EXACT = {  # C_x from z, in as many digits as mpmath is told
    cross_entropy: lambda z, y: sum(
        v * mpmath.log1p(mpmath.exp(-u)) + (1 - v) * mpmath.log1p(mpmath.exp(u))
        for u, v in zip(z, y, strict=True)
    ),
    softmax_cross_entropy: lambda z, y: sum(
        v * mpmath.log(sum(mpmath.exp(w - u) for w in z)) for u, v in zip(z, y, strict=True)
    ),
}
LINE = [0, 1e-3, 0.7, 5, 14, 20, 36, 60]
SHARES = [[1, 0], [0, 1], [0.25, 0.75]]


@pytest.mark.parametrize("cost, sigma", PARTNERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("y", SHARES, ids=str)
def test_from_z_a_cost_has_all_its_digits(cost, sigma, dtype, y):
    net = Network([1, 2], sigma, cost)
    for size in (*LINE, *[-z for z in LINE]):
        z = np.array([[size], [-size / 3]], dtype)
        p = Parameters.of([np.zeros((2, 1), dtype)], [z])
        with mpmath.workdps(60):
            exact = float(EXACT[cost]([mpmath.mpf(float(v)) for v in z.ravel()], y))
        found = net.cost_of(p, np.zeros((1, 1)), np.array(y)[:, None])
        ulps = 4 if sigma is sigmoid else 4 + 2 * abs(size)  # z_1 - z_2 is rounded, then e^ taken
        assert found == pytest.approx(exact, rel=float(ulps * np.finfo(dtype).eps), abs=0)


def test_a_sure_and_right_answer_still_costs_something():
    one = np.ones((1, 1))
    costs = {}
    for dtype, z in ((np.float32, 14), (np.float32, 20), (np.float64, 36)):
        at = np.full((1, 1), z, dtype)
        costs[z] = cross_entropy.output_cost(sigmoid, at, sigmoid(at), one.astype(dtype))
    assert costs == pytest.approx({14: 8.315e-7, 20: 2.061e-9, 36: 2.320e-16}, rel=1e-3)
    assert cross_entropy.value(sigmoid(np.full((1, 1), 40.0)), one) == 0  # a alone cannot tell


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


@pytest.mark.parametrize("classes", [2, 10, 1000, 20_000])
def test_the_more_shares_the_more_rounding(classes):
    z = np.random.default_rng(classes).normal(size=(classes, 3)).astype(np.float32)
    shares = softmax(z)  # in float32
    softmax_cross_entropy.check_targets(shares)
    softmax_cross_entropy.check_targets(shares.astype(np.float64))  # and they stay float32's
    exact = softmax(z.astype(np.float64))
    softmax_cross_entropy.check_targets(exact)
    for wrong in (shares * np.float32(1.01), exact * 1.00001, exact + 1e-5 / classes):
        with pytest.raises(ValueError, match=r"y\[:, \d\] adds up to .*, 1?[.\de-]+ away from 1"):
            softmax_cross_entropy.check_targets(wrong)


def test_what_shares_miss_is_quoted():
    with pytest.raises(ValueError, match=r"adds up to 1, 2e-06 away from 1, and .*needs 1"):
        softmax_cross_entropy.value([[0.5], [0.5]], [[0.3], [0.700002]])
    with pytest.raises(ValueError, match=r"y\[0, 0\] is 1.0000000000000002: .* between 0 and 1"):
        cross_entropy.value([[0.5]], [[1 + 2**-52]])


def test_the_penalty_of_large_weights():
    weights = np.array([1.0, -2.0, 3.0])
    assert penalty(weights, 0.5) == 0.25 * 14
    assert penalty(weights * 1e200, 0.0) == 0.0  # no infinity times 0


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
