"""How kernels are compiled: `entry` for what Python calls, `inner` for what only other kernels call.

Both let other Python threads run meanwhile. Inner functions get no wrapper and no cache file of their own.
"""

from __future__ import annotations

from pathlib import Path

from numba import njit

from designs.compiled import entry_of

entry = entry_of(Path(__file__).parent, error_model="numpy", nogil=True)
inner = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
