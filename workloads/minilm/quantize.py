"""Quantize the exported encoder after training: `python -m workloads.minilm.quantize DIR [--widths mixed]`.

Reads DIR/float.onnx and writes DIR/<widths>.onnx, a QDQ model. `--edge residual=8` gives all edges of one role another
width (the roles: `workloads.encoders.widths`) and writes DIR/mixed-residual8.onnx. Ranges are those of sentences out of
numpy's docstrings, others than those that `compare` draws.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from designs.errors import InputError
from designs.whole_file import whole_file
from workloads.encoders.calibrate import distributions
from workloads.encoders.edges import Edges
from workloads.encoders.qdq import quantize_encoder
from workloads.encoders.widths import WIDTHS, Role, parsed_edge, with_edges
from workloads.minilm.export import FLOAT_NAME
from workloads.minilm.package import sentences

CALIBRATION_SEED = 0
LONGEST = 64  # tokens of a sentence


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input, told in one line on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m workloads.minilm.quantize", description="The exported encoder as a QDQ model."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of workloads.minilm.export")
    parser.add_argument("--widths", choices=list(WIDTHS), nargs="+", default=["mixed"], help="of the edges (mixed)")
    parser.add_argument("--edge", action="append", default=[], metavar="ROLE=BITS", help="other bits for a role")
    parser.add_argument("--samples", type=int, default=64, metavar="N", help="sentences that give the ranges (64)")
    options = parser.parse_args(arguments)
    try:
        edges = dict(map(parsed_edge, options.edge))
        for path in quantize(options.folder, options.widths, options.samples, edges):
            print(path)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def quantize(
    folder: Path, names: Sequence[str], n_samples: int, changed: Mapping[Role, int] | None = None
) -> Iterator[Path]:
    """Write a model for each name of `WIDTHS` and answer its path; InputError where there is no exported model.

    `changed` gives roles other bits, and the model a longer name: `mixed-residual8.onnx`.
    """
    if n_samples < 1:
        raise InputError(f"--samples {n_samples}: wanted 1 or more, got {n_samples}")
    model = read_model(folder / FLOAT_NAME)
    drawn = sentences(n_samples, longest=longest_of(model, LONGEST), seed=CALIBRATION_SEED)
    edges = Edges(model)
    edges.check()
    seen = distributions(model, edges.rounded(), drawn, progress("calibrating"))
    for choice in names:
        name, widths = with_edges(choice, changed or {})
        path = folder / f"{name}.onnx"
        with whole_file(path) as part:
            onnx.save(quantize_encoder(model, seen, widths), part)
        yield path


def read_model(path: Path) -> onnx.ModelProto:
    """A model that `export` or `quantize` wrote; InputError where there is none."""
    try:
        return onnx.load(path, format="protobuf")
    except (OSError, DecodeError) as error:
        reason = " ".join(str(error).split())
        step = "export" if path.name == FLOAT_NAME else "quantize"
        raise InputError(
            f"{path}: wanted a model of MiniLM, got {reason}; python -m workloads.minilm.{step} {path.parent}"
        ) from error


def longest_of(model: onnx.ModelProto, most: int) -> int:
    """Tokens that a sentence may have: those of the model where its length is fixed, else `most`."""
    return int(model.graph.input[0].type.tensor_type.shape.dim[1].dim_value) or most


def progress(title: str) -> Callable[[int, int], None]:
    """Tells on stderr how much is done: a line that is written over on a terminal, else one in the end."""

    def tell(n_done: int, n_all: int) -> None:
        if sys.stderr.isatty() or n_done == n_all:
            end = "\n" if n_done == n_all else ""
            print(f"\r{title}: {n_done} of {n_all}", end=end, file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
