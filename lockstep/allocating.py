"""Python API of bit-width allocation: what `lockstep allocate` does, as plain data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designs.arguments import expect_one_of, expect_real, expect_seed, expect_whole
from designs.errors import InputError
from lockstep.api import spare_inputs

if TYPE_CHECKING:
    from explore.bitwidths.allocation import Allocation
    from explore.bitwidths.losses import LossMeter
    from explore.progress import Steps
    from workloads.bitwidths.problem import Problem
    from workloads.kinds.network import Network
    from workloads.load import Workload

METHODS = ("rule", "integer_program", "brute_force", "search")
ALL = "all"
SEARCH_BUDGET = 60
CALIBRATION_IMAGES = 512
TIME_LIMIT_S = 60.0
_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))?\s*(B|kB|MB|GB|KiB|MiB|GiB)?")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_WIDTHS = (2, 4, 8)


def allocate(
    network: str | Path | Workload,
    *,
    flash_bytes: int | None = None,
    ram_bytes: int | None = None,
    method: str = "integer_program",
    widths: Sequence[int] = _WIDTHS,
    normalization: str = "per_channel",
    scales: str = "free",
    budget: int = SEARCH_BUDGET,
    seed: int = 0,
    images: int = CALIBRATION_IMAGES,
    time_limit_s: float = TIME_LIMIT_S,
    output: str | Path | None = None,
    progress: Steps | None = None,
) -> dict[str, Any]:
    """A width for each tensor of a convolutional network so that it fits flash and RAM (None: as much as wanted).

    `method` is one of METHODS, or "all". `normalization` (per_layer, per_channel) says what constants take of the flash
    and whether weights have a scale a channel; `scales` (free, power_of_two) how tensors of a network with numbers are
    quantized. On the digits networks losses are measured on the first `images` training images, the search measures
    each choice whole, and answers are judged on test images; elsewhere the loss is a stated proxy. `output` is a file
    for the network in the widths of the one method. docs/bitwidths.md defines all numbers.

    Answers with a `shortfall` do not exist: it tells the limit and by how much. InputError for what is no such network.
    """
    from explore.bitwidths.losses import measured_losses
    from workloads.bitwidths.noise import LOSS_IS, noise_losses

    expect_one_of("method", method, (*METHODS, ALL))
    expect_one_of("normalization", normalization, ("per_layer", "per_channel"))
    expect_one_of("scales", scales, ("free", "power_of_two"))
    expect_whole("budget", budget, 1)
    expect_whole("images", images, 1)
    expect_real("time limit", time_limit_s, 0.1, 1e9)
    expect_seed(seed)
    for limit, n_bytes in (("flash", flash_bytes), ("ram", ram_bytes)):
        if n_bytes is not None:
            expect_whole(f"{limit} bytes", n_bytes, 0)
    if output is not None and method == ALL:
        raise InputError(f"{output}: wanted one --method whose answer is written, got all")
    if output is not None:
        spare_inputs(output, network if isinstance(network, str | Path) else None)
    loaded = _network(network)
    problem = _problem(loaded, sorted(set(widths)), normalization)
    problem = replace(problem, flash_bytes=flash_bytes, ram_bytes=ram_bytes)
    meter = _meter(loaded, normalization, scales, images)
    if output is not None:
        _check_output(loaded, meter, output)
    if meter is None:
        problem = replace(problem, losses=noise_losses(problem), loss_is=LOSS_IS)
    elif method != "rule":
        told = f"rise of the cross entropy, one tensor narrow at a time, on {len(meter.samples.values)} training images"
        problem = replace(problem, losses=measured_losses(problem, meter, progress), loss_is=told)
    chosen = METHODS if method == ALL else (method,)
    answers = []
    remarks = []
    for one in chosen:
        if method == ALL and one == "brute_force" and not _is_small(problem):
            remarks.append(f"brute_force: {problem.n_combinations:.3g} choices are too many to try each")
            continue
        found = _solve(one, problem, meter, budget, seed, time_limit_s, progress)
        answers.append(_told(found, meter))
    if output is not None:
        assert meter is not None
        _write(answers[0], meter, output)
    return _document(loaded.name, problem, normalization, scales, meter, answers, remarks, output)


def bytes_of(text: str, option: str) -> int:
    """`512kB`, `2MiB` or `2048000` as bytes; InputError, naming the option, for anything else. kB is 1000 bytes."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{option} {text}: wanted bytes such as 512kB, 2MB or 1.5MiB, got {text!r}")
    unit, fraction = _UNITS[match[3] or "B"], match[2] or ""
    return int(match[1] + fraction) * unit // 10 ** len(fraction)


def _network(network: str | Path | Workload) -> Network:
    from workloads.kinds.network import Network
    from workloads.load import expect_kind, load_workload

    loaded = load_workload(str(network)) if isinstance(network, str | Path) else network
    expect_kind(loaded, Network, "tensor")
    assert isinstance(loaded, Network)
    return loaded


