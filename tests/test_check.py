"""The judges themselves, each shown something right and something wrong."""

from fractions import Fraction

import numpy as np
import pytest

from benchmarks.gradient_checks import JUDGES, random_case, run
from companion.check import (
    GradientError,
    Undecided,
    adjoint_gap,
    central_difference,
    check_gradient,
    complex_step,
    relative_error,
)
from companion.network import Network, Parameters


def wave(x):  # analytic, and not separable
    return np.sin(x).prod() + (x**2).sum() * x.sum()


def wave_gradient(x):
    others = np.array([np.delete(np.sin(x), i).prod() for i in range(x.size)]).reshape(x.shape)
    return np.cos(x) * others + 2 * x * x.sum() + (x**2).sum()


X = np.array([[0.3, -1.1], [0.7, 0.2]])
METHODS = ["auto", "central difference", "complex step"]


def test_published_finite_differences():
    """sin at 1 (MIT's matrix calculus notes): what a forward difference loses, and what not."""
    exact = 0.5403023058681398
    forward = (np.sin(1 + 1e-5) - np.sin(1)) / 1e-5
    assert relative_error(forward, exact) == pytest.approx(7.787052228587771e-06, rel=1e-4)
    assert relative_error(central_difference(np.sin, 1.0, h=1e-5), exact) < 3e-11
    assert complex_step(np.sin, 1.0, h=1e-100) == exact


def test_gradients_of_arrays():
    np.testing.assert_allclose(central_difference(wave, X), wave_gradient(X), rtol=1e-9)
    np.testing.assert_allclose(complex_step(wave, X), wave_gradient(X), rtol=1e-14)


def test_a_step_that_is_too_small_or_too_large():
    errors = [relative_error(central_difference(wave, X, h), wave_gradient(X)) for h in
              (1e-1, 1e-5, 1e-13)]  # fmt: skip
    assert errors[1] < 1e-9 < 1e-5 < min(errors[0], errors[2])


@pytest.mark.parametrize("method, factor", [("central difference", 1e-6), ("complex step", 1e-11)])
def test_right_and_wrong_gradients(method, factor):
    report = check_gradient(wave, X, wave_gradient(X), method=method)
    assert report.entries == 4 and report.method == method
    assert str(report).startswith(f"4 entries against the {method}; worst at x[")
    for index in np.ndindex(X.shape):
        wrong = wave_gradient(X)
        wrong[index] += factor * np.abs(wrong).max()
        with pytest.raises(GradientError) as caught:
            check_gradient(wave, X, wrong, method=method)
        assert str(caught.value).startswith(f"x[{index[0]}, {index[1]}]: got ")


def test_the_worst_entry_is_named_by_array_and_index():
    point = {"W^1": X, "b^1": np.array([0.5, 0.25])}

    def f(p):
        return wave(p["W^1"]) + (p["b^1"] ** 3).sum()

    right = {"W^1": wave_gradient(X), "b^1": 3 * point["b^1"] ** 2}
    assert check_gradient(f, point, right, method="complex step").entries == 6
    wrong = {**right, "b^1": right["b^1"] * [1, -1]}
    with pytest.raises(GradientError, match=r"b\^1\[1\]: got -0.1875, expected 0.1875"):
        check_gradient(f, point, wrong)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_no_number_is_wrong(bad):
    wrong = wave_gradient(X)
    wrong[1, 0] = bad
    with pytest.raises(GradientError, match=r"x\[1, 0\]: got (nan|inf)"):
        check_gradient(wave, X, wrong)


def test_only_the_rounding_of_f_is_forgiven():
    def large(x):  # values near 1e6 are rounded to 1e-10, differences to 1e-10 / 6e-6
        return 1e6 + (x**2).sum()

    check_gradient(large, np.ones(2), np.array([2.0, 2.0]))
    with pytest.raises(GradientError):
        check_gradient(large, np.ones(2), np.array([2.0, 2.0 + 1e-3]))
    with pytest.raises(GradientError):
        check_gradient(lambda x: large(x) - 1e6, np.ones(2), np.array([2.0, 2.0 + 1e-5]))
    with pytest.raises(ValueError, match="f is not finite at point"):
        check_gradient(lambda x: np.inf if (x == 1).all() else 0.0, np.ones(2), np.zeros(2))


def test_the_step_grows_with_the_point():
    assert relative_error(central_difference(np.square, 1e6), 2e6) < 1e-9


