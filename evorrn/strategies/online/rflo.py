"""RFLO: random feedback local online learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evorrn.base.settings import setting
from evorrn.engine.influence.jacobians import Scored
from evorrn.strategies.online.e_prop import EProp

if TYPE_CHECKING:
    from evorrn.network.network import Network
    from evorrn.training.problem import Problem


@dataclass(frozen=True)
class RFLO(EProp):
    """Random feedback local online learning: eligibilities that decay with the leak of a unit, and random feedback.

    It is eligibility propagation for units whose own past decays at a constant rate: ``leaky``, ``ctrnn``, and ``elman``, whose
    state does not last.

    Notes
    -----
    Source: Murray 2019, equations 7 to 9; the leak is the cell's.

    Examples
    --------
    >>> import evorrn
    >>> task = evorrn.task("sunspots")
    >>> network = evorrn.Network.for_task(task, cell="leaky", hidden=4)
    >>> result = evorrn.RFLO(rate=0.02).fit(network, task, budget="5gen")
    >>> losses = result.history["train_loss"]
    >>> bool(losses[-1] < losses[0])
    True
    """

    name: ClassVar[str] = "rflo"
    serves: ClassVar[tuple[str, ...]] = ("leaky", "ctrnn", "elman")

    feedback: str = setting(
        "random", "weights through which the loss goes back to the units", choices=("symmetric", "random")
    )

    def refusals(self, problem: Problem) -> list[str]:
        """Return one sentence for each reason why the method cannot train this network on these data."""
        found = super().refusals(problem)
        if found or _decays_constantly(problem.network):
            return found
        return [
            f"strategy: rflo needs units whose past decays at a constant rate, as in leaky, ctrnn and elman, and that of "
            f"{problem.network} depends on its values; e-prop trains it"
        ]


def _decays_constantly(network: Network) -> bool:
    """Return whether the derivatives of new states by the own old ones are the same at random states and inputs."""
    rng = np.random.default_rng(0)
    x, state = rng.standard_normal((8, 1, network.inputs)), rng.standard_normal((8, network.state_size))
    labels = network.loss_function.labels
    targets = np.zeros((8, 1), np.int64) if labels else np.zeros((8, 1, network.outputs))
    scored = Scored(targets, np.zeros((8, 1), bool), 1.0)
    own = network.step_jacobians(network.init(seed=0), x, scored, state=state).own
    return bool(np.allclose(own, own[:1], rtol=1e-4, atol=1e-6))
