"""KF-RTRL: real-time recurrent learning with a Kronecker product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.strategies.base import DRAW
from evorrn.strategies.online.learning import OnlineStrategy
from evorrn.strategies.online.stream import scale_between

if TYPE_CHECKING:
    from evorrn.engine.influence.jacobians import StepJacobians
    from evorrn.engine.influence.rows import Factor, Term
    from evorrn.engine.influence.steps import Steps
    from evorrn.training.problem import Problem


class Kronecker:
    """Carries a random Kronecker product of a vector and a matrix, whose mean is the influence matrix.

    The derivative of a step with respect to its weights is the product of slopes (S, A), of all sums of products, and sources
    (Z,), which the weights multiply: a weight takes one of each.

    Parameters
    ----------
    steps : Steps
    dtype : dtype
    rng : Generator
    """

    def __init__(self, steps: Steps, dtype: np.dtype, rng: np.random.Generator) -> None:
        self._steps, self._dtype, self._rng = steps, dtype, rng
        self._slopes = _union([term.slope for term in _acting(steps)])
        self._sources = _union([term.source for term in _acting(steps) if term.source])
        size, slopes, sources = steps.state_size, len(self._slopes), len(self._sources) + 1
        self.work = size * slopes * (size + 6) + 4 * sources + steps.weights + size * slopes + 2 * DRAW

    def begin(self, sequences: int, steps: int) -> None:
        """Start with an influence of zero."""
        self._vector = np.zeros((sequences, len(self._sources) + 1), self._dtype)
        self._matrix = np.zeros((sequences, self._steps.state_size, len(self._slopes)), self._dtype)

    def advance(self, found: StepJacobians, lengths: np.ndarray) -> np.ndarray:
        """Move on; return the gradient (N,) of the loss through the states."""
        gradient = np.zeros(self._steps.weights)
        for time in range(found.state.shape[1]):
            moves = (time < lengths)[:, None]
            loss = np.where(moves, found.loss_state[:, time], 0)
            signs = self._rng.choice(np.array([-1.0, 1.0], self._dtype), size=(len(loss), 2))
            one = np.ones((len(loss), 1), self._dtype)
            source = np.concatenate([found.sources[:, time][:, self._sources], one], axis=1)
            slope, pushed = found.slopes[:, time][..., self._slopes], found.state[:, time] @ self._matrix
            first = scale_between(pushed, self._vector)
            second = scale_between(slope, source)
            vector = signs[:, :1] * first * self._vector + signs[:, 1:] * second * source
            matrix = _times(signs[:, :1] / first, pushed) + _times(signs[:, 1:] / second, slope)
            self._vector = np.where(moves, vector, self._vector)
            self._matrix = np.where(moves[..., None], matrix, self._matrix)
            gradient += self._of_loss(loss).sum(axis=0)
        return gradient

    def _of_loss(self, loss: np.ndarray) -> np.ndarray:
        """Return the gradient (B, N) of a function of the states, from that with respect to these (B, S)."""
        width = self._steps.layout.rows
        slopes, sources = np.zeros((len(loss), width)), np.zeros((len(loss), width))
        slopes[:, self._slopes] = (loss[:, None] @ self._matrix)[:, 0]
        sources[:, self._sources] = self._vector[:, :-1]
        return self._steps.products(slopes, sources, self._vector[:, -1:])


def _acting(steps: Steps) -> list[Term]:
    """Return the terms of weights that act on the state."""
    return [term for term in steps.layout.terms if steps.pattern.factors[:, term.slope.places].any()]


def _union(factors: list[Factor]) -> np.ndarray:
    """Return the rows of factors."""
    rows = {row for factor in factors for row in range(factor.row, factor.row + factor.rows)}
    return np.array(sorted(rows), np.int64)


def _times(numbers: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    return numbers[..., None] * matrices


@dataclass(frozen=True)
class KFRTRL(OnlineStrategy):
    """KF-RTRL: a random Kronecker product whose mean is the influence of weights on states.

    The gradient has less noise than that of ``uoro``, and its mean is exact while the weights stay as they are. A time
    step takes S² multiply-adds for each sum of products in the equations, with S numbers in the state.

    Notes
    -----
    Source: Mujika, Meier & Steger 2018, algorithm 1 and lemma 1. Deviation: the vector has the sources of all
    products and layers and a 1 for weights that are added or multiply single values, so that every network is one Kronecker
    product, whose entries without a weight are not used.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> result = evorrn.KFRTRL(rate=0.01).fit(network, task, budget="5gen")
    >>> len(result.history["train_loss"])
    5
    """

    name: ClassVar[str] = "kf-rtrl"

    def estimator(self, problem: Problem, rng: np.random.Generator) -> Kronecker:
        """Return the random product that is carried."""
        return Kronecker(problem.network.step_structure, problem.network.dtype, rng)
