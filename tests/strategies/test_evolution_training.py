"""Evolution of real networks: learning, and equal results for any number of threads, resumed or not."""

import numpy as np
import pytest

import evorrn
from evorrn import Batch, Budget, GeneticAlgorithm, Network, Problem, RandomSearch
from evorrn.base.files import load_tree, save_tree, tree_bytes
from evorrn.training.loop import train
from evorrn.training.trainer import Trainer


@pytest.fixture(scope="module")
def network():
    return Network(inputs=1, outputs=1, cell="elman", hidden=8)


@pytest.fixture(scope="module")
def ahead():
    """Return training and validation data: two sines, forecast three steps ahead after 15."""
    time = np.arange(400)
    series = (np.sin(0.3 * time) + np.sin(0.53 * time))[:, None] / 2
    windows = np.stack([series[start : start + 43] for start in range(0, 350, 12)])
    parts = windows[::2], windows[1::2]
    return tuple(
        Batch(part[:, :40], part[:, 3:], mask=np.tile(np.arange(40) >= 15, (len(part), 1))) for part in parts
    )


def test_the_genetic_algorithm_clearly_beats_as_many_random_networks(network, ahead):
    def mean(strategy):
        runs = [strategy.fit(network, ahead, seed=seed, budget="6000eval") for seed in range(3)]
        return np.mean([run.metrics["valid"]["nrmse_std"] for run in runs])

    random = mean(RandomSearch())
    assert random < 0.6  # far better than the mean as a prediction
    assert mean(GeneticAlgorithm()) < 0.6 * random


@pytest.mark.parametrize("strategy", [GeneticAlgorithm(population=12), RandomSearch(count=8)])
def test_stopped_and_resumed_on_other_threads_is_undisturbed(network, ahead, tmp_path, strategy):
    def go(generations, state=None):
        trainer = Trainer(
            strategy, Problem(network, *ahead), seed=2, budget=Budget(generations=generations), state=state
        )
        train(trainer)
        return trainer.state()

    evorrn.set_threads(2)
    whole = go(6)
    evorrn.set_threads(1)
    save_tree(tmp_path / "checkpoint.npz", go(3))
    evorrn.set_threads(2)
    resumed = go(6, load_tree(tmp_path / "checkpoint.npz"))
    for timing in ("seconds", "meter"):
        whole.pop(timing), resumed.pop(timing)
    assert tree_bytes(resumed) == tree_bytes(whole)


def test_blocks_and_neurons_of_a_network_are_units_of_its_genome(network):
    strategy = GeneticAlgorithm(population=4, mutation_unit="block")
    data = Batch(np.zeros((1, 2, 1)), np.zeros((1, 2, 1)))
    state = strategy.start(Problem(network, data), np.random.default_rng(0))
    views = network.unpack(state["crossover_units"].astype(float))
    for name in ("layer0.W_x", "layer0.W_h"):
        np.testing.assert_array_equal(views[name], np.broadcast_to(np.arange(8)[:, None], views[name].shape))
    np.testing.assert_array_equal(views["layer0.b"], np.arange(8))
    assert {views["readout.W"].ravel()[0], views["readout.b"][0]} == {8}
    blocks = network.unpack(state["mutation_units"].astype(float))
    assert [float(view.min()) for view in blocks.values()] == [0, 1, 2, 3, 4]
    assert [float(view.max()) for view in blocks.values()] == [0, 1, 2, 3, 4]


def test_diverging_networks_do_not_end_a_run(network, ahead):
    problem, strategy = Problem(network, *ahead), GeneticAlgorithm(population=16)
    state = strategy.start(problem, np.random.default_rng(0))
    state["population"] *= np.geomspace(1.0, 1e30, 16)[:, None]  # float32 overflows from the middle on
    state = strategy.step(problem, state)
    assert 4 < state["record"]["diverged"] < 12
    for _ in range(3):
        state = strategy.step(problem, state)
    assert np.isfinite(state["best_fitness"]) and np.isfinite(state["train_loss"])
