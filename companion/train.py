"""Stochastic gradient descent: walk downhill, one minibatch at a time.

    formula                              code                            in words
    theta <- theta - eta dC/dtheta       theta.vector -= step.vector     one step downhill
    C = (1/m) sum_x C_x                  costs.py divides by m           of this minibatch
    an epoch                             rng.permutation(len(x))         every example once

`train` yields one record per epoch, so a notebook, a script and a test use the same loop: print
a record, plot it, or `break` when it is good enough. It prints and plots nothing itself.

Data sets hold one example per row, x (N, n_0) and y (N, n_L); a minibatch of rows, gathered into
one reused array, is handed to the network transposed, which is a view and costs nothing.
"""

from __future__ import annotations

import json
import os
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from companion._inputs import generator, numbers, whole_number
from companion.activations import activation_named
from companion.costs import cost_named
from companion.network import Network, Parameters, real_dtype

BLAS = ThreadpoolController().select(user_api="blas")  # the threads of NumPy's matrix products
CORES = max((pool.num_threads for pool in BLAS.lib_controllers), default=1)
WORTH_THREADS = 30_000_000  # multiplications in one product
CHUNK = 1000  # examples that `evaluate` sends through at once
FORMAT = "companion.train 1"
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, EOFError, OSError,
              zipfile.BadZipFile, zlib.error)  # fmt: skip
BIT_GENERATORS = {
    name: getattr(np.random, name) for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
}


class Record(NamedTuple):
    """What is known at the end of an epoch.

    epoch       1 for the first
    cost        C over all training examples, with the parameters that the epoch ended with
    accuracy    share of the validation examples put into the right class, or None without them
    seconds     spent in the steps of this epoch; measuring `cost` and `accuracy` is not counted
    parameters  a copy: yours to keep
    rng_state   of the generator, after the epoch; `save` needs it
    """

    epoch: int
    cost: float | None
    accuracy: float | None
    seconds: float
    parameters: Parameters
    rng_state: dict


class Step(NamedTuple):
    """What `on_step` is told after each step.

    epoch, number   the epoch from 1, and the step within it from 1
    rows            which examples the minibatch held: shape (m,)
    cost            C over the minibatch, before the step
    gradient        of that cost; a copy
    parameters      after the step; a copy
    """

    epoch: int
    number: int
    rows: np.ndarray
    cost: float
    gradient: Parameters
    parameters: Parameters


