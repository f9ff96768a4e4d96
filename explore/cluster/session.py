"""A Dask client, and where asked for a cluster of this machine's processes, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import multiprocessing
import signal
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import TypeVar

from distributed import Client, LocalCluster
from distributed.versions import VersionMismatchWarning

from designs.errors import InputError

CONNECT_SECONDS = 10.0  # to a scheduler's answer
CLOSE_SECONDS = 15.0  # to the end of a cluster, after which its processes end with this one

_SILENT = logging.CRITICAL + 1
Served = TypeVar("Served")


@contextmanager
def session(
    address: str | None,
    n_workers: int,
    serve: Callable[[Client, AsyncExitStack], Awaitable[Served]],
    *,
    dashboard: Callable[[str], None] | None,
) -> Iterator[Served]:
    """What `serve` makes of a client of the scheduler at `address`, or else of `n_workers` processes started here.

    `serve` runs in the loop's thread, as do the coroutines that it leaves; they are cancelled when the block ends.
    `dashboard` is told the dashboard's address, or why there is none.
    Raises InputError where no scheduler answers or no process can be started.
    """
    _be_quiet()
    started: Future[tuple[Served, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        ended = asyncio.Event()
        try:
            async with AsyncExitStack() as stack:
                try:
                    client = await _client(address, n_workers, stack, dashboard)
                    served = await serve(client, stack)
                except BaseException as error:
                    started.set_exception(error)
                    return
                started.set_result((served, asyncio.get_running_loop(), ended))
                await ended.wait()
        finally:
            if not started.done():
                started.cancel()

    thread = threading.Thread(target=asyncio.run, args=(live(),), name="lockstep-cluster", daemon=True)
    resource_tracker.ensure_running()  # else the thread would start it, which lets interrupts in again
    with _without_interrupts():  # the thread, and what it starts, inherit it: Ctrl-C is the main thread's to handle
        thread.start()
    served, loop, ended = started.result()
    try:
        yield served
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(CLOSE_SECONDS)


async def _client(
    address: str | None, n_workers: int, stack: AsyncExitStack, dashboard: Callable[[str], None] | None
) -> Client:
    if address is None:
        cluster = await stack.enter_async_context(await _local_cluster(n_workers, dashboard is not None))
        client = Client(cluster, asynchronous=True, set_as_default=False)  # type: ignore[no-untyped-call]
    else:
        try:
            client = Client(  # type: ignore[no-untyped-call]
                address, asynchronous=True, set_as_default=False, timeout=CONNECT_SECONDS
            )
            await client
        except (OSError, ValueError, TypeError, RuntimeError, ImportError) as error:
            raise InputError(
                f"cluster: wanted a Dask scheduler at {address}, got none that answers ({_reason(error)}); "
                f"start one with `dask scheduler`, as docs/cluster.md tells"
            ) from error
    client = await stack.enter_async_context(client)
    if dashboard is not None:
        dashboard(_dashboard_of(client, address is None))
    return client


async def _local_cluster(n_workers: int, dashboard: bool) -> LocalCluster:
    """Ports are any that are free, so that several runs do not meet."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise InputError(
            "workers: wanted a script whose work is under `if __name__ == '__main__':`, since workers import it, "
            "got one without; put it there"
        )
    try:
        return await LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=n_workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0" if dashboard and _has_bokeh() else None,
            memory_limit=0,  # as without Dask: the machine's
            silence_logs=_SILENT,
            asynchronous=True,
        )
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"workers: wanted {n_workers} worker processes, got: {_reason(error)}; go on with fewer or without"
        ) from error


def _dashboard_of(client: Client, is_ours: bool) -> str:
    if is_ours and not _has_bokeh():
        return "Dask shows no dashboard without bokeh: pip install bokeh"
    if "dashboard" not in client.scheduler_info()["services"]:
        return "Dask shows no dashboard: its scheduler was started without"
    return f"Dask dashboard: {client.dashboard_link}"


def _has_bokeh() -> bool:
    return importlib.util.find_spec("bokeh") is not None


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _be_quiet() -> None:
    """What Dask logs of workers that come and go is told in our own words where it matters."""
    for name in ("distributed", "tornado", "bokeh", "asyncio"):
        logging.getLogger(name).setLevel(_SILENT)
    warnings.filterwarnings("ignore", category=VersionMismatchWarning)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
