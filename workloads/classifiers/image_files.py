"""Image sets in the formats their authors publish: MNIST (IDX), SVHN (cropped, .mat), CIFAR-10 (binary version).

Nothing is fetched: the user names a folder with the files. A damaged or missing file is an InputError of one line.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from designs.errors import InputError
from workloads.classifiers.data import DataSet, data_set

MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SVHN_FILES = ("train_32x32.mat", "test_32x32.mat")
CIFAR10_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6)) + ("test_batch.bin",)
_CIFAR10_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the red, green and blue plane, row by row

Pair = tuple[np.ndarray, np.ndarray]


def load_mnist(folder: str | Path) -> DataSet:
    """MNIST from its four IDX files, as published (.gz) or unpacked: images (1, 28, 28), 8 bits a pixel."""
    folder = Path(folder)
    paths = [_mnist_file(folder, name) for name in MNIST_FILES]
    train, test = (_idx_pair(*paths[0:2]), _idx_pair(*paths[2:4]))
    if train[0].shape[1:] != test[0].shape[1:]:
        raise InputError(
            f"{paths[2]}: wanted images of {train[0].shape[1:]} as in {paths[0].name}, got {test[0].shape[1:]}; "
            "take all four files from one source"
        )
    height, width = train[0].shape[1:]
    return _images(f"mnist:{folder}", train, test, (1, height, width))


def load_svhn(folder: str | Path) -> DataSet:
    """SVHN, cropped digits, from train_32x32.mat and test_32x32.mat: images (3, 32, 32); the digit 0 is class 0."""
    folder = Path(folder)
    _require(folder, SVHN_FILES, "SVHN's cropped digits (format 2)")
    train, test = (_svhn_pair(folder / name) for name in SVHN_FILES)
    return _images(f"svhn:{folder}", train, test, (3, 32, 32))


def load_cifar10(folder: str | Path) -> DataSet:
    """CIFAR-10 from the six files of its binary version: images (3, 32, 32)."""
    folder = Path(folder)
    pickled = folder / "data_batch_1"
    if pickled.is_file() and not (folder / CIFAR10_FILES[0]).is_file():
        raise InputError(
            f"{pickled}: wanted the binary version of CIFAR-10, got the python version (pickles, never loaded here); "
            "take cifar-10-binary.tar.gz, which holds data_batch_1.bin to data_batch_5.bin and test_batch.bin"
        )
    _require(folder, CIFAR10_FILES, "the binary version of CIFAR-10 (cifar-10-binary.tar.gz)")
    batches = [_cifar10_pair(folder / name) for name in CIFAR10_FILES]
    features, labels = zip(*batches[:-1], strict=True)
    return _images(f"cifar10:{folder}", (np.concatenate(features), np.concatenate(labels)), batches[-1], (3, 32, 32))


def _images(name: str, train: Pair, test: Pair, shape: tuple[int, int, int]) -> DataSet:
    return data_set(
        name,
        (train[0].reshape(len(train[0]), -1), train[1]),
        (test[0].reshape(len(test[0]), -1), test[1]),
        feature_bits=8,
        n_classes=10,
        image_shape=shape,
    )


def _require(folder: Path, names: tuple[str, ...], what: str) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder}: wanted a folder with {what}: {', '.join(names)}; "
            f"got no {', no '.join(missing) if len(missing) < len(names) else 'such file'}; put the files there"
        )


def _mnist_file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise InputError(
        f"{folder}: wanted a folder with MNIST's four files: {', '.join(MNIST_FILES)} (or with .gz); "
        f"got no {name}; put the files there"
    )


def _idx_pair(images_path: Path, labels_path: Path) -> Pair:
    images, labels = _idx(images_path, 3), _idx(labels_path, 1)
    if len(images) != len(labels):
        raise InputError(
            f"{labels_path}: wanted a label for each of the {len(images)} images of {images_path.name}, "
            f"got {len(labels)}; take both files from one source"
        )
    _check_labels(labels_path, labels, 0, 9)
    return images, labels.astype(np.int64)


def _idx(path: Path, n_axes: int) -> np.ndarray:
    """The array of an IDX file of unsigned bytes: 0, 0, 8, axes; each length (32 bits, big-endian); the bytes."""
    data = _bytes(path)
    magic = bytes((0, 0, 8, n_axes))
    if data[:4] != magic:
        raise InputError(
            f"{path}: wanted an IDX file that begins with {magic.hex()} (bytes, {n_axes} axes), "
            f"got {data[:4].hex() or 'nothing'}; take the published file"
        )
    head = 4 + 4 * n_axes
    if len(data) < head:
        raise InputError(f"{path}: wanted a header of {head} bytes, got {len(data)}; fetch it again")
    shape = tuple(int(length) for length in np.frombuffer(data, ">u4", n_axes, 4))
    size = int(np.prod(shape, dtype=object))
    if len(data) != head + size or size == 0:
        raise InputError(
            f"{path}: wanted {head + size} bytes for the shape {shape} that its header tells (not empty), "
            f"got {len(data)}; the file is damaged, fetch it again"
        )
    return np.frombuffer(data, np.uint8, size, head).reshape(shape)


def _bytes(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                return file.read()
        return path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: wanted a file that can be read, got: {reason}; fetch it again") from error


def _svhn_pair(path: Path) -> Pair:
    from scipy.io import loadmat  # slow to import, and only for this set

    try:
        found = loadmat(path, variable_names=("X", "y"))
    except Exception as error:  # scipy's reader raises what its state happens to be for damaged files, no set of types
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: wanted a MATLAB file (version 5) with X and y, got: {reason}; fetch it again"
        ) from error
    images, labels = found.get("X"), found.get("y")
    if images is None or labels is None or images.ndim != 4 or images.shape[:3] != (32, 32, 3):
        got = "no X or no y" if images is None or labels is None else f"X of shape {images.shape}"
        raise InputError(f"{path}: wanted X of shape (32, 32, 3, n) and y, got {got}; take the cropped digits")
    if images.dtype != np.uint8 or labels.dtype.kind not in "ui" or labels.size != images.shape[3] or not labels.size:
        raise InputError(
            f"{path}: wanted X of uint8 and as many integers y as images, "
            f"got X {images.dtype} with {images.shape[3]} images, y {labels.dtype} with {labels.size}; fetch it again"
        )
    labels = labels.reshape(-1)
    _check_labels(path, labels, 1, 10)  # the digit 0 is stored as 10
    return images.transpose(3, 2, 0, 1), labels.astype(np.int64) % 10


def _cifar10_pair(path: Path) -> Pair:
    data = _bytes(path)
    if not data or len(data) % _CIFAR10_RECORD:
        raise InputError(
            f"{path}: wanted records of {_CIFAR10_RECORD} bytes (label, 32 x 32 red, green, blue), "
            f"got {len(data)} bytes; the file is damaged, fetch it again"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, _CIFAR10_RECORD)
    _check_labels(path, records[:, 0], 0, 9)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _check_labels(path: Path, labels: np.ndarray, low: int, high: int) -> None:
    if int(labels.min()) < low or int(labels.max()) > high:
        raise InputError(
            f"{path}: wanted labels from {low} to {high}, got {int(labels.min())} to {int(labels.max())}; "
            "the file is damaged or another one, fetch it again"
        )
