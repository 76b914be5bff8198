"""Binary cross-entropy: each output is the logit of a class that is true or false."""

from __future__ import annotations

import numpy as np

from evorrn.kernels.activations import exp, sigmoid, softplus
from evorrn.kernels.deferred import loops
from evorrn.losses.base import Loss


class BinaryCrossEntropy(Loss):
    """The mean over scored entries of ``softplus(y) - target * y``, in nats."""

    name = "binary-cross-entropy"
    metrics = ("binary_accuracy", "binary_cross_entropy")
    logits = True
    target_range = (0.0, 1.0)
    fed_back = ("probability", "bit", "output")

    def feed(self, outputs: np.ndarray, kind: str) -> np.ndarray:
        """Return the probability of each class, or 1 where its logit is above 0 and 0 elsewhere."""
        if kind == "probability":
            return sigmoid(outputs)
        return np.where(outputs == outputs, outputs > 0, outputs) if kind == "bit" else outputs

    def mean(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Return the mean binary cross-entropy."""
        return float(np.mean(np.logaddexp(0, outputs) - targets * outputs))

    def learned(self, outputs: np.ndarray, targets: np.ndarray, tolerance: float) -> np.ndarray:
        """Return True for time steps at which every logit is finite and has the sign of its class."""
        right: np.ndarray = (np.isfinite(outputs) & ((outputs > 0) == (targets > 0.5))).all(axis=2)
        return right

    def regression_targets(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        """Return -1 and 1 for targets of 0 and 1."""
        return 2 * np.asarray(targets, dtype=np.float64) - 1

    def scale_derivatives(
        self, outputs: np.ndarray, targets: np.ndarray, scale: float
    ) -> tuple[float, float]:
        """Return the first and second derivative of the loss of scaled logits with respect to the scale."""
        probability = 0.5 * (1 + np.tanh(0.5 * scale * outputs))
        slope = np.mean((probability - targets) * outputs)
        curvature = np.mean(probability * (1 - probability) * np.square(outputs))
        return float(slope), float(curvature)


@loops
def add_loss(y, target, weight, total):
    """Add ``softplus(y) - target * y`` of every output, the cross-entropy of a logit."""
    for o in range(target.shape[0]):
        for k in range(target.shape[1]):
            loss = float(softplus(y[o, k]) - target[o, k] * y[o, k])
            total[k] += loss if weight[k] > 0 else 0.0


@loops
def loss_gradient(y, target, weight, scale, gradient):
    """Set the gradient to ``scale * (sigmoid(y) - target)``."""
    for o in range(target.shape[0]):
        for k in range(target.shape[1]):
            z = y[o, k]
            one = scale / scale
            change = scale * (one / (one + exp(-z)) - target[o, k])
            gradient[o, k] = change if weight[k] > 0 else scale * 0


@loops
def feed_probability(y):
    """Replace logits with probabilities."""
    for o in range(y.shape[0]):
        for k in range(y.shape[1]):
            y[o, k] = sigmoid(y[o, k])


@loops
def feed_probability_gradient(y, gradient):
    """Multiply a gradient with the derivative of the probability."""
    for o in range(y.shape[0]):
        for k in range(y.shape[1]):
            probability = sigmoid(y[o, k])
            gradient[o, k] *= probability - probability * probability


@loops
def feed_bit(y):
    """Replace logits with 1 where they are above 0, with 0 elsewhere; NaN stays."""
    for o in range(y.shape[0]):
        for k in range(y.shape[1]):
            z = y[o, k]
            y[o, k] = (1.0 if z > 0 else 0.0) if z == z else z


@loops
def feed_bit_gradient(y, gradient):
    """Set a gradient to zero, the derivative of a bit."""
    for o in range(y.shape[0]):
        for k in range(y.shape[1]):
            gradient[o, k] = 0
