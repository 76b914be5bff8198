"""The problem and the assessment of environments: fitness, cost, training and scores of episodes."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

import evorrn
from evorrn import BPTT, Budget, EchoState, Environment, GeneticAlgorithm, Network, RandomSearch
from evorrn.base.errors import ConfigError, ShapeError
from evorrn.data.episode_metrics import evaluate_episodes
from evorrn.testing.strategies import check_strategy
from evorrn.training.assess import assess
from evorrn.training.episodes import EnvironmentProblem
from evorrn.training.playing import play, starts_of
from evorrn.training.trainer import Trainer
from evorrn_tasks.bandit import Bandit
from evorrn_tasks.t_maze import TMaze

BANDIT = Bandit(time_limit=12, train=4, valid=5, test=30)


@pytest.fixture(scope="module")
def network():
    return Network.for_task(BANDIT, cell="elman", hidden=2)


@pytest.fixture(scope="module")
def maze_network():
    return Network.for_task(TMaze(), cell="elman", hidden=2)


def make(network, environment=BANDIT, seed=0):
    return assess(environment, seed).problem(network)


def by_hand(network, environment, genome, start):
    """Return the return and the length of an episode, the network asked for one output at a time."""
    state, memory = np.array(start), None
    total, steps, done, seen = 0.0, 0, False, np.zeros(environment.observations)
    while not done and steps < environment.time_limit:
        environment.observe(state, seen)
        outputs, memory = network.predict(genome, seen[None, None], state=memory, return_state=True)
        reward, done = environment.step(state, outputs[0, 0].astype(np.float64))
        total, steps = total + reward, steps + 1
    return total, steps


def test_fitness_is_the_mean_return_over_training_starts(network):
    problem, genomes = make(network), network.init_many(np.random.default_rng(0), 6)
    wanted = [[by_hand(network, BANDIT, genome, start)[0] for start in problem.train] for genome in genomes]
    np.testing.assert_array_equal(problem.fitness(genomes), np.mean(wanted, axis=1))
    np.testing.assert_array_equal(problem.sequence_losses(genomes), -np.array(wanted))
    np.testing.assert_array_equal(
        problem.fitness(genomes, [2, 0]), np.mean(np.array(wanted)[:, [2, 0]], axis=1)
    )
    assert len(np.unique(wanted)) > 3 and problem.sequences == 4
    valid = [by_hand(network, BANDIT, genomes[1], start)[0] for start in problem.valid]
    assert problem.validate(genomes[1]) == -np.mean(valid)


def test_work_is_counted_for_the_steps_of_the_episodes(maze_network):
    maze = TMaze(length=3, time_limit=9)
    problem, genomes = make(maze_network, maze), maze_network.init_many(np.random.default_rng(1), 20)
    problem.fitness(genomes)
    taken = sum(
        by_hand(maze_network, maze, genome, start)[1] for genome in genomes for start in problem.train
    )
    meter = problem.meter
    assert taken < 20 * 2 * 9  # some turned before the end
    assert (meter.steps_forward, meter.steps_backward, meter.evaluations) == (taken, 0, 20)
    step = 3 * 2 + 2 * 2 + 4 * 2  # the products of one time step; sums and tanh come to them
    assert meter.work > step * taken and meter.work % taken == 0
    work = meter.work
    problem.validate(genomes[0])
    assert meter.work > work and meter.evaluations == 20
    work = meter.work
    problem.validate(genomes[0])
    assert meter.work == work  # known already
    share = problem.learned(genomes[0], 0.04)
    assert meter.work > work and meter.evaluations == 20
    work = meter.work
    resumed = make(maze_network, maze)
    resumed.restore_validated(problem.validated())
    assert resumed.learned(genomes[0], 0.04) == share == problem.learned(genomes[0], 0.04)
    assert meter.work == work and resumed.meter.work == 0
    assert resumed.validate(genomes[0]) == problem.validate(genomes[0]) and resumed.meter.work == 0


def test_outputs_that_are_not_finite_make_a_genome_unfit(network):
    genomes = network.init_many(np.random.default_rng(0), 3)
    genomes[1] = np.nan
    fitness = make(network).fitness(genomes)
    assert fitness[1] == -np.inf and np.isfinite(fitness[[0, 2]]).all()
    assert not np.isfinite(make(network).validate(genomes[1]))


@pytest.mark.parametrize(("strategy", "lacks"), [(BPTT(), "gradient"), (EchoState(), "states, targets")])
def test_strategies_that_need_targets_raise_errors(network, strategy, lacks):
    with pytest.raises(
        ConfigError, match=f"needs a problem that provides {lacks}; this one provides exploration, fitness"
    ):
        strategy.fit(network, BANDIT, budget=Budget(generations=1))


def test_a_network_that_does_not_fit_raises_an_error():
    with pytest.raises(ShapeError, match="expected 2 inputs for the observations of bandit, got 3"):
        make(Network(3, 2, loss="reward"))
    with pytest.raises(ShapeError, match="expected 4 outputs for the actions of t-maze, got 2"):
        RandomSearch().fit(Network(3, 2, loss="reward"), TMaze(), budget="1gen")


@pytest.mark.parametrize(
    ("starts", "sentence"),
    [
        (np.zeros((0, 5)), r"at least one start, shape \(E, 5\), got \(0, 5\)"),
        (np.zeros((2, 3)), r"at least one start, shape \(E, 5\), got \(2, 3\)"),
        (np.full((1, 5), np.nan), "expected finite starts"),
    ],
)
def test_starts_that_do_not_fit_raise_errors(network, starts, sentence):
    with pytest.raises(ShapeError, match=sentence):
        EnvironmentProblem(network, BANDIT, starts)


def test_the_splits_have_different_starts_and_the_problem_has_no_test_starts():
    starts = starts_of(BANDIT, 3)
    seeds = np.concatenate([starts.train[:, 2], starts.valid[:, 2], starts.test[:, 2]])
    assert len(np.unique(seeds)) == len(seeds)
    problem = assess(BANDIT, 3).problem(Network.for_task(BANDIT))
    held = [value for value in vars(problem).values() if isinstance(value, np.ndarray)]
    assert not any(np.isin(value, starts.test[:, 2]).any() for value in held)


def test_learned_is_the_share_of_starts_that_succeed(maze_network):
    maze = TMaze(length=1, time_limit=4)
    genome = maze_network.init(seed=0) * 0
    weights = maze_network.unpack(genome)
    weights["readout.b"][:] = [0.5, 0, 0, 0]  # north, into a wall, for ever
    problem = make(maze_network, maze)
    assert problem.learned(genome, 0.04) == 0.0
    weights["layer0.W_x"][0] = [3, 0, 3]  # a unit that is positive at the start and negative at the junction
    weights["layer0.b"][0] = -1.5
    weights["readout.b"][:] = 0
    weights["readout.W"][:2, 0] = [-1, 1]  # east where it is positive, north where it is not
    assert problem.learned(genome, 0.04) == 0.5
    with pytest.raises(ConfigError, match=r"budget\.learned: bandit does not define success"):
        RandomSearch().fit(
            Network.for_task(BANDIT, hidden=2), BANDIT, budget=Budget(learned=1.0, generations=2)
        )


def test_evolution_learns_the_bandit(network):
    """Beats always pulling the same arm, half a point a pull, by a quarter of what the best policy gains."""
    environment = Bandit(train=40, valid=40, test=400)
    result = GeneticAlgorithm(population=64).fit(network, environment, seed=0, budget="25gen")
    best, same = environment.best_return(), environment.time_limit / 2
    assert result.metrics["test"]["return"] > same + 0.25 * (best - same)
    assert result.metrics["test"]["return"] < best + 0.5
    again = GeneticAlgorithm(population=64).fit(network, environment, seed=0, budget="25gen")
    np.testing.assert_array_equal(again.genome, result.genome)
    assert again.metrics == result.metrics


def test_a_resumed_run_equals_one_that_was_not_stopped(network):
    check_strategy(GeneticAlgorithm(population=8), lambda: make(network), steps=4)


def test_a_step_that_fails_leaves_the_state_of_the_step_before(network):
    problem = make(network)
    trainer = Trainer(RandomSearch(count=4), problem, seed=0, budget=Budget(generations=9))
    trainer.step()
    before = trainer.state()
    problem.environment = None
    work = problem.meter.as_dict()
    with pytest.raises(ConfigError):
        trainer.step()
    after = trainer.state()
    np.testing.assert_array_equal(after["best_genome"], before["best_genome"])
    assert after["step_count"] == 1 and problem.meter.work == work["work"]


def test_baselines_run_from_the_test_starts():
    found = assess(BANDIT, 0).baselines("return")
    assert set(found) == {"no action", "random action"}
    returns, lengths = play(BANDIT, lambda count: np.zeros((count, 2)), starts_of(BANDIT, 0).test)
    assert found["no action"] == returns.mean() and set(lengths) == {12}  # the first arm, every time
    assert assess(BANDIT, 0).baselines("return") == found
    assert assess(BANDIT, 1).baselines("return")["random action"] != found["random action"]


def test_the_record_is_the_episode_of_median_return(network):
    genome, assessment = network.init(seed=3), assess(BANDIT, 2)
    record = assessment.record(SimpleNamespace(network=network, genome=genome))
    shown = record.arrays
    assert record.name == "trajectory" and not record.diverged
    returns = [by_hand(network, BANDIT, genome, start)[0] for start in starts_of(BANDIT, 2).test]
    assert shown["returns"].tolist() == returns and shown["rewards"].sum() == returns[int(shown["start"])]
    assert sorted(returns)[14] == returns[int(shown["start"])]
    assert shown["observations"].shape == (12, 2) == shown["actions"].shape
    outputs = network.predict(genome, shown["observations"][None])[0]
    np.testing.assert_allclose(shown["actions"], outputs, rtol=1e-5, atol=1e-6)
    assert assessment.scores(network, genome)["test"]["return"] == np.mean(returns)


def test_metrics_of_episodes_by_hand():
    returns, lengths = np.array([1.0, 2.0, np.inf]), np.array([3, 4, 5])
    found = evaluate_episodes(("steps", "success"), returns, lengths, np.array([True, False, False]))
    assert found == {"steps": 4.0, "success": pytest.approx(1 / 3)}
    assert evaluate_episodes(("return",), returns, lengths, None)["return"] == np.inf
    with pytest.raises(evorrn.EvorrnError, match="did you mean 'return'"):
        evaluate_episodes(("retrun",), returns, lengths, None)


@dataclass(frozen=True)
class Broken(Environment):
    """Its functions are no compiled ones."""

    name = "broken"
    observations = actions = states = 1
    time_limit = 3

    reset = observe = step = staticmethod(lambda state, other: (0.0, True))


def test_an_environment_that_cannot_run_raises_an_error_at_the_start():
    with pytest.raises(ConfigError, match="environment broken: reset: expected a function reset"):
        RandomSearch().fit(Network(1, 1, loss="reward"), Broken(), budget="1gen")
