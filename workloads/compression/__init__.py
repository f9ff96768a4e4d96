"""Compression of quantized networks: programmable schemes, graph to graph, and training under them.

`layers`: the layers that have weights, and what their integers mean. Schemes are frozen dataclasses that are called
with a graph: `masks` (magnitude, blocks, n:m), `channels` (channels that are really removed), `quantize` (weight
bits), `compose`. `differentiate` is the gradient of a graph, `lc` the learning-compression optimizer, `metrics` what a
compressed network is judged by. docs/compression.md has formulas and sources.
"""
