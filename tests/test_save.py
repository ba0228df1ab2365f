"""Saving against a run without a break, and against all that can happen to a file."""

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest

from companion.activations import Sigmoid
from companion.costs import Quadratic
from companion.network import Network
from companion.save import load, save
from companion.train import train
from tests.test_train import SIZES, problem
from tests.test_train import run as plain_run

X, _ = problem()[2]


def run(net, start, data, **options):
    """The records of a run with momentum, so that there is a velocity to save."""
    return plain_run(net, start, data, momentum=0.5, **options)


BITS = ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"]
HOW = {
    "plain": {"eta": 0.5},
    "with all": {"eta": lambda epoch: 0.5 / epoch, "momentum": 0.9, "decay": 1e-3},
}


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("bits", BITS)
def test_resumed_is_bit_for_bit_uninterrupted(tmp_path, bits, how):
    rng = np.random.Generator(getattr(np.random, bits)(3))
    net = Network(SIZES, ["leaky_relu(0.2)", "softmax"], "softmax_cross_entropy")
    start, data = net.initial(rng=rng, dtype="float32"), problem()[2]
    options = {"batch": 5, "validation": data, **how}
    state = rng.bit_generator.state
    whole = list(train(net, start, data, epochs=5, rng=rng, **options))

    rng.bit_generator.state = state
    for record in train(net, start, data, epochs=5, rng=rng, **options):
        if record.epoch == 2:
            save(tmp_path / "run.npz", net, record)
            break
    saved = load(tmp_path / "run.npz")
    rest = list(train(saved.network, saved.record.parameters, data, epochs=3, rng=saved.rng,
                      done=saved.record.epoch, velocity=saved.record.velocity,
                      **options))  # fmt: skip

    assert repr(saved.network) == repr(net)
    assert saved.record[:4] == record[:4]
    assert [r.epoch for r in rest] == [3, 4, 5]
    for a, b in zip(rest, whole[2:], strict=True):
        assert (a.cost, a.accuracy) == (b.cost, b.accuracy)
        assert a.parameters.vector.tobytes() == b.parameters.vector.tobytes()
        assert (a.velocity is None) == (b.velocity is None) == ("momentum" not in how)
        assert a.velocity is None or a.velocity.vector.tobytes() == b.velocity.vector.tobytes()


@pytest.fixture
def saved(tmp_path):
    net, start, data = problem()
    path = tmp_path / "run.npz"
    save(path, net, run(net, start, data)[0])
    return path


def rewritten(path, **changes):
    """The file with parts of what it says about itself changed."""
    with np.load(path) as arrays:
        about = json.loads(str(arrays["about"]))
        found = {name: changes.pop(name, arrays[name]) for name in ("vector", "velocity")}
    np.savez(path, about=np.array(json.dumps({**about, **changes})), **found)
    with zipfile.ZipFile(path, "a") as file:
        file.comment = bytes(64)
    content = path.read_bytes()[:-64]
    path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())


