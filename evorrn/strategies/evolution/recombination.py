"""Weighted recombination: how many are drawn, who are the parents, and how much each of them counts."""

from __future__ import annotations

import math

import numpy as np


def usual_population(size: int) -> int:
    """Return the individuals of a generation for a genome of `size` genes: 4 + 3 ln n, rounded down."""
    return 4 + int(3 * math.log(size))


def logarithmic_weights(parents: int, offset: float) -> tuple[np.ndarray, float]:
    """Return weights that fall with the logarithm of the rank, and how many equal parents they are worth.

    Parameters
    ----------
    parents : int
        How many individuals count, mu.
    offset : float
        The parent of rank i counts ln(mu + offset) - ln(i), before the weights are brought to sum 1.

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
    """Return the places of the `count` fittest, best first; equal ones in their order of arrival.

    That order is as good as a draw, since it is independent of the points: on a plateau the selection is
    neutral. Those without finite fitness come last.
    """
    return np.argsort(-fitness, kind="stable")[:count]
