"""Cells of arrays act in environments: NumPy's steps equal those of compiled programs, lane by lane."""

import numpy as np
import pytest
from worlds import Pendulum

from evorrn import Fixed, cell, exp, tanh
from evorrn.base.errors import ConfigError
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


def test_an_action_that_is_not_finite_ends_the_episode():
    network = Network(2, 2, cell="second-order", hidden=3)
    returns, lengths = network.simulate(np.full((1, network.size), np.nan), Pendulum(), STARTS, 15)
    assert np.isnan(returns).all() and (lengths == 1).all()


def test_an_environment_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="2 observations, but the network has 3 inputs"):
        network = Network(3, 2, cell="second-order", hidden=3)
        network.simulate(network.init(seed=0)[None], Pendulum(), STARTS, 15)
