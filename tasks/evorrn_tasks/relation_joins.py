"""Joins of relations: how two sets are related, learned from other pairs of the same sets."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Reference, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.nodes import Tree, batch_of, naive_bayes, recommended
from evorrn_tasks.propositional_logic import RELATIONS, relation_of

CONDITIONS = "80 terms, networks of 15 units with a comparison layer of 75"


@dataclass(frozen=True)
class RelationJoins(Task):
    """Pairs of named sets, whose class is one of the seven relations of natural logic; unseen pairs follow from seen ones.

    The sets are random subsets of `elements` things, neither empty nor all of them, each element in a set with probability
    one half; a network knows only their names. A pair is a tree of two leaves, its inputs one of `terms` names at each. All
    ordered pairs are divided at random: half for training, a tenth of the others for validation, the rest for test. Of
    those only the pairs stay whose relation follows from two pairs of training: the relation of a to b and that of b to c
    leave a single one of a to c. A network needs a cell with two predecessors.

    Source: Bowman, Potts and Manning 2015, "Recursive neural networks can learn logical semantics", section 3. Deviation:
    there test pairs follow from training by any number of such steps. The cells ``tensor-comparison`` and ``comparison``
    are the networks of the paper.
    """

    name = "relation-joins"
    loss = "cross-entropy"
    metrics = ("accuracy", "cross_entropy")
    arity = 2
    outputs = len(RELATIONS)
    output_names = RELATIONS
    references = (
        Reference(
            0.940, "accuracy", f"plain network, {CONDITIONS}", "Bowman, Potts and Manning 2015, table 3"
        ),
        Reference(
            0.996, "accuracy", f"tensor network, {CONDITIONS}", "Bowman, Potts and Manning 2015, table 3"
        ),
    )

    terms: int = setting(80, "named sets", minimum=12, maximum=200)
    elements: int = setting(7, "things that a set may hold", minimum=2, maximum=12)

    @property
    def inputs(self) -> int:
        """The names."""
        return self.terms

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets."""
        return 3 * self.terms**2 * (self.terms + 1)

    def data(self, seed: int) -> Splits:
        """Return pairs of sets drawn from the seed."""
        rng = generator(seed, 0)
        everything = (1 << self.elements) - 1
        sets = rng.integers(1, everything, self.terms)
        relations = np.array([[relation_of(int(a), int(b), everything) for b in sets] for a in sets])
        order = rng.permutation(self.terms**2)
        half = len(order) // 2
        known = np.full(self.terms**2, -1)
        known[order[:half]] = relations.ravel()[order[:half]]
        certain = followed(known.reshape(relations.shape), self.elements).ravel()
        rest = [pair for pair in order[half:] if certain[pair] >= 0]
        valid = max(1, len(rest) // 10)
        parts = order[:half], rest[:valid], rest[valid:]
        train, valid_batch, test = (self._batch(part, relations) for part in parts)
        return Splits(train, valid_batch, test)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the class frequencies, and naive Bayes over the two names."""
        return {
            "class frequencies": baselines.class_frequencies(splits, self.outputs),
            "naive Bayes over names": naive_bayes(splits, self.outputs),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return a tensor network for gradients, the better one of the paper."""
        trained = Recommended(
            {"cell": "tensor-comparison", "hidden": 75},
            {"batch_size": 100, "rate": 0.01, "weight_decay": 0.3},
        )
        return recommended(strategy, trained=trained)

    def _batch(self, pairs: list[int] | np.ndarray, relations: np.ndarray) -> Batch:
        trees = []
        for first, second in (divmod(int(pair), self.terms) for pair in pairs):
            tree = Tree.empty()
            tree.node(tree.leaf(first), tree.leaf(second), int(relations[first, second]))
            trees.append(tree)
        return batch_of(trees, self.terms)


def followed(known: np.ndarray, elements: int) -> np.ndarray:
    """Return the relations (N, N) that two known ones leave as the only possible ones, -1 where there are none."""
    table, found = joins(elements), np.full(known.shape, -1)
    for between in range(len(known)):
        first, second = known[:, between], known[between]
        both = (first[:, None] >= 0) & (second >= 0)
        joined = np.where(both, table[first[:, None], second], -1)
        found = np.where(joined >= 0, joined, found)
    return found


@cache
def joins(elements: int) -> np.ndarray:
    """Return the join (7, 7) of two relations: the only relation that they leave, or -1 where they leave several.

    An element is in or out of each of three sets, which makes eight kinds of elements. The relations of the sets depend
    only on which kinds there are, of which at most `elements`; all such choices are tried.
    """
    possible: dict[tuple[int, int], set[int]] = {}
    for kinds in itertools.chain(*(itertools.combinations(range(8), n) for n in range(1, elements + 1))):
        everything = (1 << len(kinds)) - 1
        a, b, c = (sum((kind >> place & 1) << k for k, kind in enumerate(kinds)) for place in range(3))
        if not {a, b, c} & {0, everything}:
            first, second, third = (relation_of(*pair, everything) for pair in ((a, b), (b, c), (a, c)))
            possible.setdefault((first, second), set()).add(third)
    table = np.full((len(RELATIONS), len(RELATIONS)), -1)
    for (first, second), results in possible.items():
        table[first, second] = next(iter(results)) if len(results) == 1 else -1
    return table
