"""Compiled functions of the package itself, with their machine code in evorrn's cache folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from evorrn.base.files import cache_folder
from evorrn.kernels.store import checked

F = TypeVar("F", bound=Callable[..., Any])


def cached(function: F) -> F:
    """Return a function compiled by numba, whose machine code is stored for the next process.

    It is compiled at the first call. The machine code is stored in ``$NUMBA_CACHE_DIR``, else in the folder of the
    emitted kernels: ``$EVORRN_CACHE``, else the user's cache folder. If the folder cannot be written, every
    process compiles the function again. While it runs other threads may run Python.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> @evorrn.cached
    ... def total(values):
    ...     result = 0.0
    ...     for value in values:
    ...         result += value
    ...     return result
    >>> total(np.array([1.0, 2.0, 3.0]))
    6.0
    """
    compiler: Any = numba.njit
    options: Any = numba.config
    given = options.CACHE_DIR
    options.CACHE_DIR = given or str(cache_folder())
    try:
        return cast("F", checked(compiler(function, cache=True, nogil=True, error_model="numpy")))
    except RuntimeError:  # numba found no folder that can be written
        return compiler(function, nogil=True, error_model="numpy")
    finally:
        options.CACHE_DIR = given
