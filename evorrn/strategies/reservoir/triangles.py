"""R of a QR decomposition, updated by rows that stand below it: blocks of rows, another R, or a multiple of the identity.

Blocks that stay in the cache are decomposed faster than all rows at once, and where the new rows are triangular too,
their zeros cost nothing.

Source: Demmel, Grigori, Hoemmen & Langou 2012, "Communication-optimal parallel and sequential QR and LU factorizations".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evorrn.strategies.reservoir.lapack import call

TOGETHER = 32
"""Columns whose reflections are applied together."""
NUMBERS = 2**18
"""How many numbers a block of rows has, about what the second cache holds; at least as many rows as columns."""


def blocks(rows: slice, columns: int) -> Iterator[slice]:
    """Yield the rows of each block."""
    height = max(columns, NUMBERS // columns)
    for start in range(rows.start, rows.stop, height):
        yield slice(start, min(start + height, rows.stop))


def update(upper: np.ndarray, below: np.ndarray) -> None:
    """Set an upper triangular matrix (C, C) to the R of itself above rows (N, C).

    Both are float64 in Fortran order; the rows are overwritten.
    """
    _update(upper, below, 0)


def join(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Return the R (C, C) of one upper triangular matrix above another."""
    result = upper.copy(order="F")
    _update(result, lower.copy(order="F"), len(lower))
    return result


def penalise(upper: np.ndarray, width: int, root: float) -> np.ndarray:
    """Return the R (C, C) of an upper triangular matrix above ``root`` times the first `width` rows of the identity."""
    result = upper.copy(order="F")
    _update(result, np.eye(width, len(upper), order="F") * root, width)
    return result


def rows_work(rows: int, columns: int) -> int:
    """Return the multiply-adds of `update` with so many rows."""
    return rows * columns**2


def join_work(columns: int) -> int:
    """Return the multiply-adds of `join` and `penalise`."""
    return columns**3 // 3


def _update(upper: np.ndarray, below: np.ndarray, triangular: int) -> None:
    """Do it where the last `triangular` of the rows are themselves upper triangular."""
    rows, columns = below.shape
    if not rows:
        return
    count = min(TOGETHER, columns)
    factors, work = np.empty((count, columns), order="F"), np.empty(count * columns)
    call("dtpqrt", rows, columns, triangular, count, upper, columns, below, rows, factors, count, work)
