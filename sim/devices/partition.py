"""Which device takes which gate of a step."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numba import njit

from designs.errors import InputError
from sim.devices.system import HOST, System
from workloads.circuits.circuit import N_BOOTSTRAPS, Circuit
from workloads.circuits.negations import sources_of

Partition = Literal["even", "packed", "affinity"]
PARTITIONS: tuple[Partition, ...] = get_args(Partition)
_MOST_PLACES = 63  # a word says which places have a ciphertext


def places_of(circuit: Circuit, steps: np.ndarray, system: System, partition: Partition) -> np.ndarray:
    """(n_gates,) int64: the place of each gate, a device from 1 on; NOTs stay at 0, they are done by who reads.

    `even` cuts the gates of a step, in their order, into as many runs as there are devices, as long as the devices are
    fast. The others take no more rounds than all devices together need. `packed` fills the first device first, so that
    as few work as that leaves. `affinity` puts each gate where most of its operands are, while there is room; of equal
    places the one of `even`, or the first in a circuit whose steps one device does in a round each.
    """
    if partition not in PARTITIONS:
        raise InputError(f"partition: wanted one of {', '.join(PARTITIONS)}, got {partition!r}; choose one")
    if len(system.devices) >= _MOST_PLACES:
        raise InputError(f"system: wanted fewer than {_MOST_PLACES} devices, got {len(system.devices)}; take fewer")
    cost = N_BOOTSTRAPS[circuit.ops].astype(np.int64)
    gates = np.flatnonzero(cost)
    gates = gates[np.argsort(steps[gates], kind="stable")]
    places = np.zeros(circuit.n_gates, np.int64)
    ends = np.flatnonzero(np.diff(steps[gates], append=-1)) + 1
    workers = np.array([device.n_workers for device in system.devices], np.int64)
    rates = np.array([device.bootstraps_per_s for device in system.devices])
    by_step = np.split(gates, ends[:-1]) if len(gates) else []
    is_wide = any(cost[of_step].sum() > workers.max() for of_step in by_step)
    for of_step in by_step:
        if partition == "even" or (partition == "affinity" and is_wide):
            places[of_step] = _cut(cost[of_step], rates)
    if partition != "even":
        sources, _ = sources_of(circuit)
        _fill(circuit.n_inputs, sources, circuit.operands, cost, gates, ends, workers, partition == "affinity", places)
    return places


def _cut(cost: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """The place of each gate of one step: whose part its middle falls in, parts as large as rates."""
    bounds = np.cumsum(rates)[:-1] / rates.sum() * cost.sum()
    return 1 + np.searchsorted(bounds, np.cumsum(cost) - cost / 2, side="right")


@njit(cache=True)
def _fill(
    n_inputs: int,
    sources: np.ndarray,
    operands: np.ndarray,
    cost: np.ndarray,
    gates: np.ndarray,
    ends: np.ndarray,
    workers: np.ndarray,
    follow: bool,
    places: np.ndarray,
) -> None:
    """Fill `places` step by step, every device to the same number of whole rounds; a MUX takes two places.

    What stands there is the place that is preferred to equal ones, 0 for the first.
    """
    has = np.zeros(n_inputs + len(places), np.uint64)  # bit p: place p has the ciphertext
    has[:n_inputs] = np.uint64(1) << np.uint64(HOST)
    first = 0
    for end in ends:
        wanted = 0
        for at in range(first, end):
            wanted += cost[gates[at]]
        room = workers * -(-wanted // workers.sum())
        for at in range(first, end):
            gate = gates[at]
            place = _best(sources, operands[gate], has, room, cost[gate], follow, places[gate])
            room[place - 1] -= cost[gate]
            places[gate] = place
            here = np.uint64(1) << np.uint64(place)
            has[n_inputs + gate] = here
            for read in operands[gate]:
                if read >= 0:
                    has[sources[read]] |= here
        first = end


@njit(cache=True)
def _best(
    sources: np.ndarray,
    operands: np.ndarray,
    has: np.ndarray,
    room: np.ndarray,
    cost: int,
    follow: bool,
    preferred: int,
) -> int:
    """The first place with room, or the one of them that has most operands; that with most room if none has enough."""
    best, most = 0, -1
    for place in range(1, len(room) + 1):
        if room[place - 1] < cost:
            continue
        n_there = 0  # twice the operands, and one where the place is preferred
        if follow:
            for read in operands:
                if read >= 0:
                    n_there += 2 * int((has[sources[read]] >> np.uint64(place)) & np.uint64(1))
            n_there += place == preferred
        if n_there > most:
            best, most = place, n_there
    return best if best else int(np.argmax(room)) + 1
