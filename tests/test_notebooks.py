"""The notebooks: what nbval compares, shown at work, and the guards of what it lets pass."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from hygiene import problems
from nbformat import v4

from tools.drawing import Drawing, Player, first_difference
from tools.execute import as_text, joined

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
SVG = '<svg><path d="M 0 0 L {x} 5.25" style="stroke: {colour}"/><text x="3">{label}</text></svg>'
FRAME = '<path d="M {x} 0"/>'
PLAYER = """<img alt="two steps" id="_anim_img{name}"><script>var lines = {lines};
[[0,1],[0,2]].forEach(function(frame, i) {{}}); use("{name}")</script>"""

RECORD = "application/vnd.companion.ledger+json"


def cell(source, *outputs, **metadata):
    return v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)


def notebook(*cells, **metadata):
    """The cells as a notebook that looks as if it had been run."""
    nb = v4.new_notebook(cells=list(cells), metadata=metadata)
    for number, part in enumerate(nb.cells):
        part.id = f"cell-{number}"
    for count, part in enumerate((c for c in nb.cells if c.cell_type == "code"), 1):
        part.execution_count = count
    return nb


def printed(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def shown(**data):
    return v4.new_output("display_data", data=data)


def figure(x="10.5", colour="blue", label="h"):
    return shown(**{"image/svg+xml": SVG.format(x=x, colour=colour, label=label)})


def png(data):
    return shown(**{"image/png": data})


# The guards of what nbval lets pass.


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_of_the_book_has_no_problems(path):
    found = problems(path.read_text(encoding="utf-8"), path.name)
    assert not found, "\n".join(found)


def good():
    """A notebook without problems: cells 0 and 3 are words, 1 prints, 2 is a figure."""
    ask = "```{exercise}\n:label: ex-a\n\nWhy?\n```\n\n"
    answer = "```{solution} ex-a\n:class: dropdown\n\nSo.\n```"
    alt = {"image": {"alt": "A straight line that rises from 0 to 5."}}
    return notebook(
        v4.new_markdown_cell("# 3. Sweep forward"),
        cell("print(1)", printed("1\n")),
        cell("draw()", figure(), mystnb=alt),
        v4.new_markdown_cell(ask + answer),
    )


def in_words(nb, old, new):
    nb.cells[3].source = nb.cells[3].source.replace(old, new)


def measured(nb, source):
    nb.cells[1].source = source
    nb.cells[1].metadata["tags"] = ["measurement", "nbval-ignore-output"]


FAILED = v4.new_output("error", ename="E", evalue="no", traceback=["E: no"])
PLANTED = {  # name: (what is done to the good notebook, what the judge must say)
    "nothing": (lambda nb: None, None),
    "never run": (lambda nb: nb.cells[1].update(execution_count=None, outputs=[]), "run once"),
    "run out of order": (lambda nb: nb.cells[1].update(execution_count=2), "run once"),
    "run twice": (lambda nb: nb.cells[2].update(execution_count=3), "run once"),
    "an error": (lambda nb: nb.cells[1].update(outputs=[FAILED]), "raises-exception"),
    "no error where one is due": (
        lambda nb: nb.cells[1].metadata.update(tags=["raises-exception"]),
        "the tag an error",
    ),
    "a warning": (lambda nb: nb.cells[1].outputs.append(printed("beware", "stderr")), "stderr"),
    "pixels": (lambda nb: nb.cells[1].update(outputs=[png("iVBOR")]), "type image/png"),
    "a widget": (
        lambda nb: nb.cells[1].update(
            outputs=[shown(**{"application/vnd.jupyter.widget-view+json": {"model_id": "a"}})]
        ),
        "widget-view+json",
    ),
    "a record of the ledger": (
        lambda nb: nb.cells[1].update(outputs=[shown(**{RECORD: {"label": "eq-a"}})]),
        None,
    ),
    "an address": (
        lambda nb: nb.cells[1].update(outputs=[printed("<function f at 0x7f12ab34cd56>")]),
        "address in memory",
    ),
    "a path": (lambda nb: nb.cells[1].update(outputs=[printed("in /" + "home/ada/x")]), "path of"),
    "a skipped cell": (
        lambda nb: nb.cells[1].metadata.update(tags=["nbval-skip"]),
        "only a measurement is exempt",
    ),
    "an ignored output": (
        lambda nb: nb.cells[1].metadata.update(tags=["nbval-ignore-output"]),
        "only a measurement is exempt",
    ),
    "an output ignored by a comment": (
        lambda nb: nb.cells[1].update(source="# NBVAL_IGNORE_OUTPUT\nprint(1)"),
        "only a measurement is exempt",
    ),
    "a measurement": (lambda nb: measured(nb, "assert slow > 2 * fast"), None),
    "a measurement without a claim": (lambda nb: measured(nb, "assert slow"), "assert the order"),
    "no alt text": (lambda nb: nb.cells[2].metadata.clear(), "needs alt text"),
    "alt text that says nothing": (
        lambda nb: nb.cells[2].metadata.mystnb.image.update(alt="figure"),
        "needs alt text",
    ),
    "alt text of another figure": (
        lambda nb: (
            nb.cells[2]
            .outputs[0]
            .data.update({"image/svg+xml": "<svg><desc>A graph of 2 nodes and more.</desc></svg>"})
        ),
        "not written",
    ),
    "two figures": (lambda nb: nb.cells[2].outputs.append(figure()), "one figure for a cell"),
    "an open solution": (lambda nb: in_words(nb, ":class: dropdown\n", ""), "not folded"),
    "no solution": (lambda nb: in_words(nb, "{solution}", "{note}"), "ex-a has no solution"),
    "no exercise": (lambda nb: in_words(nb, "{exercise}", "{note}"), "no exercise here"),
    "another number": (lambda nb: nb.cells[0].update(source="# 4. Sweep"), "title"),
    "no title": (lambda nb: nb.cells.pop(0), "title"),
    "a result hidden by ;": (lambda nb: nb.cells[1].update(source="x = 3\nx;"), "ends with `;`"),
    "a result hidden by ; and a remark": (
        lambda nb: nb.cells[1].update(source="draw();  # quietly\n\n# done"),
        "ends with `;`",
    ),
    "a ; that hides nothing": (
        lambda nb: nb.cells[1].update(source="x = 3; print(x, ';')  # one; two;"),
        None,
    ),
    "an editor's traces": (lambda nb: nb.cells[1].metadata.update(scrolled=True), "not written"),
}


@pytest.mark.parametrize("plant, verdict", PLANTED.values(), ids=PLANTED)
def test_a_bad_notebook_is_refused(plant, verdict):
    nb = good()
    plant(nb)
    # What the tool itself would mend is written as it is; the rest as the tool would write it.
    text = nbformat.writes(nb) + "\n" if verdict == "not written" else as_text(nb)
    found = problems(text, "03_sweep.ipynb")
    if verdict is None:
        assert found == []
    else:
        assert any(verdict in problem for problem in found), found


# What nbval compares.

SHOW = "display({{{!r}: {!r}}}, raw=True)"
BUNDLE = shown(**{RECORD: {"a": ["b"]}})


def draws(**new):
    """A cell with a stored figure, and code that now draws it as `new` says."""
    now = SVG.format(**{"x": "10.5", "colour": "blue", "label": "h"} | new)
    return notebook(cell(SHOW.format("image/svg+xml", now), figure()))


def player(x, name="0123abcd", head="<svg>"):
    """The page of an animation, as companion.draw.animation writes it, with two frames."""
    lines = json.dumps([head, FRAME.format(x=1), FRAME.format(x=x)])
    return PLAYER.format(lines=lines, name=name)


def plays(*args):
    """A cell with a stored animation, and code that now makes it as the arguments say."""
    now = SHOW.format("text/html", player(*args))
    return notebook(cell(now, shown(**{"text/html": player(2.0)})))


IN_TURN = "print('a'); display({'text/plain': 'b'}, raw=True); print('c')"
SHOWN_B = shown(**{"text/plain": "b"})

# Thousands of lines that are alike: pytest would take minutes to align them.
TABLE = "for i in range(3000): print('row', i % 7, 'of a table', {})"


def table(last):
    return "".join(f"row {i % 7} of a table {last}\n" for i in range(3000))


COMPARED = {  # name: (a notebook with stored outputs, how nbval must judge it)
    "same": (notebook(cell("print(1)", printed("1\n"))), "passed"),
    "another-number": (notebook(cell("print(2)", printed("1\n"))), "failed"),
    "same-figure": (draws(), "passed"),
    "curve-moved-a-little": (draws(x="10.8"), "passed"),
    "curve-moved": (draws(x="14.5"), "failed"),
    "another-colour": (draws(colour="green"), "failed"),
    "another-label": (draws(label="t"), "failed"),
    "same-animation": (plays(2.0), "passed"),
    "animation-moved-a-little": (plays(2.2, "99999999"), "passed"),
    "animation-moved": (plays(3.0), "failed"),
    "another-animation": (plays(2.0, "0123abcd", "<svg >"), "failed"),
    "in-turn": (
        notebook(cell(IN_TURN, printed("a\n"), SHOWN_B, printed("c\n"))),
        "passed",
    ),
    "sent-in-pieces": (
        notebook(cell("print('a', flush=True); print('c')", printed("a\nc\n"))),
        "passed",
    ),
    "in-another-order": (
        notebook(cell(IN_TURN, printed("a\n"), printed("c\n"), SHOWN_B)),
        "failed",
    ),
    "joined-across-a-display": (
        notebook(cell(IN_TURN, printed("a\nc\n"), SHOWN_B)),
        "failed",
    ),
    "text-after-its-display": (
        notebook(
            cell("print('a'); display({'text/plain': 'b'}, raw=True)", SHOWN_B, printed("a\n"))
        ),
        "failed",
    ),
    "another-picture": (notebook(cell(SHOW.format("image/png", "aGEK"), png("aG8K"))), "failed"),
    "same-record": (notebook(cell(SHOW.format(RECORD, {"a": ["b"]}), BUNDLE)), "passed"),
    "another-record": (notebook(cell(SHOW.format(RECORD, {"a": ["c"]}), BUNDLE)), "failed"),
    "no-seed": (
        notebook(cell("import random; print(random.random())", printed("0.37444887175646646\n"))),
        "failed",
    ),
    "long-text": (notebook(cell(TABLE.format("7"), printed(table("8")))), "failed"),
    "needs-mnist": (notebook(cell("1 / 0"), companion={"needs": ["mnist"]}), "skipped"),
    "measured": (
        notebook(cell("print(3)", printed("2\n"), tags=["nbval-ignore-output"])),
        "passed",
    ),
    "measured-otherwise": (
        notebook(cell("assert 1 > 2", tags=["measurement", "nbval-ignore-output"])),
        "failed",
    ),
}


def run_nbval(folder, notebooks, *options):
    """What a real run of nbval with our conftest says about notebooks, name -> notebook."""
    for name, nb in notebooks.items():
        (folder / f"{name}.ipynb").write_text(nbformat.writes(nb), encoding="utf-8")
    ours = "-p conftest -p no:cacheprovider --nbval --nbval-current-env -rA --color=no"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *ours.split(), *options, "--rootdir", folder, folder],
        env=os.environ | {"PYTHONPATH": str(ROOT), "COMPANION_DATA": str(folder)},
        capture_output=True,
        text=True,
    )
    return run.stdout


def verdicts(report, name):
    return re.findall(rf"^(PASSED|FAILED).*\b{name}\.ipynb.*", report, re.M)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What nbval says about the notebooks in COMPARED."""
    folder = tmp_path_factory.mktemp("compared")
    return run_nbval(folder, {name: nb for name, (nb, _) in COMPARED.items()})


