"""The loss of networks that act in an environment: outputs have no targets, and fitness comes from rewards."""

from __future__ import annotations

from evorrn.kernels.deferred import loops
from evorrn.losses.base import Loss


class Reward(Loss):
    """The loss of networks that act in an environment; it is always zero."""

    name = "reward"
    targets = "none"


@loops
def add_loss(y, target, weight, total):
    """Add nothing."""


@loops
def loss_gradient(y, target, weight, scale, gradient):
    """Set the gradient to zeros."""
    for o in range(gradient.shape[0]):
        for k in range(gradient.shape[1]):
            gradient[o, k] = scale * 0
