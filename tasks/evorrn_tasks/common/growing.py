"""Growing and its forms: bases of tasks whose test sequences are longer than those of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.advice import by_strategy
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.examples import Example, bit_frequencies, padded


@dataclass(frozen=True)
class Growing(Task):
    """Sequences of random lengths, longer in test than in training and validation.

    A subclass is a frozen dataclass with a `name`, `inputs` and `outputs` that defines `draw` and `steps`, and
    `baselines` where the loss is not the cross-entropy of labels.
    """

    loss = "cross-entropy"
    metrics: ClassVar[tuple[str, ...]] = ("token_accuracy", "exact_match", "cross_entropy")

    shortest: int = setting(1, "smallest length in training and validation", minimum=1)
    longest: int = setting(40, "largest length in training and validation", minimum=1)
    test_shortest: int | None = setting(
        None, "smallest length in test; by default one more than in training", minimum=1
    )
    test_longest: int = setting(100, "largest length in test", minimum=1)
    train: int = setting(500, "training sequences", minimum=1)
    valid: int = setting(200, "validation sequences", minimum=1)
    test: int = setting(300, "test sequences", minimum=1)

    def draw(self, rng: np.random.Generator, length: int) -> Example:
        """Return a random sequence of a length, which a subclass counts in symbols, items or pairs."""
        raise NotImplementedError

    def draw_test(self, rng: np.random.Generator, length: int) -> Example:
        """Return a random test sequence of a length; like `draw` unless test differs in more than lengths."""
        return self.draw(rng, length)

    def steps(self, length: int) -> int:
        """Return the largest number of time steps of a sequence of a length."""
        raise NotImplementedError

    @property
    def first_test_length(self) -> int:
        """The smallest length in test."""
        return self.longest + 1 if self.test_shortest is None else self.test_shortest

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        trained = (self.train + self.valid) * self.steps(self.longest)
        return (self.inputs + self.outputs) * (trained + self.test * self.steps(self.test_longest))

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, lengths in the wrong order included."""
        found = super().problems()
        if not found and self.longest < self.shortest:
            found.append(f"longest: expected at least shortest, {self.shortest}, got {self.longest}")
        if not found and self.test_longest < self.first_test_length:
            found.append(
                f"test_longest: expected at least the smallest length in test, {self.first_test_length}, "
                f"got {self.test_longest}"
            )
        return found

    def data(self, seed: int) -> Splits:
        """Return sequences drawn from the seed, with a random stream for each split."""
        first, rng = self.first_test_length, generator(seed, 2)
        tested = rng.integers(first, self.test_longest + 1, self.test)
        return Splits(
            train=self._trained(generator(seed, 0), self.train),
            valid=self._trained(generator(seed, 1), self.valid),
            test=padded([self.draw_test(rng, int(length)) for length in tested]),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the label that is most frequent in training."""
        return {"most frequent": baselines.class_frequencies(splits, self.outputs)}

    def recommended(self, strategy: str) -> Recommended:
        """Return small networks, or a reservoir."""
        return by_strategy(strategy)

    def _trained(self, rng: np.random.Generator, count: int) -> Batch:
        """Return `count` sequences of lengths that are uniform on the whole numbers of training and validation."""
        lengths = rng.integers(self.shortest, self.longest + 1, count)
        return padded([self.draw(rng, int(length)) for length in lengths])


@dataclass(frozen=True)
class Transduction(Growing):
    """Strings of symbols, each followed by as many empty steps as its answer has symbols, where it must be given.

    Inputs are one-hot over the symbols and, last, the empty one. A subclass is a frozen dataclass with a `name`,
    `symbols` and `outputs` that defines `translate`, and `answer_length` where an answer is longer than one symbol.
    """

    symbols = 2

    train: int = setting(2000, "training strings", minimum=1)

    def translate(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a random string (T,) and its answer (U,), both of whole numbers."""
        raise NotImplementedError

    def answer_length(self, length: int) -> int:
        """Return the largest number of symbols in the answer to a string of a length."""
        return 1

    @property
    def inputs(self) -> int:
        """Number of inputs: the symbols and the empty one."""
        return self.symbols + 1

    @property
    def outputs(self) -> int:
        """Number of classes: the symbols."""
        return self.symbols

    def steps(self, length: int) -> int:
        """Return the number of time steps: the string and its answer."""
        return length + self.answer_length(length)

    def draw(self, rng: np.random.Generator, length: int) -> Example:
        """Return a string with its empty steps, which alone are scored."""
        string, answer = self.translate(rng, length)
        shown = np.r_[string, np.full(len(answer), self.symbols)]
        wanted = np.r_[np.zeros(len(string), dtype=np.int64), answer]
        return Example(np.eye(self.inputs)[shown], wanted, np.arange(len(shown)) >= len(string))


@dataclass(frozen=True)
class Rewriting(Transduction):
    """Strings whose answer has the symbols of the string, in another order or number."""

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the most frequent symbol of training, that of the string, and the last symbol of the string."""
        assert splits.test is not None
        shown = np.array(splits.test.inputs[:, :, : self.symbols], dtype=np.float64)
        last = shown.copy()
        for step in range(1, last.shape[1]):
            empty = splits.test.inputs[:, step, self.symbols] == 1
            last[empty, step] = last[empty, step - 1]
        counts = shown.cumsum(axis=1)
        return {
            **super().baselines(splits),
            "most frequent of the string": counts,
            "last symbol": last,
        }


@dataclass(frozen=True)
class BitSequences(Growing):
    """Sequences whose targets are bits.

    A subclass is a frozen dataclass with a `name`, `inputs` and `outputs` that defines `draw` and `steps`.
    """

    loss = "binary-cross-entropy"
    metrics: ClassVar[tuple[str, ...]] = (
        "bit_errors",
        "exact_match",
        "binary_accuracy",
        "binary_cross_entropy",
    )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the value of each bit that is more frequent in training."""
        return {"more frequent bits": bit_frequencies(splits)}
