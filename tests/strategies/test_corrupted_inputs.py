"""Noise and dropout on the inputs during training."""

import numpy as np
import pytest

from evorrn import BPTT, Batch, Network, Problem
from evorrn.base.files import tree_bytes
from evorrn.strategies.base import generator
from evorrn.strategies.gradient.corruption import corrupted


def ragged(sequences=9, steps=14, loss="mse"):
    rng = np.random.default_rng(3)
    lengths = rng.integers(6, steps + 1, sequences)
    inputs = rng.standard_normal((sequences, steps, 2))
    if loss == "ctc":
        return Batch(
            inputs, np.tile([1, 2], (sequences, 1)), lengths=lengths, target_lengths=[2, 1] * 4 + [0]
        )
    mask = rng.random((sequences, steps)) < 0.7
    return Batch(inputs, rng.random((sequences, steps, 1)), mask=mask, lengths=lengths)


@pytest.mark.parametrize("loss", ["mse", "ctc"])
def test_noise_and_dropout_have_their_size_and_change_nothing_else(loss):
    batch, rng = ragged(400, 20, "mse") if loss == "mse" else ragged(loss=loss), np.random.default_rng(0)
    noisy, dropped = corrupted(batch, rng, 0.3, 0.0), corrupted(batch, rng, 0.0, 0.25)
    for found in (noisy, dropped):
        assert found.whole == batch.whole and np.array_equal(found.targets, batch.targets)
        assert np.array_equal(found.lengths, batch.lengths) and np.array_equal(found.scored, batch.scored)
    if loss == "mse":
        noise = noisy.inputs - batch.inputs
        assert abs(noise.mean()) < 0.01 and noise.std() == pytest.approx(0.3, rel=0.02)
        kept = dropped.inputs != 0
        assert kept.mean() == pytest.approx(0.75, abs=0.01)
        np.testing.assert_allclose(dropped.inputs[kept], batch.inputs[kept] / 0.75, rtol=1e-15)


@pytest.mark.parametrize("window", [None, 5])
def test_an_update_is_a_step_down_the_gradient_with_the_changed_inputs(window):
    batch = ragged()
    network = Network(2, 1, cell="gru", hidden=3, dtype="float64")
    settings = {"input_noise": 0.4, "input_dropout": 0.2, "window": window}
    strategy = BPTT(
        optimiser="sgd", momentum=0, rate=0.1, batch_size=0, clip=0, schedule="constant", **settings
    )
    problem = Problem(network, batch, batch)
    state = strategy.start(problem, np.random.default_rng(7))
    shown = corrupted(batch, generator(state), 0.4, 0.2)
    if window is None:
        gradient = network.loss_and_gradient(state["genome"], shown)[1]
    else:
        plain = Problem(network, shown, shown)
        other = BPTT(
            optimiser="sgd", momentum=0, rate=0.1, batch_size=0, clip=0, schedule="constant", window=window
        )
        gradient = (state["genome"] - other.step(plain, state)["genome"]) / 0.1
    after = strategy.step(problem, state)["genome"]
    np.testing.assert_allclose(after, state["genome"] - 0.1 * gradient, rtol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"carry": True, "window": 4}])
def test_training_goes_on_to_the_same_bytes(settings):
    network = Network(2, 1, hidden=3)
    strategy = BPTT(input_noise=0.1, input_dropout=0.1, batch_size=4, **settings)

    problem = Problem(network, ragged(), ragged())
    whole = strategy.start(problem, np.random.default_rng(1))
    for _ in range(6):
        whole = strategy.step(problem, whole)
    half = strategy.start(problem, np.random.default_rng(1))
    for _ in range(3):
        half = strategy.step(problem, half)
    other = Problem(network, ragged(), ragged())
    for _ in range(3):
        half = strategy.step(other, half)
    assert tree_bytes(whole) == tree_bytes(half)
