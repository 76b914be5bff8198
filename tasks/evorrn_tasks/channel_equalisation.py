"""Channel equalisation: recover the symbols that a nonlinear channel with echoes and noise received."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.records import scaled_splits, window_problems

SYMBOLS = (-3.0, -1.0, 1.0, 3.0)
TAPS = (0.08, -0.12, 1.0, 0.18, -0.1, 0.091, -0.05, 0.04, 0.03, 0.01)
"""Weights of d(n + 2), d(n + 1), ..., d(n - 7)."""
DELAY = 2


@dataclass(frozen=True)
class ChannelEqualisation(Task):
    """A channel that mixes and distorts symbols, which are to be recovered from its output.

    Symbols d(n) are drawn from -3, -1, 1 and 3. The channel mixes ten of them, ``q(n) = 0.08 d(n+2) - 0.12 d(n+1) + d(n)
    + 0.18 d(n-1) - 0.1 d(n-2) + 0.091 d(n-3) - 0.05 d(n-4) + 0.04 d(n-5) + 0.03 d(n-6) + 0.01 d(n-7)``, distorts them,
    ``u(n) = q(n) + 0.036 q(n)^2 - 0.011 q(n)^3 + v(n)``, and adds Gaussian noise v of the signal-to-noise ratio `snr`. The
    input at a step is u(n), the target d(n - 2). The metric ``symbol_error_rate`` is the share of steps at which the symbol nearest to the output is wrong.

    Training, validation and test follow each other in one record. Inputs and targets are scaled to mean 0 and standard
    deviation 1, learned on the training part.

    Source: Jaeger and Haas 2004, "Harnessing nonlinearity", after Mathews and Lee 1994.
    """

    name = "channel-equalisation"
    inputs = 1
    outputs = 1
    input_names = ("u",)
    output_names = ("d",)
    metrics = ("symbol_error_rate", "nrmse_std", "rmse")

    snr: float = setting(24.0, "signal-to-noise ratio in decibels", minimum=0.0, maximum=100.0)
    train: int = setting(4000, "scored training steps", minimum=2)
    valid: int = setting(1000, "scored validation steps", minimum=2)
    test: int = setting(6000, "scored test steps", minimum=2)
    washout: int = setting(50, "unscored steps at the start of each sequence", minimum=0)
    windows: int = setting(16, "sequences that the training part is divided into", minimum=1)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return 2 * (self.train + self.valid + self.test + self.washout * (self.windows + 2))

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, the number of windows included."""
        return super().problems() or window_problems(self.windows, self.train)

    def data(self, seed: int) -> Splits:
        """Return the splits of a record drawn from the seed."""
        steps = self.washout + self.train + self.valid + self.test
        rng = generator(seed)
        symbols = rng.choice(SYMBOLS, steps + len(TAPS) - 1)
        received = transmit(symbols)
        power = np.mean(np.square(received)) / 10 ** (self.snr / 10)
        received += np.sqrt(power) * rng.standard_normal(steps)
        # The first output of the channel is made of the symbols 0 to 9; the last of these is its d(n + 2).
        sent = symbols[len(TAPS) - 1 - 2 * DELAY :][:steps]
        inputs, targets = received[:, None], sent[:, None]
        parts = self.train, self.valid, self.test
        return scaled_splits(inputs, targets, parts, washout=self.washout, windows=self.windows)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean and a linear equaliser."""
        return {"mean": baselines.mean(splits), **baselines.linear_models(splits, "linear equaliser")}

    def recommended(self, strategy: str) -> Recommended:
        """Return a reservoir of 100 fast units, an Elman network for gradients, else a few leaky units; ``ng-rc`` sees ten entries."""
        if strategy == "ng-rc":
            return Recommended(strategy={"delays": 10})
        if strategy in ("esn", "evolved-esn"):
            network = {"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"}
            return Recommended(network, {"leak": 1.0, "input_scaling": (0.05, 0.5)})
        if strategy == "bptt":
            return Recommended({"cell": "elman", "hidden": 16}, {"batch_size": 4})
        return Recommended({"cell": "leaky", "hidden": 8})


def transmit(symbols: np.ndarray) -> np.ndarray:
    """Return the channel's output (N - 9,) without noise for symbols (N,); each entry is of ten symbols."""
    mixed = np.convolve(symbols, TAPS, mode="valid")
    return mixed + 0.036 * mixed**2 - 0.011 * mixed**3
