"""Aggregates over tasks: interquartile means, performance profiles and probabilities of improvement.

Errors are lower-is-better, and the error of a failed run is ``inf``. A *stratum* is the runs on one task; the
bootstrap resamples within strata. Resamples are the same in every call, so the same errors always give the
same intervals.

Source: Agarwal, Schwarzer, Castro, Courville and Bellemare (2021), "Deep reinforcement learning at the edge
of the statistical precipice", sections 4.1 to 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.lab.study.statistics import LEVEL, Estimate

RESAMPLES = 2000
TRIMMED = 0.25
"""Share of the values that an interquartile mean leaves out at either end."""
AT_ONCE = 2**21
"""Numbers of a stratum that are resampled at a time, which bounds the memory."""

Strata = Sequence[np.ndarray]


def interquartile_mean(values: Sequence[float] | np.ndarray) -> float:
    """Return the mean of the middle half of some values (n,); ``inf`` once more than a quarter of them are."""
    from scipy.stats import trim_mean

    return float(trim_mean(values, TRIMMED))


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
    order = np.argsort(pooled, kind="stable")
    failed = ~np.isfinite(pooled[order])
    sizes, least = np.where(failed, 0.0, pooled[order]), int(TRIMMED * len(pooled))
    drawn = []
    for counts in _resamples([len(stratum) for stratum in strata]):
        upto = np.concatenate(counts, axis=1)[:, order].cumsum(axis=1)
        kept = np.diff(np.clip(upto, least, len(pooled) - least), axis=1, prepend=least)
        means = kept @ sizes / (len(pooled) - 2 * least)
        drawn.append(np.where(kept[:, failed].any(axis=1), np.inf, means))
    low, high = interval(np.concatenate(drawn))
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
    worse = [_share_worse(x, y) for x, y in zip(a, b)]
    everywhere = [(np.ones((1, len(x))), np.ones((1, len(y)))) for x, y in zip(a, b)]
    value = float(np.mean([share(*counts)[0] for share, counts in zip(worse, everywhere)]))
    if any(min(len(x), len(y)) < 2 for x, y in zip(a, b)):
        return Estimate(value, np.nan, np.nan)
    drawn = []
    for counts in _resamples([len(runs) for pair in zip(a, b) for runs in pair]):
        shares = [share(*counts[2 * place : 2 * place + 2]) for place, share in enumerate(worse)]
        drawn.append(np.mean(shares, axis=0))
    low, high = interval(np.concatenate(drawn))
    return Estimate(value, float(low), float(high))


def _share_worse(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return a function that maps the counts of both runs in each resample to the share of pairs in which y is worse."""
    order = np.argsort(y, kind="stable")
    below, upto = (np.searchsorted(y[order], x, side=side) for side in ("left", "right"))

    def share(of_x: np.ndarray, of_y: np.ndarray) -> np.ndarray:
        better = np.pad(of_y[:, order].cumsum(axis=1), ((0, 0), (1, 0)))  # runs of y below each place
        wins = better[:, -1:] - 0.5 * (better[:, upto] + better[:, below])
        return np.einsum("ri,ri->r", of_x, wins) / (len(x) * len(y))

    return share


@dataclass(frozen=True)
class Profile:
    """The share of runs whose error is at most each threshold, with pointwise 95 % intervals; arrays of shape (n,)."""

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
    drawn = []
    for counts in _resamples([len(task) for task in under]):
        shares = [drawn_of @ task / len(task) for drawn_of, task in zip(counts, under)]
        drawn.append(np.mean(shares, axis=0))
    low, high = interval(np.concatenate(drawn))
    return Profile(thresholds, share, low, high)


def draws(n: int, stratum: int = 0) -> np.ndarray:
    """Return the indices (RESAMPLES, n) of the resamples of a stratum with `n` runs."""
    return _generator(n, stratum).integers(0, n, size=(RESAMPLES, n))


def _resamples(sizes: Sequence[int]) -> Iterator[list[np.ndarray]]:
    """Yield the counts (r, n) of the runs of every stratum in each resample, some resamples at a time."""
    rows = max(1, min(RESAMPLES, AT_ONCE // max(sizes)))
    generators = [_generator(n, place) for place, n in enumerate(sizes)]
    for start in range(0, RESAMPLES, rows):
        some = min(rows, RESAMPLES - start)
        yield [_drawn(generator, some, n) for generator, n in zip(generators, sizes)]


def _drawn(generator: np.random.Generator, rows: int, n: int) -> np.ndarray:
    indices = generator.integers(0, n, size=(rows, n)) + n * np.arange(rows)[:, None]
    return np.bincount(indices.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _generator(n: int, stratum: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(0, spawn_key=(stratum, n)))


def interval(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two ends of the percentile interval along the first axis; both are among the values drawn."""
    low, high = np.quantile(drawn, [LEVEL / 2, 1 - LEVEL / 2], axis=0, method="inverted_cdf")
    return low, high
