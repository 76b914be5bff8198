"""Initialisations of weights, found by name. Each draws a block for many networks at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from evorrn.base.blas import one_thread

Shape = tuple[int, ...]


def glorot(rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return uniform weights on ±sqrt(6 / (fan in + fan out)). Source: Glorot and Bengio 2010, equation 16."""
    bound = np.sqrt(6.0 / (shape[0] + math.prod(shape[1:] or shape)))
    return rng.uniform(-bound, bound, (count, *shape))


def orthogonal(rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return orthogonal rows or columns, from the QR decomposition of a Gaussian matrix. Source: Saxe et al. 2014."""
    rows, columns = shape[0], math.prod(shape[1:])
    gaussian = rng.standard_normal((count, max(rows, columns), min(rows, columns)))
    with one_thread():
        q, r = np.linalg.qr(gaussian)
    q = q * np.where(np.diagonal(r, axis1=1, axis2=2) < 0, -1.0, 1.0)[:, None, :]
    return (q if rows >= columns else q.swapaxes(1, 2)).reshape(count, *shape)


def identity(rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return the identity matrix, or ones for a vector. Source: Le, Jaitly and Hinton 2015."""
    one = np.eye(*shape) if len(shape) == 2 else np.ones(shape)
    return np.broadcast_to(one, (count, *shape))


def half_identity(rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return half the identity plus uniform numbers on ±1/(2 H): a node is at first near the mean of two children."""
    bound = 0.5 / units
    return 0.5 * identity(rng, count, shape, units) + rng.uniform(-bound, bound, (count, *shape))


def uniform(rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return uniform weights on ±1/sqrt(H), PyTorch's default for recurrent layers."""
    bound = 1.0 / np.sqrt(units)
    return rng.uniform(-bound, bound, (count, *shape))


def small(rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return uniform weights on ±0.1. Source: Hochreiter and Schmidhuber 1997, experiments 1, 2 and 4."""
    return rng.uniform(-0.1, 0.1, (count, *shape))


def tiny(rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return normal weights of standard deviation 0.001. Source: Li et al. 2018, their code of the adding problem."""
    return rng.normal(0.0, 0.001, (count, *shape))


def unit(rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return uniform weights on [0, 1]."""
    return rng.uniform(0.0, 1.0, (count, *shape))


def zeros(rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return zeros."""
    return np.zeros((count, *shape))


def ones(rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return ones, for the bias of forget gates. Source: Jozefowicz, Zaremba and Sutskever 2015."""
    return np.ones((count, *shape))


Initialiser = Callable[[np.random.Generator, int, Shape, int], np.ndarray]

INITIALISERS: dict[str, Initialiser] = {
    function.__name__: function
    for function in (glorot, orthogonal, identity, half_identity, uniform, small, tiny, unit, zeros, ones)
}
"""``initialiser(rng, count, shape, units) -> (count, *shape)``; `units` is the number of units of the layer."""


def initialiser(way: str | float) -> Initialiser:
    """Return the initialisation of a name, or the one that sets all weights to a number."""
    return INITIALISERS[way] if isinstance(way, str) else partial(constant, way)


def constant(value: float, rng: np.random.Generator, count: int, shape: Shape, units: int) -> np.ndarray:
    """Return one number for all weights, such as a bias below zero for gates that are to be closed at first."""
    return np.full((count, *shape), float(value))
