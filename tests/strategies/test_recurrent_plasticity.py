"""Anti-Hebbian plasticity and BCM: the loop by hand, the radius that stays, and what the rules do to the units."""

import numpy as np
import pytest

from evorrn import Batch, EchoState, Network
from evorrn.base.errors import ConfigError
from evorrn.strategies.reservoir.draw import Scales, draw_reservoir
from evorrn.strategies.reservoir.hebbian import RecurrentPlasticity
from evorrn.training.problem import Problem


def prepared(hidden=6, lengths=(40, 25), **options):
    inputs = np.random.default_rng(0).normal(size=(2, 40, 1))
    network = Network(1, 1, cell="leaky", hidden=hidden, dtype="float64", **options)
    scales = Scales(spectral_radius=0.9, links=3, inputs=1.0, biases=0.1, feedback=0.0)
    genome, _ = draw_reservoir(network, scales, np.random.default_rng(1))
    return Problem(network, Batch(inputs, inputs, lengths=lengths)), genome


def radius(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


@pytest.mark.parametrize("rule", ["anti-hebbian", "bcm"])
@pytest.mark.parametrize("cell_options", [{"leak": 0.6}, {"leak": 1.0, "activation": "sigmoid"}])
def test_the_rule_is_the_loop_by_hand_on_the_links_that_there_are(rule, cell_options):
    problem, genome = prepared(cell_options=cell_options)
    network, start = problem.network, genome.copy()
    RecurrentPlasticity(rule, 0.01, 2).adapt(problem, genome)
    before, after = network.unpack(start), network.unpack(genome)
    w, mean, leak = before["layer0.W_h"].copy(), np.full(6, 1e-3), cell_options["leak"]
    f = np.tanh if "activation" not in cell_options else lambda v: 1 / (1 + np.exp(-v))
    there = w != 0
    for _ in range(2):
        for row, length in enumerate((40, 25)):
            x = np.zeros(6)
            for u in problem.train.inputs[row, :length]:
                total = before["layer0.W_x"] @ u + w @ x + before["layer0.b"]
                y = (1 - leak) * x + leak * f(total)
                if rule == "bcm":
                    mean += 0.05 * (y * y - mean)
                    change = np.outer(y * (y - mean) / np.maximum(mean, 1e-3), x)
                else:
                    change = -(np.outer(y, x) - (y * y)[:, None] * w)
                w = np.where(there, w + 0.01 * change, 0.0)
                x = y
    expected = w * radius(before["layer0.W_h"]) / radius(w)
    np.testing.assert_allclose(after["layer0.W_h"], expected, rtol=1e-8, atol=1e-12)
    for name in ("layer0.W_x", "layer0.b", "readout.W"):
        np.testing.assert_array_equal(before[name], after[name])


@pytest.mark.parametrize("rule", ["anti-hebbian", pytest.param("bcm", marks=pytest.mark.thorough)])
def test_stacked_reservoirs_adapt_and_keep_their_radius_and_train(rule):
    problem, genome = prepared(hidden=(8, 5))
    RecurrentPlasticity(rule, 0.01, 1).adapt(problem, genome)
    for layer in range(2):
        assert radius(problem.network.unpack(genome)[f"layer{layer}.W_h"]) == pytest.approx(0.9)
    result = EchoState(reservoirs=1, plasticity=rule).fit(problem.network, problem.train, seed=0)
    assert np.isfinite(result.metrics["train"]["nrmse_std"])


def test_the_anti_hebbian_rule_weakens_links_between_units_that_are_active_one_after_the_other():
    inputs = np.random.default_rng(0).normal(size=(1, 1500, 1))
    network = Network(1, 1, cell="elman", hidden=40, dtype="float64")
    scales = Scales(spectral_radius=0.9, links=10, inputs=0.3, biases=0.1, feedback=0.0)
    genome, _ = draw_reservoir(network, scales, np.random.default_rng(1))
    states = network.states(genome, inputs)[0]
    together = states[1:].T @ states[:-1]  # of unit i now and unit j one step before

    def agreement(weights):
        links = network.unpack(weights)["layer0.W_h"]
        return (links * together).sum() / np.sqrt((links**2).sum())

    start = agreement(genome)
    RecurrentPlasticity("anti-hebbian", 1e-3, 1).adapt(Problem(network, Batch(inputs, inputs)), genome)
    assert agreement(genome) < 0.9 * start


def test_plasticity_of_links_under_feedback_or_in_other_cells_is_refused():
    batch = Batch(np.zeros((1, 30, 1)), np.zeros((1, 30, 1)))
    for options, message in (
        ({"cell": "leaky", "feedback": True}, "needs a network without feedback"),
        ({"cell": "gru"}, "plasticity: needs a cell elman, leaky or ctrnn"),
    ):
        with pytest.raises(ConfigError, match=message):
            EchoState(reservoirs=1, plasticity="bcm").fit(Network(1, 1, dtype="float64", **options), batch)
