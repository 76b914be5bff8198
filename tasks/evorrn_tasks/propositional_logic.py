"""Propositional logic: how the truth tables of two formulas are related, the formulas being read as trees."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.nodes import Tree, batch_of, naive_bayes, recommended

RELATIONS = (
    "equivalence",
    "entailment",
    "reverse entailment",
    "negation",
    "alternation",
    "cover",
    "independence",
)
NOT, AND, OR, VERSUS = range(4)
WORDS = ("not", "and", "or", "versus")
TRIES = 100
"""Pairs that are drawn for a wanted relation before any pair is taken."""


@dataclass(frozen=True)
class PropositionalLogic(Task):
    """Pairs of formulas of up to six variables, whose class is the relation of their truth tables.

    The relations are the seven of natural logic: the first formula is equivalent to the second, entails it or is entailed by
    it, is its negation, is never false together with it (cover) or never true together with it (alternation), or none of these
    (independence). A formula is a variable, ``not f``, ``f and g`` or ``f or g``; the children of a node are ``not`` and
    f, or f and the node of ``and`` and g. The root joins the first formula and the node of the word ``versus`` and the
    second one. The inputs are one word at each leaf; only the root is scored.

    Training has formulas of at most `longest` operators, test of at most `test_longest`, which may be more. Wanted
    relations are drawn uniformly, and a pair is drawn again until it has the wanted one, up to 100 times: relations of
    small truth tables would be rare otherwise. No formula is always true or always false. A network needs a cell with two
    predecessors.

    Source: Bowman, Potts and Manning 2015, "Recursive neural networks can learn logical semantics", section 4.
    Deviations: there the two formulas are read by one network and compared by a layer with weights of its own; here the
    word ``versus`` and the same cell join them. There the pairs are 60,000, in their natural frequencies.
    """

    name = "propositional-logic"
    loss = "cross-entropy"
    metrics = ("accuracy", "cross_entropy")
    arity = 2

    variables: int = setting(3, "variables", minimum=1, maximum=6)
    longest: int = setting(
        2, "operators of the longest formula in training and validation", minimum=0, maximum=12
    )
    test_longest: int = setting(2, "operators of the longest formula in test", minimum=0, maximum=12)
    train: int = setting(1000, "training pairs", minimum=2)
    valid: int = setting(300, "validation pairs", minimum=1)
    test: int = setting(300, "test pairs", minimum=1)

    @property
    def inputs(self) -> int:
        """Operators and variables."""
        return len(WORDS) + self.variables

    @property
    def outputs(self) -> int:
        """The relations."""
        return len(RELATIONS)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Operators, then variables."""
        return (*WORDS, *"abcdef"[: self.variables])

    @property
    def output_names(self) -> tuple[str, ...]:
        """The relations."""
        return RELATIONS

    def data(self, seed: int) -> Splits:
        """Return pairs drawn from the seed."""
        return Splits(
            self._batch(generator(seed, 0), self.train, self.longest),
            self._batch(generator(seed, 1), self.valid, self.longest),
            self._batch(generator(seed, 2), self.test, self.test_longest),
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the class frequencies, and naive Bayes over the words of both formulas."""
        return {
            "class frequencies": baselines.class_frequencies(splits, self.outputs),
            "naive Bayes over words": naive_bayes(splits, self.outputs),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a tensor network for gradients, as in the paper."""
        trained = Recommended({"cell": "rntn", "hidden": 12}, {"batch_size": 25, "rate": 0.01})
        return recommended(strategy, trained=trained)

    def _batch(self, rng: np.random.Generator, count: int, longest: int) -> Batch:
        trees = []
        for _ in range(count):
            wanted = int(rng.integers(len(RELATIONS)))
            for _ in range(TRIES):
                tree = Tree.empty()
                first, left = self._formula(rng, tree, int(rng.integers(longest + 1)))
                versus = tree.leaf(VERSUS)
                second, right = self._formula(rng, tree, int(rng.integers(longest + 1)))
                relation = relation_of(left, right, self._all)
                if relation == wanted:
                    break
            tree.node(first, tree.node(versus, second), relation)
            trees.append(tree)
        return batch_of(trees, self.inputs)

    @property
    def _all(self) -> int:
        """The truth table of a formula that is always true, one bit for each assignment."""
        return (1 << (1 << self.variables)) - 1

    def _formula(self, rng: np.random.Generator, tree: Tree, operators: int) -> tuple[int, int]:
        """Append a formula with a number of operators; return its node and its truth table, neither 0 nor all ones."""
        count = len(tree.words)
        while True:
            node, table = self._grow(rng, tree, operators)
            if table not in (0, self._all):
                return node, table
            del tree.words[count:], tree.links[count:], tree.labels[count:]

    def _grow(self, rng: np.random.Generator, tree: Tree, operators: int) -> tuple[int, int]:
        if operators == 0:
            variable = int(rng.integers(self.variables))
            return tree.leaf(len(WORDS) + variable), table_of(variable, self.variables)
        operator = int(rng.integers(3))
        if operator == NOT:
            word = tree.leaf(NOT)
            node, table = self._grow(rng, tree, operators - 1)
            return tree.node(word, node), self._all & ~table
        share = int(rng.integers(operators))
        left, first = self._grow(rng, tree, share)
        word = tree.leaf(operator)
        right, second = self._grow(rng, tree, operators - 1 - share)
        return tree.node(left, tree.node(word, right)), first & second if operator == AND else first | second


@functools.cache
def table_of(variable: int, variables: int) -> int:
    """Return the truth table of a variable, one bit for each assignment."""
    return sum((case >> variable & 1) << case for case in range(1 << variables))


def relation_of(first: int, second: int, everything: int) -> int:
    """Return the relation of two truth tables, a number of `RELATIONS`."""
    if first == second:
        return 0
    if first & ~second == 0:
        return 1
    if second & ~first == 0:
        return 2
    apart, together = first & second == 0, first | second == everything
    return 3 if apart and together else 4 if apart else 5 if together else 6
