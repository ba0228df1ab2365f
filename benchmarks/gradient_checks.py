"""Does a judge of gradients refuse right ones, or accept wrong ones?

    python -m benchmarks.gradient_checks --cases 2000 --seed 1 --processes 2
    python -m benchmarks.gradient_checks --cases 200 --judges companion scipy numdifftools torch jax

Every case is a random network of 1 to 20 layers with widths from 1 to 50, inputs scaled by 1e-3
to 1e3, at a random place, at zero, at a minimum or close to one. Of up to six of its arrays a
few entries are judged, first as backpropagation gives them, then with one fault put in. What is
really wrong is decided by a gradient in extended precision: a fault is counted apart if it is no
larger than ten times the rounding of its array's gradient, or than ten times what a rounding of
the parameters, drawn eight times, makes of it. "Doubted" is a gradient accepted with a doubt about
some entries, which cannot matter by 1/500 beside the largest of their array; a fault larger than
that counts as accepted.
"""

import argparse
import json
import platform
import time
from collections import Counter
from functools import partial
from importlib.metadata import version
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

import numpy as np

from companion.check import DIFFERENCE, GradientError, Undecided, check_gradient
from companion.network import Network, Parameters

EPS = np.finfo(float).eps
BLOCK = 20  # cases between two looks at what was counted
ENDS = [("identity", "quadratic"), ("sigmoid", "quadratic"), ("tanh", "quadratic"),
        ("sigmoid", "cross_entropy"), ("softmax", "softmax_cross_entropy")]  # fmt: skip
HIDDEN = ["sigmoid", "tanh", "relu", "softplus", "identity"]
PLACES = ["random", "random", "zero", "minimum", "near a minimum", "exact fit"]
VERDICTS = ["right", "doubted", "cannot tell", "wrong"]
TRUTHS = ["right", "wrong", "below rounding"]
FAULTS = ["1 %", "sign", "factor 2", "transposed", "small array"]


class Case(NamedTuple):
    """What is judged: f at `point`, a dict of vectors, with the gradient in float64 and better."""

    f: object
    point: dict
    gradient: dict
    exact: dict
    nearby: list
    transposed: dict
    place: str
    layers: int


def random_case(seed) -> Case:
    rng = np.random.default_rng(seed)
    place = PLACES[rng.integers(len(PLACES))]
    L = 1 if place == "exact fit" else int(rng.integers(1, 21))
    widest = int(np.exp(rng.uniform(0, np.log(51))))
    sizes = [int(rng.integers(1, widest + 1)) for _ in range(L + 1)]
    last, cost = ENDS[rng.integers(len(ENDS))]
    if place in ("minimum", "near a minimum"):
        last, cost = ENDS[rng.integers(3)]
    if place == "exact fit":
        last, cost = ENDS[0]
    hidden = HIDDEN[rng.integers(len(HIDDEN))]
    net = Network(sizes, [hidden] * (L - 1) + [last], cost)
    p = net.initial(rng=rng, biases="unit" if rng.random() < 0.5 else "zero")
    m = int(rng.integers(1, 9))
    x = rng.normal(size=(sizes[0], m)) * 10.0 ** rng.uniform(-3, 3)
    y = rng.random((sizes[-1], m))
    y /= y.sum(axis=0) if cost == "softmax_cross_entropy" else 1.0
    if place == "zero":
        p = 0.0 * p
    if place in ("minimum", "near a minimum"):
        distance = 10.0 ** rng.uniform(-12, -3) if place == "near a minimum" else 0.0
        y = net.output(p, x) + distance * rng.normal(size=y.shape)
    if place == "exact fit":
        inputs = np.vstack([x, np.ones(m)])
        solution = np.linalg.lstsq(inputs.T, y.T, rcond=None)[0].T
        p = Parameters.of([solution[:, :-1]], [solution[:, -1:]])

    gradient = net.backward(p, net.forward(p, x), y)
    exact = in_extended_precision(net, hidden, last, cost, p, x, y)
    signs = rng.choice([-EPS, EPS], (8, p.vector.size))
    nearby = [in_extended_precision(net, hidden, last, cost, Parameters(p.sizes, v), x, y)
              for v in p.vector * (1 + signs)]  # fmt: skip
    named, ours = p.named(), gradient.named()
    layers = {1, L, int(rng.integers(1, L + 1))}
    point, got, best, turned = {}, {}, {}, {}
    moved = [{} for _ in nearby]
    where = {}
    for name in (f"{letter}^{l}" for l in sorted(layers) for letter in "Wb"):
        where[name] = rng.choice(named[name].size, min(4, named[name].size), replace=False)
        pairs = [(point, named), (got, ours), (best, exact), *zip(moved, nearby)]
        for chosen, arrays in pairs:
            chosen[name] = arrays[name].ravel()[where[name]]
        turned[name] = ours[name].T.ravel()[where[name]]

    def f(vectors):
        full = dict(named)
        for name, vector in vectors.items():
            array = full[name].astype(vector.dtype)
            array.reshape(-1)[where[name]] = vector
            full[name] = array
        return net.cost_of(Parameters.from_named(full), x, y)

    return Case(f, point, got, best, moved, turned, place, L)


