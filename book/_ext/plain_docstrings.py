"""Sphinx extension: docstrings are plain text; the page "API" shows them as meant.

    in a docstring            on the page
    indentation or columns    the same lines, as they stand
    `name` in backticks       code
    >>> and what follows      code
    anything else             words, in which * | _ and \\ mean nothing

A letter may follow right after code, as in `Node`s.
"""

import re
import textwrap


def as_rest(docstring):
    """The reStructuredText that shows a plain docstring."""
    return "\n\n".join(
        _block(block) for block in re.split(r"\n\s*\n", docstring.strip("\n"))
    )


def _block(block):
    if block.startswith(">>>"):
        return block
    if re.search(r"^ |\S  +\S", block, flags=re.M):
        return ".. code-block:: none\n\n" + textwrap.indent(
            textwrap.dedent(block), "   "
        )
    parts = block.split("`")
    parts[::2] = [re.sub(r"([\\*|_])", r"\\\1", words) for words in parts[::2]]
    # A letter right after code needs a blank that is not shown.
    parts[2::2] = [re.sub(r"^(?=\w)", r"\\ ", words) for words in parts[2::2]]
    return "``".join(parts)


def _process(app, what, name, obj, options, lines):
    lines[:] = as_rest("\n".join(lines)).splitlines()


def _skip(app, what, name, obj, skip, options):
    """Fields of a named tuple: the docstring of its class says what they are."""
    return True if (obj.__doc__ or "").startswith("Alias for field number") else None


def setup(app):
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
