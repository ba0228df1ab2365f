"""Does a notebook print the same on other machines? `make portable` runs all of them in disguise.

    python tools/portable.py [--quick] [--python PATH] [NOTEBOOK ...]     all of book/ if none

Every notebook runs once in each configuration, and its outputs are compared as the tests compare
them (pytest --nbval, conftest.py). Configurations: NumPy without the newer instructions of this
processor; the BLAS kernels of other processors; results moved in their last bits (tools/shake.py).
With --quick, the last alone. With --python, the Python of another environment once, as it is: with
another Matplotlib than the locked one its figures are not compared, texts and numbers are.

Prints what differs and a table, and returns 1 if anything does.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[1]
STEADY = {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}  # as in the Makefile
CORES = ["Prescott", "Nehalem", "Haswell", "Zen", "SkylakeX"]
SHAKEN = ["1", "2", "3", "up", "down"]
COLOUR = re.compile(r"#x1B\[[\d;]*m")  # as IPython writes tracebacks, and XML shows them
LINES, LONG = 4, 200  # of what pytest says of a cell: the last lines, and how much of each


class Configuration(NamedTuple):
    """How the notebooks are run: by which Python, with what environment and options of pytest."""

    name: str
    environment: dict[str, str] = {}
    options: list[str] = []
    python: str = sys.executable


def configurations(python: str | None = None, quick: bool = False) -> list[Configuration]:
    """What this machine can pretend to be."""
    if python:
        return [Configuration(python, python=python)]
    shaken = [Configuration(f"last bits: {way}", {}, ["--shake", way]) for way in SHAKEN]
    if quick:
        return shaken
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    # Each feature builds on those before it, and goes with those after it.
    plain = [
        Configuration(f"NumPy without {name}", {"NPY_DISABLE_CPU_FEATURES": " ".join(found[i:])})
        for i, name in enumerate(found)
    ]
    blas = [
        Configuration(f"OpenBLAS {core}", {"OPENBLAS_CORETYPE": core})
        for core in CORES
        if runs(core)
    ]
    return [*plain, *blas, *shaken]


def runs(core: str) -> bool:
    """Whether OpenBLAS, asked for the kernels of a processor, takes them, and they run here."""
    script = (
        "import numpy, threadpoolctl; a = numpy.ones((64, 64)); a @ a; "
        "print(*[lib.get('architecture') for lib in threadpoolctl.threadpool_info()])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"OPENBLAS_CORETYPE": core},
        capture_output=True,
        text=True,
    )
    return run.returncode == 0 and core.lower() in run.stdout.lower().split()


def compare(configuration: Configuration, notebooks: list[Path]) -> tuple[int, list[str]]:
    """Run the notebooks so; how many cells were compared, and what was said of those that differ.

    Raises RuntimeError if the run ends before its report.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider"]
        options += [
            "--color=no",
            f"--junitxml={report}",
            "--rootdir",
            ROOT,
            "--noconftest",
            "-p",
            "conftest",
        ]
        run = subprocess.run(
            [configuration.python, "-m", "pytest", *options, *configuration.options, *notebooks],
            cwd=ROOT,
            env=os.environ | STEADY | {"PYTHONPATH": str(ROOT)} | configuration.environment,
            capture_output=True,
            text=True,
        )
        if not report.exists():
            raise RuntimeError(f"{configuration.name}: no report\n{run.stdout}\n{run.stderr}")
        cases = list(ET.parse(report).getroot().iter("testcase"))
    compared = [case for case in cases if case.find("skipped") is None]
    differing = [
        (case, why) for case in compared for why in (case.find("failure"), case.find("error"))
    ]
    return len(compared), [_said(case, why.text) for case, why in differing if why is not None]


def _said(case, why):
    """The notebook, the cell, and the last lines of what pytest said."""
    why = COLOUR.sub("", why)
    place = f"{case.get('classname')} {case.get('name')}".replace(".ipynb", "")
    lines = [line.strip() for line in why.splitlines() if line.strip()]
    return "\n    ".join([place, *(line[:LONG] for line in lines[-LINES:])])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of book/ when none is named")
    parser.add_argument("--quick", action="store_true", help="only results moved in last bits")
    parser.add_argument("--python", help="the Python of another environment, run as it is")
    given = parser.parse_args(arguments)
    notebooks = [path.resolve() for path in given.notebooks or sorted(ROOT.glob("book/*.ipynb"))]
    rows = []
    for configuration in configurations(given.python, given.quick):
        count, differing = compare(configuration, notebooks)
        rows.append((configuration.name, count, len(differing)))
        print(f"{configuration.name}: {count} cells, {len(differing)} differ", flush=True)
        print(*[f"  {said}" for said in differing], sep="\n", end="\n" * bool(differing))
    wide = max(len(name) for name, *_ in rows)
    print(f"\n{'configuration':{wide}}  compared  differ")
    for name, count, different in rows:
        print(f"{name:{wide}}  {count:8}  {different:6}")
    return any(different or not count for _, count, different in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
