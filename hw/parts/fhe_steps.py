"""What control tells every core in each cycle: the word that each station of blind rotation takes up (docs/fhe.md)."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data

from designs.families.fhe import Design
from hw.parts.fhe_types import n_columns


def step_layout(*, n_passes: int, n_words: int) -> data.StructLayout:
    """A word that a station reads: in which pass of its job; and the job's place (its number mod 2) in buffers."""
    return data.StructLayout(
        {"valid": unsigned(1), "place": unsigned(1), "index": range(n_passes), "word": range(n_words)}
    )


def rank_step(design: Design, rank: int) -> data.StructLayout:
    """A step of F_rank or I_rank."""
    return step_layout(n_passes=design.rank_stages[rank], n_words=design.poly_words)


def rotate_step(design: Design) -> data.StructLayout:
    """A step of ROT: also the slot, which polynomials (group r) and which levels (group d)."""
    return data.StructLayout(
        {
            "step": step_layout(n_passes=1, n_words=design.poly_words),
            "slot": range(design.batch),
            "columns": range(n_columns(design) // design.rotators),
            "levels": range(design.parameters.decomposition_levels // design.decomposers),
        }
    )


def multiply_step(design: Design) -> data.StructLayout:
    """A step of MAC, `index` its column pass; whether its group is the first, and the place that is written."""
    return data.StructLayout(
        {
            "step": step_layout(n_passes=design.column_passes, n_words=design.poly_words),
            "is_first": unsigned(1),
            "into": unsigned(1),
        }
    )


def control_layout(design: Design) -> data.StructLayout:
    """Steps of all stations. I_0 reads columns `drained` v.. of the transformed accumulator's place `drained_place`."""
    ranks = range(design.ntt_ranks)
    return data.StructLayout(
        {
            "rotate": rotate_step(design),
            **{f"forward_{rank}": rank_step(design, rank) for rank in ranks},
            "multiply": multiply_step(design),
            **{f"inverse_{rank}": rank_step(design, rank) for rank in ranks},
            "drained": range(design.inverse_groups),
            "drained_place": unsigned(1),
            "write_back": step_layout(n_passes=1, n_words=design.poly_words),
            "written_columns": range(design.inverse_groups),
            "written_slot": range(design.batch),
        }
    )