def test_zero_is_held_to_zero():
    def constant(x):
        return x[0] * 0 + 3.0

    check_gradient(constant, np.ones(2), np.zeros(2))
    check_gradient(constant, np.ones(2), np.zeros(2), method="complex step")
    with pytest.raises(GradientError, match="expected 0"):
        check_gradient(constant, np.ones(2), np.array([0.0, 1e-6]))


def test_a_small_gradient_is_not_excused():
    """1e-7 against 9e-7 agree to an absolute tolerance of 1e-6, and are nine times apart."""
    with pytest.raises(GradientError, match=r"error 8.9e-01"):
        check_gradient(lambda x: 1e-7 * x, 1.0, 9e-7, tolerance=1e-3)
    assert check_gradient(lambda x: 1e-7 * x, 1.0, 1e-7).worst.index == ()


def test_tolerance_none_of_it_is_hidden():
    report = check_gradient(wave, X, wave_gradient(X) * (1 + 1e-3), tolerance=0.01)
    assert 5e-4 < report.worst.error < 2e-3


def test_relative_error():
    assert relative_error(0.0, 0.0) == 0.0
    assert relative_error([1.0, 2.0], [1.0, 1.0]) == 0.5
    assert relative_error(np.nan, 1.0) == relative_error(np.inf, 1.0) == np.inf
    assert relative_error([], []) == 0.0
    assert relative_error(np.uint8(1), np.uint8(2)) == 0.5
    assert relative_error(np.int8(100), np.int8(-100)) == 2.0
    assert relative_error(Fraction(1, 3), Fraction(2, 6)) == 0.0
    assert relative_error([Fraction(1, 2)], [Fraction(1, 4)]) == 0.5
    with pytest.raises(ValueError, match=r"got has shape \(3, 1\) and expected \(3,\)"):
        relative_error(np.ones((3, 1)), np.ones(3))


def test_the_adjoint_test_sees_a_lost_transpose_where_shapes_fit():
    J = np.array([[1.0, 2.0], [-3.0, 4.0]])
    u, v = np.array([0.3, 0.8]), np.array([1.0, -0.5])
    assert adjoint_gap(lambda u: J @ u, lambda v: J.T @ v, u, v) < 1e-15
    assert adjoint_gap(lambda u: J @ u, lambda v: J @ v, u, v) > 0.1
    assert adjoint_gap(lambda u: 0 * u, lambda v: 0 * v, u, v) == 0.0
    assert adjoint_gap(lambda u: J @ u, lambda v: v * np.nan, u, v) == np.inf


def test_a_function_that_works_in_place_is_not_compared_with_itself():
    twice, five_times = (lambda x, c=c: x.__imul__(c) for c in (2, 5))
    assert adjoint_gap(twice, five_times, [1.0, 2.0], [1.0, 3.0]) == pytest.approx(0.6)


def test_a_difference_is_divided_by_what_its_step_became():
    assert central_difference(lambda x: x, 0.1) == 1.0


@pytest.mark.parametrize("method", METHODS)
def test_an_edge_of_the_domain_within_a_step_is_no_fault(method):
    def root(x):
        return np.sqrt(x).sum()

    right = [0.5 * 1e7**0.5]
    assert check_gradient(root, [1e-7], right, method=method).verdict == "right"
    with pytest.raises(GradientError, match="expected 1581.13"):
        check_gradient(root, [1e-7], [0.5e7**0.5], method=method)
    if method == "central difference":
        with pytest.raises(Undecided, match="f is not finite a step away"):
            check_gradient(root, [1e-7], right, method=method, h=1e-6)


def high(x):
    return 1e12 + (x**2).sum()


def test_a_constant_hides_a_slope_from_differences_and_not_from_the_complex_step():
    assert check_gradient(high, X, 2 * X).arbitrated == 4
    with pytest.raises(GradientError):
        check_gradient(high, X, 2.01 * X)


def squares(x):
    return ((x - 1) ** 2).sum()


@pytest.mark.parametrize("method", METHODS)
def test_noise_is_not_divided_by_noise(method):
    for f, x in [(squares, np.ones(4)), (lambda x: (x**3).sum(), 0.0), (lambda x: x**4, 0.0)]:
        report = check_gradient(f, x, np.zeros(np.shape(x)), method=method)
        assert report.verdict == "right" and report.worst.error == 0.0
    with pytest.raises(GradientError, match=r"x\[2\]: got 1e-09"):
        check_gradient(squares, np.ones(4), np.array([0, 0, 1e-9, 0]), method=method)


