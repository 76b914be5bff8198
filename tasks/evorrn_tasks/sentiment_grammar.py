"""A sentiment grammar: phrases with negation, emphasis and contrast, whose sentiment follows from exact rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.nodes import Tree, batch_of, naive_bayes, recommended

ADJECTIVES = {
    -2: ("awful", "dreadful", "terrible"),
    -1: ("dull", "weak", "slow"),
    0: ("long", "recent", "plain"),
    1: ("nice", "good", "warm"),
    2: ("superb", "great", "brilliant"),
}
WORDS = ("not", "very", "but", "and", *(word for words in ADJECTIVES.values() for word in words))
NOT, VERY, BUT, AND = range(4)
CLASSES = ("very negative", "negative", "neutral", "positive", "very positive")


@dataclass(frozen=True)
class SentimentGrammar(Task):
    """Phrases of adjectives with ``not``, ``very``, ``and`` and ``but``, and the sentiment of each phrase in them.

    The sentiment is a whole number from -2 to 2, the class of every node: that of an adjective is its own; ``very`` makes
    it one step stronger, up to 2, and leaves 0 as it is; ``not`` turns it to one step on the other side, so that both
    ``not superb`` and ``not good`` are -1, and leaves 0 as it is; ``f and g`` has the mean, rounded to the side of the stronger
    one and to 0 when they cancel; ``f but g`` has the sentiment of g. A node has two children: the word and the phrase, or
    the first phrase and the node of ``and`` or ``but`` and the second one. All phrases are scored, and the root alone in
    validation and test. Test may have phrases with more operators than training.

    Bags of words cannot tell ``good but not long`` from ``long but not good``. A network needs a cell with two predecessors.

    The rules are made for this task, after the compositions that Socher et al. 2013, "Recursive deep models for semantic
    compositionality over a sentiment treebank", section 5, analyse: contrast and negation.
    """

    name = "sentiment-grammar"
    loss = "cross-entropy"
    metrics = ("accuracy", "cross_entropy")
    arity = 2
    outputs = len(CLASSES)
    inputs = len(WORDS)
    input_names = WORDS
    output_names = CLASSES

    longest: int = setting(
        4, "operators of the longest phrase in training and validation", minimum=1, maximum=30
    )
    test_longest: int = setting(6, "operators of the longest phrase in test", minimum=1, maximum=30)
    train: int = setting(400, "training phrases", minimum=2)
    valid: int = setting(200, "validation phrases", minimum=1)
    test: int = setting(300, "test phrases", minimum=1)

    def data(self, seed: int) -> Splits:
        """Return phrases drawn from the seed."""
        return Splits(
            self._batch(generator(seed, 0), self.train, self.longest, every=True),
            self._batch(generator(seed, 1), self.valid, self.longest, every=False),
            self._batch(generator(seed, 2), self.test, self.test_longest, every=False),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the class frequencies, and naive Bayes over the words of a phrase."""
        return {
            "class frequencies": baselines.class_frequencies(splits, self.outputs),
            "naive Bayes over words": naive_bayes(splits, self.outputs),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a tensor network for gradients, in which an operator acts on a phrase by multiplication."""
        trained = Recommended({"cell": "rntn", "hidden": 8}, {"batch_size": 25, "rate": 0.01})
        return recommended(strategy, trained=trained)

    def _batch(self, rng: np.random.Generator, count: int, longest: int, every: bool) -> Batch:
        trees = []
        for _ in range(count):
            tree = Tree.empty()
            self._phrase(rng, tree, int(rng.integers(1, longest + 1)))
            if not every:
                tree.labels[:-1] = [-1] * (len(tree.labels) - 1)
            trees.append(tree)
        return batch_of(trees, self.inputs)

    def _phrase(self, rng: np.random.Generator, tree: Tree, operators: int) -> tuple[int, int]:
        """Append a phrase with a number of operators; return its node and its sentiment."""
        if operators == 0:
            word = int(rng.integers(4, len(WORDS)))
            value = (word - 4) // 3 - 2
            return tree.leaf(word, value + 2), value
        operator = int(rng.integers(4))
        if operator in (NOT, VERY):
            leaf = tree.leaf(operator)
            part, value = self._phrase(rng, tree, operators - 1)
            value = changed(operator, value)
            return tree.node(leaf, part, value + 2), value
        share = int(rng.integers(operators))
        left, first = self._phrase(rng, tree, share)
        leaf = tree.leaf(operator)
        right, second = self._phrase(rng, tree, operators - 1 - share)
        value = second if operator == BUT else both(first, second)
        return tree.node(left, tree.node(leaf, right), value + 2), value


def changed(operator: int, value: int) -> int:
    """Return the sentiment of a phrase after ``not`` or ``very``."""
    side = int(np.sign(value))
    return -side if operator == NOT else side * min(2, abs(value) + 1) if value else 0


def both(first: int, second: int) -> int:
    """Return the sentiment of two phrases that ``and`` joins."""
    total = first + second
    return int(np.sign(total)) * -(-abs(total) // 2)
