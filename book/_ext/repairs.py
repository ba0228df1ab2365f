"""Sphinx extension: repairs of the theme and of others that no setting offers."""

import re


def drop_repeated_scripts(app, pagename, templatename, context, doctree):
    """sphinx-thebe is loaded twice and declares its constants twice: an error."""
    scripts = {}
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body")
        scripts.setdefault(body or getattr(script, "filename", script), script)
    context["script_files"] = list(scripts.values())


def drop_repeated_ids(app, pagename, templatename, context, doctree):
    """sphinx-proof and sphinx-exercise give every box the same id."""
    if "body" in context:
        context["body"] = re.sub(
            r' id="(?:proof|exercise|solution)-content"', "", context["body"]
        )


def setup(app):
    app.connect("html-page-context", drop_repeated_ids)
    app.connect("html-page-context", drop_repeated_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
