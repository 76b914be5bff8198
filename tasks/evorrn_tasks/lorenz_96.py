"""Lorenz 96: forecast and continue forty variables on a ring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Recommended
from evorrn_tasks.common.chaotic import Chaotic, local_monomials
from evorrn_tasks.common.flows import LORENZ_96, integrate

EXPONENTS = {8.0: 1.68, 10.0: 2.27}
SIZE = 40
TRANSIENT = 20.0


@dataclass(frozen=True)
class Lorenz96(Chaotic):
    """Solutions of Lorenz's ring of 40 variables, to be continued from their own past.

    ``x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + forcing``, one row per `step` units of time, integrated by Runge-Kutta of
    order 4 with ten steps a row from a start drawn from the seed; the first 20 units of time are discarded. The largest
    Lyapunov exponent per unit of time is 1.68 at forcing 8 and 2.27 at forcing 10. The splits are those of the task
    ``lorenz``; with ``observed=20`` the network sees half of the ring.

    Source: Lorenz 1996, "Predictability: a problem partly solved"; both forcings as in Vlachas et al. 2020.
    """

    name = "lorenz-96"
    variables = tuple(f"x{place}" for place in range(1, SIZE + 1))

    step: float = setting(0.05, "time between two rows", above=0, maximum=0.1)
    forcing: float = setting(8.0, "the constant that drives every variable", choices=tuple(EXPONENTS))

    @property
    def step_time(self) -> float:
        """The Lyapunov times between two rows."""
        return EXPONENTS[self.forcing] * self.step

    def recommended(self, strategy: str) -> Recommended:
        """Return monomials of variables up to two places apart, which the equations multiply, else what `Chaotic` does."""
        local = local_monomials(self.inputs, reach=2, order=2) if strategy == "ng-rc" else None
        return local or super().recommended(strategy)

    def solution(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows (count, 40) of a solution on the attractor."""
        start = self.forcing + rng.normal(0.0, 1.0, SIZE)
        before = round(TRANSIENT / self.step)
        return integrate(LORENZ_96, start, before + count, self.step, forcing=self.forcing)[before:]
