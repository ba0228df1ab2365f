"""The built book, opened in a browser as its readers open it: from disk, and from a server."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from reading import JUDGED_BY_AXE, PATIENCE, faults

ROOT = Path(__file__).parents[1]
TOC = (ROOT / "_toc.yml").read_text(encoding="utf-8")
# Each is one test, so that several processes share the work: a page that is written, named as in
# the table of contents, or one share of those that are generated (search and sources).
PARTS = [*re.findall(r"(?:root|file): *(\S+)", TOC), "1 of 4", "2 of 4", "3 of 4", "4 of 4"]


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The folder of the book, built as `make book` builds it, once for all processes."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    out, state = shared / "book", shared / "book.json"
    html = out / "_build" / "html"
    try:
        out.mkdir()
    except FileExistsError:  # another process builds it, or has done so
        deadline = time.monotonic() + PATIENCE
        while not state.exists():
            assert time.monotonic() < deadline, f"the book is not built after {PATIENCE} s"
            time.sleep(0.2)
    else:
        command = Path(sys.executable).with_name("jupyter-book")
        options = "-W -n --keep-going --all --quiet --path-output".split()
        status = subprocess.run([command, "build", *options, out, ROOT]).returncode
        found = [path.relative_to(html).as_posix() for path in html.rglob("*.html")]
        new = state.with_suffix(".new")  # seen whole or not at all
        new.write_text(json.dumps({"status": status, "pages": sorted(found)}), "utf-8")
        new.replace(state)
    assert json.loads(state.read_text("utf-8"))["status"] == 0, "jupyter-book cannot build the book"
    return html


@pytest.fixture(scope="session")
def pages(book):
    """Every page, the generated ones included; index.html only leads to the first one."""
    names = json.loads((book.parents[2] / "book.json").read_text("utf-8"))["pages"]
    pages = [book / name for name in names if "_static" not in Path(name).parts]
    assert book / "book" / "index.html" in pages
    return [path for path in pages if path != book / "index.html"]


def chosen(part, book, pages):
    """The pages of a part; every page belongs to one."""
    written = [book / f"{name}.html" for name in PARTS if " of " not in name]
    assert set(written) <= set(pages)
    if " of " not in part:
        return [book / f"{part}.html"]
    share, shares = map(int, part.split(" of "))
    return [page for page in pages if page not in written][share - 1 :: shares]


@pytest.fixture
def server(book):
    handler = partial(Silent, directory=book)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.parametrize("part", PARTS)
def test_every_page_reads_well_from_disk(browser, book, pages, part):
    looked_at = chosen(part, book, pages)
    found = [
        f"{page.name}: {text}" for page in looked_at for text in faults(browser, page.as_uri())
    ]
    assert not found, "\n".join(found)


def test_every_page_is_in_one_part(book, pages):
    assert sorted(page for part in PARTS for page in chosen(part, book, pages)) == sorted(pages)


def test_code_and_formulas_are_accessible(browser, book):
    """On a page that holds both; they look alike on the others."""
    address = (book / "book" / "notation.html").as_uri()
    assert faults(browser, address, left_to_axe_elsewhere=[]) == []


@pytest.mark.parametrize("part", PARTS)
def test_every_page_reads_well_from_a_server(browser, book, pages, server, part):
    looked_at = chosen(part, book, pages)
    addresses = [f"{server}/{page.relative_to(book).as_posix()}" for page in looked_at]
    found = [f"{a}: {fault}" for a in addresses for fault in faults(browser, a, views=[])]
    assert not found, "\n".join(found)


def test_the_front_door_leads_to_the_first_page(browser, book):
    page = browser.new_page()
    page.goto((book / "index.html").as_uri())
    page.wait_for_url("**/book/index.html", timeout=1000 * PATIENCE)
    page.close()


def test_search_works_from_disk(browser, book):
    page = browser.new_page()
    page.goto((book / "search.html").as_uri() + "?q=network")
    page.wait_for_selector("#search-results li a", timeout=1000 * PATIENCE)
    page.close()


WIDE = '<div style="width: 3000px; height: 1px; background: red"></div>'
PLANTED = {  # name: (what is planted at the end of a good page, what the judge must say)
    "nothing": ("", None),
    "a fraction without denominator": (r'<p class="math">\(\frac{1}\)</p>', "bad TeX: \\frac{1}"),
    "an unknown macro": (r'<p class="math">\(\nosuchmacro x\)</p>', "bad TeX: \\nosuchmacro"),
    "TeX that is not typeset": ("<p>the cost $C_x$ of one</p>", "raw TeX: the cost $C_x$"),
    "a figure without alt text": ('<img src="../_static/minus.png">', "no alt text"),
    "a figure with a file's name": ('<img src="../_static/minus.png" alt="a.png">', "no alt text"),
    "another host's script": ('<script src="https://example.org/a.js"></script>', "another host"),
    "a missing picture": ('<img src="gone.svg" alt="A curve that is gone">', "cannot load"),
    "a script that fails": ("<script>nobody.knows()</script>", "error in a script: nobody"),
    "a link to no page": ('<a href="gone.html">gone</a>', "broken link"),
    "a link to no place": ('<a href="index.html#gone">gone</a>', "no such place"),
    "a page wider than the screen": (WIDE, "scrolls sideways"),
    "grey on white": ('<p style="color: #bbb; background: #fff">words</p>', "axe color-contrast"),
    "a field without a label": ('<input type="text">', "axe label"),
}


@pytest.mark.parametrize("html, verdict", PLANTED.values(), ids=PLANTED)
def test_a_bad_page_is_refused(browser, book, pages, html, verdict):
    texts = [page.read_text("utf-8") for page in pages]
    typeset = min((text for text in texts if "mathjax/tex" in text), key=len)
    planted = book / "book" / f"planted-{os.getpid()}.html"  # processes share the book
    planted.write_text(typeset.replace("</article>", f"{html}</article>", 1), "utf-8")
    try:
        found = faults(browser, planted.as_uri(), JUDGED_BY_AXE[:1])
    finally:
        planted.unlink()
    if verdict is None:
        assert found == []
    else:
        assert any(verdict in fault for fault in found), found
