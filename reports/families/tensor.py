"""Pages of tensor machines: roofline, layers, utilization of the array, stalls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from designs import technology
from reports import generic
from reports.figures import heat_map, layers, roofline, stalls
from reports.plan import FamilyTable, Plan
from reports.study import Chosen, Row, Study, primary
from reports.tables import MEASURES, layer_table
from reports.units import listing, percent, quantity

COLUMNS = MEASURES
PRICES = ("dram", "logic", "logic_fitted", "scaling", "sram")
FIGURES = (*generic.FIGURES, "roofline", "layers", "utilization", "stalls")


def plans(study: Study, chosen: Sequence[Chosen]) -> Iterator[Plan]:
    """Fronts, where the shown point's time goes, and the space as a whole."""
    shown = primary(chosen)
    of_shown = f"point {shown.letter}, {shown.role}" if shown else ""
    yield from generic.fronts(study, chosen)
    yield Plan(
        "roofline", "Roofline", roofline.roofline_data(chosen, shown) if shown else None,
        roofline.takeaway, roofline.draw, "no row with layers that multiply and move data",
    )  # fmt: skip
    yield Plan(
        "layers", f"Latency by layer: {of_shown}", layers.layers_data(shown.row) if shown else None,
        layers.takeaway, layers.draw, "no row with layers",
    )  # fmt: skip
    yield from generic.divided(chosen)
    yield Plan(
        "utilization", "Utilization by array size", heat_map.heat_map_data(study.ran, study.failed),
        heat_map.takeaway, heat_map.draw, "fewer than two array sizes ran",
    )  # fmt: skip
    yield Plan(
        "stalls", "Where cycles go, over all points", stalls.stalls_data(study.ran),
        stalls.takeaway, stalls.draw, "fewer than three points ran",
    )  # fmt: skip
    yield generic.decided(study)


def tables(study: Study, chosen: Sequence[Chosen]) -> list[FamilyTable]:
    """The shown point, layer by layer."""
    shown = primary(chosen)
    if shown is None or not shown.row.get("layers"):
        return []
    return [
        FamilyTable(
            f"Layer by layer: Point {shown.letter} ({listing(shown.roles)})",
            "MACs, cycles and DRAM bytes of one run of the layer; share counts all its runs.",
            layer_table(shown.row),
        )
    ]


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
    return [*said, *generic.width_note(study), *generic.common_notes(study)]


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
