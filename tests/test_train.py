"""The trainer against a loop written out, against itself resumed, and against bad input."""

import json
import os
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest

import companion.train
from companion.activations import Sigmoid
from companion.check import relative_error
from companion.costs import Quadratic
from companion.network import Network, Parameters
from companion.train import Step, classes, evaluate, load, save, threads_for, train

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


# --- save and resume ---------------------------------------------------------------------------


@pytest.mark.parametrize("bits", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_resumed_is_bit_for_bit_uninterrupted(tmp_path, bits):
    rng = np.random.Generator(getattr(np.random, bits)(3))
    net = Network(SIZES, ["leaky_relu(0.2)", "softmax"], "softmax_cross_entropy")
    start, data = net.initial(rng=rng, dtype="float32"), problem()[2]
    options = {"batch": 5, "eta": 0.5, "validation": data}
    state = rng.bit_generator.state
    whole = list(train(net, start, data, epochs=5, rng=rng, **options))

    rng.bit_generator.state = state
    for record in train(net, start, data, epochs=5, rng=rng, **options):
        if record.epoch == 2:
            save(tmp_path / "run.npz", net, record)
            break
    saved = load(tmp_path / "run.npz")
    rest = list(train(saved.network, saved.record.parameters, data, epochs=3, rng=saved.rng,
                      done=saved.record.epoch, **options))  # fmt: skip

    assert repr(saved.network) == repr(net)
    assert saved.record[:4] == record[:4]
    assert [r.epoch for r in rest] == [3, 4, 5]
    for a, b in zip(rest, whole[2:], strict=True):
        assert (a.cost, a.accuracy) == (b.cost, b.accuracy)
        assert a.parameters.vector.tobytes() == b.parameters.vector.tobytes()


@pytest.fixture
def saved(tmp_path):
    net, start, data = problem()
    path = tmp_path / "run.npz"
    save(path, net, run(net, start, data, epochs=1)[0])
    return path


def rewritten(path, **changes):
    """The file with parts of what it says about itself changed."""
    with np.load(path) as arrays:
        about, vector = json.loads(str(arrays["about"])), arrays["vector"]
    vector = changes.pop("vector", vector)
    np.savez(path, about=np.array(json.dumps({**about, **changes})), vector=vector)


DAMAGE = {
    "empty": lambda p: p.write_bytes(b""),
    "text": lambda p: p.write_text("W1 = 3"),
    "truncated": lambda p: p.write_bytes(p.read_bytes()[:-40]),
    "a bit flipped": lambda p: p.write_bytes(
        (b := p.read_bytes())[: len(b) // 2] + bytes([b[len(b) // 2] ^ 1]) + b[len(b) // 2 + 1 :]),
    "another npz": lambda p: np.savez(p, theta=np.zeros(3)),
    "an npy": lambda p: (np.save(p.with_suffix(".npy"), X), p.with_suffix(".npy").replace(p)),
    "pickled": lambda p: np.savez(p, about=np.array([{}], dtype=object), vector=np.zeros(3)),
    "a zip": lambda p: zipfile.ZipFile(p, "w").close(),
    "a later format": lambda p: rewritten(p, format="companion.train 2"),
    "sizes that do not fit": lambda p: rewritten(p, sizes=[5, 8, 3]),
    "no such activation": lambda p: rewritten(p, activations=["tanh", "swish"]),
    "no such generator": lambda p: rewritten(p, rng_state={"bit_generator": "os.system"}),
    "half a generator": lambda p: rewritten(p, rng_state={"bit_generator": "PCG64"}),
    "numbers missing": lambda p: rewritten(p, vector=np.zeros(3)),
    "nan": lambda p: rewritten(p, vector=np.full(66, np.nan)),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_or_foreign_file_is_refused(saved, damage):
    load(saved)
    damage(saved)
    with pytest.raises(ValueError, match="run.npz is damaged, or was not written by companion"):
        load(saved)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.npz"):
        load(tmp_path / "nothing.npz")


def test_a_save_that_fails_leaves_the_old_file(saved, monkeypatch):
    net, start, data = problem()
    old = saved.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save(saved, net, run(net, start, data, epochs=1)[0])
    assert saved.read_bytes() == old
    assert os.listdir(saved.parent) == ["run.npz"]


def test_a_record_of_another_network_is_not_saved(tmp_path):
    net, start, data = problem()
    with pytest.raises(ValueError, match=r"those of sizes \[5, 7, 3\]"):
        save(tmp_path / "run.npz", Network([5, 3]), run(net, start, data, epochs=1)[0])
    assert os.listdir(tmp_path) == []


def test_what_load_could_not_name_is_not_saved(tmp_path):
    class Swish(Sigmoid):
        name = "swish"

    class MySigmoid(Sigmoid):
        """Another function under a known name."""

    _, _, data = problem()
    for sigma in (Swish(), MySigmoid()):
        net = Network(SIZES, sigma, "quadratic")
        record = run(net, net.initial(rng=np.random.default_rng(0)), data, epochs=1)[0]
        with pytest.raises(ValueError, match="cannot be saved"):
            save(tmp_path / "run.npz", net, record)

    class Halved(Quadratic):
        """Another cost under a known name."""

    net = Network(SIZES, "sigmoid", Halved())
    record = run(net, net.initial(rng=np.random.default_rng(0)), data, epochs=1)[0]
    with pytest.raises(ValueError, match="quadratic cannot be saved"):
        save(tmp_path / "run.npz", net, record)
    assert os.listdir(tmp_path) == []


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
