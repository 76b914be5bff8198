"""BPTT: its logic on a function with a known gradient, and learning on sequences."""

import itertools

import numpy as np
import pytest

from evorrn.base.errors import ConfigError
from evorrn.base.files import load_tree, save_tree, tree_bytes
from evorrn.base.settings import build
from evorrn.data.batch import Batch
from evorrn.network.network import Network
from evorrn.strategies.base import State
from evorrn.strategies.evolution.random_search import RandomSearch
from evorrn.strategies.gradient.bptt import BPTT
from evorrn.training.budget import Budget
from evorrn.training.meter import Meter
from evorrn.training.problem import Problem
from evorrn.training.trainer import Trainer

POINTS = np.random.default_rng(0).normal([1.0, -2.0, 0.0], 1.0, (10, 3))


class Valley:
    """A problem in which sequence b has the loss ½ |genome - POINTS[b]|², infinite beyond `edge`."""

    def __init__(self, edge: float = np.inf) -> None:
        self.edge = edge
        self.asked: list[list[int]] = []
        self.sequences = len(POINTS)
        self._batch = Batch(np.zeros((10, 1, 1)), np.zeros((10, 1, 1)))
        self.meter = Meter()

    def init(self, rng: np.random.Generator, count: int) -> np.ndarray:
        return rng.standard_normal((count, 3))

    def draw_noise(self, rng: np.random.Generator) -> None:
        pass

    def batch(self, split: str) -> Batch:
        return self._batch

    def charge_own(self, work, evaluated):
        pass

    def loss_and_gradient(self, genome, sequences=None):
        index = np.arange(10) if sequences is None else sequences
        self.asked.append(sorted(index.tolist()))
        if np.abs(genome).max() > self.edge:
            return np.nan, np.full(3, np.nan)
        apart = genome - POINTS[index]
        return 0.5 * np.square(apart).sum(axis=1).mean(), apart.mean(axis=0)

    def validate(self, genome: np.ndarray) -> float:
        return float(0.5 * np.square(genome - POINTS.mean(axis=0)).sum())


def run(strategy: BPTT, problem: Valley, epochs: int) -> list[State]:
    states = [strategy.start(problem, np.random.default_rng(1))]
    for _ in range(epochs):
        states.append(strategy.step(problem, states[-1]))
    return states


def test_one_full_batch_epoch_is_one_clipped_step():
    strategy = BPTT(optimiser="sgd", rate=0.1, momentum=0.0, batch_size=0, clip=0.5)
    before, after = run(strategy, Valley(), 1)
    gradient = before["genome"] - POINTS.mean(axis=0)
    norm = np.linalg.norm(gradient)
    np.testing.assert_allclose(after["genome"], before["genome"] - 0.1 * 0.5 * gradient / norm, rtol=1e-12)
    assert after["record"]["gradient_norm"] == pytest.approx(norm)
    assert after["record"]["rate"] == 0.1
    spread = 0.5 * np.square(POINTS - POINTS.mean(axis=0)).sum(axis=1).mean()
    assert after["train_loss"] == pytest.approx(0.5 * norm**2 + spread)


def test_every_epoch_takes_each_sequence_once_in_a_new_order():
    problem = Valley()
    run(BPTT(batch_size=4), problem, 2)
    assert [len(part) for part in problem.asked] == [4, 4, 2] * 2
    for epoch in (problem.asked[:3], problem.asked[3:]):
        assert sorted(itertools.chain(*epoch)) == list(range(10))
    assert problem.asked[:3] != problem.asked[3:]


@pytest.mark.parametrize("optimiser", ["sgd", "rmsprop", "adam"])
def test_the_bottom_is_found(optimiser):
    last = run(
        BPTT(optimiser=optimiser, rate=0.05, batch_size=0, patience=0, schedule="cosine", period=600),
        Valley(),
        599,
    )[-1]
    np.testing.assert_allclose(last["candidate"], POINTS.mean(axis=0), atol=1e-3)


def test_early_stopping_restarts_until_there_are_no_more():
    strategy = BPTT(rate=0.1, batch_size=0, patience=5, restarts=2, schedule="constant")
    states = run(strategy, Valley(), 400)
    finished = next(index for index, state in enumerate(states) if state["finished"])
    assert states[finished]["finished"] == "early stopping"
    starts = [state["record"]["start"] for state in states[1 : finished + 1]]
    assert sorted(set(starts)) == [0, 1, 2] and starts == sorted(starts)
    for first in (starts.index(1), starts.index(2)):
        assert states[first]["stopped"] and states[first]["waited"] == 5
        assert states[first + 1]["epoch"] == 1
        assert np.linalg.norm(states[first + 1]["genome"] - states[first]["genome"]) > 0.5
    assert (
        strategy.ends_by_itself
        and not BPTT().ends_by_itself
        and not BPTT(restarts=0, patience=0).ends_by_itself
    )


