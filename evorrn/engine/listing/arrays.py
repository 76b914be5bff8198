"""Kernels of operations on whole arrays: contractions, copies of parts, softmax.

Every array is a tile: its entries in order are rows, and each row has a number for every lane. The kernels take the
conventions of `evorrn.engine.listing.kernels`.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from evorrn.engine.lanes.contractions import arrange_at, contract_at, contract_same_at, contract_weight_at
from evorrn.engine.lanes.softmax import softmax_at, softmax_slope_at
from evorrn.engine.lanes.sums import sum_at
from evorrn.engine.listing.addresses import tile
from evorrn.kernels.deferred import part
from evorrn.kernels.separate import SeparatePart

_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": {"contract"},
    "pipeline_class": SeparatePart,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
_separate = njit(**_OPTIONS)
"""Compiles a function whose arrays do not overlap, so that its loops are loops over vectors."""


@part
def contract(row, at, now, F):
    """Set a tile to a contraction of two tiles.

    Operands: out, left, right, their rows, lanes; then for each of `evorrn.engine.listing.wholes.LETTERS` letters its size, and the
    distance of its entries in the result, the left and the right array, counted in rows.
    """
    contract_at(F, row, at)


@part
def contract_weight(row, at, now, F):
    """Set a tile to a contraction of a tile and weights, one number for each row; operands as those of `contract`."""
    contract_weight_at(F, row, at)


@part
def contract_same(row, at, now, F):
    """Set a tile to a contraction of a tile with itself, entry by entry; operands as those of `arrange`."""
    contract_same_at(F, row, at)


@part
def arrange(row, at, now, F):
    """Set entries of a tile to sums of entries of another: out, source, their rows, lanes, then as `contract`.

    For each of `evorrn.engine.listing.wholes.LETTERS` letters: its size, and the distance of its entries in the result and in the
    source, in rows.
    """
    arrange_at(F, row, at)


@part
def sums(row, at, now, F):
    """Set a tile to a base plus products of tiles.

    Operands: out, base, whether the base is one number, whether it is subtracted, lanes; the sizes of three letters, and
    the distances of their entries in the result and in the base, in rows; the table of products, and their number; for
    the entries of a product see `evorrn.engine.listing.sums.TERM`.
    """
    sum_at(F, row, at)


@part
def softmax(row, at, now, F):
    """Set groups of rows to their softmax: out, source, groups, rows of a group, lanes."""
    softmax_at(F, row, at)


@part
def softmax_slope(row, at, now, F):
    """Set groups of rows to ``y * (g - sum(y * g))``: out, y, g, groups, rows of a group, lanes."""
    softmax_slope_at(F, row, at)


@part
def pairs(row, at, now, F):
    """Set rows to ``u_i v_j + v_i u_j`` for all i and j >= i: out, u, v, their rows, lanes."""
    rows, lanes = row[5], row[6]
    out = tile(F, at[row[2]], rows * (rows + 1) // 2, lanes)
    _pairs(out, tile(F, at[row[3]], rows, lanes), tile(F, at[row[4]], rows, lanes))


@_separate
def _pairs(out, u, v):
    place = 0
    for i in range(len(u)):
        for j in range(i, len(u)):
            for k in range(u.shape[1]):
                out[place, k] = u[i, k] * v[j, k] + v[i, k] * u[j, k]
            place += 1


@part
def symmetric(row, at, now, F):
    """Set a tile to a symmetric matrix times v: out, its entries in the order of `pairs`, v, rows, lanes.

    Those on the diagonal count twice.
    """
    rows, lanes = row[5], row[6]
    g = tile(F, at[row[3]], rows * (rows + 1) // 2, lanes)
    _symmetric(tile(F, at[row[2]], rows, lanes), g, tile(F, at[row[4]], rows, lanes))


@_separate
def _symmetric(out, g, v):
    lanes = v.shape[1]
    for i in range(len(v)):
        for k in range(lanes):
            out[i, k] = 0
    place = 0
    for i in range(len(v)):
        for j in range(i, len(v)):
            for k in range(lanes):
                out[i, k] += g[place, k] * v[j, k]
            for k in range(lanes):
                out[j, k] += g[place, k] * v[i, k]
            place += 1
