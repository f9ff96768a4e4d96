"""Gates of programs, those of the project by default: `python -m workloads.programs.table [--markdown] [FILE ...]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from designs.errors import InputError
from workloads.circuits.levels import Shape, shape_of
from workloads.programs.check import check_program
from workloads.programs.compile import compile_c, program_names
from workloads.programs.optimize import OBJECTIVES

N_INPUTS = 100
_COLUMNS = ("program", "objective", "bootstraps", "gates", "MUX", "NOT", "depth", "mean width", "widest", "checked")


@dataclass(frozen=True)
class Row:
    """A program's circuit in numbers."""

    name: str
    objective: str
    shape: Shape
    n_checked: int

    def cells(self) -> tuple[str, ...]:
        shape = self.shape
        n_muxes = shape.n_bootstraps - shape.n_gates
        counts = (shape.n_bootstraps, shape.n_gates, n_muxes, shape.n_nots, shape.depth)
        return (
            self.name,
            self.objective,
            *(f"{count:,}" for count in counts),
            f"{shape.mean_width:.1f}",
            f"{shape.widest:,}",
            f"{self.n_checked} inputs",
        )


def rows(names: Sequence[str], objectives: Sequence[str] = OBJECTIVES) -> list[Row]:
    """Each program compiled for each objective and checked against the compiled C program."""
    found = []
    for name in names:
        for objective in objectives:
            program = compile_c(name, objective=objective)
            check = check_program(program, n_inputs=N_INPUTS)
            found.append(Row(program.circuit.name, objective, shape_of(program.circuit), check.n_checked))
    return found


def text(table: Sequence[Row], markdown: bool) -> str:
    """The rows in columns."""
    lines = [_COLUMNS, *(row.cells() for row in table)]
    if markdown:
        lines.insert(1, ("---",) * 2 + ("---:",) * 7 + ("---",))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.rjust(width) if 2 <= column < 9 else cell.ljust(width)
                  for column, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in lines
    )  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    names = [argument for argument in arguments if argument != "--markdown"]
    try:
        print(text(rows(names or program_names()), "--markdown" in arguments))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
