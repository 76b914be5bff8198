"""Loss and exact gradient of one network: a training step without the optimiser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.bench.group import Group
from evorrn.bench.peers.weights import compared, weights_of
from evorrn.bench.results import Finding, Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.data.batch import Batch
from evorrn.network.network import Network

PEERS = ("torch", "jax")
FASTER, TWICE = Target(at_least=1), Target(at_least=2)


@dataclass(frozen=True)
class Case:
    """Loss and gradient of one genome on B sequences of T time steps."""

    cell: str
    hidden: int
    inputs: int
    outputs: int
    steps: int
    sequences: int

    @property
    def name(self) -> str:
        """What the row is asked for by."""
        return f"{self.cell}-{self.hidden}-{self.sequences}"

    @property
    def title(self) -> str:
        """Sizes of the row."""
        sizes = f"I {self.inputs}, O {self.outputs}, T {self.steps}, B {self.sequences}"
        return f"{self.cell} H {self.hidden}, {sizes}"


def workload(case: Case) -> tuple[Network, np.ndarray, Batch]:
    """Return the network, a genome (n,) and the batch of a case, in float32."""
    rng = np.random.default_rng(0)
    network = Network(case.inputs, case.outputs, cell=case.cell, hidden=case.hidden)
    shape = (case.sequences, case.steps)
    inputs = rng.standard_normal((*shape, case.inputs), np.float32)
    targets = rng.standard_normal((*shape, case.outputs), np.float32)
    return network, network.init(rng=rng), Batch(inputs, targets)


def measure(case: Case, session: Session) -> Row:
    """Time loss and gradient, ours and the peers'."""
    network, genome, batch = workload(case)
    weights = weights_of(network, genome)

    def check() -> tuple[np.ndarray, np.ndarray]:
        loss, found = network.loss_and_gradient(genome, batch)
        return compared(loss, weights_of(network, found))

    ours = Contender("evorrn", lambda: network.loss_and_gradient(genome, batch), check)
    session.settle(ours.call)
    targets = dict.fromkeys(PEERS, FASTER)
    return session.against(case, ours, lambda peer: peer.gradient(case.cell, weights, batch), targets)


def summarise(rows: Sequence[Row]) -> Row:
    """Return the geometric mean, over all rows, of the ratio to the better of the peers."""
    ratios = [min(finding.value for finding in row.findings) for row in rows if row.findings]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan
    lacking = [row.name for row in rows if len(row.findings) < len(PEERS)]
    remarks = [f"not all peers were timed at {', '.join(lacking)}"] if lacking else []
    finding = Finding("the better of the peers", mean, "x", TWICE)
    return Row("mean", f"geometric mean of {len(ratios)} rows", None, [finding], {}, remarks)


GROUP = Group(
    "gradient",
    "loss and gradient of one network in a run of some seconds, float32",
    tuple(
        Case(cell, *sizes)
        for cell in ("elman", "lstm", "gru")
        for sizes in (
            (32, 2, 1, 100, 64),
            (128, 2, 1, 100, 64),
            (64, 8, 8, 200, 32),
            *([(64, 8, 8, 200, 64)] if cell == "lstm" else []),
        )
    ),
    measure,
    summarise,
)
