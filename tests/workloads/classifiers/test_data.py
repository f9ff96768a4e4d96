"""Users' arrays: what is read as it stands, and one line for each fault."""

from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from workloads.classifiers.data import digits, load_arrays, load_samples
from workloads.digits import digits_split


def _saved(folder: Path, **arrays: object) -> Path:
    path = folder / "mine.npz"
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


def test_digits_are_the_split_of_the_shipped_networks() -> None:
    data = digits()
    train_images, test_images, train_labels, test_labels = digits_split()
    assert data.features_train.shape == (1347, 64) and data.features_test.shape == (450, 64)
    assert (data.features_test == test_images.reshape(-1, 64)).all() and (data.labels_test == test_labels).all()
    assert (data.features_train == train_images.reshape(-1, 64)).all() and (data.labels_train == train_labels).all()
    assert (data.name, data.feature_bits, data.n_classes, data.image_shape) == ("digits", 5, 10, (1, 8, 8))


def test_another_split_is_another_data_set() -> None:
    assert digits(3).name == "digits:3"
    assert digits(3).digest != digits().digest == digits().digest
    assert sorted(map(bytes, np.vstack([digits(3).features_train, digits(3).features_test]))) == sorted(
        map(bytes, np.vstack([digits().features_train, digits().features_test]))
    )


def test_arrays_with_a_test_set_are_taken_as_they_are(tmp_path: Path) -> None:
    features = np.array([[0, 300], [1, 2], [3, 4]])
    path = _saved(tmp_path, features=features, labels=[0, 1, 0], features_test=[[9, 9]], labels_test=[1])
    data = load_arrays(path)
    assert data.features_train.tolist() == features.tolist() and data.features_train.dtype == np.uint16
    assert data.labels_train.tolist() == [0, 1, 0] and data.features_test.tolist() == [[9, 9]]
    assert (data.feature_bits, data.n_classes, data.image_shape, data.name) == (9, 2, None, "mine.npz")


def test_booleans_are_one_bit(tmp_path: Path) -> None:
    data = load_arrays(_saved(tmp_path, features=np.eye(8, dtype=bool), labels=[0, 1] * 4))
    assert data.feature_bits == 1 and data.features_train.dtype == np.uint8 and set(data.features_train.flat) == {0, 1}


def test_without_a_test_set_a_stratified_quarter_is_taken_the_same_every_time(tmp_path: Path) -> None:
    path = _saved(tmp_path, features=np.arange(40)[:, None], labels=[0] * 8 + [1] * 32)
    data = load_arrays(path)
    assert np.bincount(data.labels_test).tolist() == [2, 8] and np.bincount(data.labels_train).tolist() == [6, 24]
    assert set(data.features_train.flat) | set(data.features_test.flat) == set(range(40))
    assert load_arrays(path).digest == data.digest


GOOD = {"features": [[0, 1], [1, 0], [1, 1]], "labels": [0, 1, 1], "features_test": [[1, 0]], "labels_test": [1]}
FAULTS = {
    "no labels": ({"labels": None}, "got no `labels` (arrays: features, features_test, labels_test)"),
    "half a test set": ({"labels_test": None}, "wanted both features_test and labels_test"),
    "one axis": ({"features": [0, 1, 1]}, "features: wanted the shape (n_samples, n_features), got (3,)"),
    "no samples": ({"features": np.zeros((0, 2), int)}, "features: wanted the shape (n_samples, n_features), got (0, 2)"),
    "floats": ({"features": [[0.5, 1], [1, 0], [1, 1]]}, "features: wanted booleans or integers, got float64;"),
    "NaN": ({"features": [[np.nan, 1], [1, 0], [1, 1]]}, "got float64, with NaN or infinity in it;"),
    "text": ({"features": [["a", "b"]] * 3}, "features: wanted booleans or integers, got <U1"),
    "negative": ({"features": [[-1, 1], [1, 0], [1, 1]]}, "features: wanted values from 0 to 65535, got -1 to 1"),
    "too large": ({"features_test": [[1, 65536]]}, "features_test: wanted values from 0 to 65535, got 1 to 65536"),
    "too few labels": ({"labels": [0, 1]}, "labels: wanted one for each of the 3 rows of features, got 2"),
    "labels of two axes": ({"labels": [[0], [1], [1]]}, "labels: wanted the shape (n_samples,), got (3, 1)"),
    "labels as floats": ({"labels": [0.0, 1.0, 1.0]}, "labels: wanted booleans or integers, got float64; number"),
    "negative labels": ({"labels": [-1, 0, 1]}, "labels: wanted class numbers from 0 to 999, got -1 to 1"),
    "one class": ({"labels": [0, 0, 0], "labels_test": [0]}, "two classes or more, numbered from 0 without a gap, got one"),
    "gap": ({"labels": [0, 2, 2]}, "without a gap, got none of class 1"),
    "class of the test set": ({"labels_test": [2]}, "labels_test: wanted the classes 0 to 1 of `labels`, got 2"),
    "widths": ({"features_test": [[1, 0, 1]]}, "features_test: wanted 2 features as in `features`, got 3"),
    "test lengths": ({"labels_test": [1, 0]}, "labels_test: wanted one for each of the 1 rows of features_test, got 2"),
    "quarter": ({"features_test": None, "labels_test": None}, "wanted classes of which a stratified quarter can be taken"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_one_line(tmp_path: Path, fault: str) -> None:
    change, message = FAULTS[fault]
    path = _saved(tmp_path, **{k: v for k, v in (GOOD | change).items() if v is not None})
    with pytest.raises(InputError) as error:
        load_arrays(path)
    assert message in str(error.value) and str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("kept", [0, 10, 200, -1])
def test_damaged_files_are_one_line(tmp_path: Path, kept: int) -> None:
    path = _saved(tmp_path, **GOOD)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError) as error:
        load_arrays(path)
    assert str(error.value).startswith(f"{path}: wanted an .npz") and "\n" not in str(error.value)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = _saved(tmp_path, **GOOD | {"features": np.array([[{}], [{}], [{}]], dtype=object)})
    with pytest.raises(InputError, match="allow_pickle"):
        load_arrays(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none.npz: wanted an .npz with arrays `features` and `labels`"):
        load_arrays(tmp_path / "none.npz")


def test_a_single_array_is_one_line(tmp_path: Path) -> None:
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="got a single array; save both with numpy.savez"):
        load_arrays(tmp_path / "one.npz")


def test_samples_for_a_circuit_stay_in_order(tmp_path: Path) -> None:
    features, labels = np.arange(20).reshape(10, 2), np.arange(10) % 3
    found = load_samples(_saved(tmp_path, features=features, labels=labels))
    assert (found[0] == features).all() and (found[1] == labels).all()
    path = _saved(tmp_path, features=features, labels=labels, features_test=features[:4], labels_test=labels[:4])
    assert [len(array) for array in load_samples(path)] == [4, 4]
