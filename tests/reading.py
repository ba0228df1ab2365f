"""Reads a page of the built book as a person with a browser would, and says what is wrong with it.

The page is opened with the network cut, and looked at in light and dark, on a wide screen and on
a telephone, and with its folded parts open or closed.
"""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import axe_playwright_python
from playwright.sync_api import Browser, Page

VIEWS = [  # width, theme, folds
    (1280, "light", "open"),
    (1280, "dark", "open"),
    (390, "dark", "open"),
    (390, "light", "open"),
    (390, "light", "closed"),
    (1280, "light", "closed"),
]
JUDGED_BY_AXE = VIEWS[:4:2]  # it takes seconds: each width once, and each theme
PATIENCE = 600  # seconds: a busy machine is no fault of the page
# What looks alike on every page, and is made of thousands of words coloured by the same few rules.
ALIKE = [".viewcode-block", ".highlight", "mjx-container"]
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

# Math is typeset when MathJax's promise resolves.
SETTLE = """async () => {
  await window.MathJax?.startup?.promise;
  document.head.append(Object.assign(document.createElement("style"),
    {textContent: "* { transition: none !important; animation: none !important; }"}));
}"""

# Axe weighs every element of a page, also those that it is not asked about.
PLAIN = """(alike) => {
  for (const e of document.querySelectorAll(alike.join(",")))
    e.replaceChildren(e.textContent || "x");
}"""

FOLD = """(folds) => {
  const open = folds === "open", hidden = ".toggle-button-hidden";
  document.querySelectorAll("details").forEach((e) => { e.open = open; });
  document.querySelectorAll(`button.toggle-button${open ? hidden : `:not(${hidden})`}`)
    .forEach((e) => e.click());
}"""

# Each line that comes back is a fault.
TEX = r"""() => {
  const bad = (root) => root.querySelector("mjx-merror") || [...root.querySelectorAll("mjx-mtext")]
    .some((e) => getComputedStyle(e).color === "rgb(255, 0, 0)");   // an unknown macro
  const faults = [...window.MathJax?.startup?.document?.math ?? []]
    .filter((formula) => bad(formula.typesetRoot))
    .map((formula) => `bad TeX: ${formula.math.trim()}`);
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (parent.closest("script, style, pre, code, mjx-container")) continue;
    const raw = walk.currentNode.data.match(/\$[^$]+\$|\\[([]|\\begin\{/);
    if (raw) faults.push(`raw TeX: ${raw.input.trim().slice(0, 60)}`);
  }
  return faults;
}"""

ALT = r"""() => [...document.querySelectorAll("article img, article svg")]
  .filter((e) => !e.closest("button, a, [aria-hidden=true]"))
  .filter((e) => {
    const alt = e.getAttribute("alt") ?? e.getAttribute("aria-label")
      ?? e.querySelector("title")?.textContent ?? "";
    return !alt.trim() || /\.(svg|png|jpe?g)$/.test(alt);   // a file's name says nothing
  })
  .map((e) => `no alt text: ${(e.getAttribute("src") ?? e.outerHTML).slice(-60)}`)"""

LAYOUT = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame(); await frame();   // scripts of the page adapt to the view
  const root = document.documentElement, edge = root.clientWidth, faults = [];
  if (root.scrollWidth > edge) {
    const scrolls = (e) => e.matches("article") ? false
      : getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement);
    const wide = [...document.querySelectorAll("article *")]
      .find((e) => e.getBoundingClientRect().right > edge && !scrolls(e));
    faults.push(`scrolls sideways, ${root.scrollWidth} pixels: ${wide?.outerHTML.slice(0, 80)}`);
  }
  return faults;
}"""

ACCESSIBILITY = """async (exclude) => {
  const found = await axe.run({exclude}, {resultTypes: ["violations"], preload: false});
  return found.violations.flatMap((v) => v.nodes.map(
    (n) => `axe ${v.id}: ${n.target.join(" ")} ${n.html.slice(0, 120)}`));
}"""


def faults(browser: Browser, address: str, views=VIEWS, left_to_axe_elsewhere=ALIKE) -> list[str]:
    """What is wrong with the page at `address`, file:// or http://; nothing when it reads well."""
    found: list[str] = []
    with browser.new_context(service_workers="block") as context:
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        _listen(page, address, found)
        page.goto(address)
        page.evaluate(SETTLE)
        page.evaluate(FOLD, "open")
        found += page.evaluate(TEX)
        found += page.evaluate(ALT)
        if address.startswith("file:"):
            found += _broken_links(page)
        if views:
            page.evaluate(AXE)
        for view in views:
            found += _in_view(page, view, LAYOUT)
        if left_to_axe_elsewhere:
            page.evaluate(PLAIN, left_to_axe_elsewhere)
        for view in filter(JUDGED_BY_AXE.__contains__, views):
            found += _in_view(page, view, ACCESSIBILITY, left_to_axe_elsewhere)
    return found


def _in_view(page: Page, view: tuple[int, str, str], judge: str, *arguments) -> list[str]:
    """What a judge, a function of JavaScript, finds in a view of the page."""
    width, theme, folds = view
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
    page.evaluate(FOLD, folds)
    seen = page.evaluate(judge, *arguments)
    return [f"{width} pixels, {theme}, folds {folds}: {fault}" for fault in seen]


def _listen(page: Page, address: str, found: list[str]) -> None:
    """Report errors and requests, and answer only those that stay at home."""
    home = urlsplit(address)[:2]

    def at_home(url):
        return urlsplit(url)[:2] == home or url.startswith(("data:", "blob:"))

    def cut(route):
        found.append(f"asks another host: {route.request.url}")
        route.abort()

    page.route(lambda url: not at_home(url), cut)
    page.on("requestfailed", lambda r: at_home(r.url) and found.append(f"cannot load {r.url}"))
    page.on("response", lambda r: r.status >= 400 and found.append(f"{r.status} for {r.url}"))
    page.on("pageerror", lambda error: found.append(f"error in a script: {error}"))
    page.on("console", lambda m: m.type == "error" and found.append(f"console: {m.text}"))


def _broken_links(page: Page) -> list[str]:
    """Links to a page or a place in a page that is not there; other hosts are not asked."""
    broken = []
    for link in sorted(set(page.evaluate("[...document.links].map((a) => a.href)"))):
        url = urlsplit(link)
        if url.scheme != "file":
            continue
        target = Path(unquote(url.path))
        if not target.is_file():
            broken.append(f"broken link: {link}")
        elif url.fragment and unquote(url.fragment) not in _places(target, target.stat().st_mtime):
            broken.append(f"broken link, no such place in the page: {link}")
    return broken


@cache
def _places(path: Path, _changed: float) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8")))
