"""Digits row by row: pictures of digits, of which a step sees one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines, digits, sequence_labels
from evorrn_tasks.common.draws import generator

EMBEDDING = 64
MOST_COLUMNS = 10
"""Pixels of the widest row that is one symbol."""


@dataclass(frozen=True)
class RowDigits(Task):
    """Pictures of one digit, read from the top to the bottom; a step sees a row, and the class is told after the last one.

    Handwritten digits have 8 times 8 grey pixels from 0 to 1. They are 1,797 pictures by 13 people, divided at random, so that each person
    writes in training and in test (E. Alpaydin and C. Kaynak 1998, UCI, CC BY 4.0; a copy is part of the package). Drawn
    digits are those of the task ``grid-digits``: seven segments at a random place of `rows` times `columns` pixels, each inverted with
    the probability `noise`.

    With `symbols`, a row is one symbol: its pixels above one half are the ones of a binary number, the leftmost pixel its highest place.
    There are then `symbols` different inputs, at least as many as rows, for an embedding.

    Source: digits by rows are an example of Keras' guide to recurrent networks (F. Chollet and S. Zhu), there on MNIST.
    """

    name = "row-digits"
    loss = "cross-entropy"
    metrics = ("accuracy", "cross_entropy")
    outputs = 10
    output_names = tuple(map(str, range(10)))

    pictures: str = setting(
        digits.HANDWRITTEN, "handwritten or drawn digits", choices=(digits.DRAWN, digits.HANDWRITTEN)
    )
    symbols: int = setting(0, "different symbols, if a row is one; 0 for rows of pixels", minimum=0)
    rows: int = setting(7, "height of a drawn picture", minimum=digits.HEIGHT, maximum=64)
    columns: int = setting(5, "width of a drawn picture", minimum=digits.WIDTH, maximum=64)
    noise: float = setting(
        0.02, "probability that a pixel of a drawn picture is inverted", minimum=0.0, maximum=0.5
    )
    train: int = setting(1000, "training pictures", minimum=2)
    valid: int = setting(297, "validation pictures", minimum=1)
    test: int = setting(500, "test pictures", minimum=1)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = super().problems()
        if found:
            return found
        if self.pictures == digits.HANDWRITTEN:
            found += digits.handwriting_problems((self.train, self.valid, self.test))
        if self.symbols and self._width > MOST_COLUMNS:
            found.append(
                f"columns: expected at most {MOST_COLUMNS} where a row is a symbol, got {self._width}"
            )
        elif 0 < self.symbols < 2**self._width:
            found.append(
                f"symbols: expected at least {2**self._width}, the different rows of {self._width} pixels, or 0, got "
                f"{self.symbols}"
            )
        return found

    @property
    def inputs(self) -> int:
        """Number of inputs: the pixels of a row, or the symbols."""
        return self.symbols or self._width

    @property
    def network_form(self) -> dict[str, Any]:
        """One output at the last row; an embedding of symbols."""
        return {"readout": "last", **({"embedding": EMBEDDING} if self.symbols else {})}

    def data(self, seed: int) -> Splits:
        """Return pictures drawn from the seed."""
        train, valid, test = (self._batch(*each) for each in self._pictures(seed))
        return Splits(train, valid, test)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return class frequencies, and naive Bayes and the nearest training picture by the rows read so far."""
        assert splits.test is not None
        train, test = self._pixels(splits.train), self._pixels(splits.test)
        labels = sequence_labels.sequence_labels(splits.train)
        return {
            "class frequencies": baselines.class_frequencies(splits, self.outputs),
            "naive Bayes over pixels": digits.pixel_bayes((train, labels), test),
            "nearest picture": _nearest(train, labels, test),
        }

    def comparator_problems(self, names: Sequence[str]) -> list[str]:
        """Return one sentence for each name that is not known, or that does not fit rows of pixels."""
        fitting = [f"{self.name}: baselines of sequences need rows of pixels, symbols = 0"]
        return fitting if names and self.symbols else sequence_labels.problems(self.data(0).train, names)

    def comparators(self, splits: Splits, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the classifiers of whole sequences that are named."""
        return sequence_labels.classifiers(splits, self.outputs, names)

    def recommended(self, strategy: str) -> Recommended:
        """Return an LSTM for gradients, a reservoir of 100 units, else few units."""
        if strategy == "bptt":
            return Recommended({"cell": "lstm", "hidden": 32}, {"batch_size": 25, "rate": 0.01})
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "dtype": "float64"})
        return Recommended({"cell": "gru", "hidden": 6, **({"embedding": 4} if self.symbols else {})})

    @property
    def _width(self) -> int:
        return digits.SIDE if self.pictures == digits.HANDWRITTEN else self.columns

    def _pictures(self, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        counts = self.train, self.valid, self.test
        if self.pictures == digits.HANDWRITTEN:
            return digits.handwritten(seed, counts)
        size = self.rows, self.columns, self.noise
        return [digits.drawn(generator(seed, place), count, *size) for place, count in enumerate(counts)]

    def _batch(self, pictures: np.ndarray, labels: np.ndarray) -> Batch:
        if self.symbols:
            return Batch((pictures > 0.5) @ (1 << np.arange(self._width)[::-1]), labels)
        return Batch(pictures, labels)

    def _pixels(self, batch: Batch) -> np.ndarray:
        """Return the pixels (B, T, K) that a batch shows."""
        if not batch.symbols:
            return np.asarray(batch.inputs)
        return (batch.inputs[:, :, None] >> np.arange(self._width)[::-1] & 1).astype(np.float64)


def _nearest(train: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return logits (B, T, 10) that say the label of the nearest training picture, by the squares over the rows so far."""
    distances = np.zeros((len(asked), len(train)))
    logits = np.zeros((*asked.shape[:2], 10))
    for row in range(asked.shape[1]):
        mine, others = asked[:, row], train[:, row]
        distances += (
            np.square(mine).sum(axis=1)[:, None] - 2 * mine @ others.T + np.square(others).sum(axis=1)
        )
        logits[np.arange(len(asked)), row, labels[distances.argmin(axis=1)]] = 5.0
    return logits
