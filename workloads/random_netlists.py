"""Random netlists, odd in every way that a machine must bear; for verification and tests."""

from __future__ import annotations

import numpy as np

from workloads.netlist import CONSTANT_0, CONSTANT_1, ROLES, Netlist

SHAPES = ("mixed", "deep", "wide")


def random_netlist(
    rng: np.random.Generator,
    n_inputs: int,
    n_luts: int,
    max_inputs: int,
    *,
    n_outputs: int | None = None,
    shape: str | None = None,
) -> Netlist:
    """A netlist of exactly n_luts LUTs of 1 to max_inputs inputs, nothing in it simplified.

    `shape` (one of SHAPES, any where None) says what a LUT reads: "wide" mostly inputs, "deep" mostly the LUTs just
    before it, "mixed" anything. Tables are random, now and then constant or a copy of an input; LUTs may repeat or be
    read by nobody. Outputs (1 to 8 where not given) are LUTs, inputs, constants, and some signals twice.
    """
    if n_inputs < 1 or max_inputs < 1:
        raise ValueError(f"wanted at least one input and one input a LUT, got {n_inputs} and {max_inputs}")
    shape = shape or str(rng.choice(SHAPES))
    fanins: list[np.ndarray] = []
    tables: list[np.ndarray] = []
    for lut in range(n_luts):
        if lut and rng.random() < 0.05:
            twin = int(rng.integers(lut))
            fanins.append(fanins[twin])
            tables.append(tables[twin])
            continue
        pool = _pool(rng, shape, n_inputs, lut)
        fanin = rng.choice(pool, size=min(len(pool), int(rng.integers(1, max_inputs + 1))), replace=False)
        fanins.append(fanin)
        tables.append(_table(rng, len(fanin)))
    n_outputs = int(rng.integers(1, 9)) if n_outputs is None else n_outputs
    return Netlist(
        input_names=tuple(f"x{index}" for index in range(n_inputs)),
        output_names=tuple(f"y{index}" for index in range(n_outputs)),
        fanin_start=np.cumsum([0, *map(len, fanins)], dtype=np.int64),
        fanin=np.concatenate([*fanins, np.zeros(0)]).astype(np.int32),
        table_start=np.cumsum([0, *map(len, tables)], dtype=np.int64),
        tables=np.concatenate([*tables, np.zeros(0)]).astype(np.uint8),
        roles=rng.integers(len(ROLES), size=n_luts).astype(np.uint8),
        outputs=_outputs(rng, n_inputs, n_luts, n_outputs),
    )


def _pool(rng: np.random.Generator, shape: str, n_inputs: int, lut: int) -> np.ndarray:
    """The signals that LUT `lut` may read."""
    signals = np.arange(n_inputs + lut)
    if shape == "mixed" or rng.random() < 0.2:
        return signals
    return signals[:n_inputs] if shape == "wide" else signals[-max(4, n_inputs // 4) :]


def _table(rng: np.random.Generator, n_variables: int) -> np.ndarray:
    size = 1 << n_variables
    kind = rng.random()
    if kind < 0.05:
        return np.full(size, rng.integers(2))
    if kind < 0.15:  # one input, or its inverse
        return ((np.arange(size) >> rng.integers(n_variables)) & 1) ^ rng.integers(2)
    return (rng.random(size) < rng.choice((0.1, 0.5, 0.9))).astype(np.int64)


def _outputs(rng: np.random.Generator, n_inputs: int, n_luts: int, n_outputs: int) -> np.ndarray:
    luts = n_inputs + n_luts - 1 - rng.integers(max(1, min(n_luts, 2 * n_outputs)), size=n_outputs)
    outputs = np.maximum(luts, 0)
    kind = rng.random(n_outputs)
    inputs = rng.integers(n_inputs, size=n_outputs)
    outputs = np.where(kind < 0.1, inputs, outputs)
    outputs = np.where((kind >= 0.1) & (kind < 0.15), rng.choice((CONSTANT_0, CONSTANT_1), size=n_outputs), outputs)
    for index in range(1, n_outputs):
        if rng.random() < 0.1:
            outputs[index] = outputs[rng.integers(index)]
    return outputs.astype(np.int32)
