"""Training sequences as streams of time steps, in chunks after each of which the weights change."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.engine.influence.jacobians import Learned, Scored, StepJacobians
from evorrn.strategies.online.influence import CarriedInfluence

if TYPE_CHECKING:
    from evorrn.training.problem import Chosen, Problem

MOST_NUMBERS = 2**24
"""Numbers of the derivatives of the time steps that are computed in one go."""

TINY = 1e-7
"""Added to norms and to their ratios, so that none is zero."""


def scale_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the root of the ratio of the norms of two arrays for each sequence, shape (B, 1)."""
    norms = [
        np.sqrt(np.square(one.reshape(len(one), -1)).sum(axis=1, keepdims=True)) for one in (first, second)
    ]
    return np.asarray(np.sqrt((norms[0] + TINY) / (norms[1] + TINY)))


class Estimator(Protocol):
    """What a method carries from time step to time step."""

    def begin(self, sequences: int, steps: int) -> None:
        """Start before so many time steps of B sequences."""

    def advance(self, found: StepJacobians, lengths: np.ndarray) -> np.ndarray:
        """Move on by the time steps of each sequence, and return the gradient (N,) of their loss through the states."""

    @property
    def work(self) -> float:
        """The multiply-adds of one time step of one sequence, besides the step's derivatives."""


class Stream:
    """The chunks of training sequences side by side, and the states between them.

    Parameters
    ----------
    problem : Problem
    sequences : ndarray of int, Batch, or None
        Indices of the training sequences, or a batch made of them; None for all.
    estimator : Estimator
    every : int
        Time steps of a chunk.
    feedback : ndarray, optional
        See `Scored`.

    Attributes
    ----------
    chunks : list of (int, int)
        The time step at whose end each chunk ends, and its number of scored steps. Steps without a loss belong to
        the next chunk that has one.
    """

    def __init__(
        self,
        problem: Problem,
        sequences: Chosen,
        estimator: Estimator,
        every: int,
        feedback: np.ndarray | None = None,
    ) -> None:
        self._problem, self._network, self._estimator = problem, problem.network, estimator
        self._batch = problem.chosen(sequences)
        self._feedback = feedback
        self._state, self._at = np.empty(0), 0
        self._teacher = self._network.warm_up(self._batch)
        self._lengths = np.asarray(self._batch.lengths)
        self._program = None
        if isinstance(estimator, CarriedInfluence):
            self._program = estimator.program(int(self._lengths.sum()))
        longest = int(self._lengths.max())
        ends = [min(first + every, longest) for first in range(0, longest, every)]
        counts = [int(self._batch.scored[:, k * every : end].sum()) for k, end in enumerate(ends)]
        self.chunks = [(end, count) for end, count in zip(ends, counts) if count]

    def gradient(self, number: int, genome: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the mean loss of a genome (n,) on a chunk and its gradient (n,), and move on to the next one.

        Chunks are asked for in their order. Where loss or gradient is not finite, the next one starts from the network's
        first state.
        """
        if number == 0:
            self._begin()
        self._problem.charge_pass(0, 0, evaluations=1)  # its time steps are charged where they are computed
        stop, scored = self.chunks[number]
        entries = float(self._network.loss_function.entries(np.array([scored]), self._network.outputs)[0])
        structure = self._network.step_structure
        longest = max(1, MOST_NUMBERS // (self._batch.size * structure.numbers))
        longest = stop if self._program else longest  # a program keeps the derivatives of few time steps
        loss, gradient = 0.0, np.zeros(structure.weights)
        blas = nullcontext() if self._program else one_thread()  # a program uses no BLAS
        with blas, np.errstate(all="ignore"):
            for first in range(self._at, stop, longest):
                found, lengths = self._learned(genome, first, min(first + longest, stop), 1 / entries)
                loss += found.loss
                gradient += found.gradient
                self._state = np.where(lengths[:, None] > 0, found.last, self._state)
                self._problem.charge(int(self._estimator.work * lengths.sum()))
            self._at = stop
            genes = self._network.gradient_of_genes(genome, gradient)
        if not (np.isfinite(loss) and np.isfinite(genes).all() and np.isfinite(self._state).all()):
            self._begin(stop)
        return loss / entries, genes

    def _learned(self, genome: np.ndarray, first: int, stop: int, scale: float) -> tuple[Learned, np.ndarray]:
        """Return what some time steps give, and how many of them each sequence has."""
        part = slice(first, stop)
        lengths = np.clip(self._lengths - first, 0, stop - first)
        batch = self._batch
        scored = Scored(batch.targets[:, part], batch.scored[:, part], scale, self._feedback)
        about = batch.inputs[:, part], scored, lengths, self._state
        if self._program:
            assert isinstance(self._estimator, CarriedInfluence)
            return self._problem.learn_along(self._program, genome, *about, self._estimator.carried), lengths
        teacher = None if self._teacher is None else self._teacher[:, part]
        found = self._problem.step_jacobians(genome, *about, teacher)
        gradient = self._network.step_structure.of_readout(found) + self._estimator.advance(found, lengths)
        return Learned(found.loss, gradient, found.last), lengths

    def _begin(self, at: int = 0) -> None:
        """Put every sequence at its first state, before a time step."""
        self._state = np.repeat(self._network.first_state[None], self._batch.size, axis=0)
        self._at = at
        self._estimator.begin(self._batch.size, self.chunks[-1][0] - at)
