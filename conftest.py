"""How the notebooks of book/ are tested: what nbval compares, and which notebooks may be skipped.

A notebook that needs MNIST says so in its metadata, `"companion": {"needs": ["mnist"]}`.
"""

import copy
import functools

import nbval.plugin
import pytest

from tools.drawing import Drawing, first_difference

SVG = "image/svg+xml"
LONG = 5000  # characters of an output

# A line of companion counts as covered when a test ran it, not when a notebook did;
# and notebooks run at full speed.
nbval.plugin.setup_coverage = nbval.plugin.teardown_coverage = lambda *_: None


def pytest_collectstart(collector):
    """nbval passes over pictures made of pixels: compare them too."""
    if isinstance(collector, nbval.plugin.IPyNbFile):
        collector.skip_compare = tuple(k for k in collector.skip_compare if "image/" not in k)


def pytest_itemcollected(item):
    """Compare figures as drawings, and say in a line what changed in a figure or a long text."""
    if isinstance(item, nbval.plugin.IPyNbCell):
        compare, explain = item.compare_outputs, item.format_output_compare

        def explain_briefly(key, stored, new):
            if lines := _in_brief(stored, new):
                item.comparison_traceback += [f" mismatch '{key}'", *lines]
            else:
                explain(key, stored, new)

        item.format_output_compare = explain_briefly
        item.compare_outputs = lambda new, stored, skip_compare=None: compare(
            _with_drawings(new), _with_drawings(stored), skip_compare
        )


def _in_brief(stored, new):
    """Lines on what changed, where pytest would print pages and take minutes to align them."""
    if isinstance(stored, Drawing) and isinstance(new, Drawing):
        return ["the figure changed:", *stored.differences(new)]
    if isinstance(stored, str) and isinstance(new, str) and max(len(stored), len(new)) > LONG:
        return ["a long output changed:", *first_difference(stored, new)]
    return []


def _with_drawings(outputs):
    outputs = copy.deepcopy(outputs)
    for output in outputs:
        if SVG in output.get("data", {}):
            output["data"][SVG] = Drawing(output["data"][SVG])
    return outputs


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
