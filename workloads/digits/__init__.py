"""The small networks that ship: trained on scikit-learn's digits, as ONNX models and as the graphs traced from them.

`train.py` and `train_transformer.py` make the files of this folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from workloads.layer import Layer
from workloads.vector_layer import Job, VectorLayer


@cache
def digits_split(split: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(train images, test images, train labels, test labels): 1347 and 450 images (n, 1, 8, 8) int64, pixels 0 to 16.

    The split is that of scikit-learn with random_state `split`, a quarter for testing, stratified. The pixels are the
    stored integers that the shipped graphs read; these were trained on split 0.
    """
    from sklearn.datasets import load_digits  # slow to import, and only whoever looks at images needs it
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = digits.images.astype(np.int64)[:, None]
    return tuple(train_test_split(images, digits.target, random_state=split, test_size=0.25, stratify=digits.target))


def labelled_images(layers: Sequence[Job]) -> tuple[np.ndarray, np.ndarray] | None:
    """(images (n, 1, 8, 8), labels) of the test set where `layers` read digits and give ten outputs, else None.

    None too where images cannot be run side by side: where attention makes weights out of each of them.
    """
    first, last = layers[0], layers[-1]
    if not (isinstance(first, Layer) and isinstance(last, Layer)):
        return None
    if any(isinstance(layer, VectorLayer) and layer.kind == "to_weights" for layer in layers):
        return None
    reads_digits = (first.n_images, first.in_channels, first.in_h, first.in_w) == (1, 1, 8, 8)
    answers = last.out_channels * last.out_h * last.out_w
    if not reads_digits or answers != 10 or first.numbers is None or first.numbers.in_high < 16:
        return None
    _, images, _, labels = digits_split()
    return images, labels
