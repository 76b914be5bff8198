"""Cross-entropy of classes, on logits."""

from __future__ import annotations

import math

import numpy as np
from numba.extending import register_jitable

from evorrn.data import metrics
from evorrn.kernels.activations import exp
from evorrn.losses.base import JIT, Loss


class CrossEntropy(Loss):
    """The mean over scored steps of ``-log softmax(y)[label]``, in nats."""

    name = "cross-entropy"
    targets = "labels"
    metrics = ("accuracy", "cross_entropy")
    logits = True

    def mean(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Return the mean cross-entropy."""
        return metrics.cross_entropy(outputs, targets)

    def learned(self, outputs: np.ndarray, targets: np.ndarray, tolerance: float) -> np.ndarray:
        """Return where the largest logit stands at the label."""
        right: np.ndarray = outputs.argmax(axis=2) == targets
        return right

    def regression_targets(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        """Return 1 at the label and 0 elsewhere."""
        return np.eye(outputs)[targets]

    def scale_derivatives(
        self, outputs: np.ndarray, targets: np.ndarray, scale: float
    ) -> tuple[float, float]:
        """Return the derivatives of the loss of scaled logits."""
        logits = scale * outputs
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        mean = (weights * outputs).sum(axis=1)
        slope = np.mean(mean - outputs[np.arange(len(outputs)), targets])
        curvature = np.mean((weights * np.square(outputs - mean[:, None])).sum(axis=1))
        return float(slope), float(curvature)


@register_jitable(**JIT)
def add_loss(y, target, weight, total):
    """Add ``-log softmax(y)[label]``; the label of a lane stands in ``target[0]``."""
    for k in range(target.shape[1]):
        if weight[k] > 0:
            largest = y[0, k]
            for o in range(1, y.shape[0]):
                if y[o, k] > largest or y[o, k] != y[o, k]:
                    largest = y[o, k]
            mass = 0.0
            for o in range(y.shape[0]):
                mass += math.exp(float(y[o, k] - largest))
            total[k] += math.log(mass) - float(y[int(target[0, k]), k] - largest)


@register_jitable(**JIT)
def loss_gradient(y, target, weight, scale, gradient):
    """Set ``scale * (softmax(y) - one-hot label)``."""
    for k in range(target.shape[1]):
        if weight[k] > 0:
            largest = y[0, k]
            for o in range(1, y.shape[0]):
                if y[o, k] > largest or y[o, k] != y[o, k]:
                    largest = y[o, k]
            mass = scale * 0
            for o in range(y.shape[0]):
                share = exp(y[o, k] - largest)
                gradient[o, k] = share
                mass += share
            for o in range(y.shape[0]):
                gradient[o, k] *= scale / mass
            gradient[int(target[0, k]), k] -= scale
        else:
            for o in range(y.shape[0]):
                gradient[o, k] = scale * 0
