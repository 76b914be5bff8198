"""Number words: English words for a whole number, to be written in digits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Splits
from evorrn_tasks.common.answers import Answers, Pairs

SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = ((1_000_000, "million"), (1_000, "thousand"))


@dataclass(frozen=True)
class NumberWords(Answers):
    """Questions such as ``two thousand and forty-one`` and their answers, ``2041``, character by character.

    Numbers are from 0 to `largest`. The number of digits is uniform, and so is the number among those of as many digits; none is in two
    splits. The words are those of British English: ``and`` before the tens and units of hundreds or, without hundreds, after
    thousands; a hyphen between tens and units.

    One baseline knows the words but not the rules: it writes the digits of each word one after the other, ``hundred``, ``thousand``,
    ``million`` and ``and`` as nothing, and tens before units as one digit.

    Source: the words are made by rules of our own.
    """

    name = "number-words"
    asked = "adefghilmnorstuvwxyz -"
    answered = "0123456789"

    train: int = setting(2000, "training pairs", minimum=1)
    valid: int = setting(200, "validation pairs", minimum=1)
    test: int = setting(300, "test pairs", minimum=1)
    largest: int = setting(9_999, "the largest number", minimum=9, maximum=999_999_999)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = super().problems()
        wanted = self.train + self.valid + self.test if not found else 0
        if wanted > self.largest + 1:
            found.append(
                f"train, valid, test: expected at most {self.largest + 1}, the numbers up to {self.largest}, got {wanted}"
            )
        return found

    def draw(self, rng: np.random.Generator, count: int) -> Pairs:
        """Return words and digits of numbers."""
        lengths = rng.integers(1, len(str(self.largest)) + 1, count)
        low = np.where(lengths > 1, 10 ** (lengths - 1), 0)
        high = np.minimum(10**lengths - 1, self.largest)
        return [(words(int(number)), str(number)) for number in rng.integers(low, high + 1)]

    def baselines(self, splits: Splits) -> dict[str, list[np.ndarray]]:
        """Return the most common answers, that of the nearest question, and the digits of each word."""
        assert splits.test is not None
        by_word = [self.numbers(digits_of_words(question)) for question in self.questions(splits.test)]
        return {**super().baselines(splits), "digits word by word": by_word}


def words(number: int) -> str:
    """Return the English words for a whole number from 0 to 999,999,999.

    Examples
    --------
    >>> words(2041), words(300_712)
    ('two thousand and forty-one', 'three hundred thousand seven hundred and twelve')
    """
    parts: list[str] = []
    rest = number
    for scale, name in SCALES:
        if rest >= scale:
            parts += [_below_thousand(rest // scale), name]
            rest %= scale
    if rest or not parts:
        parts += (["and"] if parts and rest < 100 else []) + [_below_thousand(rest)]
    return " ".join(parts)


def digits_of_words(question: str) -> str:
    """Return the digits of each word one after the other.

    Examples
    --------
    >>> digits_of_words("two thousand and forty-one"), digits_of_words("three hundred and twelve")
    ('241', '312')
    """
    found = ""
    for word in question.split():
        tens, _, unit = word.partition("-")
        if tens in SMALL:
            found += str(SMALL.index(tens))
        elif tens in TENS:
            found += str(2 + TENS.index(tens)) + (str(SMALL.index(unit)) if unit in SMALL else "0")
    return found


def _below_thousand(number: int) -> str:
    """Return the words for a whole number from 0 to 999."""
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return f"{SMALL[hundreds]} hundred" + (f" and {_below_hundred(rest)}" if rest else "")
    return _below_hundred(rest)


def _below_hundred(number: int) -> str:
    if number < 20:
        return SMALL[number]
    tens, unit = divmod(number, 10)
    return TENS[tens - 2] + (f"-{SMALL[unit]}" if unit else "")
