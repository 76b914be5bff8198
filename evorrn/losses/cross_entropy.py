"""Cross-entropy: the outputs of a time step are the logits of O classes."""

from __future__ import annotations

import math

import numpy as np

from evorrn.data import metrics
from evorrn.kernels.activations import exp
from evorrn.kernels.deferred import loops
from evorrn.losses.base import Loss


class CrossEntropy(Loss):
    """The mean over scored steps of ``-log softmax(y)[label]``, in nats."""

    name = "cross-entropy"
    targets = "labels"
    metrics = ("accuracy", "cross_entropy")
    logits = True
    fed_back = ("probability", "bit", "output")

    def feed(self, outputs: np.ndarray, kind: str) -> np.ndarray:
        """Return the probability of each class, or 1 for the class with the largest logit and 0 for the others."""
        if kind == "output":
            return outputs
        if kind == "probability":
            shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            return np.asarray(shares / shares.sum(axis=1, keepdims=True))
        ones = np.eye(outputs.shape[1], dtype=outputs.dtype)[outputs.argmax(axis=1)]
        return np.where(np.isnan(outputs).any(axis=1, keepdims=True), np.nan, ones)

    def mean(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Return the mean cross-entropy."""
        return metrics.cross_entropy(outputs, targets)

    def learned(self, outputs: np.ndarray, targets: np.ndarray, tolerance: float) -> np.ndarray:
        """Return True for time steps at which all logits are finite and the label has the largest."""
        right: np.ndarray = np.isfinite(outputs).all(axis=2) & (outputs.argmax(axis=2) == targets)
        return right

    def regression_targets(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        """Return 1 at the label and 0 elsewhere."""
        return np.eye(outputs)[targets]

    def scale_derivatives(
        self, outputs: np.ndarray, targets: np.ndarray, scale: float
    ) -> tuple[float, float]:
        """Return the first and second derivative of the loss of scaled logits with respect to the scale."""
        logits = scale * outputs
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        mean = (weights * outputs).sum(axis=1)
        slope = np.mean(mean - outputs[np.arange(len(outputs)), targets])
        curvature = np.mean((weights * np.square(outputs - mean[:, None])).sum(axis=1))
        return float(slope), float(curvature)


@loops
def add_loss(y, target, weight, total):
    """Add ``-log softmax(y)[label]``; ``target[0]`` holds the label of each lane."""
    for k in range(target.shape[1]):
        if weight[k] > 0:
            largest = _largest(y, k)
            mass = 0.0
            for o in range(y.shape[0]):
                mass += math.exp(float(y[o, k] - largest))
            total[k] += math.log(mass) - float(y[int(target[0, k]), k] - largest)


@loops
def loss_gradient(y, target, weight, scale, gradient):
    """Set the gradient to ``scale * (softmax(y) - one-hot label)``."""
    lanes = y.shape[1]
    largest, mass = np.empty(lanes, y.dtype), np.zeros(lanes)
    for k in range(lanes):
        largest[k] = y[0, k]
    for o in range(1, y.shape[0]):  # the largest is NaN if one of them is
        for k in range(lanes):
            larger = y[o, k] > largest[k] or y[o, k] != y[o, k]
            largest[k] = y[o, k] if larger else largest[k]
    for o in range(y.shape[0]):
        for k in range(lanes):
            share = exp(y[o, k] - largest[k])
            gradient[o, k] = share
            mass[k] += share
    for k in range(lanes):
        mass[k] = scale / mass[k]
    for o in range(y.shape[0]):
        for k in range(lanes):
            share = gradient[o, k] * mass[k]
            gradient[o, k] = share if weight[k] > 0 else scale * 0
    for k in range(lanes):
        if weight[k] > 0:
            gradient[int(target[0, k]), k] -= scale


@loops
def feed_probability(y):
    """Replace the logits of each lane with probabilities."""
    for k in range(y.shape[1]):
        largest = _largest(y, k)
        mass = y[0, k] * 0
        for o in range(y.shape[0]):
            y[o, k] = exp(y[o, k] - largest)
            mass += y[o, k]
        for o in range(y.shape[0]):
            y[o, k] /= mass


@loops
def feed_probability_gradient(y, gradient):
    """Multiply a gradient with the Jacobian matrix of the probabilities, ``p_o (gradient_o - sum of p gradient)``."""
    for k in range(y.shape[1]):
        largest = _largest(y, k)
        mass = y[0, k] * 0
        mean = y[0, k] * 0
        for o in range(y.shape[0]):
            share = exp(y[o, k] - largest)
            mass += share
            mean += share * gradient[o, k]
        mean /= mass
        for o in range(y.shape[0]):
            gradient[o, k] = exp(y[o, k] - largest) / mass * (gradient[o, k] - mean)


@loops
def feed_bit(y):
    """Replace the logits of each lane with 1 for the first largest, 0 for the others; NaN stays."""
    for k in range(y.shape[1]):
        largest = _largest(y, k)
        found = False
        for o in range(y.shape[0]):
            if largest == largest:
                first = y[o, k] == largest and not found
                y[o, k] = 1.0 if first else 0.0
                found = found or first
            else:
                y[o, k] = largest


@loops
def feed_bit_gradient(y, gradient):
    """Set a gradient to zero, the derivative of a bit."""
    for o in range(y.shape[0]):
        for k in range(y.shape[1]):
            gradient[o, k] = 0


@loops
def _largest(y, k):
    """Return the largest logit of lane k; NaN if one of them is NaN."""
    largest = y[0, k]
    for o in range(1, y.shape[0]):
        if y[o, k] > largest or y[o, k] != y[o, k]:
            largest = y[o, k]
    return largest
