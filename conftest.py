"""How the notebooks of book/ are tested: what nbval compares, and which notebooks may be skipped.

A notebook that needs MNIST says so in its metadata, `"companion": {"needs": ["mnist"]}`.
"""

import copy
import functools
import re
from importlib import metadata
from pathlib import Path

import nbval.plugin
import pytest

from tools.drawing import Drawing, Player, first_difference, is_player
from tools.execute import joined

ROOT = Path(__file__).parent
SVG, HTML = "image/svg+xml", "text/html"
LONG = 5000  # characters of an output
SHAKE = "import sys; sys.path.append({!r}); from tools.shake import shake; shake({!r})"

# A line of companion counts as covered when a test ran it, not when a notebook did;
# and notebooks run at full speed.
nbval.plugin.setup_coverage = nbval.plugin.teardown_coverage = lambda *_: None


# nbval's own joins all that a cell prints, across what it displays in between.
nbval.plugin.coalesce_streams = joined


def pytest_addoption(parser):
    parser.addoption(
        "--shake", metavar="SEED", help="move results of notebooks in their last bits: tools/shake"
    )


def pytest_report_header(config):
    if config.option.nbval and not _figures_are_compared():
        return f"figures are not compared: they belong to Matplotlib {_locked('matplotlib')}"


def pytest_collectstart(collector):
    """nbval passes over pictures made of pixels: compare them too."""
    if isinstance(collector, nbval.plugin.IPyNbFile):
        collector.skip_compare = tuple(k for k in collector.skip_compare if "image/" not in k)
        if not _figures_are_compared():
            collector.skip_compare += (SVG,)
        if seed := collector.config.option.shake:
            start = collector.setup
            collector.setup = lambda: (start(), _shake(collector.kernel, seed))


def _shake(kernel, seed):
    code = SHAKE.format(str(ROOT), int(seed) if seed.isdigit() else seed)
    reply = kernel.kc.execute(f"exec({code!r}, {{}})", store_history=False, reply=True, timeout=60)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"--shake {seed}: {reply['content']['evalue']}")


def pytest_itemcollected(item):
    """Compare figures as drawings, and say in a line what changed in a figure or a long text."""
    if isinstance(item, nbval.plugin.IPyNbCell):
        compare, explain = item.compare_outputs, item.format_output_compare

        def explain_briefly(key, stored, new):
            if lines := _in_brief(stored, new):
                item.comparison_traceback += [f" mismatch '{key}'", *lines]
            else:
                explain(key, stored, new)

        def compare_in_order(new, stored, skip_compare=None):
            if not compare(_with_drawings(new), _with_drawings(stored), skip_compare):
                return False
            was, now = _order(stored), _order(new)
            if was != now:
                item.comparison_traceback += [f"outputs came in another order: {was} became {now}"]
            return was == now

        item.format_output_compare = explain_briefly
        item.compare_outputs = compare_in_order


def _order(outputs):
    """What kind of output follows what."""
    return [
        output.get("name") or " or ".join(sorted(output.get("data", {}))) or output.output_type
        for output in outputs
    ]


def _in_brief(stored, new):
    """Lines on what changed, where pytest would print pages and take minutes to align them."""
    if isinstance(stored, Drawing):
        return ["the figure changed:", *stored.differences(new)]
    if isinstance(stored, str) and isinstance(new, str) and max(len(stored), len(new)) > LONG:
        return ["a long output changed:", *first_difference(stored, new)]
    return []


def _with_drawings(outputs):
    outputs = copy.deepcopy(outputs)
    for output in outputs:
        data = output.get("data", {})
        if SVG in data:
            data[SVG] = Drawing(data[SVG])
        if is_player(data.get(HTML, "")):
            data[HTML] = Player(data[HTML]) if _figures_are_compared() else "an animation"
    return outputs


@functools.cache
def _figures_are_compared():
    """Whether this is the Matplotlib that drew them: another one draws otherwise."""
    return metadata.version("matplotlib") == _locked("matplotlib")


def _locked(package):
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return re.search(rf"^{package}==(\S+)", lines, re.M)[1]


def pytest_collection_modifyitems(items):
    """The book is built first; the pages are read last, as they fill up whichever process is free.

    Without this the longest file would begin late and end alone.
    """
    pages = [item for item in items if item.path.name == "test_reading.py"]
    others = [item for item in items if item.path.name != "test_reading.py"]
    items[:] = [*pages[:1], *others, *pages[1:]]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Under `--dist loadfile` a file stays on one process; a page of the book is a file, too."""
    from xdist.scheduler import LoadFileScheduling

    class PageByPage(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return nodeid if "test_reading.py::" in nodeid else super()._split_scope(nodeid)

    return PageByPage(config, log) if config.option.dist == "loadfile" else None


def pytest_runtest_setup(item):
    """Skip a notebook whose data are neither here nor to be had."""
    if isinstance(item, nbval.plugin.IPyNbCell):
        needs = item.parent.nb.metadata.get("companion", {}).get("needs", [])
        if "mnist" in needs and (reason := _why_no_mnist()):
            pytest.skip(f"needs MNIST: {reason}")


@functools.cache
def _why_no_mnist():
    from companion.data import DataError, mnist_files

    try:
        mnist_files()
    except DataError as error:
        return str(error)
    return ""
