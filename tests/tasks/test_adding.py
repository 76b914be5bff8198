"""Adding: targets recomputed from the inputs, and the counts of both definitions."""

import numpy as np
import pytest

import evorrn
from evorrn.training.assessment import score


def test_modern_targets_are_the_sum_of_the_marked_numbers():
    splits = evorrn.task("adding", length=31, train=300, valid=50, test=60).data(1)
    for batch, count in zip(splits, (300, 50, 60)):
        assert batch.inputs.shape == (count, 31, 2)
        numbers, markers = batch.inputs[:, :, 0], batch.inputs[:, :, 1]
        assert numbers.min() >= 0 and numbers.max() < 1
        assert set(np.unique(markers)) == {0.0, 1.0}
        assert (markers[:, :15].sum(axis=1) == 1).all() and (markers[:, 15:].sum(axis=1) == 1).all()
        assert np.allclose(batch.targets[:, -1, 0], (numbers * markers).sum(axis=1))
        assert (batch.scored.sum(axis=1) == 1).all() and batch.scored[:, -1].all()


def test_modern_marks_reach_every_step():
    markers = evorrn.task("adding", length=10, train=2000).data(0).train.inputs[:, :, 1]
    assert (markers.sum(axis=0) > 2000 / 5 * 0.7).all()


def test_mean_baseline_of_the_modern_definition_is_one_sixth():
    task = evorrn.task("adding", test=20_000, length=4)
    splits = task.data(0)
    value = score(task.baselines(splits)["mean"], splits.test, task.metrics, splits.scaling)
    assert abs(value["mse"] - 1 / 6) < 0.01
    assert (
        abs(value["within_004"] - 0.0784) < 0.01
    )  # chance that a triangular draw lies within 0.04 of its mean


@pytest.mark.parametrize("length", [20, 100])
def test_definition_of_1997(length):
    batch = evorrn.task("adding", length=length, definition="1997", train=3000).data(2).train
    lengths = batch.lengths
    assert lengths.min() == length and lengths.max() == length + length // 10
    assert len(set(lengths.tolist())) == length // 10 + 1
    first_was_marked = 0
    second_places = set()
    for numbers, markers, steps, target, scored in zip(
        batch.inputs[:, :, 0], batch.inputs[:, :, 1], lengths, batch.targets[:, :, 0], batch.scored
    ):
        assert markers[0] == -1 and markers[steps - 1] == -1
        inside = markers[1 : steps - 1]
        assert set(np.unique(inside)) <= {0.0, 1.0}
        marked = np.flatnonzero(markers == 1)
        assert 1 <= len(marked) <= 2
        assert marked.max() <= length // 2 - 1
        assert len(marked) == 1 or marked.min() < 10
        first_was_marked += len(marked) == 1
        second_places.add(int(marked.max()))
        assert np.isclose(target[steps - 1], 0.5 + numbers[marked].sum() / 4)
        assert np.flatnonzero(scored).tolist() == [steps - 1]
        assert np.abs(numbers).max() <= 1
    expected = 3000 * (1 / 10 + 0.9 / (length // 2 - 1))
    assert abs(first_was_marked - expected) < 5 * np.sqrt(expected)
    assert max(second_places) == length // 2 - 1


def test_numbers_of_1997_reach_below_zero():
    batch = evorrn.task("adding", definition="1997").data(0).train
    assert batch.inputs[:, :, 0].min() < -0.9


def test_gradients_learn_a_short_one():
    task = evorrn.task("adding", length=8, train=200, valid=100, test=200)
    net = evorrn.Network.for_task(task, cell="gru", hidden=8)
    result = evorrn.BPTT().fit(net, task, seed=0, budget="0.3G")
    assert result.metrics["test"]["mse"] < 0.167 / 5
