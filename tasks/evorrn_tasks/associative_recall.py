"""Associative recall: one item of a list is shown again, and the item after it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Splits
from evorrn_tasks.common.examples import Example
from evorrn_tasks.common.growing import BitSequences


@dataclass(frozen=True)
class AssociativeRecall(BitSequences):
    """A list of items, each some random vectors of bits; one item is shown again, and the next one must be given.

    Inputs are `bits` channels, a channel that is 1 at the step before each item of the list, and a channel that is 1 at the
    steps before and after the query. Then come as many steps as an item has vectors, with inputs 0; these alone are scored,
    and their targets are the item that follows the query in the list. The items of a list are different, and the query is
    one of all but the last, uniformly. Lengths count items; they are uniform from `shortest` to `longest` in training and
    validation, and beyond in test. Training, validation and test have separate random streams.

    Source: Graves, Wayne and Danihelka 2014, "Neural Turing machines", section 4.3: items of three vectors of six bits, 2
    to 6 items in training, to 20 in test. Deviation: a fixed set of training sequences, where they draw new ones for each
    step.
    """

    name = "associative-recall"

    bits: int = setting(6, "bits of a vector", minimum=1)
    vectors: int = setting(3, "vectors of an item", minimum=1)
    shortest: int = setting(2, "smallest number of items in training and validation", minimum=2)
    longest: int = setting(6, "largest number of items in training and validation", minimum=2)
    test_shortest: int | None = setting(
        None, "smallest number of items in test; by default one more than in training", minimum=2
    )
    test_longest: int = setting(15, "largest number of items in test", minimum=2)

    @property
    def inputs(self) -> int:
        """Number of inputs: the bits, the mark of items and the mark of the query."""
        return self.bits + 2

    @property
    def outputs(self) -> int:
        """Number of outputs: the bits."""
        return self.bits

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, more items than there are different ones included."""
        found = super().problems()
        different = 2 ** (self.bits * self.vectors)
        if not found and self.test_longest > different:
            found.append(
                f"test_longest: expected at most {different}, the number of different items of {self.vectors} x "
                f"{self.bits} bits, got {self.test_longest}"
            )
        return found

    def steps(self, length: int) -> int:
        """Return the number of time steps: the list, the query between two marks, the answer."""
        return (length + 1) * (self.vectors + 1) + 1 + self.vectors

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return bits by their frequency in training, and by that at the same place of the items shown so far."""
        assert splits.test is not None
        bits = 2.0 * splits.test.inputs[:, :, : self.bits] - 1.0
        votes = np.zeros(bits.shape)
        period = self.vectors + 1
        votes[:, period:] = bits[:, :-period]
        for step in range(period, bits.shape[1]):
            votes[:, step] += votes[:, step - period]
        return {**super().baselines(splits), "more frequent bits of the list": votes}

    def draw(self, rng: np.random.Generator, length: int) -> Example:
        """Return a list of different items and a query."""
        items = self._different(rng, length)
        asked = int(rng.integers(0, length - 1))
        inputs = np.zeros((self.steps(length), self.inputs))
        shown = inputs[: (length + 1) * (self.vectors + 1)].reshape(length + 1, self.vectors + 1, -1)
        shown[:length, 1:, : self.bits] = items
        shown[length, 1:, : self.bits] = items[asked]
        shown[:length, 0, self.bits] = 1.0
        shown[length, 0, self.bits + 1] = inputs[-self.vectors - 1, self.bits + 1] = 1.0
        targets = np.full((len(inputs), self.bits), np.nan)
        targets[-self.vectors :] = items[asked + 1]
        return Example(inputs, targets, np.arange(len(inputs)) >= len(inputs) - self.vectors)

    def _different(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return different random items (count, vectors, bits)."""
        items: dict[bytes, np.ndarray] = {}
        while len(items) < count:
            item = rng.integers(0, 2, (self.vectors, self.bits)).astype(np.float64)
            items.setdefault(item.tobytes(), item)
        return np.array(list(items.values()))
