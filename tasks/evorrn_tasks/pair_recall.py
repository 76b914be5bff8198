"""Pair recall: a pair of stored patterns, to be recovered from a cue of either of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.associative import BAM
from evorrn.associative.bam import PairRecall as PairRecalled
from evorrn.base.errors import unknown
from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import recall
from evorrn_tasks.common.draws import generator

COMPARATORS = ("evolved",)
"""Memories that `comparators` knows, by what finds their weights."""


@dataclass(frozen=True)
class PairRecall(Task):
    """Random pairs of patterns x and y of -1 and 1, one of which is to be recovered from a cue of x or of y.

    At the first step of a sequence the inputs are a cue, one pattern of the pair with some entries turned round and zeros in place of
    the other, and afterwards they are 0; at the last step the outputs must be both patterns, x first. The cues are of x and of y
    in turn. The pairs are the same in all splits, and the cues are not. The metric ``overlap`` is the mean of truth times the sign of
    the output: 1 where every entry is right, 0 by chance.

    Source: Kosko 1988, "Bidirectional associative memories".
    """

    name = "pair-recall"
    metrics = ("overlap", "rmse", "mse")

    x_units: int = setting(24, "entries of a pattern x", minimum=1)
    y_units: int = setting(24, "entries of a pattern y", minimum=1)
    pairs: int = setting(3, "pairs to be stored", minimum=1)
    wrong: float = setting(
        0.15, "share of the entries of a cue that are turned round", minimum=0, maximum=0.5
    )
    ones: float = setting(
        0.5, "share of 1 among the entries of the patterns, in the mean", minimum=0, maximum=1, absent=0.5
    )
    threshold: float = setting(
        0.0,
        "threshold of every unit of the memories beside the networks, in units of the size of the other layer",
        absent=0.0,
    )
    steps: int = setting(8, "time steps of a sequence", minimum=2)
    train: int = setting(30, "training cues", minimum=2)
    valid: int = setting(30, "validation cues", minimum=1)
    test: int = setting(100, "test cues", minimum=1)

    @property
    def inputs(self) -> int:
        """The entries of a pair."""
        return self.x_units + self.y_units

    @property
    def outputs(self) -> int:
        """The entries of a pair."""
        return self.x_units + self.y_units

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the entries, x1, x2, ..., y1, y2, ..."""
        x, y = (
            [f"{letter}{place + 1}" for place in range(units)]
            for letter, units in (("x", self.x_units), ("y", self.y_units))
        )
        return (*x, *y)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return 2 * self.inputs * self.steps * (self.train + self.valid + self.test)

    def data(self, seed: int) -> Splits:
        """Return cues of pairs that are drawn from the seed."""
        rng, size = generator(seed, 0), (self.pairs, self.inputs)
        if self.ones == 0.5:
            pairs = rng.choice([-1.0, 1.0], size)
        else:
            pairs = np.where(rng.random(size) < self.ones, 1.0, -1.0)
        return Splits(
            train=self._batch(pairs, self.train, generator(seed, 1)),
            valid=self._batch(pairs, self.valid, generator(seed, 2)),
            test=self._batch(pairs, self.test, generator(seed, 3)),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the cue as it is, the training pair whose pattern is nearest to it, and a memory with Kosko's weights."""
        assert splits.test is not None
        known = recall.wanted_in(splits.train)
        return {
            **recall.of_the_cue(splits.test, known, "pair"),
            "bidirectional memory": self._recalled(self._stored(known), splits.test),
        }

    def comparator_problems(self, names: Sequence[str]) -> list[str]:
        """Return one sentence for each name other than ``evolved``."""
        return [unknown("baseline", name, COMPARATORS) for name in names if name not in COMPARATORS]

    def comparators(self, splits: Splits, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return a memory whose weights evolution on the training cues has found."""
        assert splits.test is not None
        found = {}
        for name in dict.fromkeys(names):
            found[f"bidirectional memory, {name}"] = self._recalled(self._evolved(splits.train), splits.test)
        return found

    def recommended(self, strategy: str) -> Recommended:
        """Return a reservoir of 100 units, delays for ``ng-rc``, else a network with as many units as entries."""
        return recall.recommended(strategy, self.inputs, self.steps)

    def _evolved(self, train: Batch) -> BAM:
        """Return a memory that a genetic algorithm found near Kosko's weights, by recall of the training cues."""
        memory, wanted, cues = (
            self._stored(recall.wanted_in(train)),
            train.targets[train.scored],
            train.inputs[:, 0],
        )
        by_x = cues[:, : self.x_units].any(axis=1)

        def fitness(genomes: np.ndarray) -> np.ndarray:
            parts = []
            for driven, place in ((by_x, slice(0, self.x_units)), (~by_x, slice(self.x_units, None))):
                pairs = wanted[driven, : self.x_units], wanted[driven, self.x_units :]
                given = {"x_cues" if driven is by_x else "y_cues": cues[driven, place]}
                parts.append(driven.mean() * memory.fitness(genomes, *pairs, **given))
            return np.sum(parts, axis=0)

        return memory.unpack(recall.evolved(memory.pack(), fitness, spread=0.5))

    def _recalled(self, memory: BAM, batch: Batch) -> np.ndarray:
        """Return what a memory recalls from the cues of a batch, at each time step (B, T, n + m)."""
        cues, found = batch.inputs[:, 0], np.empty((batch.size, self.outputs))
        by_x = cues[:, : self.x_units].any(axis=1)
        if by_x.any():
            found[by_x] = _both(memory.recall(x=cues[by_x, : self.x_units]))
        if not by_x.all():
            found[~by_x] = _both(memory.recall(y=cues[~by_x, self.x_units :]))
        return np.repeat(found[:, None], batch.steps, axis=1)

    def _batch(self, pairs: np.ndarray, count: int, rng: np.random.Generator) -> Batch:
        """Return `count` cues, of the pairs in turn, one of x and one of y of each."""
        wanted = pairs[np.arange(count) // 2 % len(pairs)]
        cues = np.zeros_like(wanted)
        for place in range(count):
            layer = slice(0, self.x_units) if place % 2 == 0 else slice(self.x_units, None)
            cue = wanted[place, layer].copy()
            recall.turn_round(cue, self.wrong, rng)
            cues[place, layer] = cue
        return recall.cued_batch(cues, wanted, self.steps)

    def _stored(self, pairs: np.ndarray) -> BAM:
        """Return a memory of pairs (M, n + m); that these may be more than it holds is what the comparison shows."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            memory = BAM(
                self.x_units,
                self.y_units,
                np.full(self.x_units, self.threshold * self.y_units),
                np.full(self.y_units, self.threshold * self.x_units),
            )
            return memory.store(pairs[:, : self.x_units], pairs[:, self.x_units :])


def _both(found: PairRecalled) -> np.ndarray:
    """Return recalled pairs (B, n + m)."""
    return np.hstack([found.x, found.y])
