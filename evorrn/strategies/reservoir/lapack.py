"""Calls of LAPACK routines that, unlike SciPy's wrappers, release the interpreter's lock."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import numpy as np

BLOCK = 64
"""Columns of LAPACK's workspace, which it reduces together."""


def call(name: str, *arguments: bytes | int | np.ndarray) -> None:
    """Call a LAPACK routine with all arguments but the last, its error code; raise LinAlgError on an error."""
    failed = ctypes.c_int(0)
    held: list[object] = []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            held.append(ctypes.c_void_p(argument.ctypes.data))
        else:
            held.append(ctypes.byref(ctypes.c_int(argument)) if isinstance(argument, int) else argument)
    _routine(name)(*held, ctypes.byref(failed))
    if failed.value:
        raise np.linalg.LinAlgError(f"{name} failed with {failed.value}")


@functools.cache
def _routine(name: str) -> Callable[..., None]:
    """Return a routine of SciPy's LAPACK."""
    from scipy.linalg import cython_lapack

    capsule = cython_lapack.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    return ctypes.CFUNCTYPE(None)(address)
