"""BLAS under a limit of one thread: its results change in the last bits with the number of threads."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which NumPy's and SciPy's BLAS use one thread, so that bits do not depend on it."""
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401  (SciPy brings a BLAS of its own, which must be loaded to be limited)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
