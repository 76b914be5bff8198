"""List operations: the value of nested lists of digits, read as trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.nodes import Tree, batch_of, naive_bayes, recommended

OPERATORS = ("max", "min", "med", "sum")
DIGITS = 10


@dataclass(frozen=True)
class ListOperations(Task):
    """Nested lists such as ``max 2 9 (min 4 7)``, whose value, a digit, is the class of the tree.

    The operators are the largest, the smallest, the median (of an even number the lower middle one), and the sum modulo
    10, of 2 to `arguments` parts, each a digit or, with a chance of a quarter, another list, to a depth of `depth`. A list
    is read from the left: its operator and its first part are the children of a node, this node and the second part those
    of the next, and so on; the last node is that of the list. The inputs are one of 14 words at each leaf. Scored are the
    values of all lists in training, and that of the whole tree in validation and test; those have trees of their own
    random streams. A step is a node, and a network needs a cell with two predecessors.

    Source: Nangia and Bowman 2018, "ListOps: a diagnostic dataset for latent tree learning", section 3. Deviations: lists
    have no closing bracket, at most three parts and a depth of three by default (five and twenty there), and values of
    inner lists are trained on too.
    """

    name = "list-operations"
    loss = "cross-entropy"
    metrics = ("accuracy", "cross_entropy")
    arity = 2

    depth: int = setting(3, "lists inside one another", minimum=1, maximum=12)
    arguments: int = setting(3, "most parts of a list", minimum=2, maximum=8)
    operators: int = setting(
        4, "how many of the operators max, min, med, sum there are", minimum=1, maximum=4
    )
    train: int = setting(500, "training trees", minimum=2)
    valid: int = setting(200, "validation trees", minimum=1)
    test: int = setting(200, "test trees", minimum=1)

    @property
    def inputs(self) -> int:
        """Digits and operators."""
        return DIGITS + self.operators

    @property
    def outputs(self) -> int:
        """The digits."""
        return DIGITS

    @property
    def input_names(self) -> tuple[str, ...]:
        """Digits, then operators."""
        return (*map(str, range(DIGITS)), *OPERATORS[: self.operators])

    @property
    def output_names(self) -> tuple[str, ...]:
        """The digits."""
        return tuple(map(str, range(DIGITS)))

    def data(self, seed: int) -> Splits:
        """Return trees drawn from the seed."""
        train, valid, test = (
            self._batch(seed, place, count) for place, count in enumerate((self.train, self.valid, self.test))
        )
        return Splits(train, valid, test)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the class frequencies, and naive Bayes over the words of the tree."""
        return {
            "class frequencies": baselines.class_frequencies(splits, self.outputs),
            "naive Bayes over words": naive_bayes(splits, self.outputs),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a tree-LSTM for gradients, which can hold an operator and the value so far."""
        trained = Recommended({"cell": "tree-lstm", "hidden": 24}, {"batch_size": 25, "rate": 0.01})
        return recommended(strategy, trained=trained)

    def _batch(self, seed: int, place: int, count: int) -> Batch:
        """Return training (0), validation (1) or test (2)."""
        rng = generator(seed, place)
        trees = []
        for _ in range(count):
            tree = Tree.empty()
            self._list(rng, tree, 1)
            if place:
                tree.labels[:-1] = [-1] * (len(tree.labels) - 1)
            trees.append(tree)
        return batch_of(trees, self.inputs)

    def _list(self, rng: np.random.Generator, tree: Tree, depth: int) -> tuple[int, int]:
        """Append a list; return the number of its node, and its value."""
        operator = int(rng.integers(self.operators))
        count = int(rng.integers(2, self.arguments + 1))
        node, values = tree.leaf(DIGITS + operator), []
        for _ in range(count):
            if depth < self.depth and rng.random() < 0.25:
                part, value = self._list(rng, tree, depth + 1)
            else:
                value = int(rng.integers(DIGITS))
                part = tree.leaf(value)
            values.append(value)
            node = tree.node(node, part)
        tree.labels[node] = value = value_of(OPERATORS[operator], values)
        return node, value


def value_of(operator: str, values: list[int]) -> int:
    """Return the value of a list of digits."""
    if operator == "med":
        return sorted(values)[(len(values) - 1) // 2]
    return {"max": max(values), "min": min(values), "sum": sum(values) % DIGITS}[operator]
