"""Bootstrapping batches of gates at speed: `engine.Engine`, and the numba kernels under it (docs/fhe.md, section 1)."""
