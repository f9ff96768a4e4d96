"""Pages of tensor machines: stages of a network, roofline, layers, utilization of the array, stalls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from designs import technology
from reports import generic
from reports.figures import heat_map, layers, roofline, stages, stalls
from reports.figures.shares import VECTOR_UNIT
from reports.plan import FamilyTable, Plan
from reports.stages import DECODE, stages_of
from reports.study import Chosen, Row, Study, primary
from reports.tables import MEASURES, layer_table, stage_table
from reports.units import listing, percent, quantity, ratio
from workloads.builders import transformers

COLUMNS = MEASURES
PRICES = ("dram", "logic", "logic_fitted", "scaling", "sram")
FIGURES = (
    *generic.FIGURES, "front_prefill_decode", "front_encode_decode", "stage_latency", "stage_energy",
    "roofline", "layers", "utilization", "stalls",
)  # fmt: skip


def plans(study: Study, chosen: Sequence[Chosen]) -> Iterator[Plan]:
    """Fronts, where the shown point's time goes, and the space as a whole."""
    shown = primary(chosen)
    of_shown = f"point {shown.letter}, {shown.role}" if shown else ""
    yield from generic.fronts(study, chosen)
    yield from _of_stages(study, chosen)
    yield Plan(
        "roofline", "Roofline", roofline.roofline_data(chosen, shown) if shown else None,
        roofline.takeaway, roofline.draw, "no row with layers that multiply and move data",
    )  # fmt: skip
    yield Plan(
        "layers", f"Latency by layer: {of_shown}", layers.layers_data(shown.row) if shown else None,
        layers.takeaway, layers.draw, "no row with layers",
    )  # fmt: skip
    yield from generic.divided(chosen, grouped=_grouped)
    yield Plan(
        "utilization", "Utilization by array size", heat_map.heat_map_data(study.ran, study.failed),
        heat_map.takeaway, heat_map.draw, "fewer than two array sizes ran",
    )  # fmt: skip
    yield Plan(
        "stalls", "Where cycles go, over all points", stalls.stalls_data(study.ran),
        stalls.takeaway, stalls.draw, "fewer than three points ran",
    )  # fmt: skip
    yield generic.decided(study)


def _of_stages(study: Study, chosen: Sequence[Chosen]) -> Iterator[Plan]:
    """What a network with stages takes in each of them; no figure, and no word on it, where it has none."""
    names = {stage["name"] for row in study.done for stage in stages_of(row)}
    if len(names) < 2:
        return
    for first in ("prefill", "encode"):
        if {first, DECODE} <= names:
            yield generic.front(study, chosen, f"{first}_ns", "decode_ns_per_token")
    for what, title in (("latency", "Latency by stage"), ("energy", "Energy by stage")):
        yield Plan(
            f"stage_{what}", title, stages.stages_data(chosen, what, _grouped), stages.takeaway, stages.draw,
            "no row with two stages",
        )  # fmt: skip


def _grouped(breakdown: Mapping[str, float]) -> dict[str, float]:
    """A breakdown by part with the parts of the vector unit as one."""
    found: dict[str, float] = {}
    for name, amount in breakdown.items():
        part = VECTOR_UNIT if name.startswith("vector_") else name
        found[part] = found.get(part, 0.0) + amount
    return found


def tables(study: Study, chosen: Sequence[Chosen]) -> list[FamilyTable]:
    """The shown point, stage by stage and layer by layer."""
    shown = primary(chosen)
    if shown is None or not shown.row.get("layers"):
        return []
    found = []
    if stages_of(shown.row):
        found.append(
            FamilyTable(
                f"Stage by stage: Point {shown.letter} ({listing(shown.roles)})",
                "Everything of all steps together; a token of a decode in columns of its own.",
                stage_table(shown.row),
            )
        )
    return [
        *found,
        FamilyTable(
            f"Layer by layer: Point {shown.letter} ({listing(shown.roles)})",
            "MACs, cycles and DRAM bytes of one run of the layer; share counts all its runs."
            + (_STEPS if _has_steps(shown.row) else ""),
            layer_table(shown.row),
        ),
    ]


_STEPS = " A layer that differs from step to step has one line, with means of its runs."


def _has_steps(row: Row) -> bool:
    return any(stage["n_steps"] > 1 for stage in stages_of(row))


