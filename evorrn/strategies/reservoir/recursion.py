"""Compiled recursions that fit a linear readout step by step: recursive least squares and least mean squares."""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import cached


@cached
def shrink_and_multiply(
    p: np.ndarray,
    gain: np.ndarray,
    share: float,
    forgetting: float,
    features: np.ndarray,
    product: np.ndarray,
) -> None:
    """Set ``P = (P - share gain gain^T) / forgetting`` and then ``product = P features``, in one pass over P.

    P (F, F) remains symmetric in every bit.
    """
    size = len(features)
    kept = 1.0 / forgetting
    product[:] = 0.0
    for j in range(0, size - 1, 2):
        a, b = gain[j], gain[j + 1]
        left, right = features[j], features[j + 1]
        upper, lower = p[j], p[j + 1]
        for i in range(size):
            g = gain[i]
            first = (upper[i] - share * (a * g)) * kept
            second = (lower[i] - share * (b * g)) * kept
            upper[i] = first
            lower[i] = second
            product[i] += first * left + second * right
    if size % 2 == 1:
        a, left, upper = gain[size - 1], features[size - 1], p[size - 1]
        for i in range(size):
            first = (upper[i] - share * (a * gain[i])) * kept
            upper[i] = first
            product[i] += first * left


@cached
def least_squares(
    features: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    p: np.ndarray,
    forgetting: float,
    every: int,
) -> float:
    """Update a readout by recursive least squares; return the mean squared error before each update.

    Parameters
    ----------
    features : ndarray, shape (R, F)
    targets : ndarray, shape (R, O)
    weights : ndarray, shape (O, F)
        Changed in place.
    p : ndarray, shape (F, F)
        The inverse of the regularised correlations of the features, changed in place.
    forgetting : float
    every : int
        Rows between two updates.
    """
    rows, size = features.shape
    outputs = targets.shape[1]
    gain, product = np.zeros(size), np.zeros(size)
    share, kept, total, updates = 0.0, 1.0, 0.0, 0
    for row in range(0, rows, every):
        shrink_and_multiply(p, gain, share, kept, features[row], product)
        share = 1.0 / (forgetting + np.dot(features[row], product))
        kept = forgetting
        for o in range(outputs):
            error = np.dot(weights[o], features[row]) - targets[row, o]
            total += error * error
            weights[o] -= (share * error) * product
        gain[:] = product
        updates += 1
    shrink_and_multiply(p, gain, share, kept, gain, product)
    return total / (updates * outputs)


@cached
def least_mean_squares(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, rate: float, normalised: bool, every: int
) -> float:
    """Update a readout by the rule of least mean squares; return the mean squared error before each update.

    The arguments are those of `least_squares`; with `normalised` the rate is divided by the squared length of the features.
    """
    rows = features.shape[0]
    outputs = targets.shape[1]
    total, updates = 0.0, 0
    for row in range(0, rows, every):
        length = 1.0
        if normalised:
            length = 1e-12 + np.dot(features[row], features[row])
        for o in range(outputs):
            error = np.dot(weights[o], features[row]) - targets[row, o]
            total += error * error
            weights[o] -= (rate * error / length) * features[row]
        updates += 1
    return total / (updates * outputs)
