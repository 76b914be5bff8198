"""Optimisers and schedules against recursions by hand and, if it is installed, PyTorch."""

import math

import numpy as np
import pytest

from evorrn.strategies.gradient.optimisers import (
    OPTIMISERS,
    Coefficients,
    adadelta,
    adam,
    clip_by_norm,
    rmsprop,
    sgd,
)
from evorrn.strategies.gradient.schedules import SCHEDULES

RATE = 0.05


def gradients(count: int = 25) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 4)) * [1e-3, 1.0, 50.0, 0.0]


def descend(optimiser, coefficients: Coefficients) -> np.ndarray:
    genome, moments = np.arange(4.0), {}
    for gradient in gradients():
        genome, moments = optimiser(genome, gradient, RATE, moments, coefficients)
    return genome


def test_momentum_sums_past_gradients_with_falling_weight():
    given, momentum = gradients(), 0.8
    ages = np.arange(len(given))
    # A gradient also acts in later steps: after k further steps its share is 1 + μ + ... + μ^k.
    shares = (1 - momentum ** (len(given) - ages)) / (1 - momentum)
    expected = np.arange(4.0) - RATE * (shares[:, None] * given).sum(axis=0)
    np.testing.assert_allclose(descend(sgd, Coefficients(momentum=momentum)), expected, rtol=1e-12)


def test_rmsprop_divides_by_the_running_mean_square():
    given, decay = gradients(), 0.9
    ages = np.arange(len(given))
    expected = np.arange(4.0)
    for step in ages:
        weights = (1 - decay) * decay ** (step - ages[: step + 1])
        square = (weights[:, None] * given[: step + 1] ** 2).sum(axis=0)
        expected = expected - RATE * given[step] / (np.sqrt(square) + 1e-8)
    np.testing.assert_allclose(descend(rmsprop, Coefficients(decay=decay)), expected, rtol=1e-12)


def test_first_step_of_adam_is_the_rate_times_the_sign():
    genome, _ = adam(np.zeros(3), np.array([3.0, -0.2, 1e-3]), 0.01, {}, Coefficients())
    np.testing.assert_allclose(genome, [-0.01, 0.01, -0.01], rtol=1e-4)


def test_adadelta_moves_by_the_ratio_of_past_steps_and_gradients_whatever_the_scale_of_the_loss():
    given, constants = gradients(), Coefficients(decay=0.9, epsilon=1e-6)
    genome, moments = np.zeros(4), {}
    moves, expected = [], np.zeros(4)
    for step, gradient in enumerate(given):
        ages = 0.1 * 0.9 ** np.arange(step, -1, -1)[:, None]
        before = (ages[1:] * np.square(moves)).sum(axis=0) if moves else 0.0
        root = np.sqrt((ages * given[: step + 1] ** 2).sum(axis=0) + 1e-6)
        moves.append(-np.sqrt(before + 1e-6) * gradient / root)
        expected = expected + moves[-1]
        genome, moments = adadelta(genome, gradient, 1.0, moments, constants)
    np.testing.assert_allclose(genome, expected, rtol=1e-10)
    larger, moments = np.zeros(4), {}
    for gradient in given:
        larger, moments = adadelta(larger, 1e4 * gradient, 1.0, moments, constants)
    np.testing.assert_allclose(larger[1:3], genome[1:3], rtol=1e-3)


@pytest.mark.oracle
@pytest.mark.parametrize("name", OPTIMISERS)
def test_same_path_as_pytorch(name):
    torch = pytest.importorskip("torch")
    made = {
        "sgd": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.8),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=RATE, alpha=0.95),
        "adadelta": lambda p: torch.optim.Adadelta(p, lr=RATE, rho=0.95, eps=1e-8),
        "adam": lambda p: torch.optim.Adam(p, lr=RATE, betas=(0.8, 0.95)),
    }
    parameter = torch.nn.Parameter(torch.arange(4.0, dtype=torch.float64))
    optimiser = made[name]([parameter])
    for gradient in gradients():
        parameter.grad = torch.tensor(gradient)
        optimiser.step()
    ours = descend(OPTIMISERS[name], Coefficients(momentum=0.8, decay=0.95))
    np.testing.assert_allclose(ours, parameter.detach().numpy(), rtol=1e-10)


def test_optimisers_leave_what_they_are_given():
    for optimiser in OPTIMISERS.values():
        genome, gradient = np.ones(3), np.full(3, 0.5)
        _, moments = optimiser(genome, gradient, RATE, {}, Coefficients())
        before = {key: np.copy(value) for key, value in moments.items()}
        optimiser(genome, gradient, RATE, moments, Coefficients())
        assert (genome == 1).all() and (gradient == 0.5).all()
        assert all(np.array_equal(before[key], moments[key]) for key in moments)


def test_clipping_keeps_the_direction_and_bounds_the_norm():
    gradient = np.array([3.0, -4.0])
    clipped, norm = clip_by_norm(gradient, 1.0)
    assert norm == 5.0
    np.testing.assert_allclose(clipped, [0.6, -0.8], rtol=1e-15)
    for limit in (0.0, 5.0, 10.0):
        assert clip_by_norm(gradient, limit)[0] is gradient


def test_schedules_by_hand():
    at = {
        name: [schedule(epoch, 3, 10, 0.5) for epoch in (0, 5, 10, 20)]
        for name, schedule in SCHEDULES.items()
    }
    assert at["constant"] == [1, 1, 1, 1]
    assert at["step"] == [1, 1, 0.5, 0.25]
    assert at["exponential"] == pytest.approx([1, math.sqrt(0.5), 0.5, 0.25])
    assert at["cosine"] == pytest.approx([1, 0.5, 1, 1])
    assert at["plateau"] == [0.125] * 4
