"""Random numbers for environments whose steps have no generator: one number of the state is the next seed."""

from __future__ import annotations

import numba
import numpy as np

MODULUS, MULTIPLIER = 2147483647.0, 16807.0
_SHIFT = 6755399441055744.0
"""1.5 * 2^52: adding it rounds to a whole number."""

compiled = numba.njit(error_model="numpy")


@compiled
def seed_of(rng: np.random.Generator) -> float:
    """Return a seed drawn from a generator, a whole number from 1 to 2^31 - 2."""
    return 1.0 + np.floor(rng.random() * (MODULUS - 1.0))


@compiled
def following(seed: float) -> float:
    """Return the seed that comes after a seed.

    All values are whole and below 2^53, so that float64 holds them exactly.

    Source: Park and Miller 1988, "Random number generators: good ones are hard to find".
    """
    product = MULTIPLIER * seed
    rest = product - ((product / MODULUS + _SHIFT) - _SHIFT) * MODULUS
    return rest + MODULUS if rest < 0.0 else rest


@compiled
def uniform(seed: float) -> float:
    """Return the number on (0, 1) that a seed stands for."""
    return seed / MODULUS
