"""Activations against mpmath's values, central differences and the complex step."""

import mpmath
import numpy as np
import pytest

from companion.activations import ACTIVATIONS, LeakyReLU, activation_named, relu, sigmoid, softmax
from companion.check import adjoint_gap, central_difference, complex_step, relative_error
from companion.network import Network, Parameters

ELEMENTWISE = {name: s for name, s in ACTIVATIONS.items() if name != "softmax"}
POINTS = np.array([-30.0, -3.0, -0.7, -1e-3, 1e-3, 0.4, 2.0, 30.0])
EXACT = {  # the definitions, in fifty digits
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "tanh": mpmath.tanh,
    "relu": lambda z: max(mpmath.mpf(0), z),
    "leaky_relu": lambda z: z if z > 0 else mpmath.mpf(0.01) * z,
    "softplus": lambda z: mpmath.log(1 + mpmath.exp(z)),
}
all_of = pytest.mark.parametrize("sigma", ACTIVATIONS.values(), ids=ACTIVATIONS)
elementwise = pytest.mark.parametrize("sigma", ELEMENTWISE.values(), ids=ELEMENTWISE)


@elementwise
def test_value_and_derivative_have_fifteen_digits(sigma):
    with mpmath.workdps(50):
        values = [float(EXACT[sigma.name](mpmath.mpf(z))) for z in POINTS]
        slopes = [float(mpmath.diff(EXACT[sigma.name], mpmath.mpf(z))) for z in POINTS]
    np.testing.assert_allclose(sigma(POINTS), values, rtol=1e-14)
    # 1 - a loses digits where a is near 1: there the slope is right to 1e-16 of the largest slope
    np.testing.assert_allclose(sigma.derivative(POINTS), slopes, rtol=1e-12, atol=3e-16)


@elementwise
def test_derivative_against_differences(sigma):
    for z, slope in zip(POINTS, sigma.derivative(POINTS), strict=True):
        assert complex_step(sigma, z) == pytest.approx(slope, rel=1e-12, abs=3e-16)
        assert central_difference(sigma, z) == pytest.approx(slope, rel=1e-8, abs=1e-9)


