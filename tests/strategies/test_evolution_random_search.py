"""Random search against the same draws made by hand."""

import numpy as np
import pytest
from stand_in import problem

from evorrn import Budget, RandomSearch
from evorrn.base.errors import ConfigError
from evorrn.base.files import load_tree, save_tree, tree_bytes
from evorrn.training.loop import train
from evorrn.training.trainer import STRATEGY_STREAM, Trainer


def by_hand(seed, count):
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STRATEGY_STREAM,)))
    genomes = problem().init(rng, count)
    losses = [problem().network.loss(genome, problem().train) for genome in genomes]
    return genomes[np.argmin(losses)], min(losses)


@pytest.mark.parametrize("count", [1, 10, 40])
def test_it_is_the_best_of_as_many_networks_however_many_are_drawn_at_once(count):
    trainer = Trainer(RandomSearch(count=count), problem(), seed=5, budget=Budget(evaluations=40))
    train(trainer)
    genome, loss = by_hand(5, 40)
    assert trainer.problem.meter.evaluations == 40 and trainer.step_count == 40 // count
    assert trainer.best_train == loss == trainer.history["train_loss"][-1]
    np.testing.assert_array_equal(trainer.state()["strategy"]["candidate"], genome)


@pytest.mark.parametrize("count, wanted", [(64, 100), (30, 31), (7, 200), (100, 30)])
def test_the_last_step_draws_only_as_many_networks_as_the_budget_pays(count, wanted):
    """The first step has no mean cost to go by; every later one ends within one network of the budget."""
    one = Trainer(RandomSearch(count=1), problem(), seed=3, budget=Budget(generations=1))
    train(one)
    each = one.problem.meter.work
    trainer = Trainer(RandomSearch(count=count), problem(), seed=3, budget=Budget(work=wanted * each))
    train(trainer)
    meter = trainer.problem.meter
    assert meter.work >= wanted * each
    if count < wanted:
        assert meter.work < (wanted + 2) * each
    else:
        assert meter.evaluations == count
    exact = Trainer(RandomSearch(count=count), problem(), seed=3, budget=Budget(evaluations=wanted))
    train(exact)
    assert exact.problem.meter.evaluations == max(count, wanted)


def test_stopped_and_resumed_is_undisturbed(tmp_path):
    whole = Trainer(RandomSearch(count=4), problem(), seed=1, budget=Budget(generations=5))
    train(whole)
    state = None
    for generations in range(1, 6):
        part = Trainer(
            RandomSearch(count=4), problem(), seed=1, budget=Budget(generations=generations), state=state
        )
        train(part)
        save_tree(tmp_path / "checkpoint.npz", part.state())
        state = load_tree(tmp_path / "checkpoint.npz")
    assert tree_bytes(state["strategy"]) == tree_bytes(whole.state()["strategy"])
    assert part.history == whole.history


def test_networks_that_diverge_are_counted_and_never_the_best():
    torn = problem()
    whole = torn.fitness
    torn.fitness = lambda genomes: np.where(np.arange(len(genomes)) % 2, np.nan, whole(genomes))
    strategy = RandomSearch(count=6)
    state = strategy.step(torn, strategy.start(torn, np.random.default_rng(0)))
    assert state["record"]["diverged"] == 3 and np.isfinite(state["best_fitness"])
    torn.fitness = lambda genomes: np.full(len(genomes), np.nan)
    state = strategy.step(torn, strategy.start(torn, np.random.default_rng(0)))
    assert state["candidate"] is None and state["train_loss"] == np.inf
    assert state["record"]["diverged"] == 6 and np.isnan(state["record"]["fitness_mean"])


def test_the_best_of_each_draw_can_be_the_candidate():
    """With a fitness that is not the criterion of success, a later and less fit network may be the one that succeeds."""
    asked, seen = problem(), []
    strategy = RandomSearch(count=3, candidate="draw")
    state = strategy.start(asked, np.random.default_rng(0))
    for _ in range(6):
        state = strategy.step(asked, state)
        assert state["train_loss"] == asked.network.loss(state["candidate"], asked.train)
        seen.append(state["train_loss"])
    assert len(set(seen)) == 6 and -state["best_fitness"] == min(seen) < seen[-1] + 1e-12
    asked.fitness = lambda genomes: np.full(len(genomes), np.nan)
    after = strategy.step(asked, state)
    np.testing.assert_array_equal(after["candidate"], state["best_genome"])  # nothing of this draw is finite


def test_settings():
    with pytest.raises(ConfigError, match="count: expected a value >= 1, got 0"):
        RandomSearch(count=0)
