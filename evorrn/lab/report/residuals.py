"""Plots of residuals, truth minus prediction on test: over time, their histogram, and their autocorrelation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evorrn.base.text import figure
from evorrn.lab.report.style import GRID, INK, SERIES, Axes, time_axis
from evorrn.lab.runs.outputs import Outputs, Predictions

MOST_DOTS = 500
"""Residuals that are drawn over time; of more, every second, third and so on."""
MOST_LAGS = 40
HEIGHT = 2.6
"""Height of such a plot in inches."""


def has_residuals(shown: Outputs) -> bool:
    """Return whether a run has residuals: real targets on test, some of them met by finite predictions."""
    return isinstance(shown, Predictions) and not shown.labelled and bool(np.isfinite(residuals(shown)).any())


def residuals(shown: Predictions) -> np.ndarray:
    """Return truth minus prediction of the first output (B, T), NaN where a step is not scored or not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = shown.truth[:, :, 0] - shown.predicted[:, :, 0].astype(np.float64)
    return np.where(shown.scored & np.isfinite(found), found, np.nan)


def autocorrelation(values: np.ndarray, lags: int) -> np.ndarray:
    """Return the autocorrelation (lags + 1,) of sequences (B, T), NaN where there is no value.

    Pairs across two sequences do not count. Every lag is divided by the sum of squares of lag 0.

    Source: Box, Jenkins and Reinsel 2008, "Time series analysis", equation 2.1.11; there for one sequence.
    """
    largest = np.nanmax(np.abs(values), initial=0.0)
    scaled = (
        values / largest if 0 < largest < np.inf else values
    )  # squares of a run that diverges would overflow
    centred = scaled - np.nanmean(scaled)
    whole = np.nansum(centred**2)
    products = [np.nansum(centred[:, lag:] * centred[:, : centred.shape[1] - lag]) for lag in range(lags + 1)]
    return np.array(products) / whole if whole > 0 else np.full(lags + 1, np.nan)


def draw_over_time(axes: Axes, shown: Predictions, place: int = 0) -> None:
    """Draw the residuals in the order of time, one sequence after the other."""
    values = residuals(shown)[shown.scored]
    dates = None if shown.dates is None else shown.dates[shown.scored]
    step = -(-len(values) // MOST_DOTS)
    label = "scored time steps of test" + (f", one of {step} drawn" if step > 1 else "")
    x = time_axis(axes, dates, label, np.arange(len(values)))
    axes.axhline(0, color=INK, linewidth=1)
    axes.plot(x[::step], values[::step], ".", color=SERIES[place % len(SERIES)], markersize=4)
    axes.set_ylabel(f"residual of {shown.name}")


def draw_histogram(axes: Axes, shown: Predictions, place: int = 0) -> None:
    """Draw how often residuals of each size are, with their mean and standard deviation."""
    values = residuals(shown)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [0.5, 99.5])
    ends = (low, high) if high > low else (low - 0.5, low + 0.5)
    axes.hist(
        np.clip(values, *ends),
        bins="auto" if len(values) < 500 else 40,
        range=ends,
        color=SERIES[place % len(SERIES)],
    )
    axes.axvline(0, color=INK, linewidth=1)
    axes.locator_params(axis="x", nbins=5)  # labels such as -0.0075 need room
    axes.set(xlabel=f"residual of {shown.name}", ylabel="time steps")
    with np.errstate(over="ignore"):  # of a run that diverges the deviation may be infinite
        mean, deviation = float(values.mean()), float(values.std())
    axes.set_title(
        f"mean {figure(mean)}, standard deviation {figure(deviation)}",
        loc="left",
        fontsize=9.5,
    )


def draw_autocorrelation(axes: Axes, shown: Predictions, place: int = 0) -> None:
    """Draw the autocorrelation by lag; 95 % of the lags of residuals without memory lie in the band."""
    values = residuals(shown)
    count = int(np.isfinite(values).sum())
    longest = int(shown.scored.sum(axis=1).max())
    lags = np.arange(1, max(2, min(MOST_LAGS, longest // 4) + 1))
    found = autocorrelation(values, int(lags[-1]))[1:]
    axes.axhspan(-1.96 / np.sqrt(count), 1.96 / np.sqrt(count), color=GRID, alpha=0.7, linewidth=0)
    axes.axhline(0, color=INK, linewidth=1)
    axes.vlines(lags, 0, found, color=SERIES[place % len(SERIES)], linewidth=2.4)
    reach = 1.1 * max(float(np.nanmax(np.abs(found), initial=0.0)), 2.5 / np.sqrt(count))
    axes.set(xlabel="lag (time steps)", ylabel="autocorrelation", ylim=(-reach, reach))
    axes.xaxis.get_major_locator().set_params(integer=True)


Draw = Callable[..., None]


def panels(shown: Predictions) -> dict[str, Draw]:
    """Return the plots that say something about these predictions, by name."""
    if shown.single_steps:  # one step of each sequence has no order in time
        return {"histogram": draw_histogram}
    return {"over time": draw_over_time, "histogram": draw_histogram, "autocorrelation": draw_autocorrelation}
