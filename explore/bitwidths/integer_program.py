"""The choice with the least additive loss, by integer programming (HiGHS, through scipy).

A 0/1 variable says whether a tensor has a width; each tensor has one. Each step's bytes are at most the RAM, all bytes
at most the flash; a variable a step is 1 where its weights or output are narrow, for its constants then grow. As in the
light pipeline of Hubara et al. 2021, with three widths and the RAM in addition.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import csr_array

from designs.errors import InputError
from explore.bitwidths.allocation import Allocation, Shortfall, allocation
from workloads.bitwidths.problem import FULL_BITS, Problem, Step

NAME = "integer_program"
TIME_LIMIT_S = 60.0
_OBJECTIVE = 1e6  # largest loss as the solver sees it: its absolute gap of 1e-6 is then a share of 1e-12
_OPTIMAL, _STOPPED, _INFEASIBLE = 0, 1, 2  # scipy's statuses


def integer_program(problem: Problem, time_limit_s: float = TIME_LIMIT_S) -> Allocation:
    """The optimum, or after `time_limit_s` seconds the best found, with bound and gap.

    InputError where the problem has no losses, or nothing was found in time.
    """
    began = time.monotonic()
    if problem.free and not problem.losses:
        raise InputError(f"{problem.name}: wanted losses to make least, got none")
    shortfall = least_shortfall(problem, time_limit_s)
    if shortfall is not None:
        return Allocation(method=NAME, shortfall=shortfall, seconds=time.monotonic() - began)
    program = _Program(problem)
    losses = np.array([problem.losses[name][width] for name, width in program.pairs])
    scale = _OBJECTIVE / (np.abs(losses).max(initial=0.0) or _OBJECTIVE)
    found = program.solve(scale * losses, time_limit_s)
    if found is None:
        raise AssertionError("a problem with least sizes within its limits has a solution")
    bits, result = found
    loss = problem.loss(problem.complete(bits))
    bound = _number(result.mip_dual_bound)
    return allocation(
        problem, NAME, bits, is_optimal=result.status == _OPTIMAL, n_evaluated=1,
        bound=loss if bound is None else min(bound / scale, loss), gap=_number(result.mip_gap) or 0.0,
        seconds=time.monotonic() - began,
    )  # fmt: skip


def least_shortfall(problem: Problem, time_limit_s: float = TIME_LIMIT_S) -> Shortfall | None:
    """The limit that no choice of widths keeps, with the least there is; None where the limits can be kept.

    RAM is judged first, each step at the smallest widths; then the least flash of choices that keep the RAM.
    """
    smallest = problem.narrowest()
    peak = problem.ram_needed(smallest)
    if problem.ram_bytes is not None and peak.n_bytes > problem.ram_bytes:
        return Shortfall(limit="ram", needed_bytes=peak.n_bytes, limit_bytes=problem.ram_bytes, step=peak.step)
    if problem.flash_bytes is None or problem.flash_needed(smallest) <= problem.flash_bytes:
        return None
    program = _Program(problem, with_flash=False)
    found = program.solve(program.flash_of_variables(), time_limit_s)
    if found is None:
        raise AssertionError("the smallest widths keep the RAM")
    bits, result = found
    needed = problem.flash_needed(problem.complete(bits))
    if needed <= problem.flash_bytes:
        return None
    return Shortfall(
        limit="flash", needed_bytes=needed, limit_bytes=problem.flash_bytes, proven=result.status == _OPTIMAL
    )


@dataclass
class _Program:
    """Variables: one a (tensor, width) of the free tensors, then one a step whose constants depend on widths."""

    problem: Problem
    with_flash: bool = True
    pairs: list[tuple[str, int]] = field(init=False)
    growing: list[Step] = field(init=False)
    rows: list[tuple[dict[int, float], float, float]] = field(init=False)  # coefficients, least, most

    def __post_init__(self) -> None:
        self.pairs = [(tensor.name, width) for tensor in self.problem.free for width in tensor.bits]
        self._index = {pair: i for i, pair in enumerate(self.pairs)}
        self.growing = [step for step in self.problem.steps if step.weights and step.narrow_bytes != step.folded_bytes]
        self.rows = []
        for tensor in self.problem.free:
            self.rows.append(({self._index[tensor.name, width]: 1.0 for width in tensor.bits}, 1.0, 1.0))
        for i, step in enumerate(self.growing):
            for name in (step.weights, step.output):
                self.rows.append(self._narrow_row(name, len(self.pairs) + i))
        if self.problem.ram_bytes is not None:
            for step in self.problem.steps:
                row, fixed = self._bytes([step.output, *step.held])
                self.rows.append((row, -np.inf, self.problem.ram_bytes - fixed))
        if self.with_flash and self.problem.flash_bytes is not None:
            most = self.problem.flash_bytes - self._fixed_flash()
            self.rows.append((dict(enumerate(self.flash_of_variables())), -np.inf, most))

    def flash_of_variables(self) -> np.ndarray:
        """Bytes of flash that each variable takes."""
        row, _ = self._bytes([step.weights for step in self.problem.steps if step.weights])
        found = np.zeros(len(self.pairs) + len(self.growing))
        for i, n_bytes in row.items():
            found[i] = n_bytes
        found[len(self.pairs) :] = [step.narrow_bytes - step.folded_bytes for step in self.growing]
        return found

    def solve(self, objective: np.ndarray, time_limit_s: float) -> tuple[dict[str, int], OptimizeResult] | None:
        """(width of each free tensor, scipy's result), None where there is no solution.

        The solver's tolerances let a limit be broken by a byte or so: such an answer is cut off, and the next taken.
        """
        n = len(self.pairs) + len(self.growing)
        costs = np.concatenate([objective, np.zeros(n - len(objective))])
        until = time.monotonic() + time_limit_s
        while True:
            if not n:
                return {}, OptimizeResult(status=_OPTIMAL, mip_dual_bound=0.0, mip_gap=0.0)
            left = max(until - time.monotonic(), 1e-3)
            options = {"time_limit": left, "mip_rel_gap": 0.0}
            result = milp(
                costs, integrality=np.ones(n), bounds=Bounds(0, 1), constraints=self._constraints(n), options=options
            )
            if result.status == _INFEASIBLE:
                return None
            if result.x is None or result.status not in (_OPTIMAL, _STOPPED):
                raise InputError(
                    f"{self.problem.name}: wanted an answer of the integer program in {time_limit_s:g} s, "
                    f"got {result.message}"
                )
            ones = [i for i in range(len(self.pairs)) if result.x[i] > 0.5]
            bits = dict(self.pairs[i] for i in ones)
            if self._keeps_limits(bits):
                return bits, result
            self.rows.append((dict.fromkeys(ones, 1.0), -np.inf, len(ones) - 1.0))

    def _keeps_limits(self, bits: dict[str, int]) -> bool:
        complete = self.problem.complete(bits)
        ram, flash = self.problem.ram_bytes, self.problem.flash_bytes
        if ram is not None and self.problem.ram_needed(complete).n_bytes > ram:
            return False
        return not self.with_flash or flash is None or self.problem.flash_needed(complete) <= flash

    def _narrow_row(self, name: str, variable: int) -> tuple[dict[int, float], float, float]:
        """The step's variable is at least that of each narrow width of the tensor (which has one width)."""
        tensor = self.problem.chooser(name)
        if len(tensor.bits) == 1:
            return {variable: 1.0}, float(tensor.bits[0] < FULL_BITS), np.inf
        row = {self._index[tensor.name, width]: -1.0 for width in tensor.bits if width < FULL_BITS}
        return {variable: 1.0, **row}, 0.0, np.inf

    def _bytes(self, names: Sequence[str]) -> tuple[dict[int, float], int]:
        """(bytes of each variable, bytes of tensors whose width is given) of some tensors together."""
        row: dict[int, float] = {}
        fixed = 0
        for name in names:
            tensor, own = self.problem.by_name[name], self.problem.chooser(name)
            if len(own.bits) == 1:
                fixed += tensor.n_bytes(own.bits[0])
                continue
            for width in own.bits:
                index = self._index[own.name, width]
                row[index] = row.get(index, 0.0) + tensor.n_bytes(width)
        return row, fixed

    def _fixed_flash(self) -> int:
        _, fixed = self._bytes([step.weights for step in self.problem.steps if step.weights])
        return fixed + sum(step.folded_bytes for step in self.problem.steps)

    def _constraints(self, n: int) -> LinearConstraint:
        entries = [(r, i, value) for r, (row, _, _) in enumerate(self.rows) for i, value in row.items()]
        at, columns, values = zip(*entries, strict=True)
        matrix = csr_array((values, (at, columns)), shape=(len(self.rows), n))
        return LinearConstraint(matrix, [low for _, low, _ in self.rows], [high for _, _, high in self.rows])


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
