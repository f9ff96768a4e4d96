"""Pages of LUT machines: accuracy beside other LUT networks, energy beside perceptrons, where LUTs go, pipelining."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from reports import generic
from reports.anchors import lut_networks
from reports.figures import anchored, energy_beside, waterfall
from reports.figures.energy_beside import Machine
from reports.figures.waterfall import Step
from reports.plan import FamilyTable, Plan
from reports.study import DETAILS, Chosen, Row, Study, by_role, primary
from reports.tables import Cell, cell, make_table, metric_column
from reports.units import digits, listing, metric_text, percent, quantity

COLUMNS = tuple(
    map(
        metric_column,
        ("latency_ns", "area_um2", "energy_pj", "luts", "flip_flops", "lut_levels", "throughput_per_s"),
    )
)
PRICES = ("dram", "fabric", "float", "logic", "scaling", "sram")  # the perceptrons' too
FIGURES = (*generic.FIGURES, "accuracy_luts", "energy_beside", "waterfall")

_COMPARED = ("smallest", "knee", "least energy × delay", "most accurate", "only point")
_FORMULA = {"tree": "Trees", "mat": "MATs", "score": "Score tables"}
_ADDED = {"encoder": "Encoder", "sum": "Sums", "argmax": "Argmax", "logic": "Logic"}


def plans(study: Study, chosen: Sequence[Chosen]) -> Iterator[Plan]:
    """Accuracy and energy beside those of others, where LUTs go, fronts, parts, axes."""
    shown = primary(chosen)
    networks = lut_networks(study.workload)
    yield Plan(
        "accuracy_luts", "Accuracy and LUTs", anchored.anchored_data(study.done, chosen, study.violating, networks),
        anchored.takeaway, anchored.draw, "fewer than two points know their accuracy",
    )  # fmt: skip
    yield Plan(
        "energy_beside", "Energy of a classification beside perceptrons", _energy(chosen),
        energy_beside.takeaway, energy_beside.draw, _missing(chosen, "the workload has no data to train others on"),
    )  # fmt: skip
    yield Plan(
        "waterfall", f"Where LUTs go: point {shown.letter}, {shown.role}" if shown else "Where LUTs go",
        _waterfall(shown), waterfall.takeaway, waterfall.draw, _missing(chosen, "no point that ran"),
    )  # fmt: skip
    for x, y in (("energy_pj", "accuracy"), ("area_um2", "latency_ns")):
        if y != "accuracy" or y in study.objectives:
            yield generic.front(study, chosen, x, y)
    yield from generic.divided(chosen, ("energy", "area"))
    yield generic.decided(study)


def _details(point: Chosen | None) -> Mapping[str, Any]:
    return (point.row.get(DETAILS) or {}) if point else {}


def _missing(chosen: Sequence[Chosen], otherwise: str) -> str:
    if chosen and not _details(chosen[0]):
        return "rows alone do not tell"
    return next((_details(point)["missing"] for point in chosen if "missing" in _details(point)), otherwise)


def _energy(chosen: Sequence[Chosen]) -> energy_beside.EnergyData | None:
    """Ours, then the perceptrons that stand beside the most accurate point, or beside another where it has none."""
    roles = by_role(chosen)
    named: dict[str, tuple[Chosen, str]] = {}
    for role in _COMPARED:
        if role in roles:
            named.setdefault(roles[role].letter, (roles[role], role))
    ours = [
        Machine(
            f"{point.letter}  {role}", point.row.get("accuracy"),
            energy_beside.parts_of(point.row["energy_breakdown_pj"]), True,
        )
        for point, role in sorted(named.values(), key=lambda pair: pair[0].row["energy_pj"])
    ]  # fmt: skip
    beside = [point for point in (roles.get("most accurate"), *chosen) if _details(point).get("baselines")]
    others = [
        Machine(
            f"{baseline['name']}, weights in {baseline['weights'].upper()}", baseline["accuracy"],
            energy_beside.parts_of(baseline["energy_breakdown_pj"], ["weights"]), False,
        )
        for baseline in (_details(beside[0])["baselines"] if beside else ())
    ]  # fmt: skip
    others.sort(key=lambda machine: machine.total_pj)
    n_samples = max((int(point.row.get("n_inferences") or 1) for point in chosen), default=1)
    return energy_beside.energy_data([*ours, *others], n_samples)


def _waterfall(shown: Chosen | None) -> waterfall.WaterfallData | None:
    circuit = _details(shown).get("circuit")
    if shown is None or circuit is None:
        return None
    return waterfall.waterfall_data(shown.letter, "LUTs", lut_steps(shown.row, circuit))


def lut_steps(row: Row, circuit: Mapping[str, Any]) -> list[Step]:
    """From the classifier's formula (or the circuit as it was read) to the LUTs of the row."""
    built, formula = circuit["built"], circuit["formula"]
    n_built, n_mapped = sum(built.values()), sum(circuit["mapped"].values())
    lut_inputs, n_physical = row["point"]["lut_inputs"], circuit["n_physical"]
    if formula is None:
        steps = [Step("Circuit as it was read", n_built, True)]
    else:
        n_core = sum(built.get(role, 0) for role in _FORMULA)
        steps = [
            *(Step(f"{name}, by formula", formula.get(role, 0)) for role, name in _FORMULA.items()),
            Step("Core, by formula", sum(formula.values()), True),
            Step("Repeated, constant, overruled", n_core - sum(formula.values())),
            *(Step(name, built.get(role, 0)) for role, name in _ADDED.items()),
            Step("Classifier as built", n_built, True),
        ]
    return [
        *steps,
        Step(f"Simplified, cut to {lut_inputs} inputs", n_mapped - n_built),
        Step("Two in one LUT", n_physical - n_mapped),
        Step("Further copies", row["luts"] - n_physical),
        Step(f"LUT{lut_inputs} of the machine", row["luts"], True),
    ]


