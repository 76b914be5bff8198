"""Metrics that are NaN where a prediction is not finite."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

Metric = Callable[..., float]


def nan_unless_finite(metric: Metric) -> Metric:
    """Return a metric that is NaN where a prediction is not finite, whatever the metric makes of it."""

    @functools.wraps(metric)
    def measured(predicted: np.ndarray, truth: np.ndarray, *ends: np.ndarray | None) -> float:
        values = np.asarray(predicted)
        return metric(values, np.asarray(truth), *ends) if np.isfinite(values).all() else math.nan

    return measured
