"""What many runs on several tasks come to: robust means, profiles, and how often one way beats another.

Errors are lower-is-better throughout, and a failed run's is ``inf``. A *stratum* is the runs on one task:
resampling keeps to strata, so a task's share never changes. Resamples are the same in every call, so the
same errors give the same intervals everywhere.

Source: Agarwal, Schwarzer, Castro, Courville and Bellemare (2021), "Deep reinforcement learning at the edge
of the statistical precipice", sections 4.1 to 4.3.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.lab.statistics import LEVEL

RESAMPLES = 2000
TRIMMED = 0.25

Strata = Sequence[np.ndarray]


@dataclass(frozen=True)
class Estimate:
    """A number and the ends of its 95 % interval; the ends are NaN where there is too little to tell."""

    value: float
    low: float
    high: float


def interquartile_mean(values: Sequence[float] | np.ndarray) -> float:
    """Return the mean of the middle half of some values (n,).

    A quarter of them, rounded down, is left out at either end; a failed run spoils the mean only
    once more than a quarter of the runs failed.
    """
    return float(_middle_mean(np.asarray(values, dtype=np.float64)))


def interquartile_estimate(strata: Strata) -> Estimate:
    """Return the interquartile mean over all runs and its stratified percentile bootstrap interval.

    Parameters
    ----------
    strata : sequence of ndarray, shape (n_i,)
        Errors by task, comparable between tasks.
    """
    pooled = np.concatenate(strata)
    value = interquartile_mean(pooled)
    if any(len(stratum) < 2 for stratum in strata):
        return Estimate(value, np.nan, np.nan)
    drawn = [stratum[draws(len(stratum), place)] for place, stratum in enumerate(strata)]
    low, high = interval(_middle_mean(np.concatenate(drawn, axis=1)))
    return Estimate(value, float(low), float(high))


def improvement(a: Strata, b: Strata) -> Estimate:
    """Return the probability that a run of `a` has a smaller error than one of `b` on a random task.

    Ties count one half. It is the mean over tasks of the Mann-Whitney statistic divided by the number of
    pairs of runs; its interval resamples the runs of both within each task.

    Parameters
    ----------
    a, b : sequence of ndarray, shapes (n_i,) and (m_i,)
        Errors of the same tasks in the same order.
    """
    wins = [(x[:, None] < y) + 0.5 * (x[:, None] == y) for x, y in zip(a, b)]
    value = float(np.mean([task.mean() for task in wins]))
    if any(min(task.shape) < 2 for task in wins):
        return Estimate(value, np.nan, np.nan)
    drawn = np.zeros(RESAMPLES)
    for place, task in enumerate(wins):
        rows, columns = _counts(task.shape[0], 2 * place), _counts(task.shape[1], 2 * place + 1)
        drawn += np.einsum("ri,ij,rj->r", rows, task, columns, optimize=True) / task.size
    low, high = interval(drawn / len(wins))
    return Estimate(value, float(low), float(high))


@dataclass(frozen=True)
class Profile:
    """The share of runs whose error is at most each threshold, with pointwise 95 % intervals.

    Attributes
    ----------
    thresholds, share, low, high : ndarray, shape (n,)
    """

    thresholds: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray


def performance_profile(strata: Strata, thresholds: np.ndarray) -> Profile:
    """Return the share of runs that are at most as bad as each threshold, every task weighing the same.

    Parameters
    ----------
    strata : sequence of ndarray, shape (n_i,)
        Errors by task. As ratios to the best on the task they give the profile of Dolan and Moré.
    thresholds : ndarray, shape (n,)

    Notes
    -----
    Source: Dolan and Moré (2002), "Benchmarking optimization software with performance profiles",
    section 2; several runs a task as in Agarwal et al. (2021), section 4.2.
    """
    under = [stratum[:, None] <= thresholds for stratum in strata]
    share = np.mean([task.mean(axis=0) for task in under], axis=0)
    if any(len(stratum) < 2 for stratum in strata):
        nothing = np.full(len(thresholds), np.nan)
        return Profile(thresholds, share, nothing, nothing)
    drawn = np.zeros((RESAMPLES, len(thresholds)))
    for place, task in enumerate(under):
        drawn += _counts(len(task), place) @ task / len(task)
    low, high = interval(drawn / len(under))
    return Profile(thresholds, share, low, high)


@functools.lru_cache(maxsize=256)
def draws(n: int, stratum: int = 0) -> np.ndarray:
    """Return the indices (RESAMPLES, n) of the resamples of a stratum with `n` runs; not to be written to."""
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(stratum, n)))
    indices = rng.integers(0, n, size=(RESAMPLES, n))
    indices.flags.writeable = False
    return indices


def _counts(n: int, stratum: int) -> np.ndarray:
    """Return how often each run is in each resample, (RESAMPLES, n)."""
    counts = np.zeros((RESAMPLES, n))
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], draws(n, stratum)), 1.0)
    return counts


def _middle_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of the middle half along the last axis."""
    ordered = np.sort(values, axis=-1)
    cut = int(TRIMMED * ordered.shape[-1])
    return ordered[..., cut : ordered.shape[-1] - cut].mean(axis=-1)


def interval(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two ends of the percentile interval along the first axis, never between two of the drawn."""
    low, high = np.quantile(drawn, [LEVEL / 2, 1 - LEVEL / 2], axis=0, method="inverted_cdf")
    return low, high
