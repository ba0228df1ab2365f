"""Outputs that hang on last bits: `shake` moves them, and a notebook that shows one is refused."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_notebooks import cell, notebook, run_nbval, verdicts

from companion import draw
from companion.draw.networks import steady
from companion.draw.style import tidy
from companion.graph import short
from tools.drawing import Drawing
from tools.execute import as_text, run
from tools.portable import Configuration, compare, configurations

ROOT = Path(__file__).parents[1]

# Expressions, computed before and after a shake.
BEFORE = """
import math, numpy as np
from tools.shake import shake
rng = np.random.default_rng(0)
A, B, v, x = rng.normal(size=(3, 4)), rng.normal(size=(4, 2)), rng.normal(size=100), 0.3
halves = np.array([[1.0, 0.5], [-2.0, 3.0]])
code = [line for line in '''{}'''.splitlines() if line]
before = [eval(line) for line in code]
shake({!r})
for line, was in zip(code, before):
    now = eval(line)
    assert type(now) is type(was), line
    assert np.allclose(now, was, rtol=1e-6 if np.asarray(was).dtype.itemsize == 4 else 3e-14), line
    again = eval(line)
    assert np.array_equal(now, again), line
    assert np.any(np.asarray(now) != was) == {}, line
"""
MOVES = """
A @ B
A.tolist() @ B
np.matmul(A, B)
np.dot(v, v)
np.einsum("ij,jk->ik", A, B)
np.exp(v)
np.exp(x)
np.exp(1j * v)
np.exp(v, out=np.empty(100))
np.log(v.astype("float32") ** 2)[1]
np.tanh(v)
v**3
2.5**v
np.float64(x) ** 3
math.exp(x)
v.sum()
v.mean()
v.std()
np.sum(v.tolist())
sum(v.tolist())
np.linalg.norm(v)
"""
STAYS = """
halves @ halves
halves.sum(axis=1)
v + v * v / 3 - 1
v**2
abs(v) ** 0.5
np.sqrt(abs(v))
np.exp(0.0)
np.log(1.0)
np.tanh(np.zeros(3))
np.arange(5).sum()
np.array([-0.0]).sum()
sum([0.5, 1.0])
sum([1, 2])
10**-7
sum([[1], [2]], [])
"""


@pytest.mark.parametrize("way", [1, "up", "down"])
def test_what_is_rounded_moves_and_what_is_exact_stays(way):
    for code, moves in [(MOVES, True), (STAYS, False)]:
        script = BEFORE.format(code, way, moves)
        ran = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr


def test_a_wrong_shape_is_told_as_before():
    script = BEFORE.format("", 1, True) + "\ntry:\n    A @ A\nexcept ValueError as e:\n    print(e)"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert "mismatch in its core dimension" in ran.stdout, ran.stderr


# A number half way between two roundings; a contour through points of its own height; a zero that
# is a difference; each in a bad form, and mended.
TIED = """x = np.linspace(-1, 1, 21)
height = np.log(np.exp(x[:, None]) * np.exp(x))
lines = Figure().add_subplot().contour(x, x, {}, levels=[-0.5, 0.0, 0.5])
print([len(part) for level in lines.allsegs for part in level])"""
DIFFERENCE = "print(np.array([0.1, 0.2, -0.3]) @ np.ones(3){})"
PLANTED = {  # name: (source, whether it hangs on last bits)
    "half way": ("print(f'{np.exp(np.log(0.05)) * 0.15:.3f}')", True),
    "not half way": ("print(f'{np.exp(np.log(0.05)) * 0.15:.4f}')", False),
    "a contour on a tie": (TIED.format("height"), True),
    "a contour of rounded heights": (TIED.format("steady(height)"), False),
    "a difference": (DIFFERENCE.format(""), True),
    "a difference that is small": (DIFFERENCE.format(" < 1e-9"), False),
}
SETTING = """import numpy as np
from matplotlib.figure import Figure
from companion.draw.networks import steady"""


@pytest.fixture(scope="module")
def shaken(tmp_path_factory):
    """The planted cells, run as they are, and then compared with themselves when shaken."""
    folder = tmp_path_factory.mktemp("shaken")
    nb = notebook(cell(SETTING), *[cell(source) for source, _ in PLANTED.values()])
    run(nb, folder)
    return [run_nbval(folder, {"planted": nb}, "--shake", way) for way in ("1", "up", "down")]


@pytest.mark.parametrize("number, name", list(enumerate(PLANTED, 1)), ids=PLANTED)
def test_a_cell_that_hangs_on_last_bits_is_refused(shaken, number, name):
    assert all(len(verdicts(report, "planted")) == len(PLANTED) + 1 for report in shaken), shaken
    failed = re.compile(rf"^FAILED .*planted\.ipynb::Cell {number}\b", re.M)
    assert any(map(failed.search, shaken)) == PLANTED[name][1], "\n".join(shaken)


def test_portable_lists_the_cell_that_differs(tmp_path):
    path = tmp_path / "planted.ipynb"
    nb = notebook(cell("import os"), cell("print(os.environ.get('WORLD'))"))
    run(nb, tmp_path)
    path.write_text(as_text(nb), encoding="utf-8")
    assert compare(Configuration("here"), [path]) == (2, [])
    count, (said,) = compare(Configuration("elsewhere", {"WORLD": "another"}), [path])
    assert count == 2 and "Cell 1" in said and "another" in said
    with pytest.raises(RuntimeError, match="nowhere: no report"):
        compare(Configuration("nowhere", options=["--no-such-option"]), [path])


def test_configurations_are_those_of_other_processors_and_of_shaken_bits():
    shaken = configurations(quick=True)
    assert [each.options[0] for each in shaken] == ["--shake"] * len(shaken)
    found = configurations()
    assert found[-len(shaken) :] == shaken
    assert all(each.environment for each in found[: -len(shaken)])
    assert configurations("python9")[0].python == "python9"


# Drawings that hang on no last bit.


def noisy(way):
    """A saddle with levels through its grid points, and last bits of one's choice."""

    def cost(u, v):
        return u * v * (1 + 4e-16 * way * math.cos(1e6 * (u + 2 * v)))

    return draw.svg(draw.surface(cost, (-1, 1), (-1, 1)))


def test_a_contour_hangs_on_no_last_bit(book_style):
    assert noisy(0) == noisy(1) == noisy(-1)


def test_a_contour_that_moves_where_the_eye_sees_it_is_another_drawing():
    other = draw.svg(draw.surface(lambda u, v: u * v + 0.02 * u, (-1, 1), (-1, 1)))
    assert Drawing(noisy(0)) != Drawing(other)


def test_heights_that_differ_in_their_last_bits_alone_are_flat():
    flat = steady(7 + 4e-16 * 7 * np.array([[1, 0], [-1, 1]]))
    assert np.ptp(flat) == 0 and flat[0, 0] == pytest.approx(7)
    assert np.array_equal(steady(np.zeros((2, 2))), np.zeros((2, 2)))


def test_no_zero_has_a_sign():
    text = '<svg width="-0.001pt" d="M -0 1 L -1e-15 -0.002 L -0.5 -0.25"><style></style>'
    assert 'width="0pt" d="M 0 1 L 0 0 L -0.5 -0.25"' in tidy(text)
    assert short(np.array([-0.0, -0.4, -0.0004]), 3) == short(np.array([0.0, -0.4, 0.0]), 3)
    assert short(np.array([-0.05, -0.5]), 3) == "[-0.05 -0.5 ]"
