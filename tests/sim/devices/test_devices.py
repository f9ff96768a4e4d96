"""Circuits on devices: times by hand, and what holds for every circuit, system and partition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from sim.devices.partition import PARTITIONS, Partition, places_of
from sim.devices.plan import plan
from sim.devices.run import DevicesRun, simulate
from sim.devices.steps import POLICIES, Policy, steps_of
from sim.devices.system import HOST, Link, Rounds, System, one_host, several_hosts, steady
from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import AND, MUX, N_BOOTSTRAPS, NOT, XOR, Circuit, Port
from workloads.circuits.negations import sources_of
from workloads.circuits.random_circuits import random_circuit

BYTES = 100  # of a ciphertext


def circuit(n_inputs: int, gates: list[tuple[int, ...]], outputs: list[int]) -> Circuit:
    """A circuit of (op, operands..) lines."""
    operands = np.array([[*gate[1:], -1, -1][:3] for gate in gates]).reshape(-1, 3)
    ports = (Port(name="x", bits=n_inputs),), (Port(name="y", bits=len(outputs)),)
    return circuit_of("hand", *ports, np.array([gate[0] for gate in gates]), operands, np.array(outputs))


def levels(made: Circuit) -> np.ndarray:
    """The step of each gate, as early as can be; NOTs take none."""
    sources, _ = sources_of(made)
    step = np.zeros(made.n_inputs + made.n_gates, int)
    for gate, op in enumerate(made.ops):
        if op != NOT:
            read = [sources[signal] for signal in made.operands[gate] if signal >= 0]
            step[made.n_inputs + gate] = 1 + max(step[read])
    return step[made.n_inputs :]


def link(bytes_per_s: float = 1000, latency_s: float = 0.5) -> Link:
    return Link(name="wire", bytes_per_s=bytes_per_s, latency_s=latency_s)


def test_levels_are_the_wide_first_steps() -> None:
    for seed in range(5):
        made = random_circuit(seed, 80, not_share=0.3)
        assert steps_of(made, "wide_first", 1).tolist() == levels(made).tolist()


def test_critical_path_by_hand() -> None:
    # A chain of three, and three gates that nobody waits for; a MUX that fits no step of one, and is done all the same.
    gates = [(AND, 0, 1), (AND, 0, 2), (AND, 1, 2), (XOR, 0, 1), (AND, 6, 0), (NOT, 7), (AND, 8, 0), (MUX, 0, 1, 2)]
    made = circuit(3, gates, [9])
    assert steps_of(made, "critical_path", 2).tolist() == [1, 2, 3, 1, 2, 0, 3, 4]
    assert steps_of(made, "critical_path", 1).tolist() == [3, 4, 5, 1, 2, 0, 6, 7]
    assert steps_of(made, "critical_path", 9).tolist() == [1, 1, 1, 1, 2, 0, 3, 1]


@pytest.mark.parametrize("n_workers", [1, 3, 50])
def test_critical_path_fills_steps_and_never_runs_ahead(n_workers: int) -> None:
    made = random_circuit(n_workers, 500, width=30, not_share=0.2)
    steps = steps_of(made, "critical_path", n_workers)
    cost = N_BOOTSTRAPS[made.ops]
    per_step = np.bincount(steps, cost)[1:]
    assert per_step.sum() == made.n_bootstraps and (per_step >= 1).all() and per_step.max() <= max(2, n_workers)
    plan(made, steps, np.ones(made.n_gates, int), 2)  # would refuse what reads too early
    assert steps.max() <= levels(made).max() + made.n_bootstraps / max(1, n_workers - 1)  # Graham's bound


def run(
    made: Circuit, system: System, places: list[int] | np.ndarray, *, barriers: bool = True, barrier_s: float = 0.0
) -> DevicesRun:
    return simulate(
        made, levels(made), np.array(places), system, ciphertext_bytes=BYTES, barriers=barriers, barrier_s=barrier_s
    )


# Four inputs; two ANDs and their XOR, which is inverted on the way out.
SMALL = circuit(4, [(AND, 0, 1), (AND, 2, 3), (XOR, 4, 5), (NOT, 6)], [7])


def test_one_device_by_hand() -> None:
    system = one_host([steady("gpu", 1, 2.0, start_s=0.25)], link())
    found = run(SMALL, system, [1, 1, 1, 0])
    # 4 inputs: 0.4 + 0.5; two rounds and a start: 4.25; one: 2.25; one output: 0.1 + 0.5
    assert found.seconds == pytest.approx(0.9 + 4.25 + 2.25 + 0.6)
    assert found.moved.tolist() == [[0, 4], [1, 0]] and found.n_messages == 2 and found.bytes_moved == 500
    assert found.bootstraps.tolist() == [3] and found.busy_s == pytest.approx([6.5])
    assert dict(zip([one.name for one in system.links], found.link_busy_s, strict=True)) == pytest.approx(
        {"1 out": 0.1, "host 0 out": 0, "host 0 in": 0, "1 in": 0.4}
    )
    assert found.bound_s == pytest.approx(3 / 0.5)  # three bootstraps at one in two seconds
    assert found.peak_ciphertexts.tolist() == [4, 6]  # four inputs and what the two ANDs make of them


def test_two_devices_by_hand() -> None:
    system = one_host([steady("a", 1, 2.0), steady("b", 1, 2.0)], link())
    found = run(SMALL, system, [1, 2, 1, 0])
    # Two inputs each, at the same time; a round; b's result over two links to a; a round; the output.
    assert found.seconds == pytest.approx(0.7 + 2 + 1.1 + 2 + 0.6)
    assert found.moved.tolist() == [[0, 2, 2], [1, 0, 0], [0, 1, 0]]
    assert run(SMALL, system, [1, 2, 1, 0], barrier_s=0.1).seconds == pytest.approx(found.seconds + 0.1)


def test_a_bus_is_shared() -> None:
    devices = [steady("a", 1, 2.0), steady("b", 1, 2.0)]
    system = one_host(devices, link(), bus=Link(name="bus", bytes_per_s=500))
    found = run(SMALL, system, [1, 2, 1, 0])
    # The bus is slower and takes one message after the other: 0.4 + 0.4 + latency; later ones 0.2 instead of 0.1.
    assert found.seconds == pytest.approx(0.8 + 0.5 + 2 + 1.2 + 2 + 0.7)


def test_devices_at_another_host_go_over_the_network() -> None:
    device = steady("a", 1, 2.0)
    system = several_hosts([[device], [device]], link(), Link(name="network", bytes_per_s=100, latency_s=1.0))
    assert [system.links[number].name for number in system.routes[1, 2]] == ["1 out", "host 0 out", "host 1 in", "2 in"]
    assert [system.links[number].name for number in system.routes[HOST, 1]] == ["1 in"]
    found = run(SMALL, system, [1, 2, 1, 0])
    # Two ciphertexts over the network: 2 s at 100 bytes/s, and latencies 1 + 1 + 0.5; back one, from link to link.
    assert found.seconds == pytest.approx(4.5 + 2 + (1 + 0.5 + 1 + 1 + 0.5) + 2 + 0.6)


def test_without_barriers_a_device_goes_on() -> None:
    # a: two gates in a chain on its own; b: two gates one after the other in one step, read by nobody else.
    made = circuit(4, [(AND, 0, 1), (AND, 2, 3), (XOR, 2, 3), (AND, 4, 0)], [5, 6, 7])
    system = one_host([steady("a", 1, 2.0), steady("b", 1, 2.0)], link(float("inf"), 0.0))
    assert run(made, system, [1, 2, 2, 1]).seconds == pytest.approx(6)  # b's two, then a's second
    assert run(made, system, [1, 2, 2, 1], barriers=False).seconds == pytest.approx(4)


def test_without_barriers_transfers_hide_behind_work() -> None:
    """b's operand travels while b still works: the chain of events by hand."""
    made = circuit(2, [(AND, 0, 1), (XOR, 0, 1), (AND, 3, 0), (AND, 2, 4)], [5])
    system = one_host([steady("a", 1, 2.0), steady("b", 1, 2.0)], link())
    places = [1, 2, 2, 2]
    inputs = 0.7  # two ciphertexts to each
    assert run(made, system, places).seconds == pytest.approx(inputs + 2 + 1.1 + 2 + 2 + 0.6)
    assert run(made, system, places, barriers=False).seconds == pytest.approx(inputs + 2 + 2 + 2 + 0.6)


