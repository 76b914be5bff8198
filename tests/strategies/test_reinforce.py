"""REINFORCE: its estimate against differences of the expected return, its episodes, its cost, and what it cannot train."""

from dataclasses import dataclass

import numpy as np
import pytest
from numba import njit
from worlds import Pendulum

from evorrn import BPTT, REINFORCE, Batch, Environment, Network
from evorrn.base.errors import EvorrnError
from evorrn.strategies.gradient.reinforce import score_gradient
from evorrn.testing import check_strategy
from evorrn.training.episodes import EnvironmentProblem
from evorrn.training.exploring import Episodes, explore

DEVIATION = 0.6


def network():
    return Network(1, 1, cell="elman", hidden=2, loss="reward", dtype="float64")


def played(net, genome, noises):
    """Return episodes of two steps from state 0.3 with given noise (E, 2), by plain loops.

    An action is added to the state, and the reward of a step is minus the squared distance to 1; so returns are
    polynomials of the noise.
    """
    seen, rewards = np.zeros((len(noises), 2, 1)), np.zeros((len(noises), 2))
    state = np.full(len(noises), 0.3)
    for t in range(2):
        seen[:, t, 0] = state
        outputs = net.predict(genome, seen[:, : t + 1])[:, t, 0]
        state = state + outputs + DEVIATION * noises[:, t]
        rewards[:, t] = -((state - 1) ** 2)
    return Episodes(seen, noises[:, :, None], rewards, np.full(len(noises), 2))


