"""Filling gaps in a series of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def fill(values: np.ndarray, way: str, ends: Sequence[int]) -> np.ndarray:
    """Return a series with its gaps filled, shape (rows,).

    Parameters
    ----------
    values : ndarray, shape (rows,)
        NaN where a value is missing; the first part holds at least one value.
    way : str
        ``"previous"`` for the value before a gap, ``"linear"`` for the straight line from there to the value after.
    ends : sequence of int
        The end of each part of the series. A gap is filled from values of its own part and the parts before, so
        that nothing of a later part is known in an earlier one; where the value after is missing, the one before stays.
    """
    result = values.copy()
    start = 0
    for end in ends:
        known = np.flatnonzero(~np.isnan(result[:end]))
        rows = np.arange(start, end)
        if way == "linear":
            result[start:end] = np.interp(rows, known, result[known])
        else:
            before = np.searchsorted(known, rows, side="right") - 1
            result[start:end] = result[known[before]]
        start = end
    return result
