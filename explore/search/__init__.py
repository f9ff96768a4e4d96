"""Search: good points of spaces too large to list (docs/search.md)."""

# Where nobody names one: the best of explore.search.samplers for equal evaluations (docs/search.md, section 5).
DEFAULT_SAMPLER = "surrogate"
