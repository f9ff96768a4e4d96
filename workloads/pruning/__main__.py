"""Prints the figures of N:M pruning: `python -m workloads.pruning --blocks 1000 --seed 0`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from designs.errors import InputError
from workloads.pruning.figures import (
    GRADIENTS,
    GradientStatistics,
    MaskStatistics,
    gradient_statistics,
    mask_statistics,
)
from workloads.pruning.mask_counts import MaskCounts, count_masks
from workloads.pruning.n_of_m import NOfM

Row = MaskCounts | MaskStatistics | GradientStatistics


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input, told in one line on stderr."""
    options = _parser().parse_args(arguments)
    try:
        patterns = [NOfM.parse(text) for text in options.patterns]
        counts: list[MaskCounts] = [count_masks(pattern, options.side) for pattern in patterns]
        masks = [mask_statistics(p, options.blocks, options.seed, options.programs) for p in patterns]
        gradients = [gradient_statistics(name, options.gradient_blocks, options.seed) for name in GRADIENTS]
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        document: dict[str, Sequence[Row]] = {"mask_counts": counts, "masks": masks, "gradients": gradients}
        print(json.dumps({key: [_plain(row) for row in rows] for key, rows in document.items()}, indent=2))
    else:
        print("\n\n".join([_counts_table(counts), _masks_table(masks), _gradients_table(gradients)]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workloads.pruning",
        description="Mask counts, greedy against best transposable masks, and unbiased estimates of gradients.",
        epilog="example: python -m workloads.pruning --blocks 20000 --patterns 2:4 --gradient-blocks 1000000",
    )
    parser.add_argument("--blocks", type=int, default=1000, help="random m x m blocks a pattern (1000)")
    parser.add_argument("--seed", type=int, default=0, help="of numpy's default_rng (0)")
    parser.add_argument("--patterns", nargs="+", default=["1:2", "2:4", "4:8"], metavar="N:M", help="1:2 2:4 4:8")
    parser.add_argument("--side", type=int, default=8, help="of the block in which masks are counted (8)")
    parser.add_argument("--programs", type=int, default=100, help="blocks solved as linear programs too (100)")
    parser.add_argument("--gradient-blocks", type=int, default=100_000, help="random blocks of four gradients (100000)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    return parser


def _plain(row: Row) -> dict[str, Any]:
    return asdict(row) | ({} if isinstance(row, GradientStatistics) else {"pattern": str(row.pattern)})


def _counts_table(rows: list[MaskCounts]) -> str:
    title = f"Masks of a {rows[0].side} x {rows[0].side} block"
    head = ["pattern", "unstructured", "structured", "transposable", "closed form"]
    counts = [(r.unstructured, r.structured, r.transposable, r.closed_form) for r in rows]
    cells = [[str(r.pattern), *map(_count, numbers)] for r, numbers in zip(rows, counts, strict=True)]
    return _table(title, head, cells)


def _masks_table(rows: list[MaskStatistics]) -> str:
    title = f"Transposable masks of {rows[0].n_blocks:,} |N(0, 1)| blocks: greedy / best sum, and magnitude retained"
    head = ["pattern", "mean", "min", "equal", "incomplete", "best", "rows", "any"]
    head += ["LP blocks", "LP fraction", "LP gap"]
    cells = [
        [str(r.pattern), f"{r.ratio_mean:.4f}", f"{r.ratio_min:.4f}", f"{r.equal:.1%}", f"{r.incomplete:.1%}"]
        + [f"{share:.3f}" for share in (r.retained_transposable, r.retained_rows, r.retained_unstructured)]
        + [str(r.n_programs), f"{r.fraction_most:.0e}", f"{r.shortfall_most:.0e}"]
        for r in rows
    ]
    return _table(title, head, cells)


def _gradients_table(rows: list[GradientStatistics]) -> str:
    title = f"Estimates of {rows[0].n_blocks:,} gradient blocks: exact bias, error - closed form, error / energy"
    head = ["gradients", "bias", "difference", "greedy 2:4", "MVUE 2:4", "approximate", "worst/least", "uniform"]
    head += ["MVUE 1:2", "greedy 1:2"]
    cells = [
        [r.gradients, f"{r.bias_most:.0e}", f"{r.difference_most:.0e}"]
        + [f"{error:.4f}" for error in (r.greedy_2_4, r.mvue_2_4, r.approximate_2_4, r.approximate_worst)]
        + [f"{error:.4f}" for error in (r.uniform_2_4, r.mvue_1_2, r.greedy_1_2)]
        for r in rows
    ]
    return _table(title, head, cells)


def _count(number: int) -> str:
    """All digits where they are few."""
    return f"{number:,}" if number < 10**15 else f"{number:.4e}"


def _table(title: str, head: list[str], cells: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *cells]]
    return "\n".join([title, *lines])


if __name__ == "__main__":
    sys.exit(main())
