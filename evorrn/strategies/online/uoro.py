"""UORO: unbiased online recurrent optimisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.strategies.base import DRAW
from evorrn.strategies.online.learning import OnlineStrategy
from evorrn.strategies.online.stream import scale_between

if TYPE_CHECKING:
    from evorrn.engine.influence.jacobians import StepJacobians
    from evorrn.engine.influence.steps import Steps
    from evorrn.training.problem import Problem


class RankOne:
    """Carries a random product of two vectors whose mean is the influence matrix.

    Parameters
    ----------
    steps : Steps
    dtype : dtype
    rng : Generator
    """

    def __init__(self, steps: Steps, dtype: np.dtype, rng: np.random.Generator) -> None:
        self._steps, self._dtype, self._rng = steps, dtype, rng
        size, weights = steps.state_size, steps.weights
        self.work = size * (size + steps.layout.rows + DRAW) + 6 * weights

    def begin(self, sequences: int, steps: int) -> None:
        """Start with an influence of zero."""
        self._states = np.zeros((sequences, self._steps.state_size), self._dtype)
        self._weights = np.zeros((sequences, self._steps.weights), self._dtype)

    def advance(self, found: StepJacobians, lengths: np.ndarray) -> np.ndarray:
        """Move on; return the gradient (N,) of the loss through the states."""
        gradient = np.zeros(self._steps.weights)
        for time in range(found.state.shape[1]):
            moves = (time < lengths)[:, None]
            loss = np.where(moves, found.loss_state[:, time], 0)
            signs = self._rng.choice(np.array([-1.0, 1.0], self._dtype), size=self._states.shape)
            pushed = (found.state[:, time] @ self._states[..., None])[..., 0]
            slopes = (signs[:, None] @ found.slopes[:, time])[:, 0]
            drawn = self._steps.products(slopes, found.sources[:, time])
            first = scale_between(self._weights, pushed)
            second = scale_between(drawn, signs)
            self._states = np.where(moves, first * pushed + second * signs, self._states)
            self._weights = np.where(moves, self._weights / first + drawn / second, self._weights)
            gradient += ((loss * self._states).sum(axis=1, keepdims=True) * self._weights).sum(axis=0)
        return gradient


@dataclass(frozen=True)
class UORO(OnlineStrategy):
    """Unbiased online recurrent optimisation: a random matrix of rank one whose mean is the influence of weights on states.

    The gradient is noisy, and its mean is exact while the weights stay as they are. A time step takes about as many
    multiply-adds as there are weights, times a small number, for every network.

    Notes
    -----
    Source: Tallec & Ollivier 2018, algorithm 1, with random signs. Deviation: the derivative of the step is exact, where
    the original takes a difference.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> result = evorrn.UORO(rate=0.01).fit(network, task, budget="5gen")
    >>> len(result.history["train_loss"])
    5
    """

    name: ClassVar[str] = "uoro"

    def estimator(self, problem: Problem, rng: np.random.Generator) -> RankOne:
        """Return the random product that is carried."""
        return RankOne(problem.network.step_structure, problem.network.dtype, rng)
