"""Recursive networks on random binary trees of different shapes: loss and gradient with a class at every node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.bench.architectures import weights_of
from evorrn.bench.group import Group
from evorrn.bench.results import Row, Target
from evorrn.bench.session import Contender, Session, loss_and_gradient
from evorrn.data.batch import Batch
from evorrn.network.network import Network

PEERS = ("torch_trees",)
WORDS, CLASSES = 30, 5


@dataclass(frozen=True)
class Case:
    """Loss and gradient of one network on trees of `fewest` to `most` leaves; the target of the ratio to the peer."""

    cell: str
    hidden: int
    trees: int
    fewest: int
    most: int
    target: float

    @property
    def name(self) -> str:
        """What the row is asked for by."""
        return self.cell

    @property
    def title(self) -> str:
        """Sizes of the row."""
        return f"{self.cell} H {self.hidden}, {self.trees} trees of {self.fewest} to {self.most} leaves"


def workload(case: Case) -> tuple[Network, np.ndarray, Batch]:
    """Return the network, a genome and the batch of a case, in float32; a leaf has one of 30 words."""
    rng = np.random.default_rng(0)
    network = Network(WORDS, CLASSES, cell=case.cell, hidden=case.hidden, loss="cross-entropy")
    shapes = [_tree(rng, int(n)) for n in rng.integers(case.fewest, case.most + 1, case.trees)]
    lengths = np.array([len(shape) for shape in shapes])
    links = np.full((case.trees, int(lengths.max()), 2), -1)
    for row, shape in enumerate(shapes):
        links[row, : len(shape)] = shape
    words = np.where((links < 0).all(axis=2), rng.integers(0, WORDS, links.shape[:2]), -1)
    inputs = (words[:, :, None] == np.arange(WORDS)).astype(np.float32)
    labels = rng.integers(0, CLASSES, links.shape[:2])
    return network, network.init(rng=rng), Batch(inputs, labels, lengths=lengths, links=links)


def _tree(rng: np.random.Generator, leaves: int) -> list[tuple[int, int]]:
    """Return the children of each node of a random tree; they come before it."""
    if leaves == 1:
        return [(-1, -1)]
    left = int(rng.integers(1, leaves))
    first, second = _tree(rng, left), _tree(rng, leaves - left)
    moved = [(a + len(first), b + len(first)) if a >= 0 else (a, b) for a, b in second]
    return [*first, *moved, (len(first) - 1, len(first) + len(second) - 1)]


def measure(case: Case, session: Session) -> Row:
    """Time loss and gradient, ours and the peers'."""
    network, genome, batch = workload(case)
    weights = weights_of(network, genome)
    ours = Contender(
        "evorrn",
        lambda: network.loss_and_gradient(genome, batch),
        lambda: loss_and_gradient(network, genome, batch),
    )
    session.settle(ours.call)
    targets = dict.fromkeys(PEERS, Target(at_least=case.target))
    return session.against(case, ours, lambda peer: peer.gradient(weights, batch), targets)


GROUP = Group(
    "trees",
    "loss and gradient of one recursive network on trees, in a run of some seconds, float32",
    (Case("recursive", 25, 256, 5, 40, 3.5), Case("rntn", 25, 256, 5, 40, 2.5)),
    measure,
)
