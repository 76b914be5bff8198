"""Lorenz: forecast and continue the three variables of Lorenz's model of convection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn_tasks.common.chaotic import Chaotic
from evorrn_tasks.common.flows import LORENZ, integrate

EXPONENT = 0.9056
TRANSIENT = 20.0


@dataclass(frozen=True)
class Lorenz(Chaotic):
    """Solutions of Lorenz's equations of 1963, to be continued from their own past.

    ``x' = 10 (y - x), y' = x (28 - z) - y, z' = x y - 8/3 z``, one row per `step` units of time, integrated by Runge-Kutta
    of order 4 with ten steps a row from a start drawn from the seed; the first 20 units of time are discarded. The largest
    Lyapunov exponent is 0.9056 per unit of time, so that a Lyapunov time is 44 rows of the default step. The metric
    ``valid_time`` is in Lyapunov times.

    Training has `washout` unscored and `train` scored steps of one solution. Validation and test are free runs over other
    solutions: each sequence has `washout` known rows, then the network runs on its own outputs for `ahead` steps. With
    ``continuations=0`` all splits follow each other in one solution, and targets are `horizon` steps ahead.

    Source: Lorenz 1963, "Deterministic nonperiodic flow"; the step is that of Gauthier, Bollt, Griffith and Barbosa 2021,
    "Next generation reservoir computing".
    """

    name = "lorenz"
    variables = ("x", "y", "z")

    step: float = setting(0.025, "time between two rows", above=0, maximum=0.2)

    @property
    def step_time(self) -> float:
        """The Lyapunov times between two rows."""
        return EXPONENT * self.step

    def solution(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows (count, 3) of a solution on the attractor."""
        start = np.array([0.0, 0.0, 25.0]) + rng.uniform(-10.0, 10.0, 3)
        before = round(TRANSIENT / self.step)
        return integrate(LORENZ, start, before + count, self.step)[before:]
