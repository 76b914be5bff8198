"""The estimator of all methods that carry an influence matrix, with or without zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.memory import excess

if TYPE_CHECKING:
    from evorrn.engine.influence.groups import Carried, Influence
    from evorrn.engine.influence.jacobians import StepJacobians
    from evorrn.engine.influence.programmed import Programmed
    from evorrn.engine.influence.steps import Steps
    from evorrn.network.network import Network


LONG = 2**21
"""Multiply-adds of a pass over sequences from which on a program is worth the time that compiling it takes."""

STEP = 1000
"""What a time step takes besides, in multiply-adds."""

STEPS_ALONE = 4
"""Multiply-adds of the influence that take as long as one of the derivatives of time steps without a program."""


def influence_of(steps: Steps, order: int | None = None, own: bool = False) -> Influence:
    """Return the influence of weights on states, see `evorrn.engine.influence.groups.influence_of`.

    The engine is imported here, since it takes as long as the page that tells of a strategy.
    """
    from evorrn.engine.influence import groups

    return groups.influence_of(steps, order, own)


class CarriedInfluence:
    """Carries the influence of weights on states forward.

    Parameters
    ----------
    network : Network
    order : int or None
    own : bool
        See `evorrn.engine.influence.groups.Influence`.

    Attributes
    ----------
    carried : list of ndarray
        The influence.
    """

    def __init__(self, network: Network, order: int | None = None, own: bool = False) -> None:
        self._network, self._about = network, (order, own)
        self._influence = influence_of(network.step_structure, order, own)
        self.carried: Carried = []
        self._program: Programmed | None = None

    @property
    def work(self) -> float:
        """The multiply-adds of one time step of one sequence."""
        return self._influence.work

    def program(self, steps: int) -> Programmed | None:
        """Return the program that carries the influence along so many time steps in all, or None where it is not worth it.

        Sizes alone decide, as results may differ in their last digits. Where weights change states of many units, a program saves
        time in the time steps alone.
        """
        if self._influence.traced:
            worth = steps * (STEP + self._influence.work) >= LONG
        else:
            worth = STEPS_ALONE * steps * (STEP + self._network.step_structure.work) >= LONG
        if worth:
            self._program = self._network.learning_program(*self._about)
        return self._program

    def begin(self, sequences: int, steps: int) -> None:
        """Start with an influence of zero."""
        self.carried = (self._program or self._influence).zero(sequences)

    def advance(self, found: StepJacobians, lengths: np.ndarray) -> np.ndarray:
        """Move on; return the gradient (N,) of the loss through the states."""
        return self._influence.advance(self.carried, found, lengths)


def beyond_memory(name: str, numbers: int, sequences: int, itemsize: int, other: str) -> list[str]:
    """Return a sentence where the influence of sequences side by side does not fit into memory, else none."""
    too_large = excess(numbers * sequences, itemsize)
    if not too_large:
        return []
    return [
        f"strategy: {name} carries {numbers:,} numbers for each of {sequences} sequences side by side, which take {too_large}; "
        f"take fewer units or a smaller batch_size, or {other}"
    ]
