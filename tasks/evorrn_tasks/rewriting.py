"""Tasks that rewrite a string: reverse it, duplicate it, give its odd places first, sort it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn_tasks.common.growing import Rewriting


@dataclass(frozen=True)
class ReverseString(Rewriting):
    """A random string, to be given back from its last symbol to its first.

    Inputs are one-hot over the symbols and an empty one, which follows the string as often as it has symbols; only
    these steps are scored. Lengths are uniform from `shortest` to `longest` in training and validation, and beyond in test.
    Training, validation and test have separate random streams. A stack solves the task; the last symbol at
    every step is right once, and by chance elsewhere.

    Source: Delétang et al. 2023, "Neural networks and the Chomsky hierarchy": two symbols, lengths 1 to 40 in training, to
    500 in test. Deviation: a fixed set of training strings, where they draw new ones for each step.
    """

    name = "reverse-string"

    symbols: int = setting(2, "different symbols", minimum=2)

    def answer_length(self, length: int) -> int:
        """Return the length of the string."""
        return length

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a random string and its reverse."""
        string = rng.integers(0, self.symbols, length)
        return string, string[::-1]


@dataclass(frozen=True)
class DuplicateString(Rewriting):
    """A random string, to be given back twice.

    Inputs are one-hot over the symbols and an empty one, which follows the string twice as often as it has symbols;
    only these steps are scored. Lengths are uniform from `shortest` to `longest` in training and validation, and
    beyond in test. Training, validation and test have separate random streams. A stack does not suffice; a tape does.

    Source: Delétang et al. 2023, "Neural networks and the Chomsky hierarchy": two symbols, lengths 1 to 40 in training, to
    500 in test. Deviation: a fixed set of training strings, where they draw new ones for each step.
    """

    name = "duplicate-string"

    symbols: int = setting(2, "different symbols", minimum=2)

    def answer_length(self, length: int) -> int:
        """Return twice the length of the string."""
        return 2 * length

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a random string and the string twice."""
        string = rng.integers(0, self.symbols, length)
        return string, np.tile(string, 2)


@dataclass(frozen=True)
class OddsFirst(Rewriting):
    """A random string, of which the first, third, fifth symbol and so on must be given, then the second, fourth and so on.

    Inputs are one-hot over the symbols and an empty one, which follows the string as often as it has symbols; only
    these steps are scored. Lengths are uniform from `shortest` to `longest` in training and validation, and beyond in test.
    Training, validation and test have separate random streams. A stack does not suffice; a tape does.

    Source: Delétang et al. 2023, "Neural networks and the Chomsky hierarchy": two symbols, lengths 1 to 40 in training, to
    500 in test. Deviation: a fixed set of training strings, where they draw new ones for each step.
    """

    name = "odds-first"

    symbols: int = setting(2, "different symbols", minimum=2)

    def answer_length(self, length: int) -> int:
        """Return the length of the string."""
        return length

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a random string and its symbols in the order asked for."""
        string = rng.integers(0, self.symbols, length)
        return string, np.r_[string[::2], string[1::2]]


@dataclass(frozen=True)
class BucketSort(Rewriting):
    """A random string, whose symbols must be given in ascending order.

    Inputs are one-hot over the symbols and an empty one, which follows the string as often as it has symbols; only
    these steps are scored. Lengths are uniform from `shortest` to `longest` in training and validation, and beyond in test.
    Training, validation and test have separate random streams. A counter for each symbol solves the task.

    Source: Delétang et al. 2023, "Neural networks and the Chomsky hierarchy": five symbols, lengths 1 to 40 in training,
    to 500 in test. Deviation: a fixed set of training strings, where they draw new ones for each step.
    """

    name = "bucket-sort"

    symbols: int = setting(5, "different symbols", minimum=2)

    def answer_length(self, length: int) -> int:
        """Return the length of the string."""
        return length

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a random string and its symbols in ascending order."""
        string = rng.integers(0, self.symbols, length)
        return string, np.sort(string)
