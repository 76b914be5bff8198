"""Statistics of a few seeds: the interval of a median, and exact tests of paired differences.

Infinities are allowed everywhere, because the value of a failed run is ``inf`` where lower is better. Both
resampling distributions are computed in closed form, so the same values always give the same interval and
the same p-value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.05
"""Significance level of the tests; intervals are 95 % intervals."""


@dataclass(frozen=True)
class Estimate:
    """A number and the ends of its 95 % interval; the ends are NaN where there are too few runs for one."""

    value: float
    low: float
    high: float


def median_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Estimate:
    """Return the median of some values and its percentile bootstrap interval.

    The interval is that of infinitely many bootstrap resamples: a resample's median is one of the values, or
    the mean of two, and its probability follows from binomial counts.

    Parameters
    ----------
    values : array_like, shape (n,)
        At least one; infinities of one sign are allowed.
    level : float
        Probability outside the interval, split evenly.

    Notes
    -----
    Source: Efron (1979), "Bootstrap methods: another look at the jackknife", section 3, gives the
    distribution for odd n; for even n, where the median is the mean of the two middle values, their
    joint distribution takes its place.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if ordered.ndim != 1 or len(ordered) == 0 or np.isnan(ordered).any():
        raise ValueError(f"expected at least one value and no NaN, got {values!r}")
    median = float(np.median(ordered))
    if len(ordered) == 1:
        return Estimate(median, math.nan, math.nan)
    support, probability = _resampled_medians(ordered)
    slack = 1e-12  # rounding of the sums, far below any probability that matters
    low = support[np.searchsorted(np.cumsum(probability), level / 2 - slack)]
    high = support[::-1][np.searchsorted(np.cumsum(probability[::-1]), level / 2 - slack)]
    return Estimate(median, float(low), float(high))


def two_level_interval(values: np.ndarray, level: float = LEVEL, resamples: int = 2000) -> Estimate:
    """Return the median over seeds of the mean over folds, and its bootstrap interval over both.

    Each resample draws folds with replacement, and of the same seeds in all of them seeds with replacement.

    Parameters
    ----------
    values : ndarray, shape (folds, seeds)
        Infinities of one sign are allowed.
    level : float
        Probability outside the interval, split evenly.
    resamples : int
        They are drawn from a fixed seed, so that equal values give an equal interval.

    Notes
    -----
    Source: Davison and Hinkley (1997), "Bootstrap methods and their application", section 3.8, for data with two
    levels. Deviation: folds and seeds are crossed, so both are drawn once for a resample.
    """
    folds, seeds = values.shape
    rng = np.random.default_rng(0)
    drawn = rng.integers(folds, size=(resamples, folds))
    means = values[drawn].mean(axis=1)  # (resamples, seeds)
    places = rng.integers(seeds, size=(resamples, seeds))
    medians = np.median(np.take_along_axis(means, places, axis=1), axis=1)
    ends = np.quantile(medians, [level / 2, 1 - level / 2], method="inverted_cdf")
    return Estimate(float(np.median(values.mean(axis=0))), float(ends[0]), float(ends[1]))


