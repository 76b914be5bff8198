"""Mackey-Glass: forecast a chaotic series, the solution of a delay differential equation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Reference, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.records import forecasting_splits, learn_scaling, training_windows, window_problems

SUBSTEPS = 10
TRANSIENT = 1000
AHEAD = 84
"""Steps from the last known value to the end of a continuation."""


@dataclass(frozen=True)
class MackeyGlass(Task):
    """A solution of the Mackey-Glass equation, to be forecast from its own past.

    ``dx/dt = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x(t)`` is integrated by `integrate` (Runge-Kutta of
    order 4, step 0.1) from a constant past drawn from the seed, uniform on [0.5, 1.5). The first 1000 units of
    time, or ten delays if that is longer, are discarded; then there is one value per unit of time. The input at
    a step is the value of the series, the target its value `horizon` steps later.

    The series has training, validation and test in this order; a step belongs to the split in which its target
    lies. Each split begins with `washout` unscored steps; the training part is divided into `windows` sequences,
    each with its own unscored steps before it. Values are scaled to mean 0 and standard deviation 1, learned on
    the training part.

    With `continuations`, validation and test are free runs over other solutions, as in Jaeger 2001: training is
    the first `washout` steps, unscored, and `train` steps of one solution; each sequence of test has `washout` known
    values of a solution of its own, then the network runs on its own outputs until 84 steps after the last known
    value. The metric ``nrmse84`` is the error there over all sequences, divided by the standard deviation of the series.
    Validation has so many sequences of this kind that about `valid` steps are scored. With `squash` all of this is in
    units of tanh(x - 1), in which the figure is within a few per cent of that in units of x.

    Source: Mackey and Glass 1977, "Oscillation and chaos in physiological control systems", with the
    constants usual in forecasting.
    """

    name = "mackey-glass"
    inputs = 1
    outputs = 1
    input_names = ("x",)
    output_names = ("x",)
    references = (
        Reference(
            1.9e-3,
            "nrmse84",
            "tau 17, free run, error 84 steps ahead (without `continuations`: teacher-forced forecast at `horizon`)",
            "Schmidhuber, Wierstra, Gagliolo and Gomez 2007, Evolino with LSTM cells",
        ),
        Reference(
            2.8e-4,
            "nrmse84",
            "tau 17, free run, error 84 steps ahead, N = 400, series squashed by tanh(y - 1), 3,000 training steps",
            "Jaeger 2001, GMD report 148, echo state network with output feedback",
        ),
        Reference(
            0.11,
            "nrmse84",
            "tau 30, otherwise as the row for tau 17",
            "Jaeger 2001, GMD report 148, echo state network with output feedback",
        ),
    )

    tau: float = setting(
        17.0, "delay, in units of time; chaotic from about 16.8 on", minimum=5.0, maximum=1000.0
    )
    horizon: int = setting(
        17, "steps from an input to its target; with 1 the network can run free", minimum=1
    )
    train: int = setting(1600, "scored training steps", minimum=2)
    valid: int = setting(500, "scored validation steps", minimum=2)
    test: int = setting(1000, "scored test steps", minimum=2)
    washout: int = setting(50, "unscored steps at the start of each sequence", minimum=0)
    windows: int = setting(16, "sequences that the training part is divided into", minimum=1)
    squash: bool = setting(False, "whether the values are tanh(x - 1)", absent=False)
    continuations: int = setting(
        0,
        "solutions that test continues freely, 84 steps each; 0 for a test on the rest of the series",
        minimum=0,
        absent=0,
    )

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        test = self.continuations * AHEAD or self.test
        sequences = self.windows + 2 + self.continuations + self.valid // AHEAD * (self.continuations > 0)
        return 2 * (self.train + self.valid + test + self.washout * sequences)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, number of windows and horizon included."""
        found = super().problems() or window_problems(self.windows, self.train)
        if not found and self.horizon > self.train:
            found.append(f"horizon: expected at most the training steps, {self.train}, got {self.horizon}")
        if self.continuations and self.horizon != 1:
            found.append(f"horizon: expected 1 with continuations, which run freely, got {self.horizon}")
        if self.continuations and self.washout < 1:
            found.append("washout: expected at least one known step before a continuation, got 0")
        return found

    @property
    def free_run(self) -> bool:  # type: ignore[override]  # a setting decides
        """Whether validation and test are continuations."""
        return self.continuations > 0

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """The metrics; runs of continuations are ranked by ``nrmse84``."""
        return (
            ("nrmse84", "nrmse_std", "rmse", "spectral_distance")
            if self.free_run
            else ("nrmse_std", "rmse", "nrmse_range")
        )

    def data(self, seed: int) -> Splits:
        """Return the splits of a series drawn from the seed."""
        rng = generator(seed)
        start = rng.uniform(0.5, 1.5)
        if self.continuations:
            return self._continued(start, rng)
        train_end = self.washout + self.horizon + self.train
        valid_end = train_end + self.valid
        series = self._series(valid_end + self.test, start)
        return forecasting_splits(
            series[:, None],
            targets=1,
            horizon=self.horizon,
            ends=(train_end, valid_end),
            washout=self.washout,
            windows=self.windows,
        )

    def _series(self, count: int, start: float) -> np.ndarray:
        """Return `count` values of the solution from a constant past, after the discarded ones."""
        transient = max(TRANSIENT, math.ceil(10 * self.tau))
        values = integrate(transient + count, tau=self.tau, start=start)[transient:]
        return np.tanh(values - 1) if self.squash else values

    def _continued(self, start: float, rng: np.random.Generator) -> Splits:
        """Return one solution for training, and continuations of others, from starts drawn from `rng`."""
        known = self._series(self.washout + self.train + 1, start)[:, None]
        scaling = learn_scaling(known, known, own=1)
        scaled = scaling.scale_inputs(known)
        train = training_windows(scaled[:-1], scaled[1:], washout=self.washout, windows=self.windows)

        def continued(count: int) -> Batch:
            starts = rng.uniform(0.5, 1.5, count)
            # The output at the last known value is the first of AHEAD, and is not scored.
            series = np.stack([self._series(self.washout + AHEAD, each)[:, None] for each in starts])
            values = scaling.scale_inputs(series)
            mask = np.arange(values.shape[1] - 1) >= self.washout
            return Batch(values[:, :-1], values[:, 1:], mask=np.tile(mask, (count, 1)))

        return Splits(train, continued(math.ceil(self.valid / AHEAD)), continued(self.continuations), scaling)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean, persistence and linear autoregression."""
        return baselines.forecasts(splits, free_run=self.free_run)

    def recommended(self, strategy: str) -> Recommended:
        """Return a reservoir of 200 leaky units, an LSTM for gradients, else a few leaky units."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 200, "direct": True, "dtype": "float64"})
        if strategy == "bptt":
            return Recommended({"cell": "lstm", "hidden": 16}, {"batch_size": 4})
        return Recommended({"cell": "leaky", "hidden": 8})


