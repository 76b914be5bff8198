"""Arrays as users give them: checked, and made arrays of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.base.errors import DataError, ShapeError


def unmasked(name: str, value: Any) -> np.ndarray:
    """Return `value` as an array; raise DataError for masked entries, ShapeError for rows of different lengths."""
    if _is_masked(value):
        raise DataError(
            f"{name}: expected an array without masked entries, whose values are unknown; fill them, and leave "
            "steps out of the score by the argument mask of Batch"
        )
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{name}: expected a rectangular array of numbers, got ragged rows") from error


def _is_masked(value: Any) -> bool:
    """Return whether a masked array, or one in nested lists, has masked entries."""
    if isinstance(value, list | tuple):
        return any(_is_masked(item) for item in value if isinstance(item, list | tuple | np.ma.MaskedArray))
    return bool(np.ma.is_masked(value))


def numeric(name: str, value: Any) -> np.ndarray:
    """Return `value` as an array of numbers, floats in float32 at least; raise ShapeError for anything else.

    Raises DataError for masked entries.
    """
    array = unmasked(name, value)
    if array.dtype.kind not in "fiub":
        raise ShapeError(f"{name}: expected numbers, got dtype {array.dtype}")
    if array.dtype.kind == "f" and array.dtype.itemsize >= 4:
        return array
    return array.astype(np.float64)
