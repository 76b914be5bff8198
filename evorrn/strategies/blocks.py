"""Factors of blocks of a genome, given by their names."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from evorrn.base.errors import ConfigError, unknown


def factors_of_genes(
    setting: str, factors: Mapping[str, float], blocks: Mapping[str, tuple[int, ...]]
) -> np.ndarray:
    """Return the factor of each gene, shape (n,), 1 where none is given.

    Parameters
    ----------
    setting : str
        The name of the setting, for errors.
    factors : mapping of str to float
        A key is the name of a block, or the part of names before a dot; of several that fit the longest counts.
    blocks : mapping of str to tuple of int
        Names and shapes of the blocks in the order of the genome.

    Raises
    ------
    ConfigError
        Naming keys that no block has.
    """
    used: set[str] = set()
    parts = []
    for name, shape in blocks.items():
        keys = [key for key in factors if name == key or name.startswith(key + ".")]
        used.update(keys)
        parts.append(np.full(math.prod(shape), factors[max(keys, key=len)] if keys else 1.0))
    unused = [key for key in factors if key not in used]
    if unused:
        raise ConfigError([f"{setting}.{key}: {unknown('block', key, list(blocks))}" for key in unused])
    return np.concatenate(parts)