def test_the_rate_falls_when_validation_does_not_improve():
    states = run(BPTT(rate=1e-9, batch_size=0, period=3, factor=0.1, patience=0), Valley(), 8)
    rates = [state["record"]["rate"] for state in states[1:]]
    # With steps this small the loss does not improve enough after the first epoch.
    np.testing.assert_allclose(rates, [1e-9] * 4 + [1e-10] * 3 + [1e-11])


def test_what_is_not_finite_is_skipped_and_the_rate_halved():
    problem = Valley(edge=2.5)
    strategy = BPTT(
        optimiser="sgd", momentum=0.0, rate=2.4, batch_size=0, clip=0, patience=0, schedule="constant"
    )
    states = run(strategy, problem, 40)
    skipped = [state["record"]["skipped"] for state in states[1:]]
    assert sum(skipped) > 0 and skipped[-1] == 0
    first = skipped.index(1) + 1
    assert states[first]["train_loss"] == np.inf and states[first]["damping"] == 0.5
    np.testing.assert_array_equal(states[first]["genome"], states[first - 1]["safe"])
    np.testing.assert_allclose(states[-1]["genome"], POINTS.mean(axis=0), atol=1e-6)


def test_a_start_without_any_finite_gradient_ends_normally():
    states = run(BPTT(batch_size=3, patience=4, restarts=1), Valley(edge=0.0), 10)
    assert states[-1]["finished"] == "early stopping"
    assert all(np.isfinite(state["candidate"]).all() for state in states[1:])


def adam_by_hand(genome, gradients, rate, warmup=0, decay=0.0):
    """Return the genomes after each update of Adam, entry by entry; `gradients` gives that of a genome."""
    m, v, found = np.zeros(3), np.zeros(3), []
    for t in range(1, 9):
        g = gradients(genome, t - 1)
        now = rate * (min(1.0, t / warmup) if warmup else 1.0)
        for i in range(3):
            m[i] = 0.9 * m[i] + 0.1 * g[i]
            v[i] = 0.999 * v[i] + 0.001 * g[i] ** 2
        step = now * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        genome = genome - step - now * decay * genome
        found.append(genome)
    return np.array(found)


@pytest.mark.parametrize(
    "settings", [{}, {"weight_decay": 0.3}, {"warmup": 5}, {"weight_decay": 2, "warmup": 3}]
)
def test_decoupled_weight_decay_and_warm_up_of_the_rate_are_those_of_a_loop_by_hand(settings):
    strategy = BPTT(rate=0.1, batch_size=0, clip=0, schedule="constant", patience=0, **settings)
    states = run(strategy, Valley(), 8)
    wanted = adam_by_hand(
        states[0]["genome"],
        lambda genome, t: genome - POINTS.mean(axis=0),
        0.1,
        settings.get("warmup", 0),
        settings.get("weight_decay", 0.0),
    )
    np.testing.assert_allclose([state["genome"] for state in states[1:]], wanted, rtol=1e-10)


def test_weight_decay_of_plain_descent_draws_the_bottom_towards_zero():
    strategy = BPTT(
        optimiser="sgd", momentum=0, rate=0.1, batch_size=0, clip=0, schedule="constant", weight_decay=0.5
    )
    last = run(strategy, Valley(), 300)[-1]["genome"]
    np.testing.assert_allclose(last, POINTS.mean(axis=0) / 1.5, rtol=1e-6)


def test_a_penalty_on_squared_genes_moves_the_bottom_towards_zero_by_the_way_of_every_optimiser():
    common = {"rate": 0.05, "batch_size": 0, "patience": 0, "schedule": "cosine", "period": 600, "l2": 0.5}
    for optimiser in ("sgd", "adam"):
        last = run(BPTT(optimiser=optimiser, **common), Valley(), 599)[-1]["genome"]
        np.testing.assert_allclose(last, POINTS.mean(axis=0) / 1.5, atol=1e-3)


def test_noise_of_the_gradient_has_a_variance_that_falls_with_the_updates():
    common = {"optimiser": "sgd", "momentum": 0, "rate": 1.0, "batch_size": 0, "clip": 0.001}
    strategy = BPTT(**common, schedule="constant", patience=0, gradient_noise=0.3)
    problem = Valley()
    states = run(strategy, problem, 3000)
    genomes = np.array([state["genome"] for state in states])
    apart = genomes[:-1] - POINTS.mean(axis=0)
    norms = np.linalg.norm(apart, axis=1, keepdims=True)
    clipped = apart * np.minimum(1, 0.001 / norms)  # the noise is added after clipping
    noise = genomes[:-1] - clipped - genomes[1:]
    scaled = noise / np.sqrt(0.3 / (1 + np.arange(3000)) ** 0.55)[:, None]
    assert np.abs(scaled.mean(axis=0)).max() < 0.1
    for part in np.split(scaled, 3):
        np.testing.assert_allclose(part.std(axis=0), 1, atol=0.1)
    assert np.abs(np.corrcoef(scaled.T) - np.eye(3)).max() < 0.1
    again = run(strategy, Valley(), 50)
    np.testing.assert_array_equal(again[-1]["genome"], genomes[50])


