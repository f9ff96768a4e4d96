"""What a gate is under TFHE: a linear part, then a blind rotation; a MUX adds two (docs/fhe.md, section 1)."""

from __future__ import annotations

from workloads.circuits import circuit as c

EIGHTH = 1 << 29  # 1/8 of the torus: bits are encrypted as +-1/8
VALUE = EIGHTH  # coefficients of a gate's test polynomial

# op -> factor of a, factor of b, constant.
LINEAR = {
    c.NAND: (-1, -1, EIGHTH),
    c.AND: (1, 1, -EIGHTH),
    c.OR: (1, 1, EIGHTH),
    c.NOR: (-1, -1, -EIGHTH),
    c.XOR: (2, 2, 2 * EIGHTH),
    c.XNOR: (-2, -2, -2 * EIGHTH),
    c.ANDNY: (-1, 1, -EIGHTH),
    c.ANDYN: (1, -1, -EIGHTH),
    c.ORNY: (-1, 1, EIGHTH),
    c.ORYN: (1, -1, EIGHTH),
}
# MUX(s, a, b): the extracted sums of the linear parts of AND(s, a) and ANDNY(s, b), plus MUX_POST.
MUX_PARTS = (c.AND, c.ANDNY)
MUX_POST = EIGHTH