def in_extended_precision(net, hidden, last, cost, p, x, y):
    """BP1 to BP4 written out, in NumPy's longdouble."""
    values = {
        "identity": (lambda z: z, lambda z, a: np.ones_like(z)),
        "tanh": (np.tanh, lambda z, a: 1 / np.cosh(z) ** 2),
        "relu": (lambda z: np.maximum(z, 0), lambda z, a: (z > 0).astype(z.dtype)),
        "softplus": (lambda z: np.logaddexp(0, z), lambda z, a: 1 / (1 + np.exp(-z))),
        "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z, a: a * (1 / (1 + np.exp(z)))),
        "softmax": (lambda z: np.exp(z - z.max(0)) / np.exp(z - z.max(0)).sum(0), None),
    }
    L, a, z = net.L, [x.astype(np.longdouble)], [None]
    W, b = ([None] + [v.astype(np.longdouble) for v in views[1:]] for views in (p.W, p.b))
    rules = [None] + [values[hidden]] * (L - 1) + [values[last]]
    for l in range(1, L + 1):
        z.append(W[l] @ a[-1] + b[l])
        a.append(rules[l][0](z[-1]))
    delta = (a[L] - y) / y.shape[1]
    if cost == "quadratic":
        delta = delta * rules[L][1](z[L], a[L])
    gradient = {}
    for l in range(L, 0, -1):
        gradient[f"W^{l}"] = delta @ a[l - 1].T
        gradient[f"b^{l}"] = delta.sum(axis=1, keepdims=True)
        if l > 1:
            delta = (W[l].T @ delta) * rules[l - 1][1](z[l - 1], a[l - 1])
    return gradient


def with_a_fault(case, seed):
    """The gradient with one fault, its kind, if it exceeds rounding, and its part of the array."""
    rng = np.random.default_rng([seed, 1])
    kind = FAULTS[rng.integers(len(FAULTS))]
    wrong = {name: g.copy() for name, g in case.gradient.items()}
    sizes = {name: np.abs(g).max() for name, g in wrong.items()}
    alive = [name for name in wrong if sizes[name] > 0] or list(wrong)
    name = alive[rng.integers(len(alive))]
    if kind == "transposed" and (wrong[name] == case.transposed[name]).all():
        kind = "sign"
    if kind == "small array":
        name = min(alive, key=sizes.get)
        wrong[name] = wrong[name] * rng.choice([-1.0, 2.0, 1.01])
    elif kind == "transposed":
        wrong[name] = case.transposed[name].copy()
    else:
        index = rng.choice(np.flatnonzero(wrong[name]) if sizes[name] else [0])
        wrong[name][index] *= {"1 %": 1.01, "sign": -1.0, "factor 2": 2.0}[kind]
    others = [case.gradient[name], *(moved[name] for moved in case.nearby)]
    rounding = max(np.abs(other - case.exact[name]).max() for other in others)
    gap = np.abs(wrong[name] - case.exact[name])
    rounding = max(rounding, 1e-16 * sizes[name] if kind == "transposed" else 0.0)
    size = np.maximum(np.abs(wrong[name]), np.abs(case.exact[name]))
    really = bool(((gap > 10 * rounding) & (gap > 1e-6 * size)).any())
    return wrong, kind, really, float(gap.max() / size.max()) if size.any() else 0.0


def by_companion(case, gradient, method="auto"):
    try:
        report, verdict = check_gradient(case.f, case.point, gradient, method=method), "right"
    except GradientError:
        return "wrong", ""
    except Undecided as doubt:
        report, verdict = doubt.report, "cannot tell"
    if not report.doubts:
        return verdict, ""
    return "doubted" if verdict == "right" else verdict, report.doubts[0].why.partition(":")[0]


def agree(case, gradient, slopes, errors):
    """A verdict on slopes with their own estimates of error, of which ten times are allowed."""
    ends = np.cumsum([0] + [x.size for x in case.point.values()])
    flat = np.concatenate([gradient[name] for name in case.point])
    gap, size = np.abs(flat - slopes), np.maximum(np.abs(flat), np.abs(slopes))
    assert ends[-1] == flat.size
    return ("right" if (gap <= 1e-6 * size + 10 * errors).all() else "wrong"), ""


def flattened(case):
    start = np.concatenate(list(case.point.values()))
    ends = np.cumsum([x.size for x in case.point.values()])[:-1]

    def f(vector):
        return case.f(dict(zip(case.point, np.split(np.asarray(vector), ends))))

    return f, start


def one_by_one(case):
    """f along each entry of the point, for arrays of values, and the entry's value."""
    f, start = flattened(case)
    for i, x in enumerate(start):

        def alone(t, i=i):
            values = [f(np.r_[start[:i], s, start[i + 1 :]]) for s in np.ravel(t)]
            return np.reshape(values, np.shape(t))

        yield alone, x


