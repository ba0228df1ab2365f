"""The built book, opened in a browser as its readers open it: from disk, and from a server."""

import http.server
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from reading import JUDGED_BY_AXE, faults

ROOT = Path(__file__).parents[1]
# No sandbox, because root has none; no calls home, because they would be refused.
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="session")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium and no Chrome; install one, or say where it is: CHROMIUM=/a/path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The folder of the book, built as `make book` builds it."""
    out = tmp_path_factory.mktemp("book")
    command = Path(sys.executable).with_name("jupyter-book")
    options = "-W -n --keep-going --all --quiet --path-output".split()
    subprocess.run([command, "build", *options, out, ROOT], check=True)
    return out / "_build" / "html"


@pytest.fixture(scope="session")
def pages(book):
    """Every page, the generated ones included; index.html only leads to the first one."""
    pages = [path for path in book.rglob("*.html") if "_static" not in path.parts]
    assert book / "book" / "index.html" in pages
    return sorted(path for path in pages if path != book / "index.html")


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


def test_every_page_reads_well_from_disk(browser, pages):
    found = [f"{page.name}: {fault}" for page in pages for fault in faults(browser, page.as_uri())]
    assert not found, "\n".join(found)


def test_code_and_formulas_are_accessible(browser, book):
    """On a page that holds both; they look alike on the others."""
    address = (book / "book" / "notation.html").as_uri()
    assert faults(browser, address, left_to_axe_elsewhere=[]) == []


def test_every_page_reads_well_from_a_server(browser, book, pages, server):
    addresses = [f"{server}/{page.relative_to(book).as_posix()}" for page in pages]
    found = [f"{a}: {fault}" for a in addresses for fault in faults(browser, a, views=[])]
    assert not found, "\n".join(found)


def test_the_front_door_leads_to_the_first_page(browser, book):
    page = browser.new_page()
    page.goto((book / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    page.close()


def test_search_works_from_disk(browser, book):
    page = browser.new_page()
    page.goto((book / "search.html").as_uri() + "?q=network")
    page.wait_for_selector("#search-results li a", timeout=5000)
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
    planted = book / "book" / "planted.html"
    planted.write_text(typeset.replace("</article>", f"{html}</article>", 1), "utf-8")
    try:
        found = faults(browser, planted.as_uri(), JUDGED_BY_AXE[:1])
    finally:
        planted.unlink()
    if verdict is None:
        assert found == []
    else:
        assert any(verdict in fault for fault in found), found
