"""How many threads the kernels use, and how jobs are shared among them.

Kernels release Python's lock, so plain threads run them side by side. Jobs are independent of each
other and each writes its own results: what comes out does not depend on the number of threads. (Numba's
own parallel loops would compile every program twice over, and must not be forked after their first use.)
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from evorrn.base.errors import EvorrnError

T = TypeVar("T")

CACHE_LINE = 64

_pool: ThreadPoolExecutor | None = None
_pool_workers, _pool_owner = 0, 0
_count = 0
_own = threading.local()


def available() -> int:
    """Return the number of cores this process may use, or ``$NUMBA_NUM_THREADS`` where it is set."""
    given = os.environ.get("NUMBA_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def get_threads() -> int:
    """Return how many threads kernels use."""
    return _count or available()


def set_threads(count: int) -> None:
    """Set the number of threads that kernels use; results do not depend on it.

    Parameters
    ----------
    count : int
        At least 1. The default is the number of cores that the process may use.

    Raises
    ------
    EvorrnError
        When it is not a whole number of at least 1.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.set_threads(2)
    """
    global _count
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise EvorrnError(f"threads: expected a whole number of at least 1, got {count!r}")
    _count = count


def share(jobs: int, kernel: Callable[..., Any], *arguments: Any) -> None:
    """Call ``kernel(first, last, *arguments)`` for jobs 0 to `jobs`, in equal runs, one a thread.

    A kernel that shares jobs itself does them alone: all threads are at work, and would wait for each other.
    """
    parts = 1 if getattr(_own, "sharing", False) else max(1, min(get_threads(), jobs))
    bounds = [jobs * part // parts for part in range(parts + 1)]
    if parts == 1:
        kernel(0, jobs, *arguments)
        return
    others: list[Future[None]] = []
    try:
        for first, last in itertools.pairwise(bounds[1:]):
            others.append(_executor(parts - 1).submit(_part, kernel, first, last, *arguments))
        _part(kernel, 0, bounds[1], *arguments)
    finally:
        _wait(others)
    for other in others:
        other.result()


def _part(kernel: Callable[..., Any], first: int, last: int, *arguments: Any) -> None:
    """Call a kernel for some of the jobs that threads share."""
    try:
        _own.sharing = True
        kernel(first, last, *arguments)
    finally:
        _own.sharing = False


def _wait(others: Sequence[Future[None]]) -> None:
    """Wait for other threads, which still write to the arrays; an interrupt is raised afterwards."""
    interrupt: BaseException | None = None
    for other in others:
        while not other.done():
            try:
                other.exception()
            except BaseException as error:
                interrupt = error
    if interrupt is not None:
        raise interrupt


class Work(NamedTuple):
    """Independent jobs: their number, and what runs jobs first to last."""

    jobs: int
    run: Callable[[int, int], None]


class Later(NamedTuple, Generic[T]):
    """A result that is there when its work is done.

    Attributes
    ----------
    work : Work
    result : callable
        Returns it, once the work is done; it may work further.
    """

    work: Work
    result: Callable[[], T]

    def now(self) -> T:
        """Do the work and return the result."""
        return finished([self])[0]


def finished(parts: Sequence[Later[T]]) -> list[T]:
    """Return the results of independent works, whose jobs the threads share as if they were one work's."""
    ends = list(itertools.accumulate(part.work.jobs for part in parts))

    def run(first: int, last: int) -> None:
        for part, end in zip(parts, ends):
            start = end - part.work.jobs
            if first < end and last > start:
                part.work.run(max(first, start) - start, min(last, end) - start)

    share(ends[-1], run)
    return [part.result() for part in parts]


def together(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Return the results of independent calls, in order; each should release Python's lock for long."""
    results: list[Any] = [None] * len(tasks)

    def run(first: int, last: int) -> None:
        for k in range(first, last):
            results[k] = tasks[k]()

    share(len(tasks), run)
    return results


def scratch(size: int, dtype: np.dtype) -> np.ndarray:
    """Return memory of this thread's own, of at least `size` numbers, which the next call returns again.

    It begins at a cache line, and what is in it is left from before.
    """
    wanted = -(-size * dtype.itemsize // CACHE_LINE) * CACHE_LINE
    memory = getattr(_own, "memory", None)
    if memory is None or memory.nbytes < wanted:
        raw = np.empty(wanted + CACHE_LINE, np.uint8)
        start = -raw.ctypes.data % CACHE_LINE
        memory = _own.memory = raw[start : start + wanted]
    return memory.view(dtype)


def _executor(workers: int) -> ThreadPoolExecutor:
    """Return a pool of at least `workers` threads; a forked child makes one of its own."""
    global _pool, _pool_workers, _pool_owner
    if _pool is None or _pool_owner != os.getpid() or _pool_workers < workers:
        _pool = ThreadPoolExecutor(workers, thread_name_prefix="evorrn")
        _pool_workers, _pool_owner = workers, os.getpid()
    return _pool
