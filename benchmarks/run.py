"""Time every competitor on every workload, side by side: `make bench`.

    python -m benchmarks.run [--rounds N] [--workloads small mid large] [--competitors ...]

Each competitor runs in a process of its own, with one thread and with as many as there are cores.
They take turns, epoch by epoch, so that a machine that slows down slows all of them. Seconds on a
shared machine mean little; the ratios between competitors of one round mean more.

Variables that tell OpenBLAS to use another processor's kernels are lifted for the workers. Some
machines set them so that digits repeat; they would slow NumPy's products and nobody else's.

Leaves beside this file: results.json, a list of rows (workload, competitor, threads, kernels,
seconds of each round, peak memory), table.md and plot.svg.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from itertools import product
from math import isnan
from pathlib import Path
from statistics import median

from benchmarks.competitors import COMPETITORS, NEEDS
from benchmarks.workloads import WORKLOADS, data

HERE = Path(__file__).parent
CORES = len(os.sched_getaffinity(0))
PINS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def environment(**more) -> dict[str, str]:
    """The environment of a worker."""
    return {key: value for key, value in os.environ.items() if key not in PINS} | more


class Runner:
    """A worker process and the rounds it has run."""

    def __init__(self, workload: str, competitor: str, threads: int):
        self.row = {"workload": workload, "competitor": competitor, "threads": threads}
        self.seconds: list[float] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", competitor, workload, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent,
            env=environment(OPENBLAS_NUM_THREADS=str(threads)),
        )  # fmt: skip
        self.cost = float(self._answer())  # waits, so that preparations do not disturb each other

    def epoch(self) -> None:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.seconds.append(float(self._answer()))

    def finish(self) -> dict:
        self.process.stdin.close()
        memory, kernels = self._answer().split()
        self.process.wait()
        return {
            **self.row,
            "kernels": kernels,
            "seconds_per_epoch": self.seconds,
            "peak_memory_mib": round(float(memory)),
        }

    def _answer(self) -> str:
        line = self.process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{self.row} stopped: its own message stands above")
        return line


def measure(workload: str, competitors: list[str], rounds: int) -> list[dict]:
    """The rows of one workload."""
    runners = []
    for competitor, threads in product(competitors, sorted({1, CORES})):
        if competitor == "loop" and (WORKLOADS[workload].cost != "quadratic" or threads > 1):
            continue  # it is slow enough once
        print(f"{workload}: preparing {competitor}, threads {threads}", flush=True)
        runners.append(Runner(workload, competitor, threads))
    same_network([runner for runner in runners if not isnan(runner.cost)])
    for number in range(1, rounds + 1):
        print(f"{workload}: round {number} of {rounds}", flush=True)
        for runner in runners:
            runner.epoch()
    return [runner.finish() for runner in runners]


def same_network(runners: list[Runner]) -> None:
    """Refuse to compare the speed of those who, after one epoch, have learned different things."""
    for runner in runners:
        if abs(runner.cost / runners[0].cost - 1) > 0.02:
            raise RuntimeError(
                f"{runner.row} reached the cost {runner.cost}, {runners[0].row} {runners[0].cost}: "
                "they do not train the same network"
            )


def best(rows: list[dict], workload: str, competitor: str) -> dict | None:
    """The row of a competitor with its better number of threads; ours with those it chooses."""
    own = [r for r in rows if (r["workload"], r["competitor"]) == (workload, competitor)]
    if competitor == "companion":
        own = [r for r in own if r["threads"] == chosen_threads(workload)]
    return min(own, key=lambda r: median(r["seconds_per_epoch"]), default=None)


def chosen_threads(workload: str) -> int:
    """The number that `train` takes where it is not told."""
    from companion.network import Network
    from companion.train import threads_for

    return threads_for(Network(WORKLOADS[workload].sizes), WORKLOADS[workload].batch)


def ratio(row: dict, other: dict) -> float:
    """How many times slower `row` is than `other`: the median over the rounds."""
    pairs = zip(row["seconds_per_epoch"], other["seconds_per_epoch"], strict=True)
    return median(a / b for a, b in pairs)


def table(rows: list[dict], source: str) -> str:
    """The rows as a Markdown table, with the ratios that the rounds gave."""
    lines = [
        f"Seconds for one epoch of {source}, float32, {CORES} cores; median (lowest to highest).",
        "Ratios are medians over the rounds, each competitor with its better number of threads,",
        "and companion with the number that it chooses by itself.",
        "",
        "| workload | competitor | threads | kernels | seconds | ÷ floor | ÷ companion | MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        floor, own = (best(rows, row["workload"], name) for name in ("floor", "companion"))
        ratios = [f"{ratio(row, other):.2f}" if other else "" for other in (floor, own)]
        s = row["seconds_per_epoch"]
        numpy = (
            row["kernels"] if row["competitor"] not in ("jax", "jax_copy", "pytorch") else "its own"
        )
        lines.append(
            f"| {row['workload']} | {row['competitor']} | {row['threads']} | {numpy} "
            f"| {median(s):.3f} ({min(s):.3f} to {max(s):.3f}) | {' | '.join(ratios)} "
            f"| {row['peak_memory_mib']} |"
        )
    return "\n".join(lines) + "\n"


def plot(rows: list[dict]) -> str:
    """Median and spread of every competitor, as a multiple of the floor, as SVG."""
    import matplotlib
    from matplotlib.figure import Figure

    from companion.draw import INK, VALUE, svg, use_book_style

    with matplotlib.rc_context():
        use_book_style()
        names = list(dict.fromkeys(r["workload"] for r in rows))
        figure = Figure(figsize=(6.4, 2.2 * len(names)))
        for i, workload in enumerate(names):
            axes = figure.add_subplot(len(names), 1, i + 1)
            floor = best(rows, workload, "floor")
            found = dict.fromkeys(r["competitor"] for r in rows if r["workload"] == workload)
            for place, name in enumerate(found):
                row = best(rows, workload, name)
                times = zip(row["seconds_per_epoch"], floor["seconds_per_epoch"], strict=True)
                values = [a / b for a, b in times]
                colour = VALUE if name.startswith("companion") else INK
                axes.plot([min(values), max(values)], [place, place], "-", color=colour, lw=4)
                axes.plot(median(values), place, "o", color=colour)
            axes.set_yticks(range(len(found)), found)
            axes.set(title=workload, xscale="log", ylim=(len(found) - 0.5, -0.5))
            axes.set_xlabel("seconds per epoch ÷ seconds of the matrix products alone")
        figure.tight_layout()
        return svg(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=WORKLOADS)
    parser.add_argument("--competitors", nargs="+", default=list(COMPETITORS), choices=COMPETITORS)
    chosen = parser.parse_args()
    missing = [c for c in chosen.competitors if c in NEEDS and not _installed(NEEDS[c])]
    if missing:
        print(f"not installed, so left out: {', '.join(missing)} (benchmarks/requirements.txt)")
    competitors = [c for c in chosen.competitors if c not in missing]
    rows = []
    for workload in chosen.workloads:
        rows += measure(workload, competitors, chosen.rounds)
    text = table(rows, data()[2])
    for extra in ("benchmarks.gradient", "benchmarks.one_second"):
        text += subprocess.run(
            [sys.executable, "-m", extra], cwd=HERE.parent, env=environment(), check=True,
            stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
    (HERE / "results.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (HERE / "table.md").write_text(text, encoding="utf-8")
    if "floor" in competitors and _installed("matplotlib"):
        (HERE / "plot.svg").write_text(plot(rows), encoding="utf-8")
    print(text)


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


if __name__ == "__main__":
    main()
