"""Which columns of a table are forecast, which are inputs, and why the others are neither."""

from __future__ import annotations

from dataclasses import dataclass

from evorrn.base.errors import DataError, UnknownName
from evorrn.data.tables.cells import shown_cell
from evorrn.data.tables.table import Table
from evorrn.data.tables.times import REPEATS, is_series, rise

Names = str | int | tuple[str | int, ...]
"""Names of columns in a setting; a name may look like a number."""
MOST = 8
"""Names that a message lists."""


@dataclass(frozen=True)
class Choice:
    """The columns of a table that are used.

    Attributes
    ----------
    targets, inputs : list of str
        The target columns, and the input columns that are not target columns.
    left_out : dict of str to str
        Why each other column is left out.
    """

    targets: list[str]
    inputs: list[str]
    left_out: dict[str, str]


def choose(table: Table, target: Names, inputs: Names | None, rows: int) -> Choice:
    """Return the columns that are used, decided by the first `rows` rows, those of training.

    Parameters
    ----------
    table : Table
    target : str, int, or tuple of these
        The columns to forecast; empty for the last numeric one that is neither a time nor a row number.
    inputs : str, int, tuple of these, or None
        Further inputs; None for all numeric columns that do not rise in every row.
    rows : int

    Raises
    ------
    UnknownName
        When a named column is not there.
    DataError
        When no column is named and the last column looks like numbers, but is not read as numbers, or when there is no
        column to forecast.
    """
    numeric = table.numeric(rows)
    rising = {name: rise(name, table.known(name, rows)) for name in numeric}
    if table.rules.time in rising:
        rising[table.rules.time] = "holds time stamps"
    targets = named(table, target) or [_last(table, rising, rows)]
    if inputs is not None:
        further = [name for name in named(table, inputs) if name not in targets]
    else:
        further = [name for name in numeric if name not in targets and rising[name] in ("", REPEATS)]
    used = {*targets, *further}
    left = [name for name in table.names if name not in used]
    why = {
        name: table.why_left_out(name, rows)
        or _rising_in(table, name, rising[name])
        or "not named as an input"
        for name in left
    }
    return Choice(targets, further, why)


def named(table: Table, value: Names) -> list[str]:
    """Return the column names in a setting: a list, one name, or names joined by commas."""
    if not isinstance(value, tuple):
        text = str(value)
        value = (text,) if text in table.names else tuple(part.strip() for part in text.split(","))
    names = [name for name in dict.fromkeys(map(str, value)) if name]
    for name in names:
        if name not in table.names:
            raise UnknownName(f"column of {table.path}", name, table.names)
    return names


def listing(names: list[str] | tuple[str, ...]) -> str:
    """Return the first names for a message, and how many more there are."""
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def _rising_in(table: Table, name: str, how: str) -> str:
    """Return how a column rises in words that are true of all rows, where `how` is true of the training rows."""
    return how if rise(name, table.known(name)) == how else how.replace("every row", "every training row")


def _last(table: Table, rising: dict[str, str], rows: int) -> str:
    """Return the last column that may be forecast; raise DataError when one behind it looks like numbers."""
    series = [name for name, how in rising.items() if is_series(how)]
    numbers = [name for name in series if not table.is_truth(name, rows)] or series
    behind = table.names[table.names.index(numbers[-1]) + 1 if numbers else 0 :]
    for name in reversed(behind):
        found = table.unread(name, rows)
        if found is not None:
            line, cell, why = found
            raise DataError(
                f"{table.path}, line {line}, column {name!r}: the last column looks like numbers, but {shown_cell(cell)} "
                f"is none: {why} (or name another column with --target)"
            )
    if numbers:
        return numbers[-1]
    if rising:
        times = listing([f"{name} ({_rising_in(table, name, how)})" for name, how in rising.items()])
        raise DataError(
            f"{table.path}: expected a column to forecast, got only times or row numbers: {times}; "
            "to forecast one of them, name it with --target"
        )
    raise DataError(f"{table.path}: expected a numeric column, got only text in {listing(table.names)}")