def network_case(seed, sizes, sigma="sigmoid", exact=False, **scale):
    rng = np.random.default_rng(seed)
    net = Network(sizes, sigma, "quadratic")
    p = net.initial(rng=rng, biases="unit")
    x = rng.normal(size=(sizes[0], 3)) * scale.get("x", 1.0)
    y = net.output(p, x) if exact else rng.random((sizes[-1], 3))
    gradient = net.backward(p, net.forward(p, x), y)
    return lambda arrays: net.cost_of(Parameters.from_named(arrays), x, y), p, gradient


@pytest.mark.parametrize("sizes", [[3, 2], [4, 3, 2]])
def test_a_network_at_its_own_output(sizes):
    for seed in range(5):
        f, p, gradient = network_case(seed, sizes, "identity", exact=True)
        assert check_gradient(f, p.named(), gradient.named()).verdict == "right"


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("L", [6, 12])
def test_deep_networks_are_right(L, exact):
    for seed in range(2):
        f, p, gradient = network_case(seed, [3] + [4] * L + [2], exact=exact)
        assert check_gradient(f, p.named(), gradient.named()).verdict == "right"


def test_an_array_that_was_left_out_of_a_deep_network_is_not_right():
    f, p, gradient = network_case(1, [3] + [5] * 18 + [2])
    gradient.W[1] *= 0
    with pytest.raises((GradientError, Undecided), match=r"W\^1\["):
        check_gradient(f, p.named(), gradient.named())


def test_a_sign_in_the_first_of_many_layers_is_seen_or_doubted():
    f, p, gradient = network_case(1, [3] + [5] * 18 + [2])
    gradient.W[1] *= -1
    with pytest.raises((GradientError, Undecided), match=r"W\^1\["):
        check_gradient(f, p.named(), gradient.named())


def test_a_curved_function_gets_a_smaller_step_or_says_so():
    """A raw row with entries up to 99: truncation is no longer small beside the slope."""
    x = np.zeros((48, 1))
    for place, value in {3: 13, 4: 5, 11: 59, 12: 44, 18: 2, 19: 99, 20: 88, 26: 1, 27: 90,
                         28: 80, 35: 63, 36: 54, 43: 44, 44: 44}.items():  # fmt: skip
        x[place] = value
    net = Network([48, 5, 2], ["tanh", "identity"], "quadratic")
    p = net.initial(rng=np.random.default_rng(0))
    y = np.array([[0.0], [1.0]])
    gradient = net.backward(p, net.forward(p, x), y)

    def f(arrays):
        return net.cost_of(Parameters.from_named(arrays), x, y)

    assert check_gradient(f, p.named(), gradient.named()).verdict == "right"

    def wave_of_short_length(x):
        return np.sin(1e6 * x)

    slope = 1e6 * np.cos(1e6)
    for h in (None, 1e-9):
        check_gradient(wave_of_short_length, 1.0, slope, method="central difference", h=h)
    with pytest.raises(Undecided, match="f is too curved for the step"):
        check_gradient(wave_of_short_length, 1.0, slope, method="central difference", h=1e-5)
    with pytest.raises(GradientError):
        check_gradient(wave_of_short_length, 1.0, 1.01 * slope)


def two_sizes(d):
    return 1e3 * d["a"].sum() + 1e-9 * d["b"].sum()


def test_what_rounding_hides_is_told_array_by_array():
    point = {"a": np.ones(3), "b": np.ones(2)}
    right = {"a": np.full(3, 1e3), "b": np.full(2, 1e-9)}
    assert check_gradient(two_sizes, point, right).arbitrated == 2
    with pytest.raises(GradientError, match=r"b\[0\]: got 2e-09, expected 1e-09"):
        check_gradient(two_sizes, point, {**right, "b": np.full(2, 2e-9)})
    with pytest.raises(Undecided, match="2 entries of b, such as .* rounding hides it") as caught:
        check_gradient(two_sizes, point, right, method="central difference")
    report = caught.value.report
    assert report.verdict == "cannot tell" and report.entries == 5
    assert [(d.entry.array, d.entries) for d in report.doubts] == [("b", 2)]


