"""Parity and two-sequence: classes recounted from the inputs, and random search that solves the tasks."""

import numpy as np
import pytest

import evorrn
from evorrn import Budget, Network, RandomSearch


def test_parity_is_that_of_the_ones():
    splits = evorrn.task("parity", shortest=5, longest=9, train=60, valid=20, test=31).data(3)
    for batch, count in zip(splits, (60, 20, 31)):
        assert batch.size == count
        assert set(np.unique(batch.lengths)) <= set(range(5, 10))
        for bits, target, scored, steps in zip(batch.inputs, batch.targets, batch.scored, batch.lengths):
            assert set(np.unique(bits[:steps])) <= {-1.0, 1.0}
            assert target[steps - 1, 0] == np.sum(bits[:steps] == 1) % 2
            assert scored.sum() == 1 and scored[steps - 1]
        answers = batch.targets[np.arange(count), batch.lengths - 1, 0]
        assert abs(answers.sum() - count / 2) <= 0.5


def test_two_sequence_is_told_by_its_first_steps_alone():
    splits = evorrn.task("two-sequence", informative=3, test=400, shortest=30, longest=40).data(0)
    batch = splits.test
    answers = batch.targets[np.arange(400), batch.lengths - 1, 0]
    assert (batch.inputs[:, :3, 0] == np.where(answers == 1, 1.0, -1.0)[:, None]).all()
    noise = batch.inputs[:, 3:30, 0]
    assert abs(noise.mean()) < 0.02 and abs(noise.var() - 0.2) < 0.01
    assert abs(noise[answers == 1].mean() - noise[answers == 0].mean()) < 0.03


@pytest.mark.parametrize("name", ["parity", "two-sequence"])
def test_the_lengths_must_be_in_order(name):
    with pytest.raises(evorrn.EvorrnError, match="longest: expected at least shortest, 20, got 10"):
        evorrn.task(name, shortest=20, longest=10)


def test_informative_steps_must_fit():
    with pytest.raises(evorrn.EvorrnError, match="informative"):
        evorrn.task("two-sequence", shortest=4, longest=6, informative=5)


def test_guessing_solves_two_sequence_at_lengths_of_the_paper():
    task = evorrn.task("two-sequence")
    net = Network.for_task(
        task,
        cell="indrnn",
        hidden=10,
        cell_options={"activation": "sigmoid"},
        feedback=True,
        direct=True,
        fed_back="output",
    )
    result = RandomSearch(count=16, width=100).fit(
        net, task, seed=1, budget=Budget(learned=1.0, evaluations=2000)
    )
    assert result.stopped_by == "learned"
    assert result.metrics["test"]["binary_accuracy"] >= 0.99
    assert np.abs(result.genome).max() <= 100 and np.abs(result.genome).max() > 50


@pytest.mark.parametrize("name", ["parity", "two-sequence", "adding"])
def test_steps_without_an_answer_teach_nothing(name):
    task = evorrn.task(name, train=6, valid=2, test=2)
    train = task.data(0).train
    assert np.isnan(train.targets[~train.scored]).all()
    assert Network.for_task(task, hidden=2, feedback=True).warm_up(train) is None
