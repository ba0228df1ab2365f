"""The files around the code: what is installed, what the workflows say, what must not be here."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent

ADDRESS = re.compile(r"://|--(extra-)?index|--find-links|--trusted")
MACHINE = re.compile(r"(?<![\w.])/(root|home|work|Users)/\w")  # a folder of a developer's machine
LARGE = 2 * 2**20  # bytes


def files():
    """Every file of the project: what git tracks, and what it would if asked to add all."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone, so nothing says which files belong to the project")
    command = "git ls-files -z --cached --others --exclude-standard".split()
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def pins(text):
    """{name: version} of a requirements file."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.M))


def outdated(requirements, locked):
    """Those requirements that the locked versions do not meet."""
    wanted = map(Requirement, requirements)
    return [str(r) for r in wanted if r.name not in locked or locked[r.name] not in r.specifier]


def test_the_lock_file_meets_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = sum(project["optional-dependencies"].values(), project["dependencies"])
    locked = pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert outdated(requirements, locked) == [], "run `make lock`"


def test_an_outdated_lock_file_is_noticed():
    locked = pins("numpy==2.4.6 \\\n    --hash=sha256:00\n")
    assert outdated(["numpy>=2.0"], locked) == []
    assert outdated(["numpy>=2.5", "scipy"], locked) == ["numpy>=2.5", "scipy"]


def test_the_lock_file_has_hashes_and_names_no_address():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert not ADDRESS.search(text)
    for package in re.split(r"\n(?=\w)", text)[1:]:
        assert "--hash=sha256:" in package


@pytest.mark.parametrize("line", ["--index-url x", "--find-links x", "a @ " + "https://x/a.whl"])
def test_an_address_in_a_lock_file_is_noticed(line):
    assert ADDRESS.search(line)


def lint(schema, *paths):
    command = [BIN / "check-jsonschema", "--builtin-schema", schema, *paths]
    return subprocess.run(command, capture_output=True, text=True)


def test_workflows_are_valid():
    run = lint("vendor.github-workflows", *(ROOT / ".github" / "workflows").glob("*.yml"))
    assert run.returncode == 0, run.stdout


def test_a_wrong_workflow_is_refused(tmp_path):
    good = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    wrong = tmp_path / "test.yml"
    wrong.write_text(good.replace("runs-on:", "run-on:"), encoding="utf-8")
    assert "runs-on" in lint("vendor.github-workflows", wrong).stdout


FORMS = ROOT / ".github" / "ISSUE_TEMPLATE"


def test_forms_for_reports_are_valid():
    run = lint("vendor.github-issue-forms", *FORMS.glob("*.yml"))
    assert run.returncode == 0, run.stdout


def test_a_wrong_form_is_refused(tmp_path):
    wrong = tmp_path / "text.yml"
    good = (FORMS / "text.yml").read_text(encoding="utf-8")
    wrong.write_text(good.replace("type: textarea", "type: textbox"), encoding="utf-8")
    assert "textbox" in lint("vendor.github-issue-forms", wrong).stdout


def test_citation_is_valid():
    run = lint("vendor.citation-file-format", ROOT / "CITATION.cff")
    assert run.returncode == 0, run.stdout


def test_no_file_is_large_or_a_leftover():
    assert [path for path in files() if path.stat().st_size > LARGE] == []
    assert [path for path in files() if ".ipynb_checkpoints" in path.parts] == []


def test_no_file_names_a_folder_of_a_machine():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files()
        if (match := MACHINE.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert found == []


def test_a_folder_of_a_machine_is_noticed():
    assert MACHINE.search('open("' + "/home" + '/ada/data")')
    assert not MACHINE.search("example.org/home/page, and ~/.cache")


def test_every_page_is_in_the_table_of_contents():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = contents.get("parts", [contents])
    listed = [contents["root"], *(page["file"] for part in parts for page in part["chapters"])]
    written = [path for path in (ROOT / "book").iterdir() if path.suffix in {".ipynb", ".md"}]
    assert sorted(listed) == sorted(f"book/{path.stem}" for path in written)


def types(*arguments):
    command = [sys.executable, "-m", "mypy", "--no-error-summary", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_types_of_companion():
    run = types()
    assert run.returncode == 0, run.stdout


def test_a_wrong_type_is_noticed(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from companion.activations import activation_named\n"
        "name: str = activation_named('sigmoid')\n",
        encoding="utf-8",
    )
    found = types(wrong).stdout
    assert "wrong.py:2: error: Incompatible types in assignment" in found
    assert "Activation" in found


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_code_style_of_modules_and_notebooks(command):
    run = subprocess.run([BIN / "ruff", *command.split(), ROOT], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
