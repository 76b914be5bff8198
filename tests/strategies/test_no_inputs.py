"""Networks without inputs: every way of learning trains them, online gradients are those of plain differences."""

import warnings

import numpy as np
import pytest

from evorrn import (
    CMAES,
    CRBP,
    EKF,
    ESP,
    RTRL,
    Batch,
    BlockRTRL,
    EProp,
    GeneticAlgorithm,
    Network,
    Problem,
    SnAp,
)
from evorrn.strategies.gradient.tangents import Tangent

OPTIONS = {"optimiser": "sgd", "momentum": 0.0, "rate": 1.0, "clip": 0.0, "schedule": "constant"}


def loss(network, genome, targets):
    """Return the mean squared error of an Elman network without inputs, by a loop over time."""
    w, h, total = network.unpack(genome), np.zeros(network.hidden[0]), 0.0
    for target in targets:
        h = np.tanh(w["layer0.W_h"] @ h + w["layer0.b"])
        total += np.square(w["readout.W"] @ h + w["readout.b"] - target).sum()
    return total / targets.size


@pytest.mark.parametrize("method", [RTRL, BlockRTRL, SnAp], ids=lambda m: m.name)
def test_online_gradients_of_a_network_without_inputs_are_those_of_differences(method):
    network = Network(0, 2, cell="elman", hidden=3, dtype="float64")
    targets = np.random.default_rng(0).standard_normal((7, 2))
    given = {"order": 3} if method is SnAp else {}
    strategy = method(update_every=7, batch_size=0, **OPTIONS, **given)
    problem = Problem(network, Batch(np.zeros((1, 7, 0)), targets[None]))
    start = strategy.start(problem, np.random.default_rng(1))
    genome = start["genome"] + 0.1
    after = strategy.step(problem, {**start, "genome": genome})["genome"]
    wanted = [
        (loss(network, genome + d, targets) - loss(network, genome - d, targets)) / 2e-6
        for d in 1e-6 * np.eye(network.size)
    ]
    np.testing.assert_allclose(genome - after, wanted, rtol=1e-6, atol=1e-8)


def test_a_product_of_tangents_of_a_network_without_inputs_that_sees_its_output_is_that_of_differences():
    network = Network(0, 2, cell="gru", hidden=3, feedback=True, dtype="float64")
    batch = Batch(np.zeros((2, 6, 0)), np.zeros((2, 6, 2)))
    rng = np.random.default_rng(2)
    genome, along = network.init(seed=1), rng.standard_normal(network.size)
    outputs, changes = Tangent(network, genome, batch).along(along)
    ahead, behind = (network.predict(genome + s * along, batch.inputs) for s in (1e-6, -1e-6))
    np.testing.assert_allclose(outputs, network.predict(genome, batch.inputs), rtol=1e-12)
    np.testing.assert_allclose(changes, (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "strategy",
    [EKF(groups="neuron"), EProp(), CRBP(), GeneticAlgorithm(population=8), CMAES(population=8), ESP()],
    ids=lambda s: s.name,
)
def test_other_strategies_train_networks_without_inputs_without_a_warning(strategy):
    network = Network(0, 1, cell="indrnn", hidden=2, dtype="float64")
    batch = Batch(np.zeros((2, 5, 0)), np.random.default_rng(0).standard_normal((2, 5, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = strategy.fit(network, batch, seed=0, budget="5gen")
    assert result.history["train_loss"][-1] <= result.history["train_loss"][0]
