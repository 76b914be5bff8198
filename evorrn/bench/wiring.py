"""Networks of several passes: bidirectional layers, alone and in populations, and encoder-decoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.bench.group import Group
from evorrn.bench.results import Row, Target
from evorrn.bench.session import Contender, Session, loss_and_gradient
from evorrn.data.batch import Batch
from evorrn.network.network import Network


@dataclass(frozen=True)
class Case:
    """Loss and gradient of a bidirectional LSTM on B sequences of T time steps; the target of the ratio to the peer.

    With `individuals`, the fitness of so many of them.
    """

    name: str
    hidden: tuple[int, ...]
    inputs: int
    outputs: int
    steps: int
    sequences: int
    target: float
    individuals: int = 0

    @property
    def title(self) -> str:
        """Sizes of the row."""
        units = ", ".join(map(str, self.hidden))
        sizes = f"I {self.inputs}, O {self.outputs}, T {self.steps}, B {self.sequences}"
        population = f", P {self.individuals}" if self.individuals else ""
        return f"bidirectional lstm H {units}, {sizes}{population}"


@dataclass(frozen=True)
class Pairs:
    """Loss and gradient of an encoder-decoder GRU on B sequences of T symbols, whose targets are U symbols long."""

    name: str
    hidden: int
    symbols: int
    embedding: int
    steps: int
    targets: int
    sequences: int
    target: float

    @property
    def title(self) -> str:
        """Sizes of the row."""
        sizes = f"{self.symbols} symbols, embedding {self.embedding}, T {self.steps}, U {self.targets}"
        return f"encoder-decoder gru H {self.hidden}, {sizes}, B {self.sequences}"


def workload(case: Case) -> tuple[Network, np.ndarray, Batch]:
    """Return the network, its genomes (P, n), one if no population is asked for, and the batch of a case, in float32."""
    rng = np.random.default_rng(0)
    network = Network(case.inputs, case.outputs, cell="lstm", hidden=case.hidden, bidirectional=True)
    shape = (case.sequences, case.steps)
    inputs = rng.standard_normal((*shape, case.inputs), np.float32)
    targets = rng.standard_normal((*shape, case.outputs), np.float32)
    genomes = np.stack([network.init(rng=rng) for _ in range(max(1, case.individuals))])
    return network, genomes, Batch(inputs, targets)


def workload_of_pairs(case: Pairs) -> tuple[Network, np.ndarray, Batch]:
    """Return the network, a genome (n,) and the batch of a case, in float32; all sequences have one length."""
    rng = np.random.default_rng(0)
    table = {"cell": "gru", "hidden": case.hidden}
    network = Network.encoder_decoder(case.symbols, case.symbols, table, table, case.embedding, 0, 1)
    inputs = rng.integers(0, case.symbols, (case.sequences, case.steps))
    targets = rng.integers(2, case.symbols, (case.sequences, case.targets))
    lengths = np.full(case.sequences, case.targets)
    return network, network.init(rng=rng), Batch(inputs, targets, target_lengths=lengths)


def measure(case: Case | Pairs, session: Session) -> Row:
    """Time loss and gradient, or the fitness of a population, ours and the peer's."""
    target = Target(at_least=case.target)
    if isinstance(case, Case) and case.individuals:
        network, genomes, batch = workload(case)
        population = {
            name: np.stack([network.unpack(genome)[name] for genome in genomes]) for name in network.blocks
        }

        def fitness() -> Any:
            return network.fitness(genomes, batch)

        ours = Contender("evorrn", fitness, lambda: [-fitness()])
        peers = {"jax_wiring": target}
        return session.against(case, ours, lambda peer: peer.fitness(population, batch), peers)
    network, genomes, batch = workload_of_pairs(case) if isinstance(case, Pairs) else workload(case)
    genome = genomes.ravel()
    weights, wanted = network.unpack(genome), "pairs" if isinstance(case, Pairs) else "gradient"

    def both() -> tuple[np.ndarray, ...]:
        return loss_and_gradient(network, genome, batch)

    session.settle(both)
    peers = {"torch_wiring": target}
    return session.against(
        case, Contender("evorrn", both, both), lambda peer: getattr(peer, wanted)(weights, batch), peers
    )


GROUP = Group(
    "wiring",
    "networks of several passes, float32: loss and gradient of one, in a run of some seconds, or the fitness of P individuals",
    (
        Case("bidirectional", (64,), 32, 8, 200, 32, 2),
        Case("bidirectional-stack", (64, 64), 32, 8, 200, 32, 2),
        Case("bidirectional-population", (32,), 2, 1, 100, 64, 2.5, 64),
        Pairs("encoder-decoder", 64, 64, 32, 40, 40, 32, 1.5),
    ),
    measure,
)
