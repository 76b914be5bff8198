"""Quantifiers: how the meanings of two sentences such as ``most warthogs (not walk)`` are related, both read as trees."""

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
from evorrn_tasks.propositional_logic import RELATIONS

QUANTIFIERS = (
    "some",
    "no",
    "all",
    "not-all",
    "most",
    "not-most",
    "two",
    "less-than-two",
    "three",
    "less-than-three",
)
NOUNS = ("warthogs", "turtles", "mammals", "reptiles", "pets")
VERBS = ("walk", "swim", "move", "growl")
WORDS = (*QUANTIFIERS, *NOUNS, *VERBS, "not")
THINGS = ((), ("mammals",), ("mammals", "warthogs"), ("reptiles",), ("reptiles", "turtles"))
"""What a thing may be beside a pet: warthogs are mammals, turtles reptiles, and no mammal is a reptile."""
DEEDS = ((), ("move",), ("move", "walk"), ("move", "swim"), ("move", "walk", "swim"))
"""What a thing may do beside growling: who walks or swims moves."""
INDEPENDENT = 0.354
"""The share of independent pairs in the data."""
MOST = 4
"""Things of one kind that a model has at most; more of them make no other pair of truths possible."""


@dataclass(frozen=True)
class Quantifiers(Task):
    """Pairs of sentences of a quantifier, a noun and a verb, whose class is one of the seven relations of natural logic.

    A sentence is ``((quantifier noun) verb)`` with one of ten quantifiers, five nouns and four verbs; a noun and a verb may
    each stand under ``not``. That makes 800 sentences. Two of them are related by what is possible: the first entails the
    second if no model makes the first true and the second false, and so on for the other relations. A model is a number of
    things of each kind. Warthogs are mammals, turtles are reptiles, no mammal is a reptile, any thing may be a pet; what
    walks or swims moves, any thing may growl. As in natural logic there is at least one thing of each noun that is spoken of.

    Of the pairs of the data 35.4 % are independent, the share of the most frequent relation in the paper; among all pairs
    94 % are. The others are drawn evenly from all pairs that are not independent. No pair is drawn twice. The root joins the
    first and the second sentence. The inputs are one word at each leaf, and only the root is scored. A network needs a cell
    with two predecessors.

    Source: Bowman, Potts and Manning 2015, "Recursive neural networks can learn logical semantics", section 5. The cells
    ``tree-comparison`` and ``tensor-tree-comparison`` are the networks of the paper. Deviations: there a calculus finds the
    relations, and pairs on which it is silent are left out; here they follow from all models. The words are those of the data that
    the authors published, and in these quantifiers and nouns are related as here; there who does not swim walks and growls, here not.
    """

    name = "quantifiers"
    loss = "cross-entropy"
    metrics = ("accuracy", "cross_entropy")
    arity = 2
    inputs = len(WORDS)
    outputs = len(RELATIONS)
    input_names = WORDS
    output_names = RELATIONS
    references = (
        Reference(
            0.992,
            "accuracy",
            "plain trees, vectors of 25, comparison layer of 75",
            "Bowman, Potts and Manning 2015",
        ),
        Reference(
            0.997,
            "accuracy",
            "tensor trees, vectors of 25, comparison layer of 75",
            "Bowman, Potts and Manning 2015",
        ),
    )

    train: int = setting(4000, "training pairs", minimum=2, maximum=40_000)
    valid: int = setting(500, "validation pairs", minimum=1, maximum=5000)
    test: int = setting(1000, "test pairs", minimum=1, maximum=5000)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs, links and targets of all pairs, of up to 19 nodes."""
        return 19 * (len(WORDS) + 3) * (self.train + self.valid + self.test)

    def data(self, seed: int) -> Splits:
        """Return pairs drawn from the seed."""
        rng, related = generator(seed, 0), relations()
        count = self.train + self.valid + self.test
        independent = related == RELATIONS.index("independence")
        share = round(INDEPENDENT * count)
        alone = rng.choice(np.flatnonzero(independent), share, replace=False)
        others = rng.choice(np.flatnonzero(~independent), count - share, replace=False)
        pairs = rng.permutation(np.concatenate([alone, others]))
        parts = np.split(pairs, [self.train, self.train + self.valid])
        train, valid, test = (_batch(part, related) for part in parts)
        return Splits(train, valid, test)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the class frequencies, and naive Bayes over the words of both sentences."""
        return {
            "class frequencies": baselines.class_frequencies(splits, self.outputs),
            "naive Bayes over words": naive_bayes(splits, self.outputs),
        }

    def recommended(self, strategy: str) -> Recommended:
        """Return plain trees of the paper for gradients."""
        network = {"cell": "tree-comparison", "hidden": 75, "cell_options": {"D": 25}}
        return recommended(strategy, trained=Recommended(network, {"batch_size": 32, "rate": 0.003}))


