"""The area model: its stored measurements, its stored coefficients, and what it may not do."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.tensor import Design
from designs.technology import area_errors, fitted_source, load_technology
from explore import area_coefficients, area_fit
from explore.families.tensor.slices import by_slice, slice_of

FITTED = load_technology(45)
MEASUREMENTS = area_fit.load()
POINTS = pytest.mark.parametrize("name", sorted(MEASUREMENTS))


@POINTS
def test_memories_are_those_of_the_circuit_bit_for_bit(name: str) -> None:
    found = MEASUREMENTS[name]
    synthesized = sum(count * n_words * width for _, _, count, n_words, width in found["memories"])
    assert area_coefficients.memory_bits(Design(**found["design"])) == synthesized


@POINTS
def test_every_circuit_belongs_to_a_slice_and_the_slices_add_up(name: str) -> None:
    found = MEASUREMENTS[name]
    slices = area_coefficients.synthesized_slices(found)
    assert sum(slices.values()) == pytest.approx(found["nand2"])
    assert set(slices) == set(area_coefficients.model_slices(Design(**found["design"]), FITTED))


@POINTS
def test_points_are_those_of_the_seed(name: str) -> None:
    role, _, number = name.rpartition("_")
    drawn = area_fit.draw(role, int(number) + 1)[-1]  # type: ignore[arg-type]
    assert drawn == Design(**MEASUREMENTS[name]["design"])  # fields that came later have their defaults


def test_stored_errors_are_those_of_the_stored_coefficients() -> None:
    for group, found in area_fit.error_groups(MEASUREMENTS, FITTED).items():
        stored = area_errors(group)
        assert found.n_points == stored.n_points
        for key in ("median", "percentile_90", "worst"):
            assert getattr(found, key) == pytest.approx(getattr(stored, key), abs=6e-5), group


def test_the_aim_is_met_on_points_that_were_not_fitted() -> None:
    assert not {str(m["design"]) for n, m in MEASUREMENTS.items() if n.startswith("held_out")} & {
        str(m["design"]) for n, m in MEASUREMENTS.items() if n.startswith("fit")
    }
    assert area_errors().n_points >= 10 and area_errors().median < 0.05


def test_the_fitted_model_is_nearer_than_the_literature() -> None:
    literature = area_fit.error_groups(MEASUREMENTS, load_technology(45, logic="literature"))
    assert area_errors().median < literature["held_out"].median
    assert FITTED.logic == "fitted" and f"seed {area_fit.SEED}" in fitted_source()


def test_the_fit_finds_the_prices_of_a_machine_that_has_them() -> None:
    """Measurements made of known prices: the fit gives them back, in totals to a part in a thousand."""
    made = {name: _priced(found) for name, found in MEASUREMENTS.items() if name.startswith("fit")}
    refitted = dataclasses.replace(FITTED, nand2={**FITTED.nand2, **area_coefficients.fit(list(made.values()))})
    assert area_fit.error_groups(made, refitted)["fit"].worst < 1e-3


def _priced(found: dict[str, Any]) -> dict[str, Any]:
    slices = area_coefficients.model_slices(Design(**found["design"]), FITTED)
    modules: dict[str, tuple[int, float]] = {}
    for module in found["modules"]:  # the first circuit of a slice stands for it all
        modules[module] = (1, slices.pop(slice_of(module), 0.0))
    return {"design": found["design"], "modules": modules, "nand2": sum(size for _, size in modules.values())}


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, 10_000), data=st.data())
def test_more_hardware_is_never_less_logic(number: int, data: st.DataObject) -> None:
    (design,) = [area_fit._draw("held_out", number, area_fit.SEED)]
    grown = data.draw(st.sampled_from(sorted(_more(design).items())))
    more = dataclasses.replace(design, **grown[1])
    more.check()
    assert _nand2(more) >= _nand2(design), grown


def _more(design: Design) -> dict[str, dict[str, Any]]:
    options: dict[str, dict[str, Any]] = {
        "both sides": {"array_rows": 2 * design.array_rows, "array_cols": 2 * design.array_cols},
        "saturation": {"acc_overflow": "saturate"},
        "channel scales": {"requant_granularity": "per_channel"},
        "multipliers": {"requant": "multiplier_shift"},
    }
    if design.acc_bits < 48:
        # As many words as before: fewer would need shorter addresses.
        n_bits = design.acc_words * design.n_buffers * design.array_cols * (design.acc_bits + 1)
        options["accumulators"] = {"acc_bits": design.acc_bits + 1, "acc_scratchpad_bytes": -(-n_bits // 8)}
    if design.requant_multiplier_bits < 31:
        options["wider multipliers"] = {"requant_multiplier_bits": design.requant_multiplier_bits + 1}
    return options


def _nand2(design: Design) -> float:
    slices = area_coefficients.model_slices(design, FITTED)
    logic = sum(size for name, size in slices.items() if name != "gearbox")  # aligned words need fewer shifts: real
    return round(logic, 6)  # equal parts summed in another order differ in the last digits of a float


def test_slices_by_hand() -> None:
    assert slice_of("tensor") == slice_of("tensor.core") == slice_of("tensor.tile_ring") == "control"
    assert slice_of("tensor.core.compute.datapath.array.pe_3_11") == "pe"
    assert slice_of("tensor_machine.data.walker.counter") == "dma" and slice_of("tensor.data.unpack") == "gearbox"
    assert by_slice({"t.core.compute.im2col": 2.0, "t": 1.0, "t.core": 4.0}) == {"address": 2.0, "control": 5.0}
    with pytest.raises(InputError, match="t.new: wanted a module of the tensor machine"):
        slice_of("t.new")


def test_summary_by_hand() -> None:
    found = area_coefficients.summary([-0.4, 0.1, 0.2])
    assert (found.n_points, found.median, found.worst) == (3, pytest.approx(0.2), pytest.approx(0.4))


def test_a_store_is_written_whole(tmp_path: Any) -> None:
    store = tmp_path / "store.json"
    area_fit.save(store, {"b": {"nand2": 1}, "a": {"nand2": 2}})
    assert list(json.loads(store.read_text())) == ["a", "b"] and area_fit.load(store)["a"] == {"nand2": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["store.json"]


@pytest.mark.rtl
@pytest.mark.parametrize("dataflow", ["weight_stationary", "output_stationary"])
def test_a_fresh_synthesis_is_within_the_stated_worst_error(
    dataflow: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path))
    design = Design(
        array_rows=2, array_cols=2, dataflow=dataflow, act_bits=4, weight_bits=4, acc_bits=20, requant="shift",
        requant_multiplier_bits=8, act_scratchpad_bytes=512, weight_scratchpad_bytes=512, acc_scratchpad_bytes=512,
        dram_bytes_per_cycle=4,
    )  # fmt: skip
    found = area_fit.synthesized(design)
    worst = max(area_errors("fit").worst, area_errors().worst)
    assert abs(area_coefficients.error(found, FITTED)) <= worst
    synthesized = sum(count * n_words * width for _, _, count, n_words, width in found["memories"])
    assert area_coefficients.memory_bits(design) == synthesized
    assert area_fit.synthesized(design) == found  # from the cache now
