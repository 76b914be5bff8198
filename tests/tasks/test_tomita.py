"""Tomita's languages as a task: classes recounted from the inputs by predicates of strings."""

import numpy as np
import pytest
from acceptors import MEMBERS, strings_up_to

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.testing import check_task


def read(batch, end=False):
    """Return the strings of a batch as text."""
    texts = []
    for rows, steps in zip(batch.inputs, batch.lengths):
        assert (rows[:steps].sum(axis=1) == 1).all()
        texts.append("".join("01$"[place] for place in rows[:steps].argmax(axis=1)))
    assert not end or all(text.endswith("$") and text.count("$") == 1 for text in texts)
    return [text.rstrip("$") for text in texts]


@pytest.mark.parametrize("language", MEMBERS)
def test_each_string_has_the_class_of_its_language_and_the_classes_are_equal(language):
    splits = evorrn.task("tomita", language=language, train=80, valid=31, test=40).data(5)
    for batch, (low, high) in zip(splits, ((1, 10), (11, 20), (21, 40))):
        assert batch.lengths.min() >= low and batch.lengths.max() <= high
        last = batch.lengths - 1
        answers = batch.targets[np.arange(batch.size), last, 0]
        assert answers.tolist() == [MEMBERS[language](text) for text in read(batch)]
        assert abs(answers.sum() - batch.size / 2) <= 0.5
        assert (batch.scored.sum(axis=1) == 1).all() and batch.scored[np.arange(batch.size), last].all()


@pytest.mark.parametrize("language", [2, 3])
def test_every_step_can_be_scored_for_the_string_so_far(language):
    batch = evorrn.task("tomita", language=language, scored="every", train=40).data(1).train
    for text, targets, scored in zip(read(batch), batch.targets[:, :, 0], batch.scored):
        assert scored.tolist() == [step < len(text) for step in range(batch.steps)]
        wanted = [MEMBERS[language](text[: step + 1]) for step in range(len(text))]
        assert targets[scored].tolist() == wanted


def test_with_an_end_the_empty_string_is_one_of_every():
    task = evorrn.task("tomita", language=6, strings="every", longest=5, shortest=0, end=True)
    batch = task.data(0).train
    texts = read(batch, end=True)
    assert texts == strings_up_to(5)
    answers = batch.targets[np.arange(batch.size), batch.lengths - 1, 0]
    assert answers.tolist() == [MEMBERS[6](text) for text in texts]
    assert task.automaton.states == 3 and task.inputs == 3 and task.alphabet.width == 3


@pytest.mark.parametrize("scored", ["last", "every"])
def test_with_a_begin_the_empty_string_has_an_answer_at_the_first_step(scored):
    task = evorrn.task(
        "tomita", language=5, strings="every", longest=4, shortest=0, begin=True, scored=scored
    )
    batch = task.data(0).train
    for text, rows, targets, mask, steps in zip(
        strings_up_to(4), batch.inputs, batch.targets[:, :, 0], batch.scored, batch.lengths
    ):
        assert "".join("01^"[place] for place in rows[:steps].argmax(axis=1)) == "^" + text
        answers = [MEMBERS[5](text[:length]) for length in range(len(text) + 1)]
        assert targets[mask].tolist() == (answers if scored == "every" else answers[-1:])
        assert mask[steps - 1] and not mask[steps:].any()


def test_with_a_begin_and_an_end_only_the_end_is_scored():
    task = evorrn.task("tomita", language=6, strings="every", longest=3, shortest=0, begin=True, end=True)
    batch = task.data(0).train
    assert batch.lengths.tolist() == [len(text) + 2 for text in strings_up_to(3)]
    answers = batch.targets[np.arange(batch.size), batch.lengths - 1, 0]
    assert answers.tolist() == [MEMBERS[6](text) for text in strings_up_to(3)]
    check_task(task)


@pytest.mark.parametrize("language", MEMBERS)
def test_other_settings_keep_the_contract(language):
    check_task(
        evorrn.task("tomita", language=language, strings="every", end=True, longest=6, valid=20, test=20)
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"language": 8}, "language: expected a value <= 7, got 8"),
        ({"shortest": 0}, "shortest: expected at least 1, got 0"),
        ({"shortest": 12}, "longest: expected at least 12, got 10"),
        ({"valid_longest": 10}, "valid_longest: expected at least 11, got 10"),
        ({"test_longest": 15}, "test_longest: expected at least 21, got 15"),
        ({"strings": "every", "longest": 17}, "longest: expected at most 16 with every string, got 17"),
        ({"scored": "every", "end": True}, "scored: expected 'last' with an end"),
        ({"language": 2, "shortest": 3, "longest": 3}, "no string of 3 to 3 symbols belongs to language 2"),
        ({"strings": "all"}, "strings: unknown value 'all'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, sentence):
    with pytest.raises(ConfigError) as error:
        evorrn.task("tomita", **settings)
    assert sentence in str(error.value)


def test_the_baseline_is_the_class_that_training_has_more_often():
    task = evorrn.task("tomita", language=1, strings="every", longest=4)
    splits = task.data(0)
    (logits,) = task.baselines(splits).values()
    share = 4 / 30
    np.testing.assert_allclose(logits, np.log(share / (1 - share)))
