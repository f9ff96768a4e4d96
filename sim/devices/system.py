"""Hosts, devices and links: what a circuit's wavefronts are spread over.

Places are numbers: 0 is the host that has the inputs and wants the outputs, 1.. are the devices in order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from designs.errors import InputError

HOST = 0  # the place where inputs are and outputs go


@dataclass(frozen=True, kw_only=True)
class Link:
    """One direction of a connection. A message keeps it busy for its bytes; latency passes beside other messages."""

    name: str
    bytes_per_s: float
    latency_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.bytes_per_s > 0 or not 0 <= self.latency_s < math.inf:
            raise InputError(
                f"link {self.name}: wanted bytes_per_s above 0 and a latency_s of 0 or more, "
                f"got {self.bytes_per_s} and {self.latency_s}; mend them"
            )


class Device(Protocol):
    """Something that bootstraps: a share of a wavefront at a time."""

    @property
    def name(self) -> str: ...

    @property
    def n_workers(self) -> int:
        """Bootstraps that it does side by side."""

    @property
    def bootstraps_per_s(self) -> float:
        """No share is done faster than so many a second."""

    def share_s(self, n_bootstraps: np.ndarray) -> np.ndarray:
        """(n,) seconds of shares of so many bootstraps that wait for nothing; 0 for none, and never less for more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounds:
    """A device that works in rounds: `round_s[m]` are the seconds of m bootstraps side by side, at most n_workers.

    `round_s[0]` is 0 and the others rise or stay. `start_s` passes before each share: a launch.
    """

    name: str
    round_s: np.ndarray  # (n_workers + 1,) float64
    start_s: float = 0.0

    def __post_init__(self) -> None:
        ok = self.round_s.ndim == 1 and len(self.round_s) > 1 and self.round_s[0] == 0 < self.round_s[1]
        if not (ok and np.isfinite(self.round_s).all() and (np.diff(self.round_s) >= 0).all() and self.start_s >= 0):
            raise InputError(
                f"device {self.name}: wanted round_s from 0 at 0 bootstraps, above 0 at 1, never falling, and a "
                "start_s of 0 or more; mend them"
            )

    @property
    def n_workers(self) -> int:
        return len(self.round_s) - 1

    @property
    def bootstraps_per_s(self) -> float:
        return float((np.arange(1, len(self.round_s)) / self.round_s[1:]).max())

    def share_s(self, n_bootstraps: np.ndarray) -> np.ndarray:
        rounds, left = np.divmod(n_bootstraps, self.n_workers)
        return np.where(n_bootstraps > 0, self.start_s + rounds * self.round_s[-1] + self.round_s[left], 0.0)


@dataclass(frozen=True, kw_only=True)
class System:
    """Devices and how places reach each other: `routes[source, destination]` are places in `links`, rising.

    All links of a route are busy together while a message passes, as long as the slowest needs; latencies add up. An
    empty route costs nothing (shared memory).
    """

    devices: tuple[Device, ...]
    links: tuple[Link, ...]
    routes: Mapping[tuple[int, int], tuple[int, ...]]

    def __post_init__(self) -> None:
        if not self.devices:
            raise InputError("system: wanted at least one device, got none; add one")
        n_places = len(self.devices) + 1
        for pair in ((a, b) for a in range(n_places) for b in range(n_places) if a != b):
            route = self.routes.get(pair)
            if route is None or list(route) != sorted(set(route)) or not set(route) <= set(range(len(self.links))):
                raise InputError(f"system: wanted rising numbers of links as the route {pair}, got {route}; mend it")


def steady(name: str, n_workers: int, round_s: float, start_s: float = 0.0) -> Rounds:
    """A device whose rounds last as long however full they are, as those of a GPU or of a pool of threads."""
    seconds = np.full(n_workers + 1, round_s)
    seconds[0] = 0.0
    return Rounds(name=name, round_s=seconds, start_s=start_s)


def one_host(devices: Sequence[Device], link: Link, *, bus: Link | None = None) -> System:
    """Devices at one host, each with a connection of its own in each direction (a switch, as NVLink or PCIe).

    With `bus` every message also takes that one link, which all share (a PCIe root, the host's memory).
    """
    return several_hosts([devices], link, link, bus=bus)


def several_hosts(hosts: Sequence[Sequence[Device]], link: Link, network: Link, *, bus: Link | None = None) -> System:
    """Hosts with their devices; between hosts messages also take `network`, one in each direction at each host.

    Inputs are at the first host and outputs go there. `bus` is each host's own.
    """
    home = [0, *(number for number, devices in enumerate(hosts) for _ in devices)]
    n_hosts, n_places = len(hosts), len(home)
    # In this order along every route, so that messages never wait for each other in a ring.
    names = [f"{place} out" for place in range(1, n_places)]
    names += [f"host {h} bus" for h in range(n_hosts)] if bus else []
    first_out = len(names)
    names += [f"host {h} out" for h in range(n_hosts)] + [f"host {h} in" for h in range(n_hosts)]
    first_in = len(names)
    names += [f"{place} in" for place in range(1, n_places)]

    def route(source: int, destination: int) -> tuple[int, ...]:
        a, b = home[source], home[destination]
        taken = [source - 1] if source else []
        taken += sorted({n_places - 1 + a, n_places - 1 + b}) if bus else []
        taken += [first_out + a, first_out + n_hosts + b] if a != b else []
        return (*taken, *([first_in + destination - 1] if destination else []))

    def kind(number: int) -> Link:
        if number < n_places - 1 or number >= first_in:
            return link
        return network if number >= first_out or bus is None else bus

    links = tuple(
        Link(name=name, bytes_per_s=kind(number).bytes_per_s, latency_s=kind(number).latency_s)
        for number, name in enumerate(names)
    )
    routes = {(a, b): route(a, b) for a in range(n_places) for b in range(n_places) if a != b}
    return System(devices=tuple(device for devices in hosts for device in devices), links=links, routes=routes)
