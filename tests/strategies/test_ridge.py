"""The ridge solver against the augmented least-squares problem and an explicit hat matrix."""

import itertools

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from evorrn.strategies.reservoir.ridge import ridge

ALPHAS = tuple(10.0**e for e in range(-10, 2))


def rows(count: int = 300, width: int = 12, outputs: int = 2, noise: float = 0.3):
    rng = np.random.default_rng(1)
    features = rng.standard_normal((count, width)) @ rng.standard_normal((width, width)) + 5.0
    targets = features @ rng.standard_normal((width, outputs)) + 7.0
    return features, targets + noise * rng.standard_normal(targets.shape)


def least_squares(features: np.ndarray, targets: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Ridge as an ordinary least-squares problem with one further row for each penalised weight."""
    count, width = features.shape
    top = np.column_stack([features, np.ones(count)])
    bottom = np.column_stack([np.sqrt(alpha * count) * np.eye(width), np.zeros(width)])
    solved = np.linalg.lstsq(
        np.vstack([top, bottom]), np.vstack([targets, np.zeros((width, targets.shape[1]))]), rcond=None
    )[0]
    return solved[:-1].T, solved[-1]


@pytest.mark.parametrize("alpha", [1e-6, 1e-2, 10.0])
def test_one_alpha_solves_the_augmented_problem(alpha):
    features, targets = rows()
    fit = ridge(features, targets, [alpha])
    weights, bias = least_squares(features, targets, alpha)
    np.testing.assert_allclose(fit.weights, weights, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fit.bias, bias, rtol=1e-8)
    assert fit.alpha == alpha and fit.unseen is None and fit.scores.size == 0


@pytest.mark.parametrize("blocks", [1, 3])
def test_blocks_are_predicted_from_the_rows_before_them(blocks):
    features, targets = rows(count=200)
    fit = ridge(features, targets, ALPHAS, held_out=0.3, blocks=blocks)
    falling = sorted(ALPHAS, reverse=True)
    errors, outputs = np.zeros(len(falling)), {alpha: [] for alpha in falling}
    edges = np.linspace(140, 200, blocks + 1).astype(int)
    for start, stop in itertools.pairwise(edges):
        for index, alpha in enumerate(falling):
            weights, bias = least_squares(features[:start], targets[:start], alpha)
            predicted = features[start:stop] @ weights.T + bias
            outputs[alpha].append(predicted)
            errors[index] += np.square(predicted - targets[start:stop]).sum() / 60
    np.testing.assert_allclose(fit.scores, errors, rtol=1e-6)
    assert fit.alpha == falling[int(np.argmin(errors))]
    np.testing.assert_allclose(fit.unseen, np.concatenate(outputs[fit.alpha]), rtol=1e-6)
    np.testing.assert_allclose(
        fit.weights, least_squares(features, targets, fit.alpha)[0], rtol=1e-6, atol=1e-9
    )


def test_generalised_cross_validation_by_its_hat_matrix():
    features, targets = rows(count=60)
    fit = ridge(features, targets, ALPHAS, select="gcv")
    expected = []
    for alpha in sorted(ALPHAS, reverse=True):
        hat = np.column_stack([_predict(features, np.eye(60)[:, [k]], alpha) for k in range(60)])
        residual = targets - hat @ targets
        expected.append(np.square(residual).sum() / 60 / (1 - np.trace(hat) / 60) ** 2)
    np.testing.assert_allclose(fit.scores, expected, rtol=1e-6)
    assert fit.alpha == sorted(ALPHAS, reverse=True)[int(np.argmin(expected))]


def _predict(features, targets, alpha):
    weights, bias = least_squares(features, targets, alpha)
    return features @ weights.T + bias


def test_noise_asks_for_a_larger_penalty():
    rng = np.random.default_rng(2)
    features = rng.standard_normal((150, 40))
    clean = features @ rng.standard_normal((40, 1))
    noisy = clean + 20 * rng.standard_normal(clean.shape)
    for select in ("blocks", "gcv"):
        assert ridge(features, clean, ALPHAS, select=select).alpha < 1e-6
        assert ridge(features, noisy, ALPHAS, select=select).alpha > 1e-1


def test_a_shift_of_the_targets_is_a_shift_of_the_bias():
    features, targets = rows()
    fit, shifted = ridge(features, targets, ALPHAS), ridge(features, targets + 1000, ALPHAS)
    assert fit.alpha == shifted.alpha
    np.testing.assert_allclose(shifted.weights, fit.weights, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(shifted.bias, fit.bias + 1000, rtol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_fewer_rows_than_features(count):
    features, targets = rows(count=10, width=25)
    fit = ridge(features[:count], targets[:count], ALPHAS)
    assert np.isfinite(fit.weights).all() and np.isfinite(fit.bias).all()
    if count == 1:  # the readout can only learn the mean
        np.testing.assert_allclose(features[0] @ fit.weights.T + fit.bias, targets[0], rtol=1e-12)
        assert fit.alpha == max(ALPHAS)


def test_constant_and_repeated_features_are_no_obstacle():
    features, targets = rows()
    singular = np.column_stack([features, features, np.full(len(features), 3.0)])
    fit = ridge(singular, targets, [1e-15])
    residual = singular @ fit.weights.T + fit.bias - targets
    weights, bias = least_squares(features, targets, 1e-15)
    assert np.square(residual).mean() < 1.001 * np.square(features @ weights.T + bias - targets).mean()


def test_bits_do_not_depend_on_the_threads_of_blas():
    rng = np.random.default_rng(3)
    features = rng.standard_normal((2000, 150))
    targets = features[:, :1] ** 2
    fits = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            fits.append(ridge(features, targets, ALPHAS))
    assert fits[0].weights.tobytes() == fits[1].weights.tobytes()
    assert fits[0].scores.tobytes() == fits[1].scores.tobytes()
