"""Recall of pairs from cues of either pattern, beside bidirectional memories."""

import numpy as np
import pytest

import evorrn
from evorrn.testing import check_task


def overlap(outputs, batch):
    return float((np.sign(outputs[batch.scored]) * batch.targets[batch.scored]).mean())


def test_both_layers_have_cues_and_a_memory_of_pairs_stands_beside_networks():
    task = evorrn.task("pair-recall", x_units=30, y_units=20)
    check_task(task)
    splits = task.data(0)
    cues = splits.test.inputs[:, 0]
    assert (np.abs(cues[::2, :30]) == 1).all() and not cues[::2, 30:].any()
    assert (np.abs(cues[1::2, 30:]) == 1).all() and not cues[1::2, :30].any()
    right = cues * splits.test.targets[:, -1]
    assert ((right < 0).sum(axis=1)[::2] == round(0.15 * 30)).all()
    assert ((right < 0).sum(axis=1)[1::2] == round(0.15 * 20)).all()
    scores = {name: overlap(outputs, splits.test) for name, outputs in task.baselines(splits).items()}
    assert scores["bidirectional memory"] > 0.95 and scores["nearest pair"] == 1.0 and scores["the cue"] < 0.5


@pytest.mark.parametrize("x_units, y_units, pairs", [(1, 5, 1), (7, 1, 2), (1, 1, 1)])
def test_the_smallest_pairs_are_a_task(x_units, y_units, pairs):
    task = evorrn.task(
        "pair-recall", x_units=x_units, y_units=y_units, pairs=pairs, train=2, valid=1, test=1, steps=2
    )
    found = task.baselines(task.data(3))
    assert all(outputs.shape == (1, 2, x_units + y_units) for outputs in found.values())


def test_a_threshold_recalls_pairs_better_that_have_more_ones():
    right = []
    for threshold in (0.0, 0.25):
        task = evorrn.task("pair-recall", x_units=100, y_units=90, pairs=6, ones=0.7, threshold=threshold)
        splits = task.data(1)
        assert 0.65 < (splits.train.targets[:, -1] > 0).mean() < 0.75
        right.append(overlap(task.baselines(splits)["bidirectional memory"], splits.test))
    assert right[1] > right[0] + 0.05


def test_a_comparator_is_chosen_by_name():
    task = evorrn.task("pair-recall")
    assert task.comparator_problems(["evolved", "evolve"]) == [
        "unknown baseline 'evolve'; did you mean 'evolved'? (known: evolved)"
    ]


@pytest.mark.thorough
def test_weights_that_evolution_finds_recall_better_beyond_the_capacity_of_the_rule():
    task = evorrn.task("pair-recall", pairs=6)
    splits = task.data(0)
    (evolved,) = task.comparators(splits, ["evolved"]).values()
    assert overlap(evolved, splits.test) > overlap(
        task.baselines(splits)["bidirectional memory"], splits.test
    )
