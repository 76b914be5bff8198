"""Trees as batches, with a word at each leaf; and what the words below a node predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits


class Tree(NamedTuple):
    """A binary tree, its nodes in an order in which children come before their parents.

    Attributes
    ----------
    words : list of int
        The number of the word of each leaf, -1 for other nodes.
    links : list of tuple of int
        The left and the right child of each node, -1 for none.
    labels : list of int
        The class of each node, -1 where it is not scored.
    """

    words: list[int]
    links: list[tuple[int, int]]
    labels: list[int]

    @classmethod
    def empty(cls) -> Tree:
        """Return a tree without nodes."""
        return cls([], [], [])

    def leaf(self, word: int, label: int = -1) -> int:
        """Append a leaf; return its number."""
        return self._add(word, (-1, -1), label)

    def node(self, left: int, right: int, label: int = -1) -> int:
        """Append a node with two children; return its number."""
        return self._add(-1, (left, right), label)

    def _add(self, word: int, links: tuple[int, int], label: int) -> int:
        self.words.append(word)
        self.links.append(links)
        self.labels.append(label)
        return len(self.words) - 1


def batch_of(trees: Sequence[Tree], vocabulary: int) -> Batch:
    """Return trees as a batch whose inputs are 1 at the word of a leaf and else 0."""
    lengths = np.array([len(tree.words) for tree in trees])
    shape = len(trees), int(lengths.max())
    words, labels = np.full(shape, -1), np.full(shape, -1)
    links = np.full((*shape, 2), -1)
    for row, tree in enumerate(trees):
        words[row, : lengths[row]] = tree.words
        labels[row, : lengths[row]] = tree.labels
        links[row, : lengths[row]] = tree.links
    inputs = (words[:, :, None] == np.arange(vocabulary)).astype(np.float64)
    return Batch(inputs, np.maximum(labels, 0), mask=labels >= 0, lengths=lengths, links=links)


def words_below(batch: Batch) -> np.ndarray:
    """Return the sum (B, T, I) of the inputs of each node and of all nodes below it; a shared one counts each time."""
    assert batch.links is not None
    sums, rows = np.array(batch.inputs, dtype=np.float64), np.arange(batch.size)
    for step in range(batch.steps):
        for link in batch.links[:, step].T:
            sums[:, step] += np.where(link >= 0, 1.0, 0.0)[:, None] * sums[rows, np.maximum(link, 0)]
    return sums


def naive_bayes(splits: Splits, classes: int) -> np.ndarray:
    """Return logits (B, T, classes) of naive Bayes over the words below each node, in any order.

    Source: multinomial naive Bayes with one count added to each word, Manning, Raghavan and Schütze 2008, section 13.2.
    """
    assert splits.test is not None
    scored = splits.train.scored
    below, labels = np.abs(words_below(splits.train)[scored]), splits.train.targets[scored]
    logits = np.zeros((splits.test.size, splits.test.steps, classes))
    counts = words_below(splits.test)
    for label in range(classes):
        words = below[labels == label].sum(axis=0) + 1.0
        share = np.log(max(float((labels == label).mean()), 0.5 / len(labels)))
        logits[:, :, label] = share + counts @ np.log(words / words.sum())
    return logits


def recommended(
    strategy: str, *, trained: Recommended, evolved: str = "recursive", units: int = 6, reservoir: int = 100
) -> Recommended:
    """Return `trained` for gradients, many units for solved readouts, and few ones for the search among weights.

    Units that are drawn and not trained make a reservoir of trees: Gallicchio and Micheli 2013, "Tree echo state networks".
    """
    if strategy == "bptt":
        return trained
    if strategy in ("esn", "evolved-esn"):
        return Recommended({"cell": evolved, "hidden": reservoir, "direct": True, "dtype": "float64"})
    return Recommended({"cell": evolved, "hidden": units})
