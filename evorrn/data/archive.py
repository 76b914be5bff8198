"""Archives of arrays, .npz files."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import DataError
from evorrn.base.memory import excess

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Return all arrays of an .npz archive.

    Raises
    ------
    DataError
        When the file is no archive of plain arrays, or an array is larger than the file or the memory.
    """
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
        why = "it is none, or holds objects" if "pickle" in str(error) else f"it cannot be read ({error})"
        raise DataError(f"{path}: expected an .npz archive of plain arrays, but {why}") from None


def _check_sizes(path: str | Path, archive: np.lib.npyio.NpzFile) -> None:
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
