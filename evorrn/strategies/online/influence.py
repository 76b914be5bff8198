"""The estimator of all methods that carry an influence matrix, with or without zeros."""

from __future__ import annotations

import numpy as np

from evorrn.base.memory import excess
from evorrn.engine.influence.groups import Carried, Influence
from evorrn.engine.influence.jacobians import StepJacobians


class CarriedInfluence:
    """Carries the influence of weights on states forward.

    Parameters
    ----------
    influence : Influence
    """

    def __init__(self, influence: Influence) -> None:
        self._influence = influence
        self._carried: Carried = []

    @property
    def work(self) -> float:
        """The multiply-adds of one time step of one sequence."""
        return self._influence.work

    def begin(self, sequences: int, steps: int) -> None:
        """Start with an influence of zero."""
        self._carried = self._influence.zero(sequences)

    def advance(self, found: StepJacobians, lengths: np.ndarray) -> np.ndarray:
        """Move on; return the gradient (N,) of the loss through the states."""
        return self._influence.advance(self._carried, found, lengths)


def beyond_memory(name: str, numbers: int, sequences: int, itemsize: int, other: str) -> list[str]:
    """Return a sentence where the influence of sequences side by side does not fit into memory, else none."""
    too_large = excess(numbers * sequences, itemsize)
    if not too_large:
        return []
    return [
        f"strategy: {name} carries {numbers:,} numbers for each of {sequences} sequences side by side, which take {too_large}; "
        f"take fewer units or a smaller batch_size, or {other}"
    ]
