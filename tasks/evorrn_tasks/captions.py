"""Captions: the sentence that a grammar says of a small picture with one or two coloured shapes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common.answers import FIRST, PROVIDES, SEARCH, START, STOP, common_symbols, filled
from evorrn_tasks.common.draws import generator

COLOURS = ("red", "green", "blue")
SHAPES = {
    "square": ("###", "###", "###"),
    "ring": ("###", "#.#", "###"),
    "cross": (".#.", "###", ".#."),
    "bar": ("...", "###", "..."),
}
CELLS, SIDE = 3, 3
"""Cells of a row and of a column of a picture, and pixels of a side of a cell."""
WORDS = ("a", *COLOURS, *SHAPES, "above", "left", "of")
PIXELS = CELLS * SIDE
INPUTS = PIXELS * PIXELS * len(COLOURS)
SINGLE = CELLS**2 * len(COLOURS) * len(SHAPES)
SCENES = SINGLE + CELLS**2 * (CELLS**2 - 1) // 2 * (len(COLOURS) * len(SHAPES)) ** 2
"""Different pictures with one shape, and all of them."""


class Thing(NamedTuple):
    """A shape in a cell, counted row by row."""

    cell: int
    colour: str
    shape: str


@dataclass(frozen=True)
class Captions(Task):
    """Pictures of 9 times 9 pixels in three colours with one or two shapes, and the one sentence that says what is there.

    A picture has 3 times 3 cells of 3 times 3 pixels. One cell, or two with the probability `pairs`, have a square, a ring, a cross or a
    bar in red, green or blue, all equally likely. The network sees its 243 numbers at once, 1 where there is colour and 0 elsewhere, with
    Gaussian noise of standard deviation `noise`. The caption of one shape is ``a red ring``. Of two shapes the one in the upper row
    is said first, ``a red ring above a blue bar``; in the same row that on the left, ``a red ring left of a blue bar``. Each picture has
    exactly one caption, and no scene is in two splits. Metrics are of the captions that the network writes by itself.

    Source: the cell ``m-rnn`` and the task of captions are those of Mao et al. 2015, "Deep captioning with multimodal recurrent neural
    networks"; scenes and grammar are our own.
    """

    name = "captions"
    loss = "cross-entropy"
    metrics = ("token_accuracy", "exact_match", "edit_distance", "cross_entropy")
    provides = PROVIDES
    inputs = INPUTS
    outputs = FIRST + len(WORDS)
    output_names = ("start", "stop", *WORDS)

    pairs: float = setting(0.8, "probability of two shapes", minimum=0.0, maximum=1.0)
    noise: float = setting(0.1, "standard deviation of the noise of a pixel", minimum=0.0)
    train: int = setting(2000, "training pictures", minimum=1)
    valid: int = setting(200, "validation pictures", minimum=1)
    test: int = setting(300, "test pictures", minimum=1)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = super().problems()
        if found:
            return found
        most = SINGLE if self.pairs == 0 else SCENES - SINGLE if self.pairs == 1 else SCENES
        wanted = self.train + self.valid + self.test
        if wanted > most // 2:
            found.append(
                f"train, valid, test: expected at most {most // 2}, half of the different scenes, got {wanted}"
            )
        return found

    @property
    def network_form(self) -> dict[str, Any]:
        """An encoder-decoder."""
        return {"kind": "encoder-decoder", "start": START, "stop": STOP}

    def data(self, seed: int) -> Splits:
        """Return pictures and captions drawn from the seed."""
        rng = generator(seed)
        counts = self.train, self.valid, self.test
        scenes: dict[tuple[Thing, ...], None] = {}
        while len(scenes) < sum(counts):
            scenes.setdefault(self._scene(rng))
        every = [list(scenes)[place] for place in rng.permutation(len(scenes))]
        ends = np.cumsum(counts)
        train, valid, test = (
            self._batch(every[end - count : end], generator(seed, place))
            for place, (end, count) in enumerate(zip(ends, counts), 1)
        )
        return Splits(train, valid, test)

    def baselines(self, splits: Splits) -> dict[str, list[np.ndarray]]:
        """Return the most common caption, the most common word of each place, and the caption of the nearest picture."""
        assert splits.test is not None
        train, test = splits.train, splits.test
        captions = [tuple(row.tolist()) for row in train.rows]
        common = np.array(Counter(captions).most_common(1)[0][0])
        squares = np.square(train.inputs).sum(axis=1) - 2 * test.inputs @ train.inputs.T
        return {
            "most common caption": [common] * test.size,
            "most common words": [np.array(common_symbols(captions))] * test.size,
            "nearest picture": [train.rows[place] for place in squares.argmin(axis=1)],
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return an m-RNN that sees what one layer makes of the picture."""
        units, size = (64, 16) if strategy == "bptt" else (6, 4)
        network = {
            "encoder": {"cell": "feed-forward", "hidden": units},
            "decoder": {"cell": "m-rnn", "hidden": units, "embedding": size},
        }
        trained: dict[str, Any] = {"batch_size": 32, "rate": 0.003, "weight_decay": 0.3}
        return Recommended(network, trained if strategy == "bptt" else SEARCH.get(strategy, {}))

    def _scene(self, rng: np.random.Generator) -> tuple[Thing, ...]:
        """Return the shapes of a scene, row by row."""
        cells = rng.choice(CELLS**2, 2 if rng.random() < self.pairs else 1, replace=False)
        things = [
            Thing(int(cell), COLOURS[rng.integers(len(COLOURS))], list(SHAPES)[rng.integers(len(SHAPES))])
            for cell in cells
        ]
        return tuple(sorted(things))

    def _batch(self, scenes: list[tuple[Thing, ...]], rng: np.random.Generator) -> Batch:
        shown = np.stack([picture(scene).ravel() for scene in scenes])
        numbers = [[FIRST + WORDS.index(word) for word in caption(scene).split()] for scene in scenes]
        targets, counts = filled(numbers)
        return Batch(shown + self.noise * rng.standard_normal(shown.shape), targets, target_lengths=counts)


def picture(scene: tuple[Thing, ...]) -> np.ndarray:
    """Return the pixels (9, 9, 3) of a scene."""
    pixels = np.zeros((PIXELS, PIXELS, len(COLOURS)))
    for thing in scene:
        row, column = (SIDE * place for place in divmod(thing.cell, CELLS))
        drawn = np.array([[sign == "#" for sign in line] for line in SHAPES[thing.shape]])
        pixels[row : row + SIDE, column : column + SIDE, COLOURS.index(thing.colour)] = drawn
    return pixels


def caption(scene: tuple[Thing, ...]) -> str:
    """Return the sentence of a scene whose shapes are given row by row.

    Examples
    --------
    >>> caption((Thing(0, "red", "ring"), Thing(1, "blue", "bar")))
    'a red ring left of a blue bar'
    """
    said = [f"a {thing.colour} {thing.shape}" for thing in scene]
    if len(scene) == 1:
        return said[0]
    above = scene[0].cell // CELLS < scene[1].cell // CELLS
    return f"{said[0]} {'above' if above else 'left of'} {said[1]}"