DAMAGE = {
    "empty": lambda p: p.write_bytes(b""),
    "text": lambda p: p.write_text("W1 = 3"),
    "truncated": lambda p: p.write_bytes(p.read_bytes()[:-40]),
    "a bit flipped": lambda p: p.write_bytes(
        (b := p.read_bytes())[: len(b) // 2] + bytes([b[len(b) // 2] ^ 1]) + b[len(b) // 2 + 1 :]),
    "another npz": lambda p: np.savez(p, theta=np.zeros(3)),
    "an npy": lambda p: (np.save(p.with_suffix(".npy"), X), p.with_suffix(".npy").replace(p)),
    "pickled": lambda p: np.savez(p, about=np.array([{}], dtype=object), vector=np.zeros(3)),
    "a zip": lambda p: zipfile.ZipFile(p, "w").close(),
    "a later format": lambda p: rewritten(p, format="companion.save 3"),
    "sizes that do not fit": lambda p: rewritten(p, sizes=[5, 8, 3]),
    "no such activation": lambda p: rewritten(p, activations=["tanh", "swish"]),
    "no such generator": lambda p: rewritten(p, rng_state={"bit_generator": "os.system"}),
    "half a generator": lambda p: rewritten(p, rng_state={"bit_generator": "PCG64"}),
    "numbers missing": lambda p: rewritten(p, vector=np.zeros(3)),
    "nan": lambda p: rewritten(p, vector=np.full(66, np.nan)),
    "a velocity that does not fit": lambda p: rewritten(p, velocity=np.zeros(3)),
    "a format that is none": lambda p: rewritten(p, format=1),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_or_foreign_file_is_refused(saved, damage):
    load(saved)
    damage(saved)
    with pytest.raises(ValueError, match="run.npz is damaged, or was not written by companion"):
        load(saved)


def test_what_is_rewritten_rightly_is_read(saved):
    rewritten(saved, epoch=7)
    assert load(saved).record.epoch == 7


def test_a_bit_that_flips_is_seen(saved):
    content = saved.read_bytes()
    middle = range(200, len(content) - 500, 29)
    places = [*range(200), *middle, *range(len(content) - 500, len(content))]
    for place in places:
        bit = 1 << place % 8
        flipped = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
        saved.write_bytes(flipped)
        with pytest.raises(ValueError, match="run.npz is damaged"):
            load(saved)


@pytest.fixture
def old(tmp_path):
    """A file as it was written before there were checksums."""
    about = {
        "format": "companion.train 1", "sizes": [1, 1], "activations": ["tanh"],
        "cost": "quadratic", "epoch": 3, "measured": [0.5, None, 1.5],
        "rng_state": np.random.default_rng(4).bit_generator.state,
    }  # fmt: skip
    path = tmp_path / "run.npz"
    np.savez(path, about=np.array(json.dumps(about)), vector=np.array([0.25, -1.0]))
    return path


def test_a_file_of_the_first_format_is_read(old):
    network, record, rng = load(old)
    assert repr(network) == "Network([1, 1], ['tanh'], 'quadratic')"
    assert record[:4] == (3, 0.5, None, 1.5) and record.velocity is None
    assert record.parameters.vector.tolist() == [0.25, -1.0]
    assert rng.random() == np.random.default_rng(4).random()


def test_a_flipped_bit_of_the_first_format_changes_nothing_or_is_refused(old):
    content, whole = old.read_bytes(), load(old)
    refused = 0
    for bit in range(8 * (len(content) - 150), 8 * len(content), 3):  # the zip directory
        place, flip = bit // 8, 1 << bit % 8
        old.write_bytes(content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :])
        try:
            found = load(old)
        except ValueError:
            refused += 1
        else:
            assert found.record[:4] == whole.record[:4]
            np.testing.assert_array_equal(found.record.parameters.vector, [0.25, -1.0])
    assert refused > 100


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.npz"):
        load(tmp_path / "nothing.npz")


def test_a_save_that_fails_leaves_the_old_file(saved, monkeypatch):
    net, start, data = problem()
    old = saved.read_bytes()

    def full_disk(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save(saved, net, run(net, start, data, epochs=1)[0])
    assert saved.read_bytes() == old
    assert os.listdir(saved.parent) == ["run.npz"]


def test_a_record_of_another_network_is_not_saved(tmp_path):
    net, start, data = problem()
    with pytest.raises(ValueError, match=r"those of sizes \[5, 7, 3\]"):
        save(tmp_path / "run.npz", Network([5, 3]), run(net, start, data, epochs=1)[0])
    assert os.listdir(tmp_path) == []


def test_what_load_could_not_name_is_not_saved(tmp_path):
    class Swish(Sigmoid):
        name = "swish"

    class MySigmoid(Sigmoid):
        """Another function under a known name."""

    _, _, data = problem()
    for sigma in (Swish(), MySigmoid()):
        net = Network(SIZES, sigma, "quadratic")
        record = run(net, net.initial(rng=np.random.default_rng(0)), data, epochs=1)[0]
        with pytest.raises(ValueError, match="cannot be saved"):
            save(tmp_path / "run.npz", net, record)

    class Halved(Quadratic):
        """Another cost under a known name."""

    net = Network(SIZES, "sigmoid", Halved())
    record = run(net, net.initial(rng=np.random.default_rng(0)), data, epochs=1)[0]
    with pytest.raises(ValueError, match="quadratic cannot be saved"):
        save(tmp_path / "run.npz", net, record)
    assert os.listdir(tmp_path) == []


# --- who else is there -------------------------------------------------------------------------


@pytest.fixture
def record():
    net, start, data = problem()
    return net, run(net, start, data, epochs=1)[0]


def test_many_may_save_to_one_path_at_once(tmp_path, record):
    path, failed = tmp_path / "run.npz", []

    def often():
        try:
            for _ in range(20):
                save(path, *record)
                load(path)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and os.listdir(tmp_path) == ["run.npz"]


KILLED = """
import os, sys
import companion.save
from companion.save import load, save
saved = load(sys.argv[1])
sync = os.fsync
def stop(file):
    print("half", flush=True)
    sys.stdin.read()
os.fsync = stop
save(sys.argv[1], saved.network, saved.record)
"""


def test_a_save_that_is_killed_leaves_the_old_state_and_no_part_for_ever(saved, record):
    before, folder = saved.read_bytes(), saved.parent
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED, saved], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    writer.stdout.readline()  # it has written its part
    (folder / ".run.npz.4711.part").write_bytes(b"left by an older version")
    save(saved, *record)  # clears away what is dead, and nothing of a writer who lives
    live = [name for name in os.listdir(folder) if name != "run.npz"]
    assert len(live) == 1 and live[0].endswith(".part")
    saved.write_bytes(before)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert saved.read_bytes() == before and len(os.listdir(folder)) == 2
    save(saved, *record)
    assert os.listdir(folder) == ["run.npz"]


def test_parts_of_other_files_are_left_alone(tmp_path, record):
    others = [".run.npz.part", ".other.npz.1.part", "run.npz.1.part", ".run.npz.1.partial"]
    for name in others:
        (tmp_path / name).write_bytes(b"x")
    save(tmp_path / "run.npz", *record)
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "run.npz"])


def test_through_a_link_its_target_is_written(tmp_path, record):
    (tmp_path / "disk").mkdir()
    link, target = tmp_path / "run.npz", tmp_path / "disk" / "long.npz"
    link.symlink_to("disk/long.npz")  # there is no such file yet
    for _ in range(2):
        save(link, *record)
        assert link.is_symlink() and not target.is_symlink()
        assert load(link).record.epoch == load(target).record.epoch == 1
    assert os.listdir(tmp_path / "disk") == ["long.npz"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_the_mode_of_a_file_is_kept(saved, record, mode):
    saved.chmod(mode)
    save(saved, *record)
    assert stat.S_IMODE(saved.stat().st_mode) == mode


def test_a_new_file_has_the_mode_of_any_other(tmp_path, record):
    (tmp_path / "other").write_bytes(b"")
    save(tmp_path / "run.npz", *record)
    assert (tmp_path / "run.npz").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_what_is_no_file_is_not_replaced(tmp_path, record):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    for name in ("pipe", "folder", "circle"):
        with pytest.raises(OSError):
            save(tmp_path / name, *record)
    assert sorted(os.listdir(tmp_path)) == ["circle", "folder", "pipe"]
