"""The arrays that a network runs on: sequences of inputs, first states and teachers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Conditions(NamedTuple):
    """The conditions under which sequences run, besides their inputs.

    Attributes
    ----------
    state : ndarray, shape (B, S)
        The state before the first time step.
    teacher : ndarray, shape (B, T, O), or None
        Values that the network sees at each time step in place of its previous output; NaN for its own output.
    free_from : ndarray of int, shape (B,), or None
        The time step from which the first O inputs are the previous output.
    """

    state: np.ndarray
    teacher: np.ndarray | None = None
    free_from: np.ndarray | None = None


class Sequences(NamedTuple):
    """Sequences of inputs, and the conditions under which they run.

    Attributes
    ----------
    x : ndarray, shape (B, T, I)
    lengths : ndarray of int64, shape (B,)
    conditions : Conditions
    links : ndarray of int64, shape (B, T, A), or None
        The earlier steps that each step is linked to, see `evorrn.Batch`; None for a chain.
    """

    x: np.ndarray
    lengths: np.ndarray
    conditions: Conditions
    links: np.ndarray | None = None
