"""Power spectra of series, and how far apart those of free runs and of the truth are."""

from __future__ import annotations

import math

import numpy as np

from evorrn.data.finite import nan_unless_finite

SHORTEST = 4
"""Time steps of the shortest series that has a spectrum."""

ROUNDING = 1e-24
"""Share of the truth's power up to which a spectrum is rounding."""


def power(series: np.ndarray, steps: int | None = None) -> np.ndarray:
    """Return the mean power (F, O) of series (B, T, O) at the frequencies above 0.

    The mean of each series is subtracted and a Hann window applied; with `steps` zeros follow up to so many time steps.

    Source: Welch 1967, with one segment a series.
    """
    moved = (series - series.mean(axis=1, keepdims=True)) * np.hanning(series.shape[1])[:, None]
    return np.asarray(np.square(np.abs(np.fft.rfft(moved, steps, axis=1)))[:, 1:].mean(axis=0))


def distance(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return half of the summed absolute difference of two spectra (F, O), each divided by its sum, averaged over outputs.

    It is 0 for equal shapes and 1 where they share no frequency, as where a prediction is constant; NaN where the truth is.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = predicted.sum(axis=0), truth.sum(axis=0)
        apart = 0.5 * np.abs(predicted / sums[0] - truth / sums[1]).sum(axis=0)
        still = sums[0] <= ROUNDING * sums[1]
    return float(np.where(still & (sums[1] > 0), 1.0, apart).mean())


@nan_unless_finite
def spectral_distance(predicted: np.ndarray, truth: np.ndarray, ends: np.ndarray | None = None) -> float:
    """Return the distance of the mean power spectra of free runs and of the truth, from 0 to 1, see `distance`.

    It tells whether a generator has the rhythm of the data when its phase is lost. `ends` (K,) are the rows of the last scored
    step of each sequence, by default of one. Sequences of fewer than 4 scored steps are left out; those shorter than the
    longest are followed by zeros.
    """
    if (np.ptp(truth, axis=0) == 0).any():
        return math.nan
    last = np.array([len(truth) - 1]) if ends is None else np.asarray(ends)
    pairs = list(zip(np.split(predicted, last[:-1] + 1), np.split(truth, last[:-1] + 1)))
    steps = max(len(series) for series, _ in pairs)
    if steps < SHORTEST:
        return math.nan
    spectra = [
        np.mean([power(pair[which][None], steps) for pair in pairs if len(pair[which]) >= SHORTEST], axis=0)
        for which in (0, 1)
    ]
    return distance(*spectra)
