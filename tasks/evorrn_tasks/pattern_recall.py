"""Pattern recall: a stored pattern, to be recovered from a cue with wrong entries."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.associative import Hopfield
from evorrn.associative.rules import RULES
from evorrn.base.errors import unknown
from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import recall
from evorrn_tasks.common.draws import generator

COMPARATORS = (*(rule for rule in RULES if rule != "hebb"), "evolved")
"""Hopfield networks that `comparators` knows, by the rule that finds their weights."""


@dataclass(frozen=True)
class PatternRecall(Task):
    """Random patterns of -1 and 1, one of which is to be recovered from a cue in which entries are wrong.

    At the first step of a sequence the inputs are the cue, a pattern with some entries turned round, and afterwards they
    are 0; at the last step the outputs must be the pattern. The patterns are the same in all splits, and the cues are not.
    The metric ``overlap`` is the mean of truth times the sign of the output: 1 where every entry is right, 0 by chance.

    Source: Hopfield 1982, "Neural networks and physical systems with emergent collective computational abilities".
    """

    name = "pattern-recall"
    metrics = ("overlap", "rmse", "mse")

    units: int = setting(24, "entries of a pattern", minimum=2)
    patterns: int = setting(3, "patterns to be stored", minimum=1)
    wrong: float = setting(
        0.15, "share of the entries of a cue that are turned round", minimum=0, maximum=0.5
    )
    steps: int = setting(8, "time steps of a sequence", minimum=2)
    train: int = setting(30, "training cues", minimum=1)
    valid: int = setting(30, "validation cues", minimum=1)
    test: int = setting(100, "test cues", minimum=1)

    @property
    def inputs(self) -> int:
        """The entries of a pattern."""
        return self.units

    @property
    def outputs(self) -> int:
        """The entries of a pattern."""
        return self.units

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return 2 * self.units * self.steps * (self.train + self.valid + self.test)

    def data(self, seed: int) -> Splits:
        """Return cues of patterns that are drawn from the seed."""
        patterns = generator(seed, 0).choice([-1.0, 1.0], (self.patterns, self.units))
        return Splits(
            train=self._batch(patterns, self.train, generator(seed, 1)),
            valid=self._batch(patterns, self.valid, generator(seed, 2)),
            test=self._batch(patterns, self.test, generator(seed, 3)),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the cue as it is, the training pattern that is nearest to it, and a Hopfield network with Hebb's weights."""
        assert splits.test is not None
        known = recall.wanted_in(splits.train)
        return {
            **recall.of_the_cue(splits.test, known, "pattern"),
            "Hopfield network, hebb": self._recalled(_stored(known, "hebb"), splits.test),
        }

    def comparator_problems(self, names: Sequence[str]) -> list[str]:
        """Return one sentence for each name that is neither a rule nor ``evolved``."""
        return [unknown("baseline", name, COMPARATORS) for name in names if name not in COMPARATORS]

    def comparators(self, splits: Splits, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return Hopfield networks whose weights other rules, or evolution on the training cues, have found."""
        assert splits.test is not None
        known, found = recall.wanted_in(splits.train), {}
        for name in dict.fromkeys(names):
            memory = self._evolved(splits.train) if name == "evolved" else _stored(known, name)
            found[f"Hopfield network, {name}"] = self._recalled(memory, splits.test)
        return found

    def recommended(self, strategy: str) -> Recommended:
        """Return a reservoir of 100 units, delays for ``ng-rc``, else a network with as many units as entries."""
        return recall.recommended(strategy, self.units, self.steps)

    def _evolved(self, train: Batch) -> Hopfield:
        """Return a memory with symmetric weights that a genetic algorithm found near Hebb's, by recall of the training cues."""
        memory, wanted = _stored(recall.wanted_in(train), "hebb"), train.targets[train.scored]
        cues = train.inputs[:, 0]
        found = recall.evolved(
            memory.pack(), lambda genomes: memory.fitness(genomes, wanted, cues), spread=0.05
        )
        return memory.unpack(found)

    def _recalled(self, memory: Hopfield, batch: Batch) -> np.ndarray:
        """Return what a memory recalls from the cues of a batch, at each time step (B, T, N)."""
        states = memory.recall(batch.inputs[:, 0]).states
        return np.repeat(states[:, None], batch.steps, axis=1)

    def _batch(self, patterns: np.ndarray, count: int, rng: np.random.Generator) -> Batch:
        """Return `count` cues, of the patterns in turn."""
        wanted = patterns[np.arange(count) % len(patterns)]
        cues = wanted.copy()
        for cue in cues:
            recall.turn_round(cue, self.wrong, rng)
        return recall.cued_batch(cues, wanted, self.steps)


def _stored(patterns: np.ndarray, rule: str) -> Hopfield:
    """Return a memory of patterns (M, N); that these may be more than it holds is what the comparison shows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Hopfield(patterns.shape[1]).store(patterns, rule=rule)
