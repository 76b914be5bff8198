"""Checks of links: the earlier steps whose states each step of a sequence sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.base.errors import DataError, ShapeError


def checked_links(value: Any, lengths: np.ndarray, steps: int) -> np.ndarray:
    """Return links (B, T, A) as int64, -1 beyond the lengths (B,) of the sequences.

    Raises
    ------
    ShapeError
        When they are no integers of this shape.
    DataError
        When a step is linked to itself, to a later step, or to a negative step other than -1.
    """
    array = np.asarray(value)
    wanted = f"({len(lengths)}, {steps}, A)"
    if array.ndim != 3 or array.shape[:2] != (len(lengths), steps) or array.shape[2] == 0:
        raise ShapeError(f"links: expected shape {wanted}, got {array.shape}")
    if array.dtype.kind not in "iu":
        raise ShapeError(f"links: expected integers, got dtype {array.dtype}")
    inside = np.arange(steps) < lengths[:, None]
    links = np.where(inside[:, :, None], array, -1).astype(np.int64)
    wrong = (links >= np.arange(steps)[:, None]) | (links < -1)
    if wrong.any():
        sequence, step, link = (int(place) for place in np.argwhere(wrong)[0])
        found = int(links[sequence, step, link])
        reason = "a link goes to an earlier step" if found >= step else "-1 stands for no predecessor"
        raise DataError(
            f"links: expected numbers from -1 to {step - 1} at step {step} of sequence {sequence}, got {found}; {reason}"
        )
    return links
