"""What is remembered of a design is what the function would answer, and is found once for all that agree in what it reads."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from designs.families.tensor import Design
from designs.space import load_space
from sim.parts import remembered as module
from sim.parts import tensor, tensor_array, tensor_control, tensor_output, tensor_vector
from sim.parts.remembered import remembered


@dataclass(frozen=True)
class Machine:
    kind: str = "a"
    lanes: float = 1
    banks: int = 2
    unread: int = 0

    @property
    def words(self) -> int:
        return self.banks * 8


def test_it_runs_once_for_all_that_agree_in_what_it_read() -> None:
    calls = []

    @remembered
    def size(machine: Machine) -> tuple[object, ...]:
        """Reads `banks` of machines of kind b only."""
        calls.append(machine)
        return (machine.lanes, machine.words) if machine.kind == "b" else (machine.lanes,)

    assert size(Machine()) == size(Machine(banks=4, unread=3)) == (1,) and len(calls) == 1
    assert size(Machine(kind="b")) == (1, 16) and len(calls) == 2
    assert size(Machine(kind="b", unread=9)) == (1, 16) and len(calls) == 2
    assert size(Machine(kind="b", banks=4)) == (1, 32) and len(calls) == 3
    assert size(Machine(lanes=2)) == (2,) and len(calls) == 4


def test_equal_keys_of_other_types_are_other_values() -> None:
    double = remembered(lambda machine: repr(machine.lanes))
    assert [double(Machine(lanes=value)) for value in (1, 1.0, True, 1)] == ["1", "1.0", "True", "1"]


def test_a_function_of_nothing_is_called_once() -> None:
    calls = []
    constant = remembered(lambda machine: len(calls) or calls.append(1) or 0)
    assert constant(Machine()) == constant(Machine(banks=9)) == 0


def test_it_forgets_rather_than_grows(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "_MOST_KEPT", 3)
    calls = []

    @remembered
    def lanes(machine: Machine) -> float:
        calls.append(1)
        return machine.lanes

    assert [lanes(Machine(lanes=n)) for n in (1, 2, 3, 3, 4, 4, 1)] == [1, 2, 3, 3, 4, 4, 1]
    assert len(calls) == 5  # 1, 2, 3, then 4 anew, then 1 again


@given(st.integers(0, 10**6), st.sampled_from(["tensor", "transformer", "tensor_nm"]))
def test_inventories_are_those_of_every_slice_built_anew(seed: int, name: str) -> None:
    space = load_space(name)
    (point,) = space.random_points(1, seed)
    design = Design(**point)
    found = tensor.tensor_inventory(design)
    assert found["pe"] == tensor_array.array(design)
    assert found["gearbox"] == tensor_control.gearboxes(design)
    assert found["output_path"] == tensor_output.output_path(design)
    assert {k: v for k, v in found.items() if k.startswith("vector")} == tensor_vector.vector_slices(design)
    for slice_, build in tensor._BEFORE.items():
        assert found.get(slice_, ()) == build.__wrapped__(design), slice_  # type: ignore[attr-defined]
