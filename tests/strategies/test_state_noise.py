"""Noise of reservoir states: it depends on its counter alone, and without it the states are those of the network."""

import numpy as np
import pytest

from evorrn import Batch, EchoState, Network
from evorrn.base.errors import ConfigError
from evorrn.strategies.reservoir.noise import noisy_states, normal
from evorrn.training.problem import Problem


def test_noise_of_a_time_step_depends_on_neither_other_steps_nor_other_units():
    whole = normal(5, 2, 0, 40, 7)
    np.testing.assert_array_equal(normal(5, 2, 13, 9, 7), whole[13:22])
    np.testing.assert_array_equal(normal(5, 2, 0, 40, 5), normal(5, 2, 0, 40, 8)[:, :5])
    assert not np.array_equal(whole, normal(5, 3, 0, 40, 7)) and not np.array_equal(
        whole, normal(6, 2, 0, 40, 7)
    )
    assert normal(5, 2, 0, 0, 7).shape == (0, 7)


def test_noise_is_standard_normal_and_independent_between_units_and_steps():
    found = normal(0, 0, 0, 20_000, 6)
    assert np.abs(found.mean(axis=0)).max() < 0.03 and np.abs(found.std(axis=0) - 1).max() < 0.03
    assert abs((found**4).mean() - 3) < 0.1 and np.abs(found).max() < 7
    assert np.abs(np.corrcoef(np.hstack([found[:-1], found[1:]]).T) - np.eye(12)).max() < 0.04


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "elman", "hidden": 5},
        {
            "cell": "leaky",
            "hidden": (4, 6),
            "reads": "all",
            "cell_options": {"leak": 0.3, "activation": "sigmoid"},
        },
        {"cell": "ctrnn", "hidden": (3, 2), "cell_options": {"dt": 0.4}},
        pytest.param(
            {"cell": "leaky", "hidden": 6, "feedback": True, "biases": False}, marks=pytest.mark.thorough
        ),
    ],
)
def test_states_without_noise_are_those_of_the_network_and_noise_enters_the_sums(options):
    rng = np.random.default_rng(0)
    network = Network(2, 2, dtype="float64", **options)
    batch = Batch(rng.normal(size=(3, 12, 2)), rng.normal(size=(3, 12, 2)), lengths=[12, 1, 7])
    problem, genome = Problem(network, batch), network.init(seed=0)
    expected = problem.readout_states(genome, teacher=network.feedback)
    np.testing.assert_allclose(noisy_states(problem, genome, 0.0, 1), expected, rtol=1e-9, atol=1e-12)
    found = noisy_states(problem, genome, 0.01, 1)
    assert 0 < np.abs(found - expected).max() < 0.1 and not found[1, 1:].any()
    np.testing.assert_array_equal(found, noisy_states(problem, genome, 0.01, 1))


def test_noise_of_the_first_step_is_added_to_the_sum_of_each_unit():
    network = Network(1, 1, cell="elman", hidden=4, dtype="float64")
    batch, genome = Batch(np.full((2, 3, 1), 0.7), np.zeros((2, 3, 1))), network.init(seed=3)
    blocks = network.unpack(genome)
    for sequence in range(2):
        total = blocks["layer0.W_x"][:, 0] * 0.7 + blocks["layer0.b"] + 0.2 * normal(9, sequence, 0, 1, 4)[0]
        found = noisy_states(Problem(network, batch), genome, 0.2, 9)[sequence, 0]
        np.testing.assert_allclose(found, np.tanh(total), rtol=1e-12)


def test_noise_makes_the_readout_small_as_a_penalty_does():
    wave = np.sin(0.2 * np.arange(600))[None, :, None]
    batch = Batch(wave[:, :-1], wave[:, 1:])
    network = Network(1, 1, cell="leaky", hidden=40, dtype="float64")
    sizes = {}
    for noise in (0.0, 1e-2):
        result = EchoState(reservoirs=1, alphas=(1e-16,), state_noise=noise).fit(network, batch, seed=0)
        sizes[noise] = np.abs(network.unpack(result.genome)["readout.W"]).max()
        again = EchoState(reservoirs=1, alphas=(1e-16,), state_noise=noise).fit(network, batch, seed=0)
        assert (again.genome == result.genome).all()
    assert sizes[1e-2] < 0.3 * sizes[0.0]


def test_noise_in_a_cell_whose_units_are_no_sums_is_refused():
    batch = Batch(np.zeros((1, 30, 1)), np.zeros((1, 30, 1)))
    with pytest.raises(ConfigError, match="state_noise: needs a cell elman, leaky or ctrnn"):
        EchoState(reservoirs=1, state_noise=0.1).fit(Network(1, 1, cell="gru", dtype="float64"), batch)