def sentences() -> list[tuple[str, str, str]]:
    """Return the 800 sentences as quantifier, noun and verb; a noun or a verb may begin with ``not ``."""
    return list(itertools.product(QUANTIFIERS, _with_not(NOUNS), _with_not(VERBS)))


@cache
def relations() -> np.ndarray:
    """Return the relations (640000,) of all pairs of sentences; pair 800 i + j is that of sentences i and j."""
    nouns = _possible(NOUNS, THINGS, "pets")
    verbs = _possible(VERBS, DEEDS, "growl")
    tables = np.zeros((16, 16, len(QUANTIFIERS), len(QUANTIFIERS)), int)
    for noun, verb in itertools.product(set(nouns.ravel().tolist()), set(verbs.ravel().tolist())):
        tables[noun, verb] = related(noun, verb)
    # Axes (noun, noun, verb, verb, quantifier, quantifier) become (quantifier, noun, verb) of both sentences.
    return tables[nouns[:, :, None, None], verbs].transpose(4, 0, 2, 5, 1, 3).ravel()


def related(nouns: int, verbs: int) -> np.ndarray:
    """Return the relations (10, 10) of two sentences by their quantifiers.

    Parameters
    ----------
    nouns : int
        The kinds of things that there may be, as bits: bit 2 a + b says whether one may be of the first noun (a) and of
        the second (b).
    verbs : int
        The same for the verbs.
    """
    kinds = {
        (first * does, first * (1 - does), second * too, second * (1 - too))
        for first, second, does, too in itertools.product((0, 1), repeat=4)
        if (first or second) and nouns >> (2 * first + second) & verbs >> (2 * does + too) & 1
    }
    counts = np.indices((MOST + 1,) * len(kinds), np.int16).reshape(len(kinds), -1)
    first_do, first_not, second_do, second_not = np.array(sorted(kinds), np.int16).T @ counts
    there = (first_do + first_not > 0) & (second_do + second_not > 0)
    truths = _truths(first_do, first_not), _truths(second_do, second_not)
    first, second = (truth[:, there].astype(np.float32) for truth in truths)
    both, one = first @ second.T > 0, first @ (1 - second).T > 0
    other, neither = (1 - first) @ second.T > 0, (1 - first) @ (1 - second).T > 0
    return np.select(
        [~one & ~other, ~one, ~other, ~both & ~neither, ~both, ~neither], list(range(6)), default=6
    )


def _truths(do: np.ndarray, do_not: np.ndarray) -> np.ndarray:
    """Return whether each quantifier is true (10, N) of N numbers of things of a noun that do and do not."""
    some, every, most, two, three = do > 0, do_not == 0, do > do_not, do >= 2, do >= 3
    return np.array([some, ~some, every, ~every, most, ~most, two, ~two, three, ~three])


def _possible(words: tuple[str, ...], kinds: tuple[tuple[str, ...], ...], free: str) -> np.ndarray:
    """Return, for all pairs of words with and without not, the kinds of things that there may be, as the bits of `related`."""
    every = [(*kind, *more) for kind in kinds for more in ((), (free,))]
    holds = np.array(
        [[(word in kind) != negated for kind in every] for word in words for negated in (False, True)]
    )
    first, second = holds[:, None].astype(int), holds[None].astype(int)
    bits = 1 << (2 * first + second)
    return np.asarray(np.bitwise_or.reduce(bits, axis=2))


def _with_not(words: tuple[str, ...]) -> list[str]:
    return [said for word in words for said in (word, f"not {word}")]


def _batch(pairs: np.ndarray, related: np.ndarray) -> Batch:
    """Return pairs of sentences, by their numbers, as trees with the relation at the root."""
    every, trees = sentences(), []
    for pair in pairs:
        tree = Tree.empty()
        first, second = (_sentence(tree, every[number]) for number in divmod(int(pair), len(every)))
        tree.node(first, second, int(related[pair]))
        trees.append(tree)
    return batch_of(trees, len(WORDS))


def _sentence(tree: Tree, sentence: tuple[str, str, str]) -> int:
    quantifier, noun, verb = sentence
    subject = tree.node(tree.leaf(WORDS.index(quantifier)), _phrase(tree, noun))
    return tree.node(subject, _phrase(tree, verb))


def _phrase(tree: Tree, said: str) -> int:
    """Append a noun or a verb, under ``not`` where it begins so; return its node."""
    word = WORDS.index(said.removeprefix("not "))
    if not said.startswith("not "):
        return tree.leaf(word)
    negation = tree.leaf(WORDS.index("not"))
    return tree.node(negation, tree.leaf(word))