def test_an_entry_too_small_beside_its_array_is_counted_and_does_not_raise():
    slopes = np.array([1.0, 1e-14])
    report = check_gradient(lambda x: x @ slopes, [1, 1], slopes, method="central difference")
    assert report.verdict == "right" and report.doubts[0].entry.index == (1,)
    assert "cannot tell: x[1]" in str(report)
    assert check_gradient(lambda x: x @ slopes, [1, 1], slopes).verdict == "right"
    with pytest.raises(GradientError, match=r"x\[1\]"):
        check_gradient(lambda x: x @ slopes, [1, 1], slopes * [1, -1])
    with pytest.raises(Undecided, match=r"x\[1\]: got 1e-14"):  # nothing large beside it
        check_gradient(lambda x: 1 + 1e-14 * x[1], [1, 1], slopes * [0, 1],
                       method="central difference")  # fmt: skip


@pytest.mark.parametrize("z, others", [(40.0, False), (40.0, True), (-40.0, False)])
def test_a_sure_and_right_answer_is_not_called_wrong(z, others):
    """There a - y is 0 for y = 1, or a rounding of 1 for y = 0, and the slope a small 4e-18."""
    net = Network([1, 1], "sigmoid", "cross_entropy")
    p = Parameters.of([np.array([[1.0]])], [np.array([[0.0]])])
    x, y = np.array([[z, 0.5]]), np.array([[float(z > 0), 0.0]])
    x, y = (x, y) if others else (x[:, :1], y[:, :1])
    gradient = net.backward(p, net.forward(p, x), y)

    def f(arrays):
        return net.cost_of(Parameters.from_named(arrays), x, y)

    try:
        report = check_gradient(f, p.named(), gradient.named())
    except Undecided as doubt:
        assert not others and "rounding of the gradient itself" in str(doubt)
    else:
        assert report.verdict == "right"
    with pytest.raises((GradientError, Undecided)):
        check_gradient(f, p.named(), {**gradient.named(), "b^1": np.array([[1e-14]])})


@pytest.mark.parametrize("method", METHODS)
def test_arguments_are_copies_and_lists_are_points(method):
    def in_place(v):
        v *= 2
        return (v**2).sum()

    x = np.array([2.0, 1.0])
    assert check_gradient(in_place, x, 8 * x, method=method).verdict == "right"
    assert check_gradient(in_place, [2, 1], [16, 8], method=method).verdict == "right"
    np.testing.assert_array_equal(x, [2, 1])
    shared = {"a": x, "b": x}
    check_gradient(lambda d: in_place(d["a"]) + in_place(d["b"]), shared,
                   {"a": 8 * x, "b": 8 * x}, method=method)  # fmt: skip
    np.testing.assert_array_equal(x, [2, 1])


def test_single_precision_is_named():
    def single(v):
        return (np.asarray(v, dtype=np.float32) ** 2).sum()

    point, right = [0.3, 0.7], np.array([0.6, 1.4])
    assert check_gradient(single, point, right).verdict == "right"
    assert check_gradient(lambda v: float(single(v)), point, right).verdict == "right"
    with pytest.raises(GradientError):
        check_gradient(single, point, right * [1, 1.1])
    with pytest.raises(Undecided, match="float32"):
        check_gradient(single, point, right, h=1e-5)
    with pytest.raises(ValueError, match="does not take complex arguments"):
        check_gradient(single, point, right, method="complex step")


def hinge(v):
    return (v * (v.real > 0)).sum()


def test_kinks():
    for method in METHODS:
        assert check_gradient(hinge, [1e-7, 0.7], [1.0, 1.0], method=method).verdict == "right"
    assert check_gradient(hinge, [0.0, 0.7], [0.0, 1.0]).verdict == "right"  # by convention
    for claim, method in ((1.0, "auto"), (0.0, "central difference"), (0.5, "complex step")):
        with pytest.raises(Undecided, match=r"x\[0\]: .* f has a kink there"):
            check_gradient(hinge, [0.0, 0.7], [claim, 1.0], method=method)
    with pytest.raises(Undecided, match="f has a kink there"):
        check_gradient(lambda v: abs(v).sum(), [0.0, 0.7], [0.0, 1.0])


def test_a_complex_step_that_lies_is_found_out():
    def length(v):
        return (v * np.conj(v)).sum()

    def squared(v):
        return length(v) if np.iscomplexobj(v) else length(v).real

    point = np.array([3.0, 0.7])
    assert check_gradient(squared, point, 2 * point).verdict == "right"
    with pytest.raises(Undecided, match="differences contradict the complex step"):
        check_gradient(squared, point, 2 * point, method="complex step")
    for method in METHODS:
        with pytest.raises(GradientError, match="expected 6"):
            check_gradient(squared, point, 0 * point, method=method)


