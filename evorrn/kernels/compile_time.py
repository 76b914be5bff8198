"""The seconds that this thread has spent on compiling functions of numba, or on loading them from the cache."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from numba.core import event

EVENT = "numba:compiler_lock"
"""Broadcast, nested, around everything that numba compiles or loads."""


class _Clock(threading.local):
    """What one thread has spent; `depth` is the number of its blocks that are under way."""

    depth = 0
    started = 0.0
    seconds = 0.0


class _Listener(event.Listener):
    def on_start(self, event: event.Event) -> None:
        if _clock.depth == 0:
            _clock.started = time.perf_counter()
        _clock.depth += 1

    def on_end(self, event: event.Event) -> None:
        _clock.depth -= 1
        if _clock.depth == 0:
            _clock.seconds += time.perf_counter() - _clock.started


_clock = _Clock()
event.register(EVENT, _Listener())


def spent() -> float:
    """Return the seconds that this thread has spent so far.

    Examples
    --------
    >>> from numba import njit
    >>> from evorrn.kernels.compile_time import spent
    >>> before = spent()
    >>> njit(lambda x: x + 1)(1), spent() > before
    (2, True)
    """
    return _clock.seconds


@contextmanager
def compiling() -> Iterator[None]:
    """Count the whole block as compiling, whatever does it, and also what other threads compile for it."""
    before, started = _clock.seconds, time.perf_counter()
    try:
        yield
    finally:
        _clock.seconds = before + time.perf_counter() - started
