"""Digits on a grid: pictures of digits at changing places, read as a grid of cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.grids import CORNERS, scan
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines, digits
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.nodes import recommended


@dataclass(frozen=True)
class GridDigits(Task):
    """Pictures of one digit of seven segments at a random place, with noise, read cell by cell as a grid.

    A digit is 5 pixels high and 3 wide, at a place drawn uniformly in a picture of `rows` times `columns` pixels of 0 and
    1; then each pixel is inverted with the probability `noise`. The pixels are read row by row from a corner, and a step
    sees the pixel read above it and the one beside it in place of the last one. The class, from 0 to 9, is scored at the
    last pixel. A network needs a cell with two predecessors, such as ``grid-lstm``.

    With `pictures` of ``"handwritten"`` they are digits of 8 times 8 grey pixels from 0 to 1, written by 13 people and drawn without
    repetition from 1,797 (E. Alpaydin and C. Kaynak 1998, UCI, CC BY 4.0; a copy is part of the package).

    The other digits are drawn for this task. Graves, Fernandez and Schmidhuber 2007, "Multi-dimensional recurrent neural
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

    rows: int = setting(7, "height of the picture", minimum=digits.HEIGHT, maximum=64)
    columns: int = setting(5, "width of the picture", minimum=digits.WIDTH, maximum=64)
    noise: float = setting(0.02, "probability that a pixel is inverted", minimum=0.0, maximum=0.5)
    corner: str = setting("top-left", "where reading begins", choices=CORNERS)
    train: int = setting(500, "training pictures", minimum=2)
    valid: int = setting(200, "validation pictures", minimum=1)
    test: int = setting(300, "test pictures", minimum=1)
    pictures: str = setting(
        digits.DRAWN,
        "drawn digits, or the handwritten ones of 8 times 8 pixels, for which rows, columns and noise mean nothing",
        choices=(digits.DRAWN, digits.HANDWRITTEN),
        absent=digits.DRAWN,
    )

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        counts = self.train, self.valid, self.test
        written = self.pictures == digits.HANDWRITTEN
        return [*super().problems(), *(digits.handwriting_problems(counts) if written else ())]

    def data(self, seed: int) -> Splits:
        """Return pictures drawn from the seed."""
        train, valid, test = (self._batch(*each) for each in self._pictures(seed))
        return Splits(train, valid, test)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the class frequencies, and naive Bayes over the pixels at their places."""
        return {
            "class frequencies": baselines.class_frequencies(splits, self.outputs),
            "naive Bayes over pixels": self._pixel_bayes(splits),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a grid of LSTM cells, few units where weights are searched for."""
        trained = Recommended({"cell": "grid-lstm", "hidden": 16}, {"batch_size": 25, "rate": 0.01})
        return recommended(strategy, trained=trained, evolved="grid-lstm", units=4, reservoir=30)

    def _pictures(self, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        counts = self.train, self.valid, self.test
        if self.pictures == digits.HANDWRITTEN:
            return digits.handwritten(seed, counts)
        size = self.rows, self.columns, self.noise
        return [digits.drawn(generator(seed, place), count, *size) for place, count in enumerate(counts)]

    def _batch(self, pictures: np.ndarray, labels: np.ndarray) -> Batch:
        count, rows, columns = pictures.shape
        order, links = scan(rows, columns, self.corner)
        inputs = pictures.reshape(count, -1, 1)[:, order]
        return Batch(inputs, labels, links=np.repeat(links[None], count, axis=0))

    def _pixel_bayes(self, splits: Splits) -> np.ndarray:
        assert splits.test is not None
        return digits.pixel_bayes((splits.train.inputs, splits.train.targets[:, -1]), splits.test.inputs)