def test_a_mux_is_two_bootstraps_and_a_repeated_read_is_one_ciphertext() -> None:
    made = circuit(3, [(MUX, 0, 1, 2), (AND, 3, 3), (XOR, 3, 0)], [4, 5, 5])
    assert plan(made, levels(made), np.array([1, 2, 2]), 3).messages.tolist() == [
        [0, 0, 1, 3], [0, 0, 2, 1], [1, 1, 2, 1], [2, 2, 0, 2],
    ]  # fmt: skip
    found = run(made, one_host([steady("a", 2, 1.0), steady("b", 1, 1.0)], link()), [1, 2, 2])
    assert found.bootstraps.tolist() == [2, 2]
    assert found.seconds == pytest.approx(0.8 + 1 + 1.1 + 2 + 0.7)


def test_an_input_that_is_an_output_stays_at_the_host() -> None:
    found = run(circuit(1, [(NOT, 0)], [1, 0, -1, -2]), one_host([steady("a", 1, 1.0)], link()), [0])
    assert found.seconds == 0 and found.n_messages == 0 and found.bytes_moved == 0


def test_partitions_by_hand() -> None:
    # Step 1: six ANDs; step 2: three gates on results 0 1, 2 3, 4 5.
    gates = [*((AND, 2 * i, 2 * i + 1) for i in range(6)), *((XOR, 12 + 2 * i, 13 + 2 * i) for i in range(3))]
    made = circuit(12, gates, [18, 19, 20])
    system = one_host([steady("a", 2, 1.0), steady("b", 4, 1.0)], link())

    def found(partition: Partition) -> list[int]:
        return places_of(made, levels(made), system, partition).tolist()

    assert found("even") == [1, 1, 2, 2, 2, 2, 1, 2, 2]  # a third and two thirds
    assert found("packed") == [1, 1, 2, 2, 2, 2, 1, 1, 2]  # two in a, then b
    assert found("affinity") == [1, 1, 2, 2, 2, 2, 1, 2, 2]  # where both operands are


