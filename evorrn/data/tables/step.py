"""The usual step between the times of rows: found, put into words, and taken beyond the last row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.text import counted
from evorrn.data.tables.dates import DAY, HOUR, as_dates, date_texts

MONTH, BUSINESS_DAY, SECOND, NUMBER = "month", "business day", "second", ""
ONE_MONTH = np.timedelta64(1, "M")
_UNITS = ((DAY, "day"), (HOUR, "hour"), (60.0, "minute"), (1.0, "second"))


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
    """

    size: float
    unit: str
    steps: np.ndarray

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
        if self.unit == MONTH:
            return _after_months(time, round(self.size * count))
        if self.unit == BUSINESS_DAY:
            day = np.busday_offset(
                as_dates(np.array([time])).astype("datetime64[D]"), round(self.size * count)
            )
            return float(day.astype("int64")[0]) * DAY + time % DAY
        return time + self.size * count


def find_step(values: np.ndarray, local: np.ndarray, dated: bool) -> Step | None:
    """Return the usual step of rows; None when fewer than two have a time, or no row is later than the one before.

    Rows at the same moment of their month, or at its last day, lie months apart. Rows at the same time of day lie days
    apart, whatever the zone; business days where there are Fridays, Mondays and no weekend.

    Parameters
    ----------
    values, local : ndarray, shape (rows,)
        In UTC and on the local clock, in seconds since 1970; NaN where there is no time.
    dated : bool
        Whether they are dates, and not numbers without a known unit.
    """
    known = np.isfinite(values)
    unit, count = _scale(values[known], local[known]) if dated else (NUMBER, values[known])
    steps = np.diff(count)
    forward = np.round(steps[steps > 0], 6 if unit == NUMBER else 5)
    if not forward.size:
        return None
    kinds, counts = np.unique(forward, return_counts=True)
    return Step(float(kinds[np.argmax(counts)]), unit, steps)


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
    """Return the unit in which dates are counted, and the count of each row."""
    months = _of_months(local)
    if months is not None:
        return MONTH, months
    if (np.diff(local) % DAY).any():
        return SECOND, values
    days = as_dates(local).astype("datetime64[D]")
    weekday = (days.astype("int64") + 3) % 7
    steps = np.diff(local)
    weekends = (weekday[1:] == 0) & (weekday[:-1] == 4) & (steps == 3 * DAY)
    if (weekday < 5).all() and weekends.any() and (steps == DAY).sum() > weekends.sum():
        return BUSINESS_DAY, np.busday_count(days[0], days).astype(np.float64)
    return SECOND, local


def _of_months(local: np.ndarray) -> np.ndarray | None:
    """Return counts of months where every row lies equally long after the beginning or before the end of its month."""
    if not local.size:
        return None
    months = as_dates(local).astype("datetime64[M]")
    since, left = local - _seconds(months), _seconds(months + ONE_MONTH) - local
    return months.astype(np.float64) if min(np.ptp(since), np.ptp(left)) == 0 else None


def _after_months(time: float, count: int) -> float:
    """Return a time some months later: at the same place before the end of the month on its last day, else after its beginning."""
    month = as_dates(np.array([time])).astype("datetime64[M]")
    since, left = float(time - _seconds(month)[0]), float(_seconds(month + ONE_MONTH)[0] - time)
    if left <= DAY:
        return float(_seconds(month + (count + 1) * ONE_MONTH)[0] - left)
    return float(_seconds(month + count * ONE_MONTH)[0] + since)


def _seconds(months: np.ndarray) -> np.ndarray:
    """Return the beginnings of months (n,) in seconds since 1970."""
    return np.asarray(months.astype("datetime64[s]").astype(np.float64))
