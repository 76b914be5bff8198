"""Counting: the next symbol of strings such as a^n b^n, for more symbols than in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Reference, Splits, Task
from evorrn_tasks.common.advice import by_strategy
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.examples import Example, bit_frequencies, label_frequencies, padded

FACTORS = {"anbn": (1, 1), "anbncn": (1, 1, 1), "anbncndn": (1, 1, 1, 1), "anb2n": (1, 2)}
"""How often n each letter is repeated, in the languages of one number."""
SUM = "anbmcnm"
"""The language a^n b^m c^(n+m)."""
LEVELS = (0.75, 0.25)
"""The probability that is asked for of a symbol that may follow, and of one that may not."""


@dataclass(frozen=True)
class Counting(Task):
    """Strings of a language that needs counters, whose symbols that are certain must be predicted.

    ``language="anbn"`` is a^n b^n, ``"anbncn"`` a^n b^n c^n, ``"anbncndn"`` a^n b^n c^n d^n, ``"anb2n"`` a^n b^(2n),
    and ``"anbmcnm"`` a^n b^m c^(n+m), with n and m of at least 1. One symbol, #, begins and ends every string: the
    inputs are # and the string, and the target of each step is the symbol after it, the last one being #. Inputs are
    one-hot and targets labels over the letters and #. Scored are the symbols that the string up to there determines:
    those after the first b, or after the first c in ``"anbmcnm"``.

    Training strings have n (in ``"anbmcnm"`` n + m, divided at random) uniform from its smallest value to `longest`.
    Validation has one string of each size up to `valid_longest`, which prefers networks that go beyond training, and
    test one of each size up to `test_longest`, as published: ``exact_match`` on test is the share of sizes for which
    every scored symbol is right. Training, validation and test have separate random streams.

    With ``asked="legal"`` every step is scored, and asks for all symbols that may follow, as published: each symbol is a
    bit, and exact is who has every bit of a string right. Inputs are then 1 for the symbol and -1 for the others, and the targets are the probabilities
    0.75 and 0.25: what the targets 1 and -1 are for published outputs, which go from -2 to 2. So an output that is right is not
    yet done, and counts are learned more precisely than for targets that only saturated outputs meet.

    A network that repeats the present symbol is right at every scored step but those where the letter changes, and
    never for a whole string.

    Source: Joulin and Mikolov 2015, "Inferring algorithmic patterns with stack-augmented recurrent nets", who train on
    n < 20 and test on n up to 60; the symbol at both ends is that of Gers and Schmidhuber 2001, "LSTM recurrent
    networks learn simple context-free and context-sensitive languages". Deviations: the strings of a batch are
    separate, not joined to one long series, and symbols that are not certain are not trained on.
    """

    name = "counting"
    predicts_inputs = True
    references = (
        Reference(
            1.0,
            "exact_match",
            "anbncn, n up to 10 in training and to 1,000 in test: LSTM trained by a decoupled extended Kalman filter",
            "Gers, Pérez-Ortiz, Eck and Schmidhuber 2002",
        ),
    )

    language: str = setting("anbn", "language of the strings", choices=(*FACTORS, SUM))
    longest: int = setting(19, "largest n, or n + m, in training", minimum=2)
    valid_longest: int = setting(30, "largest n, or n + m, in validation", minimum=2)
    test_longest: int = setting(60, "largest n, or n + m, in test", minimum=2)
    train: int = setting(100, "training strings", minimum=1)
    asked: str = setting(
        "next",
        "what each step asks for: the next symbol where it is certain, or all legal ones",
        choices=("next", "legal"),
        absent="next",
    )

    @property
    def loss(self) -> str:  # type: ignore[override]  # `asked` decides
        """The loss of labels, or of bits."""
        return "cross-entropy" if self.asked == "next" else "binary-cross-entropy"

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """Whole strings first."""
        return ("exact_match", "token_accuracy", self.loss.replace("-", "_"))

    @property
    def letters(self) -> int:
        """Number of different letters."""
        return 3 if self.language == SUM else len(FACTORS[self.language])

    @property
    def inputs(self) -> int:
        """Number of inputs: the letters and the symbol at both ends."""
        return self.letters + 1

    @property
    def outputs(self) -> int:
        """Number of classes: the letters and the symbol at both ends."""
        return self.letters + 1

    @property
    def input_names(self) -> tuple[str, ...]:
        """The symbols."""
        return (*"abcd"[: self.letters], "#")

    @property
    def output_names(self) -> tuple[str, ...]:
        """The symbols."""
        return self.input_names

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all strings."""
        sizes = self.longest * self.train + self.valid_longest**2 + self.test_longest**2
        return (self.inputs + 1) * self.letters * sizes

    def data(self, seed: int) -> Splits:
        """Return strings drawn from the seed."""
        rng = generator(seed, 0)
        sizes = rng.integers(self._smallest, self.longest + 1, self.train)
        return Splits(
            train=self._strings(rng, sizes),
            valid=self._strings(generator(seed, 1), np.arange(self._smallest, self.valid_longest + 1)),
            test=self._strings(generator(seed, 2), np.arange(self._smallest, self.test_longest + 1)),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the present symbol again, and the frequencies after the present symbol in training."""
        assert splits.test is not None
        if self.asked == "legal":
            return {"frequencies after a symbol": bit_frequencies(splits, by_input=True)}
        return {
            "same symbol again": np.array(splits.test.inputs, dtype=np.float64),
            "frequencies after a symbol": label_frequencies(splits, self.outputs),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return an LSTM, whose cells can count, or for evolution by mutation few units without gates.

        On validation the genetic algorithm found better networks of four Elman units than of two or three LSTM units, and
        CMA-ES better ones of two LSTM units.
        """
        if strategy in ("ga", "truncation-ga", "random"):
            return by_strategy(strategy)
        return by_strategy(strategy, trained=4, evolved=2, cell="lstm")

    @property
    def _smallest(self) -> int:
        """The smallest n, or n + m."""
        return 2 if self.language == SUM else 1

    def _strings(self, rng: np.random.Generator, sizes: np.ndarray) -> Batch:
        """Return one string for each size."""
        return padded([self._example(rng, int(size)) for size in sizes])

    def _example(self, rng: np.random.Generator, size: int) -> Example:
        """Return the string of a size, scored from the first letter on that makes the rest certain."""
        if self.language == SUM:
            n = int(rng.integers(1, size))
            counts = [n, size - n, size]
        else:
            counts = [size * factor for factor in FACTORS[self.language]]
        string = np.repeat(np.arange(self.letters), counts)
        end = self.letters
        shown, wanted = np.r_[end, string], np.r_[string, end]
        certain = np.arange(len(shown)) > size
        inputs = np.eye(self.inputs)[shown]
        if self.asked == "next":
            return Example(inputs, wanted, certain)
        legal = np.eye(self.outputs)[wanted]
        open_steps = np.flatnonzero(~certain)[1:]  # after the symbol at the start comes an a
        legal[open_steps, shown[open_steps]] = legal[open_steps, shown[open_steps] + 1] = 1
        return Example(2 * inputs - 1, np.where(legal == 1, *LEVELS), np.ones(len(shown), bool))
