"""Inputs for a trained network from a file of the user's own, in original units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evorrn.base.errors import ConfigError, DataError, UnknownName, nearest
from evorrn.data.archive import load_arrays
from evorrn.data.tables.calendar import calendar_inputs, calendar_names, calendar_parts
from evorrn.data.tables.reader import read_table
from evorrn.data.tables.rules import Rules
from evorrn.data.tables.table import Table
from evorrn.data.tables.times import REPEATS, Times, rise

SHOWN = 20
"""Columns that a message names."""
_NAME, _RENAME = "name them as --columns A,B", "rename the columns of the file"


@dataclass(frozen=True)
class Wanted:
    """The inputs that a run's network was trained on, and the rules by which their table was read.

    Attributes
    ----------
    names : tuple of str
        The names of their columns in the data of the run; ``input1``, ``input2``, ... where the data have no names.
    rules : Rules
    table : tuple of str
        All columns of the table that the run was trained on, in their order; empty where it is not known.
    needs_time : bool
        Whether a table has to have the time column of the rules.
    calendar : tuple of str
        The parts of a date from which further inputs are made, after those of columns.
    symbols : bool
        Whether whole numbers (B, T) in an ``.npz`` file are symbols that the network reads.
    one_hot : bool
        Whether they may be symbols that the network sees one-hot, so that its inputs have no scaling.
    """

    names: tuple[str, ...]
    rules: Rules
    table: tuple[str, ...] = ()
    needs_time: bool = False
    calendar: tuple[str, ...] = ()
    symbols: bool = False
    one_hot: bool = False

    @property
    def width(self) -> int:
        """The number of inputs at a time step."""
        return len(self.names) + len(calendar_names(self.calendar))

    def last(self, count: int) -> Wanted:
        """Return the same for the last `count` inputs, those made of dates included."""
        return replace(self, names=self.names[self.width - count :])

    @property
    def named(self) -> bool:
        """Whether the names are those of columns."""
        return self.names != _numbered(len(self.names))

    def __str__(self) -> str:
        """Return how many columns of inputs are wanted, and their names."""
        count = len(self.names)
        more = f" and {count - SHOWN} more" if count > SHOWN else ""
        return f"{count} {'column' if count == 1 else 'columns'} of inputs ({', '.join(self.names[:SHOWN])}{more})"


class Given(NamedTuple):
    """Inputs from a file: values (B, T, I) in original units, notes on how the file was read, and its times.

    Lengths (B,) and links (B, T, A) are those of an ``.npz`` file that has them.
    """

    values: np.ndarray
    notes: list[str]
    times: Times | None = None
    lengths: np.ndarray | None = None
    links: np.ndarray | None = None

    def alike(self) -> bool:
        """Return whether all sequences have the same length."""
        return self.lengths is None or bool((self.lengths == self.values.shape[1]).all())


def wanted_by(
    table: Mapping[str, Any], names: Sequence[str], width: int, stated: Mapping[str, Any]
) -> Wanted:
    """Return the inputs that a trained network takes.

    Parameters
    ----------
    table : mapping
        How the table of the training data was read, see `evorrn.lab.runs.source.Source`.
    names : sequence of str
        Names of the inputs, empty where there are none.
    width : int
        Inputs at a time step.
    stated : mapping
        Rules that differ from those of the training data, see `evorrn.data.tables.rules.Rules`; None for one that does not.

    Raises
    ------
    ConfigError
        For rules that are not allowed.
    """
    given = {name: value for name, value in stated.items() if value is not None}
    rules = Rules.of({**table, **given})
    problems = rules.problems()
    if problems:
        raise ConfigError(problems)
    known = tuple(table.get("columns", ()))
    calendar = calendar_parts(table.get("calendar", ""))
    columns = width - len(calendar_names(calendar))
    own = tuple(names[:columns]) if len(names) == width else _numbered(columns)
    return Wanted(own, rules, known, needs_time="time" in given, calendar=calendar)


def read_inputs(path: Path, wanted: Wanted, columns: Sequence[str] | None = None) -> Given:
    """Return the inputs in a file.

    Parameters
    ----------
    path : Path
        A table with one row per time step, or an ``.npz`` file with ``inputs``, and ``lengths`` and ``links`` if it has them.
    wanted : Wanted
        Columns are taken by their names. They are taken by their places, with a note, from a file without header,
        and where the data of the run have no names: then all columns of numbers are taken, apart from those that rise
        in every row.
    columns : sequence of str
        Names of the columns to take instead, in the order of `wanted`; None where they cannot be named.

    Raises
    ------
    DataError
        When the file cannot be read or a column is missing.
    UnknownName
        When a column of `columns` is not there.
    """
    if path.suffix.lower() == ".npz":
        return _npz_inputs(path, wanted)
    try:
        table = read_table(path, wanted.rules)
    except UnknownName:
        if wanted.needs_time:
            raise
        table = read_table(path, replace(wanted.rules, time=""))
    advice = _RENAME if columns is None else _NAME
    chosen = list(columns or ()) or _chosen(table, wanted, advice)
    if len(chosen) != len(wanted.names):
        raise DataError(f"{path}: expected {wanted}, got {', '.join(chosen) or 'none'}; {advice}")
    notes = table.notes(chosen)
    if tuple(chosen) != wanted.names or not table.header:
        pairs = ", ".join(f"{mine} as {theirs}" for mine, theirs in zip(chosen, wanted.names))
        notes.append(f"{path.name}: columns taken {'as named' if columns else 'by position'}: {pairs}")
    values = np.hstack([table.columns(chosen), calendar_inputs(table, wanted.calendar)])
    return Given(values[None], notes, table.times)


def _chosen(table: Table, wanted: Wanted, advice: str) -> list[str]:
    """Return the columns that hold the inputs.

    Raises
    ------
    DataError
        Naming the columns that are missing, or when a file without header has other columns than that of the run.
    """
    names = list(wanted.names)
    layout = wanted.table
    if not wanted.named:
        return [name for name in table.numeric() if rise(name, table.known(name)) in ("", REPEATS)]
    if not table.header and len(table.names) == len(names) == 1:
        return list(table.names)
    if not table.header and layout and set(names) <= set(layout):
        if len(layout) != len(table.names):
            raise DataError(
                f"{table.path}: expected {len(layout)} columns as in the file that the run was trained on "
                f"({', '.join(layout)}), since there is no header, got {len(table.names)}; {advice}"
            )
        return [table.names[layout.index(name)] for name in names]
    missing = [name for name in names if name not in table.names]
    if not missing:
        return names
    free = [name for name in table.names if name not in names]
    hints = [
        f"{name!r}" + (f" (did you mean {guess!r}?)" if (guess := nearest(name, free)) else "")
        for name in missing
    ]
    raise DataError(
        f"{table.path}: expected {wanted}, but there is no column {', '.join(hints)}; got {', '.join(table.names)}; "
        f"{advice}"
    )


def _numbered(width: int) -> tuple[str, ...]:
    """Return the names that inputs without names have."""
    return tuple(f"input{place}" for place in range(1, width + 1))


def _npz_inputs(path: Path, wanted: Wanted) -> Given:
    arrays = load_arrays(path)
    if "inputs" not in arrays:
        raise DataError(f"{path}: expected an array named inputs, got {', '.join(arrays) or 'none'}")
    inputs = _shown(path, wanted, arrays)
    dimensions, width = inputs.ndim, wanted.width
    symbols = wanted.symbols and dimensions in (1, 2) and inputs.dtype.kind in "iu" and inputs.size
    if dimensions == (1 if symbols else 2):
        inputs = inputs[None]
    if not symbols:
        inputs = _finite(path, inputs, width, dimensions)
    lengths, links = arrays.get("lengths"), arrays.get("links")
    if lengths is not None:
        lengths = np.atleast_1d(lengths)
        if lengths.shape != inputs.shape[:1] or lengths.dtype.kind not in "iu":
            raise DataError(
                f"{path}: expected lengths of shape ({len(inputs)},), whole numbers, got {lengths.shape} of {lengths.dtype}"
            )
        if lengths.min() < 1 or lengths.max() > inputs.shape[1]:
            raise DataError(
                f"{path}: expected lengths from 1 to {inputs.shape[1]}, the time steps, got {lengths.min()} to {lengths.max()}"
            )
    if links is not None and links.ndim == 2:
        links = links[None]
    return Given(inputs, [], None, lengths, links)


def _shown(path: Path, wanted: Wanted, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the inputs of an archive; those of symbols that a network sees one-hot as such, (B, T, I) or (T, I)."""
    inputs, width = arrays["inputs"], wanted.width
    whole = wanted.one_hot and inputs.dtype.kind in "iu" and inputs.ndim in (1, 2) and inputs.size
    several = not {"lengths", "links"}.isdisjoint(arrays)
    if not whole or (inputs.ndim == 2 and inputs.shape[1] == width and not several):
        return inputs
    if inputs.min() < 0 or inputs.max() >= width:
        raise DataError(
            f"{path}: expected symbols from 0 to {width - 1}, got {inputs.min()} to {inputs.max()}"
        )
    return np.eye(width)[inputs]


def _finite(path: Path, inputs: np.ndarray, width: int, dimensions: int) -> np.ndarray:
    """Return inputs (B, T, I) in double precision; raise DataError unless they are finite numbers of this shape."""
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
