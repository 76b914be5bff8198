"""e-prop: eligibility propagation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.strategies.online.influence import CarriedInfluence
from evorrn.strategies.online.learning import OnlineStrategy

if TYPE_CHECKING:
    from evorrn.engine.influence.steps import Steps
    from evorrn.training.problem import Problem

FEEDBACK_STREAM = 7
"""Of the generator of random feedback weights."""


@dataclass(frozen=True)
class EProp(OnlineStrategy):
    """Eligibility propagation: each weight's influence goes on through the unit's own state alone, not through weights.

    A time step takes as many multiply-adds as there are weights, times a small number. The loss of a time step goes back to the
    units through the weights of the readout (``feedback="symmetric"``) or through fixed random weights.

    Notes
    -----
    Source: Bellec et al. 2020, equations 1, 4 and 14. Deviation: no filter of eligibility traces at the outputs, since readouts
    have no leak here. In a network of several layers a weight also has eligibilities at the units of higher layers that it changes
    within a time step.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="lstm", hidden=4)
    >>> result = evorrn.EProp(rate=0.02).fit(network, task, budget="5gen")
    >>> losses = result.history["train_loss"]
    >>> bool(losses[-1] < losses[0])
    True
    """

    name: ClassVar[str] = "e-prop"

    feedback: str = setting(
        "symmetric", "weights through which the loss goes back to the units", choices=("symmetric", "random")
    )

    def refusals(self, problem: Problem) -> list[str]:
        """Return one sentence for each reason why the method cannot train this network on these data."""
        found = super().refusals(problem)
        if found or _local(problem.network.step_structure):
            return found
        return [
            f"strategy: {self.name} needs units whose state depends on their own past state and, through products of weights, "
            f"on others, and {problem.network} has other dependences; snap, uoro and rtrl train it"
        ]

    def estimator(self, problem: Problem, rng: np.random.Generator) -> CarriedInfluence:
        """Return the eligibilities of all weights."""
        return CarriedInfluence(problem.network, own=True)

    def feedback_weights(self, problem: Problem) -> np.ndarray | None:
        """Return random weights of the size of the readout's, the same throughout a run; None for those of the readout."""
        if self.feedback == "symmetric":
            return None
        shape = problem.network.blocks["readout.W"]
        return np.random.default_rng(FEEDBACK_STREAM).standard_normal(shape) / np.sqrt(shape[1])


def _local(steps: Steps) -> bool:
    """Return whether each new state depends on old ones of the same unit alone, besides through products of weights."""
    for row in steps.places.values():
        for column in steps.places.values():
            block = steps.own[row, column]
            square = block.shape[0] == block.shape[1]
            if block.any() and not (square and (block <= np.eye(len(block), dtype=bool)).all()):
                return False
    return True
