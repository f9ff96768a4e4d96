"""How near the integer encoder is to the float one: `python -m workloads.minilm.compare DIR --sentences 50`.

For each quantized model in DIR: the cosine similarity of sentence embeddings (the mean over the tokens of the last
hidden state, as the model is used) between the integer interpreter, ONNX Runtime on the same quantized model (real
arithmetic between rounded edges), and ONNX Runtime on the float model. Sentences keep their own lengths, out of numpy's
docstrings; they are others than those that gave the ranges. `--arithmetics` adds rows of what machines compute: a
tensor machine's bits are those of the interpreter with its rounding and its functions (docs/vector.md, section 9).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from designs.errors import InputError
from workloads.encoders.calibrate import run_session
from workloads.functions.choice import I_BERT, FunctionChoice
from workloads.importers.onnx import trace_onnx
from workloads.ir import Graph
from workloads.minilm.export import FLOAT_NAME
from workloads.minilm.package import sentences
from workloads.minilm.quantize import CALIBRATION_SEED, LONGEST, longest_of, progress, read_model
from workloads.reference import run_graph
from workloads.requantize import Rounding

SEED = CALIBRATION_SEED + 1
Embed = Callable[[np.ndarray], np.ndarray]  # token ids (1, n) -> the embedding, of length 1, or some of them
MULTIPLIER_BITS = 16  # of the machines, and blocks of 8 lanes, as in designs/minilm.yaml
ARITHMETICS: dict[str, tuple[Rounding, FunctionChoice]] = {
    "float32": ("float32", I_BERT),  # ONNX Runtime's scales
    "i_bert": ("multiplier_shift", I_BERT),
    "ita": ("multiplier_shift", FunctionChoice(softmax="ita", ita_block=8)),
    "table": ("multiplier_shift", FunctionChoice(softmax="table", gelu="table")),
    "table_ita": ("multiplier_shift", FunctionChoice(softmax="ita", gelu="table", ita_block=8)),
}


@dataclass(frozen=True)
class Row:
    """Cosines, one a sentence, and what a sentence costs the interpreter."""

    widths: str
    arithmetic: str  # of ARITHMETICS
    to_float: np.ndarray  # integers against the float model
    to_quantized: np.ndarray  # integers against ONNX Runtime on the same model
    quantized_to_float: np.ndarray
    seconds: float  # of the interpreter a sentence


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input, told in one line on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m workloads.minilm.compare", description="Embeddings of integers against those of floats."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of export and quantize")
    parser.add_argument("--sentences", type=int, default=50, metavar="N", help="to compare (50)")
    parser.add_argument("--widths", nargs="+", metavar="NAME", help="DIR/NAME.onnx (all that are in DIR)")
    parser.add_argument("--longest", type=int, default=LONGEST, metavar="N", help=f"tokens of a sentence ({LONGEST})")
    parser.add_argument(
        "--arithmetics", nargs="+", choices=list(ARITHMETICS), default=["float32"], help="of the integers (float32)"
    )
    options = parser.parse_args(arguments)
    try:
        with threadpool_limits(1):  # a second thread costs these small products more than it brings
            sizes = options.sentences, options.longest
            print(table(compare(options.folder, options.widths, *sizes, arithmetics=options.arithmetics)))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def compare(
    folder: Path, names: Sequence[str] | None, n_sentences: int, longest: int = LONGEST, *,
    arithmetics: Sequence[str] = ("float32",),
) -> list[Row]:  # fmt: skip
    """A row for each of the named models, or all in the folder but the float one, in each of the arithmetics.

    InputError where a model is missing.
    """
    if n_sentences < 1:
        raise InputError(f"--sentences {n_sentences}: wanted 1 or more, got {n_sentences}")
    reference = read_model(folder / FLOAT_NAME)
    found = names or sorted(path.stem for path in folder.glob("*.onnx") if path.name != FLOAT_NAME)
    if not found:
        raise InputError(f"{folder}: wanted a quantized model, got none; python -m workloads.minilm.quantize {folder}")
    drawn = sentences(n_sentences, longest=longest_of(reference, longest), seed=SEED)
    floats = _embeddings(_by_onnxruntime(folder / FLOAT_NAME), drawn, "float")
    rows = []
    for name in found:
        path = folder / f"{name}.onnx"
        quantized = _embeddings(_by_onnxruntime(path), drawn, f"{name}, ONNX Runtime")
        encoder = _Integers(path, arithmetics)
        found_integers = _embeddings(encoder, drawn, f"{name}, integers")
        for index, arithmetic in enumerate(arithmetics):
            integers = found_integers[:, index]
            cosines = _cosine(integers, floats), _cosine(integers, quantized), _cosine(quantized, floats)
            rows.append(Row(name, arithmetic, *cosines, float(encoder.seconds[index]) / len(drawn)))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows as text: mean and least cosine of each pair."""
    pairs = ["integers, float", "integers, ORT quantized", "ORT quantized, float"]
    head = ["widths", "arithmetic", *pairs, "s a sentence"]
    cells = [
        [row.widths, row.arithmetic, *(f"{c.mean():.4f} ({c.min():.4f})" for c in _pairs(row)), f"{row.seconds:.2f}"]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in [head, *cells]]
    n_sentences = len(rows[0].to_float)
    return "\n".join([f"Cosine similarity of {n_sentences} embeddings: mean (least)", *lines])


def _pairs(row: Row) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return row.to_float, row.to_quantized, row.quantized_to_float


def _by_onnxruntime(path: Path) -> Embed:
    run = run_session(read_model(path))
    return lambda ids: _pooled(run(ids)[0])


class _Integers:
    """The interpreter, in some arithmetics; the graph is imported once for each length that comes, which `seconds`
    (one an arithmetic) does not count."""

    def __init__(self, path: Path, arithmetics: Sequence[str]) -> None:
        self.seconds = np.zeros(len(arithmetics))
        self._arithmetics = [ARITHMETICS[name] for name in arithmetics]
        self._path = path
        self._is_fixed = longest_of(read_model(path), 0) > 0
        self._graphs: dict[int, Graph] = {}

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        """(arithmetics, channels)."""
        n_tokens = ids.shape[1]
        if n_tokens not in self._graphs:
            self._graphs = {n_tokens: trace_onnx(self._path, bind={} if self._is_fixed else {"sequence": n_tokens})}
        graph = self._graphs[n_tokens]
        output = graph.by_name[graph.outputs[0]]
        found = []
        for index, (rounding, functions) in enumerate(self._arithmetics):
            began = time.process_time()
            stored = run_graph(graph, {graph.inputs[0]: ids}, rounding, MULTIPLIER_BITS, functions)[output.name]
            self.seconds[index] += time.process_time() - began
            found.append(_pooled(output.dequantize(stored)))
        return np.stack(found)


def _embeddings(embed: Embed, drawn: Sequence[np.ndarray], title: str) -> np.ndarray:
    tell = progress(title)
    vectors = []
    for i, ids in enumerate(sorted(drawn, key=lambda ids: ids.shape[1])):  # equal lengths follow one another
        vectors.append(embed(ids))
        tell(i + 1, len(drawn))
    return np.stack(vectors)


def _pooled(hidden: np.ndarray) -> np.ndarray:
    """The embedding, of length 1: the mean over the tokens of (1, n, channels)."""
    mean = hidden[0].astype(np.float64).mean(axis=0)
    return mean / np.linalg.norm(mean)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1)


if __name__ == "__main__":
    sys.exit(main())
