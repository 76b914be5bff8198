"""The forecast of a chaotic system from its own past, and its continuation in free runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.batch import Batch
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import generator
from evorrn_tasks.common.records import forecasting_splits, learn_scaling, training_windows, window_problems


@dataclass(frozen=True)
class Chaotic(Task):
    """Base of the tasks of chaotic systems.

    Training is one solution: `washout` unscored steps and `train` scored ones, the target of each the next row. With
    `continuations`, validation and test are free runs over other solutions: each sequence has `washout` known rows, then
    the network runs on its own outputs for `ahead` steps. Without, all splits follow each other in one solution, the
    true past is always known, and the target is the row `horizon` steps later. Values are scaled to mean 0 and standard
    deviation 1, learned on the training part.

    A subclass has `variables`, `step_time` and `solution`.
    """

    horizon: int = setting(1, "steps from an input to its target; with 1 the network can run free", minimum=1)
    train: int = setting(2000, "scored training steps", minimum=2)
    valid: int = setting(500, "scored validation steps", minimum=2)
    test: int = setting(1000, "scored test steps, without continuations", minimum=2)
    washout: int = setting(100, "unscored steps at the start of each sequence", minimum=0)
    windows: int = setting(1, "sequences that the training part is divided into", minimum=1)
    continuations: int = setting(
        20, "solutions that test continues freely; 0 for a test on the rest of the series", minimum=0
    )
    ahead: int = setting(300, "steps of each free run", minimum=2)
    observed: int | None = setting(
        None, "the first variables, which the network sees and forecasts; all by default", minimum=1
    )

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, D."""
        raise NotImplementedError

    def solution(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows (count, D) of a solution on the attractor, from a start drawn from `rng`."""
        raise NotImplementedError

    @property
    def seen(self) -> tuple[str, ...]:
        """The names of the variables that the network sees."""
        return self.variables[: self.observed]

    @property
    def inputs(self) -> int:
        """The number of variables that are seen."""
        return len(self.seen)

    @property
    def outputs(self) -> int:
        """The number of variables that are seen."""
        return len(self.seen)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the variables that are seen."""
        return self.seen

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the variables that are seen."""
        return self.seen

    @property
    def free_run(self) -> bool:  # type: ignore[override]  # a setting decides
        """Whether validation and test are continuations."""
        return self.continuations > 0

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """The metrics; free runs are ranked by ``valid_time``."""
        return (
            ("valid_time", "nrmse_std", "rmse", "spectral_distance")
            if self.free_run
            else ("nrmse_std", "rmse", "nrmse_range")
        )

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of all sequences."""
        valid = math.ceil(self.valid / self.ahead) if self.free_run else 1
        ahead = (self.ahead * (valid + self.continuations)) if self.free_run else self.valid + self.test
        sequences = self.windows + valid + max(self.continuations, 1)
        return 2 * self.inputs * (self.train + ahead + self.washout * sequences)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = super().problems() or window_problems(self.windows, self.train)
        if not found and self.horizon > self.train:
            found.append(f"horizon: expected at most the training steps, {self.train}, got {self.horizon}")
        if self.continuations and self.horizon != 1:
            found.append(f"horizon: expected 1 with continuations, which run freely, got {self.horizon}")
        if self.continuations and self.washout < 1:
            found.append("washout: expected at least one known step before a continuation, got 0")
        if self.observed is not None and self.observed > len(self.variables):
            found.append(f"observed: expected at most {len(self.variables)} variables, got {self.observed}")
        return found

    def data(self, seed: int) -> Splits:
        """Return the splits of solutions drawn from the seed."""
        rng = generator(seed)
        if self.continuations:
            return self._continued(rng)
        train_end = self.washout + self.horizon + self.train
        valid_end = train_end + self.valid
        return forecasting_splits(
            self._rows(valid_end + self.test, rng),
            targets=self.outputs,
            horizon=self.horizon,
            ends=(train_end, valid_end),
            washout=self.washout,
            windows=self.windows,
        )

    def _rows(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return the variables that are seen, (count, I)."""
        return self.solution(count, rng)[:, : self.observed]

    def _continued(self, rng: np.random.Generator) -> Splits:
        """Return one solution for training, and continuations of others."""
        known = self._rows(self.washout + self.train + 1, rng)
        scaling = learn_scaling(known, known, own=self.inputs)
        scaled = scaling.scale_inputs(known)
        train = training_windows(scaled[:-1], scaled[1:], washout=self.washout, windows=self.windows)

        def continued(count: int) -> Batch:
            rows = [self._rows(self.washout + self.ahead + 1, rng) for _ in range(count)]
            values = scaling.scale_inputs(np.stack(rows))
            mask = np.arange(values.shape[1] - 1) >= self.washout
            return Batch(values[:, :-1], values[:, 1:], mask=np.tile(mask, (count, 1)))

        valid = continued(math.ceil(self.valid / self.ahead))
        return Splits(train, valid, continued(self.continuations), scaling)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean, persistence and linear autoregression."""
        return baselines.forecasts(splits, free_run=self.free_run)

    def recommended(self, strategy: str) -> Recommended:
        """Return a reservoir of 300 units, an LSTM for gradients, else a few leaky units; ``ng-rc`` forecasts changes."""
        if strategy == "ng-rc":
            return Recommended(strategy={"increments": True})
        if strategy in ("esn", "evolved-esn"):
            network = {"cell": "leaky", "hidden": 300, "direct": True, "dtype": "float64"}
            ranges = {"leak": (0.5, 1.0), "input_scaling": (0.03, 0.6), "spectral_radius": (0.1, 1.0)}
            return Recommended(network, ranges)
        if strategy == "bptt":
            return Recommended({"cell": "lstm", "hidden": 32})
        return Recommended({"cell": "leaky", "hidden": 8})


def local_monomials(inputs: int, *, reach: int, order: int) -> Recommended | None:
    """Return ``ng-rc`` with monomials of present inputs at most `reach` places apart on a ring; None for a small ring.

    Monomials of all inputs would be thousands. The few penalties keep the validation of each, a free run, affordable.
    """
    if 2 * reach >= inputs:
        return None
    alphas = tuple(float(f"1e{exponent}") for exponent in range(-8, 0, 2))
    settings = {"delays": 1, "reach": reach, "order": order, "increments": True, "alphas": alphas}
    return Recommended(strategy=settings)
