"""Compiled integration of chaotic systems of ordinary differential equations, and the Hénon map."""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import cached

LORENZ, ROESSLER, LORENZ_96 = range(3)


def integrate(
    system: int, start: np.ndarray, count: int, step: float, *, forcing: float = 0.0, substeps: int = 10
) -> np.ndarray:
    """Return the solution (count, D) of a system at the times 0, step, 2 step, ...

    Classical Runge-Kutta of order 4 with steps of ``step / substeps``.

    Parameters
    ----------
    system : int
        `LORENZ`: ``x' = 10 (y - x), y' = x (28 - z) - y, z' = x y - 8/3 z``. `ROESSLER`: ``x' = -y - z, y' = x + 0.2 y,
        z' = 0.2 + z (x - 5.7)``. `LORENZ_96`: ``x_i' = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + forcing``, indices in a ring.
    start : ndarray, shape (D,)
    count : int
    step : float
        Time between two rows.
    forcing : float
    substeps : int
    """
    return _integrate(system, np.array(start, dtype=np.float64), count, step / substeps, substeps, forcing)


@cached
def _integrate(
    system: int, start: np.ndarray, count: int, h: float, substeps: int, forcing: float
) -> np.ndarray:
    size = len(start)
    rows = np.empty((count, size))
    x, moved = start.copy(), np.empty(size)
    k1, k2, k3, k4 = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    rows[0] = x
    for row in range(1, count):
        for _ in range(substeps):
            _slope(system, x, forcing, k1)
            for i in range(size):
                moved[i] = x[i] + 0.5 * h * k1[i]
            _slope(system, moved, forcing, k2)
            for i in range(size):
                moved[i] = x[i] + 0.5 * h * k2[i]
            _slope(system, moved, forcing, k3)
            for i in range(size):
                moved[i] = x[i] + h * k3[i]
            _slope(system, moved, forcing, k4)
            for i in range(size):
                x[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i])
        rows[row] = x
    return rows


@cached
def _slope(system: int, x: np.ndarray, forcing: float, slope: np.ndarray) -> None:
    if system == 0:
        slope[0] = 10.0 * (x[1] - x[0])
        slope[1] = x[0] * (28.0 - x[2]) - x[1]
        slope[2] = x[0] * x[1] - 8.0 / 3.0 * x[2]
    elif system == 1:
        slope[0] = -x[1] - x[2]
        slope[1] = x[0] + 0.2 * x[1]
        slope[2] = 0.2 + x[2] * (x[0] - 5.7)
    else:
        size = len(x)
        for i in range(size):
            slope[i] = (x[(i + 1) % size] - x[i - 2]) * x[i - 1] - x[i] + forcing


def henon(start: np.ndarray, count: int) -> np.ndarray:
    """Return ``count`` points (count, 2) of the Hénon map ``x' = 1 - 1.4 x^2 + y, y' = 0.3 x``, the start included."""
    x, y = float(start[0]), float(start[1])
    rows = np.empty((count, 2))
    for row in rows:
        row[:] = x, y
        x, y = 1.0 - 1.4 * x * x + y, 0.3 * x
    return rows
