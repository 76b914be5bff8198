"""Evolution of weights on Mackey-Glass is far better than as many random networks and than persistence."""

import functools

import numpy as np
import pytest

import evorrn
from evorrn import ESP, CoSyNE, GeneticAlgorithm, Network, RandomSearch

TASK = evorrn.task("mackey-glass", train=400, valid=200, test=300, windows=4)


@functools.cache
def reached(strategy):
    """Return the error on test that a strategy reaches with an Elman network."""
    network = Network.for_task(TASK, cell="elman", hidden=8)
    return strategy.fit(network, TASK, seed=0, budget="600M").metrics["test"]["nrmse_std"]


@pytest.mark.parametrize(
    ("strategy", "of_random", "of_persistence"),
    [(GeneticAlgorithm(), 0.7, 0.5), (CoSyNE(), 0.6, 0.4), (ESP(trials=3), 0.7, 0.5)],
    ids=["ga", "cosyne", "esp"],
)
def test_it_beats_random_networks_and_persistence(strategy, of_random, of_persistence):
    splits = TASK.data(0)
    truth, scored = splits.test.targets, splits.test.scored
    persistence = TASK.baselines(splits)["persistence"]
    baseline = np.sqrt(np.mean((persistence - truth)[scored] ** 2)) / truth[scored].std()
    assert reached(strategy) < of_random * reached(RandomSearch())
    assert reached(strategy) < of_persistence * baseline
