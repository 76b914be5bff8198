"""Kernels that read and write the tiles of predecessors; they take the conventions of `evorrn.engine.listing.kernels`.

A link is ``tile * LINK_LANES + lane`` of a predecessor, 0 where there is none: tile 0 holds zeros.
"""

from __future__ import annotations

import numpy as np

from evorrn.engine.listing.addresses import vector
from evorrn.engine.listing.listing import LINK_LANES
from evorrn.kernels.deferred import part


@part
def gather(row, at, now, F):
    """Set each lane to that of its predecessor: out, tiles, their distance in numbers, links, rows, lanes."""
    rows, lanes = row[6], row[7]
    links = vector(np.int64, at[row[5]], lanes)
    out = vector(F, at[row[2]], rows * lanes)
    for k in range(lanes):
        start = (links[k] // LINK_LANES) * row[4] + links[k] % LINK_LANES
        source = vector(F, at[row[3]], start + rows * lanes)
        for i in range(rows):
            out[i * lanes + k] = source[start + i * lanes]


@part
def scatter(row, at, now, F):
    """Add each lane to that of its predecessor: tiles, their distance in numbers, given, links, rows, lanes.

    The lanes are taken in order, so that the sums of shared predecessors are the same in every run.
    """
    rows, lanes = row[6], row[7]
    links = vector(np.int64, at[row[5]], lanes)
    given = vector(F, at[row[4]], rows * lanes)
    for k in range(lanes):
        start = (links[k] // LINK_LANES) * row[3] + links[k] % LINK_LANES
        out = vector(F, at[row[2]], start + rows * lanes)
        for i in range(rows):
            out[start + i * lanes] += given[i * lanes + k]
