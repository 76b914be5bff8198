"""The choice of a discrete action: which output is the largest, computed without branches."""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import compiled


@compiled
def is_largest(action: np.ndarray, place: int) -> bool:
    """Return whether the output at `place` is the first of the largest; False for all when any is NaN."""
    largest = True
    for other in range(len(action)):
        if other < place:
            largest = largest & (action[place] > action[other])
        else:
            largest = largest & (action[place] >= action[other])
    return largest
