"""Cycles, phases and activity of a tensor machine, by recurrences over tiles (machine: docs/tensor.md).

Plain int64 arrays and numba; `sim.families.tensor` makes the arrays from designs and layers. Times: a value named after
an engine is the last cycle in which the engine worked; a counter that is advanced in cycle x can be acted on in x + 1.
Three levels, each exact:

- `program.run_program`: an explicit program, O(1) work a tile, event times of every tile.
- `search.run_tiling`: a layer and a tiling, without the program; leaps over equal tiles once the state repeats.
- `search.run_batch`: the best tiling of each layer, for a whole batch of designs in one call.
"""
