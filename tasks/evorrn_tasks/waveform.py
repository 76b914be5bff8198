"""Waveform: a sum of slow and fast sinusoids, to be generated from a constant input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator


@dataclass(frozen=True)
class Waveform(Task):
    """One sequence whose input is always 1 and whose target is a sum of sinusoids; only time tells the steps apart.

    The range from `shortest` to `longest` is divided into as many bands of equal ratio as there are waves, and each wave
    has a period drawn from one band, uniformly on a logarithmic scale. Amplitudes are uniform from 0.5 to 1, phases uniform. The
    sum is divided by its largest absolute value in training, so targets of training are from -1 to 1.

    Training and validation are the same `steps` steps. With ``continued=0`` test is the same sequence too: as published,
    the question is how well the network can hold a sequence. Otherwise the test sequence goes on for `continued` steps,
    and only these are scored. A seed draws another waveform. A sum of as many sinusoids, with least squares, is exact; the
    baseline is a single sinusoid.

    Source: Koutník, Greff, Gomez and Schmidhuber 2014, "A clockwork RNN": 320 samples, from no input, with the normalised mean
    squared error. Deviations: their waveforms are recorded sound, these are made of sinusoids; a constant input.
    """

    name = "waveform"
    metrics = ("nmse_std", "nrmse_std", "mse")
    inputs = 1
    outputs = 1

    waves: int = setting(2, "number of sinusoids", minimum=1)
    steps: int = setting(320, "time steps of the training sequence", minimum=10)
    shortest: float = setting(8.0, "shortest period, in time steps", minimum=2)
    longest: float = setting(160.0, "longest period, in time steps", minimum=2)
    continued: int = setting(
        0, "time steps by which test goes on beyond training; 0 to test the same steps", minimum=0
    )

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets."""
        return 2 * (3 * self.steps + self.continued)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, longest below shortest included."""
        found = super().problems()
        if not found and self.longest < self.shortest:
            found.append(f"longest: expected at least shortest, {self.shortest:g}, got {self.longest:g}")
        return found

    def data(self, seed: int) -> Splits:
        """Return the waveform drawn from the seed."""
        rng = generator(seed, 0)
        bands = np.geomspace(self.shortest, self.longest, self.waves + 1)
        periods = np.exp(rng.uniform(np.log(bands[:-1]), np.log(bands[1:])))
        amplitudes, phases = rng.uniform(0.5, 1.0, self.waves), rng.uniform(0.0, 2 * np.pi, self.waves)
        times = np.arange(self.steps + self.continued)[:, None]
        values = (amplitudes * np.sin(2 * np.pi * times / periods + phases)).sum(axis=1)
        values /= np.abs(values[: self.steps]).max()
        trained = _batch(values[: self.steps], 0)
        return Splits(trained, trained, _batch(values, self.steps if self.continued else 0))

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean, and the sinusoid with a constant that is nearest to the training sequence."""
        assert splits.test is not None
        values = splits.train.targets[0, :, 0]
        times = np.arange(splits.test.steps)
        found, least = np.zeros(len(times)), np.inf
        spectrum = np.abs(np.fft.rfft(values - values.mean(), 8 * self.steps))
        for cycles in np.argsort(spectrum[1:])[-32:] + 1:  # in eight times the training sequence
            angle = 2 * np.pi * times * (cycles / (8 * self.steps))
            waves = np.stack([np.sin(angle), np.cos(angle), np.ones(len(times))], axis=1)
            weights, *_ = np.linalg.lstsq(waves[: self.steps], values)
            error = float(np.square(waves[: self.steps] @ weights - values).sum())
            if error < least:
                found, least = waves @ weights, error
        return {"mean": baselines.mean(splits), "one sinusoid": found[None, :, None]}

    def recommended(self, strategy: str) -> Recommended:
        """Return gated networks, or a reservoir that sees its own output: without it a reservoir soon stands still."""
        if strategy in ("esn", "evolved-esn"):
            network = {"cell": "leaky", "hidden": 100, "direct": True, "feedback": True, "dtype": "float64"}
            return Recommended(network, {"spectral_radius": (0.9, 1.5), "washout": 0})
        return Recommended({"cell": "gru", "hidden": 16 if strategy == "bptt" else 4})


def _batch(values: np.ndarray, first: int) -> Batch:
    """Return one sequence of constant input with the values as targets, scored from the step `first` on."""
    mask = np.arange(len(values))[None] >= first
    return Batch(np.ones((1, len(values), 1)), values[None, :, None], mask=mask)
