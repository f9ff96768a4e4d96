"""Runs layers on the RTL of a sparse machine (bench: hw/bench/cocotb_sparse.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designs.families.sparse import Design
from hw.bench.simulator import SimulatorName, run_bench
from hw.families.sparse import ACTIVITY, PHASE_CYCLES, build
from hw.parts.activity import COUNTED_BITS
from hw.parts.sparse_drain import result_layout
from hw.parts.sparse_rows import rows_a_word
from hw.parts.sparse_types import config_layout
from hw.verilog import emit_verilog
from workloads.mapping.sparse import Slice, slice_beats, slices_of, vector_beats
from workloads.sparse.layer import SparseLayer, activations, stored_range

TOP = "sparse_machine"
MODULE = "hw.bench.cocotb_sparse"


@dataclass(frozen=True, kw_only=True, eq=False)
class Stimulus:
    """A layer, and when its beats and results may move."""

    layer: SparseLayer
    beat_arrivals: np.ndarray | None = None  # (n_beats,): first cycle in which each is offered; None: L + its number
    ready: np.ndarray | None = None  # (n,) cycles in which the receiver takes a word; it does after them. None: always


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerRun:
    """What the RTL did with one stimulus."""

    outputs: np.ndarray  # (n_vectors, H) int64; MISSING where no result came
    cycles: int
    activity: dict[str, int]  # docs/sparse.md, section 4
    phases: dict[str, int]  # cycles of prime, multiply, settle, drain, section 5
    beat_cycles: np.ndarray  # (n_beats,) int64: when each beat was taken
    word_cycles: np.ndarray  # (n_words,) int64: when each word of results was taken


MISSING = 1 << 20  # more than any result


def sparse_verilog(design: Design) -> str:
    """Verilog of the whole machine, top module `sparse_machine`."""
    return emit_verilog(build(design), top=TOP)


def n_stream_beats(design: Design, layer: SparseLayer) -> int:
    """Beats from `start` on: what `beat_arrivals` has one of each of."""
    slices = slices_of(design, layer)
    n_vector = len(slices) * layer.n_vectors * len(vector_beats(design, np.zeros(layer.width, np.int64)))
    if design.weights == "resident":
        return n_vector
    return n_vector + sum(len(slice_beats(design, layer, one)) for one in slices)


def run_layers(
    design: Design,
    stimuli: Sequence[Stimulus],
    *,
    work_dir: Path,
    simulator: SimulatorName | None = None,
    waves: bool = False,
    verilog: str | None = None,
) -> list[LayerRun]:
    """Run each stimulus on one machine, one after the other, `clear` between them.

    Layers without vectors get those of `workloads.sparse.layer.activations`. `verilog` saves emitting it again. Raises
    InputError where a layer does not fit, hw.bench.simulator.BenchError where the machine hangs, answers too much or
    takes other beats than there are.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    jobs = [
        _save(design, stimulus, work_dir.resolve() / f"stimulus_{index}.npz") for index, stimulus in enumerate(stimuli)
    ]
    result = run_bench(
        verilog or sparse_verilog(design),
        top=TOP,
        module=MODULE,
        work_dir=work_dir,
        arguments={"jobs": jobs},
        simulator=simulator,
        waves=waves,
    )
    runs = []
    for index, (stimulus, found) in enumerate(zip(stimuli, result["runs"], strict=True)):
        with np.load(work_dir / f"run_{index}.npz") as arrays:
            words, beat_cycles, word_cycles = arrays["words"], arrays["beat_cycles"], arrays["word_cycles"]
        counters = _fields(int(found["counters"], 16), ("cycles", *ACTIVITY, *PHASE_CYCLES))
        runs.append(
            LayerRun(
                outputs=_outputs(design, stimulus.layer, words),
                cycles=counters["cycles"],
                activity={name: counters[name] for name in ACTIVITY},
                phases={name: counters[name] for name in PHASE_CYCLES},
                beat_cycles=beat_cycles,
                word_cycles=word_cycles,
            )
        )
    return runs


