"""The kernel that solves linear equations, those of every lane with a matrix of its own."""

from __future__ import annotations

from typing import Any

from numba import njit

from evorrn.engine.listing.addresses import tile
from evorrn.kernels.deferred import part
from evorrn.kernels.separate import SeparatePart

OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "pipeline_class": SeparatePart}


@njit(**OPTIONS)
def _subtract_products(out, source, factor):
    """Subtract from each entry of a row the product of a source and a factor."""
    for k in range(out.size):
        out[k] -= source[k] * factor[k]


@njit(**OPTIONS)
def _find_pivots(a, column, n, high, place):
    """Set the row (lanes,) with the largest entry of a column at or below the diagonal."""
    for k in range(high.size):
        high[k], place[k] = abs(a[column * n + column, k]), column
    for r in range(column + 1, n):
        for k in range(high.size):
            size = abs(a[r * n + column, k])
            place[k] = r if size > high[k] else place[k]
            high[k] = size if size > high[k] else high[k]


@njit(**OPTIONS)
def _swap_rows(a, x, column, n, place):
    """Exchange in each lane the row of its pivot with that of the diagonal."""
    for k in range(place.size):
        r = int(place[k])
        if r != column:
            x[column, k], x[r, k] = x[r, k], x[column, k]
            for j in range(column, n):
                a[column * n + j, k], a[r * n + j, k] = a[r * n + j, k], a[column * n + j, k]


@part
def solve(row, at, now, F):
    """Set a tile to the solution of linear equations by Gaussian elimination with partial pivoting in each lane.

    Operands: out, matrix, right side, unknowns n, lanes, the distances of the rows and the columns of the matrix,
    memory for n * n + 3 rows. A singular matrix gives numbers that are not finite.
    """
    n, lanes, down, right = row[5], row[6], row[7], row[8]
    x, b = tile(F, at[row[2]], n, lanes), tile(F, at[row[4]], n, lanes)
    matrix, memory = tile(F, at[row[3]], n * n, lanes), tile(F, at[row[9]], n * n + 3, lanes)
    a, high, place, factor = memory[: n * n], memory[n * n], memory[n * n + 1], memory[n * n + 2]
    for i in range(n):
        for k in range(lanes):
            x[i, k] = b[i, k]
        for j in range(n):
            for k in range(lanes):
                a[i * n + j, k] = matrix[i * down + j * right, k]
    for c in range(n):
        _find_pivots(a, c, n, high, place)
        _swap_rows(a, x, c, n, place)
        for r in range(c + 1, n):
            for k in range(lanes):
                factor[k] = a[r * n + c, k] / a[c * n + c, k]
            for j in range(c + 1, n):
                _subtract_products(a[r * n + j], a[c * n + j], factor)
            _subtract_products(x[r], x[c], factor)
    for c in range(n - 1, -1, -1):
        for k in range(lanes):
            x[c, k] /= a[c * n + c, k]
        for r in range(c):
            _subtract_products(x[r], a[r * n + c], x[c])
