"""How time is taken: contenders in turn, equally often, on equally many cores."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evorrn.kernels.threads import available, get_threads, set_threads

THREADS = 2
"""Threads of every contender, or as many as there are cores."""

PAUSE_SECONDS, PAUSES = 0.05, 10
"""Rest before a contender's turn, and how often at most: threads of another one that wait for work, spinning, fall asleep."""

LONG_SECONDS = 0.3
"""From this duration of the slowest contender on, each is called once a turn instead of three times."""


@dataclass(frozen=True)
class Times:
    """Wall times of the calls of one contender, in seconds."""

    calls: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """The shortest call: what the machine can do when nobody else disturbs it."""
        return min(self.calls)

    @property
    def median(self) -> float:
        """The median call, where calls differ in what they do."""
        return statistics.median(self.calls)


def alternate(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Time functions in turn: every one is called equally often in each round, after one untimed call.

    Parameters
    ----------
    calls : mapping of str to callable
    rounds : int
        Turns of each contender.
    """
    slowest = max(_clocked(call) for call in calls.values())
    repeats = 1 if slowest > LONG_SECONDS else 3
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            _rest()
            taken[name] += [_clocked(call) for _ in range(repeats)]
    return {name: Times(tuple(seconds)) for name, seconds in taken.items()}


@contextmanager
def limited_threads() -> Iterator[int]:
    """Keep this process to `THREADS` cores and as many threads of ours and of BLAS, and give their number.

    Peers that count cores when they start do so within the block.
    """
    import numpy  # noqa: F401  (BLAS must be loaded to be limited)
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    count, before = min(THREADS, available()), get_threads()
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    set_threads(count)
    try:
        if allowed is not None:
            os.sched_setaffinity(0, _separate_cores(sorted(allowed), count))
        with threadpool_limits(count):
            yield count
    finally:
        set_threads(before)
        if allowed is not None:
            os.sched_setaffinity(0, allowed)


def _separate_cores(processors: list[int], count: int) -> list[int]:
    """Return `count` processors, of different cores where the system tells and there are enough."""
    chosen: dict[str, int] = {}
    for processor in processors:
        path = Path(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")
        core = path.read_text() if path.exists() else str(processor)
        chosen.setdefault(core, processor)
    apart = list(chosen.values())
    return (apart + [processor for processor in processors if processor not in apart])[:count]


def _rest() -> None:
    """Wait until no thread of this process computes: those of a BLAS spin for 0.1 s and more after a call."""
    for _ in range(PAUSES):
        before = time.process_time()
        time.sleep(PAUSE_SECONDS)
        if time.process_time() - before < PAUSE_SECONDS / 10:
            return


def _clocked(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
