"""The arrays of an .npz file by their names, and the splits that one of them names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import numpy as np

from evorrn.base.errors import DataError, unknown

SPLITS = ("train", "valid", "test")


def named_arrays(
    path: str, arrays: Mapping[str, np.ndarray], needed: Sequence[str], optional: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the arrays with known names; raise DataError for a name that is nearly known, and where a needed one lacks."""
    known = (*needed, *optional)
    for name in arrays:  # without this check a misspelt array would be ignored
        close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.75)
        if name not in known and close and close[0] not in arrays:
            raise DataError(f"{path}: {unknown('array', name, known)}")
    if any(name not in arrays for name in needed):
        raise DataError(
            f"{path}: expected arrays named {' and '.join(needed)}, got {', '.join(arrays) or 'none'}"
        )
    return {name: arrays[name] for name in known if name in arrays}


def named_splits(split: np.ndarray, count: int) -> list[np.ndarray]:
    """Return the indices of each split from an array of 0, 1, 2 or of names."""
    if split.shape != (count,):
        raise DataError(f"split: expected shape ({count},), one entry per sequence, got {split.shape}")
    entries = [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in split.tolist()]
    names = {str(number): name for number, name in enumerate(SPLITS)} | {name: name for name in SPLITS}
    wrong = [entry for entry in entries if entry not in names]
    if wrong:
        raise DataError(f"split: expected 0, 1, 2 or {', '.join(SPLITS)}, got {wrong[0]!r}")
    places = np.array([names[entry] for entry in entries])
    for name in SPLITS:
        if not np.any(places == name):
            raise DataError(
                f"split: expected at least one sequence in each of {', '.join(SPLITS)}, got none in {name}"
            )
    return [np.flatnonzero(places == name) for name in SPLITS]
