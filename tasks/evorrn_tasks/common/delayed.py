"""Compiled integration of the Mackey-Glass equation, which takes tens of thousands of steps."""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import cached

Weights = tuple[float, float, float, float]


@cached
def integrate_delayed(
    count: int,
    substeps: int,
    start: float,
    delay: int,
    on_start: Weights,
    at_middle: int,
    on_middle: Weights,
) -> np.ndarray:
    """Return the solution at times 0, 1, ..., count - 1 from a constant past.

    Parameters
    ----------
    count, substeps : int
        Number of values, and Runge-Kutta steps between two of them.
    start : float
        The value at time 0 and before.
    delay : int
        Steps back to the step that contains the delayed time of a step's start.
    on_start, on_middle : tuple of four floats
        Weights of the values and the slopes at the left and the right grid point, for the delayed time of a
        step's start and of its middle.
    at_middle : int
        Steps from the one that contains the delayed time of a step's start to the one of its middle.
    """
    steps, h = (count - 1) * substeps, 1.0 / substeps
    x, slope, series = np.empty(steps + 1), np.empty(steps), np.empty(count)
    x[0] = series[0] = start
    production = _production(start)  # from the delayed value at the start of a step
    for now in range(steps):
        value, behind = x[now], now - delay
        slope[now] = production - 0.1 * value
        middle = _production(_interpolated(x, slope, behind + at_middle, on_middle))
        end = _production(_interpolated(x, slope, behind + 1, on_start))
        k1 = slope[now]
        k2 = middle - 0.1 * (value + 0.5 * h * k1)
        k3 = middle - 0.1 * (value + 0.5 * h * k2)
        k4 = end - 0.1 * (value + h * k3)
        x[now + 1] = value + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        production = end
        if (now + 1) % substeps == 0:
            series[(now + 1) // substeps] = x[now + 1]
    return series


@cached
def _production(delayed: float) -> float:
    """Return ``0.2 x / (1 + x^10)``, by products, which are rounded equally on every machine."""
    square = delayed * delayed
    fourth = square * square
    return 0.2 * delayed / (1.0 + fourth * fourth * square)


@cached
def _interpolated(x: np.ndarray, slope: np.ndarray, at: int, weights: Weights) -> float:
    """Return the solution inside the step from grid point `at` on; the constant past before time 0."""
    if at < 0:
        return x[0]
    left, right, slope_left, slope_right = weights
    return left * x[at] + right * x[at + 1] + slope_left * slope[at] + slope_right * slope[at + 1]
