"""Reading tables from text files, with errors that name the line and the column.

Cells are separated by comma, semicolon, tab or bar, with or without a header. The encoding is UTF-8 (with or
without a byte order mark), UTF-16 with a byte order mark, or else Latin-1. Lines that begin with ``#`` before the
table are comments.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evorrn.base.errors import DataError, UnknownName

SEPARATORS = ("\t", ";", ",", "|")
"""Separators in order of preference; a comma may also be a decimal comma or part of a date."""
MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "missing", "-", "?", "."})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True)
class Table:
    """The cells of a text file, as text.

    Attributes
    ----------
    path : Path
    names : tuple of str
        Column names: the header, or ``column1``, ``column2``, ... without a header.
    rows : list of list of str
        Cells without surrounding spaces.
    lines : list of int
        Line number of the file in which each row ends.
    """

    path: Path
    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def numeric(self) -> list[str]:
        """Return the names of the columns in which more than half of the cells that are not missing are numbers."""
        found = []
        for index, name in enumerate(self.names):
            cells = [row[index] for row in self.rows if not is_missing(row[index])]
            numbers = sum(is_number(cell) for cell in cells)
            if numbers * 2 > len(cells):
                found.append(name)
        return found

    def columns(self, names: Sequence[str]) -> np.ndarray:
        """Return columns as numbers, shape (rows, len(names)).

        Raises
        ------
        UnknownName
            When there is no column of a name.
        DataError
            Naming line and column of the first cell that is missing, text or not finite.
        """
        values = np.empty((len(self.rows), len(names)))
        for place, name in enumerate(names):
            if name not in self.names:
                raise UnknownName(f"column of {self.path}", name, self.names)
            index = self.names.index(name)
            for row, line in enumerate(self.lines):
                values[row, place] = self._number(self.rows[row][index], line, name)
        return values

    def _number(self, cell: str, line: int, name: str) -> float:
        """Return a cell as a number, or raise DataError."""
        where = f"{self.path}, line {line}, column {name!r}"
        if is_missing(cell):
            raise DataError(f"{where}: the value is missing ({cell!r}); fill the gap or leave the column out")
        if _DECIMAL_COMMA.fullmatch(cell):
            raise DataError(f"{where}: expected a number with a decimal point, got {cell!r}")
        if not is_number(cell):
            raise DataError(f"{where}: expected a number, got {_shown(cell)}")
        number = float(cell)
        if not np.isfinite(number):
            raise DataError(f"{where}: expected a number that double precision can hold, got {_shown(cell)}")
        return number


def read_table(path: str | Path) -> Table:
    """Return the table in a text file.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    DataError
        When the file is missing, a folder, empty or binary; when rows have different numbers of cells or two
        columns have one name; when there are no rows below the header.
    """
    path = Path(path)
    text = _text(path)
    try:
        separator = _separator(text)
        rows, lines = _rows(text, separator)
    except csv.Error as error:
        raise DataError(f"{path}: expected a table, but {error}") from None
    if not rows:
        raise DataError(f"{path}: expected a table, got an empty file")
    width = len(rows[0])
    for row, line in zip(rows, lines):
        if len(row) != width:
            raise DataError(
                f"{path}, line {line}: expected {width} cells as in line {lines[0]}, got {len(row)} "
                f"(separator {separator!r})"
            )
    if not _has_header(rows):
        return Table(path, tuple(f"column{place + 1}" for place in range(width)), rows, lines)
    names = tuple(name or f"column{place + 1}" for place, name in enumerate(rows[0]))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{path}, line {lines[0]}: expected different column names, got {twice[0]!r} more than once"
        )
    if len(rows) == 1:
        raise DataError(f"{path}: expected rows of numbers below the header, got none")
    return Table(path, names, rows[1:], lines[1:])


def is_missing(cell: str) -> bool:
    """Return whether a cell stands for a missing value."""
    return cell.lower() in MISSING


def is_number(cell: str) -> bool:
    """Return whether a cell is a decimal number, without separators of thousands."""
    return _NUMBER.fullmatch(cell) is not None


def _text(path: Path) -> str:
    """Return the text of a file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = data.decode("utf-16")
        else:
            text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if _CONTROL.search(text):
        raise DataError(f"{path}: expected a text file with a table, got binary data")
    return text


def _rows(text: str, separator: str) -> tuple[list[list[str]], list[int]]:
    """Return the rows and their line numbers, without blank lines, comments before the table and empty last rows."""
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    for cells in reader:
        row = [cell.strip() for cell in cells]
        blank = not any(row) and (len(row) <= 1 or not rows)
        if blank or (not rows and row[0].startswith("#")):
            continue
        rows.append(row)
        lines.append(reader.line_num)
    while rows and not any(rows[-1]):
        del rows[-1], lines[-1]
    return rows, lines


def _separator(text: str) -> str:
    """Return the separator with which the first lines have the same number of cells, more than one."""
    sample = [line for line in text.splitlines() if line.strip() and not line.startswith("#")][:50]
    widths = {
        separator: {len(row) for row in csv.reader(sample, delimiter=separator, skipinitialspace=True)}
        for separator in SEPARATORS
    }
    for separator, found in widths.items():
        if len(found) == 1 and found != {1}:
            return separator
    return max(SEPARATORS, key=lambda separator: sample[0].count(separator)) if sample else ","


def _has_header(rows: list[list[str]]) -> bool:
    """Return whether the first row is a header, by comparison with the row below."""
    first = [cell for cell in rows[0] if not is_missing(cell)]
    if not any(is_number(cell) for cell in first):
        return True
    return len(rows) > 1 and any(_is_name(above, below) for above, below in zip(rows[0], rows[1]))


def _is_name(above: str, below: str) -> bool:
    """Return whether a cell is a column name: text above a number, or text without digits above text with digits."""
    if is_missing(above) or is_number(above):
        return False
    digits = [any(character.isdigit() for character in cell) for cell in (above, below)]
    return is_number(below) or is_missing(below) or digits == [False, True]


def _shown(cell: str) -> str:
    """Return a cell for a message, shortened to 40 characters."""
    return repr(cell if len(cell) <= 40 else f"{cell[:37]}...")
