"""Sparse matrices of integers: their non-zeros, the formats that store them (`formats/`), files, sizes beside dense."""
