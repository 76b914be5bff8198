"""Dates and times of day in cells of text."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

DAY = 86400.0
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
    )
)
_EITHER = re.compile(r"\d{1,2}[-/]\d{1,2}[-/]", re.ASCII)
_TIME_OF_DAY = re.compile(_CLOCK, re.ASCII)


class Moment(NamedTuple):
    """A date with or without a time of day: seconds since the year 1, and the same as months and seconds beyond."""

    seconds: float
    month: int
    beyond: float


def moment(cell: str, day_first: bool | None = None) -> Moment | None:
    """Return the moment that a cell names, None for any other text.

    In dates like 3/4/2020 the day is first as `day_first` says, None for whichever is possible; in dates like
    3.4.2020 it always is.
    """
    found = next((match for form in _FORMS if (match := form.fullmatch(cell))), None)
    if found is None:
        return None
    part = found.groupdict()
    year = int(part["y"]) + (0 if len(part["y"]) == 4 else 2000 if int(part["y"]) < 70 else 1900)
    if part.get("a"):
        pairs = [(int(part["b"]), int(part["a"])), (int(part["a"]), int(part["b"]))]
        if part["mark"] == "." or day_first is not None:
            pairs = pairs[:1] if part["mark"] == "." or day_first else pairs[1:]
    else:
        month = 3 * int(part["quarter"]) - 2 if part.get("quarter") else _month(part)
        pairs = [(month, int(part.get("d") or 1))]
    time = _seconds(part)
    for month, day in pairs:
        try:
            days = datetime.date(year, month, day).toordinal()
        except ValueError:
            continue
        if time is not None:
            return Moment(days * DAY + time, year * 12 + month - 1, (day - 1) * DAY + time)
    return None


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
    orders = (True, False) if any(map(_EITHER.match, sample)) else (None,)
    readings = [[moment(cell, first) for cell in cells] for first in orders]
    best = min(readings, key=_disorder)
    return best if sum(found is not None for found in best) * 10 >= 9 * sum(map(bool, cells)) else None


def _disorder(found: Sequence[Moment | None]) -> tuple[int, int, int]:
    """Return the cells without a date, the steps against the usual direction, and the number of different steps."""
    seconds = [each.seconds for each in found if each is not None]
    steps = [after - before for before, after in itertools.pairwise(seconds)]
    back = sum(step < 0 for step in steps)
    return len(found) - len(seconds), min(back, sum(step > 0 for step in steps)), len(set(steps))


def _month(part: dict[str, str]) -> int:
    """Return the month of a date as a number, 0 for a name that is none."""
    if part.get("m"):
        return int(part["m"])
    name = part["name"].lower()
    fits = [place for place, month in enumerate(MONTHS, start=1) if month.startswith(name) or name == "sept"]
    return 9 if name == "sept" else fits[0] if fits else 0


def _seconds(part: dict[str, str]) -> float | None:
    """Return the seconds since midnight, in UTC where a zone is given; None where the time is impossible."""
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
    zone = (part["zone"] or "").replace(":", "")
    offset = int(zone[1:3]) * 3600 + int(zone[3:]) * 60 if zone[1:].isdigit() else 0
    return hour * 3600.0 + minute * 60.0 + second + (offset if zone.startswith("-") else -offset)
