"""The walk: runs the sections of a listing in the order of a timetable, one job after the other."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from evorrn.engine.cache import load
from evorrn.engine.listing.listing import SCRATCH, Listing
from evorrn.kernels import machine, threads

SOURCE = '''"""The walk through listings."""

from numba import njit

from evorrn.engine.listing.jobs import run_jobs


@njit(cache=True, error_model="numpy", nogil=True)
def walk(first, last, rows, moves, places, bases, timetable, parts):
    """Run jobs first to last, each one genome on one tile."""
    run_jobs(first, last, rows, moves, places, bases, timetable, parts)
'''


Base = tuple[int, int, int, np.ndarray | None]
"""Where an array is: its address, its strides in bytes from genome to genome and from tile to tile, and the array.

Who has the address holds the array with it, so that its memory cannot be used again meanwhile.
"""

NOWHERE: Base = 0, 0, 0, None


def base(values: np.ndarray, axes: str = "") -> Base:
    """Return where an array is; `axes` names its first axes, ``"p"`` for genomes and ``"q"`` for tiles."""
    try:
        address = ctypes.addressof(
            ctypes.c_char.from_buffer(values)  # type: ignore[arg-type]
        )  # a quarter of the time of the way below
    except (TypeError, ValueError, BufferError):  # read-only, empty, or not contiguous
        address = int(values.ctypes.data)
    genomes = values.strides[0] if "p" in axes else 0
    return address, genomes, values.strides[axes.index("q")] if "q" in axes else 0, values


class Walk:
    """A listing that can be run.

    Parameters
    ----------
    listing : Listing
    dtype : dtype
    """

    def __init__(self, listing: Listing, dtype: np.dtype) -> None:
        self.listing = listing
        self.sections = {name: k for k, name in enumerate(listing.sections)}
        self._bases = listing.bases
        self._dtype = dtype
        code = listing.code(dtype)
        self._bounds = code.sections
        self._code = code.rows, code.moves, code.places
        self._walk = _walk()

    def expanded(self, timetable: np.ndarray) -> np.ndarray:
        """Return a timetable of `evorrn.engine.listing.jobs.run_jobs` from one whose entries begin with the index of a section."""
        return np.ascontiguousarray(np.hstack([self._bounds[timetable[:, 0]], timetable[:, 1:]]))

    def work(
        self,
        jobs: int,
        bases: Mapping[str, Base],
        timetable: np.ndarray,
        parts: np.ndarray,
        memory: Mapping[str, int] | None = None,
    ) -> threads.Work:
        """Return the work of running all jobs, which holds all arrays.

        Parameters
        ----------
        jobs : int
        bases : mapping of str to Base
            Where the arrays of the listing are.
        timetable, parts : ndarray
            See `run_jobs`.
        memory : mapping of str to int, optional
            Bases that are memory of a thread's own, like the scratch memory, and how many tiles of each place of
            theirs there are, one after the other.
        """
        flat: list[int] = []
        for name in self._bases:
            flat += bases.get(name, NOWHERE)[:3]
        table = np.array(flat, np.int64).reshape(-1, 3)
        sizes = {SCRATCH: 1, **(memory or {})}

        def run(first: int, last: int, held: Mapping[str, Base] = bases) -> None:
            self._part(first, last, sizes, table, timetable, parts)

        return threads.Work(jobs, run)

    def bound(
        self, bases: Mapping[str, Base], timetable: np.ndarray, parts: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Return the arrays that `run_jobs` reads, by name, always for the same arrays of the listing, which the caller holds.

        Besides those it is the memory that the caller must hold, ``"memory"``.
        """
        memory = np.empty(self.listing.size[SCRATCH] + threads.CACHE_LINE, self._dtype)
        start = base(memory)[0]
        aligned = -(-start // threads.CACHE_LINE) * threads.CACHE_LINE
        given = {**bases, SCRATCH: (aligned, 0, 0, memory)}
        table = np.array([given.get(name, NOWHERE)[:3] for name in self._bases], np.int64).reshape(-1, 3)
        rows, moves, places = self._code
        about = {"rows": rows, "moves": moves, "places": places, "bases": table}
        return {**about, "timetable": timetable, "parts": parts, "memory": memory}

    def _part(self, first: int, last: int, memory: Mapping[str, int], bases: np.ndarray, *rest: Any) -> None:
        """Run some jobs in this thread, with its own memory."""
        sizes = [count * self.listing.size[name] for name, count in memory.items()]
        scratch = threads.scratch(sum(sizes), self._dtype)
        address = base(scratch)[0]
        own = bases.copy()
        for name, size in zip(memory, sizes):
            own[self._bases.index(name), 0] = address
            address += size * self._dtype.itemsize
        self._walk(first, last, *self._code, own, *rest)


@functools.cache
def _walk() -> Any:
    walk = load(SOURCE, "walk").walk
    if machine.compiling():
        from numba import types

        integer, row = types.int64, types.int64[::1]
        table = types.int64[:, ::1]
        walk.compile(types.void(integer, integer, row, *[table] * 5))
    return walk
