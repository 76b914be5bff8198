"""The compiled update of an influence matrix: the weights lie along the lanes, in tiles that fit into the fastest cache.

Tiles never meet, so the order is tile after tile and for each all time steps, and threads share the tiles.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from evorrn.engine.cache import load
from evorrn.engine.lanes.tiles import product_into
from evorrn.engine.listing.addresses import tile
from evorrn.kernels.separate import SeparateArrays

LOOP: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": {"contract"},
    "nogil": True,
    "pipeline_class": SeparateArrays,
}
"""Options of the loops below, whose arrays never overlap."""

SOURCE = '''"""The update of an influence matrix in {dtype}."""

import numpy as np
from numba import njit

from evorrn.engine.influence import kernels

F = np.{dtype}
OPTIONS = dict(cache=True, error_model="numpy", fastmath={{"contract"}}, nogil=True)


@njit(**OPTIONS)
def fold(first, last, *arguments):
    """Fold the derivatives of sequences first to last."""
    kernels.fold(first, last, *arguments)


@njit(**OPTIONS)
def tiles(first, last, *arguments):
    """Move tiles first to last on."""
    kernels.move_tiles(first, last, F, *arguments)


@njit(**OPTIONS)
def traces(first, last, *arguments):
    """Move traces first to last on."""
    kernels.move_traces(first, last, F, *arguments)
'''


@functools.cache
def kernels_for(dtype: str) -> Any:
    """Return the module with the kernels of a dtype: ``fold``, ``tiles``, ``traces``."""
    return load(SOURCE.format(dtype=dtype), f"influence_{dtype}")


# --- The derivatives of time steps as the kernels below read them ----------------------------------------


@njit(**LOOP)
def _add(target, source, factor):
    for k in range(target.shape[0]):
        target[k] += factor * source[k]


@register_jitable
def fold(first, last, span, given, tables, results):
    """Set what the influence of sequences first to last needs of their time steps.

    Parameters
    ----------
    span : tuple
        The first time step, and an array (B,) of int64 with the steps of each sequence from there on.
    given : tuple of ndarray
        Derivatives along directions with respect to old states (Q, T, S, L) and factors (Q, T, R, L), of which lane b C + c,
        counted over all tiles, is direction c of sequence b; all weights (N,); and an array (B, T, O) that is 0 where an
        output is given in place of the network's own, or (0, 0, 0).
    tables : tuple of ndarray of int64
        C; then entries of the Jacobian that are derivatives (place, direction, state); that are derivatives times weights
        (place, direction, factor, first weight, count); that depend on an output which is given (place, output); the
        coefficients (direction, factor), and the sources (factor). Factors R and R + 1 stand for 1 and 0.
    results : tuple of ndarray, each of shape (B, T, numbers)
        Set to entries of Jacobians, coefficients and sources.
    """
    begin, lengths = span
    old, factors, genome, kept = given
    jacobians, coefficients, sources = results
    count, olds, folds, taught, slopes, rows = tables
    lanes, total = factors.shape[3], factors.shape[2]
    for b in range(first, last):
        start = b * count
        for t in range(lengths[b]):
            found = jacobians[b, t]
            found[:] = 0
            for i in range(olds.shape[0]):
                lane = start + olds[i, 1]
                found[olds[i, 0]] += old[lane // lanes, begin + t, olds[i, 2], lane % lanes]
            for i in range(folds.shape[0]):
                lane, place, weight, many = start + folds[i, 1], folds[i, 0], folds[i, 3], folds[i, 4]
                factor = factors[lane // lanes, begin + t, folds[i, 2], lane % lanes]
                _add(found[place : place + many], genome[weight : weight + many], factor)
            if kept.shape[0]:
                for i in range(taught.shape[0]):
                    found[taught[i, 0]] *= kept[b, begin + t, taught[i, 1]]
            for i in range(slopes.shape[0]):
                lane, row = start + slopes[i, 0], slopes[i, 1]
                coefficients[b, t, i] = (
                    0 if row > total else factors[lane // lanes, begin + t, row, lane % lanes]
                )
            for i in range(rows.shape[0]):
                row = rows[i]
                if row < total:
                    sources[b, t, i] = factors[start // lanes, begin + t, row, start % lanes]
                else:
                    sources[b, t, i] = 1 if row == total else 0


# --- Many rows: a product for each tile ----------------------------------------------------------------


@njit(**LOOP)
def _put(target, puts, coefficients, sources):
    """Add what each weight does at once: row, lane, coefficient, source."""
    for i in range(puts.shape[0]):
        target[puts[i, 0], puts[i, 1]] += coefficients[puts[i, 2]] * sources[puts[i, 3]]


@njit(**LOOP)
def _add_entries(target, before, entries, jacobian):
    """Add single entries of the Jacobian times rows: row, row before, place."""
    for i in range(entries.shape[0]):
        row, column, value = entries[i, 0], entries[i, 1], jacobian[entries[i, 2]]
        for k in range(target.shape[1]):
            target[row, k] += value * before[column, k]


@njit(**LOOP)
def _add_loss(gradient, influence, loss):
    """Add the derivative of the loss by the states times the influence, four rows at a time."""
    whole = influence.shape[0] // 4 * 4
    for i in range(0, whole, 4):
        a, b, c, d = loss[i], loss[i + 1], loss[i + 2], loss[i + 3]
        if a != 0 or b != 0 or c != 0 or d != 0:
            for k in range(influence.shape[1]):
                gradient[k] += (a * influence[i, k] + b * influence[i + 1, k]) + (
                    c * influence[i + 2, k] + d * influence[i + 3, k]
                )
    for i in range(whole, influence.shape[0]):
        if loss[i] != 0:
            for k in range(influence.shape[1]):
                gradient[k] += loss[i] * influence[i, k]


@njit(**LOOP)
def _copy(target, source):
    for i in range(target.shape[0]):
        for k in range(target.shape[1]):
            target[i, k] = source[i, k]


@register_jitable
def move_tiles(first, last, F, lengths, tables, sizes, influence, derived):
    """Move the influence in tiles first to last on by all time steps, and set their part of the gradient.

    Tile i belongs to sequence i // tiles of a sequence.

    Parameters
    ----------
    tables : tuple of ndarray of int
        Tiles (group, first lane, lanes); blocks of the Jacobian (first and last row, first and last column); its single
        entries (row, column, place) and the first of each group; what weights do at once (row, lane, coefficient, source) and
        the first of each tile.
    sizes : tuple of int
        Rows K and dense columns D of a group, and lanes of a sequence.
    influence : tuple of ndarray
        The influence (B, K lanes), and the gradient (B, lanes).
    derived : tuple of ndarray
        The results of `fold`, and the derivative of the loss by the states, shape (B, T, G, K).
    """
    carried, gradients = influence
    jacobians, coefficients, sources, loss = derived
    tiles, blocks, singles, single, puts, put = tables
    rows, depth, _ = sizes
    size = carried.itemsize
    widest = 0
    for i in range(tiles.shape[0]):
        widest = max(widest, tiles[i, 2])
    memory = np.empty((rows * widest + 64 // size,), F)
    other = (memory.ctypes.data + 63) // 64 * 64
    for job in range(first, last):
        b, i = job // tiles.shape[0], job % tiles.shape[0]
        group, lane, lanes = tiles[i, 0], tiles[i, 1], tiles[i, 2]
        home = carried.ctypes.data + (b * carried.shape[1] + rows * lane) * size
        gradient = gradients[b, lane : lane + lanes]
        here, there = np.int64(home), np.int64(other)
        entries = singles[single[group] : single[group + 1]]
        at_once = puts[put[i] : put[i + 1]]
        gradient[:] = 0
        for t in range(lengths[b]):
            before, after = tile(F, here, rows, lanes), tile(F, there, rows, lanes)
            start = jacobians.ctypes.data + ((b * jacobians.shape[1] + t) * jacobians.shape[2]) * size
            jacobian = tile(F, np.int64(start + group * rows * depth * size), rows, depth)
            for k in range(blocks.shape[0]):
                top, bottom, left, right = blocks[k, 0], blocks[k, 1], blocks[k, 2], blocks[k, 3]
                product_into(after[top:bottom], jacobian[top:bottom, left:right], before[left:right])
            _add_entries(after, before, entries, jacobians[b, t])
            _put(after, at_once, coefficients[b, t], sources[b, t])
            _add_loss(gradient, after, loss[b, t, group])
            here, there = there, here
        if here != home:
            _copy(tile(F, np.int64(home), rows, lanes), tile(F, here, rows, lanes))


# --- Few rows: a trace for each weight and row ----------------------------------------------------------


@njit(**LOOP)
def _trace(trace, gradient, source, kept, slope, loss):
    for k in range(trace.shape[0]):
        value = kept * trace[k] + slope * source[k]
        trace[k] = value
        gradient[k] += loss * value


@njit(**LOOP)
def _two_traces(upper, lower, gradient, source, kept, slopes, loss):
    for k in range(upper.shape[0]):
        above = (kept[0] * upper[k] + kept[1] * lower[k]) + slopes[0] * source[k]
        below = (kept[2] * upper[k] + kept[3] * lower[k]) + slopes[1] * source[k]
        upper[k] = above
        lower[k] = below
        gradient[k] += loss[0] * above + loss[1] * below


@register_jitable
def move_traces(first, last, F, lengths, tables, sizes, influence, derived):
    """Move traces of runs of weights first to last on by all time steps; the parameters are those of `move_tiles`.

    The tables are runs of weights with the same slopes (group, first lane, lanes), and for each run its coefficients (K, E)
    and the places of its sources (E,) of E products.
    """
    carried, gradients = influence
    jacobians, coefficients, sources, loss = derived
    runs, slopes, places = tables
    rows, _, _ = sizes
    size, terms = carried.itemsize, places.shape[1]
    for job in range(first, last):
        b, i = job // runs.shape[0], job % runs.shape[0]
        group, lane, lanes = runs[i, 0], runs[i, 1], runs[i, 2]
        gradient = gradients[b, lane : lane + lanes]
        gradient[:] = 0
        begin = np.int64(carried.ctypes.data + (b * carried.shape[1] + rows * lane) * size)
        before = tile(F, begin, rows, lanes)
        memory = np.empty((rows, lanes), F)
        slope = np.empty(rows, F)
        for t in range(lengths[b]):
            kept = jacobians[b, t, group * rows * rows : (group + 1) * rows * rows]
            found, z, lam = coefficients[b, t], sources[b, t], loss[b, t, group]
            one = z[places[i, 0] : places[i, 0] + lanes]
            if terms == 1 and rows == 1:
                _trace(before[0], gradient, one, kept[0], found[slopes[i, 0, 0]], lam[0])
            elif terms == 1 and rows == 2:
                slope[0], slope[1] = found[slopes[i, 0, 0]], found[slopes[i, 1, 0]]
                _two_traces(before[0], before[1], gradient, one, kept, slope, lam)
            else:
                memory[:] = 0
                for r in range(rows):
                    for e in range(terms):
                        _add(memory[r], z[places[i, e] : places[i, e] + lanes], found[slopes[i, r, e]])
                    for c in range(rows):
                        _add(memory[r], before[c], kept[r * rows + c])
                _copy(before, memory)
                for r in range(rows):
                    _add(gradient, before[r], lam[r])
