"""Which of several outputs is the largest, without a branch: the choice of a discrete action."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(error_model="numpy")
def chosen(action: np.ndarray, place: int) -> bool:
    """Return whether an output is the first of the largest; none is where they are NaN."""
    largest = True
    for other in range(len(action)):
        if other < place:
            largest = largest & (action[place] > action[other])
        else:
            largest = largest & (action[place] >= action[other])
    return largest