def tables(study: Study, chosen: Sequence[Chosen]) -> list[FamilyTable]:
    """What training measured of the named points, and what pipelining does to the shown one."""
    return [*_training(chosen), *_pipelining(study, primary(chosen))]


_FACTS = (  # of training: name, head, as it is printed
    ("train_seconds", "training (s)", digits),
    ("teacher_accuracy", "teacher right", lambda share: f"{100 * share:.1f} %"),
    ("mimic_fidelity", "neurons mimicked", lambda share: f"{100 * share:.1f} %"),
    ("accuracy", "classifier right", lambda share: f"{100 * share:.1f} %"),
)


def _training(chosen: Sequence[Chosen]) -> list[FamilyTable]:
    told = [point for point in chosen if _details(point).get("training")]
    facts = [fact for fact in _FACTS if any(fact[0] in _details(point)["training"] for point in told)]
    if not facts:
        return []
    columns = [("", False), ("what it is", False), *((head, True) for _, head, _ in facts), ("circuit right", True)]
    lines = []
    for point in told:
        measured = _details(point)["training"]
        cells = [cell(measured[n], text(measured[n])) if n in measured else Cell("-", -1.0) for n, _, text in facts]
        name = [cell(point.letter), cell(listing(point.roles))]
        lines.append([*name, *cells, metric_column("accuracy").cell(point.row)])
    remark = (
        "Seconds are those of the run that trained, its teacher included, on that machine at that hour. The circuit "
        "answers as the classifier that it was built from."
    )
    return [FamilyTable("Training of the named points", remark, make_table(columns, lines))]


def _pipelining(study: Study, shown: Chosen | None) -> list[FamilyTable]:
    """The shown point at every cut into stages that ran."""
    if shown is None or "levels_per_stage" not in study.axes:
        return []
    same = [row for row in study.ran if _but(row, "levels_per_stage") == _but(shown.row, "levels_per_stage")]
    if len(same) < 2:
        return []
    heads = ["levels_per_stage", "stages", "levels between registers", "ns a level", "latency", "flip-flops", "energy"]
    lines = [_pipelined(row) for row in sorted(same, key=_levels_between, reverse=True)]
    remark = (
        "The clock is an input of the design. What pipelining buys is the time for a level of LUTs and wires (ns a "
        "level) at that clock, or a faster clock for the same time; at a fixed clock it only costs."
    )
    table = make_table([(head, True) for head in heads], lines)
    return [FamilyTable(f"Pipelining of point {shown.letter}", remark, table)]


def _pipelined(row: Row) -> list[Cell]:
    between = _levels_between(row)
    period_ns = 1000 / row["point"]["clock_mhz"]
    n_stages = round(row["latency_ns"] / period_ns) - 1
    return [
        cell(row["point"]["levels_per_stage"]),
        cell(n_stages),
        cell(between),
        cell(period_ns / between, digits(period_ns / between)),
        cell(row["latency_ns"], quantity(row["latency_ns"], "ns")),
        cell(row["flip_flops"]),
        cell(row["energy_pj"], quantity(row["energy_pj"], "pj")),
    ]


