"""Sphinx extension: what steps back one layer on the page, under a label that says so.

    in a notebook                            on the page, folded
    a cell with a record of the ledger       its code, inside the record's own fold
    a cell of nothing but imports and calls  "What this page imports"
    hide-input, and it shows a figure        "How this was drawn", under the figure
    hide-input, and it shows anything else   "How this was computed"
    hide-input, and it shows nothing         "Defined here: f, g", by their names
    hide-input, and mystnb.code_prompt_show  the label that the author chose

A fold is an HTML <details>: it opens with mouse and keyboard, for find-in-page and for
a link into it, and needs no script. `layer` decides; the tests count with it, too.
"""

import ast
import html
import re

from docutils import nodes

RECORD = re.compile(r'<details class="record (eq-[a-z0-9-]+)">')
IMPORTS, DRAWN, COMPUTED = (
    "What this page imports",
    "How this was drawn",
    "How this was computed",
)


def layer(source, tags, shown, label=None):
    """The label of the fold for the code of a cell, or None for code that is seen.

    shown   the MIME types of the cell's outputs, "" for a printed text
    """
    if "hide-input" in tags:
        if label:
            return label
        if "image/svg+xml" in shown or "text/html" in shown:
            return DRAWN
        return COMPUTED if shown else _names(source)
    return IMPORTS if not shown and _only_imports(source) else None


def _tree(source):
    try:
        return ast.parse(source).body
    except SyntaxError:
        return []  # a magic of IPython


def _only_imports(source):
    """Imports, and calls that set something up, such as draw.use_book_style()."""
    body = _tree(source)
    imports = [isinstance(part, ast.Import | ast.ImportFrom) for part in body]
    calls = [
        isinstance(part, ast.Expr) and isinstance(part.value, ast.Call) for part in body
    ]
    return any(imports) and all(map(max, imports, calls))


def _names(source):
    names = []
    for part in _tree(source):
        targets = getattr(part, "targets", [getattr(part, "target", None)])
        names += [getattr(part, "name", None)]
        for target in filter(None, targets):
            names += [part.id for part in ast.walk(target) if _stored(part)]
    return "Defined here: " + ", ".join(dict.fromkeys(filter(None, names)))


def _stored(node):
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def fold(app, doctree):
    """Fold the code of every cell of a page that belongs beneath the line."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") != "cell_code" or not cell.children:
            continue
        code = cell[0]
        if code.get("nb_element") != "cell_code_source":
            continue
        if records := [raw for raw in cell.findall(nodes.raw) if _label(raw)]:
            _into_record(app, cell, code, records)
        elif label := layer(code.astext(), *_facts(cell)):
            cell.remove(code)
            cell.attributes.pop("hide_mode", None)
            # A figure comes first, and how it was drawn after it.
            at = len(cell) if label == DRAWN else 0
            cell[at:at] = [
                _html(f'<details class="fold"><summary>{html.escape(label)}</summary>'),
                code,
                _html("</details>"),
            ]


def _facts(cell):
    """The tags of a cell, the types of what it shows, and the label it asks for."""
    metadata = cell.get("cell_metadata", {})
    parts = [part for part in cell.findall(nodes.container) if "mime_type" in part]
    shown = {part["mime_type"] for part in parts}
    if not shown and len(cell) > 1:
        shown = {""}
    label = metadata.get("mystnb", {}).get("code_prompt_show")
    return metadata.get("tags", []), shown, label


def _label(raw):
    found = RECORD.match(raw.astext())
    return found and found[1]


def _into_record(app, cell, code, records):
    """The code goes into the first record; a link to a record lands in its fold."""
    std = app.env.get_domain("std")
    cell.remove(code)
    for raw in records:
        inside = nodes.container(classes=["inside"], ids=[f"record-{_label(raw)}"])
        if raw is records[0]:
            inside.append(code)
        raw.parent.insert(raw.parent.index(raw) + 1, inside)
        std.anonlabels[inside["ids"][0]] = app.env.docname, inside["ids"][0]


def _html(text):
    return nodes.raw("", text, format="html")


def setup(app):
    app.connect("doctree-read", fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
