"""The trainer against a loop written out, against itself resumed, and against bad input."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest

import companion.train
from companion.check import relative_error
from companion.network import Network, Parameters
from companion.train import Step, classes, evaluate, threads_for, train

SIZES = [5, 7, 3]


def problem(n=23, seed=0, dtype=np.float64):
    """A network, parameters, and n examples in rows; 23 are four batches of 5 and one of 3."""
    rng = np.random.default_rng(seed)
    net = Network(SIZES, ["tanh", "softmax"], "softmax_cross_entropy")
    x, y = rng.normal(size=(n, 5)), np.eye(3)[rng.integers(0, 3, n)]
    return net, net.initial(rng=rng, dtype=dtype), (x, y)


def run(net, start, data, seed=1, **options):
    options = {"epochs": 3, "batch": 5, "eta": 0.5, **options}
    return list(train(net, start, data, rng=np.random.default_rng(seed), **options))


def plain_descent(net, p, data, epochs, batch, eta, seed=1):
    """The same descent with new arrays everywhere and nothing folded into anything."""
    x, y = data
    rng, W, b = np.random.default_rng(seed), p.W[1:], p.b[1:]
    for _ in range(epochs):
        order = rng.permutation(len(x))
        while len(order):
            rows, order = order[:batch], order[batch:]
            A0, Y, m = x[rows].T, y[rows].T, len(rows)
            A1 = np.tanh(W[0] @ A0 + b[0])
            Z2 = W[1] @ A1 + b[1]
            A2 = np.exp(Z2) / np.exp(Z2).sum(axis=0)
            D2 = A2 - Y
            D1 = (W[1].T @ D2) * (1 - A1**2)
            W = [W[0] - eta / m * (D1 @ A0.T), W[1] - eta / m * (D2 @ A1.T)]
            b = [
                b[0] - eta / m * D1.sum(1, keepdims=True),
                b[1] - eta / m * D2.sum(1, keepdims=True),
            ]
    return Parameters.of(W, b)


@pytest.mark.parametrize("batch", [1, 5, 8, 23])
def test_equals_plain_descent(batch):
    net, start, data = problem()
    before = start.vector.copy()
    trained = run(net, start, data, batch=batch)[-1].parameters
    plain = plain_descent(net, start, data, 3, batch, 0.5)
    assert relative_error(trained.vector, plain.vector) < 1e-12
    np.testing.assert_array_equal(start.vector, before)  # the caller's own stay as they were


def test_the_short_last_batch_is_divided_by_its_own_size():
    net, start, (x, y) = problem(n=10)
    steps: list[Step] = []
    run(net, start, (x, y), epochs=1, batch=8, on_step=steps.append)
    full, short = steps
    assert (len(full.rows), len(short.rows)) == (8, 2)
    moved = full.parameters - short.parameters
    trace = net.forward(full.parameters, x[short.rows].T)
    right = 0.5 * net.backward(full.parameters, trace, y[short.rows].T)
    assert relative_error(moved.vector, right.vector) < 1e-12
    assert relative_error(moved.vector, (2 / 8 * right).vector) > 0.7  # divided by the full size


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_rng_same_result_bit_for_bit(dtype):
    net, start, data = problem(dtype=dtype)
    one, two = (run(net, start, data) for _ in range(2))
    other = run(net, start, data, seed=2)
    for a, b in zip(one, two, strict=True):
        assert a.cost == b.cost
        assert a.parameters.vector.tobytes() == b.parameters.vector.tobytes()
    assert one[-1].parameters.vector.dtype == dtype
    assert one[-1].parameters.vector.tobytes() != other[-1].parameters.vector.tobytes()


def test_records_say_what_was_measured():
    net, start, data = problem()
    held_out = problem(seed=9)[2]
    records = run(net, start, data, validation=held_out)
    assert [r.epoch for r in records] == [1, 2, 3]
    for r in records:
        assert r.cost == pytest.approx(net.cost_of(r.parameters, data[0].T, data[1].T), rel=1e-14)
        answers = net.output(r.parameters, held_out[0].T).argmax(axis=0)
        assert r.accuracy == np.mean(answers == held_out[1].argmax(axis=1))
        assert r.seconds > 0
    assert records[-1].cost < records[0].cost < net.cost_of(start, data[0].T, data[1].T)
    silent = run(net, start, data, validation=held_out, measure=False)
    assert [(r.cost, r.accuracy) for r in silent] == [(None, None)] * 3
    assert silent[-1].parameters.vector.tobytes() == records[-1].parameters.vector.tobytes()
    assert run(net, start, data)[0].accuracy is None
    assert run(net, start, data, epochs=0) == []


def test_a_record_is_yours_to_keep():
    net, start, data = problem()
    records = train(net, start, data, epochs=2, batch=5, eta=0.5, rng=np.random.default_rng(1))
    first = next(records)
    first.parameters.vector[:] = 0  # must not disturb the run
    undisturbed = run(net, start, data, epochs=2)[-1]
    assert next(records).parameters.vector.tobytes() == undisturbed.parameters.vector.tobytes()


def test_early_stop_is_the_callers_break():
    net, start, data = problem()
    for record in train(
        net, start, data, epochs=500, batch=5, eta=0.5, rng=np.random.default_rng(1)
    ):
        if record.cost < 0.5:
            break
    assert 1 < record.epoch < 500 and record.cost < 0.5


def test_on_step_is_told_of_every_step():
    net, start, data = problem()
    steps: list[Step] = []
    records = run(net, start, data, epochs=2, on_step=steps.append)
    assert [(s.epoch, s.number) for s in steps] == [(e, n) for e in (1, 2) for n in range(1, 6)]
    assert [len(s.rows) for s in steps] == [5, 5, 5, 5, 3] * 2
    assert sorted(np.concatenate([s.rows for s in steps[:5]])) == list(range(23))
    before = start
    for s in steps:
        x, y = data[0][s.rows].T, data[1][s.rows].T
        gradient = net.backward(before, net.forward(before, x), y)
        assert s.cost == pytest.approx(net.cost_of(before, x, y), rel=1e-13)
        assert relative_error(s.gradient.vector, gradient.vector) < 1e-13
        assert relative_error(s.parameters.vector, (before - 0.5 * gradient).vector) < 1e-13
        before = s.parameters
    assert before.vector.tobytes() == records[-1].parameters.vector.tobytes()


def test_the_gradient_of_a_step_does_not_hang_on_eta():
    net, start, data = problem()
    steps = []
    run(net, start, data, epochs=1, batch=23, eta=1e-320, on_step=steps.append)
    gradient = net.backward(start, net.forward(start, data[0].T), data[1].T)
    assert relative_error(steps[0].gradient.vector, gradient.vector) < 1e-13


# --- momentum, weight decay, an eta that falls -------------------------------------------------

ONE = Network([1, 1], "identity", "quadratic")  # a = w x + b, C = (a - y)^2 / 2
BY_HAND = {  # from w = 1, b = 0, with x = 2, y = 1, eta = 0.1: (w, b) after one step and after two
    "plain": ({}, (0.8, -0.1), (0.7, -0.15)),
    "momentum": ({"momentum": 0.5}, (0.8, -0.1), (0.6, -0.2)),
    "decay": ({"decay": 0.5}, (0.75, -0.1), (0.6325, -0.14)),
    "both": ({"momentum": 0.5, "decay": 0.5}, (0.75, -0.1), (0.5075, -0.19)),
    "eta falls": ({"eta": lambda epoch: 0.1 / epoch}, (0.8, -0.1), (0.75, -0.125)),
}


@pytest.mark.parametrize("options, first, second", BY_HAND.values(), ids=BY_HAND)
def test_two_steps_by_hand(options, first, second):
    """First a = 2, delta = 1, dC/dw = 2, dC/db = 1. Plain, then a = 1.5 and delta = 0.5."""
    data, start = ([[2.0]], [[1.0]]), Parameters.of([[[1.0]]], [[[0.0]]])
    records = run(ONE, start, data, **{"epochs": 2, "batch": 1, "eta": 0.1, **options})
    for record, right in zip(records, (first, second), strict=True):
        assert record.parameters.vector == pytest.approx(right, rel=1e-14)
    wrong = [other[2] for name, other in BY_HAND.items() if other[0] != options]
    assert all(records[1].parameters.vector != pytest.approx(w, rel=1e-3) for w in wrong)


def test_steps_tell_the_cost_and_the_gradient_with_the_penalty():
    net, start, data = problem()
    steps: list[Step] = []
    record = run(net, start, data, epochs=1, momentum=0.9, decay=0.1, on_step=steps.append)[0]
    before, moved = start, start * 0.0
    for s in steps:
        x, y = data[0][s.rows].T, data[1][s.rows].T
        gradient = net.backward(before, net.forward(before, x), y, decay=0.1)
        assert s.cost == pytest.approx(net.cost_of(before, x, y, decay=0.1), rel=1e-13)
        assert relative_error(s.gradient.vector, gradient.vector) < 1e-13
        moved = 0.9 * moved + 0.5 * gradient
        before = before - moved
        assert relative_error(s.parameters.vector, before.vector) < 1e-13
    assert relative_error(record.velocity.vector, moved.vector) < 1e-12
    assert record.cost == pytest.approx(net.cost_of(before, data[0].T, data[1].T), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_run_goes_on_from_its_velocity(dtype):
    net, start, data = problem(dtype=dtype)
    options = {"batch": 5, "momentum": 0.9, "decay": 1e-3, "eta": lambda epoch: 0.5 / epoch}
    rng = np.random.default_rng(1)
    whole = list(train(net, start, data, epochs=4, rng=np.random.default_rng(1), **options))
    half = list(train(net, start, data, epochs=2, rng=rng, **options))[-1]
    kept = half.velocity.vector.copy()
    go_on = {"epochs": 2, "rng": rng, "done": 2, **options}
    rest = list(train(net, half.parameters, data, velocity=half.velocity, **go_on))
    for a, b in zip(rest, whole[2:], strict=True):
        assert a.parameters.vector.tobytes() == b.parameters.vector.tobytes()
        assert a.velocity.vector.tobytes() == b.velocity.vector.tobytes()
    assert rest[-1].parameters.vector.dtype == rest[-1].velocity.vector.dtype == dtype
    np.testing.assert_array_equal(half.velocity.vector, kept)  # the caller's stays as it is
    from_rest = list(train(net, half.parameters, data, velocity=half.velocity * 0.0, **go_on))
    assert relative_error(from_rest[-1].parameters.vector, rest[-1].parameters.vector) > 1e-3


def test_without_momentum_there_is_no_velocity():
    net, start, data = problem()
    assert [r.velocity for r in run(net, start, data, decay=0.1)] == [None] * 3


@pytest.mark.parametrize("eta", [-0.1, np.nan, 10**400, None, "0.1"])
def test_an_eta_that_falls_too_far_is_quoted(eta):
    net, start, data = problem()
    records = train(net, start, data, epochs=2, batch=5, rng=np.random.default_rng(1),
                    eta=lambda epoch: 0.5 if epoch == 1 else eta)  # fmt: skip
    assert next(records).epoch == 1
    with pytest.raises(ValueError, match=r"eta\(2\) must be a positive number, got"):
        next(records)


def test_one_parameter_that_overflowed_is_enough():
    net = Network([1, 1], "identity", "quadratic")
    start, data = Parameters([1, 1], np.zeros(2)), ([[1e300]], [[1e10]])
    with pytest.raises(FloatingPointError, match="overflowed in epoch 1"):
        run(net, start, data, epochs=1, batch=1, eta=1.0)


def test_a_bar_on_request_only(capfd):
    net, start, data = problem()
    run(net, start, data)
    assert capfd.readouterr() == ("", "")
    run(net, start, data, epochs=2, progress=True)
    shown = capfd.readouterr()
    assert "epoch 2" in shown.err and "step/s" in shown.err and shown.out == ""


def test_evaluate_refuses_what_does_not_fit():
    net, start, (x, y) = problem()
    other = Network([5, 3]).initial(rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"those of sizes \[5, 3\]"):
        evaluate(net, other, (x, y))
    with pytest.raises(ValueError, match=r"data x has shape \(5, 23\)"):
        evaluate(net, start, (x.T, y))


def test_evaluate_in_chunks_is_the_whole():
    net, start, (x, y) = problem(n=2500)
    found = evaluate(net, start, (x, y))
    assert found.cost == pytest.approx(net.cost_of(start, x.T, y.T), rel=1e-13)
    right = net.output(start, x.T).argmax(axis=0) == y.argmax(axis=1)
    assert found.accuracy == pytest.approx(right.mean(), rel=1e-15)


def test_a_data_set_may_have_its_arrays_as_attributes():
    net, start, (x, y) = problem()

    class Split:
        pass

    data = Split()
    data.x, data.y = x, y
    one, two = run(net, start, data)[-1], run(net, start, [x, y])[-1]
    assert one.parameters.vector.tobytes() == two.parameters.vector.tobytes()


def test_classes():
    np.testing.assert_array_equal(classes(np.array([[0.1, 0.9], [0.7, 0.2]])), [1, 0])
    np.testing.assert_array_equal(classes(np.array([[0.1, 0.9, 0.5]])), [0, 1, 0])


def signs(n=40, seed=0):
    """x and targets -1 and 1, and a network with one output that sees the sign of x_1."""
    x = np.random.default_rng(seed).normal(size=(n, 2))
    net = Network([2, 1], "tanh", "quadratic")
    return net, Parameters.of([[[0.4, 0.0]]], [[[0.0]]]), (x, np.sign(x[:, :1]))


def test_the_boundary_of_one_output_is_half_way_between_its_targets():
    net, p, (x, y) = signs()
    assert evaluate(net, p, (x, y)).accuracy == 1.0  # no output is above 1/2 where |x_1| < 1.4
    assert evaluate(net, p, (x, 0.9 * y)).accuracy == 1.0
    assert evaluate(net, p, (x, -y)).accuracy == 0.0
    assert evaluate(net, p, (x[y[:, 0] < 0], y[y < 0][:, None])).accuracy == 1.0
    yes_or_no = evaluate(net, p, (x, (y + 1) / 2)).accuracy
    high = np.tanh(0.4 * x[:, 0]) > 0.5
    assert yes_or_no == np.mean(high == (y[:, 0] > 0)) < 1
    assert run(net, p, (x, y), validation=(x, y), epochs=1, eta=1e-9)[0].accuracy == 1.0
    many = signs(n=2500)[2]  # in chunks, of which each must ask alike
    assert evaluate(net, p, (np.sort(many[0], axis=0), np.sort(many[1], axis=0))).accuracy == 1.0


def test_targets_that_are_no_classes_have_no_accuracy():
    net, p, (x, y) = signs()
    for numbers in (x[:, 1:], np.abs(y) + y, y + 0.5):
        found = evaluate(net, p, (x, numbers))
        assert found.accuracy is None and found.cost > 0
    assert run(net, p, (x, x[:, 1:]), validation=(x, x[:, 1:]), epochs=1)[0].accuracy is None
    net, p, (x, y) = problem()
    assert evaluate(net, p, (x, y)).accuracy is not None
    assert evaluate(net, p, (x, np.full_like(y, 1 / 3))).accuracy is None


def test_threads_are_few_for_small_products_and_as_told_for_any(monkeypatch):
    monkeypatch.setattr(companion.train, "CORES", 8)
    assert threads_for(Network([784, 100, 10]), 32) == 1
    assert threads_for(Network([784, 512, 512, 10]), 128) == 8
    net, start, data = problem()
    events = []

    @contextmanager
    def limit(limits):
        events.append(limits)
        yield
        events.append("end")

    monkeypatch.setattr(companion.train.BLAS, "limit", limit)
    options = {"batch": 23, "eta": 0.5, "on_step": lambda _: events.append("step")}
    records = train(net, start, data, epochs=2, rng=np.random.default_rng(1), **options)
    next(records)
    assert events == [1, "step", "end"]  # nothing is limited while the caller has the record
    run(net, start, data, epochs=1, threads=5, **options)
    assert events[3:] == [5, "step", "end"]


def test_numpy_gets_its_threads_back():
    pools = companion.train.BLAS.lib_controllers
    before = [pool.num_threads for pool in pools]
    net, start, data = problem()
    run(net, start, data, epochs=1, threads=1 + max(before, default=1))
    assert [pool.num_threads for pool in pools] == before


@pytest.mark.parametrize("first_out", ["first in", "last in"])
def test_two_runs_at_once_leave_the_threads_as_they_were(first_out):
    pools = companion.train.BLAS.lib_controllers
    before = [pool.num_threads for pool in pools]
    other = 1 + max(before, default=1)
    net, start, data = problem()
    inside, leave = ([threading.Event(), threading.Event()] for _ in range(2))

    def one_run(which):
        def on_step(_):
            inside[which].set()
            leave[which].wait(60)

        return run(net, start, data, epochs=1, threads=other + which, on_step=on_step)

    with ThreadPoolExecutor() as executor:
        runs = []
        for which in (0, 1):
            runs.append(executor.submit(one_run, which))
            inside[which].wait(60)
        assert all(pool.num_threads == other for pool in pools)
        for which in (0, 1) if first_out == "first in" else (1, 0):
            leave[which].set()
            runs[which].result()
    assert [pool.num_threads for pool in pools] == before


def test_data_take_the_precision_of_the_parameters():
    net, start, (x, y) = problem(dtype=np.float32)
    wide, narrow = (run(net, start, (x.astype(t), y.astype(int)))[-1] for t in ("f8", "f4"))
    assert wide.parameters.vector.tobytes() == narrow.parameters.vector.tobytes()
    seen = []
    run(net, start, (x, y), epochs=1, eta=np.float64(0.5), on_step=seen.append)
    assert seen[0].gradient.vector.dtype == np.float32


def test_steps_that_are_too_long_are_said_to_be():
    rng = np.random.default_rng(0)
    net = Network([5, 7, 3], ["relu", "identity"], "quadratic")
    x, y = problem()[2]
    with pytest.raises(FloatingPointError, match="overflowed in epoch 1: eta = 1e[+]80"):
        run(net, net.initial(rng=rng), (x, y), eta=1e80, epochs=9)


# --- bad input ---------------------------------------------------------------------------------

NET, START, (X, Y) = problem()
BAD = {
    "columns given": ({"data": (X.T, Y)}, r"training x has shape \(5, 23\), .* so give x.T"),
    "width": ({"data": (X[:, :4], Y)}, r"training x has shape \(23, 4\), expected \(N, 5\)$"),
    "labels for one-hot": ({"data": (X, Y.argmax(1))}, r"training y has shape \(23,\)"),
    "labels, width": ({"data": (X, Y.argmax(1))}, r"data.one_hot\(y, \d\) makes targets"),
    "counts": ({"data": (X, Y[:7])}, "23 examples x and 7 targets y"),
    "no examples": ({"data": (X[:0], Y[:0])}, "at least one example"),
    "not shares": ({"data": (X, 2 * Y)}, "softmax_cross_entropy needs targets between 0 and 1"),
    "validation": ({"validation": (X[:, :1], Y)}, "validation x has shape"),
    "batch 0": ({"batch": 0}, "batch must be at least 1, got 0"),
    "batch too large": ({"batch": 24}, "batch is 24, but there are only 23"),
    "epochs": ({"epochs": -1}, "epochs must be at least 0, got -1"),
    "eta 0": ({"eta": 0}, "eta must be a positive number, got 0"),
    "eta nan": ({"eta": np.nan}, "eta must be a positive number, got nan"),
    "eta array": ({"eta": X}, "eta must be a positive number"),
    "eta text": ({"eta": "0.5"}, "eta must be a positive number, got '0.5'"),
    "eta beyond floats": ({"eta": 10**400}, "eta must be a positive number, got 10000"),
    "eta below floats": ({"eta": Fraction(1, 10**400)}, "eta must be a positive number, got Fract"),
    "momentum 1": ({"momentum": 1}, "momentum must be 0, or between 0 and 1, got 1"),
    "momentum, huge": ({"momentum": 10**400}, "momentum must be 0, or between 0 and 1, got 100"),
    "momentum nan": ({"momentum": np.nan}, "momentum must be 0, or between 0 and 1, got nan"),
    "decay": ({"decay": -0.1}, "decay must be 0 or a positive number, got -0.1"),
    "decay, huge": ({"decay": 10**400}, "decay must be 0 or a positive number, got 1000"),
    "decay text": ({"decay": "l2"}, "decay must be 0 or a positive number, got 'l2'"),
    "velocity alone": ({"velocity": START}, "velocity is given and momentum is 0"),
    "velocity, size": ({"velocity": Parameters([1, 1], np.zeros(2)), "momentum": 0.5}, "sizes"),
    "velocity forgotten": ({"momentum": 0.5, "done": 3}, "done is 3: give velocity=record.vel"),
    "too many threads": ({"threads": 10**400}, "threads must be at most 1024, got 1000"),
    "swapped": ({"data": (Y, X)}, r"training x has shape \(23, 3\) and y \(23, 5\).*swapped"),
    "eta true": ({"eta": True}, "eta must be a positive number, got True"),
    "nan": ({"start": START * np.nan}, r"the vector of parameters\[0\] is nan"),
    "data nan": ({"data": (X * np.nan, Y)}, r"training x\[0, 0\] is nan"),
    "threads": ({"threads": -1}, "threads must be at least 1, got -1"),
    "no threads": ({"threads": 0}, "threads must be at least 1, got 0"),
    "complex": ({"start": Parameters(SIZES, START.vector.astype(complex))}, "got complex128"),
    "network": ({"start": Network([5, 3]).initial(rng=np.random.default_rng(0))}, r"sizes \[5, 3"),
}


@pytest.mark.parametrize("change, says", BAD.values(), ids=BAD)
def test_bad_input_is_quoted_before_the_first_step(change, says):
    change = dict(change)
    start, data = change.pop("start", START), change.pop("data", (X, Y))
    options = {"epochs": 1, "batch": 5, "eta": 0.5, "rng": np.random.default_rng(0), **change}
    with pytest.raises(ValueError, match=says):
        train(NET, start, data, **options)


WRONG_TYPES = {
    "seed": ({"rng": 7}, "rng must be a numpy Generator, got 7"),
    "half a batch": ({"batch": 2.5}, "batch must be a whole number, got 2.5"),
    "yes": ({"epochs": True}, "epochs must be a whole number, got True"),
    "on_step": ({"on_step": "print"}, "on_step must be a function of one Step, got 'print'"),
    "data": ({"data": 3}, r"training must be a pair \(x, y\) of arrays .*, got 3"),
    "complex data": ({"data": (X + 1j, Y)}, "training x is complex"),
    "three": ({"data": (X, Y, Y)}, r"training must be a pair \(x, y\)"),
    "text": ({"data": ("ab", "cd")}, "training x must hold numbers"),
}


@pytest.mark.parametrize("change, says", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_wrong_types_are_quoted_before_the_first_step(change, says):
    change = dict(change)
    data = change.pop("data", (X, Y))
    options = {"epochs": 1, "batch": 5, "eta": 0.5, "rng": np.random.default_rng(0), **change}
    with pytest.raises(TypeError, match=says):
        train(NET, START, data, **options)
