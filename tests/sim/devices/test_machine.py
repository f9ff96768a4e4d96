"""Bootstrapping machines as devices."""

from __future__ import annotations

import numpy as np
import pytest

from designs.families.fhe import Design
from sim.devices.machine import Machine
from sim.devices.partition import places_of
from sim.devices.run import simulate
from sim.devices.steps import steps_of
from sim.devices.system import Link, one_host
from sim.families import fhe
from workloads.circuits.random_circuits import random_circuit

SMALL = Design(
    parameter_set="custom", lwe_dimension=8, glwe_dimension=1, ring_degree=64, decomposition_levels=2,
    decomposition_base_bits=6, key_switch_levels=3, key_switch_base_bits=2, lwe_noise=1e-6, glwe_noise=1e-8,
    coefficients_per_cycle=8, ntt_ranks=3, key_residues_per_cycle=8, key_switch_lanes=8, cores=2, batch=4,
)  # fmt: skip


def test_shares_take_what_the_simulator_says() -> None:
    machine = Machine(name="a", design=SMALL)
    sizes = np.array([0, 1, 3, 8, 9, 40, 400, 8])
    seconds = machine.share_s(sizes)
    assert seconds[0] == 0 and seconds[3] == seconds[7] and machine.n_workers == 8
    assert (np.diff(seconds[:7]) >= 0).all()
    assert (seconds[1:] >= sizes[1:] / machine.bootstraps_per_s * (1 - 1e-9)).all()
    assert seconds[6] == pytest.approx(400 / machine.bootstraps_per_s, rel=0.1)  # long shares come near the bound


def test_two_machines_on_a_circuit() -> None:
    circuit = random_circuit(1, 300, width=60)
    wire = Link(name="wire", bytes_per_s=1e9)
    seconds = []
    for n in (1, 2):
        system = one_host([Machine(name=str(number), design=SMALL) for number in range(n)], wire)
        steps = steps_of(circuit, "wide_first", 8 * n)
        found = simulate(circuit, steps, places_of(circuit, steps, system, "even"), system, ciphertext_bytes=36)
        assert found.seconds >= found.bound_s
        seconds.append(found.seconds)
    (alone,) = fhe.simulate([SMALL], circuit)
    assert seconds[1] < seconds[0] and seconds[0] >= alone.cycles / (SMALL.clock_mhz * 1e6)  # levels do not overlap
