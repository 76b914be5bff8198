"""Archives of arrays, .npz files: reading them, and the splits that one of their arrays names."""

from __future__ import annotations

import difflib
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.base.errors import DataError, unknown
from evorrn.base.memory import excess

SPLITS = ("train", "valid", "test")
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_arrays(path: str) -> dict[str, np.ndarray]:
    """Return all arrays of an .npz archive."""
    try:
        loaded: Any = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: expected an .npz archive of named arrays, got a single array")
        with loaded as archive:
            _check_sizes(path, archive)
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except (
        ValueError,
        EOFError,
        KeyError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
    ) as error:
        raise DataError(
            f"{path}: expected an .npz archive of plain arrays, but it cannot be read ({error})"
        ) from None


def _check_sizes(path: str, archive: np.lib.npyio.NpzFile) -> None:
    """Raise DataError, before memory is asked for, when a header promises more than the archive or memory holds."""
    assert archive.zip is not None
    for entry in archive.zip.infolist():
        with archive.zip.open(entry) as file:
            version = np.lib.format.read_magic(file) if entry.filename.endswith(".npy") else None
            if version not in HEADERS:
                continue
            shape, _, dtype = HEADERS[version](file)
            promised, there = math.prod(shape) * dtype.itemsize, entry.file_size - file.tell()
        name = entry.filename.removesuffix(".npy")
        if promised > there and not dtype.hasobject:
            raise DataError(
                f"{path}: {name} is said to have shape {shape}, which is more than the file holds"
            )
        too_large = excess(promised, 1)
        if too_large:
            raise DataError(f"{path}: {name} of shape {shape} takes {too_large}")


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
