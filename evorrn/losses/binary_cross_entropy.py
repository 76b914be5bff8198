"""Cross-entropy of outputs that are each true or false, on logits."""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from evorrn.kernels.activations import exp, softplus
from evorrn.losses.base import JIT, Loss


class BinaryCrossEntropy(Loss):
    """The mean over scored entries of ``softplus(y) - target * y``, in nats."""

    name = "binary-cross-entropy"
    metrics = ("binary_accuracy", "binary_cross_entropy")
    logits = True

    def mean(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Return the mean binary cross-entropy."""
        return float(np.mean(np.logaddexp(0, outputs) - targets * outputs))

    def learned(self, outputs: np.ndarray, targets: np.ndarray, tolerance: float) -> np.ndarray:
        """Return where every logit has the sign of its class."""
        right: np.ndarray = ((outputs > 0) == (targets > 0.5)).all(axis=2)
        return right

    def regression_targets(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        """Return -1 and 1 for targets of 0 and 1."""
        return 2 * np.asarray(targets, dtype=np.float64) - 1

    def scale_derivatives(
        self, outputs: np.ndarray, targets: np.ndarray, scale: float
    ) -> tuple[float, float]:
        """Return the derivatives of the loss of scaled logits."""
        probability = 0.5 * (1 + np.tanh(0.5 * scale * outputs))
        slope = np.mean((probability - targets) * outputs)
        curvature = np.mean(probability * (1 - probability) * np.square(outputs))
        return float(slope), float(curvature)


@register_jitable(**JIT)
def add_loss(y, target, weight, total):
    """Add ``softplus(y) - target * y`` for every output: cross-entropy on logits."""
    for o in range(target.shape[0]):
        for k in range(target.shape[1]):
            loss = float(softplus(y[o, k]) - target[o, k] * y[o, k])
            total[k] += loss if weight[k] > 0 else 0.0


@register_jitable(**JIT)
def loss_gradient(y, target, weight, scale, gradient):
    """Set ``scale * (sigmoid(y) - target)``."""
    for o in range(target.shape[0]):
        for k in range(target.shape[1]):
            z = y[o, k]
            one = scale / scale
            change = scale * (one / (one + exp(-z)) - target[o, k])
            gradient[o, k] = change if weight[k] > 0 else scale * 0
