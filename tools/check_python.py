"""Can this Python make the environment here? Says so in words that any Python 3 can print."""

import os
import sys

VERSION = sys.version_info[:2]

if not (3, 11) <= VERSION <= (3, 14):
    sys.exit("This project needs Python 3.11 to 3.14; this one is %d.%d." % VERSION)
try:
    import ensurepip  # noqa: F401  Debian keeps it in a package of its own
    import venv  # noqa: F401
except ImportError as error:
    package = "python%d.%d-venv" % VERSION
    sys.exit("This Python lacks '%s'; on Debian: apt install %s." % (error.name, package))
for folder in (".", ".venv"):
    if os.path.exists(folder) and not os.access(folder, os.W_OK):
        sys.exit(
            "'%s' cannot be written, and the set-up and the book are put there; "
            "clone into a folder of your own." % os.path.abspath(folder)
        )
