"""The choice of a width for each tensor, as data: how large tensors are, what is in memory when, what narrowing costs.

Bytes are of packed storage: a tensor of n elements of b bits takes ceil(n * b / 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from designs.errors import InputError

WIDTHS = (2, 4, 8)
FULL_BITS = 8  # a layer whose weights and output are this wide may have its normalization folded into the weights

Bits = Mapping[str, int]  # tensor -> its width


@dataclass(frozen=True, kw_only=True)
class TensorChoice:
    """A stored tensor and the widths that it may have."""

    name: str
    role: Literal["weights", "activations"]
    n_elements: int
    bits: tuple[int, ...] = WIDTHS  # ascending; one: the width is given
    same_as: str = ""  # tensor whose stored integers it holds (max pooling), and whose width it therefore has

    def n_bytes(self, bits: int) -> int:
        """Packed bytes at a width."""
        return packed_bytes(self.n_elements, bits)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One layer as it runs: the activations that are in memory meanwhile, and what it takes of the flash."""

    name: str
    output: str
    held: tuple[str, ...]  # other activations in memory: what it reads, and what steps after it still read
    weights: str = ""  # "": it has none
    folded_bytes: int = 0  # its constants where weights and output have FULL_BITS or more
    narrow_bytes: int = 0  # its constants otherwise: an integer multiplier and a shift a channel


@dataclass(frozen=True)
class Peak:
    """The step that needs most RAM."""

    n_bytes: int
    step: str


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Tensors, the steps that use them, limits (None: as much as wanted), and the loss of each tensor at each width.

    `losses` has an entry for each tensor of `free`; they add up. `loss_is` says what they are and where from.
    InputError where parts do not go together.
    """

    name: str
    tensors: tuple[TensorChoice, ...]
    steps: tuple[Step, ...]
    flash_bytes: int | None = None  # for weights and constants
    ram_bytes: int | None = None  # for what each step holds at once
    losses: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    loss_is: str = ""

    def __post_init__(self) -> None:
        if len(self.by_name) != len(self.tensors):
            raise InputError(f"{self.name}: wanted tensor names that differ, got one twice")
        for tensor in self.tensors:
            if not tensor.bits or list(tensor.bits) != sorted(set(tensor.bits)) or tensor.bits[0] < 1:
                raise InputError(f"tensor {tensor.name}: wanted ascending widths from 1 bit, got {tensor.bits}")
            if tensor.same_as and self.by_name.get(tensor.same_as, tensor).same_as:
                raise InputError(f"tensor {tensor.name}: wanted same_as one without same_as, got {tensor.same_as}")
        for step in self.steps:
            for name in (step.output, *step.held, *([step.weights] if step.weights else [])):
                if name not in self.by_name:
                    raise InputError(f"step {step.name}: wanted tensors of the problem, got {name!r}")
        for what, limit in (("flash", self.flash_bytes), ("RAM", self.ram_bytes)):
            if limit is not None and limit < 0:
                raise InputError(f"{what}: wanted a limit of 0 bytes or more, got {limit}")

    @cached_property
    def by_name(self) -> dict[str, TensorChoice]:
        """Tensors by their names."""
        return {tensor.name: tensor for tensor in self.tensors}

    @cached_property
    def free(self) -> tuple[TensorChoice, ...]:
        """Tensors whose width is chosen, in order."""
        return tuple(tensor for tensor in self.tensors if not tensor.same_as and len(tensor.bits) > 1)

    @property
    def n_combinations(self) -> int:
        """Ways to choose."""
        n = 1
        for tensor in self.free:
            n *= len(tensor.bits)
        return n

    def chooser(self, name: str) -> TensorChoice:
        """The tensor whose width is also that of the named one."""
        tensor = self.by_name[name]
        return self.by_name[tensor.same_as] if tensor.same_as else tensor

    def complete(self, chosen: Bits) -> dict[str, int]:
        """The width of every tensor, from those of the free ones; InputError where one is missing or not allowed."""
        for tensor in self.free:
            if chosen.get(tensor.name) not in tensor.bits:
                got = chosen.get(tensor.name, "none")
                raise InputError(f"tensor {tensor.name}: wanted one of {tensor.bits} bits, got {got}")
        found: dict[str, int] = {}
        for tensor in self.tensors:
            own = self.chooser(tensor.name)
            found[tensor.name] = chosen[own.name] if len(own.bits) > 1 else own.bits[0]
        return found

    def widest(self) -> dict[str, int]:
        """Every tensor at its largest width."""
        return {tensor.name: self.chooser(tensor.name).bits[-1] for tensor in self.tensors}

    def narrowest(self) -> dict[str, int]:
        """Every tensor at its smallest width: the least RAM (the flash may be less with a folded normalization)."""
        return {tensor.name: self.chooser(tensor.name).bits[0] for tensor in self.tensors}

    def step_flash_bytes(self, step: Step, bits: Bits) -> int:
        """Weights and constants of a step, at the widths of all tensors."""
        if not step.weights:
            return step.folded_bytes
        is_narrow = min(bits[step.weights], bits[step.output]) < FULL_BITS
        constants = step.narrow_bytes if is_narrow else step.folded_bytes
        return self.by_name[step.weights].n_bytes(bits[step.weights]) + constants

    def flash_needed(self, bits: Bits) -> int:
        """Bytes of all weights and constants, at the widths of all tensors."""
        return sum(self.step_flash_bytes(step, bits) for step in self.steps)

    def step_ram_bytes(self, step: Step, bits: Bits) -> int:
        """Bytes of what is in memory while the step runs."""
        return sum(self.by_name[name].n_bytes(bits[name]) for name in (step.output, *step.held))

    def ram_needed(self, bits: Bits) -> Peak:
        """The most that a step holds at once, and which (the first of equals)."""
        peaks = [Peak(self.step_ram_bytes(step, bits), step.name) for step in self.steps]
        return max(peaks, key=lambda peak: peak.n_bytes, default=Peak(0, ""))

    def fits(self, bits: Bits) -> bool:
        """Whether both limits are kept."""
        flash_fits = self.flash_bytes is None or self.flash_needed(bits) <= self.flash_bytes
        return flash_fits and (self.ram_bytes is None or self.ram_needed(bits).n_bytes <= self.ram_bytes)

    def loss(self, bits: Bits) -> float:
        """The sum of the losses of the free tensors."""
        return float(sum(self.losses[tensor.name][bits[tensor.name]] for tensor in self.free))


def packed_bytes(n_elements: int, bits: int) -> int:
    """Bytes that hold so many integers of so many bits one after the other."""
    return -(-n_elements * bits // 8)
