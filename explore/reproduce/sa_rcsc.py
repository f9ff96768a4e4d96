"""Utilization of the sparse machine with CSC, RCSC and SA-RCSC: simulated, with finite windows."""

from __future__ import annotations

from collections.abc import Iterator

from designs.families.sparse import Design
from explore.reproduce import Progress, Quantity, Table
from explore.reproduce.sparse_formats import APART, SIDE, SPARSITY, differs
from explore.reproduce.sparse_formats import UTILIZATION as UTILIZATION
from sim.families import sparse
from sim.run import Run
from workloads.kinds import matrices
from workloads.kinds.matrices import Matrices

TITLE = "SA-RCSC: how busy 64 to 2048 multipliers are, simulated"
SUMMARY = (
    "512 x 512 weights, 77 % pruned, on the simulated sparse machine: interleaved CSC, RCSC and SA-RCSC with 8 and 32 "
    "sets. RCSC and SA-RCSC are our reconstruction; the other figures are of scripts that share no code with ours, a "
    "loop over cycles where windows are finite."
)

WIDEST = 512  # activations: all columns, no window
# In the order of sparse_formats.UTILIZATION: sets (0: one for each lane), and whether rows are sorted.
FORMATS = {
    "interleaved CSC": (0, False),
    "RCSC": (0, True),
    "SA-RCSC, 8 sets": (8, True),
    "SA-RCSC, 32 sets": (32, True),
}
WINDOWS = {  # iid weights; multipliers, sets: window and utilization
    (1024, 8): {4: 0.460, 8: 0.866, 16: 0.981, 32: 0.998},
    (256, 8): {1: 0.460, 2: 0.699, 4: 0.954, 8: 0.981},
    (64, 64): {2: 0.618, 8: 0.887, 32: 0.981},
    (64, 8): {2: 0.923, 8: 0.986},
}
_SCRIPT = "our reference scripts, numpy 2.4"
_STALLS = (
    "The other figure is without a window; in one of {window} activations, lanes that are ahead wait for those with "
    "many entries there, and without that waiting ours is {free:.3f}."
)


def design_of(n_macs: int, n_sets: int, sort_rows: bool, window: int) -> Design:
    """A machine whose memories hold the whole matrix; n_sets 0 is a set for each lane."""
    return Design(
        n_macs=n_macs, n_sets=n_sets or n_macs, sort_rows=sort_rows, window=window, lane_entries=65535,
        accumulators=SIDE if n_sets else -(-SIDE // n_macs), act_words=2048,
    )  # fmt: skip


def weights(kind: str) -> Matrices:
    """The matrix, `iid` or `rowvar`."""
    found = matrices.load(f"sparse:{SIDE}x{SIDE}:{SPARSITY}:{kind}")
    assert found is not None
    return found


def without_window(run: Run, n_macs: int) -> float:
    """Utilization were no lane ever to wait for an activation: the longest list is the time."""
    return run.activity["macs"] / (n_macs * (run.phases["multiply"] + run.phases["imbalance"]))


def reproduce(progress: Progress | None = None) -> Table:
    """Utilization with the widest window, and with narrow ones."""
    n_steps = len(UTILIZATION) + 1
    workloads = {kind: weights(kind) for kind in ("iid", "rowvar")}
    rows: list[Quantity] = []
    for done, ((kind, n_macs), published) in enumerate(UTILIZATION.items()):
        if progress:
            progress(f"{n_macs} multipliers, {kind}", done, n_steps)
        rows += _cells(kind, n_macs, published, workloads[kind])
    if progress:
        progress("windows", n_steps - 1, n_steps)
    rows += _windows(workloads["iid"])
    if progress:
        progress("done", n_steps, n_steps)
    n_far = sum(differs(row, 3) for row in rows)
    far = f"{n_far} differ from ours by more than half a unit of the last."
    return Table(rows=tuple(rows), remarks=(f"{len(rows)} figures, given to three decimals: {far}", *_REMARKS))


_REMARKS = (
    "Utilization: non-zeros / (multipliers x cycles of the multiply phase). Window: activations that all lanes see at "
    f"a time; {WIDEST}, all of them, where nothing else is said.",
    "iid: normal weights; rowvar: rows and columns differ in scale (docs/sparse.md, section 7).",
)


def _cells(kind: str, n_macs: int, published: tuple[float, ...], workload: Matrices) -> Iterator[Quantity]:
    designs = [design_of(n_macs, *point, WIDEST) for point in FORMATS.values()]
    for name, run, one in zip(FORMATS, sparse.simulate(designs, workload), published, strict=True):
        _expect(run)
        found, free = run.figures["multiply_utilization"], without_window(run, n_macs)
        stalls = _STALLS.format(window=WIDEST, free=free) if found < free else ""
        yield _row(f"{n_macs} multipliers, {kind}, {name}", one, found, stalls)


def _windows(workload: Matrices) -> Iterator[Quantity]:
    for (n_macs, n_sets), by_window in WINDOWS.items():
        designs = [design_of(n_macs, n_sets, True, window) for window in by_window]
        name = "RCSC" if n_sets == n_macs else f"SA-RCSC, {n_sets} sets"
        for (window, one), run in zip(by_window.items(), sparse.simulate(designs, workload), strict=True):
            _expect(run)
            found = run.figures["multiply_utilization"]
            yield _row(f"{n_macs} multipliers, iid, {name}, window of {window}", one, found)


def _expect(run: Run) -> None:
    if run.failure is not None:
        raise RuntimeError(run.failure)


def _row(quantity: str, published: float, ours: float, because: str = "") -> Quantity:
    return Quantity(
        quantity=f"utilization of {quantity}", unit="", published=published, certainty=APART, source=_SCRIPT,
        ours=ours, differs_because=because,
    )  # fmt: skip
