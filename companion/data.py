"""The data sets of the book: 8x8 digits that need no download, and MNIST, verified.

Every data set is a `Split`, three read-only arrays that hold one example per row:

    field     shape      dtype               in words
    x         (N, n)     float32, float64    pixels in [0, 1]: 0 is paper, 1 is full ink
    y         (N, 10)    as x                one-hot: 1 in the column of the digit, else 0
    labels    (N,)       intp                the digits 0..9 themselves, for counting hits

The network wants examples as columns. Rows lie one after the other in memory, so for a slice
`rows` the columns `x[rows].T` are a view, not a copy.

MNIST is looked for in the folder passed, else in the folder that the environment variable
COMPANION_DATA names (neither is ever written to), else in a cache that downloads what it lacks;
`python -m companion.data mnist` fills it ahead of time. No byte is used before its SHA-256 agrees.
"""

import argparse
import gzip
import hashlib
import math
import os
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

FILES = {  # name: (bytes, SHA-256)
    "train-images-idx3-ubyte.gz": (
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    "train-labels-idx1-ubyte.gz": (
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    "t10k-images-idx3-ubyte.gz": (
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
}
MIRRORS = (  # tried in this order; the mirrors of PyTorch and of TensorFlow Datasets
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TIMEOUT = 30  # seconds that a mirror may stay silent
IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
BY_HAND = f"put {', '.join(FILES)} into a folder and set COMPANION_DATA to it"
REMEDY = (
    "Either pass no folder, unset COMPANION_DATA and run `python -m companion.data mnist`, "
    f"which downloads what is missing or damaged; or {BY_HAND}."
)


class DataError(RuntimeError):
    """A data file is missing, damaged, not what it should be, or cannot be fetched."""


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Examples, one per row: x (N, n), y (N, classes) one-hot, labels (N,).

    `len(split)` is N, and `split[:100]` is the Split of the first 100 examples: a view.
    """

    x: NDArray[np.floating]
    y: NDArray[np.floating]
    labels: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice) -> "Split":
        if not isinstance(rows, slice):
            raise TypeError(f"a Split takes a slice such as [:100], got {rows!r}; use its .x[...]")
        return Split(self.x[rows], self.y[rows], self.labels[rows])

    def __repr__(self) -> str:
        return f"Split(x {self.x.shape}, y {self.y.shape}, {self.x.dtype})"


def one_hot(labels: ArrayLike, classes: int = 10, dtype: DTypeLike = float) -> NDArray:
    """Labels (N,), integers in 0..classes-1, as rows (N, classes) with a single 1 in each.

    Raises ValueError for labels of another shape, that are not integers, or out of range.

    >>> one_hot([2, 0], classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    if not isinstance(classes, Integral) or classes < 1:
        raise ValueError(f"classes must be a whole number above 0, got {classes!r:.60}")
    labels = _unmasked("labels", labels)
    if labels.ndim != 1:
        raise ValueError(f"labels must have shape (N,), got {labels.shape}; {_way(labels)}")
    if (
        labels.dtype.kind == "f"
        and (odd := ~(np.isfinite(labels) & (labels == np.rint(labels)))).any()
    ):
        at = odd.argmax()
        raise ValueError(f"labels must be integers, got {labels[at]} at index {at}")
    if labels.dtype.kind not in "iu":
        way = "labels.astype(int)"
        if labels.dtype.kind not in "bf":
            way += " for digits, numpy.unique(labels, return_inverse=True)[1] to number words"
        raise ValueError(f"labels must be integers, got {labels.dtype}; use {way}")
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        at = wrong.argmax()
        raise ValueError(f"labels must be in 0..{classes - 1}, got {labels[at]} at index {at}")
    rows = np.zeros((len(labels), classes), dtype)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def _way(labels):
    """From labels of another shape to (N,)."""
    if labels.ndim == 0:
        return f"use [{labels}] for one example"
    if labels.size == max(labels.shape):
        return "use labels.ravel()"
    if labels.ndim == 2 and np.isin(labels, (0, 1)).all():
        for axis, held in ((1, "rows"), (0, "columns")):
            if (labels.sum(axis=axis) == 1).all():
                return f"use labels.argmax(axis={axis}), as the {held} are one-hot"
    return "give one label for each example, in the place of labels"


def _unmasked(name, values):
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked entries: leave these examples out")
    return np.asarray(values)


def as_split(
    images: NDArray, labels: NDArray, *, ink: float = 255, dtype: DTypeLike = np.float64
) -> Split:
    """Images (N, ...) with pixels in 0..ink and digits (N,) as a Split; copies what it is given.

    Raises ValueError when the counts differ, a pixel or label is out of range, all pixels are in
    0..1 though `ink` is more (they were scaled before), or the dtype is neither float32 nor
    float64. Fashion-MNIST has the format of MNIST, so this reads it too:
    `as_split(read_idx(images), read_idx(labels))`.

    >>> pair = as_split(np.array([[0, 255], [51, 102]]), np.array([3, 1]))
    >>> pair.x, pair
    (array([[0. , 1. ],
           [0.2, 0.4]]), Split(x (2, 2), y (2, 10), float64))
    """
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {np.dtype(dtype)}")
    images, labels = _unmasked("images", images), _unmasked("labels", labels)
    if images.dtype.kind not in "biuf":
        raise TypeError(f"images must hold numbers, got dtype {images.dtype}")
    if not isinstance(ink, Real) or isinstance(ink, bool) or not 0 < ink <= sys.float_info.max:
        raise ValueError(f"ink must be a positive number, got {ink!r:.60}")
    if images.ndim == 0 or labels.ndim == 0:
        raise ValueError(
            f"images and labels must be arrays of N, got shapes {images.shape} and {labels.shape}"
        )
    if images.ndim == 1 < labels.ndim:
        raise ValueError(
            f"images have shape {images.shape} and labels {labels.shape}: are they swapped? "
            "as_split(images, labels)"
        )
    if len(images) != len(labels):
        raise ValueError(f"every image needs one label, got {len(images)} and {len(labels)}")
    low, high = images.min(initial=0), images.max(initial=0)
    if not (low >= 0 and high <= ink):
        raise ValueError(f"pixels must be in 0..{ink}, got {low}..{high}; pass another `ink`")
    if 0 < high <= 1 < ink:
        raise ValueError(
            f"pixels are in 0..{high} before they are divided by ink = {ink}: pass ink=1 if they "
            "were scaled already"
        )
    rows = images.reshape(len(images), math.prod(images.shape[1:]))
    split = Split(
        x=np.divide(rows, float(ink), dtype=dtype, order="C"),
        y=one_hot(labels, dtype=dtype),
        labels=np.array(labels, dtype=np.intp),
    )
    for array in (split.x, split.y, split.labels):
        array.setflags(write=False)
    return split


def load_digits(
    *, rng: np.random.Generator, held_out: int = 360, dtype: DTypeLike = np.float64
) -> tuple[Split, Split]:
    """Training and validation Splits of scikit-learn's 1,797 digits, 8x8 pixels in 0..16.

    The examples are shuffled by `rng`; `held_out` of them are kept for validation. No download.
    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998 (test part).

    Raises TypeError when `rng` is not a Generator, ValueError when `held_out` or `dtype` is wrong.

    >>> load_digits(rng=np.random.default_rng(7))
    (Split(x (1437, 64), y (1437, 10), float64), Split(x (360, 64), y (360, 10), float64))
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a Generator, got {rng!r}; try numpy.random.default_rng(7)")
    import sklearn.datasets

    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    cut = len(images) - _at_most("held_out", held_out, len(images) - 1)
    order = rng.permutation(len(images))
    digits = as_split(images[order], labels[order], ink=16, dtype=dtype)
    return digits[:cut], digits[cut:]


def load_mnist(
    folder: str | os.PathLike | None = None,
    *,
    dtype: DTypeLike = np.float32,
    validation: int = 10_000,
    download: bool = True,
) -> tuple[Split, Split, Split]:
    """Training, validation and test Splits of MNIST, 28x28 pixels: 50,000, 10,000 and 10,000.

    The last `validation` of the 60,000 training images are the validation set, as in Nielsen's
    book; 0 leaves it empty. `folder` and `download` are those of `mnist_files`.
    Source: LeCun, Cortes and Burges, The MNIST Database of Handwritten Digits, 1998.

    Raises DataError when the files cannot be had, ValueError when `validation` or `dtype` is wrong.
    """
    files = mnist_files(folder, download=download)
    images, labels, test_images, test_labels = map(read_idx, files.values())
    cut = len(images) - _at_most("validation", validation, len(images) - 1)
    digits = as_split(images, labels, dtype=dtype)
    return digits[:cut], digits[cut:], as_split(test_images, test_labels, dtype=dtype)


def mnist_files(
    folder: str | os.PathLike | None = None, *, download: bool = True
) -> dict[Path, bytes]:
    """Path and content (still compressed) of the four files of MNIST, in the order of `FILES`.

    They are taken from `folder`, else from the folder COMPANION_DATA names, else from the cache
    (on Linux $XDG_CACHE_HOME/companion/mnist, ~/.cache/companion/mnist when that is unset).
    Only the cache is ever written to, and only when `download` is true.

    Raises DataError when a file is missing or its SHA-256 is not the expected one.
    """
    given = folder or os.environ.get("COMPANION_DATA")
    home = Path(given).expanduser() if given else _cache()
    contents = {}
    for name in FILES:
        path = home / name
        try:
            contents[path] = _verified(path)
        except DataError:
            if given or not download:
                raise
            _fetch(path)
            contents[path] = _verified(path)
    return contents


def read_idx(source: bytes | str | os.PathLike) -> NDArray:
    """The array in an IDX file, given as its path or its bytes, compressed by gzip or not.

    An IDX file is two zero bytes, a type code, the number of dimensions, each dimension as a
    big-endian 32-bit integer, then the entries in C order. The array is read-only.
    Source: LeCun, Cortes and Burges, The MNIST Database of Handwritten Digits, 1998.

    Raises DataError when the content breaks this format, OSError when the file cannot be read.

    >>> read_idx(bytes([0, 0, 8, 2,  0, 0, 0, 1,  0, 0, 0, 3,  5, 0, 4]))
    array([[5, 0, 4]], dtype=uint8)
    """
    name = "IDX data" if isinstance(source, bytes) else os.fspath(source)
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{name}: the gzip data is damaged or cut off: {error}") from error
    code, rank = content[2:4] if len(content) >= 4 and content[:2] == b"\0\0" else (0, 0)
    if code not in IDX_TYPES or not 1 <= rank <= 32:
        raise DataError(
            f"{name}: an IDX file starts with 00 00, a type in {bytes(IDX_TYPES).hex(' ')} "
            f"and a rank in 01..20, got {content[:4].hex(' ') or 'an empty file'}"
        )
    header = 4 + 4 * rank
    if len(content) < header:
        raise DataError(f"{name}: the header takes {header} bytes, got {len(content)}: cut off")
    shape = struct.unpack_from(f">{rank}I", content, 4)
    dtype = np.dtype(IDX_TYPES[code])
    expected = header + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        fault = "cut off" if len(content) < expected else "trailing bytes"
        raise DataError(
            f"{name}: shape {shape} of {dtype} takes {expected:,} bytes, "
            f"got {len(content):,}: {fault}"
        )
    entries = np.frombuffer(content, dtype, offset=header)
    try:
        return entries.reshape(shape)
    except ValueError as error:  # no entries at all, and dimensions beyond NumPy's own
        raise DataError(f"{name}: shape {shape} is too large for an array: {error}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line, `python -m companion.data mnist`: 0 when all is well, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m companion.data",
        description="Find MNIST, or download it into the cache, and verify every byte of it.",
    )
    parser.add_argument("dataset", nargs="?", choices=["mnist"], help="the data set to get")
    if parser.parse_args(arguments).dataset is None:
        parser.print_help()
        return 0
    try:
        files = mnist_files()
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    for path, content in files.items():
        print(f"{path}  {len(content):,} bytes, SHA-256 verified")
    return 0


def _at_most(name: str, count: int, limit: int) -> int:
    """`count` when it is a whole number in 0..limit, else ValueError."""
    if not isinstance(count, Integral) or not 0 <= count <= limit:
        raise ValueError(f"{name} must be a number of examples in 0..{limit}, got {count!r}")
    return int(count)


def _cache() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("companion", appauthor=False) / "mnist"


def _verified(path: Path) -> bytes:
    """The content of a file in FILES, or DataError when it is not there or not that content."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. {REMEDY}") from error
    size, expected = FILES[path.name]
    got = hashlib.sha256(content).hexdigest()
    if got != expected:
        raise DataError(
            f"{path} is damaged or another file:\n"
            f"  expected {size:,} bytes, SHA-256 {expected}\n"
            f"  got      {len(content):,} bytes, SHA-256 {got}\n"
            f"Delete it. {REMEDY}"
        )
    return content


def _fetch(path: Path) -> None:
    """Download a file in FILES from the first mirror that has it; it appears whole or not at all.

    `pooch` writes to a temporary name and renames only what has the right SHA-256.
    """
    import pooch
    import requests

    _, expected = FILES[path.name]
    get = pooch.HTTPDownloader(progressbar=True, chunk_size=2**16, timeout=TIMEOUT)
    reasons = []
    try:
        for mirror in MIRRORS:
            try:
                pooch.retrieve(mirror + path.name, expected, path.name, path.parent, downloader=get)
                return
            except (requests.RequestException, ValueError) as error:
                reasons.append(f"\n  {mirror}: {error}")
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}. Or {BY_HAND}.") from error
    raise DataError(
        f"{path.name} could not be downloaded:{''.join(reasons)}\n"
        f"Try again later, or get the files by hand: {BY_HAND}."
    )


if __name__ == "__main__":
    sys.exit(main())
