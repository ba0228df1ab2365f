"""The set-up: any pip, on any day, can install the installer, and the installer the lock file.

pip before 24.0 does not see that `coverage==7.17.3` is what `coverage[toml]>=7.10` asks for, once a
newer coverage is released. So an old pip reads nothing but a list without extras, markers and
dependencies.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INSTALLER = "requirements-installer.txt"


def requirements(text):
    """{name: (its line without hashes, its hashes)} of a requirements file."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text))
    found = {}
    for line in filter(str.strip, joined.splitlines()):
        wanted, *hashes = re.split(r"\s+--hash=", line.strip())
        found[re.match(r"[\w.-]*", wanted)[0]] = wanted, set(hashes)
    return found


def beyond_an_old_pip(text):
    """What pip 23.0 might refuse today or on another day in a file that it installs with hashes."""
    faults = []
    for line, hashes in requirements(text).values():
        if not re.fullmatch(r"[\w.-]+==[\w.]+", line):
            faults.append(f"'{line}' is not a name, == and a version")
        if not hashes:
            faults.append(f"'{line}' has no hash")
    return faults


def commands_of_pip(text):
    """The arguments of every `pip install` that pip itself carries out, not uv."""
    joined = re.sub(r"\\\n\s*", "", text)
    return re.findall(r"(?<!uv )(?<!\(UV\) )\bpip install\b *([^\n]*)", joined)


def reads_more_than_the_installer(command):
    files = re.findall(r"(?<!\S)(?:-r|--requirement)[ =]+(\S+)", command)
    return files != [INSTALLER] or not {"--require-hashes", "--no-deps"} <= set(command.split())


def test_an_old_pip_can_read_the_installer():
    text = (ROOT / INSTALLER).read_text(encoding="utf-8")
    assert list(requirements(text)) == ["uv"]
    assert beyond_an_old_pip(text) == []


def test_the_installer_is_the_one_of_the_lock_file():
    installer, lock = (
        requirements((ROOT / name).read_text(encoding="utf-8"))
        for name in (INSTALLER, "requirements.txt")
    )
    assert installer["uv"] == lock["uv"], "run `make lock`"


@pytest.mark.parametrize(
    "line",
    [
        "coverage[toml]==7.17.3 --hash=sha256:00",
        "coverage[toml]>=7.10.6 --hash=sha256:00",
        "uv==0.13.9 ; python_full_version < '3.15' \\\n    --hash=sha256:00",
        "uv>=0.8 --hash=sha256:00",
        "uv==0.13.* --hash=sha256:00",
        "uv==0.13.9",
        "-r requirements.txt",
    ],
)
def test_what_an_old_pip_cannot_match_is_noticed(line):
    assert beyond_an_old_pip("uv==0.13.9 \\\n    --hash=sha256:00\n    # via -r x\n") == []
    assert beyond_an_old_pip(line)


@pytest.mark.parametrize(
    "name", ["Makefile", ".ci/run", "README.md", "CONTRIBUTING.md", ".github/workflows/*.yml"]
)
def test_pip_reads_nothing_but_the_installer(name):
    for path in ROOT.glob(name):
        commands = commands_of_pip(path.read_text(encoding="utf-8"))
        commands = [c for c in commands if c != '--quiet "$(PIP)")']  # another pip, to try it
        assert [c for c in commands if reads_more_than_the_installer(c)] == []
        assert commands or name not in {"Makefile", "CONTRIBUTING.md"}


@pytest.mark.parametrize(
    "line",
    [
        "$(BIN)/python -m pip install --require-hashes -r requirements.txt",
        "pip install --no-deps -r requirements-installer.txt",
        "pip install --require-hashes --no-deps -r requirements-installer.txt -r requirements.txt",
        "pip install pytest",
    ],
)
def test_pip_reading_more_is_noticed(line):
    good = "pip install --require-hashes --no-deps \\\n  -r requirements-installer.txt"
    assert not any(map(reads_more_than_the_installer, commands_of_pip(good)))
    assert any(map(reads_more_than_the_installer, commands_of_pip(line)))
    assert commands_of_pip("uv pip install x, $(UV) pip install y") == []
