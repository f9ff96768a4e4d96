"""Several inferences as one workload of the same kind: what an accelerator that batches is given at a time.

Kinds that can be batched have a module here, named as in `workloads/kinds/`, with

- `batch(workload, n, name) -> workload`: `n` inferences of it; InputError where that cannot be.

docs/scenarios.md says what a batch of each kind is.
"""

from __future__ import annotations

import sys

from designs.errors import InputError
from workloads import kinds
from workloads.load import Workload


def batch_of(workload: Workload, n: int) -> Workload:
    """`n` inferences of a workload, named `resnet50 x 8`; with n = 1 the workload itself.

    InputError, one line, for n below 1, a kind that cannot be batched and a workload that cannot be.
    """
    if n < 1:
        raise InputError(f"batch: wanted 1 inference or more, got {n}")
    if n == 1:
        return workload
    module = kinds.module_for(workload, sys.modules[__name__], "batched", "take batches of 1")
    found: Workload = module.batch(workload, n, f"{workload.name} x {n}")
    return found
