"""Dask clusters as executors: one of this machine, or any whose scheduler can be reached."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from evorrn.base.errors import EvorrnError
from evorrn.lab.sweep.workers import LocalExecutor

REACH_SECONDS = 5.0
"""Time that a scheduler has to answer."""
MOST_PROCESSES = 1024
"""More than a Dask worker has threads."""
FIRST_WORKER_SECONDS = 60.0
"""Time that a cluster has to show its first worker."""


@contextmanager
def dask_executor(address: str | None, jobs: int) -> Iterator[tuple[Executor | None, int]]:
    """Give an executor on a Dask cluster, and how many runs it can have under way.

    Parameters
    ----------
    address : str or None
        Of a scheduler, for instance ``tcp://10.0.0.1:8786``; ``local`` for a cluster of this machine; None
        for no cluster: then there is no executor and `jobs` is given back.
    jobs : int
        Workers of a local cluster.

    Raises
    ------
    EvorrnError
        When Dask is not installed, or the scheduler or its workers cannot be reached.
    """
    if address is None:
        yield None, jobs
        return
    try:
        import distributed
    except ImportError:
        raise EvorrnError("--dask: needs Dask; pip install 'evorrn[cluster]'") from None
    with _quiet(), _client(distributed, address, jobs) as client:
        slots = _slots(distributed, client)
        executor = _Apart(client.get_executor(pure=False))
        try:
            yield executor, slots
        finally:
            executor.shutdown(wait=False)


class _Apart(Executor):
    """Dask's executor, with each call in a process of its own beside the Dask worker that does it.

    A Dask worker has threads of its own that draw from Python's global generator, and so would change what
    strategies draw from it; nor can a run in one of its threads see a signal.
    """

    def __init__(self, dask: Any) -> None:
        self.dask = dask

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a call to the cluster."""
        future: Future[Any] = self.dask.submit(_apart, fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel calls that have not begun, or wait for them."""
        self.dask.shutdown(wait=wait)


def _apart(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Do a call in a process started by this one."""
    return _processes().submit(fn, *args, **kwargs).result()


@functools.cache
def _processes() -> LocalExecutor:
    """Return the executor whose processes do the calls of a Dask worker."""
    return LocalExecutor(MOST_PROCESSES)


@functools.cache
def event_loop() -> Any:
    """Return the event loop for Dask, a ``tornado.ioloop.IOLoop`` that runs in a thread until the process ends.

    Dask starts one itself, but fails where that takes more than ten seconds, as on a machine that is full. This
    one is waited for as long as it takes.
    """
    from tornado.ioloop import IOLoop

    started: Future[Any] = Future()

    async def for_ever() -> None:
        started.set_result(IOLoop.current())
        await asyncio.Event().wait()

    threading.Thread(target=asyncio.run, args=(for_ever(),), name="Dask's event loop", daemon=True).start()
    return started.result()


@contextmanager
def _client(distributed: Any, address: str, jobs: int) -> Iterator[Any]:
    if address == "local":
        cluster = distributed.LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            loop=event_loop(),
        )
        with cluster, distributed.Client(cluster, loop=event_loop()) as client:
            yield client
        return
    try:
        # First without a client: one that reaches nobody writes warnings when it is collected.
        asyncio.run_coroutine_threadsafe(_greet(distributed, address), event_loop().asyncio_loop).result()
        client = distributed.Client(address, timeout=REACH_SECONDS, loop=event_loop())
    except (OSError, TimeoutError, ValueError) as error:
        raise EvorrnError(
            f"--dask: no Dask scheduler answers at {address} ({type(error).__name__}); start one with: dask scheduler"
        ) from None
    with client:
        yield client


async def _greet(distributed: Any, address: str) -> None:
    """Connect to a scheduler once."""
    connection = await distributed.comm.connect(address, timeout=REACH_SECONDS)
    await connection.close()


def _slots(distributed: Any, client: Any) -> int:
    """Return how many runs a cluster can have under way: as many as its workers have threads."""
    try:
        client.wait_for_workers(1, timeout=FIRST_WORKER_SECONDS)
    except (TimeoutError, distributed.TimeoutError):
        raise EvorrnError(
            f"--dask: the scheduler at {client.scheduler.address} has no workers; start some with: "
            f"dask worker {client.scheduler.address} --nthreads 1"
        ) from None
    return sum(client.nthreads().values())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's log off the terminal; errors of runs are reported by the sweep."""
    logs = [
        logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")
    ]
    before = [log.disabled for log in logs]
    for log in logs:
        log.disabled = True
    try:
        yield
    finally:
        for log, state in zip(logs, before):
            log.disabled = state
