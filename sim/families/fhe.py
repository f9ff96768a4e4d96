"""Bootstrapping machines, exactly: cycles, where they went, what was counted, what a machine is made of (docs/fhe.md).

Work is shared: a circuit is scheduled once for all designs that agree in cores, batch and schedule, a rotation is timed
once for all that agree in its stations; what is left for a design point is one call of a kernel over its batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from designs.errors import DesignError, InputError
from designs.families.fhe import Design
from sim.columns import grouped
from sim.inventory import Inventory
from sim.kernels.fhe import batches as kernel
from sim.kernels.fhe.batches import N_EVENTS, N_LENGTHS, N_MACHINE, run_batches
from sim.kernels.fhe.machines import LENGTH, SWITCH_INTERVAL, run_machines
from sim.kernels.fhe.machines import N_LENGTHS as N_LENGTHS_TOGETHER
from sim.kernels.fhe.rotation import TOTAL_BEATS
from sim.kernels.fhe.stations import KEY_ROWS, intervals
from sim.kernels.receiver import next_ready
from sim.parts.fhe import fhe_inventory, hardware_of
from sim.parts.fhe_columns import Columns, lengths_of
from sim.parts.fhe_rotation import interval_cycles, length, shape_of, tables
from sim.run import LayerRun, Run, made
from workloads.circuits.circuit import Circuit
from workloads.mapping.fhe import Program, operand_counts, program_of, result_counts
from workloads.tfhe.noise import failure_log2

RUNS = Circuit
MODEL_VERSION = "1"  # bump by hand when the meaning of a row changes; explore adds a hash of the sources

PHASES = (
    "load", "key_fill", "init", "compute", "pipeline_latency", "stall_key", "stall_key_switch", "extract",
    "stall_operands", "drain",
)  # fmt: skip

_KEPT = 256
_KEPT_SCHEDULES = 64  # of a circuit; of a million gates each has up to 50 MB
_NONE = np.zeros(0, np.int64)  # no arrivals, no receiver: nothing stalls
_NO_EVENTS = np.zeros((0, N_EVENTS), np.int64)


class Batches(NamedTuple):
    """What the times of a run depend on of a program."""

    table: np.ndarray  # (n_batches, 5) int64, see `sim.kernels.fhe.batches.run_batches`
    n_bootstraps: int

    @property
    def n_batches(self) -> int:
        return len(self.table)

    @property
    def n_operands(self) -> int:
        return int(self.table[:, 2].sum())

    @property
    def n_results(self) -> int:
        return int(self.table[:, 4].sum())


def simulate(designs: Sequence[Design], workload: Circuit) -> list[Run]:
    """One Run a design, in order: the circuit once. A circuit that cannot be scheduled is a failed Run.

    Designs that share a program are one call of a kernel, and nearly all else is arithmetic on columns; a few designs
    are simulated one at a time, which is faster for them. Runs are the same (docs/batched.md).
    """
    if len(designs) < _FEWEST_TOGETHER:
        return [simulate_one(design, workload) for design in designs]
    firsts, which = grouped(map(_SCHEDULING, designs))
    programs = [_batches_or_refusal(designs[first], workload) for first in firsts]
    runs = [Run(failure=found) if isinstance(found, str) else None for found in (programs[i] for i in which.tolist())]
    places = [place for place, run in enumerate(runs) if run is None]
    for place, run in zip(places, _together(designs, places, programs, which[places], workload), strict=True):
        runs[place] = run
    return runs  # type: ignore[return-value]


def simulate_one(design: Design, circuit: Circuit) -> Run:
    """The Run of one design, by itself: the scalar simulator that `simulate` equals."""
    if problem := _misfit(design, circuit):
        return Run(failure=problem)
    return _run(design, _batches(design, circuit), circuit.name, _NONE, _NONE, _NONE, _NONE, _NO_EVENTS)


def misfits(designs: Sequence[Design], workload: Circuit) -> list[str | None]:
    """For each design, why the circuit cannot be scheduled on it; None where it can."""
    return [_misfit(design, workload) for design in designs]


def inventory(design: Design, workload: Circuit | None = None) -> Inventory:
    """What the machine is made of, part by part; the same for all circuits."""
    return _inventory(hardware_of(design))


def run_program(
    design: Design,
    program: Program,
    *,
    name: str = "program",
    key_arrivals: np.ndarray | None = None,
    key_switch_arrivals: np.ndarray | None = None,
    read_arrivals: np.ndarray | None = None,
    write_ready: np.ndarray | None = None,
) -> Run:
    """One run of a program, memory as docs/fhe.md has it or stalled.

    `key_arrivals`, `key_switch_arrivals` and `read_arrivals` (n_beats,) are cycles of 1 or more: beat x of the stream,
    over the whole run, is not offered before (and what is read not before M cycles after its request). None: no stall.
    `write_ready` (n,) bool are the cycles in which memory takes a beat (None, and after its end: always).
    InputError where the program is none or an array has another length (`stream_beats` tells the right ones).
    """
    batches = batches_of(program, design.cores)
    wanted = stream_beats(design, batches)
    given = {"key_beats": key_arrivals, "key_switch_beats": key_switch_arrivals, "read_beats": read_arrivals}
    arrivals = [_arrivals(stream, wanted[stream], cycles) for stream, cycles in given.items()]
    receiver = _NONE if write_ready is None else next_ready(np.asarray(write_ready, bool))
    key, key_switch, read = arrivals
    return _run(design, batches, name, key, key_switch, read, receiver, _NO_EVENTS)


def stream_beats(design: Design | Columns, batches: Batches | SimpleNamespace) -> dict[str, Any]:
    """Beats of each stream over a run, by their counters; of columns, columns."""
    n_steps = design.parameters.lwe_dimension
    n_loads = batches.n_batches - design.resident * (batches.n_batches - 1)  # of the bootstrapping key: resident, one
    return {
        "key_beats": n_steps * design.row_beats * n_loads,
        "key_switch_beats": key_switch_beats(design) * batches.n_batches,
        "read_beats": batches.n_operands * design.ciphertext_beats,
        "write_beats": batches.n_results * design.ciphertext_beats,
    }


def key_switch_beats(design: Design | Columns) -> Any:
    """Beats of the key-switching key for a batch."""
    p = design.parameters
    return p.glwe_dimension * p.ring_degree * p.key_switch_levels * design.key_switch_chunks


def roofline_cycles(design: Design, batches: Batches) -> int:
    """Cycles that nothing goes below: the busiest station or the key switchers always work, or a stream never waits."""
    return max(map(int, _bounds(design, batches, interval_cycles(shape_of(design)))))


def _bounds(design: Design | Columns, batches: Batches | SimpleNamespace, interval: Any) -> list[Any]:
    n_slots = -(-batches.n_bootstraps // design.cores)
    rotations = n_slots * design.parameters.lwe_dimension * interval
    switches = -(-batches.n_results // (design.cores * design.key_switchers)) * key_switch_beats(design)
    return [rotations, switches, *stream_beats(design, batches).values()]


def bootstrap_latency_cycles(design: Design) -> int:
    """A full batch alone, from the first cycle of LOAD to the last of STORE, with the first K key rows there.

    Every cell has two operands and one result.
    """
    return int(_latency_cycles(design, length(shape_of(design), design.batch).cycles))


def _latency_cycles(design: Design | Columns, rotation_cycles: Any) -> Any:
    slots, beats = design.batch, design.ciphertext_beats
    cells = slots * design.cores
    load = design.memory_latency_cycles + 2 * cells * beats + 2
    extract = slots * design.poly_words + 2
    switch = key_switch_beats(design) * -(-slots // design.key_switchers) + 3
    return load + rotation_cycles + extract + switch + cells * beats + 2


def timeline(design: Design, layer: Circuit, tiling: None = None) -> list[dict[str, Any]]:
    """What each batch did when, as events `{track, name, start_cycle, end_cycle, layer, tile}` by track and time.

    `end_cycle` is the cycle after the last one; `tile` counts batches. InputError where the circuit does not fit, or
    where a tiling is given: there is none.
    """
    if problem := _misfit(design, layer):
        raise InputError(f"{layer.name}: {problem}")
    if tiling is not None:
        raise InputError(f"{layer.name}: wanted no tiling, as batches follow from the schedule, got one; leave it out")
    batches = _batches(design, layer)
    events = np.zeros((len(batches.table), N_EVENTS), np.int64)
    _run(design, batches, layer.name, _NONE, _NONE, _NONE, _NONE, events)
    return [
        {
            "track": track,
            "name": f"{what} {batch}",
            "start_cycle": cycles[first],
            "end_cycle": cycles[last] + 1,
            "layer": layer.name,
            "tile": batch,
        }
        for track, what, first, last in _TRACKS
        for batch, cycles in enumerate(events.tolist())
    ]


_TRACKS = (  # track, what, columns of its first and last cycle
    ("load", "load batch", kernel.LOAD_FIRST, kernel.LOAD_END),
    ("rotation", "rotate batch", kernel.INIT_FIRST, kernel.ROTATION_END),
    ("extract", "extract batch", kernel.EXTRACT_FIRST, kernel.EXTRACT_END),
    ("key switch", "switch batch", kernel.SWITCH_FIRST, kernel.SWITCH_END),
    ("store", "store batch", kernel.STORE_FIRST, kernel.STORE_END),
)


# Programs, once for all designs that share them.


_SCHEDULED: WeakKeyDictionary[Circuit, dict[tuple[int, int, str], Batches | str]] = WeakKeyDictionary()


def batches_of(program: Program, cores: int) -> Batches:
    """What a program asks of a machine of so many cores; InputError for one that no machine ends."""
    results = result_counts(program, cores)
    n_batches = len(program.slots)
    table = np.column_stack(
        [program.slots, program.after, operand_counts(program), results.max(axis=1), results.sum(axis=1)]
    ).astype(np.int64)
    if (program.after < 0).any() or (program.after > np.arange(n_batches)).any():
        raise InputError("after: wanted batches that were before, got a later one; a batch cannot wait for itself")
    for column, what in ((2, "operands"), (4, "results")):
        if not table[:, column].all():
            raise InputError(f"{what}: wanted some in every batch, got none in batch {int(table[:, column].argmin())}")
    return Batches(np.ascontiguousarray(table), int(program.valid.sum()))


def _batches(design: Design, circuit: Circuit) -> Batches:
    """DesignError or InputError where there is no program."""
    kept = _SCHEDULED.setdefault(circuit, {})
    key = (design.cores, design.batch, design.schedule)
    found = kept.get(key)
    if found is None:
        try:
            found = batches_of(program_of(design, circuit), design.cores)
        except (DesignError, InputError) as error:
            found = str(error)
        if len(kept) >= _KEPT_SCHEDULES:
            del kept[next(iter(kept))]
        kept[key] = found
    if isinstance(found, str):
        raise InputError(found)
    return found


def _batches_or_refusal(design: Design, circuit: Circuit) -> Batches | str:
    try:
        return _batches(design, circuit)
    except InputError as error:
        return str(error)


def _misfit(design: Design, circuit: Circuit) -> str | None:
    found = _batches_or_refusal(design, circuit)
    return found if isinstance(found, str) else None


_failure_log2 = lru_cache(maxsize=_KEPT)(failure_log2)


@lru_cache(maxsize=_KEPT)
def _inventory(design: Design) -> Inventory:
    return fhe_inventory(design)


# Many design points.


_SCHEDULING = attrgetter("cores", "batch", "schedule")
_FEWEST_TOGETHER = 4  # measured: fewer are faster one at a time
_MOST_TOGETHER = 1024  # of one program: what is kept of each kind of batch has some MB then
_MOST_COUNTED = 2.0**62


def _most_counted(design: Columns, batches: SimpleNamespace) -> np.ndarray:
    """(n,) float64: no counter of a run is higher."""
    p = design.parameters
    digits = (p.glwe_dimension + 1.0) ** 2 * p.decomposition_levels * p.ring_degree
    steps = 1.0 * p.lwe_dimension * batches.n_bootstraps * design.n_groups * (design.n_stages + design.rotators)
    switched = 1.0 * batches.n_results * key_switch_beats(design) * design.key_switch_lanes
    beats = sum(1.0 * of_stream for of_stream in stream_beats(design, batches).values())
    return np.asarray(digits * steps + switched + beats * design.ciphertext_words_per_cycle)


def _together(
    designs: Sequence[Design], places: Sequence[int], programs: Sequence[Any], of_design: np.ndarray, circuit: Circuit
) -> list[Run]:
    """The Run of the design at each of `places`, whose program is programs[of_design]."""
    designs = [designs[place] for place in places]
    if not designs:
        return []
    columns, work = Columns(designs), _work(programs, of_design)
    if (_most_counted(columns, work) >= _MOST_COUNTED).any():  # columns have 64 bits
        return [simulate_one(design, circuit) for design in designs]
    shapes = columns.shapes()
    interval = intervals(shapes)
    cycles, rotation_cycles = np.empty((2, len(designs)), np.int64)
    phases = np.empty((len(designs), len(PHASES)), np.int64)
    machines = np.stack([
        columns.memory_latency_cycles, columns.ciphertext_beats, columns.parameters.lwe_dimension * interval,
        columns.poly_words, columns.memory_latency_cycles - 1 + shapes[:, KEY_ROWS] * columns.row_beats,
        key_switch_beats(columns),
    ])  # fmt: skip
    for program in np.unique(of_design).tolist():
        all_of_program = np.flatnonzero(of_design == program)
        for first in range(0, len(all_of_program), _MOST_TOGETHER):
            at = all_of_program[first : first + _MOST_TOGETHER]
            batches, batch = programs[program], designs[at[0]].batch
            found = _times(batches, batch, shapes[at], columns.key_switchers[at], machines[:, at])
            cycles[at], phases[at], rotation_cycles[at] = found
    return _runs(columns, work, cycles, phases, interval, rotation_cycles, circuit.name)


def _work(batches: Sequence[Any], of_design: np.ndarray) -> SimpleNamespace:
    """Of the program of each design what its beats and counters depend on, as columns."""
    used = set(of_design.tolist())
    names = ("n_batches", "n_bootstraps", "n_operands", "n_results")
    rows = [[getattr(of, name) if i in used else 0 for name in names] for i, of in enumerate(batches)]
    return SimpleNamespace(**dict(zip(names, np.array(rows, np.int64)[of_design].T, strict=True)))


def _times(
    batches: Batches, batch: int, shapes: np.ndarray, switchers: np.ndarray, machines: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(cycles (n,), phases (n, N_PHASES), cycles of a rotation of `batch` slots (n,)) of one program on n machines."""
    kinds, of_batch = np.unique(batches.table[:, [0, 3]], axis=0, return_inverse=True)
    slots = np.unique(np.append(kinds[:, 0], batch))
    of_slots = lengths_of(shapes, slots.tolist())
    lengths = np.empty((len(kinds), N_LENGTHS_TOGETHER, len(shapes)), np.int64)
    lengths[:, :SWITCH_INTERVAL] = of_slots[:, np.searchsorted(slots, kinds[:, 0])].swapaxes(0, 1)
    lengths[:, SWITCH_INTERVAL] = -(-kinds[:, 1:] // switchers)
    cycles, phases = run_machines(batches.table, of_batch.reshape(-1), np.ascontiguousarray(machines), lengths)
    return cycles, phases.T, of_slots[LENGTH, np.searchsorted(slots, batch)]


def _runs(
    columns: Columns,
    work: SimpleNamespace,
    cycles: np.ndarray,
    phases: np.ndarray,
    interval: np.ndarray,
    rotation_cycles: np.ndarray,
    name: str,
) -> list[Run]:
    activity = _activity(columns, work)
    names = tuple(activity)
    failures = [_failure_log2(p) for p in columns.all_parameters]
    runs = []
    for n_cycles, of_phases, counts, bound, multipliers, n_bootstraps, clock_mhz, latency, parameters in zip(
        cycles.tolist(), phases.tolist(), np.column_stack([activity[name] for name in names]).tolist(),
        np.maximum.reduce(_bounds(columns, work, interval)).tolist(), _multipliers(columns).tolist(),
        work.n_bootstraps.tolist(), columns.clock_mhz.tolist(), _latency_cycles(columns, rotation_cycles).tolist(),
        columns.which_parameters.tolist(), strict=True,
    ):  # fmt: skip
        where, counted = dict(zip(PHASES, of_phases)), dict(zip(names, counts))  # noqa: B905  one row, one table
        n_macs = counted["key_macs"]
        layer = made(
            LayerRun, name=name, cycles=n_cycles, phases=where, activity=counted, roofline_cycles=bound, n_macs=n_macs,
            utilization=n_macs / (multipliers * n_cycles), repeat=1, tiling=None,
        )  # fmt: skip
        figures = {
            "bootstraps_per_s": n_bootstraps * clock_mhz * 1e6 / n_cycles,
            "bootstrap_latency_ns": latency * 1e3 / clock_mhz,
            "failure_log2": failures[parameters],
        }
        runs.append(
            made(
                Run, cycles=n_cycles, phases=where, activity=counted, roofline_cycles=bound, layers=(layer,),
                stages=(), n_inferences=1, latency_cycles=None, initiation_interval=None, figures=figures,
                energies_pj={"bootstrap_energy_pj": n_bootstraps}, failure=None,
            )
        )  # fmt: skip
    return runs


# One design point.


def _run(
    design: Design,
    batches: Batches,
    name: str,
    key_arrivals: np.ndarray,
    switch_arrivals: np.ndarray,
    read_arrivals: np.ndarray,
    receiver: np.ndarray,
    events: np.ndarray,
) -> Run:
    p, shape = design.parameters, shape_of(design)
    sizes, stations, inverse_after = tables(shape)
    sizes = sizes.copy()
    sizes[TOTAL_BEATS] = len(key_arrivals)
    machine = np.zeros(N_MACHINE, np.int64)
    machine[kernel.LATENCY], machine[kernel.OPERAND_BEATS] = design.memory_latency_cycles, design.ciphertext_beats
    machine[kernel.SWITCH_BEATS], machine[kernel.SWITCHERS] = key_switch_beats(design), design.key_switchers
    machine[kernel.INTERVAL] = p.lwe_dimension * interval_cycles(shape)
    slots = np.unique(batches.table[:, 0]).tolist()
    lengths = np.zeros((slots[-1] + 1, N_LENGTHS), np.int64)
    for n_slots in slots:
        lengths[n_slots] = length(shape, n_slots)
    cycles, found = run_batches(
        batches.table, machine, lengths, sizes, stations, inverse_after, key_arrivals, switch_arrivals, read_arrivals,
        receiver, events,
    )  # fmt: skip
    phases = dict(zip(PHASES, found.tolist(), strict=True))
    activity = _activity(design, batches)
    n_macs = activity["key_macs"]
    multipliers = _multipliers(design)
    bound = roofline_cycles(design, batches)
    layer = LayerRun(
        name=name, cycles=cycles, phases=phases, activity=activity, roofline_cycles=bound, n_macs=n_macs,
        utilization=n_macs / (multipliers * cycles),
    )  # fmt: skip
    return Run(
        cycles=cycles,
        phases=phases,
        activity=activity,
        roofline_cycles=bound,
        layers=(layer,),
        figures={
            "bootstraps_per_s": batches.n_bootstraps * design.clock_mhz * 1e6 / cycles,
            "bootstrap_latency_ns": bootstrap_latency_cycles(design) * 1e3 / design.clock_mhz,
            "failure_log2": _failure_log2(p),
        },
        energies_pj={"bootstrap_energy_pj": batches.n_bootstraps},
    )


def _multipliers(design: Design | Columns) -> Any:
    return design.cores * design.digit_polynomials * design.key_columns * design.coefficients_per_cycle


def _activity(design: Design | Columns, batches: Batches | SimpleNamespace) -> dict[str, Any]:
    """What docs/fhe.md counts, section 4; of columns, columns."""
    p, cells, results = design.parameters, batches.n_bootstraps, batches.n_results
    columns, degree, steps = p.glwe_dimension + 1, p.ring_degree, p.lwe_dimension * batches.n_bootstraps
    digits = columns * p.decomposition_levels * degree  # of a step of one ciphertext
    jobs = steps * design.n_groups
    beats = stream_beats(design, batches)
    return {
        "rotated": jobs * design.rotators * degree,
        "digits": steps * digits,
        "butterflies": steps * digits // 2 * design.n_stages,
        "inverse_butterflies": steps * columns * degree // 2 * design.n_stages,
        "key_macs": steps * digits * columns,
        "transform_updates": jobs * columns * degree,
        "accumulated": steps * columns * degree,
        "started": cells * columns * degree,
        "extracted": cells * (p.glwe_dimension * degree + 1),
        "key_switch_macs": results * key_switch_beats(design) * design.key_switch_lanes,
        "linear_words": beats["read_beats"] * design.ciphertext_words_per_cycle,
        **beats,
        "bootstraps": cells,
    }


def _arrivals(name: str, n_beats: int, cycles: np.ndarray | None) -> np.ndarray:
    if cycles is None:
        return _NONE
    found = np.ascontiguousarray(cycles, np.int64)
    if found.shape != (n_beats,) or (found < 1).any():
        raise InputError(f"{name}: wanted {n_beats} cycles of 1 or more, one a beat, got the shape {found.shape}")
    return found
