"""Kernels of operations that multiply entries along an axis; they take the conventions of `evorrn.engine.listing.arrays`."""

from __future__ import annotations

import numpy as np

from evorrn.engine.listing.addresses import tile
from evorrn.kernels.deferred import part


@part
def product(row, at, now, F):
    """Set a tile to the product of groups of rows: out, source, groups, rows of a group, lanes."""
    groups, rows, lanes = row[4], row[5], row[6]
    out, source = tile(F, at[row[2]], rows, lanes), tile(F, at[row[3]], groups * rows, lanes)
    for r in range(rows):
        for k in range(lanes):
            out[r, k] = source[r, k]
    for first in range(rows, groups * rows, rows):
        for r in range(rows):
            for k in range(lanes):
                out[r, k] *= source[first + r, k]


@part
def others(row, at, now, F):
    """Set groups of rows to the product of all other groups: out, source, groups, rows of a group, lanes, memory.

    The memory has the rows of a group.
    """
    groups, rows, lanes = row[4], row[5], row[6]
    count = groups * rows
    out, source = tile(F, at[row[2]], count, lanes), tile(F, at[row[3]], count, lanes)
    after = tile(F, at[row[7]], rows, lanes)
    for r in range(rows):
        for k in range(lanes):
            out[r, k] = F(1)
    if groups == 1:
        return
    for r in range(rows):
        for k in range(lanes):
            after[r, k] = F(1)
    for r in range(rows, count):
        for k in range(lanes):
            out[r, k] = out[r - rows, k] * source[r - rows, k]
    for group in range(groups - 1, -1, -1):
        for r in range(rows):
            i = group * rows + r
            for k in range(lanes):
                out[i, k] *= after[r, k]
                after[r, k] *= source[i, k]


@part
def _sort(u, first, rows, k, order):
    """Set a lane of `order` to the rows of a group in ascending order of u, of equal ones the first first."""
    for r in range(rows):
        value, place = u[first + r, k], r
        while place > 0 and u[first + np.int64(order[place - 1, k]), k] > value:
            order[place, k] = order[place - 1, k]
            place -= 1
        order[place, k] = r


@part
def allocation(row, at, now, F):
    """Set groups of rows to the allocation of a usage: out, usage, groups, rows of a group, lanes, memory for a group."""
    rows, lanes = row[5], row[6]
    out, u = tile(F, at[row[2]], row[4] * rows, lanes), tile(F, at[row[3]], row[4] * rows, lanes)
    order = tile(F, at[row[7]], rows, lanes)
    for group in range(row[4]):
        first = group * rows
        for k in range(lanes):
            _sort(u, first, rows, k, order)
            before = F(1)
            for r in range(rows):
                i = first + np.int64(order[r, k])
                out[i, k] = (F(1) - u[i, k]) * before
                before *= u[i, k]


@part
def allocation_adjoint(row, at, now, F):
    """Set groups of rows to the gradient of a usage: out, usage, gradient of its allocation, then as `allocation`."""
    groups, rows, lanes = row[5], row[6], row[7]
    out, u = tile(F, at[row[2]], groups * rows, lanes), tile(F, at[row[3]], groups * rows, lanes)
    g, order = tile(F, at[row[4]], groups * rows, lanes), tile(F, at[row[8]], rows, lanes)
    for group in range(groups):
        first = group * rows
        for k in range(lanes):
            _sort(u, first, rows, k, order)
            before, later = F(1), F(0)
            for r in range(rows):
                i = first + np.int64(order[r, k])
                out[i, k] = before
                before *= u[i, k]
            for r in range(rows - 1, -1, -1):
                i = first + np.int64(order[r, k])
                out[i, k] *= later - g[i, k]
                later = (F(1) - u[i, k]) * g[i, k] + u[i, k] * later
