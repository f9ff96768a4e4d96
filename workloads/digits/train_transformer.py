"""Make digits_transformer.onnx and .npz: `python -m workloads.digits.train_transformer [FOLDER]`, about two minutes.

Needs the extra `torch` and onnxruntime. Trains the float transformer on the training images, exports it, quantizes it
(mixed widths, ranges of the training images), traces it, and prints what is right on the test images. Nothing is
chosen by the test images.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from workloads.digits import digits_split
from workloads.digits.network import PIXEL, accuracy
from workloads.digits.train import graph_accuracy
from workloads.digits.transformer import trained
from workloads.encoders.calibrate import distributions, run_session
from workloads.encoders.edges import Edges
from workloads.encoders.qdq import quantize_encoder
from workloads.encoders.widths import WIDTHS, Width
from workloads.files import save_graph
from workloads.importers.onnx import trace_onnx

NAME = "digits_transformer"


def main(folder: Path) -> None:
    """Write the model and the graph into the folder."""
    import torch

    train_images, test_images, train_labels, test_labels = digits_split()
    network = trained(torch, train_images * PIXEL, train_labels)
    model = exported(torch, network)
    test_pixels = (test_images * PIXEL).astype(np.float32)
    print(f"float: {accuracy(run_session(model)(test_pixels)[0], test_labels):.4f}")
    quantized = quantize(model, train_images)
    onnx.save(quantized, folder / f"{NAME}.onnx")
    print(f"quantized, ONNX Runtime: {accuracy(run_session(quantized)(test_pixels)[0], test_labels):.4f}")
    save_graph(trace_onnx(folder / f"{NAME}.onnx", bind={"batch": 1}), folder / f"{NAME}.npz")
    for rounding in ("float32", "multiplier_shift"):
        print(f"{NAME}, {rounding}: {graph_accuracy(folder / f'{NAME}.onnx', test_images, test_labels, rounding):.4f}")


def exported(torch: Any, network: Any) -> onnx.ModelProto:
    """The float model, with the dynamic dimension `batch`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about its own modules
        program = torch.onnx.export(
            network, (torch.zeros(2, 1, 8, 8),), dynamo=True, opset_version=21, verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},), input_names=["pixels"], output_names=["logits"],
        )  # fmt: skip
    program.model_proto.ir_version = 10
    return program.model_proto


def quantize(model: onnx.ModelProto, images: np.ndarray, widths: str = "mixed") -> onnx.ModelProto:
    """The QDQ model, whose ranges are those of the images (n, 1, 8, 8) with pixels 0 to 16, which it stores as such."""
    seen = distributions(model, Edges(model).rounded(), [(images * PIXEL).astype(np.float32)])
    return quantize_encoder(model, seen, WIDTHS[widths], {"pixels": (float(PIXEL), Width(8, signed=False))})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
