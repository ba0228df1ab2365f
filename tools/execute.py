"""Run notebooks from top to bottom and store their outputs in them: `make execute`.

    python tools/execute.py [NOTEBOOK ...]      all of book/ when none is named

A notebook whose code raises is left as it was.
"""

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parents[1]
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
DESCRIPTION = re.compile(r"<svg[^>]*><desc>(.*?)</desc>", re.DOTALL)  # companion.draw.svg
KEPT = {"tags", "mystnb"}  # the metadata of a cell that mean something to the book


def as_text(nb: nbformat.NotebookNode) -> str:
    """The one way to write a notebook down: no trace of who ran it, where and with what."""
    own = {"companion": nb.metadata["companion"]} if "companion" in nb.metadata else {}
    nb = nbformat.from_dict({**nb, "metadata": KERNEL | own})
    for cell in nb.cells:
        cell.metadata = {key: cell.metadata[key] for key in sorted(KEPT & cell.metadata.keys())}
        for output in cell.get("outputs", []):
            describe(cell, output.get("data", {}).get("image/svg+xml", ""))
    return nbformat.writes(nb) + "\n"


def describe(cell: nbformat.NotebookNode, svg: str) -> None:
    """Make what a figure says about itself, if it does, its alt text in the book."""
    if found := DESCRIPTION.match(svg):
        mystnb = cell.metadata.setdefault("mystnb", {})
        mystnb.setdefault("image", {})["alt"] = unescape(found[1])


def run(nb: nbformat.NotebookNode, folder: Path) -> None:
    """Run `nb` in `folder`, with fresh outputs. Raises CellExecutionError."""
    client = NotebookClient(
        nb,
        kernel_name="python3",
        timeout=1200,  # seconds for one cell
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(stderr=subprocess.DEVNULL)  # the kernel's own log, not what cells print
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)


def joined(outputs: list) -> list:
    """The outputs of a cell, with what it prints without a break in one, however it was sent."""
    found = []
    for output in outputs:
        before = found[-1] if found else {}
        if output.output_type == "stream" == before.get("output_type"):
            if output.name == before.name:
                before.text += output.text
                continue
        found.append(output)
    return found


def main(paths: list[str]) -> int:
    failed = 0
    for path in [Path(p) for p in paths] or sorted((ROOT / "book").glob("*.ipynb")):
        nb = nbformat.read(path, as_version=4)
        try:
            run(nb, path.parent)
        except CellExecutionError as error:
            failed += 1
            print(f"{path}: FAILED, and left as it was\n{error}", file=sys.stderr)
            continue
        before, after = path.read_text(encoding="utf-8"), as_text(nb)
        path.write_text(after, encoding="utf-8")
        print(f"{path}: {'as before' if after == before else 'changed'}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