@pytest.mark.parametrize("name, verdict", [(n, v) for n, (_, v) in COMPARED.items()], ids=COMPARED)
def test_nbval_judges(report, name, verdict):
    assert verdicts(report, name) == ([] if verdict == "skipped" else [verdict.upper()]), report


def test_a_notebook_without_its_data_is_skipped_and_says_how_to_get_them(report):
    assert re.search(r"^SKIPPED \[1\].*needs MNIST.*COMPANION_DATA", report, re.M), report


def test_a_changed_figure_is_described_in_a_line(report):
    assert "1 coordinates moved by more than 0.5; furthest, 10.5 to 14.5" in report


def test_a_changed_long_text_is_described_in_a_line(report):
    assert "became 'row 0 of a table 7\\nrow 1" in report


def test_a_changed_frame_and_a_changed_order_are_described_in_a_line(report):
    assert "frame 2: 1 coordinates moved by more than 0.5; furthest, 2 to 3" in report
    assert "another order: ['text/plain', 'stdout'] became ['stdout', 'text/plain']" in report


def test_where_a_text_breaks_off_is_found():
    whole, part = "".join(map(str, range(100))), "0123456789"
    assert first_difference(whole, part) == [f"{whole[:60]!r}", f"became {part!r}"]
    assert first_difference(part, whole) == [f"{part!r}", f"became {whole[:60]!r}"]


