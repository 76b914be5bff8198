"""Adding: the sum of two marked numbers, asked for at the end of a sequence, in two definitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Reference, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator


@dataclass(frozen=True)
class Adding(Task):
    """Sequences of pairs (number, marker), with the sum of the two marked numbers as target at the last step.

    ``definition="modern"``: `length` steps; numbers uniform on [0, 1); the marker is 1 at one step of the
    first half and one step of the second half, both uniform, else 0; the target is the sum. Predicting the
    mean, 1, gives a mean squared error of 1/6 = 0.167.

    ``definition="1997"``: the number of steps is uniform on the whole numbers from `length` to 1.1 `length`;
    numbers uniform on [-1, 1). One of the first ten pairs is marked by 1, then one of the first
    `length` / 2 - 1 pairs that are still unmarked; the first and the last pair have the marker -1, all others
    0. The target is 0.5 + (x1 + x2) / 4. A marked number in the first pair counts as 0, because the marker -1
    replaces its mark; the paper says so of the first marked number, here it holds for both. A sequence is
    correct when its error is below 0.04.

    Only the last step is scored. Training, validation and test have separate random streams. Nothing is
    scaled.

    Source: Hochreiter and Schmidhuber 1997, "Long short-term memory", section 5.4, for "1997"; Arjovsky, Shah
    and Bengio 2016, "Unitary evolution recurrent neural networks", for "modern".
    """

    name = "adding"
    inputs = 2
    outputs = 1
    input_names = ("number", "marker")
    output_names = ("sum",)
    metrics = ("mse", "within_004", "mae")
    references = (
        Reference(
            1 - 1 / 2560,
            "within_004",
            "definition 1997, length 100, LSTM of 93 weights after 74,000 sequences: 1 of 2,560 test sequences wrong",
            "Hochreiter and Schmidhuber 1997",
        ),
        Reference(
            1 / 6,
            "mse",
            "definition modern, any length: predicting the mean",
            "variance of the sum of two numbers uniform on [0, 1)",
        ),
    )

    length: int = setting(50, "steps of a sequence, of the shortest one with definition 1997", minimum=2)
    definition: str = setting("modern", "definition of the task", choices=("modern", "1997"))
    train: int = setting(200, "training sequences", minimum=1)
    valid: int = setting(200, "validation sequences", minimum=1)
    test: int = setting(1000, "test sequences", minimum=1)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return 3 * self.length * (self.train + self.valid + self.test)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, the length for its definition included."""
        found = super().problems()
        if not found and self.definition == "1997" and self.length < 20:
            found.append(
                f"length: expected at least 20 with definition 1997, which marks one of the first ten pairs and "
                f"one of the first length / 2 - 1, got {self.length}"
            )
        return found

    def data(self, seed: int) -> Splits:
        """Return sequences drawn from the seed."""
        draw = modern if self.definition == "modern" else original
        return Splits(
            train=draw(generator(seed, 0), self.train, self.length),
            valid=draw(generator(seed, 1), self.valid, self.length),
            test=draw(generator(seed, 2), self.test, self.length),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean of the training targets."""
        return {"mean": baselines.mean(splits)}

    def recommended(self, strategy: str) -> Recommended:
        """Return networks that can store a number for a long time: slow units, or gates."""
        if strategy in ("esn", "evolved-esn"):
            network = {"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"}
            return Recommended(network, {"leak": (0.01, 0.3)})
        if strategy == "ga":
            return Recommended(
                {"cell": "gru", "hidden": 2}, {"mutation_probability": 0.8, "mutation_size": 0.3}
            )
        return Recommended({"cell": "gru", "hidden": 8 if strategy == "bptt" else 2})


def modern(rng: np.random.Generator, count: int, length: int) -> Batch:
    """Return `count` sequences of the modern definition."""
    numbers = rng.uniform(0.0, 1.0, (count, length))
    first = rng.integers(0, length // 2, count)
    second = rng.integers(length // 2, length, count)
    markers = np.zeros((count, length))
    rows = np.arange(count)
    markers[rows, first] = markers[rows, second] = 1.0
    total = numbers[rows, first] + numbers[rows, second]
    return _batch(numbers, markers, total, np.full(count, length))


def original(rng: np.random.Generator, count: int, length: int) -> Batch:
    """Return `count` sequences of the definition of 1997."""
    lengths = rng.integers(length, length + length // 10 + 1, count)
    numbers = rng.uniform(-1.0, 1.0, (count, int(lengths.max())))
    first = rng.integers(0, 10, count)
    second = rng.integers(0, length // 2 - 1, count)  # counted among the unmarked pairs
    second += second >= first
    markers = np.zeros(numbers.shape)
    rows = np.arange(count)
    markers[rows, first] = markers[rows, second] = 1.0
    markers[:, 0] = -1.0
    markers[rows, lengths - 1] = -1.0
    beyond = np.arange(numbers.shape[1]) >= lengths[:, None]
    numbers[beyond] = 0.0
    total = (numbers * (markers == 1.0)).sum(axis=1)
    return _batch(numbers, markers, 0.5 + total / 4.0, lengths)


def _batch(numbers: np.ndarray, markers: np.ndarray, answers: np.ndarray, lengths: np.ndarray) -> Batch:
    """Return sequences whose answers are the targets of their last steps, the only scored ones."""
    rows = np.arange(len(numbers))
    targets = np.full((*numbers.shape, 1), np.nan)  # before the last step there is no answer
    targets[rows, lengths - 1, 0] = answers
    mask = np.zeros(numbers.shape, dtype=bool)
    mask[rows, lengths - 1] = True
    return Batch(np.stack([numbers, markers], axis=2), targets, mask=mask, lengths=lengths)
