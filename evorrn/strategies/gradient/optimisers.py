"""Optimisers: how a gradient becomes a step, and clipping by norm.

Each optimiser is a pure function of the genome, the gradient, the rate and its moments (a dict of
arrays and numbers, empty at the start), and returns the new genome and moments. All arithmetic is float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Moments = dict[str, Any]


@dataclass(frozen=True)
class Coefficients:
    """The constants of an optimiser.

    Attributes
    ----------
    momentum : float
        Share of the velocity kept (sgd); β1 (adam).
    decay : float
        Share of the mean squared gradient kept (rmsprop); β2 (adam).
    epsilon : float
        Added to the root of the mean squared gradient.
    """

    momentum: float = 0.9
    decay: float = 0.999
    epsilon: float = 1e-8


def sgd(
    genome: np.ndarray, gradient: np.ndarray, rate: float, moments: Moments, c: Coefficients
) -> tuple[np.ndarray, Moments]:
    """Gradient descent with momentum: ``v ← μ v - η g``, ``θ ← θ + v``.

    Source: Polyak 1964; in this form Sutskever, Martens, Dahl & Hinton 2013, equations 1 and 2.
    """
    velocity = c.momentum * moments.get("velocity", np.zeros_like(genome)) - rate * gradient
    return genome + velocity, {"velocity": velocity}


def rmsprop(
    genome: np.ndarray, gradient: np.ndarray, rate: float, moments: Moments, c: Coefficients
) -> tuple[np.ndarray, Moments]:
    """Divide by a running root mean square: ``v ← α v + (1 - α) g²``, ``θ ← θ - η g / (√v + ε)``.

    Source: Tieleman & Hinton 2012, lecture 6.5; ε outside the root as in PyTorch.
    """
    square = c.decay * moments.get("square", np.zeros_like(genome)) + (1 - c.decay) * np.square(gradient)
    return genome - rate * gradient / (np.sqrt(square) + c.epsilon), {"square": square}


def adam(
    genome: np.ndarray, gradient: np.ndarray, rate: float, moments: Moments, c: Coefficients
) -> tuple[np.ndarray, Moments]:
    """Adaptive moments: ``θ ← θ - η m̂ / (√v̂ + ε)`` with means of g and g² freed of their bias.

    Source: Kingma & Ba 2015, algorithm 1.
    """
    count = moments.get("count", 0) + 1
    mean = c.momentum * moments.get("mean", np.zeros_like(genome)) + (1 - c.momentum) * gradient
    square = c.decay * moments.get("square", np.zeros_like(genome)) + (1 - c.decay) * np.square(gradient)
    unbiased_mean = mean / (1 - c.momentum**count)
    unbiased_square = square / (1 - c.decay**count)
    moved = genome - rate * unbiased_mean / (np.sqrt(unbiased_square) + c.epsilon)
    return moved, {"count": count, "mean": mean, "square": square}


Optimiser = Callable[[np.ndarray, np.ndarray, float, Moments, Coefficients], tuple[np.ndarray, Moments]]

OPTIMISERS: dict[str, Optimiser] = {"sgd": sgd, "rmsprop": rmsprop, "adam": adam}

USUAL_DECAY = {"sgd": 0.0, "rmsprop": 0.99, "adam": 0.999}
"""The decay of the mean squared gradient where none is set; sgd keeps none."""


def clip_by_norm(gradient: np.ndarray, limit: float) -> tuple[np.ndarray, float]:
    """Return the gradient, scaled down to a norm of `limit` where it is above, and its norm before.

    Parameters
    ----------
    gradient : ndarray, shape (n,)
    limit : float
        0 for no limit.

    Source: Pascanu, Mikolov & Bengio 2013, algorithm 1.
    """
    norm = math.sqrt(np.square(gradient).sum())  # not BLAS, whose bits change with its threads
    if limit and norm > limit:
        return gradient * (limit / norm), norm
    return gradient, norm
