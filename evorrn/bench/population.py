"""Fitness of a whole population: the loop that a laboratory of evolution spends its time in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from evorrn.bench import limit
from evorrn.bench.group import Group
from evorrn.bench.peers.weights import stacked
from evorrn.bench.results import Row, Target
from evorrn.bench.session import Contender, Session
from evorrn.data.batch import Batch
from evorrn.network.network import Network


@dataclass(frozen=True)
class Case:
    """One evaluation of P individuals on B sequences of T time steps.

    Attributes
    ----------
    targets : mapping of str to Target
        For the ratio to each peer that has one.
    peers : tuple of str
        Modules of `evorrn.bench.peers` with a function ``fitness``.
    product : bool
        Whether the row is held against NumPy's product of matrices and against the honest limit.
    """

    cell: str
    hidden: int
    individuals: int
    sequences: int = 64
    steps: int = 100
    inputs: int = 2
    targets: Mapping[str, Target] = field(default_factory=dict)
    peers: tuple[str, ...] = ("jax", "torch", "numpy")
    product: bool = True

    @property
    def name(self) -> str:
        """What the row is asked for by."""
        return f"{self.cell}-{self.hidden}"

    @property
    def title(self) -> str:
        """Sizes of the row."""
        sizes = f"T {self.steps}, B {self.sequences}, P {self.individuals}"
        return f"{self.cell} H {self.hidden}, {sizes}"


def workload(case: Case) -> tuple[Network, np.ndarray, Batch]:
    """Return the network, its genomes (P, n) and the batch of a case, in float32."""
    rng = np.random.default_rng(0)
    network = Network(case.inputs, 1, cell=case.cell, hidden=case.hidden)
    genomes = np.stack([network.init(rng=rng) for _ in range(case.individuals)])
    shape = (case.sequences, case.steps)
    inputs = rng.standard_normal((*shape, case.inputs), np.float32)
    return network, genomes, Batch(inputs, rng.standard_normal((*shape, 1), np.float32))


def products(network: Network, batch: Batch) -> int:
    """Return the multiply-adds of one genome's matrix products alone, without the activations."""
    matrices = (np.prod(shape) for shape in network.blocks.values() if len(shape) == 2)
    return int(sum(matrices)) * batch.moved_steps


def measure(case: Case, session: Session) -> Row:
    """Time the fitness of a population, ours and the peers'."""
    network, genomes, batch = workload(case)
    weights = stacked(network, genomes)
    work = products(network, batch) * case.individuals
    remarks: list[str] = []
    ours = Contender(
        "evorrn", lambda: network.fitness(genomes, batch), lambda: [-network.fitness(genomes, batch)]
    )
    others = []
    if case.product:
        # The limit's turn comes before that of NumPy, whose threads keep the cores busy for a while after it.
        highest = limit.contender(network, batch, work, case.individuals)
        others.append(replace(highest, target=case.targets.get("limit")))
        target = case.targets.get("product")
        others += session.invite("numpy", lambda peer: peer.matrix_product(work), remarks, target)
    for name in case.peers:
        target = case.targets.get(name)
        others += session.invite(name, lambda peer: peer.fitness(case.cell, weights, batch), remarks, target)
    mine, findings = session.contest(ours, others, remarks)
    numbers = {"gflops": 2e-9 * work / mine.minimum, "multiply_adds": work}
    return Row(case.name, case.title, mine, findings, numbers, remarks)


TWICE = {"jax": Target(at_least=2)}
NEAR = {**TWICE, "limit": Target(at_least=0.85)}

GROUP = Group(
    "population",
    "fitness of P individuals on B sequences of T time steps, float32; GEMM: our rate over NumPy's; "
    "honest limit: products at the rate of multiply-adds and activations at theirs, over our time",
    (
        Case("elman", 16, 512, targets=NEAR),
        Case(
            "elman",
            32,
            256,
            targets={
                "limit": Target(at_least=0.85),
                "product": Target(at_least=0.8),
                "jax": Target(at_least=2.5),
                "torch": Target(at_least=5),
            },
        ),
        Case("elman", 64, 128, targets=NEAR),
        Case("elman", 128, 32, targets=NEAR),
        Case("lstm", 32, 64, targets=NEAR),
        Case("gru", 32, 64, targets=NEAR),
    ),
    measure,
)
