"""Means, deviations and quantiles of numbers up to the largest float64, whose sums and squares would overflow."""

from __future__ import annotations

import math

import numpy as np

LARGE = 1e150
"""Numbers are scaled from here on; their squares may overflow."""


def scale_of(values: np.ndarray) -> float:
    """Return 1, or a power of two that brings finite numbers above 1e150 to at most 1; dividing by it is exact."""
    largest = max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
    return 1.0 if largest < LARGE else 2.0 ** (math.frexp(largest)[1] - 1)


def root_mean_square(values: np.ndarray) -> float:
    """Return the root of the mean square."""
    scale = scale_of(values)
    return scale * float(np.sqrt(np.mean(np.square(values / scale))))


def mean(values: np.ndarray) -> float:
    """Return the mean."""
    scale = scale_of(values)
    return scale * float((values / scale).mean())


def deviation(values: np.ndarray) -> float:
    """Return the standard deviation."""
    scale = scale_of(values)
    return scale * float((values / scale).std())


def deviations(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each column (n,) of an array (P, n)."""
    scale = scale_of(values)
    return scale * (values if scale == 1 else values / scale).std(axis=0)


def quantiles(values: np.ndarray, shares: float | list[float]) -> np.ndarray:
    """Return quantiles, interpolated between neighbours."""
    scale = scale_of(values)
    return scale * np.asarray(np.quantile(values / scale, shares))
