"""Sphinx extension: a chapter has the number in its file's name, 19 for 19_read_digits.

Sphinx would count the chapters that exist. Here the name decides, so that a chapter,
its sections, equations and figures keep their numbers whichever others are there.

In Jupyter nothing counts, so the title itself says "19. Read digits"; on the page
Sphinx writes the number, and the title's own is taken out.
"""

import re

from docutils import nodes
from sphinx_external_toc.collectors import TocTreeCollectorWithStyles

DEPTH = 2  # chapter 19, section 19.3; deeper headings have no number


def assign_section_numbers(collector, env):
    """Fill env.toc_secnumbers, and return the pages whose numbers changed."""
    before, env.toc_secnumbers = env.toc_secnumbers, {}
    for page, entries in env.tocs.items():
        chapter = re.match(r"book/(\d+)_", page)
        if chapter:
            numbers = env.toc_secnumbers[page] = {}
            _number(entries, (), numbers, first=int(chapter[1]))
            env.titles[page]["secnumber"] = numbers[""]
    return [
        page
        for page, numbers in env.toc_secnumbers.items()
        if numbers != before.get(page)
    ]


def _number(entries, parent, numbers, first=1):
    """Number the headings in a list of a page's headings, and theirs in turn."""
    for own, item in enumerate(entries.children, first):
        heading = item[0][0]
        number = (*parent, own) if len(parent) < DEPTH else ()
        heading["secnumber"] = numbers[heading["anchorname"]] = number
        for deeper in item.findall(nodes.bullet_list):
            if deeper.parent is item:
                _number(deeper, number or parent, numbers)


def drop_number(app, doctree):
    title = next(doctree.findall(nodes.title), None)
    if (
        re.match(r"book/\d+_", app.env.docname)
        and title
        and isinstance(title[0], nodes.Text)
    ):
        title[0] = nodes.Text(re.sub(r"^\d+\. ", "", title[0]))


def setup(app):
    app.connect(
        "doctree-read", drop_number, priority=1
    )  # before Sphinx collects the titles
    TocTreeCollectorWithStyles.assign_section_numbers = assign_section_numbers
    return {"parallel_read_safe": True, "parallel_write_safe": True}
