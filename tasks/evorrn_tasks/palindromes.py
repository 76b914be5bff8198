"""Palindromes: whether the second half of a string is the mirror image of the first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Splits
from evorrn_tasks.common.growing import Transduction


@dataclass(frozen=True)
class Palindromes(Transduction):
    """Strings that are palindromes (class 1), or in which two symbols of the second half have changed places (class 0).

    A length counts the symbols of one half, which are drawn uniformly; the other half is their mirror image, with
    `centre` after a mark between the halves. In a string that is no palindrome, two unequal symbols of the second half
    are exchanged: a random pair of all those at an even distance, or if there is none at any distance; if all symbols of the half
    are equal, one is replaced. So the numbers of each symbol, at odd and at even places too, do not tell the class, and counters do not
    help, as they would if a symbol were replaced. Both classes are equally likely. Inputs are one-hot over the symbols, with
    `centre` the mark, and an empty symbol, which follows the string once; only this step is scored. Lengths are
    uniform from `shortest` to `longest` in training and validation, and beyond in test. Training, validation and test
    have separate random streams.

    A stack solves the task with the mark; without it a network cannot know where to begin to compare, as for a
    nondeterministic automaton.

    Source: Hopcroft and Ullman 1979, "Introduction to automata theory, languages, and computation", for the two
    languages; the strings of class 0 are ours.
    """

    name = "palindromes"
    metrics = ("accuracy", "cross_entropy")
    outputs = 2
    output_names = ("other", "palindrome")

    letters: int = setting(2, "different symbols, without the mark", minimum=2, maximum=20)
    centre: bool = setting(True, "whether a mark stands between the halves")
    shortest: int = setting(3, "smallest number of symbols of a half in training and validation", minimum=1)
    longest: int = setting(10, "largest number of symbols of a half in training and validation", minimum=1)
    test_longest: int = setting(20, "largest number of symbols of a half in test", minimum=1)

    @property
    def symbols(self) -> int:  # type: ignore[override]
        """Number of symbols: the letters, and the mark if there is one."""
        return self.letters + self.centre

    def steps(self, length: int) -> int:
        """Return the number of time steps: both halves, the mark and the empty step."""
        return 2 * length + self.centre + 1

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the more frequent class, 1 where the last symbol is the first one, and 1 where the counts allow it.

        The counts are those of each symbol at odd and at even places, which are equal in a palindrome without a mark,
        and even numbers in one with a mark.
        """
        assert splits.test is not None
        inputs = np.asarray(splits.test.inputs)
        ends = np.zeros(inputs.shape[:2], dtype=bool)
        ends[:, 1:] = (inputs[:, :-1] * inputs[:, :1]).sum(axis=2) > 0
        letters = inputs[:, :, : self.letters]
        places = np.arange(inputs.shape[1])[:, None] % 2
        odd, even = (letters * places).cumsum(axis=1), (letters * (1 - places)).cumsum(axis=1)
        fits = (odd % 2 == 0) & (even % 2 == 0) if self.centre else odd == even
        return {
            **super().baselines(splits),
            "first symbol and last": _logits(ends),
            "counts at odd and even places": _logits(fits.all(axis=2)),
        }

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a palindrome and 1, or a string that is none and 0."""
        half = rng.integers(0, self.letters, length)
        answer = int(rng.integers(0, 2))
        mirrored = half[::-1].copy()
        first, second = np.triu_indices(length, 1)
        unequal = mirrored[first] != mirrored[second]
        best = unequal & ((second - first) % 2 == 0)
        pairs = np.flatnonzero(best if best.any() else unequal)
        if not answer and len(pairs):
            pair = rng.choice(pairs)
            exchanged = [first[pair], second[pair]]
            mirrored[exchanged] = mirrored[exchanged[::-1]]
        elif not answer:
            mirrored[rng.integers(0, length)] += rng.integers(1, self.letters)
            mirrored %= self.letters
        middle = np.full(int(self.centre), self.letters)
        return np.r_[half, middle, mirrored], np.array([answer])


def _logits(palindrome: np.ndarray) -> np.ndarray:
    """Return logits (B, T, 2) of a decision (B, T)."""
    return np.stack([~palindrome, palindrome], axis=2).astype(np.float64)