def test_a_function_that_rolls_dice():
    rng = np.random.default_rng(0)

    def dice(x):
        return float((x**2).sum().real + rng.normal())

    with pytest.raises(Undecided, match="another value when it is called again"):
        check_gradient(dice, np.ones(2), np.full(2, 2.0))


def test_a_function_that_remembers_its_calls():
    calls = []

    def worn(x):
        calls.append(x)
        return float((x**2).sum().real) + len(calls)

    with pytest.raises(Undecided, match="what it keeps from call to call"):
        check_gradient(worn, np.ones(2), np.full(2, 2.0))


def test_how_a_function_refuses_complex_numbers_is_quoted():
    def rounded(x):
        return 1e13 + float(x.sum())

    with pytest.raises(Undecided, match="does not take complex numbers: (Type|Value)Error"):
        check_gradient(rounded, np.ones(2), np.ones(2))

    def slip(x):
        return 1e13 + x.sum() if np.isrealobj(x) else undefined_name  # noqa: F821

    with pytest.raises(NameError):  # a fault of f, which is not for the judge to hide
        check_gradient(slip, np.ones(2), np.ones(2))


def test_random_gradients_of_all_kinds():
    """A few of the cases that `python -m benchmarks.gradient_checks` counts by the thousand."""
    counts, _, bad, _ = run("companion", range(30))
    assert not bad
    assert counts["right", "right"] >= 20 and counts["wrong", "wrong"] >= 10
    assert random_case(3).layers <= 20 and "companion" in JUDGES


BAD = {
    "lost step": (lambda: central_difference(np.sin, 1.0, h=1e-17), "h = 1e-17 is lost beside"),
    "large f": (lambda: check_gradient(high, X, 2 * X, method="central difference"),
                "rounding hides it: give another h, take a constant off f"),
    "complex gradient": (lambda: check_gradient(wave, X, 1j * X), "x must hold real numbers"),
    "step lost": (lambda: check_gradient(wave, X, X, h=1e-17), "h = 1e-17 is lost beside"),
    "tolerance nan": (lambda: check_gradient(wave, X, X, tolerance=np.nan), "tolerance is nan"),
    "tolerance 5": (lambda: check_gradient(wave, X, X, tolerance=5), "tolerance is 5.0: give"),
    "two outputs": (lambda: central_difference(lambda x: x, X), "f must return one real number"),
    "complex output": (lambda: central_difference(lambda x: 1j, 1.0), "one real number, got 1j"),
    "no number at all": (lambda: complex_step(lambda x: X, 1.0), "f must return one number"),
    "step 0": (lambda: central_difference(np.sin, 1.0, h=0), "h must be positive, got 0"),
    "negative step": (lambda: complex_step(np.sin, 1.0, h=-1.0), "h must be positive, got -1.0"),
    "nan": (lambda: central_difference(np.sin, np.nan), "x must hold finite real numbers"),
    "complex point": (lambda: complex_step(np.sin, 1j), "x must hold finite real numbers, got 1j"),
    "dropped": (lambda: complex_step(lambda x: float(x.real), 1.0), "drops the imaginary part"),
    "method": (lambda: check_gradient(wave, X, X, method="forward"), "give one of central"),
    "shape": (lambda: check_gradient(wave, X, X[0]), r"shape \(2, 2\), but its gradient \(2,\)"),
    "names": (lambda: check_gradient(wave, {"W": X}, {"V": X}), r"point has \['W'\], gradient"),
    "nothing": (lambda: check_gradient(wave, {}, {}), "nothing to check"),
    "empty": (lambda: check_gradient(lambda x: 0.0, X[:0], X[:0]), "nothing to check"),
    "pairs": (lambda: adjoint_gap(lambda u: u, lambda v: v, [1.0], [1.0, 2.0]), "agree in pairs"),
    "pairs, turned": (lambda: adjoint_gap(lambda u: u, lambda v: X, [1.0], [2.0]), "in pairs"),
    "zero": (lambda: adjoint_gap(lambda u: u, lambda v: v, [0.0], [2.0]), "draw them at random"),
}  # fmt: skip


@pytest.mark.parametrize("call, says", BAD.values(), ids=BAD)
def test_bad_input_is_quoted(call, says):
    with pytest.raises(ValueError, match=says):
        call()
