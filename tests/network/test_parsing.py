"""Greedy parsing against a search in plain NumPy, and a score that is learned from right and wrong nodes."""

import itertools

import numpy as np
import pytest
from naive_linked import outputs

import evorrn
from evorrn import trees
from evorrn.base.errors import ConfigError, DataError, ShapeError


def greedy(network, genome, leaves, output):
    """Return the tree as nested tuples of leaves, from the outputs of every pair of neighbours on its own."""

    def score(tree):
        words, links = [], []

        def add(part):
            to = (-1, -1) if isinstance(part, int) else tuple(add(each) for each in part)
            words.append(leaves[part] if isinstance(part, int) else np.zeros(network.inputs))
            links.append(to)
            return len(links) - 1

        add(tree)
        x = np.array(words)[None]
        return outputs(network, genome, x, [len(links)], np.array(links)[None])[0][0, -1, output]

    parts = list(range(len(leaves)))
    while len(parts) > 1:
        scores = [score(pair) for pair in itertools.pairwise(parts)]
        best = int(np.argmax(scores))
        parts[best : best + 2] = [(parts[best], parts[best + 1])]
    return parts[0]


def nested(links, node):
    return int(node) if links[node, 0] < 0 else tuple(nested(links, child) for child in links[node])


@pytest.mark.parametrize("cell", ["recursive", "rntn", "tree-lstm"])
@pytest.mark.parametrize("words", [1, 2, 7])
def test_the_highest_score_is_joined_first(cell, words):
    rng = np.random.default_rng([words, len(cell)])
    network = evorrn.Network(3, 2, cell=cell, hidden=4, dtype="float64")
    genome = network.init(rng=rng) + 0.5 * rng.standard_normal(network.size)
    leaves = rng.standard_normal((words, 3))
    for output in (0, 1):
        links, scores = trees.parse(network, genome, leaves, output)
        assert links.shape == (2 * words - 1, 2) and scores.shape == (2 * words - 1,)
        assert nested(links, len(links) - 1) == greedy(network, genome, leaves, output)


def test_a_learned_score_finds_the_brackets_of_unseen_sequences():
    """Pairs of a and b belong together first, then these pairs."""
    rng = np.random.default_rng(0)
    network = evorrn.Network(2, 1, cell="recursive", hidden=6, loss="binary-cross-entropy", dtype="float64")
    symbols, links, targets = [], [], []
    for _ in range(60):
        words = rng.integers(0, 2, 4)
        symbols.append([*words, -1, -1, -1])
        first, second = (0, 1), (2, 3)
        links.append([(-1, -1)] * 4 + [first, second, (4, 5)])
        targets.append([0] * 4 + [float(words[a] == 0 and words[b] == 1) for a, b in (first, second)] + [1.0])
    x = (np.array(symbols)[:, :, None] == np.arange(2)).astype(float)
    mask = np.tile(np.arange(7) > 3, (60, 1)) & (np.arange(7) < 6)
    batch = evorrn.Batch(x, np.array(targets)[:, :, None], mask=mask, links=np.array(links))
    result = evorrn.BPTT(rate=0.05).fit(network, batch, seed=0, budget="4M")
    found, _ = trees.parse(network, result.genome, np.eye(2)[[0, 0, 1, 1]])  # a (a b) b
    assert found[4].tolist() == [1, 2]


def test_what_cannot_be_parsed_is_told():
    network = evorrn.Network(2, 1, cell="recursive", hidden=2)
    genome = network.init(seed=0)
    with pytest.raises(ConfigError, match="output: expected a number from 0 to 0, got 1"):
        trees.parse(network, genome, np.ones((3, 2)), output=1)
    with pytest.raises(ShapeError, match=r"inputs: expected shape \(W, 2\), got \(3, 1\)"):
        trees.parse(network, genome, np.ones((3, 1)))
    with pytest.raises(DataError, match="inputs: expected finite numbers"):
        trees.parse(network, genome, np.array([[1, 0], [0, np.nan]]))
    chain = evorrn.Network(2, 1)
    with pytest.raises(ConfigError, match="two predecessors, got elman"):
        trees.parse(chain, chain.init(seed=0), np.ones((3, 2)))
