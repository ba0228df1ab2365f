"""One competitor in a process of its own, told by `run` when to train an epoch.

    python -m benchmarks.worker COMPETITOR WORKLOAD THREADS

It trains one epoch that is not timed, and answers the cost that this left, by which `run` sees
that all train the same network. For every line on its input it trains one more and answers the
seconds it took. When the input ends, it answers its largest memory in MiB and the kernels that
NumPy's products used.
"""

import os
import resource
import sys
import time


def main(competitor: str, workload: str, threads: str) -> None:
    from benchmarks.competitors import COMPETITORS
    from benchmarks.workloads import WORKLOADS, data

    if threads == "1":  # one core for everyone, whatever a library makes of its own settings
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    x, y, _ = data()
    epoch = COMPETITORS[competitor](WORKLOADS[workload], x, y, int(threads))
    learned = epoch()  # compiles what compiles, and touches all memory once
    print(cost(WORKLOADS[workload], learned, x, y), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        epoch()
        print(time.perf_counter() - started, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, kernels(), flush=True)


def cost(workload, learned, x, y) -> float:
    """The cost of the first 5,000 examples; nan for who learns nothing that compares."""
    from companion.network import Network, Parameters

    if learned is None:
        return float("nan")
    network = Network(workload.sizes, workload.activations, workload.cost)
    return network.cost_of(Parameters.of(learned[::2], learned[1::2]), x[:5000].T, y[:5000].T)


def kernels() -> str:
    """The processor that NumPy's OpenBLAS takes this one for."""
    from threadpoolctl import threadpool_info

    found = [p.get("architecture", "?") for p in threadpool_info() if p["user_api"] == "blas"]
    return found[0] if found else "?"


if __name__ == "__main__":
    main(*sys.argv[1:])
