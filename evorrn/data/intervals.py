"""Prediction intervals from the errors of earlier forecasts: conformal, with a fixed width or one that follows drift.

Errors are absolute differences between truth and forecast of one output, in order of time. An interval lies symmetrically
around a forecast; its half width is the quantity computed here.
"""

from __future__ import annotations

import math

import numpy as np

LEVEL = 0.9
"""The share of values that an interval is to cover, where none is stated."""
RATE = 0.005
"""How far a single miss moves the level of an adaptive interval."""


def level_problems(level: float) -> list[str]:
    """Return a sentence unless a level lies between 0 and 1."""
    return (
        []
        if 0 < level < 1
        else [f"level: expected a share above 0 and below 1, for instance 0.9, got {level}"]
    )


def split_width(errors: np.ndarray, level: float) -> float:
    """Return the half width of a split conformal interval.

    It is the smallest of the n errors such that at least a share `level` of n + 1 are no larger, the new one counted in.
    With exchangeable errors the interval covers the truth with a probability of at least `level`.

    Parameters
    ----------
    errors : ndarray, shape (n,)
        Absolute errors on data that the forecasts were not fitted to.
    level : float

    Returns
    -------
    float
        Infinity when there are too few errors, NaN when one is not finite.

    Notes
    -----
    Source: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman (2018), "Distribution-free predictive inference for
    regression", algorithm 2.
    """
    if not np.isfinite(errors).all():
        return math.nan
    rank = math.ceil((len(errors) + 1) * level - 1e-9)
    return float(np.partition(errors, rank - 1)[rank - 1]) if rank <= len(errors) else math.inf


def series_width(errors: np.ndarray, level: float) -> float:
    """Return the half width of a split conformal interval from errors that follow each other in time.

    Errors of neighbouring steps are alike, so that n of them say as much as fewer that are independent. The share that is
    to be no larger is that of `split_width` for so many, ``level * (1 + 1 / count)``, and at most all of them.

    Parameters
    ----------
    errors : ndarray, shape (n,)
        Absolute errors on data that the forecasts were not fitted to, in order of time.
    level : float

    Returns
    -------
    float
        As `split_width`, from which it differs little where errors are independent.
    """
    width = split_width(errors, level)
    if not math.isfinite(width):
        return width
    share = min(level * (1 + 1 / effective_count(errors > width)), 1.0)
    rank = max(math.ceil(len(errors) * share - 1e-9), 1)
    return max(width, float(np.partition(errors, rank - 1)[rank - 1]))


def effective_count(series: np.ndarray) -> float:
    """Return how many independent values have a mean as uncertain as that of a series (n,).

    It is ``n / (1 + 2 * sum((1 - k / n) * r[k]))``, over the lags k before the first autocorrelation r[k] that is not
    positive.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.data.intervals import effective_count
    >>> effective_count(np.array([1, 0, 1, 0, 1, 0])), round(effective_count(np.array([1, 1, 1, 0, 0, 0])), 2)
    (6.0, 3.27)

    Notes
    -----
    Source: Bayley and Hammersley (1946), "The effective number of independent observations in an autocorrelated time
    series"; the sum ends as that of Geyer (1992), "Practical Markov chain Monte Carlo", though without his pairs of lags.
    """
    count = len(series)
    centred = series - np.mean(series)
    if not centred.any():
        return float(count)
    spectrum = np.abs(np.fft.rfft(centred, 2 * count)) ** 2
    correlation = np.fft.irfft(spectrum)[:count]
    correlation /= correlation[0]
    ends = np.flatnonzero(correlation <= 1e-12)
    lags = np.arange(1, ends[0] if ends.size else count)
    return float(count / (1 + 2 * ((1 - lags / count) * correlation[lags]).sum()))


def adaptive_widths(
    calibration: np.ndarray, errors: np.ndarray, level: float, *, delay: int = 1, rate: float = RATE
) -> np.ndarray:
    """Return the half width of an adaptive conformal interval at every step, from errors that are known by then.

    The probability of a miss that is asked for, alpha, falls after every miss and rises after every hit, so that the
    share of misses comes near 1 - `level` whatever the series does.

    Parameters
    ----------
    calibration : ndarray, shape (n,)
        Absolute errors just before the first step.
    errors : ndarray, shape (T,)
        Absolute errors at the steps.
    level : float
    delay : int
        Steps until an error is known: the horizon of the forecast.
    rate : float
        How far one miss moves alpha, the paper's gamma.

    Returns
    -------
    ndarray, shape (T,)
        NaN in every step when an error is not finite.

    Notes
    -----
    Source: Gibbs and Candès (2021), "Adaptive conformal inference under distribution shift", equation 2. Deviations: an
    error counts only once it is known, `delay` steps later; the quantile is that of the last n known errors; where the
    paper's interval is infinite it has the largest of them.
    """
    known, size = np.concatenate([calibration, errors]), len(calibration)
    widths = np.full(len(errors), np.nan)
    if not size or not np.isfinite(known).all():
        return widths
    alpha = 1 - level
    for step in range(len(errors)):
        seen = size + step - delay + 1  # errors known when the forecast of this step is made
        if step >= delay:
            missed = errors[step - delay] > widths[step - delay]
            alpha += rate * (1 - level - float(missed))
        recent = known[max(seen - size, 0) : max(seen, 1)]
        width = split_width(recent, min(max(1 - alpha, 1e-12), 1.0))
        widths[step] = width if math.isfinite(width) else recent.max()
    return widths


def covered(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Return the share of values that lie in their intervals, ends included; NaN when an end is NaN."""
    if np.isnan(lower).any() or np.isnan(upper).any():
        return math.nan
    return float(np.mean((lower <= truth) & (truth <= upper)))