def test_a_restart_warms_up_again():
    strategy = BPTT(rate=0.1, batch_size=0, patience=2, improvement=0.9, warmup=4, schedule="constant")
    states = run(strategy, Valley(), 9)[1:]
    first = [state["record"]["start"] for state in states].index(1)
    np.testing.assert_allclose(states[first]["record"]["rate"], 0.025)


def test_settings_are_checked():
    with pytest.raises(ConfigError) as caught:
        build(BPTT, {"optimiser": "adan", "rate": 0, "batch_size": -1, "lr": 1}, "strategy")
    assert len(caught.value.problems) == 4
    assert "did you mean 'adam'" in str(caught.value)


# ------------------------------------------------------------------------------- on real sequences


def echo(sequences: int = 24, steps: int = 30, seed: int = 0) -> Batch:
    """Return inputs and targets: the input two steps before."""
    u = np.random.default_rng(seed).uniform(-1, 1, (sequences, steps, 1))
    y = np.roll(u, 2, axis=1)
    mask = np.ones((sequences, steps), dtype=bool)
    mask[:, :2] = False
    return Batch(u, y, mask=mask)


def small() -> Network:
    return Network(1, 1, cell="elman", hidden=8)


def test_one_step_descends_the_gradient_of_the_network():
    problem = Problem(small(), echo())
    strategy = BPTT(optimiser="sgd", momentum=0.0, rate=0.1, batch_size=0, clip=0)
    before = strategy.start(problem, np.random.default_rng(0))
    after = strategy.step(problem, before)
    difference = (after["genome"] - before["genome"]) / -0.1
    network = Network(1, 1, cell="elman", hidden=8, dtype="float64")
    for gene in range(0, network.size, 7):
        nudged = [np.array(before["genome"]), np.array(before["genome"])]
        nudged[0][gene] += 1e-5
        nudged[1][gene] -= 1e-5
        slope = (network.loss(nudged[0], echo()) - network.loss(nudged[1], echo())) / 2e-5
        assert difference[gene] == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_memory_is_learned_where_guessing_fails():
    data = (echo(), echo(seed=1), echo(seed=2))
    budget = Budget(work=60_000_000)
    trained = BPTT(batch_size=8).fit(small(), data, seed=0, budget=budget)
    guessed = RandomSearch().fit(small(), data, seed=0, budget=budget)
    assert trained.metrics["test"]["nrmse_std"] < 0.3  # the baseline of the mean has 1
    assert guessed.metrics["test"]["nrmse_std"] > 2 * trained.metrics["test"]["nrmse_std"]
    assert set(trained.history) >= {"gradient_norm", "rate", "skipped", "start"}


def test_stopped_and_resumed_is_undisturbed(tmp_path):
    def trainer(state=None):
        strategy = BPTT(batch_size=5, patience=1, rate=0.3, improvement=0.3)
        return Trainer(
            strategy,
            Problem(small(), echo(), echo(seed=1)),
            seed=5,
            budget=Budget(generations=9),
            state=state,
        )

    whole, first = trainer(), trainer()
    for _ in range(9):
        whole.step()
    for _ in range(4):
        first.step()
    save_tree(tmp_path / "checkpoint.npz", first.state())
    second = trainer(load_tree(tmp_path / "checkpoint.npz"))
    for _ in range(5):
        second.step()
    assert whole.history["start"][-1] > 0
    ends = [
        {**t.state(), "seconds": None, "meter": {**t.state()["meter"], "seconds": 0, "compile_seconds": 0}}
        for t in (whole, second)
    ]
    assert tree_bytes(ends[0]) == tree_bytes(ends[1])


def test_sequences_with_nothing_scored_are_no_minibatch():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3, 1))
    mask = np.ones((4, 3), dtype=bool)
    mask[2] = False
    network = Network(1, 1, cell="leaky", hidden=2, dtype="float64")
    whole = BPTT(batch_size=1).fit(network, Batch(x, x, mask=mask), seed=0, budget="3gen")
    assert np.isfinite(whole.history["train_loss"]).all()
    assert whole.meter.evaluations == 9
