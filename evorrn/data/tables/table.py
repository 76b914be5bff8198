"""A table of a text file: its columns as numbers, with errors that name the line and the column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from evorrn.base.errors import DataError, UnknownName
from evorrn.base.text import counted
from evorrn.data.tables.cells import (
    MAYBE_THOUSANDS,
    as_float,
    is_bare,
    is_missing,
    is_number,
    is_number_like,
    is_truth,
    shown_cell,
    why_no_number,
)
from evorrn.data.tables.dates import either_order, is_date, time_of_day
from evorrn.data.tables.fill import fill
from evorrn.data.tables.rules import SEPARATOR_WORDS, Rules
from evorrn.data.tables.times import Times

MOST = 1000
"""Cells that decide what a column holds that is not one of numbers."""
OK, GAP, WRONG = range(3)
_FILLED = {"": "", "linear": ", filled by straight lines", "previous": ", filled with the value before"}


@dataclass(frozen=True)
class Table:
    """The cells of a text file, and how they were read.

    Attributes
    ----------
    path : Path
    names : tuple of str
        Column names: the header, or ``column1``, ``column2``, ... without a header.
    rows : list of list of str
        Cells without surrounding spaces, in order of time.
    lines : list of int
        Line number of the file in which each row ends.
    rules : Rules
        What was stated about the file.
    separator : str
        Empty for a file with one column.
    header : int
        The line of the header, 0 without one.
    times : Times or None
        The times of the rows.
    turned : bool
        Whether the file has its newest row first.
    """

    path: Path
    names: tuple[str, ...]
    rows: list[list[str]] = field(repr=False)
    lines: list[int] = field(repr=False)
    rules: Rules
    separator: str
    header: int
    times: Times | None = None
    turned: bool = False

    def first(self, rows: int) -> Table:
        """Return the table of the first rows."""
        if rows == len(self.rows):
            return self
        times = None if self.times is None else self.times.first(rows)
        return replace(self, rows=self.rows[:rows], lines=self.lines[:rows], times=times)

    def cells(self, name: str) -> list[str]:
        """Return the cells of a column; raise UnknownName when there is none of this name."""
        place = self._places.get(name)
        if place is None:
            raise UnknownName(f"column of {self.path}", name, self.names)
        return [row[place] for row in self.rows]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def numeric(self, rows: int | None = None) -> list[str]:
        """Return the names of the columns of numbers or truth values, judged by the first `rows` rows.

        More than half of the cells that are not missing have to be numbers, or truth values.
        """
        return [name for name in self.names if not self.why_left_out(name, rows)]

    def why_left_out(self, name: str, rows: int | None = None) -> str:
        """Return why a column is not one of numbers, judged by the first `rows` rows; empty when it is one."""
        cells = self.cells(name)[:rows]
        known = [cell for cell in cells if not is_missing(cell)]
        if not known:
            return "no values"
        good = self._test(cells)
        wrong = [cell for cell in known if not good(cell)]
        if len(wrong) * 2 < len(known):
            return ""
        wrong = wrong[:MOST]
        if sum(map(is_date, wrong)) * 2 > len(wrong):
            return "dates"
        if sum(time_of_day(cell) is not None for cell in wrong) * 2 > len(wrong):
            return "times of day"
        unread = self.unread(name, rows)
        return "text" if unread is None else f"{shown_cell(unread[1])} in line {unread[0]}: {unread[2]}"

    def unread(self, name: str, rows: int | None = None) -> tuple[int, str, str] | None:
        """Return a line, its cell and the reason, when most cells of a column look like numbers but are none.

        Judged by the first `rows` rows; None for a column of numbers, and for one of dates or other text.
        """
        cells = self.cells(name)[:rows]
        good = self._test(cells)
        wrong = [row for row, cell in enumerate(cells) if not is_missing(cell) and not good(cell)]
        known = sum(not is_missing(cell) for cell in cells)
        if len(wrong) * 2 < known:
            return None
        wrong = wrong[:MOST]
        like = [row for row in wrong if is_number_like(cells[row]) and not is_date(cells[row])]
        if len(like) * 2 <= len(wrong):
            return None
        cell = cells[like[0]]
        return self.lines[like[0]], cell, why_no_number(cell, self.rules.decimal, self.separator)

    def is_truth(self, name: str, rows: int | None = None) -> bool:
        """Return whether a column holds true and false, judged by the first `rows` rows."""
        return _truth(self.cells(name)[:rows])

    def known(self, name: str, rows: int | None = None) -> np.ndarray:
        """Return the numbers of the first `rows` rows of a column, NaN where there is none, shape (rows,)."""
        return self._parsed(name)[0][:rows]

    def gaps(self, names: Sequence[str]) -> np.ndarray:
        """Return where values are missing, shape (rows, len(names))."""
        return np.stack([self._parsed(name)[1] == GAP for name in names], axis=1)

    def columns(self, names: Sequence[str], ends: Sequence[int] = ()) -> np.ndarray:
        """Return columns as numbers, shape (rows, len(names)).

        Parameters
        ----------
        names : sequence of str
        ends : sequence of int
            The first row of each further part of the table: a gap is filled from its own part and those before.

        Raises
        ------
        UnknownName
            When there is no column of a name.
        DataError
            Naming line and column of the first cell that is missing, text, ambiguous or not finite.
        """
        values = np.empty((len(self.rows), len(names)))
        for place, name in enumerate(names):
            values[:, place], states = self._parsed(name)
            self._refuse(name, values[:, place], states)
        if not np.isnan(values).any():
            return values
        if not self.rules.fill:
            raise self._missing(names, values)
        for place, name in enumerate(names):
            empty = np.isnan(values[: (*ends, len(values))[0], place])
            if empty.all() or (empty[0] and self.rules.fill == "previous"):
                raise DataError(
                    f"{self.path}, line {self.lines[0]}, column {name!r}: the value is missing, with no value before it to "
                    "fill the gap with; leave out the first rows"
                )
            values[:, place] = fill(values[:, place], self.rules.fill, (*ends, len(values)))
        return values

    def gap_counts(self, names: Sequence[str]) -> str:
        """Return the number of missing values by column, with the first line of each; empty when none is missing."""
        found = []
        for name, column in zip(names, self.gaps(names).T if len(names) else ()):
            if column.any():
                found.append(f"{name} {int(column.sum())} (first in line {self.lines[int(column.argmax())]})")
        return ", ".join(found)

    def notes(self, used: Sequence[str] = ()) -> list[str]:
        """Return how the file was read, in sentences: its form, its times, and the gaps of the columns used."""
        name = self.path.name
        marks = SEPARATOR_WORDS.get(self.separator, f"{self.separator!r}")
        form = (
            counted(len(self.rows), "row"),
            f"separated by {marks}" if self.separator else "one column",
            "decimal comma" if self.rules.decimal == "," else "decimal point",
            f"header in line {self.header}"
            if self.header
            else "no header: columns are named column1, column2, ...",
        )
        found = [f"{name}: {', '.join(form)}"]
        if self.times is not None:
            turned = "newest row first in the file, turned round" if self.turned else ""
            what = "; ".join(filter(None, (turned, self.times.steps(self.lines))))
            found.append(f"{name}: time column {self.times.name}: {what}")
            clock = self.times.clock()
            found += [f"{name}: {clock}"] if clock else []
            unsure = self._unsure_date()
            found += [f"{name}: {unsure}"] if unsure else []
        points = [] if self.rules.decimal else [each for each in used if self._thousands(self.cells(each))]
        if points:
            found.append(
                f"{name}: points in {', '.join(points)} are read as decimal marks (--decimal . says so)"
            )
        gaps = self.gap_counts(used)
        if gaps:
            found.append(f"{name}: missing values{_FILLED[self.rules.fill]}: {gaps}")
        return found

    def _unsure_date(self) -> str:
        """Return how dates were read that may have the day or the month first; empty where there are none."""
        assert self.times is not None
        name = self.times.name.partition(" and ")[0]
        cell = either_order(self.cells(name)) if self.times.dated and name in self.names else ""
        if not cell:
            return ""
        first = self.times.texts()[self.cells(name).index(cell)]
        return f"dates have the day first, so {cell!r} is {first}; where it is the month, write dates as year-month-day"

    def _test(self, cells: Sequence[str]) -> Callable[[str], bool]:
        """Return the function that says whether a cell of a column is a value."""
        return is_truth if _truth(cells) else lambda cell: is_number(cell, self.rules.decimal)

    def _parsed(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of a column, NaN where there is none, and OK, GAP or WRONG for each cell."""
        cache = self.__dict__.setdefault("_columns", {})
        if name not in cache:
            cells = self.cells(name)
            good = self._test(cells)
            states = np.array([GAP if is_missing(cell) else OK if good(cell) else WRONG for cell in cells])
            decimal = self.rules.decimal
            values = np.array(
                [as_float(cell, decimal) if state == OK else np.nan for cell, state in zip(cells, states)]
            )
            cache[name] = values, states
        values, states = cache[name]
        return values.copy(), states

    def _refuse(self, name: str, values: np.ndarray, states: np.ndarray) -> None:
        """Raise DataError for the first cell of a column that is no number, or may be two different ones."""
        cells = self.cells(name)
        wrong = np.flatnonzero((states == WRONG) | np.isinf(values))
        if wrong.size:
            row, cell = int(wrong[0]), cells[int(wrong[0])]
            wanted, why = "a number", ""
            if states[row] == OK:
                wanted = "a number that double precision can hold"
            elif _truth(cells):
                wanted = "true or false as in the rows before"
            elif is_number_like(cell):
                why = f"; {why_no_number(cell, self.rules.decimal, self.separator)}"
            raise DataError(f"{self._place(row, name)}: expected {wanted}, got {shown_cell(cell)}{why}")
        doubtful, strict = (None if self.rules.decimal else self._thousands(cells)) or (0, False)
        if strict:
            raise DataError(
                f"{self._place(doubtful, name)}: the point in {cells[doubtful]!r} may be a decimal mark (then say --decimal .) or "
                "separate thousands (then write the numbers without it)"
            )

    def _missing(self, names: Sequence[str], values: np.ndarray) -> DataError:
        """Return the error about the first missing value, with the gaps of all columns."""
        row, place = (int(index) for index in np.argwhere(np.isnan(values))[0])
        cell = self.cells(names[place])[row]
        return DataError(
            f"{self._place(row, names[place])}: the value is missing ({cell!r}); fill the gaps with --fill linear or "
            f"--fill previous, or leave columns out; missing values: {self.gap_counts(names)}"
        )

    def _place(self, row: int, name: str) -> str:
        return f"{self.path}, line {self.lines[row]}, column {name!r}"

    @cached_property
    def _marks(self) -> tuple[bool, bool]:
        """Return whether a cell has a point that separates no thousands, and whether one has a decimal comma."""
        cells = {cell for row in self.rows for cell in row}
        points = any(
            "." in cell and is_number(cell) and not MAYBE_THOUSANDS.fullmatch(cell) for cell in cells
        )
        return points, any("," in cell and is_number(cell, ",") for cell in cells)

    def _thousands(self, cells: Sequence[str]) -> tuple[int, bool] | None:
        """Return the first row of a column whose points may separate thousands, and whether that is to be refused.

        They may when every point has one to three digits before and three behind, no number without a point is above a
        thousand, and no number of the file has another form. Where commas separate the columns and every number of the
        column has a point, it is taken for a decimal mark, unless there are decimal commas in quotes.
        """
        pointed = [row for row, cell in enumerate(cells) if "." in cell and not is_missing(cell)]
        if not pointed or not all(MAYBE_THOUSANDS.fullmatch(cells[row]) for row in pointed):
            return None
        bare = [cell.lstrip("+-") for cell in cells if is_bare(cell.lstrip("+-"))]
        if any(len(cell) > 3 for cell in bare):
            return None
        other_points, commas = self._marks
        if other_points:
            return None
        return pointed[0], bool(bare) or self.separator != "," or commas


def _truth(cells: Sequence[str]) -> bool:
    """Return whether a column holds true and false: its first value does."""
    return is_truth(next((cell for cell in cells if not is_missing(cell)), ""))
