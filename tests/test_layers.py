"""The two layers of a page: what is seen, what is folded, and how the folds open."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from layers import CELLS, LINES, LONG, MANY, OTHER_LETTERS, crowded, letters, seen
from nbformat import v4

from book._ext.folds import COMPUTED, DRAWN, IMPORTS, layer
from companion.ledger import RECORD, checked
from tools.execute import KERNEL

ROOT = Path(__file__).parents[1]
BOOK = {
    path.stem: nbformat.read(path, as_version=4) for path in sorted((ROOT / "book").glob("*.ipynb"))
}


# What is seen


@pytest.mark.parametrize("name", BOOK)
def test_a_chapter_shows_what_a_reader_learns_from(name):
    assert crowded(BOOK[name], name) == []


@pytest.mark.parametrize("name", BOOK)
def test_a_chapter_uses_the_letters_of_the_book(name):
    assert letters(BOOK[name]) == []


def test_every_exception_is_of_the_book_and_has_a_reason():
    ids = {(name, cell.id) for name, nb in BOOK.items() for cell in nb.cells}
    assert set(LONG) <= ids and set(MANY) <= set(BOOK)
    assert all(len(why.split()) > 3 for why in [*LONG.values(), *MANY.values()])
    assert all(len(why.split()) > 3 for why in OTHER_LETTERS.values())


def code(source, *outputs, **metadata):
    return v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)


def lines(count):
    return "\n".join(["x = 1"] * count)


def record(formula="j"):
    data = {"label": "eq-a", "kind": "proved", "statement": f"$$x_{{{formula}}} = 1$$"}
    data |= {"refuted": [["a sign", "$x_{j}$", "with 1, 2"]]}
    return v4.new_output("display_data", data={RECORD: data})


FIGURE = v4.new_output("display_data", data={"image/svg+xml": "<svg/>"})
STREAM = v4.new_output("stream", text="1")
FOLDED = {  # name: (a cell of too many lines, is it seen?)
    "code": (code(lines(LINES + 1)), True),
    "a record": (code(lines(LINES + 1), record()), False),
    "a drawing": (code(lines(LINES + 1), FIGURE, tags=["hide-input"]), False),
    "a drawing that is shown": (code(lines(LINES + 1), FIGURE), True),
    "imports": (code("import a\n" * LINES + "from b import c\n\nc.set()"), False),
    "imports and more": (code("import a\n" * LINES + "b = 1"), True),
    "imports that print": (code("import a\n" * LINES + "a.f()", STREAM), True),
    "a magic": (code("%time a\n" + lines(LINES)), True),
}


@pytest.mark.parametrize("cell, visible", FOLDED.values(), ids=FOLDED)
def test_long_code_is_refused_where_it_is_seen(cell, visible):
    found = crowded(v4.new_notebook(cells=[cell]), "a")
    assert [line.split(": ")[-1] for line in found] == visible * [
        f"{LINES + 1} lines are seen, {LINES} are allowed"
    ]


def test_a_long_cell_may_be_excused():
    cell = code(lines(LINES + 1))
    assert crowded(v4.new_notebook(cells=[cell]), "a", long={("a", cell.id): "why"}) == []


def test_many_cells_are_refused_and_solutions_are_not_counted():
    start = v4.new_markdown_cell("````{solution-start} ex-a\n````")
    end = v4.new_markdown_cell("````{solution-end}\n````")
    cells = [code("1") for _ in range(CELLS)] + [start, code(lines(99)), end]
    assert crowded(v4.new_notebook(cells=cells), "a") == []
    assert len(seen(v4.new_notebook(cells=cells))) == CELLS
    more = v4.new_notebook(cells=[*cells, code("2")])
    assert crowded(more, "a") == [f"{CELLS + 1} cells are seen, {CELLS} are allowed"]
    assert crowded(more, "a", many={"a": "why"}) == []


@pytest.mark.parametrize(
    "source, tags, shown, label, expected",
    [
        ("import a", [], set(), None, IMPORTS),
        ("draw()", ["hide-input"], {"image/svg+xml", "text/plain"}, None, DRAWN),
        ("f()", ["hide-input"], {"text/plain"}, None, COMPUTED),
        ("def f(): pass\na, (b, c) = x\nd: int = 1", ["hide-input"], set(), None,
         "Defined here: f, a, b, c, d"),
        ("f()", ["hide-input"], set(), "How this was measured", "How this was measured"),
        ("f()", [], set(), "a label alone folds nothing", None),
    ],
)  # fmt: skip
def test_a_fold_says_what_is_inside(source, tags, shown, label, expected):
    assert layer(source, tags, shown, label) == expected


# The letters

GOOD = [
    r"z^l_j = \sum_{k=1}^{n_{l-1}} W^l_{jk} a^{l-1}_k + b^l_j",
    r"\sum_{e=1}^{m} C_{e}(a_{1e}, \ldots, a_{ne})",
    r"C(x_{1}, \ldots, x_{n}) = \sum_{i=1}^{p} g_{i} \delta^{l}_{je}",
    r"\nabla_x f, \quad \left.f\right|_{t=0}",
]
BAD = {  # a formula in other letters: what the judge must say
    r"\sum_{m=1}^{n} x_{i}": "sums over m",
    r"\sum_x C": "sums over x",
    r"\sum_{k=1}^{m} a_{jk}": "up to m",
    r"\sum_{e=1}^{n} a_{je}": "e is an example",
    r"\frac{1}{m} \sum_{e=1}^{m} C\left(a_{1e}\right)": "write C_e",
    r"\delta_{p}": "p is an index",
    r"W_{pq}": "q is an index",
    r"C_x": "x is an index",
    r"\delta_{ij}": "write [i = j]",
    "α δ": "no letter of its own",
    r"z_k = W_{kj} a_j": "W_kj",
}


@pytest.mark.parametrize("tex", GOOD)
def test_letters_of_the_book_are_let_pass(tex):
    words = v4.new_markdown_cell(f"$$\n{tex}\n$$ (eq-a)")
    assert letters(v4.new_notebook(cells=[words])) == []


@pytest.mark.parametrize("tex, verdict", BAD.items(), ids=BAD)
def test_other_letters_are_refused(tex, verdict):
    words = v4.new_markdown_cell(f"$$\n{tex}\n$$ (eq-a)")
    assert any(verdict in fault for fault in letters(v4.new_notebook(cells=[words])))


def test_letters_of_a_record_are_judged():
    assert letters(v4.new_notebook(cells=[code("", record())])) == []
    [fault] = letters(v4.new_notebook(cells=[code("", record("p"))]))
    assert fault == "record of eq-a: p is an index"


# What nbval compares

SETUP = "from companion.ledger import checked"
CALL = 'checked("eq-a", float, float, range(9), wrong={"twice": lambda n: 2 * n})'


def judged(folder, old, new):
    """Does nbval pass a record in whose stored Markdown a digit has changed?"""
    entry = checked("eq-a", float, float, range(9), wrong={"twice": lambda n: 2 * n})
    data = entry._repr_mimebundle_()
    assert old in data["text/markdown"].partition("<details")[2]  # it is folded
    data["text/markdown"] = data["text/markdown"].replace(old, new)
    shown = v4.new_output("execute_result", data=data, execution_count=2)
    nb = v4.new_notebook(cells=[code(SETUP), code(CALL, shown)])
    for count, cell in enumerate(nb.cells, 1):
        cell.execution_count = count
    path = folder / f"{new[0]}.ipynb"
    nbformat.write(nb, path)
    options = "-q -p conftest -p no:cacheprovider --nbval --nbval-current-env --rootdir"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), folder, path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr
    return run.returncode == 0


def test_a_digit_that_changes_inside_a_fold_is_noticed(tmp_path):
    assert judged(tmp_path, "8 of 9 cases", "8 of 9 cases")
    assert not judged(tmp_path, "8 of 9 cases", "7 of 9 cases")


# The page


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with a fold of each kind, built as the book is."""
    folder = tmp_path_factory.mktemp("layers")
    (folder / "book").mkdir()
    for name in ("_ext", "_static", "references.bib", "ledger.md"):
        source = ROOT / "book" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / "book" / name)
    shutil.copy(ROOT / "_config.yml", folder)
    toc = "format: jb-book\nroot: book/index\nchapters:\n- file: book/01_a\n- file: book/ledger\n"
    (folder / "_toc.yml").write_text(toc, encoding="utf-8")
    (folder / "book" / "index.md").write_text("# A book\n", encoding="utf-8")
    entry = checked("eq-a", float, float, range(3), wrong={"twice": lambda n: 2 * n})
    shown = v4.new_output("display_data", data=entry._repr_mimebundle_())
    svg = {"image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg"><title>A line</title></svg>'}
    cells = [
        v4.new_markdown_cell("# 1. A page\n\n$$\na = a\n$$ (eq-a)"),
        code("import numpy_inside"),
        code('checked("eq-a", code_inside)', shown),
        code("draw_inside()", v4.new_output("display_data", data=svg), tags=["hide-input"]),
        code("seen_at_once()"),
    ]
    nb = v4.new_notebook(cells=cells, metadata=KERNEL)
    nbformat.write(nb, folder / "book" / "01_a.ipynb")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "-W", "-n", "--quiet"]
    subprocess.run([*command, "--path-output", folder / "out", folder], check=True)
    return folder / "out" / "_build" / "html" / "book" / "01_a.html"