def integrate(count: int, *, tau: float, start: float, substeps: int = SUBSTEPS) -> np.ndarray:
    """Return the solution at times 0, 1, ..., count - 1 from a constant past.

    Classical Runge-Kutta of order 4 with step ``1 / substeps``. The delayed value at the start, the middle
    and the end of a step is interpolated in the solution so far by cubic Hermite polynomials. The scheme has
    order 4 if `tau` is a whole number of steps; otherwise the kinks of the solution at times 0, tau, 2 tau, ...
    lie inside steps, which lowers the order there.

    Parameters
    ----------
    count : int
        Number of values, one per unit of time.
    tau : float
        Delay, at least two integration steps.
    start : float
        The value at time 0 and at all times before.
    substeps : int
        Integration steps per unit of time.
    """
    from evorrn_tasks.common.delayed import integrate_delayed

    h = 1.0 / substeps
    delay = math.ceil(tau * substeps)
    theta = delay - tau * substeps
    at_middle = math.floor(theta + 0.5)
    return integrate_delayed(
        count, substeps, start, delay, _hermite(theta, h), at_middle, _hermite((theta + 0.5) % 1.0, h)
    )


def _hermite(theta: float, h: float) -> tuple[float, float, float, float]:
    """Return the weights of x and slope at the start and the end of a step, for a point at share `theta` of it."""
    left, right = (1 + 2 * theta) * (1 - theta) ** 2, theta**2 * (3 - 2 * theta)
    return left, right, h * theta * (1 - theta) ** 2, h * theta**2 * (theta - 1)
