"""Cells of arrays act in environments: NumPy's steps equal those of compiled programs, lane by lane."""

from dataclasses import dataclass

import numpy as np
import pytest
from numba import njit
from worlds import Pendulum

from evorrn import Environment, Fixed, cell, exp, tanh
from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.network import acting
from evorrn.network.network import Network

STARTS = np.random.default_rng(5).uniform(-0.4, 0.4, (3, 3)) * [1, 1, 0]


@cell(
    state={"h": "H"},
    parameters={"W": "H I", "U": "H H", "b log_tau": "H"},
    fixed={"mask": Fixed("H H", rule=lambda sizes, options: np.tri(sizes["H"]))},
)
def derived(p, x, h):
    """A cell whose weights follow from genes and from an array that is not trained."""
    return h + (tanh(p.W @ x + (p.mask * p.U) @ h + p.b) - h) / (1 + exp(p.log_tau))


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"cell": "lstm"}, marks=pytest.mark.thorough),
        pytest.param({"cell": "lstm", "feedback": True, "direct": True}, marks=pytest.mark.thorough),
        {"cell": derived},
    ],
)
def test_steps_in_numpy_equal_those_of_the_compiled_program(form):
    network = Network(2, 2, hidden=4, dtype="float64", **form)
    genomes = network.init_many(np.random.default_rng(0), 30)
    wanted = network.simulate(genomes, Pendulum(), STARTS, 20)
    got = acting.simulate(network, genomes, Pendulum(), STARTS, 20)
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-10)
    np.testing.assert_array_equal(got[1], wanted[1])
    one = acting.trajectory(network, genomes[3], Pendulum(), STARTS[1], 20)
    for ours, theirs in zip(one, network.trajectory(genomes[3], Pendulum(), STARTS[1], 20)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cell", ["second-order", "ntm"])
def test_the_lanes_of_a_cell_of_arrays_do_not_depend_on_each_other(cell):
    network = Network(2, 2, cell=cell, hidden=3)
    genomes = network.init_many(np.random.default_rng(1), 40)
    returns, lengths = network.simulate(genomes, Pendulum(), STARTS, 15)
    assert returns.shape == lengths.shape == (40, 3)
    alone = network.simulate(genomes[33:34], Pendulum(), STARTS[2:], 15)
    assert alone[0][0, 0] == returns[33, 2]
    episode = network.trajectory(genomes[33], Pendulum(), STARTS[2], 15)
    assert len(episode.rewards) == lengths[33, 2]
    np.testing.assert_allclose(episode.rewards.sum(), returns[33, 2], rtol=1e-9)
    series = network.predict(genomes[33], episode.observations[None])
    np.testing.assert_allclose(series[0], episode.actions, rtol=1e-4, atol=1e-5)


@njit
def reset(state, rng):
    state[0] = rng.uniform(-1.0, 1.0)


@njit
def observe(state, observation):
    observation[0] = 16777217.0
    observation[1] = observation[0] - 16777216.0 + state[0]


@njit
def step(state, action):
    reward = (action[0] + action[1]) - action[1]
    action[:] = np.nan
    return reward, False


@dataclass(frozen=True)
class Exact(Environment):
    """Has other rewards and other second observations in float32 than in float64; changes the array of actions."""

    name, observations, actions, states, time_limit = "exact", 2, 2, 1, 4
    reset, observe, step = staticmethod(reset), staticmethod(observe), staticmethod(step)


def test_an_environment_gets_float64_from_a_network_of_float32_as_in_a_compiled_program():
    network, start = Network(2, 2, hidden=2, feedback=True, dtype="float32"), np.array([[0.25]])
    genome = 0 * network.init(seed=0)
    network.unpack(genome)["readout.b"][:] = [1.0, 1e8]
    for program in (network.simulate, lambda *given: acting.simulate(network, *given)):
        returns, lengths = program(genome[None], Exact(), start, 4)
        assert returns.tolist() == [[4.0]] and lengths.tolist() == [[4]]
    wanted = network.trajectory(genome, Exact(), start[0], 4)
    for ours, theirs in zip(acting.trajectory(network, genome, Exact(), start[0], 4), wanted):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert wanted.observations[0].tolist() == [16777216.0, 1.25]


def test_an_observation_too_large_for_the_networks_numbers_is_an_error():
    network = Network(2, 2, cell="second-order", hidden=2)
    with pytest.raises(EvorrnError, match=r"exact: expected a finite observation 2, got inf at the start"):
        network.simulate(network.init(seed=0)[None], Exact(), np.array([[1e300]]))


def test_an_action_that_is_not_finite_ends_the_episode():
    network = Network(2, 2, cell="second-order", hidden=3)
    returns, lengths = network.simulate(np.full((1, network.size), np.nan), Pendulum(), STARTS, 15)
    assert np.isnan(returns).all() and (lengths == 1).all()


def test_an_environment_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="2 observations, but the network has 3 inputs"):
        network = Network(3, 2, cell="second-order", hidden=3)
        network.simulate(network.init(seed=0)[None], Pendulum(), STARTS, 15)
