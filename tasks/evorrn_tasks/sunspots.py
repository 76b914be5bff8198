"""Sunspots: forecast the yearly record from its own past."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evorrn.base.settings import setting
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import check_seed
from evorrn_tasks.common.records import forecasting_splits

RECORD = Path(__file__).parent / "data" / "sunspots.csv"
FIRST_YEAR, LAST_YEAR = 1700, 2008


@dataclass(frozen=True)
class Sunspots(Task):
    """The yearly mean sunspot number from 1700 to 2008, forecast from its own past.

    The input at a step is the number of one year, the target the number `horizon` years later. A year belongs
    to the split in which it is forecast: training up to 1829, validation from 1830 to 1920, test from 1921 on.
    Validation is as long as the test, about eight cycles, because fewer are too few to compare networks; the
    years before 1921 are the usual training period in the literature. Each split begins with `washout` unscored
    years. Numbers are scaled to mean 0 and standard deviation 1, learned on the training years. The data are
    fixed: a seed changes only the training.

    Source: National Geophysical Data Center, as shipped by statsmodels (public domain).
    """

    name = "sunspots"
    inputs = 1
    outputs = 1
    input_names = ("sunspots",)
    output_names = ("sunspots",)
    metrics = ("nrmse_std", "rmse", "mae", "nmse_std")
    seed_changes = "training"

    horizon: int = setting(1, "years from an input to its target", minimum=1)
    washout: int = setting(20, "unscored years at the start of each split", minimum=0)
    train_until: int = setting(1829, "last year of training", minimum=FIRST_YEAR, maximum=LAST_YEAR)
    valid_until: int = setting(1920, "last year of validation", minimum=FIRST_YEAR, maximum=LAST_YEAR)

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed, the years in their order included."""
        found = super().problems()
        if found:
            return found
        scored = self.train_until - FIRST_YEAR + 1 - self.horizon - self.washout
        if scored < 2:
            found.append(
                f"train_until: expected at least {FIRST_YEAR + 1 + self.horizon + self.washout} to leave two scored "
                f"years after {self.washout} of washout and a horizon of {self.horizon}, got {self.train_until}"
            )
        if not self.train_until < self.valid_until < LAST_YEAR:
            found.append(
                f"valid_until: expected a year from {self.train_until + 1} to {LAST_YEAR - 1}, got {self.valid_until}"
            )
        return found

    def data(self, seed: int) -> Splits:
        """Return the splits of the record, the same for every seed."""
        check_seed(seed)
        record = np.loadtxt(RECORD, delimiter=",", skiprows=1, usecols=1)[:, None]
        ends = (self.train_until - FIRST_YEAR + 1, self.valid_until - FIRST_YEAR + 1)
        return forecasting_splits(record, targets=1, horizon=self.horizon, ends=ends, washout=self.washout)

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean, persistence and linear autoregression."""
        return baselines.forecasts(splits)

    def recommended(self, strategy: str) -> Recommended:
        """Return small networks, because there are only about 110 training years."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 60, "direct": True, "dtype": "float64"})
        return Recommended({"cell": "gru", "hidden": 8 if strategy == "bptt" else 4})
