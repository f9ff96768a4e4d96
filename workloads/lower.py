"""From a graph to the jobs of a tensor machine: fusing, and choosing how each tensor lies in memory as an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.ir import Graph, Op, Tensor
from workloads.layer import Arithmetic, Layer
from workloads.lowering import array, attention, vector
from workloads.lowering.draft import MOST_STORED_BITS, Draft, refusal
from workloads.lowering.view import View
from workloads.run_jobs import run_jobs
from workloads.vector_layer import Job, VectorArithmetic

_ARRAY: dict[str, Callable[[Draft, Op], None]] = {
    "conv": array.conv,
    "matmul": array.product,
    "add": array.add,
    "max_pool": array.max_pool,
    "average_pool": array.average_pool,
    "requantize": array.requantize,
    "reshape": attention.move,
    "transpose": attention.move,
}
_WITH_VECTOR_UNIT: dict[str, Callable[[Draft, Op], None]] = {
    **_ARRAY,
    "add": vector.add,
    "requantize": vector.elementwise,
    "gelu": vector.elementwise,
    "gather": vector.gather,
    "softmax": vector.softmax,
    "layer_norm": vector.normalization,
    "range_norm": vector.normalization,
    "slice": attention.move,
    "append": attention.append,
}


@dataclass(frozen=True)
class Lowered:
    """The jobs of a graph in order, and where its tensors lie: inputs, constants that are stored, what is computed.

    Tensors that a fused job keeps to itself have a view of a stored tensor that no job writes.
    """

    graph: Graph
    jobs: tuple[Job, ...]
    views: Mapping[str, View]
    constants: Mapping[str, tuple[np.ndarray, View]]  # by stored name

    def images(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Stored tensors (images, channels, lines, pixels) that the jobs find: inputs, fed by name, and constants."""
        found = {stored: view.write(data, 0) for stored, (data, view) in self.constants.items()}
        for name in self.graph.inputs:
            tensor = self.graph.by_name[name]
            found[name] = self.views[name].write(_fed(tensor, feeds), tensor.zero_point)
        return found

    def tensors(self, images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The tensors of the graph out of stored ones; an input that was appended to holds the new rows too."""
        return {name: view.read(images[view.stored]) for name, view in self.views.items() if view.stored in images}


def lower(graph: Graph) -> tuple[Job, ...]:
    """Layers with numbers that compute the graph on a tensor machine, in order.

    An addition becomes the residual of the later of the two layers it reads where nothing else reads that layer, and a
    pass over ones otherwise. A flattened image keeps its layout: the matrix product after it is a convolution with a
    kernel as large as the image. Graphs with ops of the vector unit (`workloads.vector_layer`) have additions and
    changes of width done there, and a product of two activations is a layer for each matrix whose weights a
    `to_weights` job makes; heads are parts of stored tensors. InputError names an op that the machine cannot run.
    """
    return lowered(graph).jobs


def lowered(graph: Graph) -> Lowered:
    """`lower`, with where each tensor lies."""
    draft = Draft(graph)
    steps = _WITH_VECTOR_UNIT if draft.has_vector_ops else _ARRAY
    for op in graph.ops:
        if op.kind not in steps:
            raise refusal(op, f"an op that the tensor machine runs ({', '.join(_WITH_VECTOR_UNIT)})", op.kind)
        _check_bits(draft, op)
        computed = op.kind == "matmul" and draft.tensor(op.inputs[1]).data is None
        (attention.product if computed else steps[op.kind])(draft, op)
    constants = {stored: (_data(tensor), view) for stored, (tensor, view) in draft.constants.items()}
    return Lowered(graph, tuple(draft.jobs), draft.views, constants)


def run_layers(
    graph: Graph, layers: Sequence[Job], feeds: Mapping[str, np.ndarray], arithmetic: Arithmetic | None = None,
    vector_arithmetic: VectorArithmetic | None = None,
) -> tuple[dict[str, np.ndarray], int]:  # fmt: skip
    """(every stored tensor that the layers compute, accumulator overflows), run one layer after the other.

    `lowered(graph).tensors` reads the tensors of the graph out of the stored ones.
    """
    of_array, of_vector = arithmetic or Arithmetic(), vector_arithmetic or VectorArithmetic()
    arithmetics = [of_array if isinstance(layer, Layer) else of_vector for layer in layers]
    return run_jobs(layers, arithmetics, lowered(graph).images(feeds))


def from_image(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The graph tensor of `shape` that lies in the image (N, C, H, W), rows as pixels; padding rows are cut off.

    For graphs without a vector unit; `Lowered.tensors` reads those of any graph.
    """
    if len(shape) == 4 or shape[-1] != image.shape[1]:
        return image.reshape(shape)
    n_rows = int(np.prod(shape[:-1]))
    return image.transpose(0, 2, 3, 1).reshape(-1, shape[-1])[:n_rows].reshape(shape)


def _fed(tensor: Tensor, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    value = np.asarray(feeds[tensor.name])
    if value.shape != tensor.shape or not np.issubdtype(value.dtype, np.integer):
        raise InputError(
            f"input {tensor.name}: wanted integers of shape {list(tensor.shape)}, got {value.dtype} {list(value.shape)}"
        )
    return value


def _data(tensor: Tensor) -> np.ndarray:
    assert tensor.data is not None, "only constants are kept as such"
    return tensor.data


def _check_bits(draft: Draft, op: Op) -> None:
    for i, tensor in enumerate(draft.tensor(name) for name in (*op.inputs, op.output)):
        widest = 32 if tensor.data is not None and len(tensor.shape) == 1 else MOST_STORED_BITS
        if tensor.bits > widest and (op.kind, i) != ("gather", 0):  # ids are no activations
            raise refusal(op, f"at most {widest} bits", f"{tensor.bits} in {tensor.name} (quantize it)")
