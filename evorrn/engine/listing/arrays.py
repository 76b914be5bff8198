"""Kernels of operations on whole arrays: contractions, copies of parts, softmax.

Every array is a tile: its entries in order are rows, and each row has a number for every lane. The kernels take the
conventions of `evorrn.engine.listing.kernels`.
"""

from __future__ import annotations

from numba.extending import register_jitable

from evorrn.engine.listing.addresses import tile, vector
from evorrn.kernels.activations import exp

LETTERS = 6
"""Letters of a contraction: the first three are those of the result, the others are summed over."""


@register_jitable
def contract(row, at, now, F):
    """Set a tile to a contraction of two tiles.

    Operands: out, left, right, their rows, lanes; then for each of `LETTERS` letters its size, and the distance of its
    entries in the result, the left and the right array, counted in rows.
    """
    rows, lanes = row[5], row[8]
    out, left = tile(F, at[row[2]], rows, lanes), tile(F, at[row[3]], row[6], lanes)
    right = tile(F, at[row[4]], row[7], lanes)
    for a in range(row[9]):
        for b in range(row[13]):
            for c in range(row[17]):
                o = a * row[10] + b * row[14] + c * row[18]
                i = a * row[11] + b * row[15] + c * row[19]
                j = a * row[12] + b * row[16] + c * row[20]
                for k in range(lanes):
                    out[o, k] = F(0)
                for d in range(row[21]):
                    for e in range(row[25]):
                        for f in range(row[29]):
                            m = i + d * row[23] + e * row[27] + f * row[31]
                            n = j + d * row[24] + e * row[28] + f * row[32]
                            for k in range(lanes):
                                out[o, k] += left[m, k] * right[n, k]


@register_jitable
def contract_weight(row, at, now, F):
    """Set a tile to a contraction of a tile and weights, one number for each row; operands as those of `contract`."""
    rows, lanes = row[5], row[8]
    out, left = tile(F, at[row[2]], rows, lanes), tile(F, at[row[3]], row[6], lanes)
    right = vector(F, at[row[4]], row[7])
    for a in range(row[9]):
        for b in range(row[13]):
            for c in range(row[17]):
                o = a * row[10] + b * row[14] + c * row[18]
                i = a * row[11] + b * row[15] + c * row[19]
                j = a * row[12] + b * row[16] + c * row[20]
                for k in range(lanes):
                    out[o, k] = F(0)
                for d in range(row[21]):
                    for e in range(row[25]):
                        for f in range(row[29]):
                            m = i + d * row[23] + e * row[27] + f * row[31]
                            weight = right[j + d * row[24] + e * row[28] + f * row[32]]
                            for k in range(lanes):
                                out[o, k] += left[m, k] * weight


@register_jitable
def arrange(row, at, now, F):
    """Set entries of a tile to sums of entries of another: out, source, their rows, lanes, then as `contract`.

    For each of `LETTERS` letters: its size, and the distance of its entries in the result and in the source, in rows.
    """
    rows, lanes = row[4], row[6]
    out, source = tile(F, at[row[2]], rows, lanes), tile(F, at[row[3]], row[5], lanes)
    for a in range(row[7]):
        for b in range(row[10]):
            for c in range(row[13]):
                o = a * row[8] + b * row[11] + c * row[14]
                i = a * row[9] + b * row[12] + c * row[15]
                for k in range(lanes):
                    out[o, k] = F(0)
                for d in range(row[16]):
                    for e in range(row[19]):
                        for f in range(row[22]):
                            m = i + d * row[18] + e * row[21] + f * row[24]
                            for k in range(lanes):
                                out[o, k] += source[m, k]


@register_jitable
def softmax(row, at, now, F):
    """Set groups of rows to their softmax: out, source, groups, rows of a group, lanes, memory for two rows."""
    rows, lanes = row[5], row[6]
    out, source = tile(F, at[row[2]], row[4] * rows, lanes), tile(F, at[row[3]], row[4] * rows, lanes)
    memory = tile(F, at[row[7]], 2, lanes)
    high, whole = memory[0], memory[1]
    for group in range(row[4]):
        first = group * rows
        for k in range(lanes):
            high[k], whole[k] = source[first, k], F(0)
        for r in range(first + 1, first + rows):
            for k in range(lanes):
                high[k] = source[r, k] if source[r, k] > high[k] else high[k]
        for r in range(first, first + rows):
            for k in range(lanes):
                out[r, k] = exp(source[r, k] - high[k])
            for k in range(lanes):
                whole[k] += out[r, k]
        for r in range(first, first + rows):
            for k in range(lanes):
                out[r, k] /= whole[k]


@register_jitable
def softmax_slope(row, at, now, F):
    """Set groups of rows to ``y * (g - sum(y * g))``: out, y, g, groups, rows of a group, lanes, memory for a row."""
    groups, rows, lanes = row[5], row[6], row[7]
    count = groups * rows
    out, y, g = (
        tile(F, at[row[2]], count, lanes),
        tile(F, at[row[3]], count, lanes),
        tile(F, at[row[4]], count, lanes),
    )
    whole = tile(F, at[row[8]], 1, lanes)[0]
    for group in range(groups):
        first = group * rows
        for k in range(lanes):
            whole[k] = F(0)
        for r in range(first, first + rows):
            for k in range(lanes):
                whole[k] += y[r, k] * g[r, k]
        for r in range(first, first + rows):
            for k in range(lanes):
                out[r, k] = y[r, k] * (g[r, k] - whole[k])
