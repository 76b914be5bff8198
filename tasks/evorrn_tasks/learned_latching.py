"""Learned latching: what a network must be shown to hold a bit through noise is to be found by learning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator


@dataclass(frozen=True)
class LearnedLatching(Task):
    """Which of the first two inputs was 1 at the first step, told after the last one by 0.8 or -0.8.

    Both are 0 from the second step on. The third input is noise, uniform from -`noise` to `noise`, and 0 at the first
    `quiet` steps. Only the last step is scored. In the published network, the cell `latch`, the noise goes
    straight into a neuron with two stable states, so that learning has to find inputs that bring the neuron into the right
    one, where the noise cannot move it. Training, validation and test have separate random streams.

    Source: Lin, Horne, Tiňo and Giles 1996, "Learning long-term dependencies in NARX recurrent neural networks", after
    Bengio, Simard and Frasconi 1994. Numbers are quoted from memory: 30 sequences of each class, 3 quiet steps, noise of 0.155.
    """

    name = "learned-latching"
    loss = "mse"
    inputs = 3
    outputs = 1
    metrics = ("mse", "nmse_std")

    steps: int = setting(60, "time steps", minimum=2)
    quiet: int = setting(3, "steps at the start without noise", minimum=1)
    noise: float = setting(0.155, "largest absolute value of the noise", minimum=0)
    train: int = setting(60, "training sequences", minimum=2)
    valid: int = setting(60, "validation sequences", minimum=2)
    test: int = setting(60, "test sequences", minimum=2)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return 4 * self.steps * (self.train + self.valid + self.test)

    def data(self, seed: int) -> Splits:
        """Return sequences drawn from the seed."""
        return Splits(self._split(seed, 0), self._split(seed, 1), self._split(seed, 2))

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean of the targets in training."""
        return {"mean": baselines.mean(splits)}

    def recommended(self, strategy: str) -> Recommended:
        """Return a small network of gated units, whose state can be constant for a long time."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
        return Recommended({"cell": "gru", "hidden": 4})

    def _split(self, seed: int, place: int) -> Batch:
        """Return training (0), validation (1) or test (2)."""
        rng, count = generator(seed, place), (self.train, self.valid, self.test)[place]
        classes = np.arange(count) % 2
        inputs = np.zeros((count, self.steps, 3))
        inputs[np.arange(count), 0, classes] = 1
        inputs[:, self.quiet :, 2] = rng.uniform(-self.noise, self.noise, inputs[:, self.quiet :, 2].shape)
        targets = np.full((count, self.steps, 1), np.nan)  # before the last step there is no answer
        targets[:, -1, 0] = np.where(classes == 0, 0.8, -0.8)
        mask = np.zeros((count, self.steps), dtype=bool)
        mask[:, -1] = True
        return Batch(inputs, targets, mask=mask)