def _save(design: Design, stimulus: Stimulus, file: Path) -> dict[str, Any]:
    """Write the beats and when they come; the bench's arguments."""
    layer = stimulus.layer
    slices, vectors = slices_of(design, layer), activations(layer, design.act_bits)
    of_vectors = [vector_beats(design, x) for x in vectors]
    of_slices = [slice_beats(design, layer, one) for one in slices]
    early = design.weights == "resident"
    streamed = [part for of_slice in of_slices for part in ([] if early else [of_slice]) + of_vectors]
    beats = np.concatenate(streamed)
    arrivals = stimulus.beat_arrivals
    if arrivals is None:
        arrivals = design.dram_latency_cycles + np.arange(len(beats))
    if len(arrivals) != len(beats):
        raise ValueError(f"beat_arrivals: wanted one for each of {len(beats)} beats, got {len(arrivals)}")
    ready = np.ones(0, np.uint8) if stimulus.ready is None else np.asarray(stimulus.ready, np.uint8)
    np.savez(file, early=of_slices[0] if early else beats[:0], beats=beats, arrivals=arrivals, ready=ready)
    n_words = len(vectors) * sum(-(-one.n_rows // rows_a_word(design)) for one in slices)
    # No run of a slice and a vector is longer between its last beat and its last word, stalls left out.
    longest = max(one.n_entries + 2 * layer.width + 2 * one.n_rows for one in slices) + 16
    waits = len(ready) + int(np.diff(arrivals, prepend=0).max())
    return {
        "file": str(file),
        "config": hex(_config(design, layer, slices)),
        "n_words": n_words,
        "most_idle_cycles": longest + waits,
    }


def _config(design: Design, layer: SparseLayer, slices: tuple[Slice, ...]) -> int:
    """The machine's registers, packed."""
    numbers = layer.numbers
    same = ("in_zero", "multiplier", "shift", "out_zero", "out_low", "out_high")
    registers = {
        "n_slices": len(slices),
        "n_vectors": layer.n_vectors,
        "n_columns": layer.width,
        "n_rows": slices[0].n_rows,
        "n_rows_last": slices[-1].n_rows,
        "in_signed": int(numbers.in_signed),
        **{name: getattr(numbers, name) for name in same},
    }
    return int(config_layout(design).const(registers).as_bits())


def _outputs(design: Design, layer: SparseLayer, words: np.ndarray) -> np.ndarray:
    """Results (n_vectors, H) from the words (n_words, bytes) of all slices and vectors; words may tell their rows."""
    layout = result_layout(design)
    bits = np.unpackbits(words, axis=1, bitorder="little")
    numbers, results = layer.numbers, np.full((layer.n_vectors, layer.height), MISSING, np.int64)
    per_word, folded = rows_a_word(design), design.output_order == "folded"
    of_word = np.stack([_number(bits, i * design.act_bits, design.act_bits) for i in range(per_word)], axis=1)
    if min(numbers.out_low, numbers.out_high, numbers.out_zero) < 0:
        of_word = np.where(of_word > stored_range(design.act_bits, True)[1], of_word - (1 << design.act_bits), of_word)
    first = 0
    for one in slices_of(design, layer):
        n_words = -(-one.n_rows // per_word)
        for vector in range(layer.n_vectors):
            values = of_word[first : first + n_words].ravel()[: one.n_rows]
            if folded:
                rows = one.permutation
            else:
                number = layout["row"]
                rows = _number(bits[first : first + n_words], number.offset, number.width)
            inside = rows < one.n_rows
            results[vector, one.first_row + rows[inside]] = values[inside]
            first += n_words
    return results


def _number(bits: np.ndarray, offset: int, width: int) -> np.ndarray:
    """The field of each row of bits, int64."""
    return bits[:, offset : offset + width].astype(np.int64) @ (1 << np.arange(width, dtype=np.int64))


def _fields(packed: int, names: Sequence[str]) -> dict[str, int]:
    mask = (1 << COUNTED_BITS) - 1
    return {name: packed >> (index * COUNTED_BITS) & mask for index, name in enumerate(names)}
