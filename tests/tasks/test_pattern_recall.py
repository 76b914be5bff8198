"""Recall of patterns beside Hopfield networks, and the picture of a run."""

import numpy as np
import pytest

import evorrn
from evorrn.testing import check_task


def overlap(logits, batch):
    return float((np.sign(logits[batch.scored]) * batch.targets[batch.scored]).mean())


def test_hopfield_networks_stand_beside_networks_and_rules_are_chosen_by_name():
    task = evorrn.task("pattern-recall", patterns=5)
    check_task(task)
    splits = task.data(0)
    found = {**task.baselines(splits), **task.comparators(splits, ["pseudo-inverse", "storkey"])}
    scores = {name: overlap(logits, splits.test) for name, logits in found.items()}
    assert scores["Hopfield network, pseudo-inverse"] > scores["Hopfield network, hebb"] > scores["the cue"]
    assert scores["Hopfield network, storkey"] > 0.85 and scores["nearest pattern"] > 0.95
    assert task.comparator_problems(["evolved", "storky"]) == [
        "unknown baseline 'storky'; did you mean 'storkey'? (known: evolved, gradient, pseudo-inverse, storkey)"
    ]


@pytest.mark.thorough
def test_weights_that_evolution_finds_recall_better_than_hebbs_beyond_its_capacity():
    task = evorrn.task("pattern-recall", patterns=6)
    splits = task.data(0)
    (evolved,) = task.comparators(splits, ["evolved"]).values()
    hebb = task.baselines(splits)["Hopfield network, hebb"]
    assert overlap(evolved, splits.test) > overlap(hebb, splits.test)
