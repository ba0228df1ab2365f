"""What nbval lets pass in a notebook: `problems` says what is wrong with the text of one.

nbval re-runs the cells that are there and compares most outputs. It passes cells that were never
run, out of order or exempt, and it knows nothing of what readers need.
"""

import ast
import re

import nbformat
from IPython.core.displayhook import DisplayHook

from tools.execute import as_text

# What nbval compares and every page can show. No pixels, no widgets, no scripts.
SHOWN = {
    "text/plain",
    "text/latex",
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "application/vnd.companion.ledger+json",  # companion.ledger: pages show its text/markdown
}
GLUE = "application/papermill.record/"  # myst_nb.glue: a number that the prose quotes

ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
MACHINE = re.compile(r"(?<![\w.:/])(/(root|home|tmp|Users|work|var|opt)/|[A-Z]:\\)\w")
EXEMPT = re.compile(r"nbval-(skip|ignore-output)|NBVAL_|PYTEST_VALIDATE_")

BLOCK = re.compile(r"^[`:]{3,} *\{(exercise|solution)(?:-start)?\} *(\S*)\n((?::.*\n)*)", re.M)


def problems(text: str, name: str) -> list[str]:
    """Everything wrong with a notebook, given the text and the name of its file."""
    nb = nbformat.reads(text, as_version=4)
    found = []
    try:
        nbformat.validate(nb)
    except nbformat.ValidationError as error:
        found.append(f"is no valid notebook: {error}")
    if text != as_text(nb):
        found.append("is not written as tools/execute.py writes it: make execute")
    found += _title(nb, name) + _order(nb) + _exercises(nb)
    for number, cell in enumerate(nb.cells):
        if cell.cell_type == "code":
            judged = _outputs(cell) + _silence(cell) + _exemptions(cell) + _figures(cell)
            found += [f"cell {number}, {cell.source[:40]!r}: {problem}" for problem in judged]
    return found


def _title(nb, name):
    number = re.match(r"(\d+)_", name)
    title = rf"# {int(number[1])}\. \S" if number else r"# [^\W\d]"
    if nb.cells and nb.cells[0].cell_type == "markdown" and re.match(title, nb.cells[0].source):
        return []
    return ["must begin with a title, which has the number that the file's name has"]


def _order(nb):
    counts = [cell.execution_count for cell in nb.cells if cell.cell_type == "code"]
    if counts == list(range(1, len(counts) + 1)):
        return []
    return [f"every cell must have been run once, from top to bottom, got {counts}: make execute"]


def _exercises(nb):
    """Every exercise has a solution, and every solution is folded."""
    found, asked, solved = [], set(), set()
    words = "\n".join(cell.source + "\n" for cell in nb.cells if cell.cell_type == "markdown")
    for kind, label, options in BLOCK.findall(words):
        if kind == "exercise":
            named = re.search(r"^:label: *(\S+)", options, re.M)
            asked.add(named[1] if named else "without a label")
        else:
            solved.add(label)
            if not re.search(r"^:class:.*\bdropdown\b", options, re.M):
                found.append(f"the solution to {label} is not folded: `:class: dropdown`")
    found += [f"the exercise {label} has no solution" for label in sorted(asked - solved)]
    return found + [f"a solution to {label}, no exercise here" for label in sorted(solved - asked)]


def _outputs(cell):
    found = []
    failed = any(output.output_type == "error" for output in cell.outputs)
    if failed != ("raises-exception" in cell.metadata.get("tags", [])):
        found.append("an error needs the tag raises-exception, and the tag an error")
    for output in cell.outputs:
        data = output.get("data", {})
        if output.get("name") == "stderr":
            found.append(f"wrote to stderr: {output.text[:80]!r}")
        for kind in data:
            if kind not in SHOWN and not kind.startswith(GLUE):
                found.append(f"an output of type {kind}, which is not compared or not shown")
        words = [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
        words = "\n".join(words + [str(data[kind]) for kind in data if kind != "image/svg+xml"])
        if match := ADDRESS.search(words):
            found.append(f"prints an address in memory: {match[0]!r}")
        if match := MACHINE.search(words):
            found.append(f"prints a path of this machine: {match[0]!r}")
    return found


def _silence(cell):
    """A last `;` hides a result from whoever runs the notebook, and not from nbval."""
    if DisplayHook.semicolon_at_end_of_expression(cell.source):
        return ["ends with `;`, which hides its result here and not under nbval: `_ = ...` does"]
    return []


def _exemptions(cell):
    """The only cell that nbval need not compare is a measurement that asserts its claim."""
    tags = cell.metadata.get("tags", [])
    exempt = EXEMPT.search(" ".join([*tags, cell.source]))
    if not exempt and "measurement" not in tags:
        return []
    if {"measurement", "nbval-ignore-output"} - set(tags) or "nbval-skip" in tags:
        return ["only a measurement is exempt; tag it measurement and nbval-ignore-output"]
    if "#" in cell.source and EXEMPT.search(cell.source):
        return ["exempt by a tag, not by a comment"]
    if not _asserts_an_order(cell.source):
        return ["a measurement must assert the order that the text claims: assert slow > fast"]
    return []


def _asserts_an_order(source):
    order = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
    return any(
        isinstance(part, ast.Compare) and any(isinstance(op, order) for op in part.ops)
        for statement in ast.walk(ast.parse(source))
        if isinstance(statement, ast.Assert)
        for part in ast.walk(statement.test)
    )


def _figures(cell):
    """A figure says in words what it shows, to those who do not see it."""
    figures = sum("image/svg+xml" in output.get("data", {}) for output in cell.outputs)
    if not figures:
        return []
    if figures > 1:
        return ["one figure for a cell: the alt text belongs to the cell"]
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    if len(alt.split()) < 5:
        return [f"needs alt text, mystnb.image.alt, of five words or more, got {alt!r}"]
    return []
