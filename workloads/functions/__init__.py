"""Integer functions of transformers: registers (`...Numbers`), how they follow from scales, and the exact integers.

Every function takes int64 arrays whose zero point is already subtracted and whose rows are the last axis, and uses
only additions, comparisons, multiplications, shifts and floor divisions by whole numbers: a circuit with the stated
widths computes the same bits. Inputs have at most 16 bits (17 with the zero point subtracted).

`output` is the last stage of layer norm, range norm and GELU: a bias, a multiplier, a shift, a zero point, bounds.
"""
