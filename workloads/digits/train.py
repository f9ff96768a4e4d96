"""Make the files of this folder: `python -m workloads.digits.train [FOLDER]`, about half a minute on one core.

Trains the float network on the training images, quantizes it after training (calibrated on the training images too),
writes `digits_cnn.onnx` (8-bit weights, one scale a tensor) and `digits_cnn_w4.onnx` (4-bit weights, one scale a
channel), traces both, and prints what they get right on the test images. Nothing is chosen by the test images.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx

from workloads.digits import digits_split
from workloads.digits.network import accuracy, forward, train
from workloads.digits.quantize import quantized_model
from workloads.files import save_graph
from workloads.importers.onnx import trace_onnx
from workloads.reference import run_graph

VARIANTS = {"digits_cnn": (8, False), "digits_cnn_w4": (4, True)}  # name -> (weight bits, one scale a channel)


def main(folder: Path) -> None:
    """Write the models and graphs into the folder."""
    train_images, test_images, train_labels, test_labels = digits_split()
    parameters = train(train_images, train_labels)
    print(f"float: {accuracy(forward(parameters, test_images)['logits'], test_labels):.4f}")
    for name, (bits, per_channel) in VARIANTS.items():
        path = folder / f"{name}.onnx"
        onnx.save(quantized_model(parameters, train_images, weight_bits=bits, per_channel=per_channel), path)
        save_graph(trace_onnx(path, bind={"batch": 1}), folder / f"{name}.npz")
        for rounding in ("float32", "multiplier_shift"):
            print(f"{name}, {rounding}: {graph_accuracy(path, test_images, test_labels, rounding):.4f}")


def graph_accuracy(path: Path, images: np.ndarray, labels: np.ndarray, rounding: str) -> float:
    """Share of images that the ONNX model at `path`, run by the interpreter, labels right."""
    graph = trace_onnx(path, bind={"batch": len(images)})
    values = run_graph(graph, {graph.inputs[0]: images}, rounding)
    return accuracy(values[graph.outputs[0]], labels)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
