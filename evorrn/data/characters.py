"""The class Characters: the characters that a network of text knows, and text as whole numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

UNKNOWN = "unknown"
"""The name of all characters that are not known together."""
SPACE = "space"
REPLACEMENT = "\ufffd"
"""Unicode's sign for a character that is not known."""


@dataclass(frozen=True)
class Characters:
    """The known characters in the order of their numbers; the next number stands for every other character.

    Examples
    --------
    >>> characters = Characters.of("banana", least=2)
    >>> characters.known, characters.numbers("nab").tolist()
    (('a', 'n'), [1, 0, 2])
    >>> characters.text([0, 1, 2])
    'an\ufffd'
    """

    known: tuple[str, ...]

    @classmethod
    def of(cls, text: str, least: int = 1) -> Characters:
        """Return the characters that occur at least so often in a text, in the order of Unicode."""
        return cls(tuple(sorted(each for each, count in Counter(text).items() if count >= least)))

    @classmethod
    def named(cls, names: Sequence[str]) -> Characters | None:
        """Return the characters with the names that `names` gives, None when these are not names of characters."""
        *known, last = names if names else ("",)
        found = [character(name) for name in known]
        if last != UNKNOWN or not found or any(each is None for each in found):
            return None
        return cls(tuple(each for each in found if each is not None))

    @classmethod
    def predicted(cls, inputs: Sequence[str], outputs: Sequence[str]) -> Characters | None:
        """Return the characters of a network that was trained on running text, by its names; None for other networks."""
        return cls.named(outputs) if tuple(inputs) == tuple(outputs) else None

    @property
    def names(self) -> tuple[str, ...]:
        """A printable name of each number: the character itself, ``space``, an escape such as ``\\n``, or ``unknown``."""
        return (*map(_name, self.known), UNKNOWN)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.known) + 1

    def numbers(self, text: Iterable[str]) -> np.ndarray:
        """Return the number of each character of a text, (N,) int64."""
        unknown = len(self.known)
        return np.array([self._places.get(each, unknown) for each in text], dtype=np.int64)

    def text(self, numbers: Iterable[int]) -> str:
        """Return the text of numbers, with `REPLACEMENT` for what is unknown."""
        signs = (*self.known, REPLACEMENT)
        return "".join(signs[number] for number in numbers)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {each: place for place, each in enumerate(self.known)}


def _name(character: str) -> str:
    """Return the printable name of a character."""
    if character == " ":
        return SPACE
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def character(name: str) -> str | None:
    """Return the character with a name, None where there is none."""
    if name == SPACE:
        return " "
    if len(name) > 1 and name.startswith("\\"):
        try:
            name = name.encode("ascii").decode("unicode_escape")
        except UnicodeError:
            return None
    return name if len(name) == 1 else None
