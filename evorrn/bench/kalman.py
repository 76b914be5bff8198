"""An epoch of the extended Kalman filter on one series, an update at every step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.bench.group import Group
from evorrn.bench.peers.weights import weights_of
from evorrn.bench.results import Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.data.batch import Batch
from evorrn.network.network import Network
from evorrn.strategies.gradient.ekf import EKF, annealed
from evorrn.training.problem import Problem


@dataclass(frozen=True)
class Case:
    """An Elman network on a series of T time steps; the target of the ratio to NumPy."""

    hidden: int
    steps: int
    target: float

    @property
    def name(self) -> str:
        """What the row is asked for by."""
        return f"ekf-{self.hidden}"

    @property
    def title(self) -> str:
        """Sizes of the row."""
        genes = Network(1, 1, cell="elman", hidden=self.hidden).size
        return f"elman H {self.hidden}, {genes} weights, I 1, O 1, T {self.steps}"


def measure(case: Case, session: Session) -> Row:
    """Time an epoch, ours and the peer's, from the same genome."""
    rng = np.random.default_rng(0)
    network = Network(1, 1, cell="elman", hidden=case.hidden, dtype="float64")
    x = np.sin(np.arange(case.steps + 1) / 5) + 0.1 * rng.standard_normal(case.steps + 1)
    batch = Batch(x[None, :-1, None], x[None, 1:, None])
    strategy, problem = EKF(patience=0), Problem(network, batch)
    state = strategy.start(problem, rng)

    def check() -> tuple[np.ndarray, ...]:
        weights = weights_of(network, strategy.step(problem, state)["genome"])
        names = ("input", "recurrent", "bias", "readout", "readout_bias")
        return tuple(np.asarray(weights[name]).ravel() for name in names)

    ours = Contender("evorrn", lambda: strategy.step(problem, state), check)
    noise, drift = np.array([annealed(strategy, update) for update in range(case.steps)]).T
    weights, remarks = weights_of(network, state["genome"]), list[str]()
    others = session.invite(
        "numpy_kalman",
        lambda peer: peer.epoch(weights, batch, strategy.variance, noise, drift),
        remarks,
        Target(at_least=case.target),
    )
    mine, findings = session.contest(ours, others, remarks)
    return Row(
        case.name, case.title, mine, findings, {"seconds_per_step": mine.minimum / case.steps}, remarks
    )


GROUP = Group(
    "kalman",
    "an epoch of the extended Kalman filter with an update at every step, float64",
    (Case(16, 1000, 3.0),),
    measure,
)
