"""What the rows of a listing know of leaves: sizes and places of blocks, and the numbers that they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from evorrn.compile.graph import Node
from evorrn.compile.op import Shape, count_of, size_of
from evorrn.engine.listing.listing import NUMBERS, Place


class Sizes(NamedTuple):
    """The sizes of symbolic dimensions, and the first gene of each block of the genome."""

    dimensions: Mapping[str, int]
    offsets: Mapping[str, int]

    def of(self, dimension: str) -> int:
        """Return the size of a dimension."""
        return size_of(dimension, self.dimensions)

    def count(self, shape: Shape) -> int:
        """Return the number of entries of a shape."""
        return count_of(shape, self.dimensions)


class Numbers:
    """The constants and numeric options that the rows of a listing read, each at its place.

    Parameters
    ----------
    options : sequence of str
        The names of all options, in the order of their values.
    ones : int
        How many numbers 1 come first.
    """

    def __init__(self, options: Iterable[str], ones: int = 1) -> None:
        self.ones = Place(NUMBERS, name="ones")
        self._ones = [1.0] * ones
        self._options = {name: k for k, name in enumerate(options)}
        self._leaves: dict[Node, int] = {}

    def place(self, leaf: Node) -> Place:
        """Return the place of a constant or an option."""
        return Place(NUMBERS, self._leaves.setdefault(leaf, len(self._ones) + len(self._leaves)))

    def values(self, options: np.ndarray) -> np.ndarray:
        """Return all numbers, shape (K,), for values of the options."""
        found = [
            options[self._options[leaf.name]] if leaf.op == "option" else leaf.value for leaf in self._leaves
        ]
        return np.array([*self._ones, *found], options.dtype)
