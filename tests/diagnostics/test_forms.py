"""Diagnostics of networks whose first states are learned, that see symbols or contexts, without inputs, or that read once."""

import numpy as np
import pytest

from evorrn import Batch, Network
from evorrn.base.errors import ConfigError
from evorrn.diagnostics import activity, gradient_by_lag, memory_capacity, principal_trajectories
from evorrn.diagnostics.fixed_points import _solved


def learned(cell, rng):
    network = Network(2, 1, cell=cell, hidden=3, learn_start=True, dtype="float64")
    return network, network.init(rng=rng) + 0.3 * rng.standard_normal(network.size)


@pytest.mark.parametrize("cell", ["elman", "lstm", "iir"])
def test_named_states_are_with_their_learned_first_values(cell):
    rng = np.random.default_rng(0)
    network, genome = learned(cell, rng)
    x = rng.standard_normal((2, 6, 2))
    found = activity(network, genome, x)
    np.testing.assert_allclose(found["layer0.h"], network.states(genome, x), rtol=1e-10)
    if cell == "lstm":
        np.testing.assert_allclose(
            found["layer0.h"], found["layer0.o"] * np.tanh(found["layer0.c"]), rtol=1e-10
        )
        weights = network.unpack(genome)
        first = np.einsum("bh,bh->bh", found["layer0.f"][:, 0], weights["layer0.start.c"][None].repeat(2, 0))
        candidate = found["layer0.i"][:, 0] * found["layer0.g"][:, 0]
        np.testing.assert_allclose(found["layer0.c"][:, 0], first + candidate, rtol=1e-10)


def test_a_gradient_by_lag_with_learned_first_values_is_that_of_a_loop_by_hand():
    rng = np.random.default_rng(1)
    network, genome = learned("elman", rng)
    w = network.unpack(genome)
    x, target = rng.standard_normal((6, 2)), rng.standard_normal((6, 1))
    h, slopes = w["layer0.start.h"], []
    for step in x:
        h = np.tanh(w["layer0.W_x"] @ step + w["layer0.W_h"] @ h + w["layer0.b"])
        slopes.append((1 - h**2)[:, None] * w["layer0.W_h"])
    gradient = 2 * (w["readout.W"] @ h + w["readout.b"] - target[-1]) @ w["readout.W"]
    wanted = [np.linalg.norm(gradient)]
    for slope in slopes[:0:-1]:
        gradient = gradient @ slope
        wanted.append(np.linalg.norm(gradient))
    found = gradient_by_lag(network, genome, Batch(x[None], target[None]))
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_a_gradient_by_lag_of_symbols_and_contexts_is_that_of_the_inputs_that_they_stand_for():
    rng = np.random.default_rng(2)
    symbols, targets = rng.integers(0, 4, (3, 5)), rng.standard_normal((3, 5, 2))
    network = Network(4, 2, cell="gru", hidden=3, dtype="float64")
    genome = network.init(seed=0)
    wanted = gradient_by_lag(network, genome, Batch(np.eye(4)[symbols], targets))
    np.testing.assert_allclose(gradient_by_lag(network, genome, Batch(symbols, targets)), wanted, rtol=1e-12)
    context = Network(4, 2, cell="gru", hidden=3, dtype="float64", context="every")
    vectors = rng.standard_normal((3, 4))
    wanted = gradient_by_lag(network, genome, Batch(vectors[:, None].repeat(5, 1), targets))
    np.testing.assert_allclose(gradient_by_lag(context, genome, Batch(vectors, targets)), wanted, rtol=1e-12)


def test_what_needs_a_readout_at_every_step_or_inputs_says_so():
    pooled = Network(2, 1, hidden=3, readout="mean")
    genome, x = pooled.init(seed=0), np.ones((5, 6, 2))
    for asked in (
        lambda: pooled.states(genome, x),
        lambda: memory_capacity(pooled, genome, delays=2, steps=100),
        lambda: principal_trajectories(pooled, genome, x),
    ):
        with pytest.raises(ConfigError, match='reads a sequence once; make it without readout="mean"'):
            asked()
    alone = Network(0, 1, hidden=2)
    with pytest.raises(ConfigError, match="expected a network with inputs, whose past it could hold"):
        memory_capacity(alone, alone.init(seed=0), delays=2, steps=100)


def test_equations_without_a_solution_do_not_end_a_search_for_fixed_points():
    matrices = np.array([[[2.0, 0.0], [0.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]], [[1.0, 2.0], [0.0, 1.0]]])
    found = _solved(matrices, np.ones((3, 2, 1)))[..., 0]
    np.testing.assert_allclose(found[[0, 2]], [[0.5, 0.25], [-1.0, 1.0]])
    assert np.isnan(found[1]).all()
