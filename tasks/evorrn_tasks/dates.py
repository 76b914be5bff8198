"""Dates: days written in several ways, to be translated to the one of ISO 8601."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Splits
from evorrn_tasks.common.answers import Answers, Pairs

MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
FORMS = 6
"""Ways in which a day is written."""


@dataclass(frozen=True)
class Dates(Answers):
    """Questions such as ``thursday, 26 november 2026`` and their answers, ``2026-11-26``, character by character.

    The day is uniform from the first day of `first` to the last of `last`, both years, and written in one of six ways, which are equally
    likely: ``26 november 2026``, ``november 26, 2026``, ``thursday, 26 november 2026``, ``26 nov 2026``, ``26/11/2026`` and ``26.11.26``.
    Days stand before months where both are numbers. A year of two digits is one of the hundred years from `first` on. No question is in two
    splits, though the same day may be, in other words.

    One baseline copies the numbers of the question in the opposite order, with hyphens between them.

    Source: after the exercise of D. Bahdanau, K. Cho and Y. Bengio's method in A. Ng's course "Sequence models" (2018); the ways of writing
    are our own.
    """

    name = "dates"
    asked = "0123456789abcdefghijlmnoprstuvwy ,./"
    answered = "0123456789-"

    train: int = setting(2000, "training pairs", minimum=1)
    valid: int = setting(200, "validation pairs", minimum=1)
    test: int = setting(300, "test pairs", minimum=1)
    first: int = setting(1970, "the first year", minimum=1000, maximum=9999)
    last: int = setting(2069, "the last year", minimum=1000, maximum=9999)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = super().problems()
        if not found and not 0 <= self.last - self.first < 100:
            found.append(
                f"last: expected a year from first, {self.first}, to 99 years later, so that two digits tell it, got {self.last}"
            )
        return found

    def draw(self, rng: np.random.Generator, count: int) -> Pairs:
        """Return days in one of the ways, and as ISO 8601 has them."""
        start = date(self.first, 1, 1)
        days = rng.integers(0, (date(self.last, 12, 31) - start).days + 1, count)
        ways = rng.integers(0, FORMS, count)
        return [_pair(start + timedelta(int(shift)), int(way)) for shift, way in zip(days, ways)]

    def baselines(self, splits: Splits) -> dict[str, list[np.ndarray]]:
        """Return the most common answers, that of the nearest question, and the numbers of the question backwards."""
        assert splits.test is not None
        found = [re.findall(r"\d+", question) for question in self.questions(splits.test)]
        copied = [self.numbers("-".join(numbers[::-1])) for numbers in found]
        return {**super().baselines(splits), "numbers backwards": copied}


def _pair(day: date, way: int) -> tuple[str, str]:
    """Return a day as a question in one of the ways, and as an answer."""
    return written(day, way), f"{day.year:04d}-{day.month:02d}-{day.day:02d}"


def written(day: date, way: int) -> str:
    """Return a day in one of the ways, from 0 on.

    Examples
    --------
    >>> [written(date(2026, 11, 26), way) for way in (1, 2, 5)]
    ['november 26, 2026', 'thursday, 26 november 2026', '26.11.26']
    """
    month = MONTHS[day.month - 1]
    return (
        f"{day.day} {month} {day.year}",
        f"{month} {day.day}, {day.year}",
        f"{DAYS[day.weekday()]}, {day.day} {month} {day.year}",
        f"{day.day} {month[:3]} {day.year}",
        f"{day.day:02d}/{day.month:02d}/{day.year}",
        f"{day.day:02d}.{day.month:02d}.{day.year % 100:02d}",
    )[way]
