"""Embedded Reber grammar: every string is parsed by regular expressions, and legal symbols are found by trying them."""

import re

import numpy as np
import pytest

import evorrn
from evorrn.training.assessment import score

AFTER_X = "(?:XT*VP)*(?:S|XT*VV)"
REBER = rf"B(?:TS*X{AFTER_X}|PT*V(?:V|P{AFTER_X}))E"
WHOLE = re.compile(rf"B(?:T{REBER}T|P{REBER}P)E")
LONGEST = 14


def words():
    """Return every string of the embedded grammar of up to `LONGEST` symbols, found by regular expressions alone."""
    inner, found = [""], []
    for _ in range(LONGEST - 6):
        inner = [word + symbol for word in inner for symbol in "TPSXV"]
        inner = [word for word in inner if possible(word)]
        found += [f"B{o}B{word}E{o}E" for word in inner for o in "TP" if WHOLE.fullmatch(f"B{o}B{word}E{o}E")]
    return found


def possible(word):
    """Return whether a word begins some string of the inner grammar, by looking for one of its ends."""
    ends = ("", "S", "XS", "V", "VV")
    return any(re.fullmatch(REBER, f"B{word}{end}E") for end in ends)


def shown(batch, names):
    for x, y, steps in zip(batch.inputs, batch.targets, batch.lengths):
        legal = ["".join(names[place] for place in np.flatnonzero(row)) for row in y[:steps]]
        yield "".join(names[place] for place in x[:steps].argmax(axis=1)), legal


@pytest.fixture(scope="module")
def every_word():
    return words()


def test_the_strings_of_textbooks_are_legal():
    for word in ("BTXSE", "BPVVE", "BTSXSE", "BTXXVVE", "BPTVPSE", "BPVPXVPSE", "BTSSXXTVPXVVE"):
        assert re.fullmatch(REBER, word), word
    for word in ("BTSE", "BPVSE", "BTXXE", "BTSSPXSE"):
        assert not re.fullmatch(REBER, word), word


def test_strings_are_of_the_grammar_and_targets_are_the_symbols_that_can_follow(every_word):
    task = evorrn.task("embedded-reber", train=60, valid=40, test=50)
    prefixes = {}
    for word in every_word:
        for step in range(len(word)):
            prefixes.setdefault(word[:step], set()).add(word[step])
    splits, seen = task.data(3), []
    for batch, count in zip(splits, (60, 40, 50)):
        assert batch.size == count and batch.scored.sum() == batch.lengths.sum()
        for word, legal in shown(batch, task.input_names):
            assert WHOLE.fullmatch(word + "E"), word
            for step in range(
                min(len(word), LONGEST - 6)
            ):  # up to here all continuations are among the words
                assert set(legal[step]) == prefixes[word[: step + 1]], (word, step)
            assert legal[-2:] == [word[1], "E"]
        seen.append({word for word, _ in shown(batch, task.input_names)})
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_both_choices_are_equally_frequent_at_every_fork():
    """A string has the probability of 1/2 to the number of its forks, the one of the second symbol included."""
    batch = evorrn.task("embedded-reber", train=4000).data(5).train
    drawn = [word + "E" for word, _ in shown(batch, "BTPSXVE")]
    for word, share in (("BTBTXSETE", 1 / 16), ("BPBPVVEPE", 1 / 16), ("BTBTSXSETE", 1 / 32)):
        spread = np.sqrt(4000 * share)
        assert abs(drawn.count(word) - 4000 * share) < 5 * spread, word


def test_the_criterion_of_1997_counts_training_strings_too():
    task = evorrn.task("embedded-reber", train=9, valid=4, test=7, tested="all")
    splits, alone = task.data(1), evorrn.task("embedded-reber", train=9, valid=4, test=7).data(1)
    assert splits.test.size == 16 and alone.test.size == 7
    both = [word for batch in (alone.train, alone.test) for word, _ in shown(batch, "BTPSXVE")]
    assert [word for word, _ in shown(splits.test, "BTPSXVE")] == both


def test_without_memory_of_the_second_symbol_one_step_of_every_string_is_wrong():
    task = evorrn.task("embedded-reber", train=30, valid=5, test=40)
    splits = task.data(2)
    values = score(task.baselines(splits)["inner grammar alone"], splits.test, task.metrics, splits.scaling)
    assert values["all_legal"] == values["legal_match"] == values["exact_match"] == 0
    lengths = splits.test.lengths
    assert np.isclose(values["token_accuracy"], np.mean(1 - 1 / lengths))
    assert np.isclose(values["binary_cross_entropy"], 2 * np.log(2) * 40 / (7 * lengths.sum()), rtol=1e-4)
