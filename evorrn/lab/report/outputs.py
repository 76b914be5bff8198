"""Plots of what a network does: predictions beside the truth, an episode, a forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evorrn.lab.report.characters import draw_characters, signs_of, text_height
from evorrn.lab.report.intervals import Band
from evorrn.lab.report.style import GRID, INK, LINES, SERIES, Axes, legend_above, time_axis
from evorrn.lab.runs.outputs import Outputs, Predictions, Trajectory

LONGEST = 1000
"""Largest number of time steps of an episode that are drawn."""
TRUTH = {"color": INK, "linewidth": 1.2, "label": "truth"}
DASHES = {"linewidth": 1.8, "linestyle": (0, (4, 1.2))}


def draw_outputs(axes: Axes, shown: Outputs, name: str, place: int = 0, bands: Sequence[Band] = ()) -> None:
    """Draw the outputs of a network on test: its predictions with bands around them, or an episode."""
    if isinstance(shown, Trajectory):
        draw_trajectory(axes, shown, name, place)
    else:
        draw_predictions(axes, shown, name, place, bands)


def outputs_of(shown: Outputs, names: Sequence[str]) -> list[Outputs]:
    """Return what is drawn in a picture of its own: each output of predictions by its name, or an episode."""
    return [*shown.by_output(names)] if isinstance(shown, Predictions) else [shown]


def outputs_height(shown: Outputs) -> float:
    """Return the height of such a plot in inches."""
    if isinstance(shown, Trajectory):
        return 0.9 + 0.75 * len(shown.panels())
    return text_height(*shown.excerpt()) if signs_of(shown.classes) else 2.9


def draw_predictions(
    axes: Axes, shown: Predictions, name: str, place: int = 0, bands: Sequence[Band] = ()
) -> None:
    """Draw predictions over the truth; where each sequence is scored once, predictions against the truth."""
    colour = SERIES[place % len(SERIES)]
    if shown.single_steps:
        truth, predicted = shown.pairs()
        axes.axline((float(truth.mean()),) * 2, slope=1, color=INK, linewidth=1.2)
        axes.scatter(truth, predicted, s=12, color=colour, alpha=0.55, linewidth=0)
        axes.set(xlabel="truth", ylabel=f"prediction by {name}")
        axes.set_ylim(*_limits(truth, predicted))
        return
    truth, predicted = shown.excerpt()
    signs = signs_of(shown.classes)
    if signs is not None:
        draw_characters(axes, truth, predicted, signs, name, place)
        return
    label = "labels of test sequences" if shown.target_lengths is not None else "scored time steps of test"
    steps = time_axis(axes, shown.excerpt_dates(), label, np.arange(len(truth)))
    if shown.labelled:
        right = truth == predicted
        wrong = ~right & (np.isfinite(truth) | np.isfinite(predicted))
        axes.step(steps, truth, where="mid", **{**TRUTH, "linewidth": 1})
        axes.plot(steps[right], predicted[right], "o", color=colour, markersize=4, label=f"{name}, right")
        axes.plot(steps[wrong], predicted[wrong], "x", color=INK, markersize=6, label=f"{name}, wrong")
        axes.set(ylabel="label")
    else:
        for band in bands:
            draw_band(axes, steps, band.lower, band.upper, colour, band.name, band.alpha)
        axes.plot(steps, truth, **TRUTH)
        axes.plot(steps, predicted, color=colour, label=name, **DASHES)
        axes.set_ylim(*_limits(truth, predicted))
        axes.set(ylabel=f"{shown.name}, original units")
    legend_above(axes)


def draw_trajectory(axes: Axes, shown: Trajectory, name: str, place: int = 0) -> None:
    """Draw the states and actions of an episode, one panel for each unit, in place of the axes given."""
    panels, figure = shown.panels(), axes.figure
    slots = axes.get_subplotspec().subgridspec(len(panels), 1)
    axes.remove()
    stack: list[Axes] = []
    for (label, series), slot in zip(panels, slots):
        panel = figure.add_subplot(slot, sharex=stack[0] if stack else None)
        stack.append(panel)
        for number, (variable, values) in enumerate(series.items()):
            finite = np.where(np.isfinite(values), values, np.nan)[:LONGEST]
            look = {"color": SERIES[(place + number) % len(SERIES)], "linestyle": LINES[number % len(LINES)]}
            panel.plot(finite, linewidth=1.3, label=variable, **look)
        panel.set_ylabel(label)
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), borderaxespad=0.3, fontsize=8.5)
        panel.tick_params(labelbottom=False)
    stack[-1].tick_params(labelbottom=True)
    steps = int(shown.lengths[shown.start])
    excerpt = f", the first {LONGEST} of {steps}" if steps > LONGEST else ""
    stack[-1].set_xlabel(f"time steps of test start {shown.start + 1}{excerpt}")
    stack[0].set_title(f"{name}: return {shown.returns[shown.start]:.4g}", loc="left", fontsize=10)


def draw_forecast(
    axes: Axes,
    known: np.ndarray,
    forecast: np.ndarray,
    name: str = "value",
    dates: np.ndarray | None = None,
    width: np.ndarray | None = None,
) -> None:
    """Draw the last known values (T,) of a series and the forecast (steps,) that follows them, at dates (T + steps,).

    The half width (steps,) of intervals is that around the forecast.
    """
    past = known[-max(4 * len(forecast), 50) :]
    steps = np.arange(1 - len(past), len(forecast) + 1)
    x = time_axis(axes, dates, "time steps after the last known value", steps)
    axes.axvspan(x[max(len(past) - 1, 0)], x[-1], color=GRID, alpha=0.5, linewidth=0)
    axes.plot(x[: len(past)], past, **{**TRUTH, "label": "known"})
    joined = np.concatenate([past[-1:], np.where(np.isfinite(forecast), forecast, np.nan)])
    look = {"color": SERIES[1], "marker": "o", "markersize": 3, "linewidth": 1.6, "label": "forecast"}
    axes.plot(x[len(x) - len(joined) :], joined, **look)
    if width is not None:
        draw_band(axes, x[len(past) :], forecast - width, forecast + width, SERIES[1])
    axes.set_ylabel(f"{name}, original units")
    legend_above(axes)


def draw_band(
    axes: Axes,
    x: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    colour: str,
    name: str = "interval",
    alpha: float = 0.18,
) -> None:
    """Draw a band between lower and upper ends (T,), left out where one is not finite."""
    good = np.isfinite(lower) & np.isfinite(upper)
    ends = (np.where(good, end, np.nan) for end in (lower, upper))
    axes.fill_between(x, *ends, color=colour, alpha=alpha, linewidth=0, label=name)


def draw_given(
    axes: Axes,
    outputs: np.ndarray,
    truth: np.ndarray | None,
    name: str,
    dates: np.ndarray | None = None,
    width: np.ndarray | None = None,
) -> None:
    """Draw outputs (T,) for given inputs at their dates (T,), and the truth (T,) where it is known, NaN elsewhere.

    The half width (T,) of intervals is that around the outputs.
    """
    x = time_axis(axes, dates, "time steps", np.arange(len(outputs)))
    if truth is not None and np.isfinite(truth).any():
        axes.plot(x, truth, **TRUTH)
        axes.set_ylim(*_limits(truth, outputs))
    shown = np.where(np.isfinite(outputs), outputs, np.nan)
    axes.plot(x, shown, color=SERIES[0], label="prediction", **DASHES)
    if width is not None:
        draw_band(axes, x, outputs - width, outputs + width, SERIES[0])
    axes.set_ylabel(name)
    legend_above(axes)


def _limits(truth: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Return limits for the values, in which a diverging prediction does not flatten the truth."""
    low, high = np.nanmin(truth), np.nanmax(truth)
    span = (high - low) or 1.0
    finite = predicted[np.isfinite(predicted)]
    lowest, highest = (finite.min(), finite.max()) if len(finite) else (low, high)
    return (
        max(low - 0.4 * span, min(low, lowest) - 0.05 * span),
        min(high + 0.4 * span, max(high, highest) + 0.05 * span),
    )
