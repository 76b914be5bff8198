"""Digits on a grid: pictures of digits at changing places, read as a grid of cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.grids import CORNERS, scan
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.nodes import recommended

SEGMENTS = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
"""The segments of each digit: a top, b and c right, d bottom, e and f left, g middle."""
HEIGHT, WIDTH = 5, 3


@dataclass(frozen=True)
class GridDigits(Task):
    """Pictures of one digit of seven segments at a random place, with noise, read cell by cell as a grid.

    A digit is 5 pixels high and 3 wide, at a place drawn uniformly in a picture of `rows` times `columns` pixels of 0 and
    1; then each pixel is inverted with the probability `noise`. The pixels are read row by row from a corner, and a step
    sees the pixel read above it and the one beside it in place of the last one. The class, from 0 to 9, is scored at the
    last pixel. A network needs a cell with two predecessors, such as ``grid-lstm``.

    The digits are drawn for this task. Graves, Fernandez and Schmidhuber 2007, "Multi-dimensional recurrent neural
    networks", section 4.2, read pictures of handwritten digits in this way, in all four orders at once; here a network reads
    in the one that `corner` names.
    """

    name = "grid-digits"
    loss = "cross-entropy"
    metrics = ("accuracy", "cross_entropy")
    arity = 2
    inputs = 1
    outputs = 10
    output_names = tuple(map(str, range(10)))

    rows: int = setting(7, "height of the picture", minimum=HEIGHT, maximum=64)
    columns: int = setting(5, "width of the picture", minimum=WIDTH, maximum=64)
    noise: float = setting(0.02, "probability that a pixel is inverted", minimum=0.0, maximum=0.5)
    corner: str = setting("top-left", "where reading begins", choices=CORNERS)
    train: int = setting(500, "training pictures", minimum=2)
    valid: int = setting(200, "validation pictures", minimum=1)
    test: int = setting(300, "test pictures", minimum=1)

    def data(self, seed: int) -> Splits:
        """Return pictures drawn from the seed."""
        train, valid, test = (
            self._batch(generator(seed, place), count)
            for place, count in enumerate((self.train, self.valid, self.test))
        )
        return Splits(train, valid, test)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the class frequencies, and naive Bayes over the pixels at their places."""
        return {
            "class frequencies": baselines.class_frequencies(splits, self.outputs),
            "naive Bayes over pixels": pixel_bayes(splits, self.outputs),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a grid of LSTM cells, few units where weights are searched for."""
        trained = Recommended({"cell": "grid-lstm", "hidden": 16}, {"batch_size": 25, "rate": 0.01})
        return recommended(strategy, trained=trained, evolved="grid-lstm", units=4, reservoir=30)

    def _batch(self, rng: np.random.Generator, count: int) -> Batch:
        digits = rng.integers(0, 10, count)
        pictures = np.zeros((count, self.rows, self.columns))
        for picture, digit in zip(pictures, digits):
            top, left = rng.integers(self.rows - HEIGHT + 1), rng.integers(self.columns - WIDTH + 1)
            picture[top : top + HEIGHT, left : left + WIDTH] = drawing(int(digit))
        pictures = np.where(rng.random(pictures.shape) < self.noise, 1 - pictures, pictures)
        order, links = scan(self.rows, self.columns, self.corner)
        inputs = pictures.reshape(count, -1, 1)[:, order]
        return Batch(inputs, digits, links=np.repeat(links[None], count, axis=0))


def drawing(digit: int) -> np.ndarray:
    """Return the pixels (5, 3) of a digit."""
    pixels = np.zeros((HEIGHT, WIDTH))
    strokes: dict[str, tuple[int | slice, int | slice]] = {
        "a": (0, slice(None)),
        "b": (slice(0, 3), 2),
        "c": (slice(2, 5), 2),
        "d": (4, slice(None)),
        "e": (slice(2, 5), 0),
        "f": (slice(0, 3), 0),
        "g": (2, slice(None)),
    }
    for segment in SEGMENTS[digit]:
        pixels[strokes[segment]] = 1
    return pixels


def pixel_bayes(splits: Splits, classes: int) -> np.ndarray:
    """Return logits (B, T, classes) of naive Bayes over the pixels read so far, each at its place, with one count added."""
    assert splits.test is not None
    train, labels = splits.train.inputs[:, :, 0], splits.train.targets[:, -1]
    logits = np.zeros((splits.test.size, splits.test.steps, classes))
    shown = splits.test.inputs[:, :, 0]
    for label in range(classes):
        mine = train[labels == label]
        on = (mine.sum(axis=0) + 1) / (len(mine) + 2)
        share = np.log(max(float((labels == label).mean()), 0.5 / len(labels)))
        logits[:, :, label] = share + np.cumsum(np.where(shown > 0.5, np.log(on), np.log(1 - on)), axis=1)
    return logits
