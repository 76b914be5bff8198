"""A context manager that limits BLAS to one thread, since its results depend on the number of threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_open_blocks = 0
_limiter: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit the BLAS of NumPy and SciPy to one thread inside the block.

    Results of BLAS differ in the last bits when it uses another number of threads. The limit holds for the
    whole process. When blocks overlap in several threads, it is removed when the last block ends.
    """
    global _open_blocks, _limiter
    with _lock:
        if _open_blocks == 0:
            _limiter = _controller().limit(limits=1, user_api="blas")
        _open_blocks += 1
    try:
        yield
    finally:
        with _lock:
            _open_blocks -= 1
            if _open_blocks == 0:
                _limiter.restore_original_limits()


@functools.cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401  (loads SciPy's own BLAS: only a loaded library can be limited)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
