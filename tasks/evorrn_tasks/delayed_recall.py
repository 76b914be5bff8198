"""Delayed recall: the random inputs of earlier steps, whose correlation with the outputs is the memory capacity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator


@dataclass(frozen=True)
class DelayedRecall(Task):
    """Independent random inputs, uniform from -1 to 1; output k must be the input of k steps before, for k = 1 to `delays`.

    The first `delays` steps of a sequence, for which not all of these inputs are there, are not scored. Training, validation
    and test have separate random streams. ``memory_capacity`` is the sum over k of the squared correlation of output
    and target. It is at most `delays`, and for a network whose outputs are linear in its state, in an infinitely long
    test, at most the number of its units.

    Source: Jaeger 2001 (GMD report 152), "Short term memory in echo state networks".
    """

    name = "delayed-recall"
    metrics = ("memory_capacity", "nrmse_std", "mse")
    inputs = 1

    delays: int = setting(20, "largest number of steps to look back", minimum=1)
    steps: int = setting(200, "time steps of a sequence", minimum=2)
    train: int = setting(10, "training sequences", minimum=1)
    valid: int = setting(5, "validation sequences", minimum=1)
    test: int = setting(10, "test sequences", minimum=1)

    @property
    def outputs(self) -> int:
        """Number of outputs: the delays."""
        return self.delays

    @property
    def output_names(self) -> tuple[str, ...]:
        """The delays."""
        return tuple(f"delay{k}" for k in range(1, self.delays + 1))

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return (self.delays + 1) * self.steps * (self.train + self.valid + self.test)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, too few steps included."""
        found = super().problems()
        if not found and self.steps < self.delays + 2:
            found.append(f"steps: expected at least delays + 2, {self.delays + 2}, got {self.steps}")
        return found

    def data(self, seed: int) -> Splits:
        """Return sequences drawn from the seed."""
        return Splits(
            train=self._batch(generator(seed, 0), self.train),
            valid=self._batch(generator(seed, 1), self.valid),
            test=self._batch(generator(seed, 2), self.test),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean of the training targets, whose memory capacity is 0."""
        return {"mean": baselines.mean(splits)}

    def recommended(self, strategy: str) -> Recommended:
        """Return networks of slightly more units than delays where the readout is solved, the delays for ``ng-rc``, else few weights."""
        if strategy == "ng-rc":  # without products, which recall nothing
            return Recommended(strategy={"delays": min(self.delays + 1, 100), "order": 1})
        if strategy in ("esn", "evolved-esn"):
            network = {"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"}
            return Recommended(
                network, {"leak": 1.0, "spectral_radius": (0.8, 1.0), "input_scaling": (0.01, 0.3)}
            )
        return Recommended({"cell": "elman", "hidden": 24 if strategy == "bptt" else 6})

    def _batch(self, rng: np.random.Generator, count: int) -> Batch:
        """Return `count` random sequences."""
        drawn = rng.uniform(-1.0, 1.0, (count, self.steps))
        targets = np.full((count, self.steps, self.delays), np.nan)
        for k in range(1, self.delays + 1):
            targets[:, k:, k - 1] = drawn[:, :-k]
        mask = np.broadcast_to(np.arange(self.steps) >= self.delays, drawn.shape)
        return Batch(drawn[:, :, None], targets, mask=mask)
