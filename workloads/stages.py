"""Stages of a network that runs in several: a prefill, then a decode step for each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from workloads.layer import Layer
from workloads.vector_layer import Job, VectorLayer

# Fields that tell jobs of one shape apart. Of references to other jobs, what follows the step has to be the same.
_NAMES = ("name", "repeat", "inputs", "output", "product", "weights_from")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The jobs of a network whose names begin with `name` and a dot. Stages follow one another."""

    name: str  # encode, prefill, decode ...
    n_steps: int = 1  # of decode: tokens that each sequence is given, one after the other
    n_sequences: int = 1  # of the batch; a hypothesis of a beam is none

    @property
    def n_tokens(self) -> int:
        """Tokens that a stage of steps makes: one a step and sequence."""
        return self.n_steps * self.n_sequences


def stages_of(jobs: Sequence[Job], n_sequences: int = 1) -> tuple[Stage, ...]:
    """Stages in order of jobs named `STAGE.what` or `STAGE.STEP.what`, STEP a number; none where no name has a dot."""
    steps: dict[str, set[str]] = {}
    for job in jobs:
        stage, dot, rest = job.name.partition(".")
        if dot:
            step, _, what = rest.partition(".")
            steps.setdefault(stage, set()).update({step} if what and step.isdecimal() else ())
    return tuple(
        Stage(name=name, n_steps=max(1, len(found)), n_sequences=n_sequences) for name, found in steps.items()
    )


def merge_steps(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """The same work with jobs that are equal in several steps of a stage as one, `STAGE.what`, its repeats added up.

    It has the place of the first of them. Jobs with numbers stay as they are, and so do those that differ from step to
    step, such as products with the keys so far.
    """
    groups: dict[tuple[object, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(_shape(job), []).append(job)
    renamed = {job.name: without_step(job.name) for group in groups.values() if len(group) > 1 for job in group}
    return tuple(_renamed(replace(group[0], repeat=sum(job.repeat for job in group)), renamed)
                 for group in groups.values())  # fmt: skip


def without_step(name: str) -> str:
    """`decode.129.logits` as `decode.logits`; a name without a step as it is."""
    stage, _, rest = name.partition(".")
    step, dot, what = rest.partition(".")
    return f"{stage}.{what}" if dot and step.isdecimal() else name


def _shape(job: Job) -> tuple[object, ...]:
    if job.numbers is not None or without_step(job.name) == job.name:
        return (job.name,)
    references = (job.product,) if isinstance(job, VectorLayer) else (job.weights_from,)
    return (
        type(job).__name__, without_step(job.name), *map(without_step, references),
        *(getattr(job, field.name) for field in fields(job) if field.name not in _NAMES),
    )  # fmt: skip


def _renamed(job: Job, names: dict[str, str]) -> Job:
    if isinstance(job, Layer):
        return replace(
            job, name=names.get(job.name, job.name), weights_from=names.get(job.weights_from, job.weights_from)
        )
    return replace(
        job, name=names.get(job.name, job.name), output=names.get(job.output, job.output),
        product=names.get(job.product, job.product),
    )  # fmt: skip
