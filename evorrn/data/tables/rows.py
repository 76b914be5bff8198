"""From the bytes of a file to rows of cells: encoding, separator, comments, blank lines."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from evorrn.base.errors import DataError
from evorrn.data.tables.cells import is_bare, is_missing, is_number_like, is_truth
from evorrn.data.tables.dates import is_date, time_of_day
from evorrn.data.tables.rules import KNOWN_SEPARATORS, SEPARATORS, Rules
from evorrn.data.text_file import read_text

SAMPLE = 50
"""Lines from which the separator is found."""
NO_SEPARATOR = "\x1f"
"""What stands for the separator of a file with one column; no text file holds it."""
_LINE_END = re.compile(r"\r\n|\r|\n")
_EXCEL = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


@dataclass(frozen=True)
class Rows:
    """The cells of a text file without surrounding spaces, and the line in which each row ends.

    `separator` is empty for a file with one column; `stated` is whether the user or the file itself names it.
    """

    cells: list[list[str]]
    lines: list[int]
    separator: str
    stated: bool
    spaced: bool
    """Whether every separator in the first rows is followed by a space."""


def read_rows(path: Path, rules: Rules) -> Rows:
    """Return the rows of a text file.

    Raises
    ------
    DataError
        When the file is missing, a folder, empty or binary, its columns are separated by spaces, or rows have
        different numbers of cells.
    """
    text = read_text(path, "a table")
    said = _EXCEL.match(text)
    named = SEPARATORS.get(rules.separator) or (said.group(1) if said else "")
    table = [line for line in _LINE_END.split(text) if line.strip() and not line.startswith("#")]
    sample = table[1 if said else 0 :][:SAMPLE]
    try:
        if not named:
            _refuse_spaces(sample)
        separator = named or _find_separator(sample, rules.decimal)
        cells, lines = _cells(text, separator or NO_SEPARATOR, skip=1 if said else 0)
    except csv.Error as error:
        raise DataError(f"{path}: expected a table, but {error}") from None
    except DataError as error:
        raise DataError(f"{path}, {error}") from None
    if not cells:
        raise DataError(f"{path}: expected a table, got an empty file")
    width = len(cells[0])
    for row, line in zip(cells, lines):
        if len(row) != width:
            raise DataError(
                f"{path}, line {line}: expected {width} cells as in line {lines[0]}, got {len(row)} "
                f"(separator {separator!r}){_decimal_comma(row, cells[0], separator)}{_running_text(path)}"
            )
    spaced = bool(separator) and all(line.count(separator) == line.count(f"{separator} ") for line in sample)
    return Rows(cells, lines, separator if width > 1 or named else "", bool(named), spaced)


def _cells(text: str, separator: str, skip: int) -> tuple[list[list[str]], list[int]]:
    """Return the rows and their line numbers, without comments before the table and empty rows around it.

    A blank line is skipped, except in a table of one column: there it is a missing value, unless a blank line
    follows every row.
    """
    rows: list[list[str]] = []
    lines: list[int] = []
    blanks: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    for cells in reader:
        row = [cell.strip() for cell in cells]
        if reader.line_num <= skip or (not rows and (not any(row) or row[0].startswith("#"))):
            continue
        if not row or (len(row) == 1 and not row[0] and len(rows[0]) > 1):
            blanks.append(len(rows))
            continue
        rows.append(row)
        lines.append(reader.line_num)
    while rows and not any(rows[-1]):
        del rows[-1], lines[-1]
    inside = [place for place in blanks if place < len(rows)]
    if not rows or len(rows[0]) > 1 or not inside:
        return rows, lines
    runs = Counter(inside)
    if len(runs) < len(rows) - 1:
        for place in reversed(inside):
            rows.insert(place, [""])
            lines.insert(place, lines[place - 1] + 1)
    elif len(set(runs.values())) > 1:
        least = min(runs.values())
        line = next(lines[place - 1] + 1 for place, count in sorted(runs.items()) if count > least)
        raise DataError(
            f"line {line}, column 1: these blank lines may be missing values; take blank lines out"
        )
    return rows, lines


def _find_separator(sample: list[str], decimal: str) -> str:
    """Return the separator with which the first lines have the same number of cells, more than one.

    Where several do so, the first one with which half of the cells are values. When there is none, the one that the
    first line has most of; empty when the lines are single numbers.
    """
    quoted = any('"' in line for line in sample)
    allowed = [mark for mark in SEPARATORS.values() if mark != "," or decimal != "," or quoted]
    even = {}
    for mark in allowed:
        rows = list(csv.reader(sample, delimiter=mark, skipinitialspace=True))
        if {len(row) for row in rows} not in ({1}, set()) and len({len(row) for row in rows}) == 1:
            even[mark] = [cell.strip() for row in rows[1:] for cell in row]
    for mark, cells in even.items():
        if sum(map(_is_value, cells)) * 2 >= len(cells):
            return mark
    if even:
        return next(iter(even))
    numbers = all(is_number_like(line.strip()) for line in sample[1:])
    if not sample or (numbers and (is_number_like(sample[0].strip()) or not set(allowed) & set(sample[0]))):
        return ""
    best = max(allowed, key=lambda separator: sample[0].count(separator))
    return best if best in sample[0] else ""


def _is_value(cell: str) -> bool:
    """Return whether a cell looks like a value of a table: a number, a date, a time, a truth value or none."""
    number = is_number_like(cell) or is_truth(cell) or is_missing(cell)
    return number or is_date(cell) or time_of_day(cell) is not None


def _refuse_spaces(sample: list[str]) -> None:
    """Raise DataError when spaces separate the same number of values, more than one, in every line below the header."""
    lines = csv.reader((line.strip() for line in sample), delimiter=" ", skipinitialspace=True)
    header, *rest = [[word for word in words if word] for words in lines] or [[]]
    below = rest or [header]
    if len({len(words) for words in below}) > 1 or len(below[0]) < 2 or any("\t" in line for line in sample):
        return
    values = all(_is_value(word) for words in below for word in words)
    named = "," in "".join(header) and not all(map(_is_value, header))
    dates = all(is_date(line.strip()) for line in sample[1:] or sample)
    if values and not named and not dates:
        raise DataError(
            f"line 2: expected columns separated by {KNOWN_SEPARATORS}, got spaces between or in the "
            "numbers; replace them, for instance by semicolons"
        )


def _decimal_comma(row: list[str], first: list[str], separator: str) -> str:
    """Return a hint when commas that are decimal marks may have been taken for separators."""
    digits = any(is_bare(cell) for cell in (row if len(row) > 1 else first)[1:])
    return "; for decimal commas say --decimal ," if separator == "," and digits else ""


def _running_text(path: Path) -> str:
    """Return a hint at the task that reads running text, for a file whose name does not say that it is a table."""
    return (
        "; if this is running text, name the task text and its path" if path.suffix.lower() == ".txt" else ""
    )
