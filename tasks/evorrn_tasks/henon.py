"""Hénon: forecast and continue the two variables of the Hénon map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn_tasks.common.chaotic import Chaotic
from evorrn_tasks.common.flows import henon

EXPONENT = 0.4192
TRANSIENT = 100


@dataclass(frozen=True)
class Henon(Chaotic):
    """Orbits of the Hénon map, to be continued from their own past.

    ``x' = 1 - 1.4 x^2 + y, y' = 0.3 x`` from a start drawn from the seed; the first 100 points are discarded. The largest
    Lyapunov exponent is 0.4192 per step, so that a Lyapunov time is 2.4 steps. With ``observed=1`` the network sees x
    alone, and needs the x before. The splits are those of the task ``lorenz``.

    Source: Hénon 1976, "A two-dimensional mapping with a strange attractor".
    """

    name = "henon"
    variables = ("x", "y")

    ahead: int = setting(60, "steps of each free run", minimum=2)

    @property
    def step_time(self) -> float:
        """The Lyapunov times of a step."""
        return EXPONENT

    def solution(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return points (count, 2) of an orbit on the attractor."""
        return henon(rng.uniform(-0.1, 0.1, 2), TRANSIENT + count)[TRANSIENT:]
