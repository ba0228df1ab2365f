"""How many forward passes does a gradient cost?

    python -m benchmarks.gradient

In matrix products alone, a layer's forward pass, BP2 and BP4 cost the same, so the answer would be
3; BP2 is not needed for the first layer, which brings it down. What is not a matrix product
brings it up again.
"""

import time
from statistics import median

import numpy as np

from benchmarks.workloads import WORKLOADS


def theory(workload) -> float:
    """Multiplications in the products of a gradient, over those of its forward pass."""
    products = [n * below for below, n in zip(workload.sizes, workload.sizes[1:], strict=False)]
    return workload.multiplications / (workload.batch * sum(products))


def measured(workload, rounds=15, repeat=50) -> list[float]:
    """The ratio of the median times, `rounds` times; each round runs both in turns."""
    from companion.network import Network
    from companion.train import BLAS, threads_for

    network = Network(workload.sizes, workload.activations, workload.cost)
    rng, m = np.random.default_rng(0), workload.batch
    parameters = network.initial(rng=rng, dtype=np.float32)
    gradient = parameters.copy()
    trace, errors = network.new_trace(m, np.float32), network.new_errors(m, np.float32)
    trace.a[0] = rng.random((m, workload.sizes[0]), dtype=np.float32).T
    y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, m)].T

    def seconds(work):
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    def forward():
        network.propagate(parameters, trace)

    def whole():
        network.propagate(parameters, trace)
        network.back_propagate(parameters, trace, y, errors, gradient)

    with BLAS.limit(limits=threads_for(network, m)):
        seconds(whole)
        pairs = [[(seconds(whole), seconds(forward)) for _ in range(repeat)] for _ in range(rounds)]
    return [median(w for w, _ in turn) / median(f for _, f in turn) for turn in pairs]


def report() -> str:
    lines = ["", "Cost of a gradient in forward passes; median (lowest to highest).", ""]
    for name, workload in WORKLOADS.items():
        ratios = measured(workload)
        lines.append(
            f"- {name}: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
            f"in multiplications {theory(workload):.2f}"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(report())