def by_scipy(case, gradient):
    from scipy.differentiate import derivative

    found = [derivative(alone, x) for alone, x in one_by_one(case)]
    return agree(case, gradient, *(np.array([r[k] for r in found]) for k in ("df", "error")))


def by_numdifftools(case, gradient):
    import numdifftools

    found = [numdifftools.Derivative(f, full_output=True)(x) for f, x in one_by_one(case)]
    columns = (np.array([float(r[k]) for r in found]) for k in (0, 1))  # estimates, their errors
    return agree(case, gradient, *columns)


def by_torch(case, gradient):
    import torch

    f, start = flattened(case)
    claimed = torch.from_numpy(np.concatenate([gradient[name] for name in case.point]))

    class Claimed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, vector):
            return torch.tensor(f(vector.detach().numpy()), dtype=torch.float64)

        @staticmethod
        def backward(ctx, g):
            return g * claimed

    point = torch.from_numpy(start).requires_grad_()
    passed = torch.autograd.gradcheck(Claimed.apply, (point,), raise_exception=False)
    return ("right" if passed else "wrong"), ""


def by_jax(case, gradient):
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    f, start = flattened(case)
    claimed = np.concatenate([gradient[name] for name in case.point])

    @jax.custom_vjp
    def g(vector):
        shape = jax.ShapeDtypeStruct((), np.float64)
        return jax.pure_callback(lambda v: np.float64(f(np.asarray(v))), shape, vector)

    g.defvjp(lambda v: (g(v), None), lambda _, bar: (bar * claimed,))
    try:
        check_grads(g, (start,), order=1, modes=("rev",))
    except AssertionError:
        return "wrong", ""
    return "right", ""


JUDGES = {
    "companion": by_companion,
    "companion, differences": lambda case, gradient: by_companion(case, gradient, DIFFERENCE),
    "scipy": by_scipy,
    "numdifftools": by_numdifftools,
    "torch": by_torch,
    "jax": by_jax,
}


def run(name, seeds):
    """Counts of (truth, verdict), why nothing could be told, and the seeds that went wrong."""
    counts, why, bad, started = Counter(), Counter(), [], time.perf_counter()
    for seed in seeds:
        with np.errstate(all="ignore"):
            case = random_case(seed)
            wrong, kind, really, part = with_a_fault(case, seed)
            truth = "wrong" if really else "below rounding"
            for gradient, is_in in ((case.gradient, "right"), (wrong, truth)):
                verdict, reason = JUDGES[name](case, gradient)
                if reason:
                    why[is_in, verdict, case.place, reason] += 1
                if (is_in, verdict) == ("wrong", "doubted") and part > 1 / 500:
                    verdict = "right"
                counts[is_in, verdict] += 1
                if (is_in, verdict) in (("right", "wrong"), ("wrong", "right")):
                    bad.append((seed, is_in, kind, case.place, case.layers))
    return counts, why, bad, time.perf_counter() - started


def told(name, seeds, processes):
    """What `run` finds, in parallel, as a dict for JSON: all so far, block by block."""
    blocks = [seeds[i : i + BLOCK] for i in range(0, len(seeds), BLOCK)]
    counts, why, bad, seconds, done = Counter(), Counter(), [], 0.0, 0
    with Pool(processes) as pool:
        for block, part in zip(blocks, pool.imap(partial(run, name), blocks)):
            counts, why, bad = counts + part[0], why + part[1], bad + part[2]
            seconds, done = seconds + part[3], done + len(block)
            table = {a: {b: counts[a, b] for b in VERDICTS} for a in TRUTHS}
            reasons = {", ".join(key): count for key, count in sorted(why.items())}
            yield {
                "cases": done,
                "first seed": seeds[0],
                "counts": table,
                "why": reasons,
                "failed": bad,
                "seconds": round(seconds),
                "versions": versions(name),
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--judges", nargs="+", default=list(JUDGES)[:2], choices=JUDGES)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", type=Path, help="a file that keeps the counts as they grow")
    given = parser.parse_args()
    seeds = range(given.seed * 10**6, given.seed * 10**6 + given.cases)
    columns = [(truth, verdict) for truth in TRUTHS for verdict in VERDICTS]
    print("| judge | " + " | ".join(f"{a}: {b}" for a, b in columns) + " | s |")
    print("|---" * (len(columns) + 2) + "|")
    known = json.loads(given.json.read_text()) if given.json and given.json.exists() else {}
    for name in given.judges:
        for found in told(name, seeds, given.processes):
            if given.json:
                given.json.write_text(json.dumps(known | {name: found}, indent=1) + "\n")
        known[name] = found
        cells = [str(found["counts"][a][b]) for a, b in columns]
        print(f"| {name} | " + " | ".join([*cells, str(found["seconds"])]) + " |", flush=True)
        for reason, count in found["why"].items():
            print(f"    {count} {reason}")
        for case in found["failed"][:20]:
            print("   ", *case)


def versions(name):
    packages = ["numpy"] + ([name] if name in ("scipy", "numdifftools", "torch", "jax") else [])
    return {"python": platform.python_version()} | {p: version(p) for p in packages}


if __name__ == "__main__":
    main()
