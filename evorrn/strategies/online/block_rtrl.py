"""The hybrid of backpropagation through time and real-time recurrent learning, in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.online.influence import beyond_memory
from evorrn.strategies.online.learning import OnlineStrategy

if TYPE_CHECKING:
    from evorrn.engine.influence.jacobians import StepJacobians
    from evorrn.engine.influence.steps import Steps
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem


class BlockInfluence:
    """Carries the influence matrix from block to block.

    Parameters
    ----------
    steps : Steps
    dtype : dtype
    block : int
        Time steps of a block.
    """

    def __init__(self, steps: Steps, dtype: np.dtype, block: int) -> None:
        self._steps, self._dtype, self._block = steps, dtype, block
        size, weights = steps.state_size, steps.weights
        # A time step: S sweeps back, through the state and the factors, and their products with the sources. A block: the
        # influence of all that was before.
        self.work = (
            size * size * (size + steps.layout.rows) + size * weights + size * (size + 1) * weights / block
        )

    def begin(self, sequences: int, steps: int) -> None:
        """Start with an influence of zero."""
        size = self._steps.state_size
        self._influence = np.zeros((sequences, size, self._steps.weights), self._dtype)

    def advance(self, found: StepJacobians, lengths: np.ndarray) -> np.ndarray:
        """Move on, block by block; return the gradient (N,) of the loss through the states."""
        gradient = np.zeros(self._steps.weights)
        for first in range(0, found.state.shape[1], self._block):
            stop = min(first + self._block, found.state.shape[1])
            gradient += self._one(found, lengths, first, stop)
        return gradient

    def _one(self, found: StepJacobians, lengths: np.ndarray, first: int, stop: int) -> np.ndarray:
        """Move on by a block; return the gradient of its loss through the states before each step."""
        sequences, _, size, factors = found.slopes.shape
        back = np.repeat(np.eye(size, dtype=self._dtype)[None], sequences, axis=0)
        costate = np.zeros((sequences, size), self._dtype)
        rows = np.zeros((sequences, stop - first, size, factors), self._dtype)
        of_loss = np.zeros((sequences, stop - first, factors), self._dtype)
        for time in reversed(range(first, stop)):
            moves = time < lengths
            k = time - first
            costate = np.where(moves[:, None], costate + found.loss_state[:, time], costate)
            rows[:, k] = np.where(moves[:, None, None], back @ found.slopes[:, time], 0)
            of_loss[:, k] = np.where(moves[:, None], _product(costate, found.slopes[:, time]), 0)
            back = np.where(moves[:, None, None], back @ found.state[:, time], back)
            costate = np.where(moves[:, None], _product(costate, found.state[:, time]), costate)
        sources = found.sources[:, first:stop]
        gradient = self._steps.summed(of_loss[:, :, None], sources)[:, 0].sum(axis=0, dtype=np.float64)
        gradient += np.einsum("bs,bsn->n", costate, self._influence)
        self._influence = back @ self._influence + self._steps.summed(rows, sources)
        return gradient


def _product(vectors: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Return vectors (B, S) times matrices (B, S, K)."""
    return (vectors[:, None] @ matrices)[:, 0]


@dataclass(frozen=True)
class BlockRTRL(OnlineStrategy):
    """The hybrid of 1992: backpropagation within blocks of time steps, and an exact influence carried from block to block.

    Its gradient is that of real-time recurrent learning. With blocks as long as the state, a time step takes about S n multiply-adds
    on average, with S numbers in the state and n weights, where real-time recurrent learning takes S² n.

    Notes
    -----
    Source: Schmidhuber 1992, "A fixed size storage O(n³) time complexity learning algorithm for fully recurrent continually
    running networks", section 3. Deviation: the weights may change within a block, by `update_every`; a block then ends
    with the update.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> result = evorrn.BlockRTRL(rate=0.05).fit(network, task, budget="5gen")
    >>> losses = result.history["train_loss"]
    >>> bool(losses[-1] < losses[0])
    True
    """

    name: ClassVar[str] = "block-rtrl"

    block: int | None = setting(
        None, "time steps of a block; by default the numbers of the state, at most update_every", minimum=1
    )

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the influence of the sequences of a minibatch takes."""
        side_by_side = min(self.batch_size or sequences, sequences)
        return (
            super().bytes_held(network)
            + network.dtype.itemsize * side_by_side * network.state_size * network.size
        )

    def refusals(self, problem: Problem) -> list[str]:
        """Return one sentence for each reason why the method cannot train this network on these data."""
        found, network = super().refusals(problem), problem.network
        if found:
            return found
        side_by_side = min(self.batch_size or problem.sequences, problem.sequences)
        numbers = network.state_size * network.step_structure.weights
        return beyond_memory(self.name, numbers, side_by_side, network.dtype.itemsize, "snap or bptt")

    def estimator(self, problem: Problem, rng: np.random.Generator) -> BlockInfluence:
        """Return the influence that is carried from block to block."""
        network = problem.network
        block = min(self.block or network.state_size, self.update_every)
        return BlockInfluence(network.step_structure, network.dtype, block)
