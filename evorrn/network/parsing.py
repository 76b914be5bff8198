"""Greedy parsing: which neighbours belong together, by a score that a network of trees has learned."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import ConfigError, DataError, ShapeError
from evorrn.data.arrays import numeric

if TYPE_CHECKING:
    from evorrn.network.network import Network


def parse(
    network: Network, genome: np.ndarray, inputs: np.ndarray, output: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tree that a network builds over a sequence, joining at each time the neighbours with the highest score.

    The score of a node is one of the network's outputs there: train the network on nodes that are right and nodes that are
    wrong, for instance with ``binary-cross-entropy`` and one output.

    Parameters
    ----------
    network : Network
        Its cell has two predecessors.
    genome : ndarray, shape (n,)
    inputs : ndarray, shape (W, I)
        The inputs of the leaves; those of other nodes are zero.
    output : int
        Which output is the score.

    Returns
    -------
    links : ndarray of int64, shape (2 W - 1, 2)
        The children of each node, -1 for the W leaves, which come first; the last node is the root.
    scores : ndarray, shape (2 W - 1,)
        The score of each node.

    Raises
    ------
    ConfigError
        When the cell of the network has not two predecessors, or there is no such output.
    ShapeError
        When genome or inputs have a wrong shape.
    DataError
        When an input is not finite.

    Notes
    -----
    Source: Socher, Lin, Ng and Manning 2011, "Parsing natural scenes and natural language with recursive neural networks",
    section 3.3. Of equal scores the first pair is joined. Deviation: the score is trained with any loss of the network, not
    with the structured margin of section 3.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> from evorrn import trees
    >>> network = evorrn.Network(inputs=2, outputs=1, cell="recursive", hidden=3, loss="binary-cross-entropy")
    >>> links, scores = trees.parse(network, network.init(seed=0), np.eye(2)[[0, 1, 1]])
    >>> links.shape, int(links[-1].max())
    ((5, 2), 3)
    """
    if network.step.arity != 2:
        raise ConfigError(f"parse: expected a cell with two predecessors, got {network.cell.name}")
    if isinstance(output, bool) or output not in range(network.outputs):
        raise ConfigError(f"output: expected a number from 0 to {network.outputs - 1}, got {output!r}")
    leaves = numeric("inputs", inputs)
    if leaves.ndim != 2 or leaves.shape[1] != network.inputs or not len(leaves):
        raise ShapeError(f"inputs: expected shape (W, {network.inputs}), got {leaves.shape}")
    if not np.isfinite(leaves).all():
        raise DataError("inputs: expected finite numbers")
    links, roots = [(-1, -1)] * len(leaves), list(range(len(leaves)))
    while True:
        pairs = list(itertools.pairwise(roots))
        nodes = np.array([*links, *pairs])
        x = np.zeros((1, len(nodes), network.inputs))
        x[0, : len(leaves)] = leaves
        scores = network.predict(genome, x, links=nodes[None])[0, :, output]
        if not pairs:
            return nodes, scores
        best = int(np.argmax(scores[len(links) :]))
        roots[best : best + 2] = [len(links)]
        links.append(pairs[best])
