"""Tasks that a finite automaton solves: even pairs, cycle navigation, modular arithmetic without brackets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Reference
from evorrn_tasks.common.growing import Transduction

REFERENCES = (
    Reference(
        0.9,
        "token_accuracy",
        "lengths 1 to 40 in training and 41 to 500 in test, 10^6 steps of 128 new strings: at least this, which they call "
        "solved, on every seed of RNN, LSTM, stack-RNN and tape-RNN",
        "Delétang et al. 2023",
    ),
)


@dataclass(frozen=True)
class EvenPairs(Transduction):
    """Whether a random string of two symbols has an even number of unequal neighbours (1) or an odd one (0).

    That is whether the first symbol and the last are equal. Both answers are equally likely for strings of two symbols
    or more. Inputs are one-hot over the two symbols and an empty one, which follows the string once; only this
    step is scored. Lengths are uniform from `shortest` to `longest` in training and validation, and beyond in test.
    Training, validation and test have separate random streams.

    Source: Delétang et al. 2023, "Neural networks and the Chomsky hierarchy": lengths 1 to 40 in training, to 500 in
    test. Deviation: a fixed set of training strings, where they draw new ones for each step.
    """

    name = "even-pairs"
    references = REFERENCES

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a random string and 1 for an even number of unequal neighbours, else 0."""
        string = rng.integers(0, 2, length)
        return string, np.array([np.abs(np.diff(string)).sum() % 2 == 0], dtype=np.int64)


@dataclass(frozen=True)
class CycleNavigation(Transduction):
    """The place on a cycle of `places` after a random string of movements: 0 stay, 1 forwards, 2 backwards.

    A walk starts at place 0. Inputs are one-hot over the three movements and an empty one, which follows the string
    once; only this step is scored, with the place as label. Lengths are uniform from `shortest` to `longest` in training
    and validation, and beyond in test. Training, validation and test have separate random streams.

    Source: Delétang et al. 2023, "Neural networks and the Chomsky hierarchy": five places, lengths 1 to 40 in training,
    to 500 in test. Deviation: a fixed set of training strings, where they draw new ones for each step.
    """

    name = "cycle-navigation"
    references = REFERENCES
    symbols = 3

    places: int = setting(5, "places of the cycle", minimum=2)

    @property
    def outputs(self) -> int:
        """Number of classes: the places."""
        return self.places

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return random movements and the place after them."""
        moves = rng.integers(0, 3, length)
        return moves, np.array([np.array([0, 1, -1])[moves].sum() % self.places])


@dataclass(frozen=True)
class ModularArithmetic(Transduction):
    """The value, modulo `modulus`, of a sum such as ``1+2-4*3``, whose products are computed first.

    A string has numbers from 0 to `modulus` - 1 and between them operators from + - *, all drawn uniformly. It has an
    odd number of symbols: an even length stands for one symbol less. Inputs are one-hot over the numbers, the three
    operators and an empty symbol, which follows the string once; only this step is scored, with the value as label.
    Lengths are uniform from `shortest` to `longest` in training and validation, and beyond in test. Training, validation
    and test have separate random streams. A finite automaton solves the task: it keeps the value of the sum
    so far, the sign, and the product that is not yet complete.

    Source: Delétang et al. 2023, "Neural networks and the Chomsky hierarchy": modulus 5, lengths 1 to 40 in training, to
    500 in test. Deviation: a fixed set of training strings, where they draw new ones for each step.
    """

    name = "modular-arithmetic"
    references = REFERENCES

    modulus: int = setting(5, "numbers are computed modulo this", minimum=2, maximum=10)

    @property
    def symbols(self) -> int:  # type: ignore[override]
        """Number of symbols: the numbers and + - *."""
        return self.modulus + 3

    @property
    def outputs(self) -> int:
        """Number of classes: the values."""
        return self.modulus

    @property
    def input_names(self) -> tuple[str, ...]:
        """The symbols."""
        return (*map(str, range(self.modulus)), "+", "-", "*", "empty")

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a random sum and its value."""
        numbers = rng.integers(0, self.modulus, (length + 1) // 2)
        operators = rng.integers(0, 3, len(numbers) - 1)
        total, term = 0, int(numbers[0])
        for operator, number in zip(operators.tolist(), numbers[1:].tolist()):
            if operator == 2:
                term *= number
            else:
                total, term = total + term, (-number if operator else number)
            total, term = total % self.modulus, term % self.modulus
        string = np.empty(2 * len(numbers) - 1, dtype=np.int64)
        string[::2], string[1::2] = numbers, self.modulus + operators
        return string, np.array([(total + term) % self.modulus])