def test_softmax_is_the_textbook_formula():
    z = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(softmax(z), np.exp(z) / np.exp(z).sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(softmax(z).sum(axis=0), 1, rtol=1e-14)


def test_softmax_jacobian_is_full():
    z = np.array([1.0, 2.0, 0.5])
    a, g = softmax(z), np.array([0.0, -1.0, 0.0]) / softmax(z)  # cross-entropy for class 1
    np.testing.assert_allclose(softmax.jacobian(z), np.diag(a) - np.outer(a, a), rtol=1e-14)
    np.testing.assert_allclose(softmax.jacobian(z).T @ g, [0.2312, -0.3715, 0.1402], atol=5e-5)
    diagonal_only = np.diag(softmax.jacobian(z)) * g
    assert relative_error(diagonal_only, softmax.jacobian(z).T @ g) > 0.6


@all_of
def test_jacobian_against_the_complex_step(sigma):
    z = np.array([0.3, -1.2, 0.8, 0.01])
    rows = [complex_step(lambda u, i=i: sigma(u)[i], z) for i in range(4)]
    np.testing.assert_allclose(sigma.jacobian(z), rows, rtol=1e-13, atol=1e-17)


@all_of
def test_pull_back_is_the_transposed_jacobian(sigma):
    rng = np.random.default_rng(1)
    z, g, u = rng.normal(size=(3, 4, 6))  # 4 neurons, 6 examples
    a = sigma(z)
    J = [sigma.jacobian(column) for column in z.T]
    expected = np.stack([J_x.T @ g_x for J_x, g_x in zip(J, g.T, strict=True)], axis=1)
    np.testing.assert_allclose(sigma.pull_back(z, a, g), expected, rtol=1e-13, atol=1e-16)

    def push(u):
        return np.stack([J_x @ u_x for J_x, u_x in zip(J, u.T, strict=True)], axis=1)

    assert adjoint_gap(push, lambda v: sigma.pull_back(z, a, v), u, g) < 1e-15
    assert adjoint_gap(push, lambda v: -sigma.pull_back(z, a, v), u, g) > 0.01


@all_of
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_inputs_pass_without_a_warning(sigma, dtype):
    z = np.array([[-1e4, -800, -100, 0, 100, 800, 1e4]] * 2 + [[0, 1, 2, 3, 4, 5, 6]], dtype)
    net = Network([3, 3], sigma, "quadratic")
    passing_on = Parameters.of([np.eye(3, dtype=dtype)], [np.zeros((3, 1), dtype)])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        a = sigma(z)
        trace = net.forward(passing_on, z)
        slopes = net.backward(passing_on, trace, np.zeros_like(z)).vector
    np.testing.assert_array_equal(trace.a[1], a)
    assert a.dtype == slopes.dtype == dtype
    assert np.isfinite(a).all() and np.isfinite(slopes).all()
    with mpmath.workdps(50):
        if sigma.name in EXACT:
            exact = [[float(EXACT[sigma.name](mpmath.mpf(float(v)))) for v in row] for row in z]
            np.testing.assert_allclose(a, exact, rtol=1e-6, atol=np.finfo(dtype).tiny)


@all_of
def test_out_is_written_and_returned(sigma):
    z = np.random.default_rng(2).normal(size=(3, 2)).astype(np.float32)
    g, out = np.ones_like(z), np.full_like(z, 7)
    assert sigma.value(z, out=out) is out
    np.testing.assert_array_equal(out, sigma(z))
    a, out = sigma(z), np.full_like(z, 7)
    assert sigma.pull_back(z, a, g, out=out) is out
    np.testing.assert_array_equal(out, sigma.pull_back(z, a, g))


def test_the_slope_at_a_kink_is_that_of_the_left():
    leaky = activation_named("leaky_relu")
    assert relu.derivative(0.0) == complex_step(relu, 0.0) == 0.0
    assert leaky.derivative(0.0) == complex_step(leaky, 0.0) == 0.01


def test_a_complex_step_survives_saturation():
    assert complex_step(sigmoid, -800.0) == complex_step(sigmoid, 800.0) == 0.0


@pytest.mark.parametrize("leak", [0.2, 1e-5, np.float32(0.01)])
def test_a_leaky_relu_is_known_by_its_name(leak):
    assert activation_named(LeakyReLU(leak).name).leak == leak


def test_integers_are_numbers():
    assert sigmoid(0) == 0.5
    assert sigmoid([0, 0]).dtype == np.float64


@pytest.mark.parametrize(
    "wrong, error, says",
    [
        ("zero", TypeError, "z must hold numbers, got dtype <U4: 'zero'"),
        (list("ab" * 40), TypeError, "must hold numbers, got dtype <U1.*\\.\\.\\.; convert"),
        ([[1.0], [1.0, 2.0]], ValueError, "give rows of equal length"),
        ([0.0, np.nan], ValueError, r"z\[1\] is nan in float64, and z must be finite"),
        ([[0.0], [-np.inf]], ValueError, r"z\[1, 0\] is -inf"),
        ([], ValueError, r"z has shape \(0,\): it is empty"),
    ],
)
def test_bad_input_is_quoted(wrong, error, says):
    with pytest.raises(error, match=says):
        sigmoid(wrong)


def test_what_an_activation_cannot_do_is_said():
    with pytest.raises(TypeError, match=r"use softmax.jacobian\(z\)"):
        softmax.derivative([0.0, 1.0])
    with pytest.raises(ValueError, match=r"shape \(2, 1\), expected \(n,\)"):
        sigmoid.jacobian([[0.0], [1.0]])
    for leak in (0, 1, 1.5, "a"):
        with pytest.raises(
            ValueError, match=f"leak must be a number between 0 and 1, got {leak!r}"
        ):
            LeakyReLU(leak)
    for unknown in ("swish", "leaky_relu(x)", 3):
        with pytest.raises(ValueError, match="give one of identity, sigmoid, tanh"):
            activation_named(unknown)
