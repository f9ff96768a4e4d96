"""The small networks that ship: trained on scikit-learn's digits, as ONNX models and as the graphs traced from them.

`train.py` makes the files of this folder.
"""

from __future__ import annotations

import numpy as np


def digits_split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(train images, test images, train labels, test labels): 1347 and 450 images (n, 1, 8, 8) int64, pixels 0 to 16.

    The split is that of scikit-learn with random_state 0, a quarter for testing, stratified. The pixels are the stored
    integers that the shipped graphs read.
    """
    from sklearn.datasets import load_digits  # slow to import, and only whoever looks at images needs it
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = digits.images.astype(np.int64)[:, None]
    return tuple(train_test_split(images, digits.target, random_state=0, test_size=0.25, stratify=digits.target))
