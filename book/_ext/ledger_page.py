"""Sphinx extension: fills the page "Ledger" with what the notebooks proved and checked.

    in a notebook                                  on the page
    $$ .. $$ (eq-name), in a cell of words         the equation, and a link to its place
    an output that `companion.ledger` has made     how it is known, and what was refuted

The outputs are those that are stored; tests see to it that running the code gives them.
"""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

import nbformat

KINDS = "proved", "checked", "defined"
RECORD = "application/vnd.companion.ledger+json"
MARK = "<!-- the ledger -->"  # where the page has its entries

# Code between fences is passed over. A directive's fence is not: equations may stand
# inside. MyST reads a label after $$ .. $$ only where these begin and end their lines.
MATH = re.compile(
    r"^ *(?P<code>`{3,}|~{3,})\w.*?^ *(?P=code) *$"
    r"|^ *(?P<fence>`{3,}|:{3,}) *\{math\}[^\n]*\n(?P<options>(?: *:[^:\n]+:[^\n]*\n)*)"
    r"(?P<body>.*?)^ *(?P=fence) *$"
    r"|(?P<block>^ *)?\$\$(?P<dollars>(?:(?!\$\$).)+)\$\$"
    r"(?(block)(?: *\((?P<label>[^)\n]+)\) *$)?)",
    re.M | re.S,
)


class Equation(NamedTuple):
    """A labelled equation, and the number of the cell that it stands in."""

    label: str
    tex: str
    cell: int


def equations(nb) -> list[Equation]:
    """The labelled equations of a notebook, in their order."""
    return [
        Equation(label, tex, number)
        for number, cell in enumerate(nb.cells)
        if cell.cell_type == "markdown"
        for label, tex in labelled(cell.source)
    ]


def labelled(words: str) -> list[tuple[str, str]]:
    """(label, TeX) of each labelled equation in a text."""
    found = []
    for part in MATH.finditer(words):
        option = re.search(r":label: *(\S+)", part["options"] or "")
        label = option[1] if option else part["label"]
        if label:
            found.append((label, (part["body"] or part["dollars"]).strip()))
    return found


def records(cell) -> list[dict]:
    """The entries of the ledger that a cell shows."""
    return [data[RECORD] for data in _bundles(cell)]


def _bundles(cell):
    outputs = [output.get("data", {}) for output in cell.get("outputs", [])]
    return [data for data in outputs if RECORD in data]


def page(notebooks) -> str:
    """The entries of all notebooks, in MyST."""
    parts, all_records = [], []
    for nb in notebooks:
        known = [data for cell in nb.cells for data in _bundles(cell)]
        entries = []
        for label, tex, _ in equations(nb):
            own = [data for data in known if data[RECORD]["label"] == label]
            all_records += [data[RECORD] for data in own]
            entries.append(_entry(label, tex, own))
        if entries:
            parts += ["## " + nb.cells[0].source.splitlines()[0].lstrip("# "), *entries]
    if not parts:
        return "No equation has a label yet, so the ledger is empty."
    return "\n\n".join([_counts(all_records), *parts]) + "\n"


def _counts(records):
    kinds = [record["kind"] for record in records]
    refuted = sum(len(record["refuted"]) for record in records)
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in KINDS)
    return f"{len(records)} records: {counts}. Wrong variants refuted: {refuted}."


def _entry(label, tex, own):
    """An item of a definition list: nothing in it is wider than the page."""
    blocks = [f"$$\n{tex}\n$$"]
    for data in own:
        link = f"{{ref}}`Its place in the chapter <record-{label}>`."
        line, fold = data["text/markdown"].split("\n\n", 1)
        blocks += [f"{line} {link}", fold.replace('"record ', '"fold ')]
    if not own:
        blocks.append("Neither proved, nor checked, nor a definition.")
    body = textwrap.indent("\n\n".join(blocks), "  ")
    return f"{{eq}}`{label}`\n: {body.lstrip()}"


def fill(app, docname, source):
    if MARK in source[0]:
        paths = sorted(Path(app.srcdir, docname).parent.glob("*.ipynb"))
        notebooks = [nbformat.read(path, as_version=4) for path in paths]
        source[0] = source[0].replace(MARK, page(notebooks))


def outdated(app, env, added, changed, removed):
    """Any notebook may change the page, so it is written in every build."""
    return {"book/ledger"} & env.found_docs


def setup(app):
    app.connect("source-read", fill)
    app.connect("env-get-outdated", outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
