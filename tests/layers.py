"""What a reader meets on a page: how much code is seen, and which letters formulas use.

    python tests/layers.py [NOTEBOOK ...]      what is wrong, in all of book/ when none is named

Seen is what `book/_ext/folds.py` leaves unfolded, solutions not counted. The letters are those
of the page "Notation":

    n_l, or n, p, r   widths              j, k   the neuron above, the neuron below
    m, e              how many examples   i      any other index of a sum
                      there are, and one  delta  an error, and nothing else
"""

import re
import sys
from pathlib import Path

import nbformat

sys.path[:0] = [str(Path(__file__).parents[1])]

from book._ext.folds import layer  # noqa: E402
from book._ext.ledger_page import equations, records  # noqa: E402

LINES, CELLS = 12, 25  # of code that is seen: in a cell, in a chapter

# {(chapter, id of a cell): why so many lines have to be seen}
LONG: dict[tuple[str, str], str] = {}
# {chapter: why so many cells have to be seen}
MANY: dict[str, str] = {}
# {label of an equation: why it may use other letters}
OTHER_LETTERS = {
    "eq-evaluate": "a graph has nodes and parents, p, and no layers yet",
    "eq-minibatch": "there are N examples, and m of them are in the batch",
    "eq-weight-decay": "the price takes i and l, so the sum inside of C is left with q",
    "eq-tree-size": "n counts squarings, and x_n is the last of them",
}


def seen(nb) -> list:
    """The cells whose code is seen on the page, outside solutions."""
    found, solving = [], False
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            for edge in re.findall(r"\{solution-(start|end)\}", cell.source):
                solving = edge == "start"
        elif cell.source and not solving and not folded(cell):
            found.append(cell)
    return found


def folded(cell) -> bool:
    """Is the code of this cell not seen before something is opened?"""
    tags = cell.metadata.get("tags", [])
    shown = {kind for output in cell.outputs for kind in output.get("data", {"": ""})}
    hidden = {"hide-cell", "remove-cell", "remove-input"} & set(tags)
    return bool(records(cell) or hidden or layer(cell.source, tags, shown))


def crowded(nb, name: str, long=LONG, many=MANY) -> list[str]:
    """Where too much code is seen."""
    cells = seen(nb)
    lengths = [(cell, cell.source.count("\n") + 1) for cell in cells]
    found = [
        f"cell {cell.id}, {cell.source[:40]!r}: {count} lines are seen, {LINES} are allowed"
        for cell, count in lengths
        if count > LINES and (name, cell.id) not in long
    ]
    if len(cells) > CELLS and name not in many:
        found.append(f"{len(cells)} cells are seen, {CELLS} are allowed")
    return found


INDEX = r"_(?:\{([^{}]*)\}|([A-Za-z]))"
SUM = re.compile(r"\\sum_(?:\{(\w)(?:=[^}]*)?\}|(\w))(?:\^(?:\{([^{}]*(?:\{[^{}]*\})?)\}|(\w)))?")
WRONG_INDEX = set("mnprxqstuvwabcdfghoyz")


def misspelt(tex: str, variant: bool = False) -> list[str]:
    """Letters of a formula that mean something else in this book; `variant` is a wrong one."""
    found = []
    for braced, bare, above, one in SUM.findall(tex):
        index, width = braced or bare, above or one
        if index not in set("ijkel"):
            found.append(f"sums over {index}, use i, j, k, or e for examples")
        if width == "m" and index not in ("e", "i"):  # i where e is taken
            found.append(f"sums over {index} up to m, the number of examples: use e, or n, p, r")
        if index == "e" and width not in ("m", ""):
            found.append(f"sums over e up to {width}: e is an example, use i, j, k")
    if re.search(r"\\sum_\{?(e\b|i=1\}\^\{?m)[^&]*?\bC *(\\left)?\(", tex):
        found.append("sums one C over the examples: write C_e")
    last = r"\ldots" in tex  # then the last of a list has a width for its index
    bare = re.sub(r"\\nabla *_(\w|\{[^{}]*\})|_\{[^{}]*=[^{}]*\}", "", SUM.sub("", tex))
    for several, single in re.findall(INDEX, bare):
        letters = set(re.findall(r"(?<![\\\w])[a-z]+(?!\w)", several) or [single])
        wrong = {letter for letter in set().union(*map(set, letters)) if letter in WRONG_INDEX}
        wrong -= set("mnpr") if last else set()
        found += [f"{letter} is an index" for letter in sorted(wrong)]
    if re.search(r"\\delta_\{?(ij|jk|ik|ji|kj|ki)\b", tex):
        found.append("delta with two neurons is no error: write [i = j]")
    if "δ" in tex:
        found.append("δ is no letter of its own: an error is a vector, or Symbol('delta')")
    if not variant and re.search(r"W(\^\{?[^_{}]*\}?)?_\{kj\}", tex):
        found.append("W_kj: j is the neuron above, k the one below")
    return list(dict.fromkeys(found))


def letters(nb) -> list[str]:
    """What labelled equations and records write in other letters than the book's."""
    written = [(label, tex) for label, tex, _ in equations(nb) if label not in OTHER_LETTERS]
    found = [f"{label}: {fault}" for label, tex in written for fault in misspelt(tex)]
    for cell in nb.cells:
        for record in records(cell):
            label = f"record of {record['label']}"
            if record["kind"] != "checked" and record["label"] not in OTHER_LETTERS:
                found += [f"{label}: {fault}" for fault in misspelt(record["statement"])]
                for refuted in record["refuted"]:
                    faults = misspelt(refuted[-2], variant=True)
                    found += [f"{label}, {refuted[0]}: {fault}" for fault in faults]
    return list(dict.fromkeys(found))


def main(paths: list[str]) -> int:
    book = sorted((Path(__file__).parents[1] / "book").glob("*.ipynb"))
    total = 0
    for path in map(Path, paths or book):
        nb = nbformat.read(path, as_version=4)
        found = crowded(nb, path.stem) + letters(nb)
        total += len(found)
        print(f"{path.stem}: {len(seen(nb))} cells seen, {len(found)} faults")
        print(*(f"    {fault}" for fault in found), sep="\n")
    return total > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
