"""Weighted recombination: the default population, the choice of the parents and their weights."""

from __future__ import annotations

import math

import numpy as np


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


def best_first(fitness: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` fittest individuals, best first; equal ones in their order.

    That order is independent of the points, so selection among equal individuals is neutral. Individuals
    without finite fitness come last.
    """
    return np.argsort(-fitness, kind="stable")[:count]
