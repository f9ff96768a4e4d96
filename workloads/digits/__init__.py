"""The small networks that ship: trained on scikit-learn's digits, as ONNX models and as the graphs traced from them.

`train.py` and `train_transformer.py` make the files of this folder.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from workloads.ir import Graph


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


def labelled_images(graph: Graph | None) -> tuple[np.ndarray, np.ndarray] | None:
    """(images (n, 1, 8, 8), labels) of the test set where the graph reads a digit and gives ten numbers, else None."""
    if graph is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    image, answers = graph.by_name[graph.inputs[0]], graph.by_name[graph.outputs[0]]
    if image.shape != (1, 1, 8, 8) or image.high < 16 or int(np.prod(answers.shape)) != 10:
        return None
    _, images, _, labels = digits_split()
    return images, labels
