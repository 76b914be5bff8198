"""Temporal order: which of two symbols came first and which second, at far and varying steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Reference, Splits, Task
from evorrn_tasks.common.advice import by_strategy
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.examples import Example, padded

SYMBOLS = ("E", "B", "X", "Y", "a", "b", "c", "d")
CLASSES = ("XX", "XY", "YX", "YY")


@dataclass(frozen=True)
class TemporalOrder(Task):
    """Sequences from E to B with two relevant symbols, X or Y, whose order is the class at the last step: XX, XY, YX or YY.

    A sequence has 100 to 110 symbols, times `scale`. The first relevant one is at a step from 10 to 20 and the second from 50 to 60,
    times `scale`; all steps and lengths are uniform on the whole numbers, and all other symbols uniform on a, b, c and d.
    Inputs are one-hot over the eight symbols; the target is a label over four classes, scored at the last step. Training,
    validation and test have separate random streams.

    Without memory every class is equally likely: an accuracy of 0.25.

    Source: Hochreiter and Schmidhuber 1997, "Long short-term memory", experiment 6a. Deviation: a fixed set of training sequences, which
    are drawn anew without end in the paper.
    """

    name = "temporal-order"
    loss = "cross-entropy"
    metrics = ("accuracy", "cross_entropy")
    references = (
        Reference(
            1.0,
            "accuracy",
            "LSTM with 156 weights in 20 of 20 runs, after 31,390 sequences",
            "Hochreiter and Schmidhuber 1997",
        ),
    )

    scale: float = setting(1.0, "factor of all lengths and steps", above=0.1, maximum=100.0)
    train: int = setting(400, "training sequences", minimum=1)
    valid: int = setting(200, "validation sequences", minimum=1)
    test: int = setting(1000, "test sequences", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of inputs, the symbols."""
        return len(SYMBOLS)

    @property
    def outputs(self) -> int:
        """Number of classes."""
        return len(CLASSES)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The symbols."""
        return SYMBOLS

    @property
    def output_names(self) -> tuple[str, ...]:
        """The classes."""
        return CLASSES

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return (self.inputs + 1) * int(105 * self.scale) * (self.train + self.valid + self.test)

    def data(self, seed: int) -> Splits:
        """Return sequences drawn from the seed."""
        sizes = self.train, self.valid, self.test
        train, valid, test = (self._sequences(generator(seed, k), size) for k, size in enumerate(sizes))
        return Splits(train=train, valid=valid, test=test)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return every class as equally likely."""
        assert splits.test is not None
        return {"no memory": np.zeros((*splits.test.inputs.shape[:2], self.outputs))}

    def recommended(self, strategy: str) -> Recommended:
        """Return the usual sizes with an LSTM."""
        return by_strategy(strategy, cell="lstm")

    def _sequences(self, rng: np.random.Generator, count: int) -> Batch:
        return padded([self._example(rng) for _ in range(count)])

    def _example(self, rng: np.random.Generator) -> Example:
        """Return one sequence."""
        length, first, second = (
            int(rng.integers(round(low * self.scale), round(high * self.scale) + 1))
            for low, high in ((100, 110), (10, 20), (50, 60))
        )
        symbols = rng.integers(4, len(SYMBOLS), length)
        symbols[0], symbols[-1] = 0, 1
        relevant = rng.integers(0, 2, 2)
        symbols[[first, second]] = 2 + relevant
        targets, scored = np.zeros(length, np.int64), np.zeros(length, bool)
        targets[-1], scored[-1] = 2 * relevant[0] + relevant[1], True
        return Example(np.eye(len(SYMBOLS))[symbols], targets, scored)
