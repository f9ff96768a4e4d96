"""What a search chooses from."""

from __future__ import annotations

import numpy as np
import pytest

from explore.compression.choices import ChoiceAxis, Choices, choices_by_layer, scheme_of
from workloads.compression.layers import weighted_layers
from workloads.load import load_workload

GRAPH = load_workload("digits_cnn").graph  # type: ignore[attr-defined]
SMALL = Choices((ChoiceAxis("channels.conv1", (0.0, 0.5)), ChoiceAxis("zeros", (0.0, "2:4", 0.75)),
                 ChoiceAxis("bits.fc", (8, 4))))  # fmt: skip


def test_numbers_of_choices() -> None:
    assert SMALL.n_choices == 12
    assert SMALL.choice(0) == {"channels.conv1": 0.0, "zeros": 0.0, "bits.fc": 8}
    assert SMALL.choice(1) == {"channels.conv1": 0.0, "zeros": 0.0, "bits.fc": 4}  # the last changes fastest
    assert [SMALL.index(SMALL.choice(index)) for index in range(12)] == list(range(12))
    assert SMALL.at(0.0) == SMALL.choice(0) and SMALL.at(1.0) == SMALL.choice(11)
    assert SMALL.at(0.5)["zeros"] == "2:4"


def test_samples_differ_and_are_those_of_the_seed() -> None:
    assert len(SMALL.sample(12, 0)) == 12
    some = SMALL.sample(5, 1)
    assert some == SMALL.sample(5, 1) != SMALL.sample(5, 2)
    assert len({SMALL.index(choice) for choice in some}) == 5
    large = choices_by_layer(GRAPH)
    assert large.n_choices == 5**10
    assert len(large.sample(50, 0)) == 50


@pytest.mark.parametrize("index", range(12))
def test_schemes_do_as_chosen(index: int) -> None:
    choice = SMALL.choice(index)
    small = scheme_of(GRAPH, choice)(GRAPH)
    found = {layer.name: layer.weights for layer in weighted_layers(small)}
    assert found["conv1"].shape[0] == (8 if choice["channels.conv1"] else 16)
    assert (found["fc"].bits, found["conv3"].bits) == (choice["bits.fc"], 8)
    zeros = np.mean(found["conv3"].data == 0)
    assert zeros >= {0.0: 0.0, "2:4": 0.5, 0.75: 0.75}[choice["zeros"]]  # type: ignore[index]
    if choice["zeros"] == "2:4":
        groups = (found["conv3"].data != 0).reshape(32, 8, 4, 3, 3).sum(axis=2)  # type: ignore[union-attr]
        assert groups.max() == 2


def test_no_choice_keeps_the_network() -> None:
    same = scheme_of(GRAPH, {})(GRAPH)
    for before, after in zip(weighted_layers(GRAPH), weighted_layers(same), strict=True):
        assert after.weights.bits == before.weights.bits
        error = np.abs(after.real_weights - before.real_weights).max()
        assert error <= np.abs(before.real_weights).max() / 127
