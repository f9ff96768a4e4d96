"""Image sets: tiny files in the published formats are read, broken ones are refused in one line."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from designs.errors import InputError
from workloads.classifiers.image_files import CIFAR10_FILES, MNIST_FILES, load_cifar10, load_mnist, load_svhn

RNG = np.random.default_rng(0)
MNIST = {
    "train-images-idx3-ubyte": RNG.integers(0, 256, (5, 28, 28), dtype=np.uint8),
    "train-labels-idx1-ubyte": np.array([3, 0, 9, 1, 1], np.uint8),
    "t10k-images-idx3-ubyte": RNG.integers(0, 256, (2, 28, 28), dtype=np.uint8),
    "t10k-labels-idx1-ubyte": np.array([7, 2], np.uint8),
}


def _idx(array: np.ndarray) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    return head + array.tobytes()


def _write_mnist(folder: Path, *, packed: bool = False) -> None:
    for name, array in MNIST.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(_idx(array), mtime=0))
        else:
            (folder / name).write_bytes(_idx(array))


def _refused(load, folder: Path, *parts: str) -> None:
    with pytest.raises(InputError) as error:
        load(folder)
    assert "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("packed", [False, True])
def test_mnist(tmp_path: Path, packed: bool) -> None:
    _write_mnist(tmp_path, packed=packed)
    data = load_mnist(tmp_path)
    assert (data.features_train == MNIST["train-images-idx3-ubyte"].reshape(5, 784)).all()
    assert (data.features_test == MNIST["t10k-images-idx3-ubyte"].reshape(2, 784)).all()
    assert data.labels_train.tolist() == [3, 0, 9, 1, 1] and data.labels_test.tolist() == [7, 2]
    assert (data.feature_bits, data.n_classes, data.image_shape) == (8, 10, (1, 28, 28))


def test_mnist_absent(tmp_path: Path) -> None:
    _refused(load_mnist, tmp_path, f"{tmp_path}: wanted a folder with MNIST's four files", *MNIST_FILES)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("train-images-idx3-ubyte", b"", "begins with 00000803 (bytes, 3 axes), got nothing"),
        ("train-images-idx3-ubyte", _idx(MNIST["train-labels-idx1-ubyte"]), "begins with 00000803 (bytes, 3 axes), got 00000801"),
        ("train-images-idx3-ubyte", bytes((0, 0, 8, 3, 0, 0)), "wanted a header of 16 bytes, got 6"),
        ("t10k-images-idx3-ubyte", _idx(MNIST["t10k-images-idx3-ubyte"])[:-1], "wanted 1584 bytes for the shape (2, 28, 28)"),
        ("t10k-images-idx3-ubyte", _idx(MNIST["t10k-images-idx3-ubyte"]) + b"x", "got 1585"),
        ("t10k-images-idx3-ubyte", bytes((0, 0, 8, 3)) + b"\xff" * 12, "wanted 79228162458924105385300197391 bytes"),
        ("t10k-images-idx3-ubyte", _idx(np.zeros((2, 14, 14), np.uint8)), "wanted images of (28, 28) as in train-images"),
        ("t10k-labels-idx1-ubyte", _idx(np.zeros(3, np.uint8)), "wanted a label for each of the 2 images"),
        ("t10k-labels-idx1-ubyte", _idx(np.array([1, 10], np.uint8)), "wanted labels from 0 to 9, got 1 to 10"),
    ],
)  # fmt: skip
def test_mnist_broken(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    _write_mnist(tmp_path)
    (tmp_path / name).write_bytes(data)
    _refused(load_mnist, tmp_path, str(tmp_path / name), message)


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(_idx(MNIST["t10k-labels-idx1-ubyte"]), mtime=0)[:-9]])
def test_mnist_broken_gzip(tmp_path: Path, data: bytes) -> None:
    _write_mnist(tmp_path, packed=True)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(data)
    _refused(load_mnist, tmp_path, "t10k-labels-idx1-ubyte.gz: wanted a file that can be read")


def _write_svhn(folder: Path, **changes: object) -> np.ndarray:
    images = RNG.integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
    whole = {"X": images, "y": np.array([[1], [10], [9], [2]], np.uint8)}
    scipy.io.savemat(folder / "train_32x32.mat", whole)
    scipy.io.savemat(folder / "test_32x32.mat", {k: v for k, v in (whole | changes).items() if v is not None})
    return images


def test_svhn(tmp_path: Path) -> None:
    images = _write_svhn(tmp_path)
    data = load_svhn(tmp_path)
    assert data.labels_train.tolist() == [1, 0, 9, 2] and data.image_shape == (3, 32, 32)
    assert data.features_train.reshape(4, 3, 32, 32)[2, 1, 30, 5] == images[30, 5, 1, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": None}, "got no X or no y"),
        ({"X": np.zeros((32, 32, 4), np.uint8)}, "got X of shape (32, 32, 4)"),
        ({"X": np.zeros((32, 32, 3, 4))}, "got X float64 with 4 images"),
        ({"y": np.array([[1]], np.uint8)}, "y uint8 with 1"),
        ({"y": np.array([[0], [1], [2], [3]], np.uint8)}, "wanted labels from 1 to 10, got 0 to 3"),
    ],
)
def test_svhn_broken(tmp_path: Path, changes: dict, message: str) -> None:
    _write_svhn(tmp_path, **changes)
    _refused(load_svhn, tmp_path, str(tmp_path / "test_32x32.mat"), message)


@pytest.mark.parametrize("kept", [0, 60, 128, 2000, -100])
def test_svhn_truncated(tmp_path: Path, kept: int) -> None:
    _write_svhn(tmp_path)
    path = tmp_path / "train_32x32.mat"
    path.write_bytes(path.read_bytes()[:kept])
    _refused(load_svhn, tmp_path, f"{path}: wanted")


def test_svhn_absent(tmp_path: Path) -> None:
    _refused(load_svhn, tmp_path, "train_32x32.mat, test_32x32.mat; got no such file")
    _write_svhn(tmp_path)
    (tmp_path / "test_32x32.mat").unlink()
    _refused(load_svhn, tmp_path, "got no test_32x32.mat;")


def _write_cifar10(folder: Path) -> np.ndarray:
    records = RNG.integers(0, 10, (12, 3073), dtype=np.uint8)
    for index, name in enumerate(CIFAR10_FILES):
        (folder / name).write_bytes(records[2 * index : 2 * index + 2].tobytes())
    return records


def test_cifar10(tmp_path: Path) -> None:
    records = _write_cifar10(tmp_path)
    data = load_cifar10(tmp_path)
    assert (data.features_train == records[:10, 1:]).all() and (data.labels_train == records[:10, 0]).all()
    assert (data.features_test == records[10:, 1:]).all() and data.image_shape == (3, 32, 32)


def test_cifar10_broken(tmp_path: Path) -> None:
    _write_cifar10(tmp_path)
    path = tmp_path / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    _refused(load_cifar10, tmp_path, f"{path}: wanted records of 3073 bytes", "got 6145 bytes")
    path.write_bytes(bytes([10]) + bytes(3072))
    _refused(load_cifar10, tmp_path, f"{path}: wanted labels from 0 to 9, got 10 to 10")
    path.write_bytes(b"")
    _refused(load_cifar10, tmp_path, "got 0 bytes")


def test_cifar10_python_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"pickle")
    _refused(load_cifar10, tmp_path, "got the python version", "take cifar-10-binary.tar.gz")


def test_cifar10_absent(tmp_path: Path) -> None:
    _refused(load_cifar10, tmp_path, *CIFAR10_FILES, "cifar-10-binary.tar.gz", "got no such file")