def _problem(network: Network, widths: Sequence[int], normalization: str) -> Problem:
    from workloads.bitwidths.networks import problem_of_graph, problem_of_layers
    from workloads.builders.convnets import in_order

    if not widths or any(width not in _WIDTHS for width in widths):
        raise InputError(f"widths: wanted some of {', '.join(map(str, _WIDTHS))}, got {list(widths)}")
    if network.graph is not None:
        return replace(problem_of_graph(network.graph, widths, normalization), name=network.name)  # type: ignore[arg-type]
    layers = in_order(network.name) or network.layers
    return problem_of_layers(layers, network.name, widths, normalization)  # type: ignore[arg-type]


def _meter(network: Network, normalization: str, scales: str, n_images: int) -> LossMeter | None:
    """Measures losses where there are labelled images; None elsewhere."""
    from explore.bitwidths.losses import LossMeter, Samples
    from workloads.digits import labelled_images

    if labelled_images(network.graph) is None:
        if scales != "free":
            raise InputError(f"scales: wanted free for {network.name} (no images to fit scales to), got {scales}")
        return None
    assert network.graph is not None
    granularity = "channel" if normalization == "per_channel" else "tensor"
    return LossMeter(network.graph, Samples.training_digits(n_images), granularity, scales == "power_of_two")  # type: ignore[arg-type]


def _check_output(network: Network, meter: LossMeter | None, output: str | Path) -> None:
    from workloads.files import expect_graph_file

    if meter is None:
        raise InputError(
            f"{output}: wanted a network with numbers and images to fit scales to (digits_cnn, digits_cnn_w4, or a "
            f"graph that reads digits), got {network.name}"
        )
    expect_graph_file(output)


def _is_small(problem: Problem) -> bool:
    from explore.bitwidths.brute_force import MOST_COMBINATIONS

    return problem.n_combinations <= MOST_COMBINATIONS


def _solve(
    method: str, problem: Problem, meter: LossMeter | None, budget: int, seed: int, time_limit_s: float,
    progress: Steps | None,
) -> Allocation:  # fmt: skip
    from explore.bitwidths.brute_force import brute_force
    from explore.bitwidths.integer_program import integer_program
    from explore.bitwidths.rule import rule
    from explore.bitwidths.search import search

    if method == "rule":
        return rule(problem)
    if method == "integer_program":
        return integer_program(problem, time_limit_s)
    if method == "brute_force":
        return brute_force(problem)
    return search(problem, meter.loss if meter is not None else None, budget=budget, seed=seed, progress=progress)


def _told(found: Allocation, meter: LossMeter | None) -> dict[str, Any]:
    """The answer as plain data, with what is measured of the network in its widths."""
    told: dict[str, Any] = asdict(found) | {"bits": dict(found.bits)}
    del told["measured_loss"]
    told["measured"] = None
    if found.shortfall is not None:
        told["shortfall"]["over_bytes"] = found.shortfall.over_bytes
    elif meter is not None:
        from explore.bitwidths.losses import Samples, measured

        test = measured(meter.requantized(found.bits), Samples.test_digits())
        told["measured"] = {
            "loss": meter.loss(found.bits),
            "test_cross_entropy": test.cross_entropy,
            "test_accuracy": test.accuracy,
        }
    return told


def _write(answer: dict[str, Any], meter: LossMeter, output: str | Path) -> None:
    from workloads.files import save_graph

    if answer["shortfall"] is None:
        save_graph(meter.requantized(answer["bits"]), output)


def _document(
    name: str, problem: Problem, normalization: str, scales: str, meter: LossMeter | None,
    answers: list[dict[str, Any]], remarks: list[str], output: str | Path | None,
) -> dict[str, Any]:  # fmt: skip
    wide = problem.widest()
    feasible = all(answer["shortfall"] is None for answer in answers)
    return {
        "network": name,
        "flash_limit_bytes": problem.flash_bytes,
        "ram_limit_bytes": problem.ram_bytes,
        "normalization": normalization,
        "scales": scales,
        "loss_is": problem.loss_is,
        "n_combinations": problem.n_combinations,
        "tensors": [
            {
                "name": tensor.name,
                "role": tensor.role,
                "n_elements": tensor.n_elements,
                "widths": list(problem.chooser(tensor.name).bits),
                "same_as": tensor.same_as or None,
            }
            for tensor in problem.tensors
        ],
        "widest": {"flash_bytes": problem.flash_needed(wide), "ram_bytes": problem.ram_needed(wide).n_bytes}
        | {"measured": None if meter is None else _base(meter)},
        "answers": answers,
        "feasible": feasible,
        "output": str(output) if output is not None and feasible else None,
        "remarks": remarks,
    }


def _base(meter: LossMeter) -> dict[str, float]:
    """The network in its own widths, on the test images."""
    from explore.bitwidths.losses import Samples, measured

    found = measured(meter.requantized({}), Samples.test_digits())
    return {"loss": 0.0, "test_cross_entropy": found.cross_entropy, "test_accuracy": found.accuracy}
