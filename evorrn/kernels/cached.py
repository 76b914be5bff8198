"""Compiled functions of the package itself, with their machine code in evorrn's cache folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

from evorrn.base.files import cache_folder

F = TypeVar("F", bound=Callable[..., Any])


def cached(function: F) -> F:
    """Compile a function when it is first called, and keep the machine code for the next process.

    It is kept where emitted kernels are (``$EVORRN_CACHE``, else the user's cache folder), unless
    ``NUMBA_CACHE_DIR`` says otherwise; where no folder can be written it is compiled in every process.
    """
    compiler: Any = numba.njit
    options: Any = numba.config
    given = options.CACHE_DIR
    options.CACHE_DIR = given or str(cache_folder())
    try:
        return compiler(function, cache=True, error_model="numpy")
    except RuntimeError:  # numba found no folder that can be written
        return compiler(function, error_model="numpy")
    finally:
        options.CACHE_DIR = given
