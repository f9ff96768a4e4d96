"""What was lowered so far: jobs in order, and where each tensor of the graph lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from designs.errors import InputError
from workloads.ir import Graph, Op, Tensor
from workloads.ir_vector import VECTOR_OPS
from workloads.layer import Place, matrix_lines
from workloads.lowering.view import Box, View, along, image_view, leading
from workloads.vector_layer import Job

MOST_STORED_BITS = 16  # widest activation or weight of a tensor machine
ATTENTION_PIXELS = 16  # longest line of a matrix in a graph that needs a vector unit
MOVES = ("reshape", "transpose", "slice")


class Draft:
    """A graph that is being lowered.

    `views` holds every tensor that has a place, computed or fed; `constants` the view of each stored tensor that is
    a constant of the graph, by the stored name; `appended` of each cache that was written to the first new token of a
    sequence, and the tokens that a sequence has room for; `kept` are inputs that stay as they are from step to step.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.jobs: list[Job] = []
        self.views: dict[str, View] = {}
        self.constants: dict[str, tuple[Tensor, View]] = {}
        self.appended: dict[str, tuple[int, int]] = {}
        self.kept = {name for name, following in graph.states if name == following}
        self.has_vector_ops = any(_needs_vector_unit(graph, op) for op in graph.ops)
        self._has_caches = any(op.kind == "append" for op in graph.ops)
        for name in graph.inputs:
            self.views[name] = self._input_view(graph.by_name[name])

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name."""
        return self.graph.by_name[name]

    def view(self, op: Op, name: str) -> View:
        """Where an input of the op lies; InputError where it is a constant."""
        if name not in self.views:
            raise refusal(op, "a computed tensor as input", f"the constant {name}")
        return self.views[name]

    def like(self, op: Op, name: str, other: View) -> View:
        """Where an input of the op lies; a constant is stored as the box of `other` that it meets."""
        if name in self.views:
            return self.views[name]
        box = box_of(op, other)
        view = other.on(f"{op.name}.{name}", (box.n_images, box.channels, box.lines, other.shape[3]))
        self.constants[view.stored] = self.tensor(name), view
        return view

    def writers(self, stored: str) -> list[int]:
        """Indices of the jobs that write the stored tensor."""
        return [i for i, job in enumerate(self.jobs) if job.output == stored]

    def _input_view(self, tensor: Tensor) -> View:
        shape = tensor.shape
        if not self.has_vector_ops:
            return _image_input(tensor)
        ops = self.graph.consumers(tensor.name)
        if len(shape) == 4 and any(op.kind in ("conv", "max_pool", "average_pool") for op in ops):
            return _image_input(tensor)
        if any(op.kind == "gather" for op in ops):
            shape = (*shape, 1)
        elif len(shape) == 4 and any(op.kind == "append" and op.inputs[0] == tensor.name for op in ops):
            return self._heads(tensor.name, shape)
        if len(shape) < 2:
            return View(tensor.name, (1, 1, 1, 1), ())  # a number, which no job reads
        lines, pixels = self._lines(shape[-2])
        stored = (1, shape[-1], prod(shape[:-2]) * lines, pixels)
        axes = (*leading("token", shape[:-2], lines * pixels), along("token", shape[-2]), along("channel", shape[-1]))
        return View(tensor.name, stored, axes[: len(tensor.shape)])

    def _lines(self, n_tokens: int) -> tuple[int, int]:
        """(lines, pixels a line): beside caches each token is a line, so that one can be written by itself."""
        return (n_tokens, 1) if self._has_caches else matrix_lines(n_tokens, most=ATTENTION_PIXELS)

    def _heads(self, name: str, shape: tuple[int, ...]) -> View:
        """A cache (sequences, heads, tokens, channels): heads beside each other, as the products write them."""
        n, n_heads, n_tokens, channels = shape
        lines, pixels = self._lines(n_tokens)
        axes = (
            along("token", n, lines * pixels), along("channel", n_heads, channels), along("token", n_tokens),
            along("channel", channels),
        )  # fmt: skip
        return View(name, (1, n_heads * channels, n * lines, pixels), axes)


def box_of(op: Op, view: View) -> Box:
    """The box that the view fills, or the refusal of the op."""
    box = view.box()
    if box is None:
        raise refusal(
            op, "an input that fills whole lines and channels in a row",
            f"a part {list(view.sizes)} of {view.stored} with gaps (slice it otherwise, or store it on its own)",
        )  # fmt: skip
    return box


def parts(op: Op, view: View) -> list[Box]:
    """The box of the view, cut into images where it holds some channels or lines of several."""
    box = box_of(op, view)
    if box.n_images == 1 or (box.channels, box.lines) == view.shape[1:3]:
        return [box]
    return [replace(box, image=box.image + i, n_images=1) for i in range(box.n_images)]


def image_places(boxes: Sequence[Box], channels: int) -> list[Place | None]:
    """Where results of `parts` go in a new tensor of so many channels: to images one after the other."""
    if len(boxes) == 1:
        return [None]
    return [Place(n_images=len(boxes), channels=channels, image=i) for i in range(len(boxes))]


def refusal(op: Op, wanted: str, came: str) -> InputError:
    """What is said of an op that the machine cannot run."""
    return InputError(f"op {op.name} ({op.kind}): wanted {wanted}, got {came}")


def _image_input(tensor: Tensor) -> View:
    shape = tensor.shape
    if len(shape) == 4:
        return image_view(tensor.name, (shape[0], shape[1], shape[2], shape[3]))
    if len(shape) < 2:
        raise InputError(f"tensor {tensor.name}: wanted 2 axes or more, got shape {list(shape)}")
    stored = (1, shape[-1], *matrix_lines(prod(shape[:-1])))
    return View(tensor.name, stored, (*leading("token", shape[:-1]), along("channel", shape[-1])))


def _needs_vector_unit(graph: Graph, op: Op) -> bool:
    return op.kind in VECTOR_OPS or (op.kind == "matmul" and graph.by_name[op.inputs[1]].data is None)
