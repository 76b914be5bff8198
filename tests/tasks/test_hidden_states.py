"""The task hidden-states: filtering and smoothing against sums over all paths, and networks that come near them."""

import itertools

import numpy as np
import pytest

import evorrn
from evorrn.lab.sweep.experiment import find_experiment
from evorrn.training.assessment import SequenceAssessment


def tables(task):
    """Return transition and emission probabilities, drawn as the docstring says."""
    rng = np.random.default_rng(np.random.SeedSequence(task.source, spawn_key=(0,)))
    transition = rng.dirichlet([task.mixing] * task.states, task.states)
    return transition, rng.dirichlet([task.blur] * task.symbols, task.states)


def by_paths(task, seen):
    """Return the probability of each state at each step (T, K) given all of `seen`, by the sum over all paths."""
    transition, shares = tables(task)
    found = np.zeros((len(seen), task.states))
    for path in itertools.product(range(task.states), repeat=len(seen)):
        weight = 1 / task.states
        for before, state in itertools.pairwise(path):
            weight *= transition[before, state]
        for state, symbol in zip(path, seen):
            weight *= shares[state, symbol]
        found[np.arange(len(seen)), path] += weight
    return found / found.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("source", "states", "symbols", "steps"), [(0, 2, 2, 6), (3, 3, 5, 5), (11, 4, 3, 4), (5, 2, 7, 2)]
)
def test_the_exact_baselines_are_the_sums_over_all_paths_of_states(source, states, symbols, steps):
    task = evorrn.task(
        "hidden-states", source=source, states=states, symbols=symbols, steps=steps, test=5, train=4
    )
    splits = task.data(1)
    found = task.baselines(splits)
    for row, seen in enumerate(splits.test.inputs):
        assert np.allclose(np.exp(found["exact smoothing"][row]), by_paths(task, seen), atol=1e-9)
        for step in range(steps):
            past = by_paths(task, seen[: step + 1])[step]
            assert np.allclose(np.exp(found["exact filtering"][row, step]), past, atol=1e-9)


def test_the_data_have_the_probabilities_of_the_source():
    task = evorrn.task("hidden-states", steps=40, train=3000, valid=1, test=1)
    transition, shares = tables(task)
    batch = task.data(0).train
    states, symbols = batch.targets, batch.inputs
    assert np.abs(np.bincount(states[:, 0], minlength=5) / 3000 - 0.2).max() < 0.04
    for state in range(5):
        here = states == state
        after = states[:, 1:][here[:, :-1]]
        assert np.abs(np.bincount(after, minlength=5) / len(after) - transition[state]).max() < 0.02
        assert np.abs(np.bincount(symbols[here], minlength=5) / here.sum() - shares[state]).max() < 0.02


def test_exact_rates_bound_each_other_and_the_figures_of_the_experiment_are_those_of_the_source():
    task = evorrn.task("hidden-states", test=6000)
    rates = SequenceAssessment(task.data(7), task).baselines("accuracy")
    assert (
        rates["state frequencies"]
        < rates["present symbol"]
        < rates["exact filtering"]
        < rates["exact smoothing"]
    )
    causal, both, _ = find_experiment("hidden-states").cases
    assert rates["exact filtering"] == pytest.approx(causal.row.published, abs=0.005)
    assert rates["exact smoothing"] == pytest.approx(both.row.published, abs=0.005)
    assert (causal.raw["network"]["bidirectional"], both.raw["network"]["bidirectional"]) == (False, True)


def test_a_network_of_both_directions_goes_beyond_exact_filtering_where_one_of_the_past_cannot():
    task = evorrn.task("hidden-states", train=600, valid=100, test=300)
    splits = task.data(0)
    exact, found = SequenceAssessment(splits, task).baselines("accuracy"), {}
    for both in (False, True):
        network = evorrn.Network.for_task(
            task, cell="gru", hidden=12, **({} if both else {"bidirectional": False})
        )
        assert network.bidirectional == both
        result = evorrn.BPTT(batch_size=30, rate=0.02).fit(network, task, seed=0, budget="10gen")
        found[both] = result.metrics["test"]["accuracy"]
    shown = splits.test.inputs[0]
    letters = "".join("abcde"[symbol] for symbol in shown)
    assert np.array_equal(result.predict(letters), result.predict(shown))
    assert exact["exact filtering"] - 0.03 < found[False] < exact["exact filtering"] + 0.01
    assert exact["exact filtering"] + 0.02 < found[True] < exact["exact smoothing"] + 0.01
