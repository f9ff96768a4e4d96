"""How wide each edge of a quantized encoder is: an edge's width follows from who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from designs.errors import InputError

Role = Literal["gemm_input", "attention_operand", "probabilities", "scores", "gelu_input", "residual", "table"]
"""Who reads an edge:

- `gemm_input`: a product with constant weights;
- `attention_operand`: a product of two activations (queries, keys, values);
- `probabilities`: the same, and a softmax made it;
- `scores`: a softmax;
- `gelu_input`: a GELU;
- `residual`: an addition, a normalization, or whoever reads the output of the model;
- `table`: a lookup: the embeddings themselves.
"""


@dataclass(frozen=True)
class Width:
    """Bits of an edge, and whether its integers are signed around zero (zero point 0) or unsigned with a zero point."""

    bits: int
    signed: bool
    least_scale: float = 0.0  # finest grid that the reader takes

    @property
    def dtype(self) -> np.dtype:
        """The integer type that the edge has in an ONNX file."""
        return np.dtype(f"{'' if self.signed else 'u'}int{self.bits}")


def widths(stored: int, operands: int, table: int = 8) -> dict[Role, Width]:
    """A width for each role; `stored`: bits of what no multiplier array reads; `operands`: of what one does."""
    return {
        "gemm_input": Width(operands, signed=operands > 8),  # 8 unsigned bits lose least of a skewed range
        "attention_operand": Width(operands, signed=True),  # one of the two takes the place of weights: no zero point
        "probabilities": Width(operands, signed=False),
        "scores": Width(stored, signed=stored > 8, least_scale=2.0**-15),
        "gelu_input": Width(stored, signed=stored > 8, least_scale=2.0**-14),
        "residual": Width(stored, signed=stored > 8),
        "table": Width(table, signed=True),
    }


WIDTHS: Mapping[str, Mapping[Role, Width]] = {
    "all8": widths(8, 8),
    "mixed": widths(16, 8),
    "all16": widths(16, 16),
}
"""Named choices. `mixed` feeds every multiplier 8 bits, and keeps 16 where outliers live: sums of the residual path,
inputs of normalizations, GELU and softmax."""

BITS = (8, 16)  # that an edge may have in an ONNX file


def with_edges(name: str, edges: Mapping[Role, int]) -> tuple[str, Mapping[Role, Width]]:
    """(name, widths) of a named choice with other bits for some roles: `mixed-residual8`."""
    changed = {role: widths(bits, bits, bits)[role] for role, bits in edges.items()}
    full_name = "-".join([name, *(f"{role}{bits}" for role, bits in edges.items())])
    return full_name, {**WIDTHS[name], **changed}


def parsed_edge(text: str) -> tuple[Role, int]:
    """`residual=8` as (role, bits); InputError for what is no role or another width."""
    role, _, bits = text.partition("=")
    for known in get_args(Role):
        if role == known and bits in map(str, BITS):
            return known, int(bits)
    raise InputError(
        f"--edge {text}: wanted ROLE=BITS with a role of {', '.join(get_args(Role))} and {BITS[0]} or {BITS[1]} bits, "
        f"got {text!r}"
    )
