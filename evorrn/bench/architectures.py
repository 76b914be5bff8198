"""Cells beyond gates: products of states, memories, stacks, and equations in continuous time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from evorrn.bench.group import Group
from evorrn.bench.results import Row, Target
from evorrn.bench.session import Contender, Session, loss_and_gradient
from evorrn.data.batch import Batch
from evorrn.network.network import Network

PEERS = ("jax_architectures", "torch_architectures")
TWICE = {peer: Target(at_least=2) for peer in PEERS}

Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """Fitness of P genomes, or loss and gradient of one, on B sequences of T time steps.

    Attributes
    ----------
    individuals : int
        0 for loss and gradient.
    options : mapping
        Of the cell.
    targets : mapping of str to Target
        For the ratio to each peer.
    """

    cell: str
    hidden: int
    inputs: int
    outputs: int
    steps: int
    sequences: int
    individuals: int = 0
    options: Mapping[str, object] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=lambda: TWICE)

    @property
    def name(self) -> str:
        """What the row is asked for by."""
        return f"{self.cell}-{'fitness' if self.individuals else 'gradient'}"

    @property
    def title(self) -> str:
        """Sizes of the row."""
        sizes = f"I {self.inputs}, O {self.outputs}, T {self.steps}, B {self.sequences}"
        given = "".join(f", {name} {value}" for name, value in self.options.items())
        return (
            f"{self.cell} H {self.hidden}, {sizes}{f', P {self.individuals}' * bool(self.individuals)}{given}"
        )


def workload(case: Case) -> tuple[Network, np.ndarray, Batch]:
    """Return the network, its genomes (P, n), one for a gradient, and the batch of a case, in float32."""
    rng = np.random.default_rng(0)
    network = Network(
        case.inputs, case.outputs, cell=case.cell, hidden=case.hidden, cell_options=dict(case.options)
    )
    genomes = np.stack([network.init(rng=rng) for _ in range(max(1, case.individuals))])
    shape = (case.sequences, case.steps)
    inputs = rng.standard_normal((*shape, case.inputs), np.float32)
    return network, genomes, Batch(inputs, rng.standard_normal((*shape, case.outputs), np.float32))


def weights_of(network: Network, genome: np.ndarray) -> Weights:
    """Return the blocks of a genome (n,), or of a gradient, by the names that the cell gives them."""
    return {name.removeprefix("layer0."): block for name, block in network.unpack(genome).items()}


def measure(case: Case, session: Session) -> Row:
    """Time fitness or gradient, ours and the peers'."""
    network, genomes, batch = workload(case)
    each = [weights_of(network, genome) for genome in genomes]
    weights = {name: np.stack([blocks[name] for blocks in each]) for name in each[0]}

    if case.individuals:
        what = "fitness"
        ours = Contender(
            "evorrn", lambda: network.fitness(genomes, batch), lambda: [-network.fitness(genomes, batch)]
        )
    else:
        what, weights = "gradient", each[0]
        ours = Contender(
            "evorrn",
            lambda: network.loss_and_gradient(genomes[0], batch),
            lambda: loss_and_gradient(network, genomes[0], batch),
        )
    session.settle(ours.call)
    return session.against(
        case,
        ours,
        lambda peer: getattr(peer, what)(case.cell, weights, batch, case.options),
        {name: case.targets.get(name) for name in PEERS},
    )


def _both(case: Case) -> list[Case]:
    """Return a case as fitness of a population, and as loss and gradient."""
    return [replace(case, individuals=individuals) for individuals in (64, 0)]


NTM = {"jax_architectures": Target(at_least=4), "torch_architectures": Target(at_least=20)}

GROUP = Group(
    "architectures",
    "fitness of P individuals, or loss and gradient of one network, in a run of some seconds, float32",
    (
        *_both(Case("second-order", 32, 4, 1, 100, 64)),
        *_both(Case("ntm", 64, 9, 8, 40, 32, targets=NTM)),
        *_both(Case("stack", 40, 8, 4, 100, 32, options={"K": 10})),
        *_both(Case("ctrnn", 32, 2, 1, 100, 64, options={"method": "rk4"})),
    ),
    measure,
)
