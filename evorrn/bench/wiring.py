"""Networks of several passes: loss and gradient of bidirectional layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.bench.group import Group
from evorrn.bench.results import Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.data.batch import Batch
from evorrn.network.network import Network

PEERS = ("torch_wiring",)


@dataclass(frozen=True)
class Case:
    """Loss and gradient of a bidirectional LSTM on B sequences of T time steps; the target of the ratio to the peer."""

    name: str
    hidden: tuple[int, ...]
    inputs: int
    outputs: int
    steps: int
    sequences: int
    target: float

    @property
    def title(self) -> str:
        """Sizes of the row."""
        units = ", ".join(map(str, self.hidden))
        sizes = f"I {self.inputs}, O {self.outputs}, T {self.steps}, B {self.sequences}"
        return f"bidirectional lstm H {units}, {sizes}"


def workload(case: Case) -> tuple[Network, np.ndarray, Batch]:
    """Return the network, a genome and the batch of a case, in float32."""
    rng = np.random.default_rng(0)
    network = Network(case.inputs, case.outputs, cell="lstm", hidden=case.hidden, bidirectional=True)
    shape = (case.sequences, case.steps)
    inputs = rng.standard_normal((*shape, case.inputs), np.float32)
    targets = rng.standard_normal((*shape, case.outputs), np.float32)
    return network, network.init(rng=rng), Batch(inputs, targets)


def measure(case: Case, session: Session) -> Row:
    """Time loss and gradient, ours and the peers'."""
    network, genome, batch = workload(case)

    def compared() -> tuple[np.ndarray, ...]:
        loss, gradient = network.loss_and_gradient(genome, batch)
        return np.array([loss]), gradient

    ours = Contender("evorrn", lambda: network.loss_and_gradient(genome, batch), compared)
    weights, remarks, others = network.unpack(genome), list[str](), []
    for name in PEERS:
        target = Target(at_least=case.target)
        others += session.invite(name, lambda peer: peer.gradient(weights, batch), remarks, target)
    mine, findings = session.contest(ours, others, remarks)
    return Row(case.name, case.title, mine, findings, {}, remarks)


GROUP = Group(
    "wiring",
    "loss and gradient of one network of several passes, float32",
    (
        Case("bidirectional", (64,), 32, 8, 200, 32, 2),
        Case("bidirectional-stack", (64, 64), 32, 8, 200, 32, 2),
    ),
    measure,
)
