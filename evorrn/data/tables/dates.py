"""Dates and times of day in cells of text."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

HOUR, DAY = 3600.0, 86400.0
_EPOCH = datetime.date(1970, 1, 1).toordinal()
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d+)?))?\s*(?P<half>[AaPp][Mm])?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_AFTER = rf"(?:(?:T|,?\s+){_CLOCK})?"
_FORMS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"(?P<y>\d{4})(?P<mark>[-/])(?P<m>\d{1,2})(?:(?P=mark)(?P<d>\d{1,2}))?" + _AFTER,
        r"(?P<y>\d{4})\.(?P<m>\d{1,2})\.(?P<d>\d{1,2})" + _AFTER,
        r"(?P<a>\d{1,2})(?P<mark>[-/.])(?P<b>\d{1,2})(?P=mark)(?P<y>\d{4}|\d{2})" + _AFTER,
        r"(?P<d>\d{1,2})\.?[ -](?P<name>[A-Za-z]{3,9})\.?,?[ -](?P<y>\d{4}|\d{2})" + _AFTER,
        r"(?P<name>[A-Za-z]{3,9})\.? (?P<d>\d{1,2}),? (?P<y>\d{4})" + _AFTER,
        r"(?P<name>[A-Za-z]{3,9})\.?[ -](?P<y>\d{4})",
        r"(?P<y>\d{4})[ -]?[Qq](?P<quarter>[1-4])",
        r"(?P<y>\d{4})[ -]?[Ww](?P<week>\d{2})(?:-?(?P<weekday>[1-7]))?" + _AFTER,
    )
)
_EITHER = re.compile(r"(\d{1,2})[-/](\d{1,2})[-/]", re.ASCII)
_ORDERS = (True, False)
_TIME_OF_DAY = re.compile(_CLOCK, re.ASCII)


class Moment(NamedTuple):
    """A date with or without a time of day: seconds since 1970 in UTC, and seconds that its zone is ahead of UTC.

    The offset is None where no zone is named; the seconds are then those of the clock.
    """

    seconds: float
    offset: float | None = None


def moment(cell: str, day_first: bool | None = None) -> Moment | None:
    """Return the moment that a cell names, None for any other text.

    In dates like 3/4/2020 the day is first as `day_first` says, None for whichever is possible; in dates like
    3.4.2020 it always is.
    """
    found = next((match for form in _FORMS if (match := form.fullmatch(cell))), None)
    if found is None:
        return None
    part = found.groupdict()
    if part.get("week"):
        return _of_week(part)
    year = int(part["y"]) + (0 if len(part["y"]) == 4 else 2000 if int(part["y"]) < 70 else 1900)
    if part.get("a"):
        pairs = [(int(part["b"]), int(part["a"])), (int(part["a"]), int(part["b"]))]
        if part["mark"] == "." or day_first is not None:
            pairs = pairs[:1] if part["mark"] == "." or day_first else pairs[1:]
    else:
        month = 3 * int(part["quarter"]) - 2 if part.get("quarter") else _month(part)
        pairs = [(month, int(part.get("d") or 1))]
    for month, day in pairs:
        try:
            return _at(datetime.date(year, month, day), part)
        except ValueError:
            continue
    return None


def _at(day: datetime.date, part: dict[str, str]) -> Moment | None:
    """Return the moment on a day at the time of day and in the zone of a match, None where the time is impossible."""
    time, offset = _seconds(part), _offset(part)
    if time is None:
        return None
    return Moment((day.toordinal() - _EPOCH) * DAY + time - (offset or 0.0), offset)


def _of_week(part: dict[str, str]) -> Moment | None:
    """Return the moment of a date by weeks of ISO 8601, such as 2024-W05 (its Monday) or 2024-W05-3."""
    try:
        day = datetime.date.fromisocalendar(int(part["y"]), int(part["week"]), int(part["weekday"] or 1))
    except ValueError:
        return None
    return _at(day, part)


def is_date(cell: str) -> bool:
    """Return whether a cell is a date, with or without a time of day."""
    return bool(cell) and moment(cell) is not None


def time_of_day(cell: str) -> float | None:
    """Return the seconds since midnight of a cell like ``13:45``, None for any other text."""
    found = _TIME_OF_DAY.fullmatch(cell)
    return None if found is None else _seconds(found.groupdict())


def moments(cells: Sequence[str]) -> list[Moment | None] | None:
    """Return the moments in a column; None when fewer than nine of ten of its cells are dates.

    Whether the day or the month is first in dates like 3/4/2020 follows from the other cells; where both are
    possible, from the order in which the rows have fewer steps back, and then fewer different steps.
    """
    sample = [cell for cell in cells if cell][:: max(1, len(cells) // 50)]
    if len(sample) < 2 or sum(map(is_date, sample)) * 10 < 9 * len(sample):
        return None
    orders = _ORDERS if any(map(_EITHER.match, sample)) else (None,)
    readings = [[moment(cell, first) for cell in cells] for first in orders]
    best = min(readings, key=_disorder)
    return best if sum(found is not None for found in best) * 10 >= 9 * sum(map(bool, cells)) else None


def either_order(cells: Sequence[str]) -> str:
    """Return the first date of a column like 3/4/2020 that may have the day or the month first; empty where one is surer."""
    found = [match for cell in cells if (match := _EITHER.match(cell))]
    if not found or any(int(part) > 12 for match in found for part in match.groups()):
        return ""
    first, last = (_disorder([moment(cell, order) for cell in cells]) for order in _ORDERS)
    return next((match.string for match in found if match[1] != match[2]), "") if first == last else ""


def _disorder(found: Sequence[Moment | None]) -> tuple[int, int, int]:
    """Return the cells without a date, the steps against the usual direction, and the number of different steps.

    Of dates that all lie equally long after the beginning of their month, the steps are months.
    """
    seconds = np.array([each.seconds for each in found if each is not None])
    months = as_dates(seconds).astype("datetime64[M]")
    since = as_dates(seconds) - months
    of_months = bool(seconds.size and (since == since[0]).all())
    steps = np.diff(months.astype(np.int64) if of_months else seconds)
    return (
        len(found) - len(seconds),
        int(min((steps < 0).sum(), (steps > 0).sum())),
        len(np.unique(steps)),
    )


def _month(part: dict[str, str]) -> int:
    """Return the month of a date as a number, 0 for a name that is none."""
    if part.get("m"):
        return int(part["m"])
    name = part["name"].lower()
    fits = [place for place, month in enumerate(MONTHS, start=1) if month.startswith(name) or name == "sept"]
    return 9 if name == "sept" else fits[0] if fits else 0


def _seconds(part: dict[str, str]) -> float | None:
    """Return the seconds since midnight; None where the time is impossible."""
    if not part.get("hour"):
        return 0.0
    hour, minute = int(part["hour"]), int(part["minute"])
    second = float((part["second"] or "0").replace(",", "."))
    if part["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if part["half"].lower() == "pm" else 0)
    if hour > 24 or minute > 59 or second >= 61 or (hour == 24 and (minute or second)):
        return None
    return hour * HOUR + minute * 60.0 + second


def _offset(part: dict[str, str]) -> float | None:
    """Return the seconds that the zone of a time is ahead of UTC; None where no zone is named."""
    zone = (part.get("zone") or "").replace(":", "")
    if not zone:
        return None
    size = int(zone[1:3]) * HOUR + int(zone[3:]) * 60 if zone[1:].isdigit() else 0.0
    return -size if zone.startswith("-") else size


def as_dates(seconds: np.ndarray) -> np.ndarray:
    """Return seconds since 1970 as datetime64 in milliseconds, NaT for NaN."""
    known = np.isfinite(seconds)
    found = np.full(np.shape(seconds), np.datetime64("NaT", "ms"))
    found[known] = np.round(seconds[known] * 1000.0).astype("int64").astype("datetime64[ms]")
    return found


def date_texts(local: np.ndarray, offsets: np.ndarray | None = None) -> list[str]:
    """Return seconds since 1970 on a clock as text, empty for NaN.

    The time of day is written unless it is midnight in every row, with as many digits as it needs; the offset of the
    zone, where there are `offsets`, after it.
    """
    dates, known = as_dates(local), np.isfinite(local)
    whole = local[known]
    sizes: tuple[tuple[Any, float], ...] = (("D", DAY), ("m", 60.0), ("s", 1.0))
    unit: Any = next((name for name, size in sizes if not (whole % size).any()), "ms")
    plain = unit == "D" and (offsets is None or not offsets[known].any())
    unit = "m" if unit == "D" and not plain else unit
    texts = np.datetime_as_string(dates, unit=unit, casting="unsafe").tolist()
    zones = [zone_text(each) for each in offsets] if offsets is not None and not plain else [""] * len(texts)
    return [text.replace("T", " ") + zone if good else "" for text, zone, good in zip(texts, zones, known)]


def zone_text(offset: float) -> str:
    """Return the seconds that a zone is ahead of UTC as text, ``Z`` for none, else for instance ``+01:00``."""
    if not offset or offset != offset:
        return "Z"
    minutes = round(abs(offset) / 60)
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
