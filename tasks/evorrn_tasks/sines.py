"""Sines: continue a sum of sine waves in a free run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.records import learn_scaling

FREQUENCIES = (0.2, 0.311, 0.42, 0.51, 0.74, 0.63, 0.85, 0.97)
"""Frequencies of the waves, in radians per step."""
AMPLITUDES = (1.0, 1 / 2, 1 / 6, 1 / 3)
"""Amplitudes of the waves that have a common period."""


@dataclass(frozen=True)
class Sines(Task):
    """A sum of two to eight sine waves, which the network continues in a free run.

    ``x(t) = sin(0.2 t + p1) + sin(0.311 t + p2) + ...`` with the frequencies 0.2, 0.311, 0.42, 0.51, 0.74, 0.63,
    0.85 and 0.97, of which the first `waves` are used, and phases drawn from the seed, uniform on [0, 2 pi). The input at a
    step is x(t), the target x(t+1).

    With the defaults, training has the steps 0 to 399, of which the first 100 are not scored. On test the
    network sees x(0) to x(399), unscored, then runs free over the scored steps 400 to 699: its own last
    output replaces the input. Validation is a free run of the same kind over the steps before training: the
    network sees x(-400) to x(-301) and runs free from -300 to -1, so that no data after training are used
    to choose a network. Values are scaled to mean 0 and standard deviation 1, learned on the training steps.

    With a `period` the waves are sines of the period, of its half, its third and its fourth part, with the amplitudes 1, 1/2,
    1/6 and 1/3 and without phases; a seed draws the time of the first step.

    A sum of n sines satisfies a linear recurrence of order 2n exactly, so a network can hardly beat the
    baseline of linear autoregression: the task shows how well a state stores several phases, not how good its
    forecasts are.

    Source: Schmidhuber, Wierstra, Gagliolo and Gomez 2007, "Training recurrent networks by Evolino", where
    all phases are zero and there is no validation; the frequencies of six to eight waves are those of Koryakin, Lohmann and
    Butz 2012, "Balanced echo state networks". Its name there is multiple superimposed oscillators (MSO). The waves of a common
    period are the sum of four sines of Sussillo and Abbott 2009, "Generating coherent patterns of activity from chaotic neural
    networks", with the amplitudes of their program.
    """

    name = "sines"
    inputs = 1
    outputs = 1
    input_names = ("x",)
    output_names = ("x",)
    metrics = ("nrmse_std", "rmse")
    free_run = True
    horizon = 1

    waves: int = setting(3, "number of sine waves", minimum=2, maximum=len(FREQUENCIES))
    period: float = setting(
        0.0, "steps of a common period of the waves; 0 for the frequencies above", minimum=0, absent=0.0
    )
    washout: int = setting(100, "unscored steps at the start of training and validation", minimum=1)
    train: int = setting(300, "scored training steps", minimum=2)
    valid: int = setting(300, "steps of the free run on validation", minimum=2)
    test: int = setting(300, "steps of the free run on test", minimum=2)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return 2 * (2 * self.washout + self.train + self.valid + self.test)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, more waves than have amplitudes included."""
        found = super().problems()
        if not found and self.period and self.waves > len(AMPLITUDES):
            found.append(f"waves: expected at most {len(AMPLITUDES)} with a period, got {self.waves}")
        return found

    def data(self, seed: int) -> Splits:
        """Return the splits of a sum of sines with phases drawn from the seed."""
        phases = generator(seed).uniform(0.0, 2 * np.pi, len(FREQUENCIES))[: self.waves]
        frequencies, amplitudes = np.array(FREQUENCIES[: self.waves]), np.ones(self.waves)
        if self.period:
            numbers = np.arange(1, self.waves + 1)
            frequencies, amplitudes = 2 * np.pi * numbers / self.period, np.array(AMPLITUDES[: self.waves])
            phases = numbers * phases[0]
        fitted = self.washout + self.train
        before = self.washout + self.valid
        time = np.arange(-before, fitted + self.test + 1)
        x = (amplitudes * np.sin(np.multiply.outer(time, frequencies) + phases)).sum(axis=1)[:, None]
        known = x[before : before + fitted]
        scaling = learn_scaling(known, known, own=1)
        scaled = scaling.scale_inputs(x)

        def sequence(start: int, context: int, scored: int) -> Batch:
            first = before + start
            span = scaled[first : first + context + scored + 1]
            mask = np.arange(context + scored) >= context
            return Batch(span[None, :-1], span[None, 1:], mask=mask[None])

        return Splits(
            train=sequence(0, self.washout, self.train),
            valid=sequence(-before, self.washout, self.valid),
            test=sequence(0, fitted, self.test),
            scaling=scaling,
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean, the last known value and linear autoregression, in free runs."""
        return baselines.forecasts(splits, free_run=True)

    def recommended(self, strategy: str) -> Recommended:
        """Return a reservoir of 100 units near the edge of stability, delays for ``ng-rc``, a small penalty for FORCE, else an LSTM."""
        if strategy in ("esn", "evolved-esn"):
            network = {"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"}
            ranges = {"leak": (0.3, 1.0), "input_scaling": (0.01, 0.5), "spectral_radius": (0.9, 1.2)}
            return Recommended(network, ranges)
        if strategy == "ng-rc":  # a sum of K sines obeys a linear recurrence of order 2 K
            return Recommended(strategy={"delays": 20, "order": 1})
        if strategy == "force":
            return Recommended({"cell": "lstm", "hidden": 10}, {"alpha": 1e-6, "epochs": 10})
        return Recommended({"cell": "lstm", "hidden": 10})
