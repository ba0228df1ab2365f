"""Stochastic gradient descent: walk downhill, one minibatch at a time.

    formula                              code                            in words
    theta <- theta - eta dC/dtheta       theta.vector -= step.vector     one step downhill
    step <- mu step + eta dC/dtheta      step.vector *= momentum, ..     with momentum mu
    dC/dW^l + lambda W^l                 .. eta * decay * theta.weights  with weight decay lambda
    C = (1/m) sum_x C_x                  costs.py divides by m           of this minibatch
    an epoch                             rng.permutation(len(x))         every example once

`train` yields one record per epoch, so a notebook, a script and a test use the same loop: print
a record, plot it, or `break` when it is good enough. It prints and plots nothing itself.

Data sets hold one example per row, x (N, n_0) and y (N, n_L); a minibatch of rows, gathered into
one reused array, is handed to the network transposed, which is a view and costs nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from companion._inputs import generator, numbers, positive, real_number, whole_number
from companion.costs import penalty
from companion.network import Network, Parameters, check_decay, real_dtype

BLAS = ThreadpoolController().select(user_api="blas")  # the threads of NumPy's matrix products
LIMITED = threading.Lock()  # held by the run that has set them
CORES = max((pool.num_threads for pool in BLAS.lib_controllers), default=1)
WORTH_THREADS = 30_000_000  # multiplications in one product
CHUNK = 1000  # examples that `evaluate` sends through at once
MOST_THREADS = 1024  # that anyone may ask for


class Record(NamedTuple):
    """What is known at the end of an epoch.

    epoch       1 for the first
    cost        C over all training examples, with the parameters that the epoch ended with, and
                without the penalty of weight decay
    accuracy    share of the validation examples put into the right class, or None without them
                and where their targets are no classes (see `evaluate`)
    seconds     spent in the steps of this epoch; measuring `cost` and `accuracy` is not counted
    parameters  a copy: yours to keep
    rng_state   of the generator, after the epoch; `save` needs it
    velocity    the last step, which momentum carries on; a copy, or None without momentum
    """

    epoch: int
    cost: float | None
    accuracy: float | None
    seconds: float
    parameters: Parameters
    rng_state: dict
    velocity: Parameters | None = None


class Step(NamedTuple):
    """What `on_step` is told after each step.

    epoch, number   the epoch from 1, and the step within it from 1
    rows            which examples the minibatch held: shape (m,)
    cost            C over the minibatch, before the step, and with the penalty of weight decay
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
    eta: float | Callable[[int], float],
    rng: np.random.Generator,
    momentum: float = 0.0,
    decay: float = 0.0,
    validation=None,
    done: int = 0,
    velocity: Parameters | None = None,
    measure: bool = True,
    on_step: Callable[[Step], None] | None = None,
    progress: bool = False,
    threads: int | None = None,
) -> Iterator[Record]:
    """Train from `parameters`, which stay as they are, and yield a Record after each epoch.

    training    (x, y), or anything with these attributes, such as `data.Split`; one example per
                row, x (N, n_0) and y (N, n_L). Converted once to the parameters' precision
                where they have another; else not copied, so leave them as they are
    epochs      how many to run from here; `done` were run before, and shift the numbering
    batch       examples in a minibatch; what is left over at the end of an epoch makes a short
                one, divided by its own size. At most N.
    eta         learning rate; or a function of the epoch, counted from 1, that returns it
    momentum    mu in [0, 1): a step is mu times the one before plus eta dC/dtheta, and the first
                one starts from rest, or from `velocity`, that of the record from which to go on
                (Rumelhart, Hinton and Williams, Learning representations by back-propagating
                errors, 1986, eq. 9: their step has the other sign)
    decay       lambda: descend C + lambda/2 sum_l ||W^l||^2 (`costs.penalty`), whose gradient has
                lambda W^l more, and nothing more for the biases
    rng         shuffles; same rng, data, parameters and threads, same result, bit for bit on one
                machine
    validation  the same, for the accuracy
    measure     False leaves cost and accuracy None and saves their forward passes
    on_step     called after every step, under the thread limit and with NumPy's warnings off; it
                pays for the copies it gets
    progress    True shows a bar (tqdm)
    threads     for the matrix products; by default see `threads_for`. The limit is the process's:
                of runs in several threads at once, the first to begin its epoch decides

    Raises TypeError or ValueError for bad input before the first step, and FloatingPointError at
    the end of an epoch whose steps were so long that the parameters overflowed. What the function
    `eta` returns is judged at the start of its epoch.

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
    rate_of = eta if callable(eta) else None
    eta = None if rate_of else positive("eta", eta)
    momentum = real_number("momentum", momentum, "0, or between 0 and 1", lambda mu: 0 <= mu < 1)
    decay = check_decay(decay)
    _check_velocity(network, velocity, momentum, done)
    rng = generator(rng)
    if on_step is not None and not callable(on_step):
        raise TypeError(f"on_step must be a function of one Step, got {on_step!r}")
    threads = threads_for(network, batch) if threads is None else threads
    threads = whole_number("threads", threads, 1, MOST_THREADS)
    batches = range(0, len(x), batch)
    room = {m: _Room(network, m, dtype) for m in {batch, len(x) % batch} if m}
    downhill = theta * 0.0  # eta times the gradient
    step = downhill  # what is subtracted: the same, but with momentum
    if momentum:
        step = downhill.copy() if velocity is None else velocity.astype(dtype)

    def one_epoch(epoch, eta):
        order = rng.permutation(len(x))
        for number, start in enumerate(_bar(batches, epoch) if progress else batches, 1):
            before = theta.copy() if on_step else None
            rows = order[start : start + batch]
            trace, targets, errors = room[len(rows)].gather(x, y, rows)
            network.propagate(theta, trace)
            network.back_propagate(theta, trace, targets, errors, downhill, scale=eta)
            if decay:
                downhill.weights += (eta * decay) * theta.weights
            if momentum:
                step.vector *= momentum
                step.vector += downhill.vector
            theta.vector -= step.vector
            if on_step:
                cost = network.cost_at(trace, targets) + penalty(before.weights, decay)
                gradient = network.backward(before, trace, targets, decay=decay)
                on_step(Step(epoch, number, rows, cost, gradient, theta.copy()))

    def records():
        for epoch in range(done + 1, done + epochs + 1):
            cost = accuracy = None
            rate = positive(f"eta({epoch})", rate_of(epoch)) if rate_of else eta
            with blas_threads(threads), np.errstate(all="ignore"):
                started = time.perf_counter()
                one_epoch(epoch, rate)
                seconds = time.perf_counter() - started
                if not np.isfinite(theta.vector).all():
                    raise FloatingPointError(
                        f"the parameters overflowed in epoch {epoch}: eta = {rate} takes "
                        "steps that are too long, try a smaller one"
                    )
                if measure:
                    cost = evaluate(network, theta, (x, y)).cost
                if measure and held_out is not None:
                    accuracy = evaluate(network, theta, held_out).accuracy
            state = rng.bit_generator.state
            last = step.copy() if momentum else None
            yield Record(epoch, cost, accuracy, seconds, theta.copy(), state, last)

    return records()


def _check_velocity(network, velocity, momentum, done):
    if velocity is not None:
        network.check_parameters(velocity)
        if not momentum:
            raise ValueError("velocity is given and momentum is 0: give both, or neither")
    elif momentum and done:
        raise ValueError(
            f"momentum carries on what the epochs before left, and done is {done}: give "
            "velocity=record.velocity, or parameters * 0.0 to start from rest"
        )


@contextmanager
def blas_threads(threads: int):
    """A limit on the threads of matrix products, which is the whole process's, for a `with`.

    Of runs that overlap in one process the first to come sets it and puts back what it found; the
    others leave it alone, as two that restore what they found would restore each other's.
    """
    if LIMITED.acquire(blocking=False):
        try:
            with BLAS.limit(limits=threads):
                yield
        finally:
            LIMITED.release()
    else:
        yield


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
    """The cost C over a data set, and the share of its examples put into the right class.

    `accuracy` is None where the targets are no classes.
    """

    cost: float
    accuracy: float | None


@np.errstate(over="ignore")
def evaluate(network: Network, parameters: Parameters, data) -> Evaluation:
    """Cost and accuracy on data = (x, y), one example per row, x (N, n_0) and y (N, n_L).

    The class of an example is the place of its largest output, argmax_j a^L_j. A network with one
    output answers yes or no: by a^L > 1/2 where all targets are in 0..1, by the sign of a^L where
    they are -1 and 1. Other single targets, and those with two equal largest ones, are no classes.
    """
    network.check_parameters(parameters)
    x, y = examples("data", data, network, parameters.vector.dtype)
    cost, right, boundary = 0.0, 0, _boundary(y)
    for start in range(0, len(x), CHUNK):
        trace = network.new_trace(len(x[start : start + CHUNK]), x.dtype)
        trace.a[0], targets = x[start : start + CHUNK].T, y[start : start + CHUNK].T
        network.propagate(parameters, trace)
        cost += network.cost_at(trace, targets) * targets.shape[1]
        if boundary is not None:
            right += int((classes(trace.a[-1], boundary) == classes(targets, boundary)).sum())
    return Evaluation(cost / len(x), None if boundary is None else right / len(x))


def classes(a: np.ndarray, boundary: float = 0.5) -> np.ndarray:
    """The class (m,) that each column of outputs or targets a (n_L, m) stands for.

    A single output is 1 above the `boundary`, else 0: 1/2 for targets 0 and 1, 0 for -1 and 1.
    """
    return a.argmax(axis=0) if len(a) > 1 else (a[0] > boundary).astype(int)


def _boundary(y) -> float | None:
    """Where one output turns from no to yes, for targets y (N, n_L); None if they are no classes.

    Of several outputs the largest counts, and the boundary is not asked for.
    """
    if y.shape[1] > 1:
        ties = (y == y.max(axis=1, keepdims=True)).sum(axis=1) > 1
        return None if ties.any() else 0.5
    if y.min() >= 0 and y.max() <= 1:
        return 0.5
    return 0.0 if (abs(y) == abs(y[0])).all() else None


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
    x, y = numbers(f"{name} x", pair[0], dtype), numbers(f"{name} y", pair[1], dtype)
    n_0, n_L = network.sizes[0], network.sizes[-1]
    if n_0 != n_L and x.shape[1:] == (n_L,) and y.shape[1:] == (n_0,):
        raise ValueError(
            f"{name} x has shape {x.shape} and y {y.shape}, expected (N, {n_0}) and (N, {n_L}): "
            "they are swapped, give (x, y)"
        )
    for letter, array, width in (("x", x, n_0), ("y", y, n_L)):
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


def _bar(batches, epoch):
    """The batches of an epoch behind a progress bar, for a notebook or a terminal."""
    from tqdm.auto import tqdm

    return tqdm(batches, desc=f"epoch {epoch}", unit="step", leave=False)
