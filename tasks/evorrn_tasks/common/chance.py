"""Random numbers for the steps of environments, which have no generator: the state has a number as seed."""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import compiled

MODULUS, MULTIPLIER = 2147483647.0, 16807.0
_SHIFT = 6755399441055744.0
"""1.5 * 2^52; adding and subtracting it rounds to a whole number."""


@compiled
def seed_of(rng: np.random.Generator) -> float:
    """Return a seed drawn from a generator, a whole number from 1 to 2^31 - 2."""
    return 1.0 + np.floor(rng.random() * (MODULUS - 1.0))


@compiled
def next_seed(seed: float) -> float:
    """Return the seed after a seed.

    All values are whole numbers below 2^53, which float64 represents exactly.

    Source: Park and Miller 1988, "Random number generators: good ones are hard to find".
    """
    product = MULTIPLIER * seed
    rest = product - ((product / MODULUS + _SHIFT) - _SHIFT) * MODULUS
    return rest + MODULUS if rest < 0.0 else rest


@compiled
def uniform(seed: float) -> float:
    """Return the random number of a seed, between 0 and 1."""
    return seed / MODULUS