SIZED = (
    '<svg viewBox="0 0 {size} 30" width="{size}pt"><rect x="1" width="{size}"/><g transform='
    '"translate(3 4) rotate({turn})"><path style="stroke: {colour}; stroke-width: {wide}; '
    'opacity: {opacity}"/></g></svg>'
)
SEEN = {"size": 226.79, "turn": -12.0, "colour": "#0b5cad", "wide": 1.5, "opacity": 0.3}


@pytest.mark.parametrize(
    "part, unseen, seen",
    [
        ("size", 226.791438, 228.0),
        ("turn", -12.0000001, -15.0),
        ("colour", "#0b5cae", "#0b5cbd"),
        ("wide", 1.50000001, 1.8),
        ("opacity", 0.30000001, 0.4),
    ],
)
def test_every_number_of_a_figure_has_a_tolerance_that_is_smaller_than_the_eye_sees(
    part, unseen, seen
):
    stored = Drawing(SIZED.format(**SEEN))
    assert stored == Drawing(SIZED.format(**SEEN | {part: unseen}))
    assert stored != Drawing(SIZED.format(**SEEN | {part: seen}))


def test_zero_has_no_sign_and_a_number_that_is_no_measure_has_no_tolerance():
    assert Drawing('<path d="M -0 1"/>') == Drawing('<path d="M 0 1"/>')
    assert Drawing('<path id="line2d_1"/>') != Drawing('<path id="line2d_2"/>')
    assert Drawing('<path d="M 0 1"/>') != Drawing('<path d="M 0 1 L 0 1"/>')


