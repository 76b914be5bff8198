"""Hebbian storage in an Elman network: the weights of the associative memory, what it recalls, what is refused."""

import numpy as np
import pytest

import evorrn
from evorrn import Hebbian, Network
from evorrn.associative import Hopfield
from evorrn.base.errors import ConfigError
from evorrn.base.text import note
from evorrn.data import metrics


@pytest.mark.parametrize("rule", ["hebb", "storkey", "pseudo-inverse"])
def test_the_weights_are_those_of_the_associative_memory_and_cues_are_mended(rule):
    task = evorrn.task("pattern-recall", units=40, patterns=3)
    network = Network.for_task(task, cell="elman", hidden=40, dtype="float64")
    result = Hebbian(rule=rule).fit(network, task, seed=2)
    train, _, test = task.data(2)
    patterns = np.unique(train.targets[train.scored], axis=0)
    memory = Hopfield(40).store(patterns, rule=rule)
    np.testing.assert_allclose(network.unpack(result.genome)["layer0.W_h"], 4.0 * memory.weights, atol=1e-12)
    assert result.metrics["test"]["overlap"] > 0.95 and result.stopped_by == "patterns stored"
    outputs = np.sign(result.predict(test.inputs)[:, -1])
    recalled = memory.recall(test.inputs[:, 0]).states
    assert np.mean(outputs == recalled) > 0.97


def test_the_overlap_is_1_for_the_truth_and_the_share_of_right_entries_otherwise():
    truth = np.array([[1.0, -1.0], [1.0, 1.0]])
    assert metrics.overlap(0.2 * truth, truth) == 1.0
    assert metrics.overlap(truth * [[1, 1], [1, -1]], truth) == 0.5
    assert np.isnan(metrics.overlap(np.full((2, 2), np.nan), truth))


def test_cues_have_the_wanted_number_of_wrong_entries_of_patterns_shared_by_all_splits():
    task = evorrn.task("pattern-recall", units=20, patterns=2, wrong=0.2)
    splits = task.data(0)
    for batch in splits.train, splits.valid, splits.test:
        wrong = (batch.inputs[:, 0] != batch.targets[:, -1]).sum(axis=1)
        assert (wrong == 4).all() and not batch.inputs[:, 1:].any()
        assert len(np.unique(batch.targets[:, -1], axis=0)) == 2
    both = np.unique(np.concatenate([splits.train.targets[:, -1], splits.test.targets[:, -1]]), axis=0)
    assert len(both) == 2
    nearest = task.baselines(splits)["nearest pattern"]
    assert (nearest[:, -1] == splits.test.targets[:, -1]).mean() > 0.95


@pytest.mark.parametrize(
    "options",
    [{"cell": "gru", "hidden": 24}, {"hidden": 12}, {"hidden": 24, "feedback": True}, {"hidden": (24, 24)}],
)
def test_networks_of_another_form_are_refused(options):
    task = evorrn.task("pattern-recall")
    with pytest.raises(ConfigError, match="hebbian: needs an Elman network"):
        Hebbian().fit(Network.for_task(task, **options), task)


def test_more_patterns_than_the_rule_holds_are_stored_with_a_note():
    task = evorrn.task("pattern-recall", units=12, patterns=9, train=9, valid=3, test=3)
    network = Network.for_task(task, **Hebbian().needs_network(12))
    with pytest.warns(
        UserWarning, match=r"strategy hebbian: \d patterns in 12 units: hebb holds about 2 random"
    ):
        Hebbian().fit(network, task)
    assert (
        note(UserWarning("strategy hebbian: so"), UserWarning, "a.py", 1)
        == "evorrn: note: strategy hebbian: so\n"
    )
