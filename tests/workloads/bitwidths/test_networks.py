"""Problems of networks: which tensors there are, what they take of RAM and flash."""

from __future__ import annotations

import pytest

from designs.errors import InputError
from workloads.bitwidths.networks import constant_bytes, problem_of_graph, problem_of_layers
from workloads.bitwidths.problem import Problem, Step, TensorChoice, packed_bytes
from workloads.builders.convnets import in_order
from workloads.kinds.network import load


def digits() -> Problem:
    network = load("digits_cnn")
    assert network is not None and network.graph is not None
    return problem_of_graph(network.graph)


def test_packed_bytes() -> None:
    assert [packed_bytes(3, bits) for bits in (8, 4, 2)] == [3, 2, 1]
    assert packed_bytes(0, 8) == 0 and packed_bytes(5, 2) == 2


def test_the_digits_network() -> None:
    problem = digits()
    weights = {t.name.removesuffix(".weights.stored"): t.n_elements for t in problem.free if t.role == "weights"}
    assert weights == {"conv1": 144, "conv2": 4608, "conv3": 9216, "fc": 1280}
    activations = [t.name for t in problem.free if t.role == "activations"]
    assert activations == ["relu1.stored", "relu2.stored", "conv3.stored", "relu3.stored"]
    assert problem.n_combinations == 3**8
    assert problem.chooser("pool.real").name == "relu3.stored"  # the largest of some integers has their width
    assert problem.by_name["image.stored"].bits == problem.by_name["logits.stored"].bits == (8,)


def test_ram_of_a_step_counts_what_later_steps_need() -> None:
    problem = digits()
    bits = problem.widest()
    needed = {step.name: problem.step_ram_bytes(step, bits) for step in problem.steps}
    assert needed == {
        "conv1": 64 + 1024,
        "conv2": 1024 + 512,
        "conv3": 512 + 512,  # reads and writes
        "add": 3 * 512,  # conv3, relu2 and the sum
        "pool": 512 + 128,
        "fc": 128 + 10,
    }
    narrow = bits | {"relu1.stored": 2}
    assert problem.step_ram_bytes(problem.steps[1], narrow) == 256 + 512


def test_what_skips_a_layer_stays_in_memory() -> None:
    """relu2 is read by conv3 and by the addition behind it: were conv3 two layers, it would lie there during both."""
    network = load("digits_cnn")
    assert network is not None and network.graph is not None
    step = next(step for step in digits().steps if step.name == "conv3")
    assert step.held == ("relu2.stored",) and step.output == "conv3.stored"


def test_flash_of_the_digits_network() -> None:
    problem = digits()
    wide = problem.widest()
    constants = 4 * (16 + 32 + 32 + 10) + 4 * 20
    assert problem.flash_needed(wide) == 144 + 4608 + 9216 + 1280 + constants
    narrow = wide | {"conv2.weights.stored": 4}
    assert problem.flash_needed(wide) - problem.flash_needed(narrow) == 2304 - (5 * 32 - 8)
    narrow_output = wide | {"relu1.stored": 4}  # conv1 writes it
    assert problem.flash_needed(narrow_output) - problem.flash_needed(wide) == 5 * 16 - 8


def test_constants() -> None:
    assert constant_bytes(64, "per_layer", last=False) == (276, 588)
    assert constant_bytes(64, "per_layer", last=True) == (276, 276)
    assert constant_bytes(64, "per_channel", last=False) == (648, 648)
    assert constant_bytes(64, "per_channel", last=True) == (452, 452)


def test_mobilenet() -> None:
    layers = in_order("mobilenet_v1:0.75:224")
    assert layers is not None
    problem = problem_of_layers(layers, "mobilenet")
    assert len(problem.steps) == 29 and sum(t.role == "weights" for t in problem.free) == 28
    wide = problem.widest()
    assert problem.ram_needed(wide).n_bytes == 112 * 112 * (24 + 48) and problem.ram_needed(wide).step == "pw1"
    channels = int(10_944 * 0.75)
    n_weights = sum(tensor.n_elements for tensor in problem.free if tensor.role == "weights")
    assert round(n_weights / 1024) == 2508
    assert problem.flash_needed(wide) == n_weights + 4 * (channels + 1000) + 28 * 20


def test_max_pooling_in_a_row_shares_a_width() -> None:
    layers = in_order("vgg16")
    assert layers is not None
    problem = problem_of_layers(layers, "vgg16")
    assert problem.by_name["pool1"].same_as == "conv1_2"
    assert problem.complete(problem.widest() | {"conv1_2": 4})["pool1"] == 4


def test_layers_that_branch_are_refused() -> None:
    layers = in_order("resnet18")
    assert layers is not None
    with pytest.raises(InputError, match="resnet18: wanted .*trace the network"):
        problem_of_layers(layers, "resnet18")


def test_a_transformer_is_refused() -> None:
    network = load("digits_transformer")
    assert network is not None and network.graph is not None
    with pytest.raises(InputError, match="op of a convolutional network"):
        problem_of_graph(network.graph)


def test_problems_that_do_not_go_together_are_refused() -> None:
    tensor = TensorChoice(name="a", role="activations", n_elements=4)
    with pytest.raises(InputError, match="step one: wanted tensors of the problem, got 'b'"):
        Problem(name="p", tensors=(tensor,), steps=(Step(name="one", output="b", held=("a",)),))
    with pytest.raises(InputError, match="names that differ"):
        Problem(name="p", tensors=(tensor, tensor), steps=())
    with pytest.raises(InputError, match="tensor a: wanted one of \\(2, 4, 8\\) bits, got 3"):
        Problem(name="p", tensors=(tensor,), steps=()).complete({"a": 3})
