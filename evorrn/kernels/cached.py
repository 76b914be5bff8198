"""Compiled functions of the package itself, with their machine code in evorrn's cache folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from evorrn.base.files import cache_folder
from evorrn.kernels.store import checked

F = TypeVar("F", bound=Callable[..., Any])


compiled: Any = numba.njit(error_model="numpy")
"""Compiles a function that environments are made of."""


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
    return _stored(function, frozenset())


def reordered(function: F) -> F:
    """Return a function compiled and stored as by `cached`, whose sums may be added in another order.

    Loops that add are then vectorised. The order is the same in every call on one processor.
    """
    return _stored(function, frozenset({"contract", "reassoc"}))


def _stored(function: F, fastmath: frozenset[str]) -> F:
    compiler: Any = numba.njit
    options: Any = numba.config
    allowed = {"nogil": True, "error_model": "numpy", **({"fastmath": set(fastmath)} if fastmath else {})}
    given = options.CACHE_DIR
    options.CACHE_DIR = given or str(cache_folder())
    try:
        return cast("F", checked(compiler(function, cache=True, **allowed)))
    except RuntimeError:  # numba found no folder that can be written
        return compiler(function, **allowed)
    finally:
        options.CACHE_DIR = given
