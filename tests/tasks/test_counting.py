"""Counting: every string is recounted from its inputs, and a hand-written counter predicts all that is certain."""

import re

import numpy as np
import pytest

import evorrn
from evorrn.training.assessment import score

PATTERNS = {"anbn": "a+b+", "anbncn": "a+b+c+", "anbncndn": "a+b+c+d+", "anb2n": "a+b+", "anbmcnm": "a+b+c+"}


def strings(batch, names):
    """Return the strings that a batch shows, and those that it asks for."""
    for x, y, steps in zip(batch.inputs, batch.targets, batch.lengths):
        shown = "".join(names[place] for place in x[:steps].argmax(axis=1))
        yield shown, "".join(names[place] for place in y[:steps])


def belongs(language, word):
    a, b, c, d = (word.count(letter) for letter in "abcd")
    right = {
        "anbn": a == b,
        "anbncn": a == b == c,
        "anbncndn": a == b == c == d,
        "anb2n": b == 2 * a,
        "anbmcnm": c == a + b,
    }
    return re.fullmatch(PATTERNS[language], word) is not None and right[language]


@pytest.mark.parametrize("language", PATTERNS)
def test_every_string_is_of_its_language_and_the_target_is_the_next_symbol(language):
    task = evorrn.task("counting", language=language, longest=7, valid_longest=9, test_longest=12, train=40)
    for batch in task.data(3):
        assert (batch.inputs.sum(axis=2)[np.arange(batch.steps) < batch.lengths[:, None]] == 1).all()
        for shown, wanted in strings(batch, task.input_names):
            assert shown[0] == "#" and wanted[-1] == "#" and shown[1:] == wanted[:-1]
            assert belongs(language, wanted[:-1]), wanted


def words_of(language):
    """Return the words of a language whose counts are 1 to 11, without the end sign."""
    n = range(1, 12)
    return {
        "anbn": ["a" * k + "b" * k for k in n],
        "anbncn": ["a" * k + "b" * k + "c" * k for k in n],
        "anbncndn": ["a" * k + "b" * k + "c" * k + "d" * k for k in n],
        "anb2n": ["a" * k + "bb" * k for k in n],
        "anbmcnm": ["a" * k + "b" * m + "c" * (k + m) for k in n for m in n],
    }[language]


@pytest.mark.parametrize("language", PATTERNS)
def test_scored_are_the_steps_at_which_only_one_symbol_can_follow(language):
    """By brute force: a prefix is scored when it has the first b (or c) and all words that go on agree."""
    task = evorrn.task("counting", language=language, longest=4, valid_longest=4, test_longest=5)
    words = words_of(language)
    words = [word + "#" for word in words]
    batch = task.data(0).test
    for (shown, wanted), scored in zip(strings(batch, task.input_names), batch.scored):
        for step in range(len(shown)):
            prefix = shown[1 : step + 1]
            nexts = {
                word[len(prefix)] for word in words if word.startswith(prefix) and len(word) > len(prefix)
            }
            assert scored[step] == (len(nexts) == 1 and len(prefix) > 0), prefix
            if scored[step]:
                assert nexts == {wanted[step]}


def test_training_sizes_are_random_and_test_has_every_size_once():
    splits = evorrn.task("counting", train=400).data(0)
    n = splits.train.inputs[:, :, 0].sum(axis=1)
    assert set(n) == set(range(1, 20))
    assert abs(n.mean() - 10) < 1
    assert splits.valid.inputs[:, :, 0].sum(axis=1).tolist() == list(range(1, 31))
    assert splits.test.inputs[:, :, 0].sum(axis=1).tolist() == list(range(1, 61))


def test_sums_are_divided_at_random():
    splits = evorrn.task("counting", language="anbmcnm", longest=5, train=300).data(0)
    pairs = {(int(x[:, 0].sum()), int(x[:, 1].sum())) for x in splits.train.inputs}
    assert pairs == {(n, m) for n in range(1, 5) for m in range(1, 5) if n + m <= 5}


@pytest.mark.parametrize("language", PATTERNS)
def test_a_counter_predicts_every_scored_symbol_and_the_baselines_no_whole_string(language):
    """The counter is written here: push for a (twice for b^2n), keep counts, compare."""
    task = evorrn.task("counting", language=language)
    splits = task.data(1)
    batch, names = splits.test, task.input_names
    logits = np.zeros((batch.size, batch.steps, task.outputs))
    for row, (shown, _) in enumerate(strings(batch, names)):
        counts = dict.fromkeys(names, 0)
        for step, symbol in enumerate(shown):
            counts[symbol] += 1
            quota = dict.fromkeys(names, counts["a"])
            if language == "anb2n":
                quota["b"] = 2 * counts["a"]
            if language == "anbmcnm":
                quota |= {"b": 10**6, "c": counts["a"] + counts["b"]}
            full = symbol != "a" and counts[symbol] == quota[symbol]
            nxt = names[names.index(symbol) + 1] if full else symbol
            logits[row, step, names.index(nxt)] = 1
    assert score(logits, batch, task.metrics, None)["exact_match"] == 1
    for outputs in task.baselines(splits).values():
        values = score(outputs, batch, task.metrics, None)
        assert values["exact_match"] == 0 and 0.5 < values["token_accuracy"] < 1


def test_the_same_symbol_again_misses_one_step_for_each_change():
    task = evorrn.task("counting", language="anbncn", test_longest=6)
    splits = task.data(0)
    found = score(task.baselines(splits)["same symbol again"], splits.test, ["token_accuracy"], None)
    by_hand = (
        sum(1 - 2 / (2 * n) for n in range(1, 7)) / 6
    )  # b^n c^n scores 2n symbols, of which two are changes
    assert abs(found["token_accuracy"] - by_hand) < 1e-12


@pytest.mark.parametrize("language", PATTERNS)
def test_asked_for_all_legal_symbols_a_step_wants_those_of_all_words_that_go_on(language):
    """By brute force, over more words than are drawn; inputs and targets as those of outputs between -2 and 2."""
    task = evorrn.task(
        "counting", language=language, asked="legal", longest=4, valid_longest=4, test_longest=5
    )
    words = words_of(language)
    batch, names = task.data(2).test, task.input_names
    assert task.loss == "binary-cross-entropy" and task.metrics[0] == "exact_match"
    for x, y, scored, length in zip(batch.inputs, batch.targets, batch.scored, batch.lengths):
        assert scored[:length].all() and set(np.unique(x[:length])) == {-1, 1}
        shown = "".join(names[place] for place in x[1:length].argmax(axis=1))
        for step in range(length):
            nexts = {(word + "#")[step] for word in words if word.startswith(shown[:step])}
            assert y[step].tolist() == [0.75 if name in nexts else 0.25 for name in names]
    for outputs in task.baselines(task.data(2)).values():
        assert score(outputs, batch, task.metrics, None)["exact_match"] == 0
