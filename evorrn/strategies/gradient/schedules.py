"""Learning-rate schedules: the factor on the rate at each epoch.

No schedule depends on the length of the run, which is not known in epochs: a budget counts work.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int, int, float], float]
"""``schedule(epoch, drops, period, factor)`` returns the factor on the rate.

`epoch` counts the epochs since the start, `drops` how many times validation did not improve for `period` epochs.
"""


def constant(epoch: int, drops: int, period: int, factor: float) -> float:
    """Return 1: a constant rate."""
    return 1.0


def step(epoch: int, drops: int, period: int, factor: float) -> float:
    """Return a factor that is multiplied by `factor` after every `period` epochs."""
    return factor ** (epoch // period)


def exponential(epoch: int, drops: int, period: int, factor: float) -> float:
    """Return a factor that decreases smoothly, by `factor` in `period` epochs."""
    return factor ** (epoch / period)


def cosine(epoch: int, drops: int, period: int, factor: float) -> float:
    """Return a factor that decreases along half a cosine from 1 to almost 0 in `period` epochs, repeatedly.

    Source: Loshchilov & Hutter 2017 (SGDR), equation 5, with periods of equal length.
    """
    return 0.5 * (1 + math.cos(math.pi * (epoch % period) / period))


def plateau(epoch: int, drops: int, period: int, factor: float) -> float:
    """Return a factor that is multiplied by `factor` when validation has not improved for `period` epochs."""
    return factor**drops


SCHEDULES: dict[str, Schedule] = {
    function.__name__: function for function in (constant, step, exponential, cosine, plateau)
}
