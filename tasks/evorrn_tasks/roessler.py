"""Rössler: forecast and continue the three variables of Rössler's equations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Recommended
from evorrn_tasks.common.chaotic import Chaotic
from evorrn_tasks.common.flows import ROESSLER, integrate

EXPONENT = 0.0714
TRANSIENT = 200.0


@dataclass(frozen=True)
class Roessler(Chaotic):
    """Solutions of Rössler's equations, to be continued from their own past.

    ``x' = -y - z, y' = x + 0.2 y, z' = 0.2 + z (x - 5.7)``, one row per `step` units of time, integrated by Runge-Kutta of
    order 4 with ten steps a row from a start drawn from the seed; the first 200 units of time are discarded. The largest
    Lyapunov exponent is 0.0714 per unit of time, so that a Lyapunov time is 70 rows of the default step. The splits are
    those of the task ``lorenz``.

    Source: Rössler 1976, "An equation for continuous chaos"; the constants are those that are usual since.
    """

    name = "roessler"
    variables = ("x", "y", "z")

    step: float = setting(0.2, "time between two rows", above=0, maximum=0.5)

    @property
    def step_time(self) -> float:
        """The Lyapunov times between two rows."""
        return EXPONENT * self.step

    def solution(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows (count, 3) of a solution on the attractor."""
        start = np.append(rng.uniform(-4.0, 4.0, 2), 0.0)
        before = round(TRANSIENT / self.step)
        return integrate(ROESSLER, start, before + count, self.step)[before:]

    def recommended(self, strategy: str) -> Recommended:
        """Return monomials of the present values up to degree 3 for ``ng-rc``, else what `Chaotic` does.

        Values of two time steps are so alike that large weights of opposite sign would multiply every error.
        """
        if strategy == "ng-rc":
            return Recommended(strategy={"increments": True, "delays": 1, "order": 3})
        return super().recommended(strategy)