def _resampled_medians(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every possible median of a resample, ascending, and its probability."""
    from scipy.special import betainc, gammaln

    n = len(ordered)
    middle = (n + 1) // 2  # rank of the lower middle value, counted from 1
    share = np.arange(n + 1) / n
    lower = np.diff(betainc(middle, n - middle + 1, share))  # P(lower middle value is the i-th)
    if n % 2:
        return ordered, lower
    # The middles are the i-th and the j-th value, i < j, when half of the draws are at most i, one of them
    # equal to i, and the other half at least j, one of them equal to j.
    # In logarithms: the number of ways to halve n draws overflows from n = 1030 on.
    ways = gammaln(n + 1) - 2 * gammaln(middle + 1)
    at_most = middle * np.log(share[1:]) + np.log1p(-((share[:-1] / share[1:]) ** middle))
    # Hoeffding's inequality: a middle lies further than this from n / 2 with probability below 1e-21.
    reach = math.ceil(5 * math.sqrt(n))
    near = slice(max(middle - reach, 0), middle + reach)
    ordered, lower = ordered[near], lower[near]
    joint = np.triu(np.exp(np.minimum(ways + at_most[near, None] + at_most[::-1][near], 0.0)), k=1)
    np.fill_diagonal(joint, np.maximum(lower - joint.sum(axis=1), 0.0))
    first, second = np.triu_indices(len(ordered))
    support = (ordered[first] + ordered[second]) / 2
    order = np.argsort(support, kind="stable")
    return support[order], joint[first, second][order]


def paired_differences(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return ``a - b`` for each pair; 0 where both failed, that is where both are the same infinity.

    Differences whose sizes differ by the rounding of their values alone are made equal, so that they are ties: in
    floating-point numbers 0.9 - 0.8 is less than 0.8 - 0.7, as accuracies are.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        differences = np.where(a == b, 0.0, a - b)
        order = np.argsort(np.abs(differences), kind="stable")
        sizes = np.abs(differences)[order]
        rounding = 2 * np.finfo(float).eps * np.maximum(np.abs(a), np.abs(b))[order]
        rounding[~np.isfinite(rounding)] = 0.0
        apart = np.diff(sizes) > np.maximum(rounding[1:], rounding[:-1])
    apart |= ((sizes[:-1] == 0) != (sizes[1:] == 0)) | np.isnan(sizes[1:])
    firsts = np.maximum.accumulate(np.where(np.append(True, apart), np.arange(len(sizes)), 0))
    tied = np.empty_like(sizes)
    tied[order] = sizes[firsts]
    return np.copysign(tied, differences)


@dataclass(frozen=True)
class SignedRanks:
    """The outcome of Wilcoxon's test: two-sided p-value, and the sums of positive and negative ranks."""

    p: float
    positive: float
    negative: float


def signed_ranks(differences: Sequence[float] | np.ndarray) -> SignedRanks:
    """Return the exact outcome of Wilcoxon's signed-rank test on paired differences.

    The null hypothesis is that each difference is as likely to have the other sign. All 2^n choices of signs
    are counted with the observed ranks, so the p-value is exact with ties too, where SciPy approximates or
    samples. Zero differences are ranked, and left out of the sums.

    Parameters
    ----------
    differences : array_like, shape (n,)
        Infinities rank largest.

    Notes
    -----
    Source: Wilcoxon (1945), "Individual comparisons by ranking methods"; zeros as in Pratt (1959),
    "Remarks on zeros and ties in the Wilcoxon signed rank procedures".
    """
    values = np.asarray(differences, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("expected differences without NaN")
    _, place, ties = np.unique(np.abs(values), return_inverse=True, return_counts=True)
    doubled = (2 * np.cumsum(ties) - ties + 1)[place]  # twice the ranks, since ties give half ranks
    doubled, values = doubled[values != 0], values[values != 0]
    probability = np.zeros(doubled.sum() + 1)  # of each sum of positive ranks
    probability[0] = 1.0
    for rank in doubled:
        probability[rank:] = (probability[rank:] + probability[:-rank]) / 2
        probability[:rank] /= 2
    observed = doubled[values > 0].sum()
    tail = min(probability[: observed + 1].sum(), probability[observed:].sum())
    return SignedRanks(float(min(1.0, 2 * tail)), observed / 2, (doubled.sum() - observed) / 2)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values (m,) adjusted for the family-wise error rate.

    Notes
    -----
    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return adjusted


def smallest_p(seeds: int, pairs: int) -> float:
    """Return the smallest p-value that a number of seeds can reach among a number of pairs, after `holm`."""
    return min(1.0, pairs * 2.0 / 2.0**seeds)


def seeds_needed(pairs: int, level: float = LEVEL) -> int:
    """Return the smallest number of seeds with which a difference among a number of pairs can be significant."""
    return next(seeds for seeds in range(1, 1000) if smallest_p(seeds, pairs) <= level)
