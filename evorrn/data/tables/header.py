"""Whether the first row of a table holds the names of its columns."""

from __future__ import annotations

from pathlib import Path

from evorrn.base.errors import DataError
from evorrn.data.tables.cells import is_bare, is_missing, is_number_like, is_truth
from evorrn.data.tables.dates import is_date
from evorrn.data.tables.rows import SAMPLE, Rows
from evorrn.data.tables.rules import Rules

YEARS = range(1500, 2201)


def has_header(path: Path, rows: Rows, rules: Rules) -> bool:
    """Return whether the first row is a header, by comparison with the rows below.

    Text above numbers, dates or truth values is a name. The numbers 0, 1, 2, ... are names too, as data frames
    without names are written, when the cells below have a decimal point or there are three or more of them.

    Raises
    ------
    DataError
        When the first row may hold either names or values.
    """
    if rules.header is not None:
        return rules.header
    first = rows.cells[0]
    columns = [[row[place] for row in rows.cells[1 : SAMPLE + 1]] for place in range(len(first))]
    columns = [[cell for cell in below if not is_missing(cell)] for below in columns]
    if all(is_missing(cell) for cell in first) and any(columns):
        raise _either(path, rows, "only missing values")
    votes = [_vote(cell, below) for cell, below in zip(first, columns)]
    if "name" in votes:
        digits = [cell for cell, vote in zip(first, votes) if vote == "digits"]
        named = [below[0] for vote, below in zip(votes, columns) if vote == "name"]
        above_numbers = any(map(is_number_like, named))
        if any(map(is_date, named)) or ("value" not in votes and (not above_numbers or _are_names(digits))):
            return True
        raise _either(path, rows, "both text and numbers")
    if "value" in votes:
        return False
    return _of_digits(path, rows, columns) if "digits" in votes else "text" in votes


def _vote(cell: str, below: list[str]) -> str:
    """Return what a cell of the first row may be: ``name``, ``value``, ``digits`` (either), ``text`` or ``missing``."""
    if is_missing(cell):
        return "missing"
    if is_bare(cell):
        return "name" if below and (is_date(below[0]) or is_truth(below[0])) else "digits"
    if is_number_like(cell) or is_date(cell) or is_truth(cell):
        return "value"
    if not below:
        return "text"
    values = is_number_like(below[0]) or is_date(below[0]) or is_truth(below[0])
    digits = any(map(str.isdigit, below[0])) and not any(map(str.isdigit, cell))
    return "name" if values or digits else "text"


def _are_names(digits: list[str]) -> bool:
    """Return whether whole numbers are likely names of columns: none, years, or counted from 0 or 1 on."""
    numbers = [int(cell) for cell in digits]
    counted = [list(range(start, start + len(numbers))) for start in (0, 1)]
    return all(number in YEARS for number in numbers) or (len(numbers) > 1 and numbers in counted)


def _of_digits(path: Path, rows: Rows, columns: list[list[str]]) -> bool:
    """Return whether a first row whose numbers are all whole is a header."""
    first = rows.cells[0]
    places = [place for place, cell in enumerate(first) if is_bare(cell)]
    numbers = [int(first[place]) for place in places]
    pointed = [all(not is_bare(cell.lstrip("+-")) for cell in columns[place]) for place in places]
    rising = columns[0][:3] == [str(number) for number in range(1, 4)]
    if numbers == list(range(len(numbers))):
        if not first[0] and columns[0][:2] == ["0", "1"]:
            return True
        if len(numbers) > 1 and not rising and (all(pointed) or len(numbers) > 2):
            return True
        raise _either(path, rows, "whole numbers from 0 on")
    if all(pointed) and all(len(below) > 2 for below in columns) and len(set(numbers)) == len(numbers):
        raise _either(path, rows, "whole numbers above numbers that are not")
    below = {cell for place in places for cell in columns[place]}
    years = all(number in YEARS for number in numbers) and not any(
        is_bare(c) and int(c) in YEARS for c in below
    )
    if years or (len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))):
        raise _either(path, rows, "years or counted numbers")
    return False


def _either(path: Path, rows: Rows, holds: str) -> DataError:
    """Return the error about a first row that may hold names or values."""
    return DataError(
        f"{path}, line {rows.lines[0]}, column 1: the first row holds {holds}, so it may be a header or not; state it "
        "with --header or --no-header"
    )
