"""No loss of outputs: fitness is the reward of episodes in an environment."""

from __future__ import annotations

from numba.extending import register_jitable

from evorrn.losses.base import JIT, Loss


class Reward(Loss):
    """The loss of networks that act in an environment, whose outputs have no targets."""

    name = "reward"
    targets = "none"


@register_jitable(**JIT)
def add_loss(y, target, weight, total):
    """Add nothing."""


@register_jitable(**JIT)
def loss_gradient(y, target, weight, scale, gradient):
    """Set the gradient to zero."""
    for o in range(gradient.shape[0]):
        for k in range(gradient.shape[1]):
            gradient[o, k] = scale * 0
