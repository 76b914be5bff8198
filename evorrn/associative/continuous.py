"""ContinuousHopfield: units with values between -1 and 1 that move in continuous time."""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.associative.hopfield import Hopfield
from evorrn.associative.patterns import finite, positive, vector
from evorrn.base.blas import one_thread
from evorrn.base.errors import EvorrnError
from evorrn.base.memory import whole_number


class ContinuousHopfield(Hopfield):
    """A Hopfield network in continuous time: ``T du/dt = -u + W v + I - thresholds`` with ``v = tanh(gain u)``.

    With symmetric weights the energy never rises along a trajectory. For a large gain its fixed points are those of
    the binary network.

    Source: Hopfield 1984, equations 5 and 7.

    Parameters
    ----------
    units : int
        N.
    gain : float
        Slope of the activation at zero.
    time_constant : float
        T, in units of time.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.associative import ContinuousHopfield
    >>> patterns = np.sign(np.random.default_rng(0).normal(size=(3, 60)))
    >>> memory = ContinuousHopfield(units=60, gain=4.0).store(patterns)
    >>> path = memory.relax(0.3 * patterns[:1], time=20.0)
    >>> bool((np.sign(path[-1, 0]) == patterns[0]).all())
    True
    """

    def __init__(self, units: int, gain: float = 1.0, time_constant: float = 1.0) -> None:
        super().__init__(units)
        self.gain, self.time_constant = positive("gain", gain), positive("time_constant", time_constant)

    def relax(self, values: Any, time: float, step: float = 0.02, inputs: Any = None) -> np.ndarray:
        """Return the values v at every step of the fourth-order Runge-Kutta method, shape (T + 1, B, N).

        Parameters
        ----------
        values : array_like, shape (B, N) or (N,)
            Start, between -1 and 1, both excluded.
        time : float
            Length of the trajectory.
        step : float
            Time of one step.
        inputs : array_like, shape (N,), optional
            I, constant; zero by default.
        """
        start = finite("values", values, self.units)
        if np.abs(start).max(initial=0.0) >= 1:
            raise EvorrnError("values: expected numbers between -1 and 1, both excluded")
        time, step = positive("time", time), positive("step", step)
        if step > self.time_constant:
            raise EvorrnError(
                f"step: expected at most the time constant, {self.time_constant:g}, got {step:g}"
            )
        steps = whole_number("steps of time / step", max(1, round(time / step)), max(start.size, 1))
        drive = self._drive(inputs)

        def slope(u: np.ndarray) -> np.ndarray:
            return np.asarray((np.tanh(self.gain * u) @ self.weights + drive - u) / self.time_constant)

        u = np.arctanh(start) / self.gain
        path = [start]
        with one_thread():
            for _ in range(steps):
                k1 = slope(u)
                k2 = slope(u + 0.5 * step * k1)
                k3 = slope(u + 0.5 * step * k2)
                k4 = slope(u + step * k3)
                u = u + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
                path.append(np.tanh(self.gain * u))
        return np.array(path)

    def energy(self, states: Any, inputs: Any = None) -> np.ndarray:
        """Return ``-v W v / 2 - (I - thresholds) v + sum of integral(arctanh(v) / gain)`` of values (B, N), shape (B,)."""
        v, drive = finite("states", states, self.units), self._drive(inputs)
        with np.errstate(divide="ignore", invalid="ignore"):
            integral = np.where(
                np.abs(v) < 1, v * np.arctanh(np.clip(v, -1, 1)) + 0.5 * np.log1p(-np.square(v)), np.log(2.0)
            )
        with one_thread():
            quadratic = -0.5 * ((v @ self.weights) * v).sum(axis=1)
            return np.asarray(quadratic - v @ drive + integral.sum(axis=1) / self.gain)

    def _drive(self, inputs: Any) -> np.ndarray:
        """Return the inputs (N,), zero where there are none, less the thresholds."""
        return (0.0 if inputs is None else vector("inputs", inputs, self.units)) - self.thresholds
