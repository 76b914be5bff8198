"""SnAp: the sparse approximation of real-time recurrent learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.online.influence import CarriedInfluence, beyond_memory, influence_of
from evorrn.strategies.online.learning import OnlineStrategy

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class SnAp(OnlineStrategy):
    """SnAp-n: real-time recurrent learning in which a weight influences only states that it changes within n time steps.

    With `order` 1 each weight has an influence on the states of its own unit alone, and a time step takes as many
    multiply-adds as there are weights, times a small number. With an order at which every weight has reached every state that it
    can reach, the method is real-time recurrent learning; in a dense network this is 2.

    Notes
    -----
    Source: Menick et al. 2021, equation 4: ``M' = (F_s M + F_w)`` where the pattern of n steps is not zero. The
    pattern follows from the equations of the cell and not from the values of weights.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="lstm", hidden=4)
    >>> result = evorrn.SnAp(rate=0.05).fit(network, task, budget="5gen")
    >>> losses = result.history["train_loss"]
    >>> bool(losses[-1] < losses[0])
    True
    """

    name: ClassVar[str] = "snap"

    order: int = setting(1, "time steps within which a weight must change a state to influence it", minimum=1)

    def bytes_held(self, network: Network, sequences: int = 1, steps: int = 1) -> int:
        """Return about how many bytes the influence of the sequences of a minibatch takes."""
        side_by_side = min(self.batch_size or sequences, sequences)
        return (
            super().bytes_held(network)
            + network.dtype.itemsize * side_by_side * influence_of(network.step_structure, self.order).size
        )

    def refusals(self, problem: Problem) -> list[str]:
        """Return one sentence for each reason why the method cannot train this network on these data."""
        found, network = super().refusals(problem), problem.network
        if found:
            return found
        side_by_side = min(self.batch_size or problem.sequences, problem.sequences)
        numbers = influence_of(network.step_structure, self.order).size
        other = "a smaller order" if self.order > 1 else "bptt"
        return beyond_memory(self.name, numbers, side_by_side, network.dtype.itemsize, other)

    def estimator(self, problem: Problem, rng: np.random.Generator) -> CarriedInfluence:
        """Return the influence of weights on the states that they change within `order` time steps."""
        return CarriedInfluence(problem.network, self.order)
