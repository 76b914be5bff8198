"""Readouts that learn step by step: recursive least squares against ridge regression, and least mean squares by hand."""

import numpy as np
import pytest

from evorrn import LMS, RLS, Batch, Network
from evorrn.base.errors import ConfigError
from evorrn.strategies.reservoir.recursion import least_mean_squares, least_squares


def rows(rng, count, width, outputs):
    features = rng.normal(size=(count, width)) @ rng.normal(size=(width, width))
    return features, features @ rng.normal(size=(width, outputs)) + rng.normal(size=(count, outputs))


@pytest.mark.parametrize("seed", range(6))
def test_recursive_least_squares_is_ridge_regression_with_the_penalty_alpha(seed):
    rng = np.random.default_rng(seed)
    count, width, outputs = int(rng.integers(1, 60)), int(rng.integers(1, 12)), int(rng.integers(1, 4))
    every, alpha = int(rng.integers(1, 4)), float(rng.uniform(0.1, 3))
    features, targets = rows(rng, count, width, outputs)
    weights, p = np.zeros((outputs, width)), np.eye(width) / alpha
    least_squares(features, targets, weights, p, 1.0, every)
    x, y = features[::every], targets[::every]
    inverse = np.linalg.inv(x.T @ x + alpha * np.eye(width))
    np.testing.assert_allclose(weights.T, inverse @ x.T @ y, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(p, inverse, rtol=1e-7, atol=1e-9)
    assert (p == p.T).all()


def test_forgetting_weighs_earlier_rows_less():
    features, targets = rows(np.random.default_rng(3), 40, 5, 2)
    weights, p, forgetting = np.zeros((2, 5)), np.eye(5) / 0.7, 0.9
    error = least_squares(features, targets, weights, p, forgetting, 1)
    weight = forgetting ** np.arange(39, -1, -1)
    gram = (features.T * weight) @ features + 0.7 * forgetting**40 * np.eye(5)
    np.testing.assert_allclose(weights.T, np.linalg.solve(gram, (features.T * weight) @ targets), rtol=1e-8)
    np.testing.assert_allclose(p, np.linalg.inv(gram), rtol=1e-8)
    assert error > 0


def test_an_update_brings_the_output_nearer_to_its_target():
    rng = np.random.default_rng(0)
    features, targets = rows(rng, 30, 6, 1)
    weights, p = np.zeros((1, 6)), np.eye(6)
    for feature, target in zip(features, targets):
        before = abs(weights[0] @ feature - target[0])
        least_squares(feature[None], target[None], weights, p, 1.0, 1)
        assert abs(weights[0] @ feature - target[0]) < before


@pytest.mark.parametrize("normalised", [False, True])
def test_least_mean_squares_is_the_loop_by_hand(normalised):
    features, targets = rows(np.random.default_rng(1), 21, 4, 2)
    features, weights, expected = features / 9, np.zeros((2, 4)), np.zeros((2, 4))
    errors = []
    for feature, target in zip(features[::2], targets[::2]):
        error = expected @ feature - target
        errors += [error**2]
        expected = expected - 0.1 * np.outer(error, feature) / (feature @ feature if normalised else 1.0)
    found = least_mean_squares(features, targets, weights, 0.1, normalised, 2)
    np.testing.assert_allclose(weights, expected, rtol=1e-9)
    assert found == pytest.approx(np.mean(errors))


def series(outputs=1, labels=False):
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (2, 150, 1))
    past = np.roll(inputs, 1, axis=1)
    targets = (past[:, :, 0] > 0).astype(int) if labels else np.concatenate([past] * outputs, axis=2)
    return Batch(inputs, targets, mask=np.tile(np.arange(150) > 4, (2, 1)), lengths=[150, 120])


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({"cell": "gru", "hidden": 10}, False),
        ({"cell": "leaky", "hidden": (8, 6), "reads": "all", "direct": True, "biases": False}, False),
        ({"cell": "elman", "hidden": 12, "feedback": True}, False),
        ({"cell": "leaky", "hidden": 12, "loss": "cross-entropy"}, True),
    ],
)
@pytest.mark.parametrize("strategy", [RLS(reservoirs=1), LMS(reservoirs=1, epochs=30)])
def test_any_network_learns_its_readout_online(strategy, options, labels):
    network = Network(1, 2 if labels else 1, dtype="float64", **options)
    result = strategy.fit(network, series(labels=labels), seed=0)
    train = result.metrics["train"]
    best = strategy.name == "rls"
    assert (
        train["accuracy"] > (0.75 if best else 0.5)
        if labels
        else train["nrmse_std"] < (0.6 if best else 0.95)
    )
    assert result.meter.work > 0 and np.isfinite(result.history["online_error"]).all()


def test_a_forgetting_factor_above_1_is_refused():
    with pytest.raises(ConfigError, match="forgetting: expected a value <= 1"):
        RLS(forgetting=1.01)
    with pytest.raises(ConfigError, match="update_every"):
        LMS(update_every=0)
