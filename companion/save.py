"""Saving: a network and a record of its training in one file, and back.

    save("run.npz", network, record)
    saved = load("run.npz")
    train(saved.network, saved.record.parameters, .., rng=saved.rng, done=saved.record.epoch,
          velocity=saved.record.velocity)

A run that is resumed so goes on bit for bit as if it had never stopped. What `train` was told
(batch, eta, momentum, decay, the data) is the caller's, and is given again.

The file is NumPy's .npz, a zip archive, and holds no pickle: `vector` with the parameters,
`velocity` where there was momentum, and `about`, a JSON text with all the rest. The archive's
comment, its last 64 bytes, is the SHA-256 of everything before, so that no bit can change unseen.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
import os
import secrets
import stat
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from companion._inputs import numbers
from companion.activations import activation_named
from companion.costs import cost_named
from companion.network import Network, Parameters
from companion.train import Record

try:
    import fcntl
except ImportError:  # Windows: there no file that is open can be renamed or deleted
    fcntl = None

FORMAT = "companion.save 2"
WITHOUT_CHECKSUM = "companion.train 1"  # as written before there was one; still read
CHECKSUM = 64  # hexadecimal digits
NEWBORN = 3600  # seconds in which an empty part may still get its lock
BIT_GENERATORS = {
    name: getattr(np.random, name) for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
}


class Saved(NamedTuple):
    """What `load` brings back: see the top of `companion.save` for how to go on from it."""

    network: Network
    record: Record
    rng: np.random.Generator


def save(path, network: Network, record: Record) -> None:
    """Write a network and a record of its training into one .npz file, without pickle.

    The file appears under its name whole or not at all, whoever else saves there at the same
    time. If it exists its mode is kept, and through a symbolic link its target is written. Parts
    that saves left when they were killed, `.run.npz.*.part`, are deleted.

    Raises ValueError for a record of another network and for an activation or cost that `load`
    would not know by its name; OSError where the file cannot be written, and the old one stays.
    """
    about = {
        "format": FORMAT,
        "sizes": network.sizes,
        "activations": [_saveable(s, activation_named) for s in network.sigma[1:]],
        "cost": _saveable(network.cost, cost_named),
        "epoch": record.epoch,
        "measured": [record.cost, record.accuracy, record.seconds],
        "rng_state": record.rng_state,
    }
    network.check_parameters(record.parameters)
    arrays: dict[str, Any] = {"vector": record.parameters.vector}
    if record.velocity is not None:
        network.check_parameters(record.velocity)
        arrays["velocity"] = record.velocity.vector
    text = json.dumps(about, default=lambda array: array.tolist())
    archive = io.BytesIO()
    np.savez(archive, about=np.array(text), **arrays)
    _write(Path(os.path.realpath(path)), _sealed(archive))


def load(path) -> Saved:
    """Read what `save` wrote.

    Raises FileNotFoundError, and ValueError for a file that is damaged or of another origin.
    """
    content = Path(path).read_bytes()  # a missing file says so itself
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            vectors = {name: arrays[name] for name in ("vector", "velocity") if name in arrays}
        if about["format"] == FORMAT:
            if content[-CHECKSUM:] != _checksum(content[:-CHECKSUM]):
                raise ValueError("its checksum is that of another content")
        elif about["format"] != WITHOUT_CHECKSUM:
            raise ValueError(f"it says {about['format']!r}, not {FORMAT!r}")
        activations = [activation_named(name) for name in about["activations"]]
        network = Network(about["sizes"], activations, about["cost"])
        found = {n: Parameters(network.sizes, numbers(n, v)) for n, v in vectors.items()}
        state = about["rng_state"]
        rng = np.random.Generator(BIT_GENERATORS[state["bit_generator"]]())
        rng.bit_generator.state = state
        cost, accuracy, seconds = about["measured"]
        state = dict(rng.bit_generator.state)
        record = Record(
            about["epoch"], cost, accuracy, seconds, found["vector"], state, found.get("velocity")
        )
    except Exception as reason:  # whatever a damaged archive makes zipfile, NumPy or JSON raise
        raise ValueError(
            f"{path} is damaged, or was not written by companion.save "
            f"({type(reason).__name__}: {reason}): take an earlier copy, or train anew"
        ) from reason
    return Saved(network, record, rng)


def _saveable(thing, named) -> str:
    """The name of an activation or cost, if `load` will find the same one by it."""
    try:
        known = type(named(thing.name)) is type(thing)
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"{thing!r} cannot be saved: load would not know it by its name")
    return thing.name


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _sealed(archive: io.BytesIO) -> bytes:
    """The bytes of a zip archive, with their checksum as its comment."""
    with zipfile.ZipFile(archive, "a") as file:
        file.comment = bytes(CHECKSUM)  # first of all its length, which is under the checksum
    content = archive.getvalue()[:-CHECKSUM]
    return content + _checksum(content)


def _write(path: Path, content: bytes) -> None:
    """Put `content` under the name `path`, whole or not at all."""
    mode = None
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise OSError(f"{path} is no file that could be replaced: give another name")
    _sweep(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            with suppress(OSError):  # a file system without locks: nothing is swept there either
                _lock(file, wait=True)
            if mode is not None:
                os.chmod(part, stat.S_IMODE(mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Delete the parts beside `path` that nobody holds: whoever wrote them was killed."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(OSError), open(part, "r+b") as file:
            _lock(file, wait=False)
            state = os.fstat(file.fileno())
            if state.st_size or time.time() - state.st_mtime > NEWBORN:
                part.unlink()


def _lock(file, wait: bool) -> None:
    """Hold an open file until it is closed; OSError where that cannot be, or not at once."""
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