def grid(points=24):
    """Return noises (E, 2) and weights (E,) whose weighted sums are expectations over normal noise."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    weights = weights / weights.sum()
    first, second = np.meshgrid(np.arange(points), np.arange(points))
    return nodes[np.column_stack([first.ravel(), second.ravel()])], (weights[first] * weights[second]).ravel()


def test_the_expected_estimate_is_the_derivative_of_the_expected_return():
    """The problem is enumerated: all noise of two steps on the points of a Gauss-Hermite rule."""
    net, (noises, weights) = network(), grid()
    genome = net.init(seed=3)

    def expected(genes):
        return weights @ played(net, genes, noises).rewards.sum(axis=1)

    wanted = [(expected(genome + d) - expected(genome - d)) / 2e-5 for d in 1e-5 * np.eye(net.size)]
    found = played(net, genome, noises)
    advantages = REINFORCE(baseline=False, normalise=False, discount=1.0).advantages(found)
    upon = score_gradient(found.noise, advantages, DEVIATION) * weights[:, None, None]
    np.testing.assert_allclose(net.vjp(genome, found.observations, upon), wanted, rtol=1e-5, atol=1e-6)


def test_a_baseline_leaves_the_mean_of_the_estimate_and_lowers_its_spread():
    net, rng = network(), np.random.default_rng(0)
    genome = net.init(seed=3)
    groups, size = 400, 4
    noises = rng.standard_normal((groups * size, 2))
    found = played(net, genome, noises)
    estimates = {}
    for baseline in (False, True):
        strategy = REINFORCE(baseline=baseline, normalise=False, discount=1.0)
        parts = [Episodes(*(part[k : k + size] for part in found)) for k in range(0, len(noises), size)]
        advantages = np.concatenate([strategy.advantages(part) for part in parts])
        scores = score_gradient(found.noise, advantages, DEVIATION)
        each = [
            net.vjp(genome, p.observations, scores[i * size : (i + 1) * size]) for i, p in enumerate(parts)
        ]
        estimates[baseline] = np.array(each) / size
    difference = estimates[True] - estimates[False]
    error = difference.std(axis=0, ddof=1) / np.sqrt(groups)
    assert (np.abs(difference.mean(axis=0)) < 4.5 * error + 1e-12).all()
    assert estimates[True].std(axis=0).sum() < 0.8 * estimates[False].std(axis=0).sum()


def test_advantages_are_discounted_returns_less_the_mean_of_the_others():
    rewards = np.array([[1.0, 2.0, 4.0], [3.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    found = Episodes(np.zeros((3, 3, 1)), np.zeros((3, 3, 1)), rewards, np.array([3, 1, 2]))
    plain = REINFORCE(discount=0.5, baseline=False, normalise=False).advantages(found)
    np.testing.assert_allclose(plain, [[3, 4, 4], [3, 0, 0], [0.5, 1, 0]])
    less = REINFORCE(discount=0.5, normalise=False).advantages(found)
    np.testing.assert_allclose(less, [[3 - 1.75, 3.5, 4], [3 - 1.75, 0, 0], [-2.5, -1, 0]])
    scaled = REINFORCE(discount=0.5).advantages(found)
    assert np.square(scaled).sum() / 6 == pytest.approx(1.0)
    np.testing.assert_allclose(scaled / scaled[0, 1], less / less[0, 1])


@pytest.mark.parametrize("cell", ["second-order", pytest.param("elman", marks=pytest.mark.thorough)])
def test_without_noise_an_episode_is_that_of_the_network(cell):
    world, net = Pendulum(), Network(2, 2, cell=cell, hidden=3, loss="reward", dtype="float64")
    genome, starts = net.init(seed=0), np.array([[0.1, 0.0, 0.0], [0.7, 0.5, 0.0], [-0.3, 0.2, 0.0]])
    found = explore(world, net, genome, starts, 0.0, np.random.default_rng(0))
    returns, lengths = net.simulate(genome[None], world, starts)
    assert (found.lengths == lengths[0]).all()
    np.testing.assert_allclose(found.rewards.sum(axis=1), returns[0], rtol=1e-9)
    for row, start in enumerate(starts):
        seen = net.trajectory(genome, world, start).observations
        np.testing.assert_allclose(found.observations[row, : len(seen)], seen, rtol=1e-9)
        assert not found.observations[row, len(seen) :].any() and not found.rewards[row, len(seen) :].any()


def test_noise_has_the_deviation_asked_for_and_moves_the_actions():
    world, net = Pendulum(), Network(2, 2, hidden=3, loss="reward", dtype="float64")
    start = np.zeros((200, 3))
    found = explore(world, net, np.zeros(net.size), start, 0.5, np.random.default_rng(1))
    first = (
        found.rewards[:, 0] + found.observations[:, 1, 0] ** 2
    )  # the reward has 0.01 times the second action
    np.testing.assert_allclose(first, 1 + 0.01 * 0.5 * found.noise[:, 0, 1], rtol=1e-12)
    assert found.noise[:, 0].std() == pytest.approx(1.0, abs=0.1)


@njit
def reset(state, rng):
    state[0] = 0.0


@njit(error_model="numpy")
def observe(state, observation):
    observation[0] = 1.0 / (3.0 - state[0])


@njit
def step(state, action):
    state[0] += 1.0
    return action[0], False


@dataclass(frozen=True)
class TimeLeft(Environment):
    """The observation is 1 over the number of time steps that are left: infinite after the last one."""

    name, observations, actions, states, time_limit = "time-left", 1, 1, 1, 3
    reset, observe, step = staticmethod(reset), staticmethod(observe), staticmethod(step)


def test_nothing_is_observed_after_the_last_time_step():
    net = Network(1, 1, hidden=2, loss="reward", dtype="float64")
    found = explore(TimeLeft(), net, net.init(seed=0), np.zeros((2, 1)), 0.5, np.random.default_rng(0))
    assert found.lengths.tolist() == [3, 3]
    np.testing.assert_allclose(found.observations[:, :, 0], [[1 / 3, 1 / 2, 1]] * 2)


def pendulum(**settings):
    world = Pendulum(**settings)
    starts = np.random.default_rng(0).uniform(-0.3, 0.3, (5, 3)) * [1, 1, 0]
    return EnvironmentProblem(Network(2, 2, cell="second-order", hidden=3, loss="reward"), world, starts)


@pytest.mark.thorough
def test_the_contract_holds_in_another_environment():
    check_strategy(REINFORCE(episodes=3, updates=2), pendulum, steps=3)


def test_episodes_and_gradients_are_charged():
    problem = pendulum(time_limit=6)
    strategy = REINFORCE(episodes=3, updates=2)
    state = strategy.start(problem, np.random.default_rng(0))
    before = problem.meter.as_dict()
    assert before["work"] == 0
    lengths = []
    explored = problem.explore

    def counting(*given):
        found = explored(*given)
        lengths.append(int(found.lengths.sum()))
        return found

    problem.explore = counting
    strategy.step(problem, state)
    forward, backward = problem.network.step_work
    steps, meter = sum(lengths), problem.meter
    validation = meter.steps_forward - 2 * steps
    passes = steps * (2 * forward + backward) + validation * forward
    assert meter.work - passes in (0, 15 * problem.size * 2 + 10 * 2 * steps)
    assert (meter.evaluations, meter.steps_backward) == (2, steps)


def test_returns_rise():
    problem, strategy = pendulum(time_limit=20), REINFORCE(episodes=20, updates=10, rate=0.05)
    state = strategy.start(problem, np.random.default_rng(1))
    returns = []
    for _ in range(12):
        state = strategy.step(problem, state)
        returns.append(-problem.validate(state["candidate"]))
    assert np.mean(returns[-3:]) > returns[0]


def test_a_task_with_targets_is_refused_and_an_environment_by_gradients():
    batch = Batch(np.zeros((1, 5, 1)), np.zeros((1, 5, 1)))
    with pytest.raises(EvorrnError, match="reinforce: needs a problem that provides exploration"):
        REINFORCE().fit(Network(1, 1, hidden=2), batch, budget="1gen")
    with pytest.raises(EvorrnError, match="bptt: needs a problem that provides gradient"):
        BPTT().fit(Network(2, 2, hidden=2, loss="reward"), Pendulum(), budget="1gen")