@pytest.fixture
def opened(browser, page):
    tab = browser.new_page()
    tab.goto(page.as_uri())
    yield tab
    tab.close()


LABELS = [IMPORTS, "How this was checked", DRAWN]
HIDDEN = ["numpy_inside", "code_inside", "draw_inside", "off by more than"]


def visible(tab, text):
    return tab.get_by_text(text).first.is_visible()


def test_folds_are_closed_and_say_what_is_inside(opened):
    assert opened.locator("article details > summary").all_inner_texts() == LABELS
    assert not any(visible(opened, text) for text in HIDDEN)
    for text in ("Checked in 3 cases", "Refuted: twice.", "seen_at_once"):
        assert visible(opened, text)


@pytest.mark.parametrize("number", range(len(LABELS)))
def test_a_fold_opens_with_the_keyboard(opened, number):
    summary = opened.locator("article details > summary").nth(number)
    summary.focus()
    opened.keyboard.press("Enter")
    assert visible(opened, HIDDEN[number])
    summary.click()
    assert not visible(opened, HIDDEN[number])


def test_a_link_to_a_record_opens_it(browser, page):
    tab = browser.new_page()
    tab.goto((page.parent / "ledger.html").as_uri())
    tab.get_by_role("link", name="Its place in the chapter").click()
    tab.wait_for_url("**/01_a.html#record-eq-a")
    assert visible(tab, "code_inside") and not visible(tab, "draw_inside")
    tab.close()


def test_everything_is_printed(opened):
    opened.emulate_media(media="print")
    assert all(visible(opened, text) for text in HIDDEN)


def test_folds_need_no_script(browser, page):
    tab = browser.new_page(java_script_enabled=False)
    tab.goto(page.as_uri())
    assert not visible(tab, "code_inside")
    tab.get_by_text("How this was checked").click()
    assert visible(tab, "code_inside")
    tab.close()


def test_a_page_is_accessible_with_its_folds_closed(browser, page):
    from reading import ACCESSIBILITY, ALIKE, AXE, JUDGED_BY_AXE

    tab = browser.new_page()
    tab.goto(page.as_uri())
    tab.evaluate("window.MathJax?.startup?.promise")
    tab.evaluate(AXE)
    for width, theme, _ in JUDGED_BY_AXE:
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=theme)
        assert tab.evaluate(ACCESSIBILITY, ALIKE) == []
    tab.close()
