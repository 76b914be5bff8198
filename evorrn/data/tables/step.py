"""The usual step between the times of rows: found, put into words, and taken beyond the last row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.text import counted
from evorrn.data.tables.dates import DAY, HOUR, as_dates, date_texts

MONTH, BUSINESS_DAY, SECOND, NUMBER = "month", "business day", "second", ""
ONE_MONTH, ONE_DAY = np.timedelta64(1, "M"), np.timedelta64(1, "D")
_UNITS = ((DAY, "day"), (HOUR, "hour"), (60.0, "minute"), (1.0, "second"))


@dataclass(frozen=True)
class MonthDay:
    """A day in every month.

    Attributes
    ----------
    day : int
        The day of the month, or the last day of months that are shorter; 0 for the last day, -1 for the day before it.
    weekday : bool
        Whether the Friday before is meant where this is a Saturday or a Sunday.
    """

    day: int
    weekday: bool = False

    def dates(self, months: np.ndarray) -> np.ndarray:
        """Return the days in months, both as datetime64."""
        first, last = months.astype("datetime64[D]"), (months + ONE_MONTH).astype("datetime64[D]") - ONE_DAY
        days = (
            np.minimum(first + (self.day - 1) * ONE_DAY, last) if self.day > 0 else last + self.day * ONE_DAY
        )
        return np.busday_offset(days, 0, roll="backward") if self.weekday else days


@dataclass(frozen=True)
class Step:
    """The step that most rows lie after the row before.

    Attributes
    ----------
    size : float
        The usual step, in units.
    unit : str
        ``"month"``, ``"business day"``, ``"second"``, or empty for numbers without a known unit.
    steps : ndarray, shape (rows - 1,)
        All steps between rows that have a time, in units.
    month_day : MonthDay, optional
        Where rows lie in their months, for the unit ``"month"``.
    """

    size: float
    unit: str
    steps: np.ndarray
    month_day: MonthDay | None = None

    @property
    def usual(self) -> np.ndarray:
        """Which steps are the usual one, shape (rows - 1,)."""
        return np.asarray(
            np.abs(self.steps - self.size) <= 1e-6 * self.size + (1e-5 if self.unit == SECOND else 0.0)
        )

    @property
    def regular(self) -> bool:
        """Whether more than half of the steps are the usual one."""
        return bool(2 * self.usual.sum() > len(self.steps))

    def words(self, size: float | None = None) -> str:
        """Return a step in words, the usual one by default."""
        size = self.size if size is None else size
        if self.unit == NUMBER:
            return f"{size:g}"
        if self.unit == MONTH and size % 12 == 0:
            return counted(round(size / 12), "year")
        if self.unit != SECOND:
            return counted(round(size), self.unit)
        for seconds, name in _UNITS:
            if size % seconds == 0:
                return counted(round(size / seconds), name)
        return f"{size:g} seconds"

    def after(self, time: float, count: int) -> float:
        """Return the time `count` usual steps after a time; both in seconds since 1970 on the local clock."""
        if self.unit not in (MONTH, BUSINESS_DAY):
            return time + self.size * count
        date, whole = as_dates(np.array([time])), round(self.size * count)
        if self.month_day is not None:
            day = self.month_day.dates(date.astype("datetime64[M]") + whole * ONE_MONTH)
        else:
            day = np.busday_offset(date.astype("datetime64[D]"), whole)
        return float(day.astype("int64")[0]) * DAY + time % DAY


def find_step(values: np.ndarray, local: np.ndarray, dated: bool) -> Step | None:
    """Return the usual step of rows; None when fewer than two have a time, or no row is later than the one before.

    Rows on the same day of their months lie months apart. Rows at the same time of day lie days apart, whatever the zone;
    business days where there are Fridays, Mondays and no weekend.

    Parameters
    ----------
    values, local : ndarray, shape (rows,)
        In UTC and on the local clock, in seconds since 1970; NaN where there is no time.
    dated : bool
        Whether they are dates, and not numbers without a known unit.
    """
    known = np.isfinite(values)
    month_day = _month_day(local[known]) if dated else None
    if not dated:
        unit, count = NUMBER, values[known]
    elif month_day is not None:
        unit, count = MONTH, as_dates(local[known]).astype("datetime64[M]").astype(np.float64)
    else:
        unit, count = _scale(values[known], local[known])
    steps = np.diff(count)
    forward = np.round(steps[steps > 0], 6 if unit == NUMBER else 5)
    if not forward.size:
        return None
    kinds, counts = np.unique(forward, return_counts=True)
    return Step(float(kinds[np.argmax(counts)]), unit, steps, month_day)


def daylight_saving(local: np.ndarray) -> str:
    """Return where the clock of rows an hour or less apart seems put forward and back, empty where it does not.

    A clock is put forward or back by an hour, on a Sunday before six.
    """
    steps = np.diff(local)
    forward = steps[steps > 0]
    if not forward.size:
        return ""
    usual = float(np.median(forward))
    days = as_dates(local).astype("datetime64[D]").astype("int64")
    early = (((days + 3) % 7 == 6) & (local % DAY < 6 * HOUR))[1:]
    if usual > HOUR:
        return ""
    found = []
    for change, words in ((HOUR, "forward"), (-HOUR, "back")):
        place = np.flatnonzero(early & (np.abs(steps - usual - change) < 1.0))
        if place.size:
            found.append(f"{words} an hour after {date_texts(local[place[:1]])[0]}")
    if not found:
        return ""
    return f"the clock goes {' and '.join(found)}, as for daylight saving: rows are steps, whatever the clock shows"


def _scale(values: np.ndarray, local: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the unit in which dates are counted that are not months apart, and the count of each row."""
    if (np.diff(local) % DAY).any():
        return SECOND, values
    days = as_dates(local).astype("datetime64[D]")
    weekday = (days.astype("int64") + 3) % 7
    steps = np.diff(local)
    weekends = (weekday[1:] == 0) & (weekday[:-1] == 4) & (steps == 3 * DAY)
    if (weekday < 5).all() and weekends.any() and (steps == DAY).sum() > weekends.sum():
        return BUSINESS_DAY, np.busday_count(days[0], days).astype(np.float64)
    return SECOND, local


def _month_day(local: np.ndarray) -> MonthDay | None:
    """Return the day of the month on which all rows lie, at one time of day; None where there is none.

    The last day comes first: all rows of a table may be the last day of months that have 30 days or fewer.
    """
    if not local.size:
        return None
    dates = as_dates(local)
    days, months = dates.astype("datetime64[D]"), dates.astype("datetime64[M]")
    if np.ptp(dates - days):
        return None
    day = int((days - months.astype("datetime64[D]")).max() / ONE_DAY) + 1
    left = int((MonthDay(0).dates(months) - days).min() / ONE_DAY)
    tried = (MonthDay(0), MonthDay(day), MonthDay(-left), MonthDay(0, weekday=True))
    return next((each for each in tried if (each.dates(months) == days).all()), None)
