"""A Dask client, and where asked for a cluster of this machine's processes, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from typing import TypeVar

from distributed import Client, LocalCluster
from distributed.versions import VersionMismatchWarning

from designs.errors import InputError

CONNECT_SECONDS = 10.0  # to a connection
ANSWER_SECONDS = CONNECT_SECONDS + 5.0  # to the first answer: what listens there need not be a scheduler
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
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    started: Future[Served] = Future()

    async def live() -> None:
        ended = asyncio.Event()
        begun.set_result((asyncio.get_running_loop(), ended))
        async with AsyncExitStack() as stack:
            starting = asyncio.create_task(_started(address, n_workers, serve, stack, dashboard))
            ending = asyncio.create_task(ended.wait())
            await asyncio.wait((starting, ending), return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():  # interrupted before
                starting.cancel()
                await asyncio.wait((starting,))
            elif starting.cancelled():
                started.cancel()
            elif (error := starting.exception()) is not None:
                started.set_exception(error)
            else:
                started.set_result(starting.result())
                await ending

    thread = threading.Thread(target=asyncio.run, args=(live(),), name="lockstep-cluster", daemon=True)
    resource_tracker.ensure_running()  # else the thread would start it, which lets interrupts in again
    with _without_interrupts():  # the thread, and what it starts, inherit it: Ctrl-C is the main thread's to handle
        thread.start()
    loop, ended = begun.result()
    try:
        yield started.result()
    finally:
        with suppress(RuntimeError):  # it did not start, and its loop is closed
            loop.call_soon_threadsafe(ended.set)
        thread.join(CLOSE_SECONDS)


async def _started(
    address: str | None,
    n_workers: int,
    serve: Callable[[Client, AsyncExitStack], Awaitable[Served]],
    stack: AsyncExitStack,
    dashboard: Callable[[str], None] | None,
) -> Served:
    return await serve(await _client(address, n_workers, stack, dashboard), stack)


async def _client(
    address: str | None, n_workers: int, stack: AsyncExitStack, dashboard: Callable[[str], None] | None
) -> Client:
    if address is None:
        stack.enter_context(_hidden_main())
        cluster = await stack.enter_async_context(await _local_cluster(n_workers, dashboard is not None))
        client = Client(cluster, asynchronous=True, set_as_default=False)  # type: ignore[no-untyped-call]
    else:
        client = await _connected(address)
    client = await stack.enter_async_context(client)
    if dashboard is not None:
        dashboard(_dashboard_of(client, address is None))
    return client


async def _connected(address: str) -> Client:
    client = None
    try:
        client = Client(  # type: ignore[no-untyped-call]
            address, asynchronous=True, set_as_default=False, timeout=CONNECT_SECONDS
        )
        async with asyncio.timeout(ANSWER_SECONDS):
            return await client
    # MemoryError: of what something else says, Dask takes the first bytes for a length.
    except (OSError, ValueError, TypeError, RuntimeError, ImportError, MemoryError) as error:
        if client is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.close()  # type: ignore[no-untyped-call]
        raise InputError(
            f"cluster: wanted a Dask scheduler at {address.strip() or repr(address)}, got none that answers "
            f"({_reason(error)}); start one with `dask scheduler`, as docs/cluster.md tells"
        ) from error


async def _local_cluster(n_workers: int, dashboard: bool) -> LocalCluster:
    """Ports are any that are free, so that several runs do not meet."""
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
            f"workers: wanted {n_workers} worker processes, got: {_reason(error)}; go on with fewer, or without"
        ) from error


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Let processes that start meanwhile, also those that take a dead one's place, not run the user's script again.

    multiprocessing would import it in each, which a script without `if __name__ == "__main__":` does not survive; of
    what runs there, nothing is the script's.
    """
    main = sys.modules["__main__"]
    hidden = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    for name in hidden:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name, value in hidden.items():
            setattr(main, name, value)


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
