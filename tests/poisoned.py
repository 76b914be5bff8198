"""Memory in which old and unwritten numbers are NaN, with words behind each array that nobody may overwrite."""

import threading

import numpy as np

from evorrn.kernels import memory, threads

POISON = 0xFF
"""In every byte: NaN in both floats, -1 in integers."""

KEPT = 400
"""Arrays that were given back and are kept for a while, so that who still reads them finds NaN."""


def poison(monkeypatch):
    """Poison the arrays that the engine lends, before they are lent and when they come back, and the memory of threads.

    Returns a list, to which a sentence is added whenever an array was written beyond its ends.
    """
    gone, own, wrong = [], threading.local(), []

    class Fresh:
        def __init__(self, size):
            self.size = size

        def pop(self):
            return np.full(self.size, POISON, np.uint8)

    class Unused:
        def __getitem__(self, size):
            return Fresh(size)

    class Lent(memory._Lent):
        def __del__(self):
            address, _ = self.__array_interface__["data"]
            shape, dtype = self.__array_interface__["shape"], np.dtype(self.__array_interface__["typestr"])
            start = address - self._memory.ctypes.data
            end = start + int(np.prod(shape)) * dtype.itemsize
            if (self._memory[:start] != POISON).any() or (self._memory[end:] != POISON).any():
                wrong.append(f"an array of {shape} was written beyond its ends")
            self._memory[...] = POISON
            gone.append(self._memory)
            del gone[:-KEPT]

    def scratch(size, dtype):
        last = getattr(own, "memory", None)
        if last is not None and (last[own.end :] != POISON).any():
            wrong.append(f"the memory of a thread, {own.end} bytes, was written beyond its end")
        wanted = -(-size * dtype.itemsize // threads.CACHE_LINE) * threads.CACHE_LINE
        raw = np.full(wanted + 3 * threads.CACHE_LINE, POISON, np.uint8)
        start = -raw.ctypes.data % threads.CACHE_LINE
        own.memory, own.end = raw[start:], wanted
        return own.memory[:wanted].view(dtype)

    monkeypatch.setattr(memory, "LEAST_BYTES", 1)
    monkeypatch.setattr(memory, "_free", Unused())
    monkeypatch.setattr(memory, "_Lent", Lent)
    monkeypatch.setattr(threads, "scratch", scratch)
    return wrong
