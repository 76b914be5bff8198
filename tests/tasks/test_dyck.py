"""Dyck words: membership by reduction, all words equally often, and targets from a list used as a stack."""

import itertools
import re
from collections import Counter
from math import comb

import numpy as np
import pytest

import evorrn
from evorrn.training.assessment import score


def words(batch, names):
    for x, steps in zip(batch.inputs, batch.lengths):
        assert (x[:steps].sum(axis=1) == 1).all()
        yield "".join(names[place] for place in x[:steps].argmax(axis=1))


def balanced(word):
    """Return whether a word becomes empty when neighbouring pairs are taken out again and again."""
    while True:
        shorter = re.sub(r"\(\)|\[\]|\{\}|<>", "", word)
        if shorter == word:
            return word == ""
        word = shorter


@pytest.mark.parametrize("kinds", [1, 2, 3, 4])
def test_words_are_balanced_and_targets_are_the_closings_that_keep_them_so(kinds):
    """By brute force: a closing bracket may follow a prefix when the prefix reduces to one that ends in its opening."""
    task = evorrn.task("dyck", kinds=kinds, longest=6, test_longest=9, train=40, valid=20, test=30)
    for batch in task.data(5):
        for word, targets, scored in zip(words(batch, task.input_names), batch.targets, batch.scored):
            assert balanced(word) and scored.sum() == len(word)
            for step in range(len(word)):
                prefix = word[: step + 1]
                for kind in range(kinds):
                    opening, closing = task.input_names[2 * kind : 2 * kind + 2]
                    reduced = prefix
                    while (shorter := re.sub(r"\(\)|\[\]|\{\}|<>", "", reduced)) != reduced:
                        reduced = shorter
                    assert targets[step, kind] == (reduced[-1:] == opening), (prefix, closing)


def test_all_arrangements_of_a_length_are_equally_likely():
    """The number of arrangements of n pairs is the Catalan number, and chi squared is what chance gives."""
    for pairs in (3, 4):
        task = evorrn.task("dyck", kinds=1, shortest=pairs, longest=pairs, test_longest=9, train=4200)
        counts = Counter(words(task.data(0).train, task.input_names))
        every = {
            "".join(word) for word in itertools.product("()", repeat=2 * pairs) if balanced("".join(word))
        }
        catalan = comb(2 * pairs, pairs) // (pairs + 1)
        assert set(counts) == every and len(every) == catalan
        expected = 4200 / catalan
        chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
        assert chi_squared < catalan - 1 + 4 * (2 * (catalan - 1)) ** 0.5


def test_kinds_are_equally_likely():
    batch = evorrn.task("dyck", kinds=4).data(0).train
    opened = batch.inputs.sum(axis=(0, 1))[::2]
    assert np.ptp(opened) < 0.1 * opened.mean()


@pytest.mark.parametrize("kinds", [1, 3])
def test_a_stack_solves_the_task_and_the_baselines_do_not(kinds):
    task = evorrn.task("dyck", kinds=kinds)
    splits = task.data(2)
    logits = np.full((splits.test.size, splits.test.steps, kinds), -1.0)
    for row, word in enumerate(words(splits.test, task.input_names)):
        stack = []
        for step, bracket in enumerate(word):
            place = task.input_names.index(bracket)
            if place % 2:
                assert stack.pop() == place // 2
            else:
                stack.append(place // 2)
            if stack:
                logits[row, step, stack[-1]] = 1
    assert score(logits, splits.test, task.metrics, None)["exact_match"] == 1
    found = {
        name: score(outputs, splits.test, task.metrics, None)
        for name, outputs in task.baselines(splits).items()
    }
    assert all(values["exact_match"] < 0.05 for values in found.values())
    after, before = (
        found[name]["token_accuracy"] for name in ("frequencies after a bracket", "more frequent bits")
    )
    assert after > before + 0.1 if kinds > 1 else np.isclose(after, before)  # one kind: nearly always open


def test_frequencies_after_a_bracket_are_those_of_training():
    task = evorrn.task("dyck", kinds=2, train=50)
    splits = task.data(0)
    seen = {}
    for x, y, steps in zip(splits.train.inputs, splits.train.targets, splits.train.lengths):
        for step in range(steps):
            seen.setdefault(int(x[step].argmax()), []).append(y[step].tolist())
    logits = task.baselines(splits)["frequencies after a bracket"]
    for x, out, steps in zip(splits.test.inputs, logits, splits.test.lengths):
        for step in range(0, steps, 7):
            bits = seen[int(x[step].argmax())]
            ones = [sum(row[o] for row in bits) + 0.5 for o in range(2)]
            wanted = [np.log(one / (len(bits) + 1 - one)) for one in ones]
            assert np.allclose(out[step], wanted)
