"""BLAS under a limit of one thread: its results change in the last bits with the number of threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside = 0
_limiter: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Let NumPy's and SciPy's BLAS use one thread in the block, so that bits do not depend on their number.

    The limit is the process's: of blocks that overlap in several threads the last to end lifts it.
    """
    global _inside, _limiter
    with _lock:
        if _inside == 0:
            _limiter = _controller().limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limiter.restore_original_limits()


@functools.cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401  (SciPy brings a BLAS of its own, which must be loaded to be limited)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
