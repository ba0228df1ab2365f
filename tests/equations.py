"""Ties each labelled equation of a notebook to the call that proves, checks or defines it.

A call counts when it stands after its equation, and its cell shows the entry that it returned.
"""

import ast

from book._ext.ledger_page import equations, records

CALLS = {"proved", "checked", "defined"}


def unmatched(nb) -> list[str]:
    """Everything that is wrong between the labelled equations of a notebook and its calls."""
    found, place, settled = [], {}, set()
    for label, _, number in equations(nb):
        if label in place:
            found.append(f"{label}: two equations have this label")
        if not label.startswith("eq-"):
            found.append(f"{label}: the label of an equation begins with eq-")
        place.setdefault(label, number)
    for number, cell in enumerate(nb.cells):
        if cell.cell_type != "code" or "raises-exception" in cell.metadata.get("tags", []):
            continue
        shown = [(record["kind"], record["label"]) for record in records(cell)]
        called = calls(cell.source)
        for kind, label in called:
            if label is None:
                found.append(f"cell {number}: write the label of {kind}() as a string")
            elif label not in place:
                found.append(f"cell {number}: {kind}({label!r}), but no equation has this label")
            elif place[label] > number:
                found.append(f"cell {number}: {kind}({label!r}) stands before its equation")
            elif (kind, label) not in shown:
                found.append(f"cell {number}: {kind}({label!r}) is not shown; end the cell with it")
            else:
                settled.add(label)
        for kind, label in shown:
            if (kind, label) not in called:
                found.append(f"cell {number}: shows {label} as {kind}, but does not call {kind}()")
    unsettled = [label for label in place if label not in settled]
    return found + [f"{label}: neither proved nor checked nor defined" for label in unsettled]


def calls(source: str) -> list[tuple[str, str | None]]:
    """(function, label) of each call of one of CALLS; a computed label is None."""
    found = []
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []  # a magic of IPython; no equation may hang on such a cell
    for part in ast.walk(tree):
        if isinstance(part, ast.Call):
            name = getattr(part.func, "id", getattr(part.func, "attr", None))
            if name in CALLS:
                label = part.args[0] if part.args else None
                literal = isinstance(label, ast.Constant) and isinstance(label.value, str)
                found.append((name, label.value if literal else None))
    return found


def repeated(notebooks) -> list[str]:
    """Labels that equations of different notebooks share."""
    seen, found = set(), []
    for nb in notebooks:
        own = {label for label, _, _ in equations(nb)}
        found += sorted(seen & own)
        seen |= own
    return found
