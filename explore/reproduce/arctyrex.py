"""ArctyrEX (PoPETs 2025): wavefronts of C programs over the GPUs of one host, as far as its abstract tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from explore.reproduce import Progress, Quantity, Table
from sim.devices.partition import Partition, places_of
from sim.devices.run import DevicesRun, simulate
from sim.devices.steps import Policy, steps_of
from sim.devices.system import Device, Link, System, one_host, steady
from workloads.circuits.circuit import Circuit
from workloads.circuits.copies import side_by_side
from workloads.circuits.levels import Shape, shape_of
from workloads.circuits.random_circuits import random_circuit
from workloads.programs.compile import compile_c

TITLE = "ArctyrEX: C programs over 1 to 8 GPUs"
SUMMARY = (
    "The abstract has three figures: one A100 is 6 times a CPU of 256 threads, eight in one host more than 40 times, a "
    "sigmoid takes thousands of seconds on one thread. The first sets the speed of our devices, the second is "
    "simulated: level by level, ciphertexts moved between levels, links contended for. Programs are ours; theirs could "
    "not be read."
)

N_DEVICES = (1, 2, 4, 8)
# Shipped programs, once, and side by side on as many inputs as make MANY bootstraps.
PROGRAMS = ("crc32", "sigmoid_linear", "dot_product", "sobel", "binary_network", "matrix_product")
MANY = 200_000
CHOSEN = "matrix_product"  # of which policies, partitions, links and rounds are compared
WIDTHS = (256, 1024, 4096, 16384)  # of random circuits
N_LEVELS = 24  # of those

# Assumed, and said so in the remarks. One A100 does 6 times what 256 threads of 13 ms a gate do, in rounds of WORKERS.
THREADS, THREAD_GATE_S, PUBLISHED_ONE, PUBLISHED_EIGHT = 256, 0.013, 6.0, 40.0
WORKERS = 432
OTHER_WORKERS = (108, 1536)
CIPHERTEXT_BYTES = 4 * (630 + 1)
START_S = 10e-6  # of a share: launching kernels
NVLINK = Link(name="NVLink", bytes_per_s=300e9, latency_s=5e-6)
PCIE = Link(name="PCIe", bytes_per_s=25e9, latency_s=5e-6)

_SOURCE = "ArctyrEX, PoPETs 2025"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a circuit is run."""

    policy: Policy = "wide_first"
    partition: Partition = "even"
    barriers: bool = True
    workers: int = WORKERS
    host_bus: bool = False  # PCIe, all through the host, instead of a switch of NVLinks

    def system(self, n_devices: int) -> System:
        """The host with some A100."""
        devices = [gpu(str(number), self.workers) for number in range(n_devices)]
        return one_host(devices, PCIE, bus=PCIE) if self.host_bus else one_host(devices, NVLINK)


def gpu(name: str, workers: int) -> Device:
    """A device of the published ratio: rounds of `workers` bootstraps, the longer the more they are."""
    return steady(name, workers, workers * THREAD_GATE_S / (PUBLISHED_ONE * THREADS), START_S)


def cpu() -> System:
    """256 threads on one memory: nothing moves."""
    return System(devices=(steady("cpu", THREADS, THREAD_GATE_S),), links=(), routes={(0, 1): (), (1, 0): ()})


def measure(circuit: Circuit, system: System, setting: Setting) -> DevicesRun:
    """One run of a circuit."""
    steps = steps_of(circuit, setting.policy, sum(device.n_workers for device in system.devices))
    places = places_of(circuit, steps, system, setting.partition)
    return simulate(circuit, steps, places, system, ciphertext_bytes=CIPHERTEXT_BYTES, barriers=setting.barriers)


def reproduce(progress: Progress | None = None) -> Table:
    """Scaling of programs and of circuits by width; how much of it policy, partition, links and rounds decide.

    Programs that are not in the user's cache are compiled first, which takes minutes.
    """
    n_all = len(PROGRAMS) + len(WIDTHS)
    rows: list[Quantity] = []
    for number, name in enumerate(PROGRAMS):
        if progress:
            progress(name, number, n_all)
        circuit = _program(name)
        rows += [*_scaling(circuit, name), *_many(circuit, name)]
        if name == CHOSEN:
            rows += _choices(circuit, name)
    for number, width in enumerate(WIDTHS, len(PROGRAMS)):
        if progress:
            progress(f"random circuits {width} wide", number, n_all)
        rows += _scaling(random_circuit(1, width * N_LEVELS, width=width), f"random, {width} wide")
    if progress:
        progress("devices", n_all, n_all)
    return Table(rows=tuple(rows), remarks=_REMARKS)


def _program(name: str) -> Circuit:
    return compile_c(name, progress=lambda what: None).circuit


def _scaling(circuit: Circuit, name: str) -> Iterator[Quantity]:
    """A circuit on 1 to 8 devices and on the threads."""
    shape = shape_of(circuit)
    found = {n: measure(circuit, Setting().system(n), Setting()).seconds for n in N_DEVICES}
    most = N_DEVICES[-1]
    yield _row(f"{name}: bootstraps", "", shape.n_bootstraps)
    yield _row(f"{name}: mean width of a level", "", shape.mean_width)
    yield _row(f"{name}: one thread", "s", shape.n_bootstraps * THREAD_GATE_S)
    for n in N_DEVICES[1:-1]:
        yield _row(f"{name}: {n} devices over one", "x", found[1] / found[n])
    yield _over_one(name, found[1] / found[most], shape)
    yield from _over_threads(circuit, name, found)


