"""`companion.data` against scikit-learn, the published counts of MNIST, and files made here.

Judges: scikit-learn's own digits; the counts, mean and spread that are published for MNIST; and
for everything that can go wrong, small IDX files that this module writes byte by byte and serves
from a web server on this machine. No test touches the network outside.
"""

import ast
import gzip
import hashlib
import http.server
import os
import runpy
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import requests
import sklearn.datasets

from companion import data
from companion.data import DataError, as_split, load_digits, load_mnist, one_hot, read_idx

REAL = os.environ.get("COMPANION_DATA")  # the sandbox below hides it from the tests
PLATFORM_CACHE = data._cache


def idx(array: np.ndarray, code: int = 8) -> bytes:
    """An IDX file, written from the format's description and not from the code that reads it."""
    header = bytes([0, 0, code, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def made_mnist() -> dict[str, bytes]:
    """The four files in small: 30 training and 10 test images of 4x5 noise, labels 0..9 in turn."""
    rng = np.random.default_rng(1)
    arrays = []
    for count in (30, 10):
        arrays.append(rng.integers(0, 256, (count, 4, 5), dtype=np.uint8))
        arrays.append(np.arange(count, dtype=np.uint8) % 10)
    return {name: gzip.compress(idx(array)) for name, array in zip(data.FILES, arrays)}


MADE = made_mnist()
FIRST = next(iter(MADE))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Nothing is downloaded, and the cache is an empty folder that does not exist yet."""
    monkeypatch.delenv("COMPANION_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(data, "MIRRORS", ())
    monkeypatch.setattr(data, "_cache", lambda: tmp_path / "cache" / "mnist")
    return tmp_path / "cache" / "mnist"


@pytest.fixture
def made(monkeypatch):
    """The made files are the ones that `companion.data` expects."""
    table = {name: (len(c), hashlib.sha256(c).hexdigest()) for name, c in MADE.items()}
    monkeypatch.setattr(data, "FILES", table)
    return MADE


@pytest.fixture
def folder(made, tmp_path):
    """A folder that holds the made files."""
    home = tmp_path / "by hand"
    home.mkdir()
    for name, content in made.items():
        (home / name).write_bytes(content)
    return home


def snapshot(home: Path) -> dict[str, tuple[bytes, int]]:
    """What a folder holds: name, content and time of last change of every entry."""
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in home.iterdir()}


# -- one-hot rows and splits


def test_one_hot_is_a_row_of_the_identity():
    labels = [3, 0, 9, 3]
    np.testing.assert_array_equal(one_hot(labels), np.eye(10)[labels])
    assert one_hot(np.array(labels, np.uint8), dtype=np.float32).dtype == np.float32
    assert one_hot(np.zeros(0, int)).shape == (0, 10)


@pytest.mark.parametrize(
    "labels, message",
    {
        "too large": ([0, 1, 10], r"0\.\.9, got 10 at index 2"),
        "negative": ([0, -1], r"0\.\.9, got -1 at index 1"),
        "fractions": ([1.0, 0.5], r"integers, got 0\.5 at index 1$"),
        "infinity": ([1.0, np.inf], r"integers, got inf at index 1$"),
        "whole floats": ([0.0, 1.0], r"integers, got float64; use labels\.astype\(int\)$"),
        "nan": ([1.0, np.nan], "integers, got nan at index 1"),
        "words": (["7"], r"integers, got <U1; use labels\.astype\(int\) for digits"),
        "truth values": ([True], "integers, got bool"),
        "a column": ([[1], [2]], r"shape \(N,\), got \(2, 1\); use labels\.ravel\(\)"),
        "a row": ([[1, 2]], r"shape \(N,\), got \(1, 2\); use labels\.ravel\(\)"),
        "a number": (7, r"shape \(N,\), got \(\); use \[7\] for one example"),
        "rows of eight": (np.full((5, 8), 3), r"got \(5, 8\); give one label for each example"),
        "images": (np.zeros((5, 4, 4), int), r"got \(5, 4, 4\); give one label for each"),
        "eight classes": (np.eye(8)[[1, 2]], r"got \(2, 8\); use labels\.argmax\(axis=1\)"),
        "one-hot columns": (np.eye(8)[[1, 2]].T, r"\(8, 2\); use labels\.argmax\(axis=0\)"),
        "one-hot": (np.eye(10), r"shape \(N,\), got \(10, 10\); use labels\.argmax\(axis=1\)"),
        "masked": (np.ma.array([1, 2], mask=[0, 1]), "labels has masked entries"),
    }.values(),
)
def test_one_hot_quotes_what_it_cannot_take(labels, message):
    with pytest.raises(ValueError, match=message):
        one_hot(labels)


@pytest.mark.parametrize("classes", [[1, 2], 2.5, 0, None])
def test_one_hot_quotes_a_wrong_number_of_classes(classes):
    with pytest.raises(ValueError, match="classes must be a whole number above 0, got"):
        one_hot(10, classes)


def test_lists_of_numbers_are_images():
    split = as_split([[0, 255], [51, 102]], [3, 1])
    np.testing.assert_array_equal(split.x, [[0.0, 1.0], [0.2, 0.4]])
    assert split.labels.tolist() == [3, 1]


@pytest.mark.parametrize(
    "images, ink, message",
    [
        ([[17]], 16, r"pixels must be in 0\.\.16, got 0\.\.17; pass"),
        ([[0]], 0, "ink must be a positive number, got 0"),
        ([[0]], np.nan, "ink must be a positive number, got nan"),
        ([[0]], "255", "ink must be a positive number, got '255'"),
        ([[0]], 10**400, "ink must be a positive number, got 1000"),
        ([[0.25, 1.0]], 255, r"pixels are in 0\.\.1\.0 before .* ink = 255: pass ink=1 if"),
        ([[0.25, 0.5]], 16, r"pixels are in 0\.\.0\.5 before .* ink = 16: pass ink=1 if"),
        ([[0, 1]], 255, r"pixels are in 0\.\.1 before"),
        ([[False, True]], 255, r"pixels are in 0\.\.True before"),
        (np.ma.array([[1]], mask=[[1]]), 255, "images has masked entries"),
        ([["7"]], 255, "images must hold numbers, got dtype <U1"),
    ],
)
def test_images_that_are_none_are_refused(images, ink, message):
    with pytest.raises((ValueError, TypeError), match=message):
        as_split(images, [1], ink=ink)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_a_split_is_rows_whose_columns_are_a_view(dtype, layout):
    images = np.asarray(np.arange(24, dtype=np.uint8).reshape(4, 2, 3), order=layout)
    split = as_split(images, np.array([1, 2, 3, 9], np.uint8), dtype=dtype)
    np.testing.assert_array_equal(split.x, np.arange(24).reshape(4, 6).astype(dtype) / dtype(255))
    assert (split.x.dtype, split.y.dtype, split.labels.dtype) == (dtype, dtype, np.intp)
    assert len(split) == 4 and (split.y.argmax(axis=1) == split.labels).all()
    columns = split.x[1:3].T
    assert columns.shape == (6, 2) and np.shares_memory(columns, split.x)
    for array in (split.x, split.y, split.labels):
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_white_paper_and_scaled_pixels_are_images():
    assert not as_split(np.zeros((2, 4)), [0, 1]).x.any()
    np.testing.assert_array_equal(as_split([[0.25, 1.0]], [0], ink=1).x, [[0.25, 1.0]])


def test_a_slice_of_a_split_is_a_split_and_a_view():
    split = as_split(np.asfortranarray(np.eye(4)), np.array([1, 2, 3, 9]), ink=1)
    assert split.x.flags.c_contiguous
    part = split[1:3]
    assert repr(part) == "Split(x (2, 4), y (2, 10), float64)"
    for rows, array in zip((part.x, part.y, part.labels), (split.x, split.y, split.labels)):
        np.testing.assert_array_equal(rows, array[1:3])
        assert np.shares_memory(rows, array) and not rows.flags.writeable
    for rows in (0, [0, 1]):
        with pytest.raises(TypeError, match=r"slice such as \[:100\], got"):
            split[rows]


def test_a_split_shares_nothing_with_what_it_was_made_from():
    images, labels = np.ones((2, 3)), np.array([4, 5])
    split = as_split(images, labels, ink=1)
    images[:], labels[:] = 0, 0
    assert (split.x == 1).all() and list(split.labels) == [4, 5]


@pytest.mark.parametrize(
    "images, labels, options, message",
    {
        "counts differ": (np.zeros((3, 4)), np.array([1, 2]), {}, "one label, got 3 and 2"),
        "too dark": (np.full((1, 4), 256), np.array([1]), {}, r"0\.\.255, got 0\.\.256"),
        "negative": (np.full((1, 4), -1.0), np.array([1]), {}, r"got -1\.0\.\.0"),
        "nan": (np.full((1, 4), np.nan), np.array([1]), {}, r"got nan\.\.nan"),
        "no digit": (np.zeros((1, 4)), np.array([10]), {}, r"0\.\.9, got 10"),
        "dtype": (np.zeros((1, 4)), np.array([1]), {"dtype": int}, "float64, got int64"),
        "swapped": (np.array([1, 2]), np.zeros((2, 4)), {}, "are they swapped?"),
        "one image": (7.0, np.array([1]), {}, r"must be arrays of N, got shapes \(\) and \(1,\)"),
        "one label": (
            np.zeros((1, 4)),
            1,
            {},
            r"must be arrays of N, got shapes \(1, 4\) and \(\)",
        ),
    }.values(),
)
def test_as_split_quotes_what_it_cannot_take(images, labels, options, message):
    with pytest.raises(ValueError, match=message):
        as_split(images, labels, **options)


# -- scikit-learn's digits


def test_digits_are_those_of_scikit_learn_shuffled():
    pixels, labels = sklearn.datasets.load_digits(return_X_y=True)
    training, validation = load_digits(rng=np.random.default_rng(7))
    assert (len(training), len(validation)) == (1437, 360)
    together = np.vstack(
        [np.column_stack([split.x * 16, split.labels]) for split in (training, validation)]
    )
    original = np.column_stack([pixels, labels])
    assert not (together == original).all()
    np.testing.assert_array_equal(  # the same examples, each with its own label
        together[np.lexsort(together.T)], original[np.lexsort(original.T)]
    )


def test_digits_depend_on_the_generator_alone():
    (a, _), (b, _), (c, _) = (load_digits(rng=np.random.default_rng(seed)) for seed in (7, 7, 8))
    np.testing.assert_array_equal(a.x, b.x)
    assert not (a.x == c.x).all()


def test_digits_keep_as_many_as_asked_in_the_dtype_asked():
    training, validation = load_digits(
        rng=np.random.default_rng(7), held_out=np.int64(0), dtype=np.float32
    )
    assert (len(training), validation.x.shape, validation.y.shape) == (1797, (0, 64), (0, 10))
    assert training.x.dtype == training.y.dtype == validation.x.dtype == np.float32


@pytest.mark.parametrize("held_out", [-1, 1797, 0.2, "360", None])
def test_digits_quote_a_wrong_held_out(held_out):
    with pytest.raises(ValueError, match=rf"held_out .* 0\.\.1796, got {held_out!r}"):
        load_digits(rng=np.random.default_rng(7), held_out=held_out)


@pytest.mark.parametrize("rng", [7, None, np.random.RandomState(7)], ids=type)
def test_digits_want_a_generator(rng):
    with pytest.raises(TypeError, match=r"Generator, got .*numpy\.random\.default_rng\(7\)"):
        load_digits(rng=rng)


# -- the IDX format

ARRAYS = {  # IDX type code: an array of that type
    0x08: np.arange(6, dtype="u1").reshape(1, 2, 3),
    0x09: np.array([-1, 2], "i1"),
    0x0B: np.array([[-300, 300]], ">i2"),
    0x0C: np.array([-70_000, 70_000], ">i4"),
    0x0D: np.array([0.5, -1e30], ">f4"),
    0x0E: np.array([[1 / 3]], ">f8"),
}


@pytest.mark.parametrize("code, array", ARRAYS.items(), ids=map(hex, ARRAYS))
def test_idx_gives_back_what_was_written(code, array, tmp_path):
    path = tmp_path / "array.gz"
    path.write_bytes(gzip.compress(idx(array, code)))
    for source in (idx(array, code), gzip.compress(idx(array, code)), path, str(path)):
        read = read_idx(source)
        np.testing.assert_array_equal(read, array)
        assert read.dtype == array.dtype and not read.flags.writeable


def test_idx_may_hold_nothing():
    assert read_idx(idx(np.zeros((0, 28, 28), np.uint8))).shape == (0, 28, 28)


GOOD = idx(ARRAYS[8])
ZIPPED = gzip.compress(GOOD)
BROKEN = {  # what is wrong: (content, what the error says)
    "empty": (b"", "starts with 00 00.*got an empty file"),
    "three bytes": (GOOD[:3], "got 00 00 08$"),
    "wrong magic": (b"\x00\x01" + GOOD[2:], "starts with 00 00.*got 00 01 08 03"),
    "text": (b"<html>not found</html>", "got 3c 68 74 6d"),
    "unknown type": (b"\0\0\x0a" + GOOD[3:], "type in 08 09 0b 0c 0d 0e.*got 00 00 0a 03"),
    "no dimensions": (b"\0\0\x08\0\x05", "rank in 01..20, got 00 00 08 00"),
    "too many dimensions": (b"\0\0\x08\xff" + b"\0\0\0\x01" * 255 + b"\x05", "got 00 00 08 ff"),
    "header cut off": (GOOD[:15], "header takes 16 bytes, got 15: cut off"),
    "entries cut off": (GOOD[:-1], r"shape \(1, 2, 3\) of uint8 takes 22 bytes, got 21: cut off"),
    "trailing bytes": (GOOD + b"\0", "takes 22 bytes, got 23: trailing bytes"),
    "count beyond memory": (b"\0\0\x08\x04" + b"\xff" * 16, "got 20: cut off"),
    "nothing, of a huge shape": (b"\0\0\x08\x03" + b"\0" * 4 + b"\xff" * 8, "too large for an arr"),
    "nothing, of 32 dimensions": (b"\0\0\x0e\x20" + b"\xff" * 124 + b"\0" * 4, "too large for an"),
    "gzip cut off": (ZIPPED[:-9], "gzip data is damaged or cut off"),
    "gzip of nothing": (gzip.compress(b""), "got an empty file"),
    "gzip header alone": (ZIPPED[:2], "gzip data is damaged or cut off"),
    "gzip checksum": (ZIPPED[:-8] + b"\0\0\0\0" + ZIPPED[-4:], "gzip.*CRC check failed"),
    "gzip stream": (ZIPPED[:10] + b"\xff" * 20, "gzip data is damaged or cut off"),
    "gzip and more": (ZIPPED + b"more", "gzip data is damaged or cut off"),
    "two gzips": (ZIPPED + ZIPPED, "takes 22 bytes, got 44: trailing bytes"),
}


@pytest.mark.parametrize("content, message", BROKEN.values(), ids=BROKEN)
def test_idx_says_what_is_wrong_and_where(content, message, tmp_path):
    path = tmp_path / "digits-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"digits-ubyte: .*{message}"):
        read_idx(path)
    with pytest.raises(DataError, match=f"IDX data: .*{message}"):
        read_idx(content)


def test_idx_never_misreads_a_header_with_one_wrong_byte():
    for place in range(16):
        same_size = {0x08, 0x09} if place == 2 else {GOOD[place]}  # bytes without or with a sign
        for wrong in set(range(256)) - same_size:
            with pytest.raises(DataError, match="IDX data: "):
                read_idx(GOOD[:place] + bytes([wrong]) + GOOD[place + 1 :])


# -- MNIST in a folder: read, never written


def check_made(splits, validation: int) -> None:
    """The splits are those of the made files, read here with struct and by eye."""
    training, held_out, test = splits
    assert (len(training), len(held_out), len(test)) == (30 - validation, validation, 10)
    assert training.x.dtype == np.float32
    raw = [gzip.decompress(content) for content in MADE.values()]
    assert struct.unpack(">4I", raw[0][:16]) == (0x803, 30, 4, 5)
    x = np.concatenate([training.x, held_out.x])
    assert np.rint(x * 255).astype(np.uint8).tobytes() == raw[0][16:]
    assert [*training.labels, *held_out.labels] == list(raw[1][8:])
    assert np.rint(test.x * 255).astype(np.uint8).tobytes() == raw[2][16:]
    assert list(test.labels) == list(raw[3][8:])


@pytest.mark.parametrize("validation", [0, 12, 29])
def test_mnist_comes_from_the_folder_passed(folder, cache, validation):
    before = snapshot(folder)
    check_made(load_mnist(folder, validation=validation), validation)
    assert snapshot(folder) == before and not cache.exists()


def test_mnist_comes_from_the_folder_in_the_environment(folder, cache, monkeypatch, tmp_path):
    monkeypatch.setenv("COMPANION_DATA", str(folder))
    check_made(load_mnist(validation=5), 5)
    assert not cache.exists()
    with pytest.raises(DataError, match="elsewhere"):  # the argument comes first
        load_mnist(tmp_path / "elsewhere", validation=5)


@pytest.mark.parametrize("validation", [-1, 30, 0.5])
def test_mnist_quotes_a_wrong_validation(folder, validation):
    with pytest.raises(ValueError, match=rf"validation .* 0\.\.29, got {validation}"):
        load_mnist(folder, validation=validation)


def reason(error: pytest.ExceptionInfo, path: Path) -> str:
    """The message, once it is seen to name the file and both ways out."""
    message = str(error.value)
    assert str(path) in message
    assert "python -m companion.data mnist" in message and "set COMPANION_DATA" in message
    return message


@pytest.mark.parametrize("name", MADE)
def test_a_missing_file_is_named_and_not_downloaded(folder, name, mirror, monkeypatch):
    site = mirror(MADE)
    (folder / name).unlink()
    before = snapshot(folder)
    with pytest.raises(DataError) as error:
        load_mnist(folder)
    assert "No such file" in reason(error, folder / name)
    assert snapshot(folder) == before and site.asked == []


def flipped(content: bytes) -> bytes:
    return content[:50] + bytes([content[50] ^ 1]) + content[51:]


DAMAGE = {  # what happened to the file: the content that is left
    "emptied": lambda content: b"",
    "cut off": lambda content: content[:-1],
    "longer": lambda content: content + b"\0",
    "one bit": flipped,
    "another file": lambda content: MADE["t10k-labels-idx1-ubyte.gz"],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_refused_with_both_sizes_and_hashes(folder, damage):
    path, whole = folder / FIRST, MADE[FIRST]
    content = damage(whole)
    path.write_bytes(content)
    before = snapshot(folder)
    with pytest.raises(DataError) as error:
        load_mnist(folder)
    message = reason(error, path)
    for word, told in {"expected": whole, "got     ": content}.items():
        digest = hashlib.sha256(told).hexdigest()
        assert f"{word} {len(told):,} bytes, SHA-256 {digest}\n" in message
    assert "Delete it." in message
    assert snapshot(folder) == before


def test_files_with_the_right_hash_must_still_agree(folder, monkeypatch):
    labels = gzip.compress(idx(np.zeros(29, np.uint8)))
    name = "train-labels-idx1-ubyte.gz"
    (folder / name).write_bytes(labels)
    monkeypatch.setitem(data.FILES, name, (len(labels), hashlib.sha256(labels).hexdigest()))
    with pytest.raises(ValueError, match="one label, got 30 and 29"):
        load_mnist(folder, validation=10)


# -- MNIST from a mirror


class Mirror:
    """A web server on 127.0.0.1. `answers` maps a file name to its content, or to a function
    that is handed the request and answers it; `asked` lists the names asked for."""

    def __init__(self, answers):
        self.asked, self.half_sent, self.over = [], threading.Event(), threading.Event()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rpartition("/")[2]
                site.asked.append(name)
                answer = answers.get(name, status(404))
                (answer if callable(answer) else whole(answer))(self, site)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mnist/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def send(request, content: bytes, length: int) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(length))
    request.end_headers()
    request.wfile.write(content)
    request.wfile.flush()


def whole(content):
    return lambda request, site: send(request, content, len(content))


def status(code):
    return lambda request, site: request.send_error(code)


def cut(content):
    return lambda request, site: send(request, content[: len(content) // 2], len(content))


def stall(content):
    def answer(request, site):
        cut(content)(request, site)
        site.half_sent.set()
        site.over.wait(20)

    return answer


@pytest.fixture
def mirror(monkeypatch):
    """Starts a Mirror and appends it to the list that `companion.data` tries."""
    sites = []

    def start(answers):
        sites.append(Mirror(answers))
        monkeypatch.setattr(data, "MIRRORS", (*data.MIRRORS, sites[-1].url))
        return sites[-1]

    yield start
    for site in sites:
        site.close()


def contents(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in home.iterdir()} if home.exists() else {}


def test_mnist_is_downloaded_once(made, mirror, cache):
    site = mirror(MADE)
    check_made(load_mnist(validation=5), 5)
    assert contents(cache) == MADE and site.asked == list(MADE)
    check_made(load_mnist(validation=5), 5)
    assert site.asked == list(MADE)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_in_the_cache_is_downloaded_again(made, mirror, cache, damage):
    cache.mkdir(parents=True)
    for name, content in MADE.items():
        (cache / name).write_bytes(damage(content) if name == FIRST else content)
    site = mirror(MADE)
    check_made(load_mnist(validation=5), 5)
    assert contents(cache) == MADE and site.asked == [FIRST]


def test_nothing_is_downloaded_when_that_is_not_wanted(made, mirror, cache):
    site = mirror(MADE)
    with pytest.raises(DataError) as error:
        load_mnist(download=False)
    reason(error, cache / FIRST)
    assert site.asked == [] and not cache.exists()


FAILURES = {  # how a mirror fails: (its answer to a request for a file, what the error says)
    "gone": (lambda content: status(404), "404 Client Error"),
    "down": (lambda content: status(503), "503 Server Error"),
    "wrong bytes": (lambda content: whole(flipped(content)), "SHA256 hash .* does not match"),
    "a web page": (lambda content: whole(b"<html>log in</html>"), "SHA256 hash .* does not match"),
    "connection lost": (cut, "Connection broken|does not match"),
    "silence": (stall, "timed out"),
}


@pytest.mark.parametrize("failure, message", FAILURES.values(), ids=FAILURES)
def test_when_a_mirror_fails_the_next_one_serves(
    made, mirror, cache, monkeypatch, failure, message
):
    monkeypatch.setattr(data, "TIMEOUT", 0.2)
    first = mirror({**MADE, FIRST: failure(MADE[FIRST])})
    with pytest.raises(DataError) as error:  # alone it fails, and leaves nothing behind
        load_mnist()
    assert f"{FIRST} could not be downloaded:\n  {first.url}: " in str(error.value)
    assert error.match(message)
    assert contents(cache) == {}
    second = mirror(MADE)
    check_made(load_mnist(validation=5), 5)
    assert contents(cache) == MADE and second.asked == [FIRST]


def test_without_a_network_each_mirror_and_the_way_out_are_named(made, mirror, cache):
    sites = [mirror(MADE), mirror(MADE)]
    for site in sites:
        site.close()
    with pytest.raises(DataError) as error:
        load_mnist()
    message = str(error.value)
    for site in sites:
        assert f"{site.url}: " in message
    assert message.count("refused") == 2
    assert all(name in message for name in MADE) and "set COMPANION_DATA" in message
    assert contents(cache) == {}


def test_a_cache_that_cannot_be_written_is_not_blamed_on_the_mirrors(made, mirror, cache):
    cache.parent.write_text("a file where the folder should be")
    site = mirror(MADE)
    with pytest.raises(DataError, match="cannot be written: .*set COMPANION_DATA"):
        load_mnist()
    assert site.asked == []


def test_an_interrupted_download_leaves_nothing(made, mirror, cache, monkeypatch):
    def interrupted(response, chunk_size):
        yield response.raw.read(20)
        assert [path.stat().st_size for path in cache.iterdir()] == [20]  # it had begun
        raise KeyboardInterrupt

    mirror(MADE)
    with monkeypatch.context() as patch:
        patch.setattr(requests.Response, "iter_content", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_mnist()
    assert contents(cache) == {}
    check_made(load_mnist(validation=5), 5)


def download_elsewhere(cache: Path) -> subprocess.Popen:
    """Another process that loads the made MNIST through the same mirrors and cache."""
    script = (
        "from pathlib import Path; from companion import data\n"
        f"data.FILES, data.MIRRORS = {data.FILES!r}, {data.MIRRORS!r}\n"
        f"data._cache = lambda: Path({str(cache)!r})\n"
        "print(data.load_mnist(validation=5))"
    )
    root = Path(data.__file__).parents[1]
    return subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE)


def test_a_process_killed_while_downloading_leaves_no_half_file(made, mirror, cache, monkeypatch):
    site = mirror({**MADE, FIRST: stall(MADE[FIRST])})
    process = download_elsewhere(cache)
    assert site.half_sent.wait(20)
    process.kill()
    process.communicate()
    assert not set(contents(cache)) & set(MADE)
    monkeypatch.setattr(data, "MIRRORS", ())
    mirror(MADE)
    check_made(load_mnist(validation=5), 5)


def test_two_processes_download_at_the_same_time(made, mirror, cache):
    both = threading.Barrier(2, timeout=20)  # neither is answered before the other has asked

    def answer(request, site):
        both.wait()
        whole(MADE[FIRST])(request, site)

    site = mirror({**MADE, FIRST: answer})
    processes = [download_elsewhere(cache) for _ in range(2)]
    for process in processes:
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0 and b"Split(x (25, 20), y (25, 10), float32)" in output
    assert site.asked.count(FIRST) == 2 and contents(cache) == MADE


# -- where things are, and the command line


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME is Linux's")
def test_the_cache_is_where_linux_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert PLATFORM_CACHE() == tmp_path / "companion" / "mnist"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert PLATFORM_CACHE() == Path.home() / ".cache" / "companion" / "mnist"


def test_the_command_line_downloads_and_says_where(made, mirror, cache, capsys):
    mirror(MADE)
    assert data.main(["mnist"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{cache / name}  {len(content):,} bytes, SHA-256 verified"
        for name, content in MADE.items()
    ]


def test_the_command_line_reports_what_is_wrong(folder, monkeypatch, capsys):
    (folder / FIRST).unlink()
    monkeypatch.setenv("COMPANION_DATA", str(folder))
    assert data.main(["mnist"]) == 1
    output = capsys.readouterr()
    assert output.out == "" and str(folder / FIRST) in output.err


@pytest.mark.parametrize("arguments, code", [([], 0), (["--help"], 0), (["cifar"], 2)], ids=str)
def test_the_command_line_shows_how_it_is_used(arguments, code, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["data.py", *arguments])
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(data.__file__, run_name="__main__")
    assert stop.value.code == code
    assert "usage: python -m companion.data" in "".join(capsys.readouterr())


def test_importing_the_module_needs_numpy_alone():
    imported = set()
    for node in ast.parse(Path(data.__file__).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported - sys.stdlib_module_names == {"numpy"}


# -- the real MNIST


@pytest.fixture(scope="module")
def mnist():
    if not REAL:
        pytest.skip(
            "needs MNIST: run `python -m companion.data mnist`, then set COMPANION_DATA to the "
            "folder that it prints"
        )
    return load_mnist(REAL)


def test_mnist_has_the_published_counts(mnist):
    training, validation, test = mnist
    assert [split.x.shape for split in mnist] == [(50_000, 784), (10_000, 784), (10_000, 784)]
    assert list(training.labels[:5]) == [5, 0, 4, 1, 9]
    assert list(test.labels[:5]) == [7, 2, 1, 0, 4]
    all_60_000 = np.bincount(np.concatenate([training.labels, validation.labels]))
    assert list(all_60_000) == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert list(np.bincount(test.labels)) == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_mnist_has_the_published_mean_and_spread(mnist):
    training, validation, _ = mnist
    means = [split.x.mean(dtype=np.float64) for split in (training, validation)]
    squares = [np.vdot(split.x, split.x) / split.x.size for split in (training, validation)]
    mean, square = (np.average(pair, weights=[5, 1]) for pair in (means, squares))
    assert mean == pytest.approx(0.1307, abs=5e-5)
    assert np.sqrt(square - mean**2) == pytest.approx(0.3081, abs=5e-5)
    assert training.x.min() == 0 and training.x.max() == 1


def test_mnist_splits_cannot_be_changed(mnist):
    for split in mnist:
        with pytest.raises(ValueError, match="read-only"):
            split.x[0, 0] = 1
        assert split.x[:10].T.base is not None and split.x.dtype == np.float32
        assert (split.y.sum(axis=1) == 1).all()
