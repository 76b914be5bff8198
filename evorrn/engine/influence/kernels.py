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
from evorrn.engine.influence.folds import add_folds
from evorrn.engine.influence.moves import move_tile
from evorrn.engine.listing.addresses import tile, vector
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
def project(*arguments):
    """Multiply the influence by derivatives with respect to states."""
    kernels.project(F, *arguments)


@njit(**OPTIONS)
def traces(first, last, *arguments):
    """Move traces first to last on."""
    kernels.move_traces(first, last, F, *arguments)
'''


@functools.cache
def kernels_for(dtype: str) -> Any:
    """Return the module with the kernels of a dtype: ``fold``, ``tiles``, ``traces``, ``project``."""
    return load(SOURCE.format(dtype=dtype), f"influence_{dtype}")


# --- The derivatives of time steps as the kernels below read them ----------------------------------------


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
        C; then entries of the Jacobian that are derivatives (place, direction, state); the targets and the runs of
        derivatives times weights, see `add_folds`; entries that depend on an output which is given (place, output); the
        coefficients (direction, factor), and the sources (factor). Factors R and R + 1 of a direction stand for 1 and 0.
    results : tuple of ndarray, each of shape (B, T, numbers)
        Set to entries of Jacobians, coefficients and sources.
    """
    begin, lengths = span
    old, factors, genome, kept = given
    jacobians, coefficients, sources = results
    count, olds, targets, runs, taught, slopes, rows = tables
    lanes, total = factors.shape[3], factors.shape[2]
    line = np.empty((count, total + 2), factors.dtype)
    line[:, total], line[:, total + 1] = 1, 0
    whole = line.reshape(-1)
    places = np.empty((count, 2), np.int64)
    for b in range(first, last):
        for c in range(count):
            places[c, 0], places[c, 1] = (b * count + c) // lanes, (b * count + c) % lanes
        for t in range(lengths[b]):
            found = jacobians[b, t]
            for c in range(count):
                _take(line[c], factors[places[c, 0], begin + t], places[c, 1])
            _zero(found)
            for i in range(olds.shape[0]):
                c = olds[i, 1]
                found[olds[i, 0]] += old[places[c, 0], begin + t, olds[i, 2], places[c, 1]]
            add_folds(found, whole, genome, targets, runs)
            if kept.shape[0]:
                for i in range(taught.shape[0]):
                    found[taught[i, 0]] *= kept[b, begin + t, taught[i, 1]]
            for i in range(slopes.shape[0]):
                coefficients[b, t, i] = line[slopes[i, 0], slopes[i, 1]]
            _pick(sources[b, t], line[0], rows)


@njit(**LOOP)
def _take(line, factors, lane):
    """Copy one lane of a tile."""
    for i in range(factors.shape[0]):
        line[i] = factors[i, lane]


@njit(**LOOP)
def _zero(values):
    for i in range(values.shape[0]):
        values[i] = 0


@njit(**LOOP)
def _pick(out, line, rows):
    for i in range(rows.shape[0]):
        out[i] = line[rows[i]]


# --- Many rows: a product for each tile ----------------------------------------------------------------


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
def _part(F, array, first, count):
    """Return entries of a contiguous array as a vector without a reference of its own."""
    return vector(F, np.int64(array.ctypes.data + first * array.itemsize), count)


@register_jitable
def _step(F, where, derived):
    """Return Jacobian entries, coefficients, sources and derivatives of the loss of a group at a time step."""
    b, t, group = where
    jacobians, coefficients, sources, loss = derived
    step, rows = b * jacobians.shape[1] + t, loss.shape[3]
    return (
        _part(F, jacobians, step * jacobians.shape[2], jacobians.shape[2]),
        _part(F, coefficients, step * coefficients.shape[2], coefficients.shape[2]),
        _part(F, sources, step * sources.shape[2], sources.shape[2]),
        _part(F, loss, (step * loss.shape[2] + group) * rows, rows),
    )


@register_jitable
def move_tiles(first, last, F, lengths, tables, sizes, influence, derived):
    """Move the influence in tiles first to last on by all time steps, and set their part of the gradient.

    Tile i belongs to sequence i // tiles of a sequence.

    Parameters
    ----------
    tables : tuple of ndarray of int
        Tiles (group, first lane, lanes); blocks of the Jacobian (first and last row, first and last column); its single
        entries (row, column, place) and the first of each group; what weights do at once in a vector of a tile (row, first lane,
        coefficient, first source, place of the mask) and the first of each tile; and the masks, with 1 where a lane is concerned.
    sizes : tuple of int
        Rows K and dense columns D of a group, and lanes of a sequence.
    influence : tuple of ndarray
        The influence (B, K lanes), and the gradient (B, lanes).
    derived : tuple of ndarray
        The results of `fold`, and the derivative of the loss by the states, shape (B, T, G, K).
    """
    carried, gradients = influence
    jacobians, coefficients, sources, loss = derived
    tiles, blocks, singles, single, puts, put, masks = tables
    rows, depth, _ = sizes
    size = carried.itemsize
    widest = 0
    for i in range(tiles.shape[0]):
        widest = max(widest, tiles[i, 2])
    memory = np.empty((rows * widest + 64 // size,), F)
    other = np.int64((memory.ctypes.data + 63) // 64 * 64)
    for job in range(first, last):
        b, i = job // tiles.shape[0], job % tiles.shape[0]
        group, lane, lanes = tiles[i, 0], tiles[i, 1], tiles[i, 2]
        home = np.int64(carried.ctypes.data + (b * carried.shape[1] + rows * lane) * size)
        gradient = _part(F, gradients, b * gradients.shape[1] + lane, lanes)
        _zero(gradient)
        jacobian = np.int64(jacobians.ctypes.data + b * jacobians.shape[1] * jacobians.shape[2] * size)
        given = (
            home,
            other,
            np.int64(gradient.ctypes.data),
            jacobian + group * rows * depth * size,
            jacobian,
            np.int64(coefficients.ctypes.data + b * coefficients.shape[1] * coefficients.shape[2] * size),
            np.int64(sources.ctypes.data + b * sources.shape[1] * sources.shape[2] * size),
            np.int64(loss.ctypes.data + (b * loss.shape[1] * loss.shape[2] + group) * rows * size),
            np.int64(blocks.ctypes.data),
            np.int64(singles.ctypes.data + single[group] * 3 * singles.itemsize),
            np.int64(puts.ctypes.data + put[i] * 5 * puts.itemsize),
            np.int64(masks.ctypes.data),
            jacobians.shape[2],
            coefficients.shape[2],
            sources.shape[2],
            loss.shape[2] * rows,
            blocks.shape[0],
            single[group + 1] - single[group],
            put[i + 1] - put[i],
            rows,
            depth,
            lanes,
            masks.shape[1],
            lengths[b],
        )
        move_tile(F, given)
        if lengths[b] % 2:
            _copy(tile(F, home, rows, lanes), tile(F, other, rows, lanes))


# --- Few rows: a trace for each weight and row ----------------------------------------------------------


@njit(**LOOP)
def _trace(trace, gradient, source, numbers):
    """Move a row on: the derivative by its own past, the slope, and the derivative of the loss."""
    kept, slope, loss = numbers
    for k in range(trace.shape[0]):
        value = kept * trace[k] + slope * source[k]
        trace[k] = value
        gradient[k] += loss * value


@njit(**LOOP)
def _two_traces(upper, lower, gradient, source, numbers):
    """Move two rows on: four derivatives by their past, two slopes, and two derivatives of the loss."""
    a, b, c, d, first, second, loss, other = numbers
    for k in range(upper.shape[0]):
        above = (a * upper[k] + b * lower[k]) + first * source[k]
        below = (c * upper[k] + d * lower[k]) + second * source[k]
        upper[k] = above
        lower[k] = below
        gradient[k] += loss * above + other * below


@njit(**LOOP)
def _traces(before, gradient, memory, z, derived, tables):
    """Move some rows on, with several products for each weight."""
    jacobian, at, found, loss = derived
    slopes, places = tables
    rows, lanes = before.shape
    for r in range(rows):
        first = r * lanes
        for k in range(lanes):
            memory[first + k] = 0
        for e in range(places.shape[0]):
            slope, place = found[slopes[r, e]], places[e]
            for k in range(lanes):
                memory[first + k] += slope * z[place + k]
        for c in range(rows):
            kept = jacobian[at + r * rows + c]
            for k in range(lanes):
                memory[first + k] += kept * before[c, k]
    for r in range(rows):
        lam = loss[r]
        for k in range(lanes):
            before[r, k] = memory[r * lanes + k]
            gradient[k] += lam * before[r, k]


@register_jitable
def move_traces(first, last, F, lengths, tables, sizes, influence, derived):
    """Move traces of runs of weights first to last on by all time steps; the parameters are those of `move_tiles`.

    The tables are runs of weights with the same slopes (group, first lane, lanes), and for each run its coefficients (K, E)
    and the places of its sources (E,) of E products.
    """
    carried, gradients = influence
    sources = derived[2]
    runs, slopes, places = tables
    rows, _, _ = sizes
    size, terms = carried.itemsize, places.shape[1]
    memory, widest = np.empty(0, F), 0
    if terms != 1 or rows > 2:
        for i in range(runs.shape[0]):
            widest = max(widest, runs[i, 2])
        memory = np.empty(rows * widest, F)
    for job in range(first, last):
        b, i = job // runs.shape[0], job % runs.shape[0]
        group, lane, lanes = runs[i, 0], runs[i, 1], runs[i, 2]
        gradient = _part(F, gradients, b * gradients.shape[1] + lane, lanes)
        _zero(gradient)
        begin = np.int64(carried.ctypes.data + (b * carried.shape[1] + rows * lane) * size)
        before = tile(F, begin, rows, lanes)
        upper, lower = vector(F, begin, lanes), vector(F, begin + (rows - 1) * lanes * size, lanes)
        at = group * rows * rows
        for t in range(lengths[b]):
            whole, found, z, lam = _step(F, (b, t, group), derived)
            if terms == 1 and rows <= 2:
                step = b * sources.shape[1] + t
                one = _part(F, sources, step * sources.shape[2] + places[i, 0], lanes)
                if rows == 1:
                    _trace(upper, gradient, one, (whole[at], found[slopes[i, 0, 0]], lam[0]))
                else:
                    kept = whole[at], whole[at + 1], whole[at + 2], whole[at + 3]
                    slope = found[slopes[i, 0, 0]], found[slopes[i, 1, 0]]
                    _two_traces(upper, lower, gradient, one, (*kept, *slope, lam[0], lam[1]))
            else:
                _traces(before, gradient, memory, z, (whole, at, found, lam), (slopes[i], places[i]))


# --- Derivatives of outputs ---------------------------------------------------------------------------


@register_jitable
def project(F, parts, rows, carried, by_state, result):
    """Set derivatives of outputs with respect to weights, those of their states being the influence.

    Parameters
    ----------
    parts : ndarray of int64, shape (jobs, 3)
        Tiles or runs of weights: group, first lane, lanes.
    rows : int
        Rows of a group.
    carried : ndarray, shape (B, K lanes)
    by_state : ndarray, shape (O, G, K)
        The derivative of each output with respect to the states of each group.
    result : ndarray, shape (B, O, lanes)
    """
    outputs, groups, _ = by_state.shape
    for b in range(carried.shape[0]):
        for i in range(parts.shape[0]):
            group, lane, lanes = parts[i, 0], parts[i, 1], parts[i, 2]
            start = carried.ctypes.data + (b * carried.shape[1] + rows * lane) * carried.itemsize
            influence = tile(F, np.int64(start), rows, lanes)
            for o in range(outputs):
                found = _part(F, result, (b * outputs + o) * result.shape[2] + lane, lanes)
                _zero(found)
                _add_loss(found, influence, _part(F, by_state, (o * groups + group) * rows, rows))
