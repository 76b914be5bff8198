"""The times of the rows of a table: their order, and the steps between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from evorrn.base.text import counted
from evorrn.data.tables.dates import HOUR, Moment, as_dates, date_texts, moment, zone_text
from evorrn.data.tables.step import Step, daylight_saving, find_step

_NAMES = frozenset(
    (
        *("date", "dates", "datetime", "time", "times", "timestamp", "stamp", "unix", "unixtime", "epoch"),
        *("year", "years", "datum", "zeit", "jahr"),
    )
)
_INDEX = frozenset(("", "index", "row"))
_ORDINALS = frozenset(("", "index", "id", "row", "n", "nr", "no", "step", "t", "obs"))
REPEATS = "holds times that repeat"
RISES = "rises in every row"
_UNIX = ((1e8, 5e9), (1e11, 5e12), (1e14, 5e15), (1e17, 5e18))
"""Whole numbers that are likely seconds, milli-, micro- or nanoseconds since 1970: the years 1973 to 2128."""


@dataclass(frozen=True)
class Times:
    """The times of the rows of a table.

    Attributes
    ----------
    name : str
        The time column, or the two columns of date and time of day.
    values : ndarray, shape (rows,)
        Seconds since 1970 in UTC, or the numbers of a time column without a known unit; NaN where there is no time.
    local : ndarray, shape (rows,)
        The same as a clock shows it in the zone that the row names.
    dated : bool
        Whether the values are seconds.
    zoned : bool
        Whether the rows name their zones.
    """

    name: str
    values: np.ndarray
    local: np.ndarray
    dated: bool = True
    zoned: bool = False

    def reversed(self) -> Times:
        """Return the times of the rows in the opposite order."""
        return replace(self, values=self.values[::-1], local=self.local[::-1])

    @property
    def newest_first(self) -> bool:
        """Whether the times fall from row to row, apart from clocks that are put on by up to an hour."""
        steps = np.diff(self.values[np.isfinite(self.values)])
        falling, rising = int((steps < 0).sum()), int((steps > 0).sum())
        return falling > 10 * rising and steps.max(initial=0.0) <= self._slack

    def backward(self, rows: int | None = None) -> int | None:
        """Return the first of the first `rows` rows that is over an hour earlier than a row before it, if any."""
        known = np.flatnonzero(np.isfinite(self.values[:rows]))
        values = self.values[known]
        late = np.flatnonzero(values < np.maximum.accumulate(values) - self._slack)
        return int(known[late[0]]) if late.size else None

    def repeated(self) -> int | None:
        """Return the first row with the time of the row before it, if any; None where clocks that are put back explain it.

        Those repeat an hour a year: they explain repeats of rows up to an hour apart, one in a thousand of them.
        """
        known = np.flatnonzero(np.isfinite(self.values))
        steps = np.diff(self.values[known])
        equal = np.flatnonzero(steps == 0)
        apart = np.median(steps[steps > 0]) if (steps > 0).any() else np.inf
        clock = self.dated and apart <= HOUR and (len(equal) <= 1 or len(equal) <= len(steps) / 1000)
        return int(known[equal[0] + 1]) if equal.size and not clock else None

    @property
    def _slack(self) -> float:
        """How far a time may lie before the one of an earlier row: an hour, for clocks that are put back."""
        return HOUR if self.dated else 0.0

    @cached_property
    def step(self) -> Step | None:
        """The usual step from row to row; None with fewer than two rows that have a time."""
        return find_step(self.values, self.local, self.dated)

    @property
    def dates(self) -> np.ndarray:
        """The times as a clock shows them: datetime64 in milliseconds, NaT where there is none, or plain numbers."""
        return as_dates(self.local) if self.dated else self.local

    def texts(self) -> list[str]:
        """Return the times as text: dates, with the time of day where it is not midnight in every row; or numbers."""
        if not self.dated:
            return ["" if np.isnan(value) else f"{value:.12g}" for value in self.local]
        return date_texts(self.local, self.local - self.values if self.zoned else None)

    def continued(self, count: int) -> Times:
        """Return these times and those of `count` rows after the last, by the usual step; NaN where it is not known."""
        known = np.flatnonzero(np.isfinite(self.values))
        rows = len(self.values) + count
        values, local = np.full(rows, np.nan), np.full(rows, np.nan)
        values[: len(self.values)], local[: len(self.local)] = self.values, self.local
        if self.step is not None and self.step.regular and known.size:
            last = int(known[-1])
            offset = self.local[last] - self.values[last]
            for row in range(len(self.values), rows):
                local[row] = self.step.after(self.local[last], row - last)
                values[row] = local[row] - offset
        return replace(self, values=values, local=local)

    def first(self, count: int) -> Times:
        """Return the times of the first `count` rows."""
        return replace(self, values=self.values[:count], local=self.local[:count])

    def last(self, count: int) -> Times:
        """Return the times of the last `count` rows."""
        start = len(self.values) - count
        return replace(self, values=self.values[start:], local=self.local[start:])

    def steps(self, lines: Sequence[int]) -> str:
        """Return the usual step from row to row in words, and how many rows have another one."""
        known = np.flatnonzero(np.isfinite(self.values))
        found = []
        if len(known) < len(self.values):
            first = int(np.flatnonzero(~np.isfinite(self.values))[0])
            found.append(
                f"{counted(len(self.values) - len(known), 'row')} without a time, first in line {lines[first]}"
            )
        step = self.step
        if step is None:
            return "; ".join(found)
        found.insert(0, f"step {step.words()}")
        steps = step.steps
        for wrong, words in (
            (steps == 0, "equal the row before"),
            (steps < 0, "go back"),
            (~step.usual & (steps > 0), "differ"),
        ):
            if wrong.any():
                place = int(np.flatnonzero(wrong)[0])
                size = f" ({step.words(float(steps[place]))})" if steps[place] > 0 else ""
                count = f"{int(wrong.sum())} of {counted(len(steps), 'step')} {words}"
                found.append(f"{count}, first in line {lines[known[place + 1]]}{size}")
        return "; ".join(found)

    def clock(self) -> str:
        """Return what the zones of the rows, or clocks put forward and back, mean for a series; empty for neither."""
        if not self.dated:
            return ""
        known = np.isfinite(self.values)
        if self.zoned:
            offsets = np.unique((self.local - self.values)[known])
            if len(offsets) == 1:
                return ""
            zones = " and ".join(map(zone_text, (offsets[0], offsets[-1])))
            return f"zones from {zones}: rows are ordered by UTC; hours and weekdays are those of the local clock"
        return daylight_saving(self.local[known])


def times_of_dates(name: str, found: Sequence[Moment | None], clock: Sequence[float] | None = None) -> Times:
    """Return the times of a column of dates, with the seconds of a column of times of day added where there is one."""
    values = np.array([np.nan if each is None else each.seconds for each in found])
    offsets = np.array([0.0 if each is None else each.offset or 0.0 for each in found])
    values = values if clock is None else values + np.asarray(clock)
    zoned = any(each is not None and each.offset is not None for each in found)
    return Times(name, values, values + offsets, zoned=zoned)


def times_of_numbers(name: str, values: np.ndarray) -> Times:
    """Return the times of a column of numbers: since 1970 where the numbers say so, dates like 20200131, or others."""
    found = compact_dates(values)
    if found is not None:
        return times_of_dates(name, found)
    exponent = unix_scale(values)
    if exponent is None:
        return Times(name, values, values, dated=False)
    seconds = values / 1000.0**exponent
    return Times(name, seconds, seconds, zoned=True)


def unix_scale(values: np.ndarray) -> int | None:
    """Return 0, 1, 2, 3 for whole numbers that are likely seconds, milli-, micro-, nanoseconds since 1970, else None."""
    known = values[np.isfinite(values)]
    if not known.size or (known != np.round(known)).any():
        return None
    fits = [
        place for place, (low, high) in enumerate(_UNIX) if (known >= low).all() and (known <= high).all()
    ]
    return fits[0] if fits else None


def compact_dates(values: np.ndarray) -> list[Moment | None] | None:
    """Return the moments of numbers like 20200131, None when some number is no such date."""
    whole = np.isfinite(values) & (values == np.round(values)) & (values >= 1e7) & (values < 1e8)
    if not values.size or not whole.all():
        return None
    found = [
        moment(f"{each // 10000:04d}-{each // 100 % 100:02d}-{each % 100:02d}") for each in values.astype(int)
    ]
    return None if None in found else found


def rise(name: str, values: np.ndarray) -> str:
    """Return in which way numbers rise from row to row as times or row numbers do; empty when they do not.

    Only numbers that rise in every row by different steps may be a series to forecast. Fewer than three numbers tell
    nothing, unless they are times by the name of the column or by their size.
    """
    known = values[np.isfinite(values)]
    steps = np.diff(known)
    if (steps < 0).any() or not (steps > 0).any():
        return ""
    if says_time(name, known):
        return "holds time stamps" if (steps > 0).mean() > 0.5 else REPEATS
    if (steps == 0).any() or len(steps) < 2:
        return ""
    if np.allclose(steps, steps[0], rtol=1e-6, atol=0.0):
        return f"rises by {steps[0]:.6g} in every row"
    return RISES


def is_series(rising: str) -> bool:
    """Return whether a column that rises in this way may be one to forecast."""
    return rising in ("", RISES)


def says_time(name: str, values: np.ndarray) -> bool:
    """Return whether a column of numbers holds times, by its name, or since the numbers are dates or count from 1970."""
    named = name.strip().lower() in _NAMES
    return named or unix_scale(values) is not None or compact_dates(values[np.isfinite(values)]) is not None


def is_index(name: str, values: np.ndarray) -> bool:
    """Return whether a column is the index of a data frame whose last row was written first."""
    return (
        name.strip().lower() in _INDEX
        and values.size > 2
        and bool((np.diff(values) == -1).all() and values[-1] in (0, 1))
    )


def falls(values: np.ndarray) -> str:
    """Return that numbers fall by the same step in every row, as times do where the newest row is first; else empty."""
    steps = np.diff(values[np.isfinite(values)])
    if steps.size < 2 or steps[0] >= 0 or not np.allclose(steps, steps[0], rtol=1e-6, atol=0.0):
        return ""
    return f"falls by {-steps[0]:.6g} in every row"


def shuffled(name: str, values: np.ndarray) -> bool:
    """Return whether a column holds row numbers, by its name, that are in no order."""
    if name.strip().lower() not in _ORDINALS | _NAMES or len(values) < 10 or not np.isfinite(values).all():
        return False
    steps = np.diff(values)
    return bool((np.diff(np.sort(values)) == 1).all() and (steps > 0).any() and (steps < 0).any())
