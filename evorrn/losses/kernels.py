"""Losses of one time step on a tile, and their gradients.

Tiles are (outputs, lanes). ``weight`` is positive where the step of a lane is scored; elsewhere target
and output have no effect, even when they are not finite. Sums are kept per lane in float64.
"""

from __future__ import annotations

import math

from numba.extending import register_jitable

from evorrn.kernels.activations import exp, softplus

_JIT = {"fastmath": {"contract"}, "error_model": "numpy"}


@register_jitable(**_JIT)
def mse(y, target, weight, total):
    """Add the squared error of every lane to its total."""
    for o in range(target.shape[0]):
        for k in range(target.shape[1]):
            error = y[o, k] - target[o, k]
            square = float(error * error)
            total[k] += square if weight[k] > 0 else 0.0


@register_jitable(**_JIT)
def mse_gradient(y, target, weight, scale, gradient):
    """Set the gradient of ``scale`` times the squared error."""
    for o in range(target.shape[0]):
        for k in range(target.shape[1]):
            change = (scale + scale) * (y[o, k] - target[o, k])
            gradient[o, k] = change if weight[k] > 0 else scale * 0


@register_jitable(**_JIT)
def cross_entropy(y, target, weight, total):
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


@register_jitable(**_JIT)
def cross_entropy_gradient(y, target, weight, scale, gradient):
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


@register_jitable(**_JIT)
def binary_cross_entropy(y, target, weight, total):
    """Add ``softplus(y) - target * y`` for every output: cross-entropy on logits."""
    for o in range(target.shape[0]):
        for k in range(target.shape[1]):
            loss = float(softplus(y[o, k]) - target[o, k] * y[o, k])
            total[k] += loss if weight[k] > 0 else 0.0


@register_jitable(**_JIT)
def binary_cross_entropy_gradient(y, target, weight, scale, gradient):
    """Set ``scale * (sigmoid(y) - target)``."""
    for o in range(target.shape[0]):
        for k in range(target.shape[1]):
            z = y[o, k]
            one = scale / scale
            change = scale * (one / (one + exp(-z)) - target[o, k])
            gradient[o, k] = change if weight[k] > 0 else scale * 0


LOSSES = {
    "mse": "mse",
    "cross-entropy": "cross_entropy",
    "binary-cross-entropy": "binary_cross_entropy",
}
"""Public name -> name of the kernel."""
