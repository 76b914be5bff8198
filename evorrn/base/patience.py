"""Waiting for work that no signal can interrupt, as compiling, so that the process still reacts to signals.

Python runs its handlers of signals between two instructions of the main thread, and LLVM may take minutes. So such work
is done in another thread, and the main thread waits. What interrupts the waiting abandons the work; the process should
then end by `leave`, since an ordinary exit waits for the thread.
"""

from __future__ import annotations

import contextvars
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

LOOK_SECONDS = 0.1
"""Time between two looks whether the work has ended or is no longer wanted."""

T = TypeVar("T")

_unwanted: list[Callable[[], bool]] = []
_threads: list[threading.Thread] = []


def patiently(work: Callable[[], T]) -> T:
    """Return what a function returns, or raise its error; the function runs in another thread.

    Raises
    ------
    KeyboardInterrupt
        When a function given to `given_up_when` returns True. A handler of a signal may raise whatever it wants.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    answer: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(work())
        except BaseException as error:
            errors.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name="evorrn-compiling")
    thread.start()
    _threads.append(thread)
    while thread.is_alive():
        thread.join(LOOK_SECONDS)
        if thread.is_alive() and any(unwanted() for unwanted in _unwanted):
            raise KeyboardInterrupt
    _threads.remove(thread)
    if errors:
        raise errors[0]
    return answer[0]


@contextmanager
def collecting_nothing() -> Iterator[None]:
    """Leave the garbage of the block to be collected after it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def is_waiting() -> bool:
    """Return whether work runs that is waited for, or was abandoned."""
    return any(thread.is_alive() for thread in _threads)


@contextmanager
def given_up_when(unwanted: Callable[[], bool]) -> Iterator[None]:
    """Abandon work that the block waits for as soon as a function returns True."""
    _unwanted.append(unwanted)
    try:
        yield
    finally:
        _unwanted.remove(unwanted)


def leave(code: int) -> None:
    """End the process at once if abandoned work is still running; else return."""
    if is_waiting():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
