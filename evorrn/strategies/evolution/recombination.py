"""Weighted recombination: the default population, the choice of the parents and their weights."""

from __future__ import annotations

import math

import numpy as np

ACTIVE = "whether the worse half of a generation takes variance away along its steps, by negative weights"
"""What the setting `active` means."""


def usual_population(size: int) -> int:
    """Return the default population for `size` genes: 4 + 3 ln n, rounded down."""
    return 4 + int(3 * math.log(size))


def logarithmic_weights(parents: int, offset: float) -> tuple[np.ndarray, float]:
    """Return weights that decrease with the logarithm of the rank, and their effective number of parents.

    Parameters
    ----------
    parents : int
        Number of parents, mu.
    offset : float
        The weight of rank i is ln(mu + offset) - ln(i), divided by the sum of all weights.

    Returns
    -------
    weights : ndarray, shape (mu,)
        From the best to the worst.
    mass : float
        The variance effective selection mass 1 / sum w_i^2, between 1 and mu.
    """
    raw = math.log(parents + offset) - np.log(np.arange(1, parents + 1))
    weights = raw / raw.sum()
    return weights, float(1.0 / np.square(weights).sum())


def negative_weights(population: int, size: int, mass: float, rank_one: float, rank_mu: float) -> np.ndarray:
    """Return the negative weights of the worse half of a generation in the update of a covariance matrix.

    Parameters
    ----------
    population, size : int
        Individuals of a generation and number of genes, n.
    mass : float
        Variance effective selection mass of the positive weights, mu_w, whose sum is 1.
    rank_one, rank_mu : float
        Rates of the two updates, c_1 and c_mu.

    Returns
    -------
    ndarray, shape (population - population // 2,)
        From the middle to the worst; zeros when c_mu is zero.

    Notes
    -----
    Source: N. Hansen, The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772, equations 49 to 53: raw weights
    ln((lambda + 1) / 2) - ln(i), scaled so that the sum of their absolute values is the smallest of
    1 + c_1 / c_mu, with which the matrix has no decay; 1 + 2 mu_w- / (mu_w + 2); and
    (1 - c_1 - c_mu) / (n c_mu), with which the matrix stays positive definite.
    """
    raw = math.log((population + 1) / 2) - np.log(np.arange(population // 2 + 1, population + 1))
    total = -float(raw.sum())
    if rank_mu <= 0 or total == 0:
        return np.zeros(raw.size)
    own_mass = total**2 / float(np.square(raw).sum())
    largest = min(
        1 + rank_one / rank_mu,
        1 + 2 * own_mass / (mass + 2),
        max(0.0, 1 - rank_one - rank_mu) / (size * rank_mu),
    )
    return raw * (largest / total)


def scaled_negative(weights: np.ndarray, squared_lengths: np.ndarray, size: int) -> np.ndarray:
    """Return weights (k,), the negative ones times n / |z|^2, so that no long sample z takes away too much variance.

    Source: Hansen's tutorial, equation 46. `squared_lengths` (k,) are the |z|^2 of the standard normal samples.
    """
    return np.where(weights < 0, weights * size / np.maximum(squared_lengths, 1e-300), weights)


def best_first(fitness: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` fittest individuals, best first; equal ones in their order.

    That order is independent of the points, so selection among equal individuals is neutral. Individuals
    without finite fitness come last.
    """
    return np.argsort(-fitness, kind="stable")[:count]
