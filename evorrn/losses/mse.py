"""Mean squared error."""

from __future__ import annotations

import numpy as np

from evorrn.data import metrics
from evorrn.kernels.deferred import loops
from evorrn.losses.base import Loss


class MeanSquaredError(Loss):
    """The mean over scored entries of the squared error."""

    name = "mse"
    metrics = ("nrmse_std", "rmse")

    def mean(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Return the mean squared error."""
        return metrics.mse(outputs, targets)

    def learned(self, outputs: np.ndarray, targets: np.ndarray, tolerance: float) -> np.ndarray:
        """Return True for time steps at which the error of every output is at most the tolerance."""
        within: np.ndarray = (np.abs(outputs - targets) <= tolerance).all(axis=2)
        return within

    def regression_targets(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        """Return the targets themselves."""
        return np.asarray(targets, dtype=np.float64)


@loops
def add_loss(y, target, weight, total):
    """Add the squared errors of every lane to its total."""
    for o in range(target.shape[0]):
        for k in range(target.shape[1]):
            error = y[o, k] - target[o, k]
            square = float(error * error)
            total[k] += square if weight[k] > 0 else 0.0


@loops
def loss_gradient(y, target, weight, scale, gradient):
    """Set the gradient to ``2 * scale * (y - target)``."""
    for o in range(target.shape[0]):
        for k in range(target.shape[1]):
            change = (scale + scale) * (y[o, k] - target[o, k])
            gradient[o, k] = change if weight[k] > 0 else scale * 0
