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
            wrong = sum(a != b for a, b in zip(string[:half], string[::-1]))
            assert wrong == 1 - answer
            answers.append(answer)
    assert abs(np.mean(answers) - 0.5) < 0.06


def test_the_wrong_symbol_is_anywhere_in_the_second_half():
    task = evorrn.task("palindromes", letters=3, shortest=4, longest=4, train=2000)
    places = np.zeros(4)
    for string, answer in strings(task, task.data(0).train):
        if not answer:
            places[next(k for k in range(4) if string[k] != string[-1 - k])] += 1
    assert np.ptp(places) < 0.25 * places.mean()


def test_first_and_last_symbol_are_right_for_palindromes_and_one_in_n_others():
    task = evorrn.task("palindromes", test_shortest=5, test_longest=5, test=4000, longest=4)
    splits = task.data(0)
    outputs = task.baselines(splits)["first symbol and last"]
    found = score(outputs, splits.test, ["accuracy"], None)["accuracy"]
    assert abs(found - (0.5 + 0.5 / 5)) < 0.03
    by_hand = np.mean([(string[0] == string[-1]) == answer for string, answer in strings(task, splits.test)])
    assert found == by_hand
