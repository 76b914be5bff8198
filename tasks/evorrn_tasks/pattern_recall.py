"""Pattern recall: a stored pattern, to be recovered from a cue with wrong entries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common.draws import generator


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
        """Return the cue as it is, and the training pattern that is nearest to it."""
        assert splits.test is not None
        cues = splits.test.inputs[:, :1]
        known = np.unique(splits.train.targets[splits.train.scored], axis=0)
        nearest = known[(cues[:, 0] @ known.T).argmax(axis=1)]
        shape = splits.test.targets.shape
        return {
            "the cue": np.broadcast_to(cues, shape).copy(),
            "nearest pattern": np.broadcast_to(nearest[:, None], shape).copy(),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a reservoir of 100 units, else a network with as many units as entries."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
        return Recommended({"cell": "elman", "hidden": self.units, "biases": False})

    def _batch(self, patterns: np.ndarray, count: int, rng: np.random.Generator) -> Batch:
        """Return `count` cues, of the patterns in turn."""
        wanted = patterns[np.arange(count) % len(patterns)]
        cues = wanted.copy()
        for cue in cues:
            cue[rng.permutation(self.units)[: round(self.wrong * self.units)]] *= -1
        inputs = np.zeros((count, self.steps, self.units))
        inputs[:, 0] = cues
        targets = np.repeat(wanted[:, None], self.steps, axis=1)
        mask = np.tile(np.arange(self.steps) == self.steps - 1, (count, 1))
        return Batch(inputs, targets, mask=mask)
