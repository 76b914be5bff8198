"""Jacobians of a network's outputs with respect to its genome at every time step, carried forward in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.base.memory import excess

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.network.network import Network

MOST_NUMBERS = 2**21
"""Numbers of the derivatives of the time steps that are computed in one go."""


class Influence:
    """Sequences that a network runs along, with the derivatives of their states with respect to the genome.

    Parameters
    ----------
    network : Network
    sequences : int
        Number of sequences, B.

    Attributes
    ----------
    state : ndarray, shape (B, S)
    influence : ndarray, shape (B, S, n)
        The derivative of the state with respect to the genome.

    Raises
    ------
    ConfigError
        When the influence does not fit into the machine's memory.

    Notes
    -----
    Where the weights change between calls, the influence is that of the weights that were used at each time step.

    Source: Robinson & Fallside 1987; Williams & Zipser 1989, equation 7.
    """

    def __init__(self, network: Network, sequences: int) -> None:
        self.network = network
        shape = sequences, network.state_size, network.size
        check_memory("influence", shape)
        self.state = np.tile(network.first_state, (sequences, 1))
        self.influence = np.zeros(shape)

    def advance(
        self, genome: np.ndarray, x: np.ndarray, teacher: np.ndarray | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Take the time steps of inputs (B, T, I), and yield at each one outputs (B, O) and Jacobians (B, O, n).

        `teacher` (B, T, O) is that of `evorrn.Network.predict`.
        """
        steps = self.network.linearised(genome, x, self.state, teacher=teacher)
        size = self.network.state_size
        self.state = steps.last
        for t in range(x.shape[1]):
            whole = steps.by_state[:, t] @ self.influence + steps.by_genome(t)
            self.influence = whole[:, :size]
            yield steps.outputs[:, t].astype(np.float64), whole[:, size:]


def jacobians(
    network: Network, genome: np.ndarray, batch: Batch
) -> Iterator[tuple[np.ndarray, int, np.ndarray, np.ndarray]]:
    """Yield the outputs of a batch and their Jacobians, time step after time step.

    Yields
    ------
    sequences : ndarray of int, shape (K,)
        Those that are scored at this time step.
    time : int
    outputs : ndarray, shape (K, O)
    jacobian : ndarray, shape (K, O, n)
    """
    teacher = network.warm_up(batch)
    run = Influence(network, batch.size)
    rows = network.state_size + network.outputs
    longest = max(1, MOST_NUMBERS // (batch.size * rows * (network.state_size + network.size)))
    last = int(np.flatnonzero(batch.scored.any(axis=0))[-1]) + 1
    for first in range(0, last, longest):
        part = slice(first, min(first + longest, last))
        taught = None if teacher is None else teacher[:, part]
        for t, (outputs, jacobian) in enumerate(run.advance(genome, batch.inputs[:, part], taught), first):
            scored = np.flatnonzero(batch.scored[:, t])
            if len(scored):
                yield scored, t, outputs[scored], jacobian[scored]


def jacobian_work(network: Network) -> int:
    """Return the multiply-adds of one time step of one sequence with its Jacobian.

    Each state and each output is a direction, in which the step runs forward and back, and the step's Jacobian is
    multiplied with the influence.
    """
    directions = network.state_size + network.outputs
    return directions * (sum(network.step_work) + network.state_size * network.size)


def stepper_work(network: Network) -> int:
    """Return the multiply-adds of one time step of one sequence by `evorrn.Network.stepper`.

    These are the step's derivatives, the move of the influence, and its product with the weights of each output.
    """
    from evorrn.engine.influence.groups import influence_of

    influence = influence_of(network.step_structure)
    return network.step_structure.work + influence.work + network.outputs * (influence.size + network.size)


def check_memory(what: str, shape: tuple[int, ...], serves: str = "") -> None:
    """Raise ConfigError, with what would serve, when an array of float64 does not fit into the machine's memory."""
    too_large = excess(int(np.prod(shape, dtype=float)))
    if too_large:
        raise ConfigError(
            f"{what}: an array of {' x '.join(map(str, shape))} numbers takes {too_large}{serves}"
        )
