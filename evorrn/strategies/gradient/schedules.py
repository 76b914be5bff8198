"""Learning-rate schedules: the factor on the rate at each epoch.

None of them needs to know how long a run will be: a budget counts work, and epochs cost more on one
network than on another.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int, int, float], float]
"""``schedule(epoch, drops, period, factor)``: epochs since the start, and how many times validation stood
still for `period` epochs."""


def constant(epoch: int, drops: int, period: int, factor: float) -> float:
    """Keep the rate."""
    return 1.0


def step(epoch: int, drops: int, period: int, factor: float) -> float:
    """Multiply by `factor` after every `period` epochs."""
    return factor ** (epoch // period)


def exponential(epoch: int, drops: int, period: int, factor: float) -> float:
    """Fall smoothly, by `factor` within `period` epochs."""
    return factor ** (epoch / period)


def cosine(epoch: int, drops: int, period: int, factor: float) -> float:
    """Fall along half a cosine from 1 to almost 0 within `period` epochs, and start again.

    Source: Loshchilov & Hutter 2017 (SGDR), equation 5, with periods of equal length.
    """
    return 0.5 * (1 + math.cos(math.pi * (epoch % period) / period))


def plateau(epoch: int, drops: int, period: int, factor: float) -> float:
    """Multiply by `factor` each time that validation has not improved for `period` epochs."""
    return factor**drops


SCHEDULES: dict[str, Schedule] = {
    function.__name__: function for function in (constant, step, exponential, cosine, plateau)
}