def test_an_animation_has_the_frames_it_had():
    stored = Player(player(2.0))
    assert stored == Player(player(2.3, "89abcdef"))
    assert stored != Player(player(2.0).replace("[0,1],", ""))
    assert stored != Player("<p>no animation</p>")


def test_what_a_cell_prints_is_joined_up_to_the_next_display():
    sent = [printed("a"), printed("b"), figure(), printed("c"), printed("d", "stderr")]
    assert [output.get("text") for output in joined(sent)] == ["ab", None, "c", "d"]


def test_names_that_are_hashes_may_change_but_not_what_they_name():
    clip = '<clipPath id="p{0}"/><clipPath id="p{1}"/><g clip-path="url(#p{2})"/>'.format
    one, two = "0123456789", "abcdef0123"
    assert Drawing(clip(one, two, one)) == Drawing(clip(two, one, two))
    assert Drawing(clip(one, two, one)) != Drawing(clip(one, two, two))


def test_a_notebook_is_written_without_traces():
    nb = notebook(cell("1", scrolled=True, tags=["hide-input"]), companion={"needs": ["mnist"]})
    nb.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    written = json.loads(as_text(nb))
    assert written["cells"][0]["metadata"] == {"tags": ["hide-input"]}
    assert written["metadata"]["language_info"] == {"name": "python"}
    assert written["metadata"]["companion"] == {"needs": ["mnist"]}


def alt_of(text):
    return json.loads(text)["cells"][0]["metadata"]["mystnb"]["image"]["alt"]


def test_a_figure_that_describes_itself_gives_the_alt_text():
    said = "<svg><desc>Two nodes, 3 &lt; 4.</desc><desc>No.</desc></svg>"
    drawn = cell("draw()", shown(**{"image/svg+xml": said}), mystnb={"image": {"alt": "old"}})
    assert alt_of(as_text(notebook(drawn))) == "Two nodes, 3 < 4."
    by_hand = cell("draw()", figure(), mystnb={"image": {"alt": "by hand"}})
    assert alt_of(as_text(notebook(by_hand))) == "by hand"