def _levels_between(row: Row) -> int:
    """LUTs one after the other between two registers."""
    return max(1, min(row["lut_levels"], row["point"]["levels_per_stage"] or row["lut_levels"]))


def _but(row: Row, axis: str) -> dict[str, Any]:
    return {name: value for name, value in row["point"].items() if name != axis}


def only_point(row: Row) -> str:
    """A study of one point in a sentence."""
    right = "" if row.get("accuracy") is None else f", and answers {metric_text(row['accuracy'], 'accuracy')} right"
    return (
        f"The point takes {row['luts']:,} LUTs in {row['lut_levels']:,} levels and {row['flip_flops']:,} flip-flops, "
        f"{quantity(row['latency_ns'], 'ns')} and {quantity(row['energy_pj'], 'pj')} a classification{right}."
    )


def notes(study: Study) -> list[str]:
    """The clock, accuracy on few samples, leakage, and what all families have."""
    said = generic.clock_note(study) + _path_note(study)
    samples = {int(row.get("n_inferences") or 1) for row in study.done if row.get("accuracy") is not None}
    if samples:
        counts = listing(f"{n:,}" for n in sorted(samples))
        said.append(
            f"Accuracy is that of the circuits themselves on {counts} test samples, each of one training: another seed "
            "or split gives another one. The best of many points owes part of its place to these very samples."
        )
    if study.done:
        shares = [row["energy_breakdown_pj"]["leakage"] / row["energy_pj"] for row in study.done]
        low, high = percent(min(shares)), percent(max(shares))
        said.append(
            f"Leakage is {low if low == high else f'{low} to {high}'} of the energy, at a machine that is never idle: "
            "one that waits for samples leaks on."
        )
    said.append("Points of the space that cannot be built leave no row and are not counted here.")
    return said + generic.common_notes(study)


def _path_note(study: Study) -> list[str]:
    if not study.done:
        return []
    longest = max(study.done, key=_levels_between)
    period_ns = 1000 / longest["point"]["clock_mhz"]
    between = _levels_between(longest)
    return [
        f"The longest way between two registers is {between:,} LUTs, which leaves {period_ns / between:.2f} ns for a "
        f"LUT and its wires at {longest['point']['clock_mhz']:,} MHz."
    ]


def explanations(nodes: Sequence[int]) -> list[Markup]:
    """Cycles, switching, LUTs, prices, perceptrons, networks of others."""
    return [
        Markup(
            "<b>Answers and cycles</b> come from Lockstep's simulator, which ran all test samples back to back; phases "
            "add up to cycles. <code>lockstep verify</code> holds the simulator against the generated RTL, cycle for "
            "cycle and bit for bit. This page reads results and does not repeat that check."
        ),
        Markup(
            "<b>LUTs</b> are those of the whole circuit on its fabric, comparators of the raw features, scores and "
            "argmax included; two a register bank, for its handshake, are in the area only. <b>LUT "
            "levels</b>: LUTs on the longest way from an input to an output."
        ),
        Markup(
            f"<b>Area</b> is the inventory of parts times the technology tables{generic.at_nodes(nodes)}. "
            "<b>Energy</b> of a classification: switching as counted on the test samples in their order, with "
            "settled values (no delays, so glitches are not in it), and leakage over the time of the run. "
            "Clock tree and I/O are not priced; prices of the fabric are computed, assumed or recalled from device "
            "data, a lower bound within a factor of about 3."
        ),
        Markup(
            "<b>Perceptrons</b>: one hidden layer, trained on the same samples, in floats and in bits. Counted are "
            "their arithmetic, each weight fetched once a classification, and leakage of the weight memory; "
            "activations, control and wires are left out, and their logic is that of standard cells, not of a fabric: "
            "both favour them. Accuracies are of one training each."
        ),
        Markup(
            "<b>LUT networks of others</b> are on the same data and split, or not shown. <i>Measured</i>: run by this "
            "project, LUTs as yosys maps them to 6 inputs, carry cells not counted. <i>README</i>: the authors' own. "
            "<i>Survey</i>: literature tables of Kanishk234/dwn-fpga-study. <i>Recalled</i>: from memory, not to be "
            "cited."
        ),
        Markup(
            "<b>Knee</b>: the point of the front of area and accuracy (where accuracy is no objective: area and "
            "latency) farthest below the straight line between its ends, area and the share of wrong answers "
            "logarithmic."
        ),
    ]
