"""StochasticBAM: a bidirectional memory in continuous time with noise, delays, and modes that jump as a Markov chain."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from evorrn.associative.kernels import euler_maruyama
from evorrn.associative.patterns import numbers, pair, positive, vector
from evorrn.base.errors import EvorrnError, ShapeError
from evorrn.base.memory import whole_number
from evorrn.base.settings import check_seed
from evorrn.base.text import counted

LARGEST_STEP = 0.5
"""Largest product of the step and a decay rate: beyond it the method of Euler oscillates."""


@dataclass(frozen=True)
class Path:
    """A trajectory: states x (T + 1, n) and y (T + 1, m), and the mode of each step (T,)."""

    x: np.ndarray
    y: np.ndarray
    modes: np.ndarray


class StochasticBAM:
    """Two layers of units under noise, with K modes between which the parameters jump.

    ``dx = (-A x + W f(y) + W_d f(y(t - delay)) + I) dt + noise_x dw`` and the same for y with B, V, V_d, J, where f is
    tanh and every parameter but I, J and the noise belongs to the mode r(t), a Markov chain with generator Q.

    Source: the form of Rakkiyappan et al. 2015; integrated by the method of Euler and Maruyama. The mode is drawn from
    the matrix exponential of Q times the step, so its law is exact at every step.

    Parameters
    ----------
    decay_x, decay_y : array_like, shapes (K, n) and (K, m)
        A and B, positive; of one mode also (n,) and (m,).
    weights_x, weights_y : array_like, shapes (K, n, m) and (K, m, n)
        W and V.
    late : tuple of array_like, optional
        W_d and V_d, of the shapes of W and V; zero by default.
    delays : array_like, shape (K,), optional
        Of each mode, in units of time; zero by default.
    generator : array_like, shape (K, K), optional
        Q: rates from the mode of a row to that of a column; rows add up to zero. Needed from two modes on.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.associative import StochasticBAM
    >>> memory = StochasticBAM([1.0, 1.0], [1.0], 0.5 * np.ones((1, 2, 1)), 0.5 * np.ones((1, 1, 2)))
    >>> path = memory.simulate([1.0, -1.0], [0.5], time=10.0, step=0.01)
    >>> path.x.shape, bool(np.abs(path.x[-1]).max() < 0.05)
    ((1001, 2), True)
    """

    def __init__(
        self,
        decay_x: Any,
        decay_y: Any,
        weights_x: Any,
        weights_y: Any,
        *,
        late: tuple[Any, Any] | None = None,
        delays: Any = None,
        generator: Any = None,
    ) -> None:
        self.decay_x, self.decay_y = (
            _decays(name, value) for name, value in (("decay_x", decay_x), ("decay_y", decay_y))
        )
        (self.modes, n), m = self.decay_x.shape, self.decay_y.shape[1]
        if self.decay_y.shape[0] != self.modes:
            raise ShapeError(
                f"decay_y: expected {self.modes} modes as in decay_x, got {self.decay_y.shape[0]}"
            )
        shapes = ((self.modes, n, m), (self.modes, m, n))
        self.weights_x, self.weights_y = (
            _shaped(name, value, shape)
            for name, value, shape in zip(("weights_x", "weights_y"), (weights_x, weights_y), shapes)
        )
        given = tuple(map(np.zeros, shapes)) if late is None else pair("late", late)
        self.late_x, self.late_y = (
            _shaped(f"late {name}", value, shape) for name, value, shape in zip("xy", given, shapes)
        )
        self.delays = _shaped("delays", np.zeros(self.modes) if delays is None else delays, (self.modes,))
        if (self.delays < 0).any():
            raise ShapeError(f"delays: expected numbers of at least 0, got {self.delays.min():g}")
        if generator is None and self.modes > 1:
            raise EvorrnError(f"generator: expected rates between {self.modes} modes, got none")
        self.generator = _shaped(
            "generator", np.zeros((1, 1)) if generator is None else generator, (self.modes, self.modes)
        )
        rates = self.generator[~np.eye(self.modes, dtype=bool)]
        rounding = 1e-12 * max(1.0, np.abs(self.generator).max())
        if (rates < 0).any() or np.abs(self.generator.sum(axis=1)).max() > rounding:
            raise ShapeError(
                "generator: expected rates of at least 0 off the diagonal, and rows that add up to 0"
            )

    def __repr__(self) -> str:
        n, m = self.decay_x.shape[1], self.decay_y.shape[1]
        return f"StochasticBAM({n} x {m} units, {counted(self.modes, 'mode')})"

    def simulate(
        self,
        x: Any,
        y: Any,
        time: float,
        step: float,
        *,
        noise: tuple[float, float] = (0.0, 0.0),
        inputs: tuple[Any, Any] | None = None,
        seed: int = 0,
    ) -> Path:
        """Return a trajectory; before the start all states are those of the start.

        Parameters
        ----------
        x, y : array_like, shapes (n,) and (m,)
            The start, in mode 0.
        time, step : float
            Length of the trajectory and of a step.
        noise : tuple of float
            Standard deviation of the noise of x and of y, per root of time.
        inputs : tuple of array_like, optional
            I (n,) and J (m,); zero by default.
        seed : int

        Raises
        ------
        EvorrnError
            When the step is too long for a decay rate, or a delay is longer than the trajectory.
        """
        n, m = self.decay_x.shape[1], self.decay_y.shape[1]
        rng = np.random.default_rng(check_seed(seed))
        time, step, noise = positive("time", time), positive("step", step), pair("noise", noise)
        fastest = max(self.decay_x.max(), self.decay_y.max())
        if step > time or step * fastest > LARGEST_STEP:
            raise EvorrnError(
                f"step: expected 0 < step <= time and at most {LARGEST_STEP / fastest:.3g} for a decay of {fastest:g}, "
                f"got step {step!r}, time {time!r}"
            )
        for letter, level in zip("xy", noise):
            if not isinstance(level, Real) or not 0 <= float(level) < np.inf:
                raise EvorrnError(f"noise of {letter}: expected a finite number of at least 0, got {level!r}")
        if self.delays.max() > time:
            raise EvorrnError(
                f"delays: expected at most the length of the trajectory, {time:g}, got {self.delays.max():g}"
            )
        steps = whole_number("steps of time / step", round(time / step), 4 * (n + m))
        path_x, path_y = np.empty((steps + 1, n)), np.empty((steps + 1, m))
        path_x[0], path_y[0] = vector("x", x, n), vector("y", y, m)
        modes = self._modes(steps, step, rng)
        drawn = [
            level * np.sqrt(step) * rng.standard_normal((steps, size)) for level, size in zip(noise, (n, m))
        ]
        drive = (np.zeros(n), np.zeros(m)) if inputs is None else pair("inputs", inputs)
        driven = [vector("inputs", value, size) for value, size in zip(drive, (n, m))]
        drift = (
            self.decay_x, self.decay_y, self.weights_x, self.late_x, self.weights_y, self.late_y, *driven,
        )  # fmt: skip
        lags = np.round(self.delays / step).astype(np.int64)
        euler_maruyama(path_x, path_y, drift, tuple(drawn), modes, lags, step)
        return Path(path_x, path_y, modes)

    def _modes(self, steps: int, step: float, rng: np.random.Generator) -> np.ndarray:
        """Return the mode of each step (T,), from mode 0 on."""
        from scipy.linalg import expm

        modes = np.zeros(steps, dtype=np.int64)
        if self.modes > 1:
            cumulative = np.cumsum(expm(self.generator * step), axis=1)
            draws = rng.random(steps)
            for t in range(1, steps):
                place = np.searchsorted(cumulative[modes[t - 1]], draws[t], side="right")
                modes[t] = min(int(place), self.modes - 1)
        return modes


def _decays(name: str, value: Any) -> np.ndarray:
    array = np.atleast_2d(numbers(name, value))
    if array.ndim != 2 or not array.size:
        raise ShapeError(f"{name}: expected shape (modes, units) or (units,), got {np.shape(value)}")
    if not (np.isfinite(array) & (array > 0)).all():
        raise ShapeError(f"{name}: expected finite numbers > 0")
    return array


def _shaped(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = numbers(name, value)
    if array.ndim == len(shape) - 1 and shape[0] == 1:
        array = array[None]
    if array.shape != shape or not np.isfinite(array).all():
        found = f"shape {array.shape}" if array.shape != shape else "NaN or infinity"
        raise ShapeError(f"{name}: expected finite numbers of shape {shape}, got {found}")
    return array