def test_a_narrow_step_stays_on_one_device() -> None:
    made = random_circuit(3, 60, width=4, not_share=0.2)
    system = one_host([steady("a", 8, 1.0), steady("b", 8, 1.0)], link())
    for partition in ("packed", "affinity"):
        places = places_of(made, levels(made), system, partition)
        assert set(places[made.ops != NOT]) == {1} and set(places[made.ops == NOT]) <= {0}


@pytest.mark.parametrize("n_devices", [1, 3, 7])
@pytest.mark.parametrize("partition", PARTITIONS)
def test_partitions_keep_rounds(n_devices: int, partition: Partition) -> None:
    """Nobody has more to do in a step than all together in whole rounds, and a MUX that did not fit."""
    made = random_circuit(n_devices, 700, width=100)
    steps = levels(made)
    system = one_host([steady(str(n), 4 + n, 1.0) for n in range(n_devices)], link())
    places = places_of(made, steps, system, partition)
    cost = N_BOOTSTRAPS[made.ops]
    workers = np.array([device.n_workers for device in system.devices])
    for step in range(1, steps.max() + 1):
        per_device = np.bincount(places[steps == step], cost[steps == step], n_devices + 1)[1:]
        rounds = -(-per_device.sum() // workers.sum())
        assert per_device.sum() == cost[steps == step].sum()
        assert (per_device <= rounds * workers + 1).all() if partition != "even" else True


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="link wire: wanted bytes_per_s above 0"):
        link(0)
    with pytest.raises(InputError, match="device gpu: wanted round_s from 0"):
        Rounds(name="gpu", round_s=np.array([0.0, 2.0, 1.0]))
    with pytest.raises(InputError, match="at least one device"):
        one_host([], link())
    with pytest.raises(InputError, match=r"as the route \(0, 1\), got \(2, 1\)"):
        System(devices=(steady("a", 1, 1.0),), links=(link(),) * 3, routes={(0, 1): (2, 1), (1, 0): ()})
    with pytest.raises(InputError, match="1 reads too early"):
        plan(SMALL, np.array([1, 2, 2, 0]), np.array([1, 1, 1, 0]), 2)
    with pytest.raises(InputError, match="policy: wanted one of wide_first, critical_path, got 'deep'"):
        steps_of(SMALL, "deep", 1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="n_workers: wanted 1 or more, got 0"):
        steps_of(SMALL, "wide_first", 0)
    with pytest.raises(InputError, match="partition: wanted one of even, packed, affinity, got 'odd'"):
        places_of(SMALL, levels(SMALL), one_host([steady("a", 1, 1.0)], link()), "odd")  # type: ignore[arg-type]


