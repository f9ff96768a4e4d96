"""Sweeps and searches on Dask distributed: `runner` on our side, `worker` on the other, `session` between them."""
