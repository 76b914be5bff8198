"""NARMA: identify a nonlinear system of order 10, 20 or 30 from its random input."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evorrn.base.errors import DataError
from evorrn.base.settings import setting
from evorrn.data.task import Recommended, Reference, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.records import scaled_splits, window_problems

COEFFICIENTS = {10: (0.3, 0.05, 1.5, 0.1), 20: (0.3, 0.05, 1.5, 0.01), 30: (0.2, 0.04, 1.5, 0.001)}
TRANSIENT = 200
DIVERGED = 2.0
ATTEMPTS = 1000


@dataclass(frozen=True)
class Narma(Task):
    """A nonlinear autoregressive moving average system, whose output is predicted from its input.

    The input u is uniform on [0, 0.5). With n the order, and y zero at first, the systems are

    - order 10: ``y(t+1) = 0.3 y(t) + 0.05 y(t) S + 1.5 u(t-9) u(t) + 0.1``
    - order 20: ``y(t+1) = tanh(0.3 y(t) + 0.05 y(t) S + 1.5 u(t-19) u(t) + 0.01)``
    - order 30: ``y(t+1) = 0.2 y(t) + 0.04 y(t) S + 1.5 u(t-29) u(t) + 0.001``

    where ``S = y(t) + y(t-1) + ... + y(t-n+1)``. The input of the network is u(t), the target y(t+1). The first
    200 steps are discarded. A draw in which y exceeds 2 at any step diverges; it is discarded, and the next one
    is drawn from another random stream.

    Training, validation and test follow each other in one record. Each begins with `washout` unscored steps;
    the training part is divided into `windows` sequences, each with its own unscored steps before it. Inputs
    and targets are scaled to mean 0 and standard deviation 1, learned on the training part.

    Source: Atiya and Parlos 2000, "New results on recurrent network training", for order 10; orders 20 and 30
    as usual in the reservoir literature, where variants that differ by one step exist.
    """

    name = "narma"
    inputs = 1
    outputs = 1
    input_names = ("u",)
    output_names = ("y",)
    metrics = ("nrmse_std", "nmse_std", "rmse")
    references = (
        Reference(
            0.107,
            "nmse_std",
            "order 10, N = 50, 1,000 training and 1,000 test steps; standard deviation 0.012",
            "Vinckier et al. 2015, photonic reservoir",
        ),
        Reference(
            0.16,
            "nmse_std",
            "order 10, the best linear shift register",
            "Appeltant et al. 2011",
        ),
    )

    order: int = setting(10, "order of the system", choices=tuple(COEFFICIENTS))
    train: int = setting(2000, "scored training steps", minimum=2)
    valid: int = setting(500, "scored validation steps", minimum=2)
    test: int = setting(1000, "scored test steps", minimum=2)
    washout: int = setting(50, "unscored steps at the start of each sequence", minimum=0)
    windows: int = setting(16, "sequences that the training part is divided into", minimum=1)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        return 2 * (self.train + self.valid + self.test + self.washout * (self.windows + 2))

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, the number of windows included."""
        return super().problems() or window_problems(self.windows, self.train)

    def data(self, seed: int) -> Splits:
        """Return the splits of a record drawn from the seed."""
        steps = self.washout + self.train + self.valid + self.test
        inputs, targets = draw(seed, self.order, steps)
        parts = self.train, self.valid, self.test
        return scaled_splits(inputs, targets, parts, washout=self.washout, windows=self.windows)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean and a linear shift register of the inputs."""
        return {"mean": baselines.mean(splits), **baselines.linear_models(splits, "linear shift register")}

    def recommended(self, strategy: str) -> Recommended:
        """Return a reservoir of fast, nearly linear units, an Elman network for gradients, else a few leaky units; ``ng-rc`` sees past the order."""
        if strategy == "ng-rc":
            return Recommended(strategy={"delays": self.order + 2})
        if strategy in ("esn", "evolved-esn"):
            network = {"cell": "leaky", "hidden": 200, "direct": True, "dtype": "float64"}
            ranges = {"leak": (0.7, 1.0), "input_scaling": (0.05, 0.5), "spectral_radius": (0.7, 1.1)}
            return Recommended(network, ranges)
        if strategy == "bptt":
            return Recommended({"cell": "elman", "hidden": 16}, {"batch_size": 4})
        return Recommended({"cell": "leaky", "hidden": 8})


def draw(seed: int, order: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (steps, 1) and targets (steps, 1) of the first draw of a seed that does not diverge.

    Raises
    ------
    DataError
        When 1000 draws in a row diverge, as draws of very many steps do.
    """
    for attempt in range(ATTEMPTS):
        u = generator(seed, attempt).uniform(0.0, 0.5, TRANSIENT + steps)
        y = respond(u, order)
        if np.all(np.abs(y) <= DIVERGED):
            return u[TRANSIENT:, None], y[TRANSIENT + 1 :, None]
    raise DataError(
        f"narma: all of {ATTEMPTS} draws of {TRANSIENT + steps} steps at order {order} diverged; ask for fewer steps"
    )


def respond(u: np.ndarray, order: int) -> np.ndarray:
    """Return the system's output y(0), ..., y(len(u)) for an input, starting from zero.

    Input and output before the first step are zero. After an output above 2 in size the system has diverged,
    and all further outputs are infinite.
    """
    a, b, c, d = COEFFICIENTS[order]
    inputs = [0.0] * (order - 1) + u.tolist()
    y = [0.0] * order
    for t in range(len(u)):
        value = a * y[-1] + b * y[-1] * math.fsum(y[-order:]) + c * inputs[t] * inputs[t + order - 1] + d
        y.append(math.tanh(value) if order == 20 else value)
        if abs(y[-1]) > DIVERGED:
            y.extend([math.inf] * (len(u) - t - 1))
            break
    return np.array(y[order - 1 :])
