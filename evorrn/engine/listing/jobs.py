"""The compiled loop of the walk: over jobs, the entries of their timetables, and the rows of a section."""

from __future__ import annotations

import numpy as np

from evorrn.engine.listing.addresses import call
from evorrn.kernels.deferred import part


@part
def run_jobs(first, last, rows, moves, places, bases, timetable, parts):
    """Run jobs first to last.

    Parameters
    ----------
    first, last : int
        With Q tiles, job j is genome j // Q on tile j % Q.
    rows, moves, places
        See `evorrn.engine.listing.listing.Code`.
    bases : ndarray of int64, shape (bases, 3)
        Address of each array, and its strides in bytes from genome to genome and from tile to tile.
    timetable : ndarray of int64, shape (entries, 7)
        First and last number in `rows` and first and last row of `moves`; time step t, step k within a segment, and
        number of time steps of products.
    parts : ndarray of int64, shape (Q, 2)
        First and last entry of each tile in the timetable.
    """
    at = np.empty(len(places), np.int64)
    still = np.empty(len(places), np.int64)
    now = np.empty(2, np.int64)
    for job in range(first, last):
        genome, tile = job // len(parts), job % len(parts)
        for i in range(len(places)):
            base = places[i, 0]
            still[i] = bases[base, 0] + genome * bases[base, 1] + tile * bases[base, 2] + places[i, 1]
            at[i] = still[i]
        for entry in range(np.uint64(parts[tile, 0]), np.uint64(parts[tile, 1])):
            t, k = timetable[entry, 4], timetable[entry, 5]
            now[0], now[1] = t, timetable[entry, 6]
            for m in range(np.uint64(timetable[entry, 2]), np.uint64(timetable[entry, 3])):
                place = np.uint64(moves[m, 0])  # unsigned: not checked for indices from the end
                clock = k if moves[m, 1] else t
                at[place] = still[place] + ((clock + moves[m, 2]) & moves[m, 3]) * moves[m, 4]
            row, stop = timetable[entry, 0], timetable[entry, 1]
            while row < stop:
                call(rows, row, at, now)
                row += rows[np.uint64(row) + np.uint64(1)]
