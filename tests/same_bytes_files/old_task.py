from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from evorrn.settings import setting
from evorrn.task import Recommended, Reference, Splits, Task, cached

from evorrn_tasks.common import baselines
from evorrn_tasks.common.draws import check_seed
from evorrn_tasks.common.records import forecasting_splits


@cached
def tide(length):
    record = np.zeros(length)
    for hour in range(length):
        record[hour] = np.sin(0.5 * hour) + 0.4 * np.sin(0.23 * hour)
    return record


@dataclass(frozen=True)
class Tides(Task):
    """Two tides, to be forecast from their own past."""

    name, inputs, outputs, seed_changes = "tides", 1, 1, "training"
    references = (Reference(0.1, "nrmse_std", "made up", "nobody"),)
    horizon: int = setting(1, "hours ahead that is to be forecast", minimum=1)
    washout: int = setting(10, "unscored hours at the start of each split", minimum=0)

    def data(self, seed: int) -> Splits:
        check_seed(seed)
        record = tide(300)[:, None]
        return forecasting_splits(
            record, targets=1, horizon=self.horizon, ends=(150, 220), washout=self.washout
        )

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        return baselines.forecasts(splits)

    def recommended(self, strategy: str) -> Recommended:
        if strategy == "esn":
            return Recommended({"cell": "leaky", "hidden": 30, "direct": True, "dtype": "float64"})
        return Recommended({"cell": "gru", "hidden": 3}, {"population": 12} if strategy == "ga" else {})
