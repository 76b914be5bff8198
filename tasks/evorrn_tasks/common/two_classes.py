"""TwoClasses: base of tasks whose answer is one of two classes at the end of a sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator


@dataclass(frozen=True)
class TwoClasses(Task):
    """Sequences of one input and two equally frequent classes, with only the last step scored.

    A subclass is a frozen dataclass with a `name` that defines `draw`.
    """

    loss = "binary-cross-entropy"
    inputs = 1
    outputs = 1
    metrics = ("binary_accuracy", "binary_cross_entropy")

    shortest: int = setting(500, "steps of the shortest sequence", minimum=1)
    longest: int = setting(600, "steps of the longest sequence", minimum=1)
    train: int = setting(100, "training sequences", minimum=2)
    valid: int = setting(100, "validation sequences", minimum=2)
    test: int = setting(100, "test sequences", minimum=2)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return 2 * self.longest * (self.train + self.valid + self.test)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, longest below shortest included."""
        found = super().problems()
        if not found and self.longest < self.shortest:
            found.append(f"longest: expected at least shortest, {self.shortest}, got {self.longest}")
        return found

    def draw(self, rng: np.random.Generator, answer: int, steps: int) -> np.ndarray:
        """Return the inputs (T,) of a sequence whose class is `answer`, 0 or 1."""
        raise NotImplementedError

    def data(self, seed: int) -> Splits:
        """Return sequences drawn from the seed."""
        return Splits(self._split(seed, 0), self._split(seed, 1), self._split(seed, 2))

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the prediction of the class that is more frequent in training."""
        return {"more frequent class": baselines.more_frequent_class(splits)}

    def recommended(self, strategy: str) -> Recommended:
        """Return a small network of gated or slow units, whose state can be constant for a long time."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
        return Recommended({"cell": "gru", "hidden": 4})

    def _split(self, seed: int, place: int) -> Batch:
        """Return training (0), validation (1) or test (2)."""
        count = (self.train, self.valid, self.test)[place]
        rng = generator(seed, place)
        lengths = rng.integers(self.shortest, self.longest + 1, count)
        classes = np.arange(count) % 2
        inputs = np.zeros((count, int(lengths.max()), 1))
        targets = np.full_like(inputs, np.nan)  # before the last step there is no answer
        mask = np.zeros(inputs.shape[:2], dtype=bool)
        for row, steps in enumerate(lengths):
            inputs[row, :steps, 0] = self.draw(rng, int(classes[row]), int(steps))
        rows = np.arange(count)
        targets[rows, lengths - 1, 0] = classes
        mask[rows, lengths - 1] = True
        return Batch(inputs, targets, mask=mask, lengths=lengths)
