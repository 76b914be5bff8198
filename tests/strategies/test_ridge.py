"""The ridge solver against the augmented least-squares problem and an explicit hat matrix."""

import itertools

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import evorrn
from evorrn.strategies.reservoir.bidiagonal import Bidiagonal
from evorrn.strategies.reservoir.division import by_sequence
from evorrn.strategies.reservoir.ridge import ridge

SOLVERS = ("svd", "cholesky")
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


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alpha", [1e-6, 1e-2, 10.0])
def test_one_alpha_solves_the_augmented_problem(alpha, solver):
    features, targets = rows()
    fit = ridge(features, targets, [alpha], solver=solver)
    weights, bias = least_squares(features, targets, alpha)
    np.testing.assert_allclose(fit.weights, weights, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fit.bias, bias, rtol=1e-8)
    assert fit.alpha == alpha and fit.unseen is None and fit.scores.size == 0


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("blocks", [1, 3])
def test_blocks_are_predicted_from_the_rows_before_them(blocks, solver):
    features, targets = rows(count=200)
    fit = ridge(features, targets, ALPHAS, held_out=(0.3, blocks), solver=solver)
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
    np.testing.assert_array_equal(fit.held_out, np.arange(140, 200))
    np.testing.assert_allclose(
        fit.weights, least_squares(features, targets, fit.alpha)[0], rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("solver", SOLVERS)
def test_generalised_cross_validation_by_its_hat_matrix(solver):
    features, targets = rows(count=60)
    fit = ridge(features, targets, ALPHAS, select="gcv", solver=solver)
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


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_fewer_rows_than_features(count, solver):
    features, targets = rows(count=10, width=25)
    fit = ridge(features[:count], targets[:count], ALPHAS, solver=solver)
    assert np.isfinite(fit.weights).all() and np.isfinite(fit.bias).all()
    if count == 1:  # the readout can only learn the mean
        np.testing.assert_allclose(features[0] @ fit.weights.T + fit.bias, targets[0], rtol=1e-12)
        assert fit.alpha == max(ALPHAS)


@pytest.mark.parametrize("solver", SOLVERS)
def test_constant_and_repeated_features_are_no_obstacle(solver):
    features, targets = rows()
    singular = np.column_stack([features, features, np.full(len(features), 3.0)])
    fit = ridge(singular, targets, [1e-15], solver=solver)
    residual = singular @ fit.weights.T + fit.bias - targets
    weights, bias = least_squares(features, targets, 1e-15)
    assert np.square(residual).mean() < 1.001 * np.square(features @ weights.T + bias - targets).mean()


@pytest.mark.parametrize("solver", SOLVERS)
def test_bits_do_not_depend_on_threads(solver):
    rng = np.random.default_rng(3)
    features = rng.standard_normal((2000, 150))
    targets = features[:, :1] ** 2
    sequences = np.repeat(np.arange(10), 200)
    fits = []
    for threads in (1, 2):
        evorrn.set_threads(threads)
        with threadpool_limits(threads, user_api="blas"):
            fits.append(ridge(features, targets, ALPHAS, sequences=sequences, solver=solver))
    evorrn.set_threads(2)
    assert fits[0].weights.tobytes() == fits[1].weights.tobytes()
    assert fits[0].scores.tobytes() == fits[1].scores.tobytes()


# ---------------------------------------------------------------------------- digits, sequences, edges


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_bidiagonal_form_solves_every_penalty(size):
    rng = np.random.default_rng(size)
    matrix, right = rng.standard_normal((size, size)), rng.standard_normal((size, 2))
    penalties = np.array([1e-12, 1e-3, 1.0, 50.0])
    reduced = Bidiagonal(matrix)
    np.testing.assert_allclose(reduced.values, np.linalg.svd(matrix, compute_uv=False), rtol=1e-10)
    solved = reduced.solve(right, penalties)
    for k, penalty in enumerate(penalties):
        top = np.vstack([matrix, np.sqrt(penalty) * np.eye(size)])
        wanted = np.linalg.lstsq(top, np.vstack([right, np.zeros((size, 2))]), rcond=None)[0]
        np.testing.assert_allclose(solved[:, k], wanted, rtol=1e-7, atol=1e-9)


def test_svd_keeps_directions_that_the_gram_matrix_loses():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((400, 30)))[0]
    turned = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    features = basis * 10.0 ** -np.linspace(0, 11, 30) @ turned
    targets = basis.sum(axis=1, keepdims=True)  # all directions count alike
    errors = {}
    for solver in SOLVERS:
        fit = ridge(features, targets, [1e-28], solver=solver)
        errors[solver] = np.abs(features @ fit.weights.T + fit.bias - targets).max()
    assert errors["svd"] < 1e-3 < 0.05 < errors["cholesky"]


def test_penalties_are_chosen_on_whole_sequences_with_equal_shares_of_every_class():
    classes = np.repeat(np.arange(3), [8, 4, 12])
    lengths = np.random.default_rng(0).integers(1, 9, 24)
    sequences = np.repeat(np.arange(24), lengths)
    division = by_sequence(sequences, classes, held_out=0.5, blocks=2)
    seen = []
    for fitted, piece in division.trials:
        held = division.order[division.rows(piece)]
        rest = np.concatenate([division.order[division.rows(other)] for other in fitted])
        assert sorted(np.concatenate([held, rest])) == list(range(len(sequences)))
        assert not set(sequences[held]) & set(sequences[rest])
        assert np.bincount(classes[list(set(sequences[held]))]).tolist() == [2, 1, 3]
        seen += held.tolist()
    assert division.held_out.tolist() == seen and len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("count", "blocks", "held_out"), [(2, 2, 0.5), (2, 1, 0.5), (3, 5, 0.9), (7, 3, 0.1)]
)
def test_few_sequences_are_divided_too(count, blocks, held_out):
    sequences = np.repeat(np.arange(count), 30)
    division = by_sequence(sequences, np.zeros(count, int), held_out, blocks)
    assert division.trials and all(fitted for fitted, _ in division.trials)
    features, targets = rows(count=30 * count)
    fit = ridge(features, targets, ALPHAS, held_out=(held_out, blocks), sequences=sequences)
    errors = {}
    for alpha in ALPHAS:
        left = []
        for fitted, piece in division.trials:
            known = np.concatenate([division.order[division.rows(k)] for k in fitted])
            held = division.order[division.rows(piece)]
            weights, bias = least_squares(features[known], targets[known], alpha)
            left.append(features[held] @ weights.T + bias - targets[held])
        errors[alpha] = np.square(np.concatenate(left)).sum() / len(np.concatenate(left))
    np.testing.assert_allclose(fit.scores, [errors[alpha] for alpha in sorted(ALPHAS)[::-1]], rtol=1e-6)
    assert fit.alpha == min(errors, key=errors.get)


def test_a_penalty_at_the_edge_of_its_grid_is_said():
    rng = np.random.default_rng(2)
    features = rng.standard_normal((150, 40))
    targets = features @ rng.standard_normal((40, 1)) + 3 * rng.standard_normal((150, 1))
    best = ridge(features, targets, ALPHAS)
    assert best.at_edge == 0 and 1e-4 < best.alpha < 10
    assert ridge(features, targets, [best.alpha / 100, best.alpha / 1000]).at_edge == 1
    assert ridge(features, targets, [best.alpha * 100, best.alpha * 1000]).at_edge == -1
    assert ridge(features, targets, [best.alpha]).at_edge == 0
