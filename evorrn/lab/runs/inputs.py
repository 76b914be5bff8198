"""Inputs for a trained network from a file of the user's own, in original units."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evorrn.base.errors import DataError


def read_inputs(
    path: Path, width: int, trained_on: Sequence[str] = (), columns: Sequence[str] = (), remedy: str = ""
) -> np.ndarray:
    """Return the inputs in a file, shape (B, T, width).

    Parameters
    ----------
    path : Path
        A table with one row per time step, or an ``.npz`` file.
    width : int
        Inputs at a time step.
    trained_on : sequence of str
        Names of the inputs in the data of the run, taken where the table has them. Else its columns
        of numbers are, apart from those that only ever rise (row numbers, dates as numbers).
    columns : sequence of str
        Names of the columns to take instead.
    remedy : str
        Ends the error about columns that do not fit.

    Raises
    ------
    DataError
        When the file cannot be read or its columns do not fit.
    UnknownName
        When a column of `columns` is not there.
    """
    if path.suffix == ".npz":
        return _npz_inputs(path, width)
    from evorrn_tasks.common.table import read_table

    table = read_table(path)
    chosen = list(columns)
    if not chosen and len(trained_on) == width and set(trained_on) <= set(table.names):
        chosen = list(trained_on)
    if not chosen:
        chosen = table.numeric()
    if not columns and len(chosen) != width:
        chosen = [name for name in chosen if not (np.diff(table.columns([name]), axis=0) > 0).all()]
    if len(chosen) != width:
        raise DataError(
            f"{path}: expected {columns_wanted(width, trained_on)}, got {', '.join(chosen) or 'none'}{remedy}"
        )
    return table.columns(chosen)[None]


def columns_wanted(width: int, names: Sequence[str]) -> str:
    """Return how many columns of inputs are wanted, and which where they have names."""
    which = f" ({', '.join(names)})" if len(names) == width else ""
    return f"{width} {'column' if width == 1 else 'columns'} of inputs{which}"


def _npz_inputs(path: Path, width: int) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if "inputs" not in archive.files:
                raise DataError(
                    f"{path}: expected an array named inputs, got {', '.join(archive.files) or 'none'}"
                )
            inputs = np.asarray(archive["inputs"])
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected an .npz file of arrays, but it cannot be read ({error})") from None
    dimensions = inputs.ndim
    if dimensions == 2:
        inputs = inputs[None]
    if inputs.ndim != 3 or inputs.shape[2] != width or inputs.dtype.kind not in "fiub":
        raise DataError(
            f"{path}: expected inputs of shape (B, T, {width}), got {inputs.shape} of {inputs.dtype}"
        )
    inputs = inputs.astype(np.float64)
    wrong = np.argwhere(~np.isfinite(inputs))
    if len(wrong):
        first = tuple(wrong[0])
        place = first[3 - dimensions :]
        raise DataError(f"{path}: expected finite inputs, got {inputs[first]} at {[int(i) for i in place]}")
    return inputs
