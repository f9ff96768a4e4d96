"""A circuit's wavefronts on a system of devices, event by event: one event a share and a message, none a gate."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy

from sim.devices.plan import Plan, plan
from sim.devices.system import HOST, System
from workloads.circuits.circuit import Circuit


@dataclass(frozen=True, kw_only=True, eq=False)
class DevicesRun:
    """One run, from inputs at the host to outputs at the host."""

    seconds: float
    bound_s: float  # nothing is faster on these devices: the longest path, or all work at full speed
    n_steps: int
    busy_s: np.ndarray  # (n_devices,) while bootstrapping
    bootstraps: np.ndarray  # (n_devices,) int64
    moved: np.ndarray  # (n_places, n_places) int64: ciphertexts by source and destination
    bytes_moved: int
    n_messages: int
    link_busy_s: np.ndarray  # (n_links,)
    peak_ciphertexts: np.ndarray  # (n_places,) int64
    shares: np.ndarray  # (n_shares, 4): device, step, start and end in seconds
    messages: np.ndarray  # (n_messages, 5): source, destination, step made, start on the links and arrival in seconds


def simulate(
    circuit: Circuit,
    steps: np.ndarray,
    places: np.ndarray,
    system: System,
    *,
    ciphertext_bytes: int,
    barriers: bool = True,
    barrier_s: float = 0.0,
) -> DevicesRun:
    """Run a circuit whose gate i is done in step steps[i] at place places[i] (partition.places_of).

    A device does its shares in the order of steps. What it made for another place is sent as one message when the share
    ends; messages wait for all links of their route, first come first served, each source's from its next neighbour on.
    With `barriers` a step begins when all shares and messages of the one before are done, `barrier_s` later; without,
    a share begins when its device is free and its operands are there.
    """
    planned = plan(circuit, steps, places, len(system.devices) + 1)
    return _Simulation(planned, system, ciphertext_bytes, barriers, barrier_s).run()


class _Simulation:
    """Processes of one run; times are seconds."""

    def __init__(self, planned: Plan, system: System, ciphertext_bytes: int, barriers: bool, barrier_s: float) -> None:
        self.plan, self.system, self.ciphertext_bytes = planned, system, ciphertext_bytes
        self.barriers, self.barrier_s = barriers, barrier_s
        self.env = simpy.Environment()
        self.links = [simpy.Resource(self.env) for _ in system.links]
        self.link_busy_s = np.zeros(len(system.links))
        self.arrived: list[simpy.Event] = [self.env.event() for _ in planned.messages]
        self.message_times = np.zeros((len(planned.messages), 2))
        self.shares: list[tuple[int, int, float, float]] = []
        self.share_s = np.stack(
            [np.zeros(planned.n_steps + 2)]
            + [device.share_s(planned.bootstraps[:, place]) for place, device in enumerate(system.devices, 1)],
            axis=1,
        )
        self.sent_from = _by_share(planned.messages[:, 0], planned.messages[:, 1])
        self.waits_of = _by_share(planned.waits[:, 0], planned.waits[:, 1])

    def run(self) -> DevicesRun:
        process = self._in_steps() if self.barriers else self._as_ready()
        self.env.run(self.env.process(process))
        planned, n_places = self.plan, len(self.system.devices) + 1
        moved = np.zeros((n_places, n_places), np.int64)
        np.add.at(moved, (planned.messages[:, 1], planned.messages[:, 2]), planned.messages[:, 3])
        shares = np.array(sorted(self.shares), float).reshape(-1, 4)
        busy_s = np.bincount(shares[:, 0].astype(int), shares[:, 3] - shares[:, 2], n_places)[1:]
        return DevicesRun(
            seconds=float(self.env.now),
            bound_s=bound_s(planned, self.system),
            n_steps=planned.n_steps,
            busy_s=busy_s,
            bootstraps=planned.bootstraps.sum(axis=0)[1:],
            moved=moved,
            bytes_moved=int(moved.sum()) * self.ciphertext_bytes,
            n_messages=len(planned.messages),
            link_busy_s=self.link_busy_s,
            peak_ciphertexts=planned.peak_ciphertexts,
            shares=shares,
            messages=np.concatenate([planned.messages[:, [1, 2, 0]], self.message_times], axis=1),
        )

    def _in_steps(self) -> Generator[Any, Any, None]:
        """Every step after the one before."""
        self._send(0, HOST)
        yield self.env.all_of(self._sent(0, [HOST]))
        for step in range(1, self.plan.n_steps + 1):
            working = np.flatnonzero(self.plan.bootstraps[step]).tolist()
            yield self.env.all_of([self.env.process(self._share(step, place)) for place in working])
            yield self.env.all_of(self._sent(step, working))
            if self.barrier_s and step < self.plan.n_steps:
                yield self.env.timeout(self.barrier_s)

    def _as_ready(self) -> Generator[Any, Any, None]:
        """Each device on its own, and the host until it has all outputs."""
        self._send(0, HOST)
        places = range(1, len(self.system.devices) + 1)
        yield self.env.all_of([self.env.process(self._device(place)) for place in places])
        yield self.env.all_of(self._operands(self.plan.n_steps + 1, HOST))

    def _device(self, place: int) -> Generator[Any, Any, None]:
        for step in np.flatnonzero(self.plan.bootstraps[:, place]).tolist():
            yield self.env.all_of(self._operands(step, place))
            yield from self._share(step, place)

    def _share(self, step: int, place: int) -> Generator[Any, Any, None]:
        """Do one share, then send what others read of it."""
        start = self.env.now
        yield self.env.timeout(self.share_s[step, place])
        self.shares.append((place, step, start, self.env.now))
        self._send(step, place)

    def _send(self, step: int, place: int) -> None:
        n_places = len(self.system.devices) + 1
        numbers = self.sent_from.get((step, place), [])
        # All places at once would otherwise send to the first one first, and wait for each other there.
        for number in sorted(numbers, key=lambda number: (self.plan.messages[number, 2] - place) % n_places):
            self.env.process(self._message(number))

    def _message(self, number: int) -> Generator[Any, Any, None]:
        _, source, destination, n_ciphertexts = (int(value) for value in self.plan.messages[number])
        route = self.system.routes[source, destination]
        requests = []
        for link in route:
            requests.append((link, self.links[link].request()))
            yield requests[-1][1]
        self.message_times[number, 0] = self.env.now
        if route:
            taken = [self.system.links[link] for link in route]
            seconds = n_ciphertexts * self.ciphertext_bytes / min(link.bytes_per_s for link in taken)
            yield self.env.timeout(seconds)
            for link, request in requests:
                self.links[link].release(request)
                self.link_busy_s[link] += seconds
            yield self.env.timeout(sum(link.latency_s for link in taken))
        self.message_times[number, 1] = self.env.now
        self.arrived[number].succeed()

    def _operands(self, step: int, place: int) -> list[simpy.Event]:
        return [self.arrived[self.plan.waits[wait, 2]] for wait in self.waits_of.get((step, place), [])]

    def _sent(self, step: int, places: list[int]) -> list[simpy.Event]:
        return [self.arrived[number] for place in places for number in self.sent_from.get((step, place), [])]


def bound_s(planned: Plan, system: System) -> float:
    """The longer of: the longest path, each gate alone on the fastest device; all bootstraps at full speed."""
    shortest = min(float(device.share_s(np.array([1]))[0]) for device in system.devices)
    rate = sum(device.bootstraps_per_s for device in system.devices)
    return max(planned.depth * shortest, float(planned.bootstraps.sum()) / rate)


def _by_share(steps: np.ndarray, places: np.ndarray) -> dict[tuple[int, int], list[int]]:
    """(step, place) -> rows."""
    found: dict[tuple[int, int], list[int]] = {}
    for row, key in enumerate(zip(steps.tolist(), places.tolist(), strict=True)):
        found.setdefault(key, []).append(row)
    return found
