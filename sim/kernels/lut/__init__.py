"""LUT circuits on bit-packed samples: values, switching, and times of pipelines that stall (machine: docs/lut.md).

Plain arrays and integers; `sim.families.lut` makes them from designs and circuits. A word holds one signal of 64
samples, sample 0 in its least significant bit.
"""
