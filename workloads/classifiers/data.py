"""Data sets of classifiers: the digits that ship with scikit-learn, and arrays that a user brings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from designs.errors import InputError
from workloads.archives import UNREADABLE, arrays_of, one_line
from workloads.digits import digits_split

MOST_FEATURE_BITS = 16
MOST_CLASSES = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class DataSet:
    """Samples with labels, split into training and test samples.

    Features are unsigned integers of `feature_bits` bits. Where the samples are images, a row is the image in the order
    of `image_shape` = (channels, height, width), last axis fastest.
    """

    name: str
    digest: str  # SHA-256 (hex) of everything below
    features_train: np.ndarray  # (n_train, n_features) uint8, or uint16 where feature_bits is above 8
    labels_train: np.ndarray  # (n_train,) int64 from 0 to n_classes - 1
    features_test: np.ndarray
    labels_test: np.ndarray
    feature_bits: int  # 1: binary features
    n_classes: int
    image_shape: tuple[int, int, int] | None

    @property
    def n_features(self) -> int:
        return int(self.features_train.shape[1])


def data_set(
    name: str,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    feature_bits: int,
    n_classes: int,
    image_shape: tuple[int, int, int] | None = None,
) -> DataSet:
    """A DataSet of (features, labels) pairs that were checked before, in the types and with the digest it promises."""
    kind = np.uint8 if feature_bits <= 8 else np.uint16
    features = [np.ascontiguousarray(pair[0], kind) for pair in (train, test)]
    labels = [np.ascontiguousarray(pair[1], np.int64) for pair in (train, test)]
    digest = hashlib.sha256(repr((feature_bits, n_classes, image_shape, [f.shape for f in features])).encode())
    for array in (*features, *labels):
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return DataSet(
        name=name,
        digest=digest.hexdigest(),
        features_train=features[0],
        labels_train=labels[0],
        features_test=features[1],
        labels_test=labels[1],
        feature_bits=feature_bits,
        n_classes=n_classes,
        image_shape=image_shape,
    )


def digits(split: int = 0) -> DataSet:
    """scikit-learn's 1797 digits of 8 x 8 pixels from 0 to 16, a stratified quarter (450) for testing.

    `split` is scikit-learn's random_state; split 0 is the one that the networks of workloads/digits were trained on.
    """
    train_images, test_images, train_labels, test_labels = digits_split(split)
    return data_set(
        "digits" if split == 0 else f"digits:{split}",
        (train_images.reshape(-1, 64), train_labels),
        (test_images.reshape(-1, 64), test_labels),
        feature_bits=5,
        n_classes=10,
        image_shape=(1, 8, 8),
    )


def load_arrays(path: str | Path) -> DataSet:
    """A user's data set: an .npz with `features` (n, n_features) and `labels` (n,).

    Features are booleans or integers from 0 to 65535; labels are integers from 0 on. `features_test` and `labels_test`
    are the test samples; where neither is there, a stratified quarter is taken, the same every time. InputError, naming
    the file and the array, for anything else.
    """
    path = Path(path)
    arrays = _read(path)
    features, labels = _features(path, arrays, "features"), _labels(path, arrays, "labels")
    _same_length(path, features, labels, "")
    if ("features_test" in arrays) != ("labels_test" in arrays):
        raise InputError(f"{path}: wanted both features_test and labels_test or neither, got one; add the other")
    if "features_test" in arrays:
        features_test, labels_test = _features(path, arrays, "features_test"), _labels(path, arrays, "labels_test")
        _same_length(path, features_test, labels_test, "_test")
        if features_test.shape[1] != features.shape[1]:
            raise InputError(
                f"{path}: features_test: wanted {features.shape[1]} features as in `features`, "
                f"got {features_test.shape[1]}; cut both the same way"
            )
    else:
        features, features_test, labels, labels_test = _quarter(path, features, labels)
    n_classes = int(labels.max()) + 1
    _check_classes(path, labels, labels_test, n_classes)
    highest = max(int(features.max()), int(features_test.max()))
    return data_set(
        path.name,
        (features, labels),
        (features_test, labels_test),
        feature_bits=max(1, highest.bit_length()),
        n_classes=n_classes,
    )


def load_samples(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """(features, labels) to run a finished circuit on, from a file that `load_arrays` reads, in the file's order.

    The test samples where the file has some, else all: uint16 (n, n_features) and int64 (n,).
    """
    path = Path(path)
    arrays = _read(path)
    suffix = "_test" if "features_test" in arrays and "labels_test" in arrays else ""
    features, labels = _features(path, arrays, f"features{suffix}"), _labels(path, arrays, f"labels{suffix}")
    _same_length(path, features, labels, suffix)
    return features, labels


def _read(path: Path) -> dict[str, np.ndarray]:
    wanted = "an .npz with arrays `features` and `labels` (numpy.savez)"
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise InputError(f"{path}: wanted {wanted}, got a single array; save both with numpy.savez")
        with loaded as archive:
            names = ("features", "labels", "features_test", "labels_test")
            arrays = arrays_of(archive, names)
            found = ", ".join(archive.files) or "none"
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(f"{path}: wanted {wanted}, got {one_line(error)}; save it again") from error
    for name in ("features", "labels"):
        if name not in arrays:
            raise InputError(f"{path}: wanted {wanted}, got no `{name}` (arrays: {found}); save it under this name")
    return arrays


def _features(path: Path, arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    features = arrays[name]
    if features.ndim != 2 or 0 in features.shape:
        raise InputError(f"{path}: {name}: wanted the shape (n_samples, n_features), got {features.shape}; reshape it")
    _check_integers(path, features, name, "binarize or scale it to integers from 0 to 65535")
    if int(features.min()) < 0 or int(features.max()) >= 1 << MOST_FEATURE_BITS:
        raise InputError(
            f"{path}: {name}: wanted values from 0 to {(1 << MOST_FEATURE_BITS) - 1}, "
            f"got {int(features.min())} to {int(features.max())}; shift or scale them"
        )
    return features.astype(np.uint16)


def _labels(path: Path, arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    labels = arrays[name]
    if labels.ndim != 1 or not len(labels):
        raise InputError(f"{path}: {name}: wanted the shape (n_samples,), got {labels.shape}; flatten it")
    _check_integers(path, labels, name, "number the classes 0, 1, ...")
    if int(labels.min()) < 0 or int(labels.max()) >= MOST_CLASSES:
        raise InputError(
            f"{path}: {name}: wanted class numbers from 0 to {MOST_CLASSES - 1}, "
            f"got {int(labels.min())} to {int(labels.max())}; number the classes 0, 1, ..."
        )
    return labels.astype(np.int64)


def _check_integers(path: Path, array: np.ndarray, name: str, remedy: str) -> None:
    if array.dtype.kind in "bui":
        return
    got = str(array.dtype)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        got += ", with NaN or infinity in it"
    raise InputError(f"{path}: {name}: wanted booleans or integers, got {got}; {remedy}")


def _same_length(path: Path, features: np.ndarray, labels: np.ndarray, suffix: str) -> None:
    if len(features) != len(labels):
        raise InputError(
            f"{path}: labels{suffix}: wanted one for each of the {len(features)} rows of features{suffix}, "
            f"got {len(labels)}; save them together"
        )


def _quarter(path: Path, features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    from sklearn.model_selection import train_test_split  # slow to import

    try:
        return tuple(train_test_split(features, labels, random_state=0, test_size=0.25, stratify=labels))
    except ValueError as error:
        raise InputError(
            f"{path}: labels: wanted classes of which a stratified quarter can be taken for testing, got: "
            f"{str(error).splitlines()[0]} Add samples, or arrays features_test and labels_test"
        ) from error


def _check_classes(path: Path, labels: np.ndarray, labels_test: np.ndarray, n_classes: int) -> None:
    missing = np.setdiff1d(np.arange(n_classes), labels)
    if n_classes < 2 or len(missing):
        got = f"none of class {missing[0]}" if len(missing) else "one class"
        raise InputError(
            f"{path}: labels: wanted samples of two classes or more, numbered from 0 without a gap, got {got}; "
            "number the classes 0, 1, ..."
        )
    if int(labels_test.max()) >= n_classes:
        raise InputError(
            f"{path}: labels_test: wanted the classes 0 to {n_classes - 1} of `labels`, got {int(labels_test.max())}; "
            "add training samples of it or leave it out"
        )
