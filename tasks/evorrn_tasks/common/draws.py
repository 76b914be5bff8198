"""The random streams of synthetic tasks."""

from __future__ import annotations

import numpy as np

from evorrn.base.settings import check_seed as check_seed

DATA_STREAM = 0
"""First number of the spawn key of all data streams: ``SeedSequence(seed, spawn_key=(DATA_STREAM, ...))``."""


def generator(seed: int, *key: int) -> np.random.Generator:
    """Return the generator of one data stream, which depends only on the seed and the key.

    Parameters
    ----------
    seed : int
        Seed of the task's data.
    *key : int
        Number of the stream, for instance of the split or the attempt.
    """
    entropy = np.random.SeedSequence(check_seed(seed), spawn_key=(DATA_STREAM, *key))
    return np.random.default_rng(entropy)
