"""How wide each edge of a quantized encoder is: an edge's width follows from who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

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


def _widths(stored: int, operands: int) -> dict[Role, Width]:
    """`stored`: bits of what no multiplier array reads; `operands`: of what one does."""
    return {
        "gemm_input": Width(operands, signed=operands > 8),  # 8 unsigned bits lose least of a skewed range
        "attention_operand": Width(operands, signed=True),  # one of the two takes the place of weights: no zero point
        "probabilities": Width(operands, signed=False),
        "scores": Width(stored, signed=stored > 8, least_scale=2.0**-15),
        "gelu_input": Width(stored, signed=stored > 8, least_scale=2.0**-14),
        "residual": Width(stored, signed=stored > 8),
        "table": Width(8, signed=True),
    }


WIDTHS: Mapping[str, Mapping[Role, Width]] = {
    "all8": _widths(8, 8),
    "mixed": _widths(16, 8),
    "all16": _widths(16, 16),
}
"""Named choices. `mixed` feeds every multiplier 8 bits, and keeps 16 where outliers live: sums of the residual path,
inputs of normalizations, GELU and softmax."""
