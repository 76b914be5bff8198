"""Fitness shaping: what an individual counts by, from the fitness of its generation."""

from __future__ import annotations

import numpy as np


def centred_ranks(fitness: np.ndarray) -> np.ndarray:
    """Return ranks from -0.5 (worst) to 0.5 (best), shape (P,); equal fitness gets the mean of its ranks."""
    return (_mean_ranks(fitness) - (len(fitness) - 1) / 2) / max(len(fitness) - 1, 1)


def standardised(fitness: np.ndarray) -> np.ndarray:
    """Return fitness minus its mean, divided by its standard deviation, shape (P,).

    ``-inf`` counts as the worst finite fitness.
    """
    values = np.where(np.isfinite(fitness), fitness, fitness[np.isfinite(fitness)].min())
    largest = np.abs(values).max()
    if largest > 1e150:  # its square, or the sum, may overflow
        values = values / largest
    deviation = values.std()
    return (values - values.mean()) / (deviation if deviation > 0 else 1.0)


def shared_weights(fitness: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return one weight for each individual by its rank, shape (P,).

    Individuals of equal fitness get the mean of their weights, so that their order does not matter.

    Parameters
    ----------
    fitness : ndarray, shape (P,)
    weights : ndarray, shape (P,)
        From the best to the worst.
    """
    order = np.argsort(-fitness, kind="stable")
    _, group, counts = np.unique(-fitness, return_inverse=True, return_counts=True)
    shared = np.bincount(group[order], weights=weights) / counts
    return shared[group]


def _mean_ranks(fitness: np.ndarray) -> np.ndarray:
    """Return ranks from 0 (worst) on, shape (P,); equal fitness gets the mean of its ranks."""
    _, group, counts = np.unique(fitness, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    return (last - (counts - 1) / 2)[group]
