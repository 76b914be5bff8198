"""The reader of tables: separator, header, order of time."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from evorrn.base.errors import DataError
from evorrn.data.tables.cells import is_bare, is_missing, is_number, shown_cell
from evorrn.data.tables.dates import DAY, Moment, moments, time_of_day
from evorrn.data.tables.header import has_header
from evorrn.data.tables.rows import Rows, read_rows
from evorrn.data.tables.rules import NO_TIME, Rules
from evorrn.data.tables.table import Table
from evorrn.data.tables.times import Times, is_index, says_time, shuffled, times_of_dates, times_of_numbers

AS_FOUND = Rules()
"""Nothing is stated: all is found out from the text."""
_HOURS = frozenset(("hour", "hours", "hr", "h", "time", "stunde", "zeit", "uhrzeit"))


def read_table(path: str | Path, rules: Rules = AS_FOUND) -> Table:
    """Return the table in a text file, its rows in order of time.

    Columns are separated by comma, semicolon, tab or bar. The encoding is UTF-8 (with or without a byte order mark),
    UTF-16 with a byte order mark, or else Latin-1. Lines that begin with ``#`` before the table are comments. The
    first column of dates, or a column of numbers that its name or its values show to be times, gives the order of the
    rows: where the newest row is first, they are turned round.

    Parameters
    ----------
    path : str or Path
    rules : Rules
        What is stated about the file; the rest is found out from its text.

    Raises
    ------
    DataError
        When the file is missing, a folder, empty or binary; when rows have different numbers of cells or two
        columns have one name; when there are no rows below the header; when separator, decimal mark or header can be
        read in two ways; when rows are not in order of time; when only the last rows have no time.
    """
    path = Path(path)
    read = read_rows(path, rules)
    first, width = read.cells[0], len(read.cells[0])
    header = has_header(path, read, rules)
    cells, lines = (read.cells[1:], read.lines[1:]) if header else (read.cells, read.lines)
    names = tuple((header and first[place]) or f"column{place + 1}" for place in range(width))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{path}, line {read.lines[0]}: expected different column names, got {twice[0]!r} more than once"
        )
    if not cells:
        raise DataError(f"{path}: expected rows of numbers below the header, got none")
    if not header and read.separator == "," and not (read.stated or rules.decimal or read.spaced):
        _refuse_decimal_commas(path, read)
    table = Table(path, names, cells, lines, rules, read.separator, read.lines[0] if header else 0)
    times = _times(table)
    if times is None:
        return table
    _refuse_totals(table, times)
    if times.newest_first:
        return replace(table, rows=cells[::-1], lines=lines[::-1], times=times.reversed(), turned=True)
    _check_order(table, times)
    return replace(table, times=times)


def _refuse_decimal_commas(path: Path, read: Rows) -> None:
    """Raise DataError when commas between digits may be decimal marks: in no header, and nowhere a decimal point."""
    if any("." in cell and is_number(cell) for row in read.cells for cell in row):
        return
    columns = list(zip(*read.cells))
    for left, right in itertools.pairwise(columns):
        if all(is_bare(cell.lstrip("+-")) for cell in left) and all(
            re.fullmatch(r"\d+([eE][+-]?\d+)?", cell) for cell in right
        ):
            raise DataError(
                f"{path}, line {read.lines[0]}, column {columns.index(right) + 1}: '{left[0]},{right[0]}' may be two "
                "columns or one number with a decimal comma; state it with --separator , or --decimal ,"
            )


def _times(table: Table) -> Times | None:
    """Return the times of the rows, None when no column holds them."""
    wanted = table.rules.time
    if wanted and (wanted != NO_TIME or wanted in table.names):
        return _named(table, wanted)
    if wanted:
        return None
    for name in table.names:
        found = moments(_filled(table, name))
        if found is not None:
            return _of_dates(table, name, found)
    for name in table.numeric():
        values = table.known(name)
        if says_time(name, values):
            times = times_of_numbers(name, values)
            if times.dated or times.newest_first or times.backward() is None:
                return times
        if table.header and is_index(_heading(table, name), values):
            return Times(name, values, values, dated=False)
        if shuffled(_heading(table, name), values):
            raise DataError(
                f"{table.path}, line {table.lines[0]}, column {name!r}: these row numbers are not in order; sort the rows, "
                "or say --time none"
            )
    return None


def _heading(table: Table, name: str) -> str:
    """Return the name that the header gives a column, empty where it gives none."""
    return "" if name == f"column{table.names.index(name) + 1}" else name


def _named(table: Table, name: str) -> Times:
    """Return the times in a column that the user names."""
    found = moments(_filled(table, name))
    if found is not None:
        return _of_dates(table, name, found)
    values = table.known(name)
    if table.why_left_out(name) or not np.isfinite(values).any():
        cell = next((cell for cell in table.cells(name) if not is_missing(cell)), "")
        raise DataError(
            f"{table.path}, line {table.lines[0]}, column {name!r}: expected dates or numbers as times, got "
            f"{shown_cell(cell)}"
        )
    return times_of_numbers(name, values)


def _of_dates(table: Table, name: str, found: list[Moment | None]) -> Times:
    """Return the times in a column of dates, together with one of times of day where dates repeat."""
    for row, (cell, each) in enumerate(zip(table.cells(name), found)):
        if each is None and not is_missing(cell):
            raise DataError(
                f"{table.path}, line {table.lines[row]}, column {name!r}: expected a date as in the other rows, got "
                f"{shown_cell(cell)}"
            )
    days = [each.seconds for each in found if each is not None]
    if len(set(days)) == len(days) or any(second % DAY for second in days):
        return times_of_dates(name, found)
    for other in table.names:
        clock = [time_of_day(cell) for cell in table.cells(other)]
        if other.lower() in _HOURS and None in clock:
            hours = table.known(other)
            whole = bool(((hours >= 0) & (hours <= 24) & (hours == np.round(hours))).all())
            clock = [hour * 3600.0 for hour in hours.tolist()] if whole else [None]
        if None not in clock:
            return times_of_dates(f"{name} and {other}", found, [second or 0.0 for second in clock])
    return times_of_dates(name, found)


def _filled(table: Table, name: str) -> list[str]:
    """Return the cells of a column with empty text where a value is missing."""
    return ["" if is_missing(cell) else cell for cell in table.cells(name)]


def _refuse_totals(table: Table, times: Times) -> None:
    """Raise DataError when only the last rows of the file have no time, as a line of totals."""
    known = np.isfinite(times.values)
    last = int(known.sum())
    if not 0 < last < len(known) or not known[:last].all():
        return
    raise DataError(
        f"{table.path}, line {table.lines[last]}: the rows up to here have a time ({times.name}), this row and those below "
        "have none; if they are totals, delete them, if they are steps, say --time none"
    )


def _check_order(table: Table, times: Times) -> None:
    """Raise DataError when a row is earlier than a row before it, or has its time."""
    row, is_wrong = times.backward(), "earlier than a row before; sort the rows by time,"
    if row is None:
        row, is_wrong = times.repeated(), "that of the row before; keep one row for each time,"
    if row is None:
        return
    name = times.name if times.name in table.names else times.name.partition(" and ")[0]
    raise DataError(
        f"{table.path}, line {table.lines[row]}, column {name!r}: {shown_cell(table.cells(name)[row])} is {is_wrong} one "
        "series a file (or say --time none)"
    )