def train(
    network: Network,
    parameters: Parameters,
    training,
    *,
    epochs: int,
    batch: int,
    eta: float,
    rng: np.random.Generator,
    validation=None,
    done: int = 0,
    measure: bool = True,
    on_step: Callable[[Step], None] | None = None,
    progress: bool = False,
    threads: int | None = None,
) -> Iterator[Record]:
    """Train from `parameters`, which stay as they are, and yield a Record after each epoch.

    training    (x, y), or anything with these attributes, such as `data.Split`; one example per
                row, x (N, n_0) and y (N, n_L). Converted once to the parameters' precision
                where they have another; else not copied, so leave them as they are
    epochs      how many to run from here; `done` were run before, and only shift the numbering
    batch       examples in a minibatch; what is left over at the end of an epoch makes a short
                one, divided by its own size. At most N.
    eta         learning rate
    rng         shuffles; same rng, data, parameters and threads, same result, bit for bit on one
                machine
    validation  the same, for the accuracy
    measure     False leaves cost and accuracy None and saves their forward passes
    on_step     called after every step, under the thread limit and with NumPy's warnings off; it
                pays for the copies it gets
    progress    True shows a bar (tqdm)
    threads     for the matrix products; by default see `threads_for`

    Raises TypeError or ValueError for bad input before the first step, and FloatingPointError at
    the end of an epoch whose steps were so long that the parameters overflowed.

    >>> net = Network([2, 4, 1], ["tanh", "sigmoid"], "cross_entropy")
    >>> x, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
    >>> rng = np.random.default_rng(1)
    >>> start = net.initial(rng=rng)
    >>> for record in train(net, start, (x, y), epochs=2000, batch=4, eta=1.0, rng=rng):
    ...     if record.cost < 0.01:
    ...         break
    >>> net.output(record.parameters, x.T).round(1)
    array([[0., 1., 1., 0.]])
    """
    network.check_parameters(parameters)
    theta = parameters.copy()
    dtype = real_dtype(theta.vector.dtype)
    x, y = examples("training", training, network, dtype)
    held_out = None if validation is None else examples("validation", validation, network, dtype)
    epochs, done = whole_number("epochs", epochs, 0), whole_number("done", done, 0)
    batch = whole_number("batch", batch, 1)
    if batch > len(x):
        raise ValueError(f"batch is {batch}, but there are only {len(x)} training examples")
    if isinstance(eta, bool) or not isinstance(eta, Real) or not 0 < eta < np.inf:
        raise ValueError(f"eta must be a positive number, got {eta!r}")
    eta = float(eta)
    rng = generator(rng)
    if on_step is not None and not callable(on_step):
        raise TypeError(f"on_step must be a function of one Step, got {on_step!r}")
    threads = threads_for(network, batch) if threads is None else threads
    threads = whole_number("threads", threads, 1)
    batches = range(0, len(x), batch)
    room = {m: _Room(network, m, dtype) for m in {batch, len(x) % batch} if m}
    step = Parameters(theta.sizes, np.empty_like(theta.vector))  # eta times the gradient

    def one_epoch(epoch):
        order = rng.permutation(len(x))
        for number, start in enumerate(_bar(batches, epoch) if progress else batches, 1):
            before = theta.copy() if on_step else None
            rows = order[start : start + batch]
            trace, targets, errors = room[len(rows)].gather(x, y, rows)
            network.propagate(theta, trace)
            network.back_propagate(theta, trace, targets, errors, step, scale=eta)
            theta.vector -= step.vector
            if on_step:
                cost = network.cost_at(trace, targets)
                gradient = network.backward(before, trace, targets)
                on_step(Step(epoch, number, rows, cost, gradient, theta.copy()))

    def records():
        for epoch in range(done + 1, done + epochs + 1):
            cost = accuracy = None
            with BLAS.limit(limits=threads), np.errstate(all="ignore"):
                started = time.perf_counter()
                one_epoch(epoch)
                seconds = time.perf_counter() - started
                if not np.isfinite(theta.vector).all():
                    raise FloatingPointError(
                        f"the parameters overflowed in epoch {epoch}: eta = {eta} takes steps "
                        "that are too long, try a smaller one"
                    )
                if measure:
                    cost = evaluate(network, theta, (x, y)).cost
                if measure and held_out is not None:
                    accuracy = evaluate(network, theta, held_out).accuracy
            state = rng.bit_generator.state
            yield Record(epoch, cost, accuracy, seconds, theta.copy(), state)

    return records()


class _Room:
    """The arrays that the steps with a minibatch of m examples use again and again."""

    def __init__(self, network: Network, m: int, dtype):
        self.x = np.empty((m, network.sizes[0]), dtype)
        self.y = np.empty((m, network.sizes[-1]), dtype)
        self.trace, self.errors = network.new_trace(m, dtype), network.new_errors(m, dtype)
        self.trace.a[0] = self.x.T

    def gather(self, x, y, rows):
        """Copy the examples `rows` here; with mode "clip", `take` writes without a detour."""
        x.take(rows, axis=0, out=self.x, mode="clip")
        y.take(rows, axis=0, out=self.y, mode="clip")
        return self.trace, self.y.T, self.errors


class Evaluation(NamedTuple):
    """The cost C over a data set, and the share of its examples put into the right class."""

    cost: float
    accuracy: float


@np.errstate(over="ignore")
def evaluate(network: Network, parameters: Parameters, data) -> Evaluation:
    """Cost and accuracy on data = (x, y), one example per row, x (N, n_0) and y (N, n_L).

    The class of an example is the place of its largest output, argmax_j a^L_j. A network with one
    output answers yes or no: a^L > 1/2.
    """
    network.check_parameters(parameters)
    x, y = examples("data", data, network, parameters.vector.dtype)
    cost, right = 0.0, 0
    for start in range(0, len(x), CHUNK):
        trace = network.new_trace(len(x[start : start + CHUNK]), x.dtype)
        trace.a[0], targets = x[start : start + CHUNK].T, y[start : start + CHUNK].T
        network.propagate(parameters, trace)
        cost += network.cost_at(trace, targets) * targets.shape[1]
        right += int((classes(trace.a[-1]) == classes(targets)).sum())
    return Evaluation(cost / len(x), right / len(x))


def classes(a: np.ndarray) -> np.ndarray:
    """The class (m,) that each column of outputs or targets a (n_L, m) stands for."""
    return a.argmax(axis=0) if len(a) > 1 else (a[0] > 0.5).astype(int)


