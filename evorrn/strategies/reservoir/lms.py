"""LMS: a readout fitted by the rule of least mean squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.reservoir.online_readout import OnlineReadout
from evorrn.strategies.reservoir.recursion import least_mean_squares


@dataclass(frozen=True)
class LMS(OnlineReadout):
    """Least mean squares: the readout of a random reservoir, moved down the gradient of each step's squared error.

    Reservoirs are drawn as by `EchoState`, and the best on validation is kept. Any cell and stack works. The cost of an
    update is linear in the units, where that of `RLS` is quadratic; the states of a reservoir are so much alike that LMS
    needs many more steps for the same error.

    Notes
    -----
    ``w -= rate (w r - d) r`` of features r with target d; `normalised` divides by ``r r``, so that a rate between 0 and 2
    is stable whatever the size of the features.

    Source: Widrow and Hoff 1960; normalised: Haykin 2002, "Adaptive filter theory", table 6.1.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("narma", train=300, valid=100, test=100)
    >>> network = evorrn.Network.for_task(task, cell="leaky", hidden=50, direct=True, dtype="float64")
    >>> result = evorrn.LMS(reservoirs=3, epochs=20).fit(network, task, seed=1)
    >>> bool(result.metrics["test"]["nrmse_std"] < 1)
    True
    """

    name: ClassVar[str] = "lms"
    version: ClassVar[int] = 2

    rate: float = setting(0.5, "learning rate", above=0)
    normalised: bool = setting(True, "whether the rate is divided by the squared length of the features")

    def learn(self, features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> tuple[float, int]:
        """Update weights (O, F) in place; return the error before updates, and the work."""
        rows, width = features.shape
        error = np.nan
        for _ in range(self.epochs):
            error = least_mean_squares(
                features, targets, weights, self.rate, self.normalised, self.update_every
            )
        updates = self.epochs * -(-rows // self.update_every)
        return error, updates * width * (2 * len(weights) + self.normalised)
