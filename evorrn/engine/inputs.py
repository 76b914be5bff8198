"""What a network is shown: sequences, and what they meet besides their inputs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Conditions(NamedTuple):
    """What sequences meet besides their inputs.

    Attributes
    ----------
    state : ndarray, shape (B, S)
        The state to begin with.
    teacher : ndarray, shape (B, T, O), or None
        What is seen at each time step in place of the last output.
    free_from : ndarray of int, shape (B,), or None
        The time step from which the first inputs are the last output.
    """

    state: np.ndarray
    teacher: np.ndarray | None = None
    free_from: np.ndarray | None = None


class Sequences(NamedTuple):
    """What a network is shown.

    Attributes
    ----------
    x : ndarray, shape (B, T, I)
    lengths : ndarray of int64, shape (B,)
    conditions : Conditions
    """

    x: np.ndarray
    lengths: np.ndarray
    conditions: Conditions
