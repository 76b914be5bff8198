"""Inputs made of dates: the place in the day, the week and the year, each as a sine and a cosine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evorrn.base.errors import DataError, nearest
from evorrn.data.tables.dates import DAY, as_dates
from evorrn.data.tables.table import Table
from evorrn.data.tables.times import Times

CYCLES = ("hour", "weekday", "month", "yearday")
"""Parts of a date: the time of day, the day of the week, the month, and the day of the year."""


def calendar_parts(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return the parts of a date in a setting: a list, or names joined by commas."""
    names = value.split(",") if isinstance(value, str) else list(value)
    return tuple(name.strip() for name in names if name.strip())


def calendar_problems(calendar: Sequence[str]) -> list[str]:
    """Return one sentence for each part of a date that is not known, or is named twice."""
    found = []
    for name in dict.fromkeys(calendar):
        if name not in CYCLES:
            guess = nearest(name, CYCLES)
            hint = f"; did you mean {guess}?" if guess else ""
            found.append(f"calendar: expected {', '.join(CYCLES)}, got {name!r}{hint}")
        elif list(calendar).count(name) > 1:
            found.append(f"calendar: expected each part of a date once, got {name} more than once")
    return found


def calendar_names(calendar: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the inputs, two for each part of a date."""
    return tuple(f"{name} {wave}" for name in calendar for wave in ("sine", "cosine"))


def calendar_inputs(table: Table, calendar: Sequence[str]) -> np.ndarray:
    """Return the inputs of the rows of a table, shape (rows, 2 * len(calendar)).

    Raises
    ------
    DataError
        When a part of the date is wanted and a row has no date.
    """
    if not calendar:
        return np.zeros((len(table.rows), 0))
    times = table.times
    if times is None or not times.dated:
        got = "no column of dates" if times is None else f"numbers in {times.name}"
        raise DataError(
            f"{table.path}: calendar: expected a column of dates, got {got}; name one with --time, or leave --calendar out"
        )
    missing = np.flatnonzero(~np.isfinite(times.values))
    if missing.size:
        raise DataError(
            f"{table.path}, line {table.lines[missing[0]]}, column {times.name!r}: the date is missing, and calendar inputs "
            "are made of it"
        )
    return cycles(times, calendar)


def cycles(times: Times, calendar: Sequence[str]) -> np.ndarray:
    """Return sine and cosine of each part of the dates on the local clock, shape (rows, 2 * len(calendar)).

    The hour counts from midnight, the weekday from Monday, the month from January, the day of the year from 1 January.
    """
    columns = []
    for name in calendar:
        angle = 2 * np.pi * _turns(times.local, name)
        columns += [np.sin(angle), np.cos(angle)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(times.local), 0))


def _turns(local: np.ndarray, name: str) -> np.ndarray:
    """Return how much of a cycle has passed at seconds since 1970, at least 0 and below 1."""
    if name == "hour":
        return np.asarray(local % DAY / DAY)
    dates = as_dates(local)
    days = dates.astype("datetime64[D]")
    if name == "weekday":
        return np.asarray((days.astype("int64") + 3) % 7 / 7)
    years = dates.astype("datetime64[Y]")
    if name == "month":
        return np.asarray(
            (dates.astype("datetime64[M]") - years.astype("datetime64[M]")).astype(np.float64) / 12
        )
    first = years.astype("datetime64[D]")
    length = ((years + np.timedelta64(1, "Y")).astype("datetime64[D]") - first).astype(np.float64)
    return np.asarray((days - first).astype(np.float64) / length)
