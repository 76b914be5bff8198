"""Graph walk: a random graph is shown edge by edge, and then the nodes of a walk through it are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Splits
from evorrn_tasks.common.examples import Example
from evorrn_tasks.common.growing import BitSequences


@dataclass(frozen=True)
class GraphWalk(BitSequences):
    """The edges of a random graph in random order, then a start and the labels of a walk, whose nodes must be given.

    Each node has a name, a random number of `bits` bits that differs from all others, and from each node there is one edge
    of each label, to a node that is drawn uniformly, itself included. Inputs are the name of the node an edge comes from (`bits`
    channels), its label (one-hot), the name of the node it leads to (`bits` channels), and a channel that is 1 during the walk.
    First comes a step for each edge, with all three; then one with the name of the start alone; then one for each step of the
    walk, with its label alone, drawn uniformly. The targets of these last steps are the names of the nodes that the
    walk reaches, and they alone are scored. So a network must find an edge by two of its parts, and go on from the
    third. How often a bit is 1 in the names that edges lead to tells something without any walk; a baseline says how much.

    Lengths count the steps of a walk; they are uniform from `shortest` to `longest` in training and validation, and beyond
    in test, through graphs of `nodes` nodes there and of `test_nodes` nodes in test. Training, validation and test have
    separate random streams.

    Source: Graves et al. 2016, "Hybrid computing using a neural network with dynamic external memory", the traversal of
    random graphs. Deviations: small graphs in which every walk is possible, binary names, no steps for planning, a fixed
    set of training sequences.
    """

    name = "graph-walk"

    bits: int = setting(4, "bits of a node's name", minimum=1, maximum=30)
    labels: int = setting(2, "labels, one edge of each from every node", minimum=1)
    nodes: int = setting(3, "nodes of a graph in training and validation", minimum=1)
    test_nodes: int = setting(3, "nodes of a graph in test", minimum=1)
    longest: int = setting(5, "largest number of steps in training and validation", minimum=1)
    test_longest: int = setting(10, "largest number of steps in test", minimum=1)

    @property
    def inputs(self) -> int:
        """Number of inputs: two names, the labels, and the mark of the walk."""
        return 2 * self.bits + self.labels + 1

    @property
    def outputs(self) -> int:
        """Number of outputs: the bits of a name."""
        return self.bits

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, more nodes than names included."""
        found = super().problems()
        for name, count in (("nodes", self.nodes), ("test_nodes", self.test_nodes)):
            if not found and count > 2**self.bits:
                found.append(
                    f"{name}: expected at most {2**self.bits}, the names of {self.bits} bits, got {count}"
                )
        return found

    def steps(self, length: int) -> int:
        """Return the largest number of time steps: the edges, the start and the walk."""
        return max(self.nodes, self.test_nodes) * self.labels + 1 + length

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return bits by their frequency in training, and by that in the names that the shown edges lead to."""
        assert splits.test is not None
        ends = slice(self.bits + self.labels, 2 * self.bits + self.labels)
        shown = splits.test.inputs[:, :, -1:] == 0
        votes = np.cumsum(np.where(shown, 2.0 * splits.test.inputs[:, :, ends] - 1.0, 0.0), axis=1)
        return {**super().baselines(splits), "more frequent bits of the graph": votes}

    def draw(self, rng: np.random.Generator, length: int) -> Example:
        """Return a graph of training with a walk of `length` steps."""
        return self._example(rng, length, self.nodes)

    def draw_test(self, rng: np.random.Generator, length: int) -> Example:
        """Return a graph of test with a walk of `length` steps."""
        return self._example(rng, length, self.test_nodes)

    def _example(self, rng: np.random.Generator, length: int, nodes: int) -> Example:
        """Return a graph with a walk."""
        numbers = rng.choice(2**self.bits, nodes, replace=False)
        names = (numbers[:, None] >> np.arange(self.bits)) & 1
        leads_to = rng.integers(0, nodes, (nodes, self.labels))
        edges, labels = nodes * self.labels, np.eye(self.labels)
        inputs = np.zeros((edges + 1 + length, self.inputs))
        source, label, target, walking = np.split(
            inputs, [self.bits, self.bits + self.labels, 2 * self.bits + self.labels], axis=1
        )
        order = rng.permutation(edges)
        source[:edges] = names[order // self.labels]
        label[:edges] = labels[order % self.labels]
        target[:edges] = names[leads_to.ravel()[order]]
        here, taken = int(rng.integers(0, nodes)), rng.integers(0, self.labels, length)
        source[edges], label[edges + 1 :], walking[edges:] = names[here], labels[taken], 1.0
        targets = np.full((len(inputs), self.bits), np.nan)
        for step, choice in enumerate(taken):
            here = int(leads_to[here, choice])
            targets[edges + 1 + step] = names[here]
        return Example(inputs, targets, np.arange(len(inputs)) > edges)
