"""Can this Python make the project's environment? Says so in words that any Python 3 can print."""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.exit("This project needs Python 3.11 to 3.14; this one is %d.%d." % sys.version_info[:2])
try:
    import ensurepip  # noqa: F401  Debian keeps it in a package of its own
    import venv  # noqa: F401
except ImportError as error:
    sys.exit("This Python lacks '%s'; on Debian and Ubuntu: apt install python3-venv." % error.name)
