"""RLS: a readout fitted by recursive least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.reservoir.online_readout import OnlineReadout
from evorrn.strategies.reservoir.recursion import least_squares


@dataclass(frozen=True)
class RLS(OnlineReadout):
    """Recursive least squares: the readout of a random reservoir, updated at every step to the best fit so far.

    Reservoirs are drawn as by `EchoState`, and the best on validation is kept. Any cell and stack works.

    Notes
    -----
    Of features r with target d, ``g = P r``, ``c = 1 / (forgetting + r g)``, ``w -= c (w r - d) g`` and
    ``P = (P - c g g^T) / forgetting``, from ``P = I / alpha``. Without forgetting, w after all rows of one pass is the
    ridge solution with the penalty alpha on every weight, the bias included. Several passes count every row as often. With
    forgetting below 1 older rows count less; P then grows along directions that no row excites.

    A network that sees its own output is given the true one while it learns, as by `EchoState`; to learn on its own
    output is `FORCE`.

    Source: Haykin 2002, "Adaptive filter theory", table 9.1; on reservoirs: Jaeger 2003, "Adaptive nonlinear system
    identification with echo state networks".

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("narma", train=300, valid=100, test=100)
    >>> network = evorrn.Network.for_task(task, cell="leaky", hidden=50, direct=True, dtype="float64")
    >>> result = evorrn.RLS(reservoirs=3).fit(network, task, seed=1)
    >>> bool(result.metrics["test"]["nrmse_std"] < 0.9)
    True
    """

    name: ClassVar[str] = "rls"
    version: ClassVar[int] = 2

    alpha: float = setting(1e-4, "penalty of the squared weights, before the first step", above=0)
    forgetting: float = setting(
        1.0, "factor by which earlier steps count less at each update", above=0, maximum=1
    )

    def learn(self, features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> tuple[float, int]:
        """Update weights (O, F) in place; return the error before updates, and the work."""
        rows, width = features.shape
        p, error = np.eye(width) / self.alpha, np.nan
        for _ in range(self.epochs):
            error = least_squares(features, targets, weights, p, self.forgetting, self.update_every)
        updates = self.epochs * -(-rows // self.update_every)
        return error, updates * (3 * width * width + 2 * width * (1 + len(weights)))
