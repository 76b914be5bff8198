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
    """The yearly mean sunspot number from 1700 to 2008, to be forecast from its own past.

    The input at a step is one year's number, the target the number `horizon` years later. A year belongs to
    the split in which it is to be forecast: training up to 1829, validation from 1830 to 1920, test from 1921
    on. Validation is as long as the test, some eight cycles, because fewer cannot tell networks apart; what lies
    before 1921 is the training period usual in the literature. Each split begins with `washout` years that are
    seen but not scored. Numbers are scaled to zero mean and unit deviation, learned on
    the training years. The record is fixed: a seed changes the training, never the data.

    Source: National Geophysical Data Center, as shipped by statsmodels (public domain).
    """

    name = "sunspots"
    inputs = 1
    outputs = 1
    input_names = ("sunspots",)
    output_names = ("sunspots",)
    metrics = ("nrmse_std", "rmse", "mae", "nmse_std")
    seed_changes = "training"

    horizon: int = setting(1, "years ahead that is to be forecast", minimum=1)
    washout: int = setting(20, "unscored years at the start of each split", minimum=0)
    train_until: int = setting(1829, "last year of training", minimum=FIRST_YEAR, maximum=LAST_YEAR)
    valid_until: int = setting(1920, "last year of validation", minimum=FIRST_YEAR, maximum=LAST_YEAR)

    def problems(self) -> list[str]:
        """Return what is wrong with each setting, and with the years together."""
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
        """Return the mean, the last year's number and linear autoregression."""
        return baselines.forecasts(splits)

    def recommended(self, strategy: str) -> Recommended:
        """Return small networks, since there are some 110 training years."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 60, "direct": True, "dtype": "float64"})
        return Recommended({"cell": "gru", "hidden": 8 if strategy == "bptt" else 4})
