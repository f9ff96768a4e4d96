"""Rewrites of a graph that leave its numbers as they are."""

from __future__ import annotations

from dataclasses import replace

from workloads.ir import SAME_VALUES, Graph, Op


def fuse_clips(graph: Graph) -> Graph:
    """The graph with each clip (a requantize to the same scale) made the bounds of the op before it, where it can be.

    It can be where nothing else reads that op's output and the op rounds; the tensor between them disappears.
    """
    ops: list[Op] = []
    n_reads: dict[str, int] = {}
    for op in graph.ops:
        for name in op.inputs:
            n_reads[name] = n_reads.get(name, 0) + 1
    gone = set()
    for op in graph.ops:
        producer = next((i for i, before in enumerate(ops) if before.output == op.inputs[0]), None)
        if producer is None or n_reads[op.inputs[0]] > 1 or not _fusable(graph, ops[producer], op):
            ops.append(op)
            continue
        before = ops[producer]
        gone.add(before.output)
        ops[producer] = replace(before, output=op.output, low=max(before.low, op.low), high=min(before.high, op.high))
    tensors = tuple(t for t in graph.tensors if t.name not in gone)
    return replace(graph, ops=tuple(ops), tensors=tensors)


def _fusable(graph: Graph, before: Op, op: Op) -> bool:
    x, y = graph.by_name[op.inputs[0]], graph.by_name[op.output]
    return (
        op.kind == "requantize"
        and before.kind not in SAME_VALUES
        and x.same_quantization(y)
        and x.name not in graph.kept
        and max(before.low, op.low) <= min(before.high, op.high)
    )