def _many(circuit: Circuit, name: str) -> Iterator[Quantity]:
    """Runs side by side, of MANY bootstraps."""
    n_copies = -(-MANY // circuit.n_bootstraps)
    copies = side_by_side(circuit, n_copies)
    found = {n: measure(copies, Setting().system(n), Setting()) for n in (1, N_DEVICES[-1])}
    most = N_DEVICES[-1]
    said = f"{name}, {n_copies:,} at a time"
    yield _over_one(said, found[1].seconds / found[most].seconds, shape_of(copies))
    yield from _over_threads(copies, said, {n: run.seconds for n, run in found.items()})
    yield _row(f"{said}: moved, {most} devices", "MB", found[most].bytes_moved / 1e6)


def _over_one(name: str, ours: float, shape: Shape) -> Quantity:
    most = N_DEVICES[-1]
    return _row(
        f"{name}: {most} devices over one", "x", ours, PUBLISHED_EIGHT / PUBLISHED_ONE,
        "computed by us from 40 / 6 of the abstract", _because(shape),
    )  # fmt: skip


def _over_threads(circuit: Circuit, name: str, seconds: Mapping[int, float]) -> Iterator[Quantity]:
    most = N_DEVICES[-1]
    threads = measure(circuit, cpu(), Setting()).seconds
    yield _row(
        f"{name}: one device over {THREADS} threads", "x", threads / seconds[1], PUBLISHED_ONE, "in the abstract",
        "Set to 6 for full rounds; a level that does not fill rounds wastes another share of a device than of threads.",
    )  # fmt: skip
    yield _row(
        f"{name}: {most} devices over {THREADS} threads", "x", threads / seconds[most], PUBLISHED_EIGHT,
        "in the abstract, as more than 40", _because(shape_of(circuit)),
    )  # fmt: skip


def _because(shape: Shape) -> str:
    most = N_DEVICES[-1]
    return (
        f"Levels are {shape.mean_width:,.0f} wide on average and {most} devices take {most * WORKERS:,} bootstraps a "
        "round; how wide the published programs are is not known."
    )


def _choices(circuit: Circuit, name: str) -> Iterator[Quantity]:
    """Eight devices, otherwise decided."""
    most = N_DEVICES[-1]
    plain = measure(circuit, Setting().system(most), Setting())
    yield _row(f"{name}: moved, {most} devices, even cuts", "MB", plain.bytes_moved / 1e6)
    others = {
        "gates where their operands are": Setting(partition="affinity"),
        "... and the critical path first": Setting(policy="critical_path", partition="affinity"),
        "... and no barriers": Setting(policy="critical_path", partition="affinity", barriers=False),
        "even cuts, PCIe through the host": Setting(host_bus=True),
    }
    for said, setting in others.items():
        found = measure(circuit, setting.system(most), setting)
        yield _row(f"{name}: {said}: moved", "MB", found.bytes_moved / 1e6)
        yield _row(f"{name}: {said}: faster", "x", plain.seconds / found.seconds)
    for workers in OTHER_WORKERS:
        setting = Setting(workers=workers)
        one, eight = (measure(circuit, setting.system(n), setting).seconds for n in (1, most))
        yield _row(f"{name}: {most} devices over one, rounds of {workers}", "x", one / eight)


def _row(
    quantity: str, unit: str, ours: float, published: float | None = None, certainty: str = "", because: str = ""
) -> Quantity:
    return Quantity(
        quantity=quantity, unit=unit, published=published, certainty=certainty, source=_SOURCE if published else "",
        ours=ours, differs_because=because,
    )  # fmt: skip


_REMARKS = (
    "Read: the abstract. Not readable: benchmarks and their gates, times, the CPU library, parameters, how gates are "
    "split over GPUs and what is sent between them. 40 / 6 = 6.7 of 8, 83 %.",
    f"Assumed: {THREAD_GATE_S * 1000:.0f} ms a gate and thread (the TFHE library's own figure), so that a device does "
    f"{PUBLISHED_ONE * THREADS / THREAD_GATE_S / 1000:.0f} thousand gates a second in full rounds of {WORKERS} "
    f"(four on each of 108 multiprocessors) of {1000 * WORKERS * THREAD_GATE_S / PUBLISHED_ONE / THREADS:.1f} ms; "
    f"{START_S * 1e6:.0f} us to start a share; the set tfhe_lib_128, {CIPHERTEXT_BYTES} bytes a ciphertext.",
    f"Assumed: links of {NVLINK.bytes_per_s / 1e9:.0f} GB/s in each direction of each device at a switch (NVLink 3 of "
    f"a DGX A100), or {PCIE.bytes_per_s / 1e9:.0f} GB/s of one bus (PCIe 4) through the host; "
    f"{NVLINK.latency_s * 1e6:.0f} us of latency a link. Keys are on the devices before the run.",
    "A bootstrap takes longer than a ciphertext's way by three orders of magnitude: scaling is decided by how full "
    "rounds are, not by links, until a level's share is a few gates.",
    f"Thousands of seconds on one thread are {1000 / THREAD_GATE_S:,.0f} gates for each thousand: their sigmoid is "
    "another function than ours, or a vector of them.",
    f"Random circuits have {N_LEVELS} levels and operands from anywhere in the level before: much movement.",
)
