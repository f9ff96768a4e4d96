"""Constrained compression: the cheapest network that keeps an accuracy floor, with few trainings (docs/compression.md).

`choices`: what may be chosen for each layer. `subject`: the network, its images, its reference. `trial`: what one
choice comes to. `search`: at most ten trials. `grid`: a thousand of them, to compare with.
"""
