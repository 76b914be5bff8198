from dataclasses import dataclass

import numpy as np

from evorrn import Batch, Splits, Task


@dataclass(frozen=True)
class Waves(Task):
    """Forecast sine waves of random phase."""

    name, inputs, outputs, horizon = "waves", 1, 1, 1

    def data(self, seed):
        phases = np.random.default_rng(seed).uniform(0, 6, (3, 7, 1))
        waves = np.sin(0.3 * np.arange(31) + phases)[..., None]
        return Splits(
            *(Batch(wave[:, :-1], wave[:, 1:], np.arange(30) >= 5 + 0 * wave[:, :-1, 0]) for wave in waves)
        )

    def baselines(self, splits):
        return {"persistence": splits.test.inputs}
