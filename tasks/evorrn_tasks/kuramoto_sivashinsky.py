"""Kuramoto-Sivashinsky: forecast and continue a chaotic field on a short ring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Recommended
from evorrn.kernels.deferred import cached
from evorrn_tasks.common.chaotic import Chaotic, local_monomials

LENGTH = 22.0
POINTS = 32
EXPONENT = 0.046
STEP, SUBSTEPS = 0.25, 2
TRANSIENT = 200.0
CONTOUR = 32
"""Points of the contour integrals for the coefficients of the method."""


@dataclass(frozen=True)
class KuramotoSivashinsky(Chaotic):
    """Solutions of the Kuramoto-Sivashinsky equation on a ring, to be continued from their own past.

    ``u_t = -u u_x - u_xx - u_xxxx`` on a ring of length 22, at 32 points, one row per 0.25 units of time, integrated by an
    exponential Runge-Kutta method of order 4 in Fourier space from a random smooth field drawn from the seed; the first
    200 units of time are discarded. The largest Lyapunov exponent is 0.046 per unit of time, measured over 29,000 units of this
    solution, so that a Lyapunov time is 87 rows. The splits are those of the task ``lorenz``.

    Source: Kuramoto and Tsuzuki 1976, Sivashinsky 1977; the method: Cox and Matthews 2002, as Kassam and Trefethen 2005.
    """

    name = "kuramoto-sivashinsky"
    variables = tuple(f"u{place}" for place in range(1, POINTS + 1))

    train: int = setting(4000, "scored training steps", minimum=2)
    washout: int = setting(200, "unscored steps at the start of each sequence", minimum=0)

    @property
    def step_time(self) -> float:
        """The Lyapunov times between two rows."""
        return EXPONENT * STEP

    def recommended(self, strategy: str) -> Recommended:
        """Return monomials of a point and the next up to degree 3 for ``ng-rc``, else what `Chaotic` does."""
        local = local_monomials(self.inputs, reach=1, order=3) if strategy == "ng-rc" else None
        return local or super().recommended(strategy)

    def solution(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows (count, 32) of a solution on the attractor."""
        place = 2 * np.pi * np.arange(POINTS) / POINTS
        waves = np.arange(1, 4)[:, None] * place + rng.uniform(0, 2 * np.pi, (3, 1))
        start = (rng.normal(size=(3, 1)) * np.cos(waves)).sum(axis=0)
        before = round(TRANSIENT / STEP)
        return integrate(start, before + count)[before:]


def integrate(start: np.ndarray, count: int, step: float = STEP, substeps: int = SUBSTEPS) -> np.ndarray:
    """Return the solution (count, N) at the times 0, step, 2 step, ... from a field (N,) of mean 0."""
    return _integrate(np.array(start, np.float64), count, substeps, _operators(len(start), step / substeps))


def _operators(points: int, step: float) -> np.ndarray:
    """Return the operators of a step of the method as transposed matrices (7, N, N) that act on fields.

    These are the propagators over half a step and over a step, the weights of the slopes in the four stages, and the linear
    part of the slope itself.
    """
    waves = 2 * np.pi * np.fft.rfftfreq(points, LENGTH / points)
    linear = step * (waves**2 - waves**4)
    z = linear[:, None] + np.exp(1j * np.pi * (np.arange(1, CONTOUR + 1) - 0.5) / CONTOUR)
    e = np.exp(z)
    half = step * ((np.exp(z / 2) - 1) / z).mean(axis=1).real
    first = step * ((-4 - z + e * (4 - 3 * z + z**2)) / z**3).mean(axis=1).real
    middle = step * ((2 + z + e * (z - 2)) / z**3).mean(axis=1).real
    last = step * ((-4 - 3 * z - z**2 + e * (4 - z)) / z**3).mean(axis=1).real
    slope = -0.5j * waves
    if points % 2 == 0:
        slope[-1] = 0.0  # the derivative of the highest wave is not known on the grid
    each = (np.exp(linear / 2), np.exp(linear), half, first, middle, last, slope)
    unit = np.fft.rfft(np.eye(points), axis=1)
    return np.array([np.fft.irfft(unit * factors, points, axis=1) for factors in each])


@cached
def _integrate(u: np.ndarray, count: int, substeps: int, operators: np.ndarray) -> np.ndarray:
    points = len(u)
    rows, empty = np.empty((count, points)), np.zeros(points)
    pushed = np.empty((4, points))
    a, b, c = np.empty(points), np.empty(points), np.empty(points)
    for row in range(count):
        rows[row] = u
        for _ in range(substeps):
            _times(operators[6], u * u, empty, pushed[0])
            _times(operators[0], u, empty, a)
            b[:] = a
            _times(operators[2], pushed[0], a, a)
            _times(operators[6], a * a, empty, pushed[1])
            _times(operators[2], pushed[1], b, b)
            _times(operators[6], b * b, empty, pushed[2])
            _times(operators[0], a, empty, c)
            _times(operators[2], 2 * pushed[2] - pushed[0], c, c)
            _times(operators[6], c * c, empty, pushed[3])
            _times(operators[1], u, empty, c)
            _times(operators[3], pushed[0], c, c)
            _times(operators[4], 2 * (pushed[1] + pushed[2]), c, c)
            _times(operators[5], pushed[3], c, u)
    return rows


@cached
def _times(columns: np.ndarray, field: np.ndarray, added: np.ndarray, result: np.ndarray) -> None:
    """Set a result (N,) to a matrix, given by its columns, times a field plus another field."""
    for i in range(len(field)):
        result[i] = added[i]
    for j in range(len(field)):
        value, column = field[j], columns[j]
        for i in range(len(field)):
            result[i] += column[i] * value
