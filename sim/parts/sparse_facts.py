"""What designs share of a layer: its slices, beats, multiply phases and overflows, each found once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from operator import attrgetter
from typing import Any, TypeVar
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np

from designs.families.sparse import Design
from sim.parts.sparse_multiply import Multiplied, multiply
from workloads.mapping.sparse import Slice, n_slice_beats, reference, refusal, slices_of
from workloads.sparse.layer import SparseLayer, activations

_T = TypeVar("_T")


class Facts:
    """What was found about a layer, by the fields of a design that it depends on; it goes when the layer goes."""

    _KEPT: WeakKeyDictionary[SparseLayer, Facts] = WeakKeyDictionary()

    _NUMBERS = attrgetter("act_words", "value_bits", "act_bits", "requant_multiplier_bits", "weights")
    _DEALING = attrgetter("n_macs", "n_sets", "sort_rows", "feed", "gap_bits", "accumulators", "lane_entries")
    _BEATS = attrgetter("entries_per_beat", "lengths_per_beat", "rows_per_beat", "beats_per_row")
    _FEEDS = {
        "window": attrgetter("window", "entries_per_beat"),
        "queue": attrgetter("queue_depth", "skip_zeros", "entries_per_beat"),
    }  # fmt: skip
    _SUMS = attrgetter("act_bits", "acc_bits", "acc_overflow")

    def __init__(self, layer: SparseLayer) -> None:
        self._layer = ref(layer)  # whoever asks holds it
        self._slices: dict[Hashable, tuple[ReferenceType[Slice], ...]] = {}
        self._found: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, layer: SparseLayer) -> Facts:
        found = cls._KEPT.get(layer)
        if found is None:
            found = cls._KEPT[layer] = cls(layer)
        return found

    @property
    def layer(self) -> SparseLayer:
        layer = self._layer()
        assert layer is not None
        return layer

    def refusal(self, design: Design) -> str | None:
        key = ("refusal", self._NUMBERS(design), self._DEALING(design))
        return self._once(key, lambda: refusal(design, self.layer))

    def slices(self, design: Design) -> tuple[Slice, ...]:
        """Kept for as long as the mapping keeps them."""
        key = self._DEALING(design)
        kept = tuple(one() for one in self._slices.get(key, ()))
        alive = tuple(one for one in kept if one is not None)
        if not kept or len(alive) < len(kept):
            alive = slices_of(design, self.layer)
            self._slices[key] = tuple(ref(one) for one in alive)
        return alive

    def slice_beats(self, design: Design) -> np.ndarray:
        """(n_slices,) int64; zeros where they were loaded before."""
        if design.weights == "resident":
            return np.zeros(len(self.slices(design)), np.int64)
        width = self.layer.width
        return self._once(
            ("beats", self._DEALING(design), self._BEATS(design)),
            lambda: np.array([n_slice_beats(design, one, width) for one in self.slices(design)], np.int64),
        )

    def output_words(self, design: Design) -> np.ndarray:
        """(n_slices,) int64: words of one run's results."""
        results = design.n_sets if design.output_order == "folded" else 1
        return np.array([-(-one.n_rows // results) for one in self.slices(design)], dtype=np.int64)

    def alive(self, design: Design) -> np.ndarray:
        """(n_vectors, W) bool: which activations are not zero, whatever their bits."""
        return self._once("alive", lambda: alive_of(self.layer, activations(self.layer, design.act_bits)))

    def multiplied(self, design: Design) -> Multiplied:
        """Of all slices with the layer's own vectors."""
        key = ("multiplied", self._DEALING(design), self._FEEDS[design.feed](design))
        return self._once(key, lambda: multiplied_of(design, self.slices(design), self.alive(design)))

    def n_overflows(self, design: Design) -> int:
        """With the layer's own vectors."""
        key = ("overflows", self._DEALING(design), self._SUMS(design))
        return self._once(key, lambda: n_overflows_of(design, self.layer, self.slices(design), None))

    def _once(self, key: Hashable, find: Callable[[], _T]) -> _T:
        if key not in self._found:
            self._found[key] = find()
        found: _T = self._found[key]
        return found


def alive_of(layer: SparseLayer, vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors != layer.numbers.in_zero)


def multiplied_of(design: Design, slices: Sequence[Slice], alive: np.ndarray) -> Multiplied:
    """Of all slices together; `cycles` are (n_slices, n_vectors)."""
    found = [multiply(design, one, alive) for one in slices]
    return Multiplied(
        np.stack([one.cycles for one in found]),
        np.sum([one.counted for one in found], axis=0),
        np.sum([one.causes for one in found], axis=0),
    )


def n_overflows_of(design: Design, layer: SparseLayer, slices: Sequence[Slice], vectors: np.ndarray | None) -> int:
    """Lane additions that do not fit. Where no sum of a whole list could reach the bounds, none is looked at."""
    longest = max(int(one.lengths.max()) for one in slices)
    largest = int(np.abs(layer.matrix.values).max(initial=0)) * ((1 << design.act_bits) - 1)
    if longest * largest < 1 << (design.acc_bits - 1):
        return 0
    return reference(design, layer, activations(layer, design.act_bits) if vectors is None else vectors)[1]