def only_point(row: Row) -> str:
    """A study of one point in a sentence."""
    return (
        f"The point takes {quantity(row['latency_ns'], 'ns')} ({row['cycles']:,} cycles), "
        f"{quantity(row['area_um2'], 'um2')} and {quantity(row['energy_pj'], 'pj')}, and keeps its array "
        f"{percent(row['utilization'])} busy."
    )


def notes(study: Study) -> list[str]:
    """As of all families, and that tilings differ."""
    said = generic.clock_note(study)
    said.append("Points of the space that cannot be built leave no row and are not counted here.")
    if any(row.get("layers") for row in study.done):
        said.append(
            "Each layer runs in its fastest tiling, with DRAM traffic deciding between equals only; a slower tiling "
            "may need less energy. Energies of two points therefore differ by their tilings too."
        )
    return [*said, *_cache_note(study), *_expert_note(study), *generic.width_note(study), *generic.common_notes(study)]


def _cache_note(study: Study) -> list[str]:
    """How much memory keys and values need in the end, at each width of activations."""
    found = []
    for bits in sorted({row["point"].get("act_bits", 8) for row in study.done if stages_of(row)}):
        n_bytes = transformers.cached_bytes(study.workload, bits)
        if n_bytes:
            found.append(f"{quantity(n_bytes, 'bytes')} at {bits} bits")
    if not found:
        return []
    return [
        f"Keys and values of all layers and sequences lie in DRAM and take {listing(found)} after the last token; "
        "moving them is in the cycles and in the energy, DRAM itself is not in the area."
    ]


def _expert_note(study: Study) -> list[str]:
    """How evenly tokens choose experts."""
    imbalance = transformers.expert_imbalance(study.workload)
    if imbalance is None:
        return []
    return [
        f"The fullest expert has {ratio(imbalance, 1)} the mean number of tokens (1.00× is balance). Experts run one "
        "after the other, each on its own tokens; one without tokens takes no time."
    ]


def explanations(nodes: Sequence[int]) -> list[Markup]:
    """Cycles, phases, utilization, bound, prices."""
    errors = technology.area_errors()
    return [
        Markup(
            "<b>Cycles</b> come from Lockstep's simulator, stalls included; phases add up to cycles. <code>lockstep "
            "verify</code> holds the simulator against the generated RTL, cycle for cycle and bit for bit. This page "
            "reads results and does not repeat that check."
        ),
        Markup(
            "<b>Phases</b>: <i>start</i>, before a layer's first descriptor is seen; <i>fill</i>, from there to the "
            "first operation of the array; <i>compute</i>, the array is fed (padding included); <i>stall load</i> and "
            "<i>stall output</i>, it waits for data or for room; <i>drain</i>, from its last operation to the last "
            "byte stored. Layers run one after the other."
        ),
        Markup(
            "<b>Phases of the vector unit</b>, where there is one: <i>vector load</i>, <i>vector compute</i> and "
            "<i>vector store</i> of its steps, one after the other; the array waits."
        ),
        Markup(
            "<b>Stages</b> are parts of a network that follow one another: <i>prefill</i> (or <i>encode</i>) of a "
            "whole prompt, <i>decode</i> of one token after the other with keys and values of the earlier ones in a "
            "cache. A step brings one row, so its compute is mostly the array taking in weights. Decode latency per "
            "token is the time from one token of a sequence to its next, the mean over the steps; decode energy per "
            "token is shared by the sequences of the batch."
        ),
        Markup(
            "<b>Utilization</b>: MACs of the network over (processing elements times cycles). It is below the share of "
            "<i>compute</i> where lanes of the array are padding."
        ),
        Markup(
            "<b>Bound</b> (roofline): cycles below which the machine cannot finish: the larger of MACs over processing "
            "elements and bytes over the bytes a cycle of the memory port, every byte moved once. <b>Cycles / "
            "bound</b> of 1.00 cannot be improved on that machine."
        ),
        Markup(
            f"<b>Area</b> is the inventory of parts times the technology tables{generic.at_nodes(nodes)}; "
            "<b>energy</b> is counted activity times the tables, plus leakage over the latency. Energy includes "
            "transfers to and from DRAM, which is outside the chip and has no area here. Wires between macros, clock "
            "tree and pads are not priced."
        ),
        Markup(
            "<b>Gates</b>: how many of them a part takes is fitted to synthesis of the tensor machine's RTL with "
            f"yosys. Area model: median error {100 * errors.median:.1f} %, worst {100 * errors.worst:.1f} % of the "
            f"logic on {errors.n_points} held-out points; memories are macros, bit for bit those of the RTL."
        ),
        generic.KNEE,
    ]
