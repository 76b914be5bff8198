"""Optimisers: gradient descent with momentum, RMSProp, AdaDelta and Adam; and gradient clipping.

Each optimiser is a function of the genome (n,), the gradient (n,), the rate, its moments (a dict of
arrays and numbers, empty at the start) and its constants. It returns the new genome and moments, all float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.base.huge import scale_of

Moments = dict[str, Any]

CLIP = "largest norm of a gradient, longer ones are scaled down; 0 for no limit"
"""What the setting `clip` means."""


@dataclass(frozen=True)
class Coefficients:
    """The constants of an optimiser.

    Attributes
    ----------
    momentum : float
        Share of the velocity that is kept (sgd), or β1 (adam).
    decay : float
        Share of the mean squared gradient that is kept (rmsprop, and ρ of adadelta), or β2 (adam).
    epsilon : float
        Added to the root of the mean squared gradient; in adadelta to both mean squares, below their roots.
    """

    momentum: float = 0.9
    decay: float = 0.999
    epsilon: float = 1e-8


def sgd(
    genome: np.ndarray, gradient: np.ndarray, rate: float, moments: Moments, c: Coefficients
) -> tuple[np.ndarray, Moments]:
    """Return the genome after gradient descent with momentum: ``v ← μ v - η g``, ``θ ← θ + v``.

    Source: Polyak 1964; in this form Sutskever, Martens, Dahl & Hinton 2013, equations 1 and 2.
    """
    velocity = c.momentum * moments.get("velocity", np.zeros_like(genome)) - rate * gradient
    return genome + velocity, {"velocity": velocity}


def rmsprop(
    genome: np.ndarray, gradient: np.ndarray, rate: float, moments: Moments, c: Coefficients
) -> tuple[np.ndarray, Moments]:
    """Return the genome after a step of RMSProp: ``v ← α v + (1 - α) g²``, ``θ ← θ - η g / (√v + ε)``.

    Source: Tieleman & Hinton 2012, lecture 6.5; ε outside the root as in PyTorch.
    """
    square = c.decay * moments.get("square", np.zeros_like(genome)) + (1 - c.decay) * np.square(gradient)
    return genome - rate * gradient / (np.sqrt(square) + c.epsilon), {"square": square}


def adadelta(
    genome: np.ndarray, gradient: np.ndarray, rate: float, moments: Moments, c: Coefficients
) -> tuple[np.ndarray, Moments]:
    """Return the genome after a step of AdaDelta: ``Δ = -√(u + ε) / √(v + ε) g``, ``θ ← θ + η Δ``.

    v and u are running means of the squares of g and of Δ. Source: Zeiler 2012, algorithm 1, where the rate η is 1.
    """
    none = np.zeros_like(genome)
    square = c.decay * moments.get("square", none) + (1 - c.decay) * np.square(gradient)
    moved = moments.get("moved", none)
    step = -np.sqrt(moved + c.epsilon) / np.sqrt(square + c.epsilon) * gradient
    moved = c.decay * moved + (1 - c.decay) * np.square(step)
    return genome + rate * step, {"square": square, "moved": moved}


def adam(
    genome: np.ndarray, gradient: np.ndarray, rate: float, moments: Moments, c: Coefficients
) -> tuple[np.ndarray, Moments]:
    """Return the genome after a step of Adam: ``θ ← θ - η m̂ / (√v̂ + ε)``, bias-corrected means of g and g².

    Source: Kingma & Ba 2015, algorithm 1.
    """
    count = moments.get("count", 0) + 1
    mean = c.momentum * moments.get("mean", np.zeros_like(genome)) + (1 - c.momentum) * gradient
    square = c.decay * moments.get("square", np.zeros_like(genome)) + (1 - c.decay) * np.square(gradient)
    unbiased_mean = mean / (1 - c.momentum**count)
    unbiased_square = square / (1 - c.decay**count)
    moved = genome - rate * unbiased_mean / (np.sqrt(unbiased_square) + c.epsilon)
    return moved, {"count": count, "mean": mean, "square": square}


def decay_weights(genome: np.ndarray, rate: float, decay: float) -> np.ndarray:
    """Return the genome after a step of decoupled weight decay: ``θ ← θ - η λ θ``.

    Source: Loshchilov & Hutter 2019, algorithms 1 and 2. Deviation: the decay is multiplied by the whole rate, and not
    only by its schedule, as in PyTorch.
    """
    return genome - rate * decay * genome if decay else genome


def noise_of_gradient(rng: np.random.Generator, size: int, scale: float, updates: int) -> np.ndarray:
    """Return Gaussian noise (n,) that is added to a gradient; its variance is ``scale / (1 + updates)^0.55``.

    Source: Neelakantan et al. 2015, equation 1.
    """
    return math.sqrt(scale / (1 + updates) ** 0.55) * rng.standard_normal(size)


Optimiser = Callable[[np.ndarray, np.ndarray, float, Moments, Coefficients], tuple[np.ndarray, Moments]]

OPTIMISERS: dict[str, Optimiser] = {"sgd": sgd, "rmsprop": rmsprop, "adadelta": adadelta, "adam": adam}

USUAL_DECAY = {"sgd": 0.0, "rmsprop": 0.99, "adadelta": 0.95, "adam": 0.999}
"""The default decay of the mean squared gradient; sgd does not use one."""


def clip_by_norm(gradient: np.ndarray, limit: float) -> tuple[np.ndarray, float]:
    """Return the gradient, scaled down to the norm `limit` if it is longer, and its original norm.

    Parameters
    ----------
    gradient : ndarray, shape (n,)
    limit : float
        0 for no limit.

    Source: Pascanu, Mikolov & Bengio 2013, algorithm 1.
    """
    scale = scale_of(gradient)
    norm = scale * math.sqrt(
        np.square(gradient / scale).sum()
    )  # not BLAS, whose result depends on its threads
    if limit and norm > limit:
        return gradient * (limit / norm), norm
    return gradient, norm
