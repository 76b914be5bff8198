"""Arrays that begin where a line of the cache does; the memory of large ones is used again when they are gone.

The system clears the pages of new memory when they are first touched, which takes as long as a good part of a forward
pass through a network. Memory that was used before is not cleared.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

import numpy as np

from evorrn.kernels.deferred import part
from evorrn.kernels.threads import CACHE_LINE

LEAST_BYTES = 2**16
"""Smaller arrays come from Python's own memory, which is used again anyway."""

KEPT_BYTES = 2**29
"""How much memory that is not in use is kept, at most."""

_free: defaultdict[int, deque[np.ndarray]] = defaultdict(deque)
"""Memory that is not in use, by its size. Several threads take and return it: each step on its own is atomic."""


class _Lent:
    """The owner of an array; it gives the memory back when no array refers to it any more."""

    def __init__(self, memory: np.ndarray, interface: dict[str, Any]) -> None:
        self._memory = memory
        self.__array_interface__ = interface

    def __del__(self, free: defaultdict[int, deque[np.ndarray]] = _free, most: int = KEPT_BYTES) -> None:
        size = self._memory.nbytes
        if sum(length * len(kept) for length, kept in list(free.items())) + size > most:
            free.clear()
        free[size].append(self._memory)


def room(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return a contiguous array of a shape and dtype that begins at a cache line; in it are numbers left from before."""
    size = dtype.itemsize
    for length in shape:
        size *= length
    if not LEAST_BYTES <= size <= KEPT_BYTES // 2:
        memory = np.empty(size + CACHE_LINE, np.uint8)
        start = -memory.ctypes.data % CACHE_LINE
        return memory[start : start + size].view(dtype).reshape(shape)
    step = 2 ** (size.bit_length() - 3)
    size = -(-size // step) * step + CACHE_LINE
    try:
        memory = _free[size].pop()
    except IndexError:
        memory = np.empty(size, np.uint8)
    address = -(-memory.ctypes.data // CACHE_LINE) * CACHE_LINE
    interface = {"version": 3, "shape": shape, "typestr": dtype.str, "data": (address, False)}
    return np.asarray(_Lent(memory, interface))


@part
def aligned(rows: int, lanes: int) -> np.ndarray:
    """Return zeros (rows, lanes) that begin at a cache line, else every vector would lie in two lines."""
    memory = np.zeros(rows * lanes + CACHE_LINE // 8)
    first = -memory.ctypes.data % CACHE_LINE // 8
    return memory[first : first + rows * lanes].reshape(rows, lanes)