def threads_for(network: Network, batch: int) -> int:
    """How many threads `train` gives the matrix products, where it is not told.

    One, unless the largest product has more than 30 million multiplications: below that the
    threads spend longer waiting for each other than they save. Above, as many as the library of
    the matrix products chose when it was loaded: one for each core, or what
    OPENBLAS_NUM_THREADS or its like says.
    """
    largest = max(n * below for below, n in pairwise(network.sizes)) * batch
    return CORES if largest > WORTH_THREADS else 1


def examples(name: str, data, network: Network, dtype) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of a data set as arrays of `dtype`, one example per row, that fit `network`."""
    pair = (data.x, data.y) if hasattr(data, "x") and hasattr(data, "y") else data
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(
            f"{name} must be a pair (x, y) of arrays with one example per row, or have them as "
            f"attributes, got {data!r:.60}"
        )
    x, y = pair
    x, y = numbers(f"{name} x", x, dtype), numbers(f"{name} y", y, dtype)
    for letter, array, width in (("x", x, network.sizes[0]), ("y", y, network.sizes[-1])):
        if array.ndim != 2 or array.shape[1] != width:
            way = ""
            if array.ndim == 2 and array.shape[0] == width:
                way = f": a data set holds one example per row, so give {letter}.T"
            elif array.ndim == 1 and letter == "y":
                labels = f"are they labels? data.one_hot(y, {width}) makes targets of them"
                way = ": give y[:, None]" if width == 1 else f": {labels}"
            raise ValueError(f"{name} {letter} has shape {array.shape}, expected (N, {width}){way}")
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(
            f"{name} has {len(x)} examples x and {len(y)} targets y: "
            "give one target for every example, and at least one example"
        )
    network.cost.check_targets(y.T)
    return x, y


# --- save and resume ---------------------------------------------------------------------------


class Saved(NamedTuple):
    """What `load` brings back: train(saved.network, saved.record.parameters, .., rng=saved.rng)."""

    network: Network
    record: Record
    rng: np.random.Generator


def save(path, network: Network, record: Record) -> None:
    """Write a network and a record of its training into one .npz file, without pickle.

    The file appears under its name whole or not at all. Resumed from it, a run goes on bit for
    bit as if it had never stopped.
    """
    about = {
        "format": FORMAT,
        "sizes": network.sizes,
        "activations": [_saveable(s, activation_named) for s in network.sigma[1:]],
        "cost": _saveable(network.cost, cost_named),
        "epoch": record.epoch,
        "measured": [record.cost, record.accuracy, record.seconds],
        "rng_state": record.rng_state,
    }
    network.check_parameters(record.parameters)
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            text = json.dumps(about, default=lambda array: array.tolist())
            np.savez(file, about=np.array(text), vector=record.parameters.vector)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load(path) -> Saved:
    """Read what `save` wrote.

    Raises FileNotFoundError, and ValueError for a file that is damaged or of another origin.

    saved = load("run.npz")
    train(saved.network, saved.record.parameters, .., rng=saved.rng, done=saved.record.epoch)
    """
    with open(path, "rb") as file:  # a missing file says so itself
        try:
            with np.load(file, allow_pickle=False) as arrays:
                about, vector = json.loads(str(arrays["about"])), arrays["vector"]
            if about["format"] != FORMAT:
                raise ValueError(f"it says {about['format']!r}, not {FORMAT!r}")
            activations = [activation_named(name) for name in about["activations"]]
            network = Network(about["sizes"], activations, about["cost"])
            parameters = Parameters(network.sizes, numbers("vector", vector))
            state = about["rng_state"]
            rng = np.random.Generator(BIT_GENERATORS[state["bit_generator"]]())
            rng.bit_generator.state = state
            cost, accuracy, seconds = about["measured"]
            state = dict(rng.bit_generator.state)
            record = Record(about["epoch"], cost, accuracy, seconds, parameters, state)
        except UNREADABLE as reason:
            raise ValueError(
                f"{path} is damaged, or was not written by companion.train.save "
                f"({type(reason).__name__}: {reason}): take an earlier copy, or train anew"
            ) from reason
    return Saved(network, record, rng)


def _saveable(thing, named) -> str:
    """The name of an activation or cost, if `load` will find the same one by it."""
    try:
        known = type(named(thing.name)) is type(thing)
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"{thing!r} cannot be saved: load would not know it by its name")
    return thing.name


def _bar(batches, epoch):
    """The batches of an epoch behind a progress bar, for a notebook or a terminal."""
    from tqdm.auto import tqdm

    return tqdm(batches, desc=f"epoch {epoch}", unit="step", leave=False)
