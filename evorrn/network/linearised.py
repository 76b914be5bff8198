"""Time steps of a network with their derivatives with respect to states and genes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Linearised(NamedTuple):
    """The time steps of B sequences with their derivatives, in the network's dtype.

    Attributes
    ----------
    outputs : ndarray, shape (B, T, O)
    last : ndarray, shape (B, S)
        The state after the last time step of each sequence.
    by_state : ndarray, shape (B, T, S + O, S)
        The derivatives of the next state, and below them of the outputs, with respect to the state of each time step.
    by_genome : callable
        ``by_genome(t)`` returns the same of time step t with respect to the genes, with the state held fixed, shape
        (B, S + O, n).
    """

    outputs: np.ndarray
    last: np.ndarray
    by_state: np.ndarray
    by_genome: Callable[[int], np.ndarray]
