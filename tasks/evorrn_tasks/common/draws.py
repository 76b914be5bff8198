"""The random streams that synthetic tasks draw their data from."""

from __future__ import annotations

import numpy as np

from evorrn.base.errors import ConfigError

DATA_STREAM = 0
"""Role of the data among the streams of a seed: ``SeedSequence(seed, spawn_key=(DATA_STREAM, ...))``."""


def check_seed(seed: object) -> int:
    """Return a seed as an int.

    Raises
    ------
    ConfigError
        When it is no whole number of at least 0.
    """
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or seed < 0:  # type: ignore[operator]
        raise ConfigError(f"seed: expected a whole number of at least 0, got {seed!r}")
    return int(seed)  # type: ignore[call-overload, no-any-return]


def generator(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of one stream of data, which depends on the seed and the key alone.

    Parameters
    ----------
    seed : int
        Seed of the task's data.
    *key : int
        Tells streams of one seed apart, for instance the split or the number of the attempt.
    """
    entropy = np.random.SeedSequence(check_seed(seed), spawn_key=(DATA_STREAM, *key))
    return np.random.default_rng(entropy)
