"""Palindromes: classes from the reversed string, one wrong symbol in the others, and the exact rate of a baseline."""

import numpy as np
import pytest

import evorrn
from evorrn.training.assessment import score


def strings(task, batch):
    for x, y, scored, steps in zip(batch.inputs, batch.targets, batch.scored, batch.lengths):
        shown = x[:steps].argmax(axis=1).tolist()
        assert shown[-1] == task.symbols and scored.sum() == 1 and scored[steps - 1]
        yield shown[:-1], int(y[steps - 1])


@pytest.mark.parametrize(("letters", "centre"), [(2, True), (2, False), (5, True), (5, False)])
def test_the_class_says_whether_the_string_is_its_own_reverse(letters, centre):
    task = evorrn.task("palindromes", letters=letters, centre=centre, test_longest=15)
    answers = []
    for batch in task.data(1):
        for string, answer in strings(task, batch):
            assert answer == (string == string[::-1])
            half = len(string) // 2
            assert (len(string) % 2 == 1) == centre and (not centre or string[half] == letters)
            wrong = [k for k in range(half) if string[k] != string[-1 - k]]
            same = sorted(string[:half]) == sorted(string[-half:])
            assert len(wrong) == 0 if answer else (len(wrong) == 2 and same) or len(set(string[:half])) == 1
            answers.append(answer)
    assert abs(np.mean(answers) - 0.5) < 0.06


@pytest.mark.parametrize("centre", [True, False])
def test_counts_tell_nothing_of_longer_strings(centre):
    """Replacing one symbol would make a count odd, so that one bit of memory were enough; an exchange does not."""
    task = evorrn.task("palindromes", centre=centre, test=2000)
    splits = task.data(0)
    right, by_ends = [], []
    for string, answer in strings(task, splits.test):
        counts = [[string[start::2].count(letter) for letter in range(2)] for start in (0, 1)]
        fits = all(n % 2 == 0 for row in counts for n in row) if centre else counts[0] == counts[1]
        assert fits or not answer
        right.append(fits == answer)
        by_ends.append((string[0] == string[-1]) == answer)
    for name, rate in (("counts at odd and even places", right), ("first symbol and last", by_ends)):
        found = score(task.baselines(splits)[name], splits.test, ["accuracy"], None)["accuracy"]
        assert found == np.mean(rate) and found < 0.6


def test_every_pair_of_places_is_exchanged():
    task = evorrn.task("palindromes", letters=20, shortest=5, longest=5, train=3000)
    pairs = {}
    for string, answer in strings(task, task.data(0).train):
        wrong = tuple(k for k in range(5) if string[k] != string[-1 - k])
        if not answer:
            pairs[wrong] = pairs.get(wrong, 0) + 1
    even = [(0, 2), (0, 4), (1, 3), (2, 4)]
    assert set(even) <= set(pairs) and sum(pairs[pair] for pair in even) > 0.99 * sum(pairs.values())
    assert max(pairs[pair] for pair in even) < 1.4 * min(pairs[pair] for pair in even)


def test_the_shortest_strings_differ_too():
    task = evorrn.task("palindromes", shortest=1, longest=1, train=200)
    for string, answer in strings(task, task.data(0).train):
        assert (string[0] == string[-1]) == answer
