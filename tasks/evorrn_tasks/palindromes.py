"""Palindromes: whether the second half of a string is the mirror image of the first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Splits
from evorrn_tasks.common.growing import Transduction


@dataclass(frozen=True)
class Palindromes(Transduction):
    """Strings that are palindromes (class 1), or that differ from one in a single symbol (class 0).

    A length counts the symbols of one half, which are drawn uniformly; the other half is their mirror image, with
    `centre` after a mark between the halves. In a string that is no palindrome, one symbol of the second half, drawn
    uniformly, is replaced by another one. Both classes are equally likely. Inputs are one-hot over the symbols, with
    `centre` the mark, and an empty symbol, which follows the string once; only this step is scored. Lengths are
    uniform from `shortest` to `longest` in training and validation, and beyond in test. Training, validation and test
    have separate random streams.

    A stack solves the task with the mark; without it a network cannot know where to begin to compare, as for a
    nondeterministic automaton. To compare only the first symbol with the last is right for every palindrome and
    for one in `length` of the others.

    Source: Hopcroft and Ullman 1979, "Introduction to automata theory, languages, and computation", for the two
    languages; pairs of strings that differ in one symbol are ours.
    """

    name = "palindromes"
    metrics = ("accuracy", "cross_entropy")
    outputs = 2
    output_names = ("other", "palindrome")

    letters: int = setting(2, "different symbols, without the mark", minimum=2, maximum=20)
    centre: bool = setting(True, "whether a mark stands between the halves")
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
        """Return the more frequent class, and 1 where the last symbol before the present step is the first one."""
        assert splits.test is not None
        inputs = np.asarray(splits.test.inputs)
        equal = np.zeros(inputs.shape[:2], dtype=bool)
        equal[:, 1:] = (inputs[:, :-1] * inputs[:, :1]).sum(axis=2) > 0
        return {**super().baselines(splits), "first symbol and last": np.stack([~equal, equal], axis=2) * 1.0}

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a palindrome and 1, or one with a wrong symbol and 0."""
        half = rng.integers(0, self.letters, length)
        mirrored = half[::-1].copy()
        answer = int(rng.integers(0, 2))
        place, change = int(rng.integers(0, length)), int(rng.integers(1, self.letters))
        if not answer:
            mirrored[place] = (mirrored[place] + change) % self.letters
        middle = [self.letters] if self.centre else []
        return np.r_[half, np.array(middle, dtype=np.int64), mirrored], np.array([answer])
