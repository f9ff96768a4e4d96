"""Ranges: both ends belong to them, and the first field outside is named."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from designs.errors import DesignError
from designs.ranges import check_ranges

RANGES = (("lanes", 1, 4), ("banks", 0, 2))


@dataclass
class Machine:
    lanes: int = 1
    banks: int = 0


def test_both_ends_belong_to_a_range() -> None:
    check_ranges(Machine(lanes=1, banks=0), RANGES)
    check_ranges(Machine(lanes=4, banks=2), RANGES)


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (Machine(lanes=0), "lanes: wanted 1 to 4, got 0"),
        (Machine(lanes=5, banks=3), "lanes: wanted 1 to 4, got 5"),
        (Machine(banks=3), "banks: wanted 0 to 2, got 3"),
        (Machine(banks=-1), "banks: wanted 0 to 2, got -1"),
    ],
)
def test_the_first_field_outside_is_named(machine: Machine, message: str) -> None:
    with pytest.raises(DesignError) as refused:
        check_ranges(machine, RANGES)
    assert str(refused.value) == message and refused.value.field == message.partition(":")[0]
