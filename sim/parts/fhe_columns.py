"""Many bootstrapping machines as columns, and how long their rotations take (docs/batched.md)."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import numpy as np

from designs.families.fhe import Design
from sim.columns import grouped, row_keys
from sim.kernels.fhe.stations import N_LENGTHS, N_SHAPE, RANK_STAGES, rotation_lengths
from sim.parts.fhe_rotation import all_rows_stay, numbers_of, shape_of

_KEPT = 1 << 16  # rotations

_FIELDS = (
    "coefficients_per_cycle", "rotators", "decomposers", "key_columns", "inverse_ntts", "ntt_ranks",
    "multiplier_stages", "cores", "batch", "key_rows", "key_residues_per_cycle", "key_switch_lanes", "key_switchers",
    "ciphertext_words_per_cycle", "memory_latency_cycles", "clock_mhz",
)  # fmt: skip
_OF_PARAMETERS = (
    "lwe_dimension", "glwe_dimension", "ring_degree", "decomposition_levels", "decomposition_base_bits",
    "key_switch_levels", "key_switch_base_bits",
)  # fmt: skip


class Columns:
    """Designs as columns: where a design has a number, this has (n,) int64, and so have its `parameters`.

    Sizes that follow are those of `Design` itself: their formulas hold for columns as for numbers.
    """

    def __init__(self, designs: Sequence[Design]) -> None:
        numbers = np.array(list(map(attrgetter(*_FIELDS), designs)), np.int64).reshape(len(designs), len(_FIELDS))
        vars(self).update(zip(_FIELDS, np.ascontiguousarray(numbers.T), strict=True))
        # Equal parameters are one object, whatever the set that they are from.
        firsts, self.which_parameters = grouped(design.parameters for design in designs)
        self.all_parameters = [designs[first].parameters for first in firsts]
        rows = np.array([[getattr(p, name) for name in _OF_PARAMETERS] for p in self.all_parameters], np.int64)
        columns = np.ascontiguousarray(rows[self.which_parameters].T)
        self.parameters = SimpleNamespace(**dict(zip(_OF_PARAMETERS, columns, strict=True)))
        self.n_stages = np.array([designs[first].n_stages for first in firsts])[self.which_parameters]
        self._rank_stages = _rank_stages(designs, self.n_stages, self.ntt_ranks)

    def __getattr__(self, name: str) -> Any:
        found = getattr(Design, name).fget(self)
        setattr(self, name, found)
        return found

    def shapes(self) -> np.ndarray:
        """(n, stations.N_SHAPE) int64: what `numbers_of(shape_of(design))` is of each."""
        found = np.zeros((len(self.n_stages), N_SHAPE), np.int64)
        steps = self.parameters.lwe_dimension
        told = (
            steps, self.poly_words, self.n_groups, self.column_passes, self.inverse_groups, self.inverse_ntts,
            self.key_columns, self.multiplier_stages, np.minimum(self.key_rows, steps), self.row_beats, self.ntt_ranks,
        )  # fmt: skip
        for place, column in enumerate(told):
            found[:, place] = column
        found[:, RANK_STAGES:] = self._rank_stages
        return found


def _rank_stages(designs: Sequence[Design], n_stages: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """(n, MOST_RANKS) int64: once for all designs with as many stages in as many ranks."""
    firsts, which = grouped(zip(n_stages.tolist(), ranks.tolist(), strict=True))
    found = np.array([numbers_of(shape_of(designs[first]))[RANK_STAGES:] for first in firsts], np.int64)
    return np.asarray(found[which])


_LENGTHS: dict[tuple[bytes, int], tuple[int, ...]] = {}


def lengths_of(shapes: np.ndarray, slots: Sequence[int]) -> np.ndarray:
    """(3, len(slots), n) int64 of rotations in shapes (n, N_SHAPE): the fields of `fhe_rotation.Length`.

    Those that nobody asked for before are one call of the kernel. What a rotation takes with rows that are always there
    is shared by all machines that differ only in where rows come from.
    """
    firsts, which = grouped(row_keys(shapes))
    distinct = shapes[firsts]
    resident = distinct.copy()
    all_rows_stay(resident)
    firsts, which_resident = grouped(row_keys(resident))
    timed = _timed(np.concatenate([distinct, resident[firsts]]), slots)
    streamed, unstalled = timed[: len(distinct)], timed[len(distinct) :][which_resident]
    lengths = np.concatenate([streamed, unstalled[..., :1]], axis=2)
    return np.ascontiguousarray(lengths[which].transpose(2, 1, 0))


def _timed(shapes: np.ndarray, slots: Sequence[int]) -> np.ndarray:
    """(n, len(slots), stations.N_LENGTHS) int64."""
    keys = [(key, n_slots) for key in row_keys(shapes) for n_slots in slots]
    found = [_LENGTHS.get(key) for key in keys]
    new = list(dict.fromkeys(key for key, lengths in zip(keys, found, strict=True) if lengths is None))
    if new:
        rows = np.array(np.frombuffer(b"".join(key for key, _ in new), np.int64).reshape(len(new), N_SHAPE))
        timed = rotation_lengths(rows, np.array([n_slots for _, n_slots in new], np.int64))
        if len(_LENGTHS) + len(new) > _KEPT:
            _LENGTHS.clear()
        of_new = dict(zip(new, map(tuple, timed.tolist()), strict=True))
        _LENGTHS.update(of_new)
        found = [lengths or of_new[key] for key, lengths in zip(keys, found, strict=True)]
    return np.array(found, np.int64).reshape(len(shapes), len(slots), N_LENGTHS)
