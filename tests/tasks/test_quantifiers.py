"""The relations of sentences with quantifiers, against integer programs and against what logic says of single pairs."""

import itertools

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

import evorrn
from evorrn_tasks.propositional_logic import RELATIONS
from evorrn_tasks.quantifiers import NOUNS, QUANTIFIERS, VERBS, WORDS, relations, sentences

PLACE = {sentence: place for place, sentence in enumerate(sentences())}


def relation(first, second):
    return RELATIONS[relations()[len(PLACE) * PLACE[first] + PLACE[second]]]


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (("all", "warthogs", "walk"), ("some", "mammals", "move"), "entailment"),
        (("some", "mammals", "move"), ("all", "warthogs", "walk"), "reverse entailment"),
        (("no", "pets", "growl"), ("all", "pets", "not growl"), "equivalence"),
        (("not-all", "pets", "growl"), ("all", "pets", "growl"), "negation"),
        (("most", "turtles", "swim"), ("most", "turtles", "not swim"), "alternation"),
        (("some", "turtles", "swim"), ("some", "turtles", "not swim"), "cover"),
        (("two", "turtles", "swim"), ("three", "warthogs", "walk"), "independence"),
        (("all", "reptiles", "walk"), ("some", "not mammals", "move"), "entailment"),
        (("less-than-two", "pets", "move"), ("less-than-three", "pets", "walk"), "entailment"),
        (("most", "mammals", "walk"), ("most", "warthogs", "walk"), "independence"),
    ],
)
def test_single_pairs_have_the_relation_that_logic_gives(first, second, wanted):
    assert relation(first, second) == wanted


def test_relations_are_those_of_integer_programs_over_all_kinds_of_things():
    """A pair of truths is possible where an integer program over how many things of each kind there are has a solution."""
    rng, names = np.random.default_rng(0), list(PLACE)
    by_relation = [np.flatnonzero(relations() == r) for r in range(7)]
    pairs = [int(rng.choice(by_relation[k % 7])) for k in range(35)]
    for pair in pairs:
        first, second = (names[number] for number in divmod(pair, len(names)))
        possible = {truth: _possible((first, second), truth) for truth in itertools.product((1, 0), repeat=2)}
        wanted = {
            (True, False, False, True): "equivalence",
            (True, False, True, True): "entailment",
            (True, True, False, True): "reverse entailment",
            (False, True, True, False): "negation",
            (False, True, True, True): "alternation",
            (True, True, True, False): "cover",
            (True, True, True, True): "independence",
        }[tuple(possible[truth] for truth in ((1, 1), (1, 0), (0, 1), (0, 0)))]
        assert RELATIONS[relations()[pair]] == wanted, (first, second)


def _possible(pair, truths):
    things = []
    for noun, pet in itertools.product(("", "warthogs", "mammals", "turtles", "reptiles"), ("", "pets")):
        for verb, growls in itertools.product(("", "move", "walk", "swim", "walk and swim"), ("", "growl")):
            is_ = {noun, pet, {"warthogs": "mammals", "turtles": "reptiles"}.get(noun, "")}
            does = {*verb.split(" and "), growls, "move" if verb else ""}
            things.append((is_, does))
    rows, low, high = [], [], []
    for (quantifier, noun, verb), true in zip(pair, truths):
        of = np.array([(noun.split()[-1] in is_) != ("not" in noun) for is_, _ in things])
        do = of & np.array([(verb.split()[-1] in does) != ("not" in verb) for _, does in things])
        negated = {"no": "some", "not-all": "all", "not-most": "most"}
        negated |= {"less-than-two": "two", "less-than-three": "three"}
        true = bool(true) != (quantifier in negated)
        kind = negated.get(quantifier, quantifier)
        rows.append(of.astype(float))  # there is one at least
        low.append(1)
        high.append(np.inf)
        least = {"some": 1, "two": 2, "three": 3}
        if kind in least:
            rows.append(do.astype(float))
            low.append(least[kind] if true else 0)
            high.append(np.inf if true else least[kind] - 1)
        elif kind == "all":
            rows.append((of & ~do).astype(float))
            low.append(0 if true else 1)
            high.append(0 if true else np.inf)
        else:
            rows.append(do.astype(float) - (of & ~do))
            low.append(1 if true else -np.inf)
            high.append(np.inf if true else 0)
    limits = LinearConstraint(np.array(rows), low, high)
    found = milp(np.ones(len(things)), constraints=limits, integrality=1, bounds=Bounds(0, np.inf))
    assert found.status in (0, 2), found.message
    return found.status == 0


def test_pairs_are_drawn_once_and_their_trees_hold_the_words_of_both_sentences():
    task = evorrn.task("quantifiers", train=300, valid=40, test=60)
    splits = task.data(3)
    seen = set()
    for batch in splits:
        for row in range(batch.size):
            length = batch.lengths[row]
            said = [WORDS[word.argmax()] for word in batch.inputs[row, :length] if word.any()]
            starts = [place for place, word in enumerate(said) if word in QUANTIFIERS]
            assert len(starts) == 2 and starts[0] == 0
            pair = tuple(_sentence(part) for part in (said[: starts[1]], said[starts[1] :]))
            assert batch.mask[row].sum() == 1 and batch.mask[row, length - 1]
            assert RELATIONS[batch.targets[row, length - 1]] == relation(*pair)
            assert pair not in seen
            seen.add(pair)
    labels = np.concatenate([batch.targets[batch.mask] for batch in splits])
    assert len(seen) == 400 and (labels == 6).sum() == round(0.354 * 400)


def _sentence(words):
    quantifier, *rest = words
    place = next(k for k, word in enumerate(rest) if word in NOUNS)
    assert rest[-1] in VERBS
    return quantifier, " ".join(rest[: place + 1]), " ".join(rest[place + 1 :])
