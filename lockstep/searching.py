"""Searching a design space: the public API behind `lockstep search`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from designs.arguments import expect_seed, expect_whole
from designs.errors import InputError
from designs.fields import Value
from designs.space import Space
from designs.technology import Scaling
from explore.search import DEFAULT_SAMPLER
from lockstep.api import pinned, workload_of

if TYPE_CHECKING:
    from explore.search.result import SearchResult
    from explore.search.scheduler import Scheduler
    from workloads.load import Workload

MOST_ETA = 1024  # its square is how many parts the first share of a workload is one of


def search(
    space: Space | str | Path,
    workload: Workload | str | Path | None = None,
    *,
    budget: float,
    sampler: str = DEFAULT_SAMPLER,
    seed: int = 0,
    asha: bool = False,
    eta: int = 4,
    in_flight: int = 1,
    store: str | Path | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    progress: bool = False,
    scaling: Scaling = "stillmaker_baas",
    **parameters: Value,
) -> SearchResult:
    """Search a space for `budget` evaluations with one sampler and one seed; see `explore.search.search.search`.

    `store` is a file that keeps rows; a search that is run again with it does not simulate them again. With `asha`,
    parts of the workload are simulated first, and 1 in `eta` goes on. `parameters` are fixed fields of the design.
    """
    from explore.search.search import search as run
    from explore.store import Store

    expect_searchable([sampler], budget, eta, seed)
    chosen = pinned(space, parameters)
    loaded = workload_of(chosen, workload)

    def searched(opened: Store | None) -> SearchResult:
        return run(
            chosen,
            loaded,
            budget=budget,
            sampler=sampler,
            seed=seed,
            store=opened,
            scheduler=_asha(eta) if asha else None,
            in_flight=in_flight,
            workers=workers,
            cluster=cluster,
            progress=progress,
            scaling=scaling,
        )

    if store is None:
        return searched(None)
    with Store(store) as opened:
        return searched(opened)


def expect_searchable(samplers: Sequence[str], budget: float, eta: int, last_seed: int) -> None:
    """InputError, one line, for a sampler that there is not, a budget that allows nothing, no eta and no seed."""
    from explore.search.samplers import expect_sampler
    from explore.search.search import expect_budget

    expect_budget(budget)
    expect_whole("eta", eta, 2, MOST_ETA)
    expect_seed(last_seed)
    for name in samplers:
        expect_sampler(name)


def write_page(
    results: Sequence[SearchResult], directory: str | Path, space: Space, store: str | Path, command: str
) -> list[Path]:
    """Write the page of searches of one space, whose rows are in a store; the paths of page and tables."""
    from explore.store import Store
    from lockstep.api import with_details
    from reports.search_page import write_search_page

    first = results[0]
    with Store(store, must_exist=True) as opened:
        try:
            return write_search_page(
                results,
                directory,
                space=space,
                title=f"search of {first.space} on {first.workload}",
                command=command,
                store_path=store,
                layers_of=lambda rows: with_details(rows, opened, space.subject_to, first.objectives),
            )
        except OSError as error:
            raise InputError(
                f"{directory}: wanted a folder to write to, got: {error.strerror}; name another"
            ) from error


def _asha(eta: int) -> Scheduler:
    from explore.search.scheduler import Halving

    return Halving(eta)
