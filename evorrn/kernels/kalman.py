"""The update of the extended Kalman filter: weights and their covariance after some observations.

A covariance matrix is symmetric, so its lower triangle alone is stored, row after row. Groups of weights that are
taken as independent have a triangle each, one after the other.
"""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import reordered


@reordered
def kalman_update(
    covariance: np.ndarray,
    sizes: np.ndarray,
    jacobian: np.ndarray,
    errors: np.ndarray,
    noise: float,
    drift: float,
    change: np.ndarray,
) -> bool:
    """Update the covariance of weights in place, set the change of the weights, and return whether this was possible.

    Parameters
    ----------
    covariance : ndarray, float64
        The lower triangle of the covariance of each group of weights.
    sizes : ndarray of int64, shape (groups,)
        The number of weights of each group.
    jacobian : ndarray, shape (m, n), float64
        The derivatives of m predictions with respect to the weights, group after group.
    errors : ndarray, shape (m,), float64
        Observed values less predicted ones.
    noise : float
        Variance of the noise of each observation; these are independent.
    drift : float
        Variance that each weight gains after the update.
    change : ndarray, shape (n,), float64
        Set to what is added to the weights.

    Returns
    -------
    bool
        False when the variance of a predicted error is not positive and finite; covariance and change are then of no
        use.

    Notes
    -----
    Independent observations are taken in one after the other, which is the same as all at once and needs no matrix
    to be inverted: each sees the change that those before it made. Deviation where there are several groups: what
    two groups have in common is dropped after each observation, in the source after all of a time step.

    Source: Puskorius & Feldkamp 1994, equations 5 to 9; one observation at a time: Bierman 1977, chapter II.
    """
    m, n = jacobian.shape
    change[:] = 0
    gain = np.empty(n)
    for k in range(m):
        first, start = 0, 0
        for size in sizes:
            _product(covariance, start, jacobian[k, first : first + size], gain[first : first + size])
            first += size
            start += size * (size + 1) // 2
        variance, error = noise, errors[k]
        for i in range(n):
            variance += jacobian[k, i] * gain[i]
            error -= jacobian[k, i] * change[i]
        if not 0 < variance < np.inf:
            return False
        for i in range(n):
            change[i] += gain[i] * (error / variance)
        first, start = 0, 0
        for size in sizes:
            _subtract(covariance, start, gain[first : first + size], 1 / variance)
            first += size
            start += size * (size + 1) // 2
    at = -1
    for size in sizes:
        for i in range(size):
            at += i + 1
            covariance[at] += drift
    return True


@reordered
def _product(triangle: np.ndarray, start: int, vector: np.ndarray, result: np.ndarray) -> None:
    """Set `result` (n,) to a symmetric matrix, whose lower triangle begins at `start`, times a vector (n,)."""
    result[:] = 0
    for i in range(vector.size):
        row = triangle[start : start + i + 1]
        own, total = vector[i], row[i] * vector[i]
        for j in range(i):
            total += row[j] * vector[j]
        for j in range(i):
            result[j] += row[j] * own
        result[i] += total
        start += i + 1


@reordered
def _subtract(triangle: np.ndarray, start: int, vector: np.ndarray, factor: float) -> None:
    """Subtract `factor` times the outer product of a vector (n,) from the triangle that begins at `start`."""
    for i in range(vector.size):
        row, own = triangle[start : start + i + 1], factor * vector[i]
        for j in range(i + 1):
            row[j] -= own * vector[j]
        start += i + 1