@st.composite
def systems(draw: st.DrawFn) -> System:
    def device(name: int) -> Rounds:
        rises = draw(st.lists(st.sampled_from([0.0, 0.125, 1.0]), min_size=1, max_size=5))
        return Rounds(name=str(name), round_s=np.cumsum([0, 0.5, *rises]), start_s=draw(st.sampled_from([0.0, 0.25])))

    def wire() -> Link:
        return link(draw(st.sampled_from([50.0, 4000.0, float("inf")])), draw(st.sampled_from([0.0, 0.01, 3.0])))

    hosts = [[device(n) for n in range(draw(st.integers(1, 3)))] for _ in range(draw(st.integers(1, 2)))]
    return several_hosts(hosts, wire(), wire(), bus=draw(st.none() | st.builds(wire)))


@settings(max_examples=40, deadline=None)
@given(systems(), st.integers(0, 10_000), st.sampled_from(PARTITIONS), st.sampled_from(POLICIES), st.booleans())
def test_what_holds_for_every_run(
    system: System, seed: int, partition: Partition, policy: Policy, barriers: bool
) -> None:
    made = random_circuit(seed, seed % 90)
    steps = steps_of(made, policy, sum(device.n_workers for device in system.devices))
    places = places_of(made, steps, system, partition)
    found = simulate(made, steps, places, system, ciphertext_bytes=BYTES, barriers=barriers)
    assert found.seconds >= found.bound_s * (1 - 1e-9)
    assert found.bootstraps.sum() == made.n_bootstraps
    assert (found.busy_s <= found.seconds + 1e-9).all() and (found.link_busy_s <= found.seconds + 1e-9).all()
    assert found.moved.tolist() == cut_edges(made, places, len(system.devices) + 1).tolist()
    assert found.bytes_moved == BYTES * found.moved.sum()
    assert (found.messages[:, 4] >= found.messages[:, 3]).all()
    check_order(made, steps, places, found)


def cut_edges(made: Circuit, places: np.ndarray, n_places: int) -> np.ndarray:
    """Ciphertexts by source and destination, each once for every place that reads it, counted one by one."""
    sources, _ = sources_of(made)
    home = [*([HOST] * made.n_inputs), *places.tolist()]
    needed = {(sources[signal], HOST) for signal in made.outputs if signal >= 0}
    for gate in np.flatnonzero(made.ops != NOT):
        needed |= {(sources[signal], places[gate]) for signal in made.operands[gate] if signal >= 0}
    moved = np.zeros((n_places, n_places), int)
    for signal, place in needed:
        moved[home[signal], place] += home[signal] != place
    return moved


def check_order(made: Circuit, steps: np.ndarray, places: np.ndarray, found: DevicesRun) -> None:
    """Every share begins after all that its gates read was made and has arrived, read by read."""
    sources, _ = sources_of(made)
    shares = {(int(place), int(step)): (start, end) for place, step, start, end in found.shares}
    arrival = {tuple(int(n) for n in row[:3]): row[4] for row in found.messages}
    for gate in np.flatnonzero(made.ops != NOT):
        start = shares[places[gate], steps[gate]][0]
        for signal in (sources[signal] for signal in made.operands[gate] if signal >= 0):
            maker = signal - made.n_inputs
            home, made_in = (HOST, 0) if maker < 0 else (places[maker], steps[maker])
            if home != places[gate]:
                assert arrival[home, places[gate], made_in] <= start + 1e-9
            elif maker >= 0:
                assert shares[home, made_in][1] <= start + 1e-9


def test_a_large_circuit_costs_events_per_share_not_per_gate() -> None:
    made = random_circuit(1, 40_000, width=4_000, n_inputs=64)
    system = one_host([steady(str(n), 100, 1.0) for n in range(4)], link(1e6, 1e-5))
    steps = 1 + np.arange(made.n_gates) // 4_000
    places = places_of(made, steps, system, "affinity")
    found = simulate(made, steps, places, system, ciphertext_bytes=BYTES)
    assert found.n_messages <= (found.n_steps + 1) * 5 * 4
    assert found.seconds >= found.bound_s
