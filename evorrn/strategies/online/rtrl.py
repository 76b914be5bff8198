"""RTRL: real-time recurrent learning, the exact gradient carried forward in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.memory import excess
from evorrn.strategies.online.influence import CarriedInfluence, beyond_memory, influence_of
from evorrn.strategies.online.learning import OnlineStrategy

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class RTRL(OnlineStrategy):
    """Real-time recurrent learning: the derivative of the state with respect to every weight is carried forward in time.

    While the weights stay as they are, its gradient is that of backpropagation through all of the past. With S numbers in
    the state and n weights, a time step of a dense network takes S² n multiply-adds and a memory of S n numbers, however
    long the sequence is. Influences that are always zero are neither kept nor computed: a layer does not change those
    below it, and in a network whose units see only their own past (``indrnn``) a time step takes about n multiply-adds.

    Notes
    -----
    Source: Williams & Zipser 1989, equations 7 and 8; Robinson & Fallside 1987. With updates during a sequence, influences
    belong to the earlier weights, as in the original.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    >>> result = evorrn.RTRL(rate=0.05).fit(network, task, budget="5gen")
    >>> losses = result.history["train_loss"]
    >>> bool(losses[-1] < losses[0])
    True
    """

    name: ClassVar[str] = "rtrl"

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the influence of the sequences of a minibatch takes."""
        side_by_side = min(self.batch_size or sequences, sequences)
        return super().bytes_held(network) + network.dtype.itemsize * side_by_side * _numbers(
            network, side_by_side
        )

    def refusals(self, problem: Problem) -> list[str]:
        """Return one sentence for each reason why the method cannot train this network on these data."""
        found, network = super().refusals(problem), problem.network
        if found:
            return found
        side_by_side = min(self.batch_size or problem.sequences, problem.sequences)
        numbers = _numbers(network, side_by_side)
        return beyond_memory(self.name, numbers, side_by_side, network.dtype.itemsize, "snap or bptt")

    def estimator(self, problem: Problem, rng: np.random.Generator) -> CarriedInfluence:
        """Return the influence of all weights."""
        return CarriedInfluence(problem.network)


def _numbers(network: Network, sequences: int) -> int:
    """Return the numbers of the influence; zeros that are not carried are left out where all would not fit into memory."""
    dense = network.state_size * network.size
    fits = not excess(dense * sequences, network.dtype.itemsize)
    return dense if fits else influence_of(network.step_structure).size
