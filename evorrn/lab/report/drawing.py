"""What is drawn on a pair of axes: the ranking, learning curves, predictions, an episode, losses, a forecast.

Strategies are told apart by colour, line style and marker together, in colours that stay apart for
colour-blind readers. Axes are matplotlib's, made by `evorrn.lab.report.plots`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.lab.report.curves import Curve, median_curve
from evorrn.lab.runs.outputs import Outputs as Kept
from evorrn.lab.runs.outputs import Predictions, Trajectory
from evorrn.lab.study.comparison import Baseline, Comparison, Row
from evorrn.lab.study.ranking import ranked

Axes = Any

INK, MUTED, GRID = "#1b2026", "#5b6570", "#d9dee4"
SERIES = ("#0072b2", "#d55e00", "#00835f", "#a2448f", "#96700a", "#6f7782")
LINES = ("-", (0, (6, 2)), (0, (5, 1.5, 1, 1.5)), (0, (1.5, 1.2)), (0, (10, 2)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
LEGEND_LINE, LEGEND_LETTER = 40.0, 5.5
"""Width of an entry of a legend, in points: its line with the spaces around it, and each letter of its name."""
LONGEST = 1000
"""Time steps of an episode that stay readable in one plot."""


def draw_ranking(axes: Axes, comparison: Comparison) -> None:
    """Draw one line per strategy and baseline, best on top.

    Dots are the seeds, the upright bar is their median, the thick line its 95 % interval; a dashed
    line carries each baseline through all of them.
    """
    places = colour_places(comparison)
    entries = ranked(comparison)
    values = np.concatenate([entry.values for entry in entries])
    scale_axis(axes, "x", values, ratio=3)
    for height, entry in enumerate(entries):
        if isinstance(entry, Row):
            ranking_row(axes, height, entry, places[entry.strategy])
        elif np.isfinite(entry.value):
            axes.axvline(entry.value, color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
            axes.plot(entry.value, height, marker="|", markersize=15, markeredgewidth=2.2, color=MUTED)
    axes.set_yticks(range(len(entries)), [_name(entry) for entry in entries])
    for label, entry in zip(axes.get_yticklabels(), entries):
        label.set_color(INK if isinstance(entry, Row) else MUTED)
    axes.set_ylim(len(entries) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    better = "higher" if comparison.higher_is_better else "lower"
    axes.set_xlabel(f"{comparison.metric} on test ({better} is better)")


def ranking_row(axes: Axes, height: float, row: Row, place: int) -> None:
    """Draw the seeds of a row, their median and its interval along one line."""
    colour = SERIES[place % len(SERIES)]
    values = np.asarray(row.values)
    good = np.isfinite(values)
    # Dots are spread by the golden ratio, so that neighbours in seed order do not hide each other.
    offsets = 0.5 * ((np.arange(len(values)) * 0.618034 + 0.3) % 1 - 0.5)
    if np.isfinite([row.low, row.high]).all():
        axes.plot(
            [row.low, row.high],
            [height, height],
            color=colour,
            linewidth=9,
            alpha=0.32,
            solid_capstyle="butt",
        )
    axes.scatter(
        values[good],
        (height + offsets)[good],
        s=17,
        color=colour,
        alpha=0.75,
        linewidth=0,
        marker=MARKERS[place % len(MARKERS)],
    )
    if np.isfinite(row.median):
        axes.plot([row.median] * 2, [height - 0.36, height + 0.36], color=INK, linewidth=2.2)
    if row.failed:
        axes.annotate(
            f"✕ {row.failed} failed",
            (1.01, height),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9,
        )


def draw_learning(
    axes: Axes,
    curves: Mapping[str, Sequence[Curve]],
    places: Mapping[str, int],
    label: str,
    returns: bool = False,
) -> None:
    """Draw the best validation loss so far of every run, thin, and the median over runs, thick.

    With `returns`, losses are negative returns, and are drawn as what they are.
    """
    drawn, spent = [np.ones(0)], [np.ones(0)]
    sign, quantity = (-1.0, "return") if returns else (1.0, "loss")
    for name, runs in curves.items():
        place = places[name]
        colour, style = SERIES[place % len(SERIES)], LINES[place % len(LINES)]
        best = [curve for curve in (run.best_so_far() for run in runs) if len(curve.loss)]
        for curve in best:
            axes.step(curve.spent, sign * curve.loss, where="post", color=colour, alpha=0.3, linewidth=0.8)
            drawn.append(sign * curve.loss)
            spent.append(curve.spent)
        if best:
            middle = median_curve(best)
            axes.step(
                middle.spent,
                sign * middle.loss,
                where="post",
                color=colour,
                linestyle=style,
                linewidth=2.2,
                label=name,
            )
            end = middle.spent[-1], sign * middle.loss[-1]
            axes.plot(*end, MARKERS[place % len(MARKERS)], color=colour, markersize=5)
    axes.set(xlabel=label, ylabel=f"best validation {quantity} so far", xscale="log")
    scale_axis(axes, "y", np.concatenate(drawn))
    log_labels(axes.xaxis, np.concatenate(spent))
    if len(drawn) > 1:
        legend_above(axes)


def draw_predictions(axes: Axes, shown: Predictions, name: str, place: int = 0) -> None:
    """Draw predictions over the truth, or one against the other where each sequence is scored once."""
    colour = SERIES[place % len(SERIES)]
    if shown.single_steps:
        truth, predicted = shown.pairs()
        axes.axline((float(truth.mean()),) * 2, slope=1, color=INK, linewidth=1.2)
        axes.scatter(truth, predicted, s=12, color=colour, alpha=0.55, linewidth=0)
        axes.set(xlabel="truth", ylabel=f"prediction by {name}")
        axes.set_ylim(*_room(truth, predicted))
        return
    truth, predicted = shown.excerpt()
    steps = np.arange(len(truth))
    if shown.labelled:
        right = truth == predicted
        axes.step(steps, truth, where="mid", color=INK, linewidth=1, label="truth")
        axes.plot(steps[right], predicted[right], "o", color=colour, markersize=4, label=f"{name}, right")
        wrong = ~right & np.isfinite(truth)
        axes.plot(steps[wrong], predicted[wrong], "x", color=INK, markersize=6, label=f"{name}, wrong")
        axes.set(ylabel="label")
    else:
        axes.plot(steps, truth, color=INK, linewidth=1.2, label="truth")
        axes.plot(steps, predicted, color=colour, linewidth=1.8, linestyle=(0, (4, 1.2)), label=name)
        axes.set_ylim(*_room(truth, predicted))
        axes.set(ylabel=f"{shown.name}, original units")
    axes.set_xlabel("scored time steps of test")
    legend_above(axes)


def draw_trajectory(axes: Axes, shown: Trajectory, name: str, place: int = 0) -> None:
    """Draw the states and actions of an episode, in one panel for each unit, in place of the axes given."""
    panels, figure = shown.panels(), axes.figure
    slots = axes.get_subplotspec().subgridspec(len(panels), 1)
    axes.remove()
    stack: list[Axes] = []
    for (label, series), slot in zip(panels, slots):
        panel = figure.add_subplot(slot, sharex=stack[0] if stack else None)
        stack.append(panel)
        for number, (variable, values) in enumerate(series.items()):
            finite = np.where(np.isfinite(values), values, np.nan)[:LONGEST]
            colour = SERIES[(place + number) % len(SERIES)]
            panel.plot(
                finite, color=colour, linestyle=LINES[number % len(LINES)], linewidth=1.3, label=variable
            )
        panel.set_ylabel(label)
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), borderaxespad=0.3, fontsize=8.5)
        panel.tick_params(labelbottom=False)
    stack[-1].tick_params(labelbottom=True)
    steps = int(shown.lengths[shown.start])
    excerpt = f", the first {LONGEST} of {steps}" if steps > LONGEST else ""
    stack[-1].set_xlabel(f"time steps of test start {shown.start + 1}{excerpt}")
    stack[0].set_title(f"{name}: return {shown.returns[shown.start]:.4g}", loc="left", fontsize=10)


def draw_kept(axes: Axes, kept: Kept, name: str, place: int = 0) -> None:
    """Draw what a run kept of its network's doings on test."""
    if isinstance(kept, Trajectory):
        draw_trajectory(axes, kept, name, place)
    else:
        draw_predictions(axes, kept, name, place)


def kept_height(kept: Kept) -> float:
    """Return the height of such a plot in inches."""
    return 0.9 + 0.75 * len(kept.panels()) if isinstance(kept, Trajectory) else 2.9


def draw_losses(
    axes: Axes, spent: np.ndarray, history: Mapping[str, np.ndarray], label: str, returns: bool = False
) -> None:
    """Draw the training and validation loss of one run along what it spent, or with `returns` its returns."""
    sign, drawn = -1.0 if returns else 1.0, []
    for place, (name, column) in enumerate((("training", "train_loss"), ("validation", "valid_loss"))):
        values = np.where(np.isfinite(history[column]), sign * np.asarray(history[column]), np.nan)
        axes.plot(spent, values, color=SERIES[place], linestyle=LINES[place], linewidth=1.6, label=name)
        drawn.append(values)
    scale_axis(axes, "y", np.concatenate(drawn))
    axes.set(xlabel=label, ylabel="return" if returns else "loss")
    axes.xaxis.set_major_formatter(short)
    legend_above(axes)


def draw_forecast(axes: Axes, known: np.ndarray, forecast: np.ndarray) -> None:
    """Draw the last known values (T,) of a series and the forecast (steps,) that follows them."""
    past = known[-max(4 * len(forecast), 50) :]
    axes.axvspan(0, len(forecast), color=GRID, alpha=0.5, linewidth=0)
    axes.plot(np.arange(1 - len(past), 1), past, color=INK, linewidth=1.2, label="known")
    joined = np.concatenate([past[-1:], np.where(np.isfinite(forecast), forecast, np.nan)])
    axes.plot(joined, color=SERIES[1], marker="o", markersize=3, linewidth=1.6, label="forecast")
    axes.set(xlabel="time steps after the last known value", ylabel="value, original units")
    legend_above(axes)


def draw_outputs(axes: Axes, outputs: np.ndarray, truth: np.ndarray | None, name: str) -> None:
    """Draw outputs (T,) for given inputs, and the truth (T,) where it is known, NaN elsewhere."""
    if truth is not None and np.isfinite(truth).any():
        axes.plot(truth, color=INK, linewidth=1.2, label="truth")
        axes.set_ylim(*_room(truth, outputs))
    shown = np.where(np.isfinite(outputs), outputs, np.nan)
    axes.plot(shown, color=SERIES[0], linewidth=1.8, linestyle=(0, (4, 1.2)), label="prediction")
    axes.set(xlabel="time steps", ylabel=name)
    legend_above(axes)


def colour_places(comparison: Comparison) -> dict[str, int]:
    """Return each strategy's place in the colours, the same in every comparison of the same strategies."""
    return {name: place for place, name in enumerate(sorted(row.strategy for row in comparison.rows))}


def ranking_height(comparison: Comparison) -> float:
    """Return the height of a ranking plot in inches."""
    return 0.8 + 0.42 * (len(comparison.rows) + len(comparison.baselines))


def legend_above(axes: Axes) -> None:
    """Put the legend above the axes, where it hides nothing, in as many columns as its names leave room for."""
    _, names = axes.get_legend_handles_labels()
    points = 72 * axes.get_position().width * axes.figure.get_figwidth()
    columns = int(points // (LEGEND_LINE + LEGEND_LETTER * max(map(len, names), default=0)))
    place = {"loc": "lower left", "bbox_to_anchor": (0, 0.98), "borderaxespad": 0.2, "columnspacing": 1.4}
    axes.legend(ncols=min(4, max(1, columns)), **place)


def short(value: float, _: object = None) -> str:
    """Return a number as budgets are typed: 500M, 2G."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def scale_axis(axes: Axes, letter: str, values: np.ndarray, ratio: float = 10) -> None:
    """Make an axis logarithmic when its values are positive and far apart."""
    finite = values[np.isfinite(values)]
    if len(finite) and finite.min() > 0 and finite.max() > ratio * finite.min():
        axes.set(**{f"{letter}scale": "log"})
        log_labels(getattr(axes, f"{letter}axis"), finite)


def log_labels(axis: Any, values: np.ndarray) -> None:
    """Write plain numbers at a logarithmic axis: at decades, and between them where those are few."""
    spread = values.max() / values.min() if len(values) else 1.0
    marked = range(2, 10) if spread < 5 else (2, 5) if spread < 50 else ()

    def between(value: float, _: object = None) -> str:
        return short(value) if round(value / 10 ** np.floor(np.log10(value))) in marked else ""

    axis.set_major_formatter(short)
    axis.set_minor_formatter(between)
    axis.grid(visible=len(marked) > 2, which="minor")


def _room(truth: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Return limits in which a prediction that runs away cannot flatten the truth."""
    low, high = np.nanmin(truth), np.nanmax(truth)
    span = (high - low) or 1.0
    finite = predicted[np.isfinite(predicted)]
    lowest, highest = (finite.min(), finite.max()) if len(finite) else (low, high)
    return (
        max(low - 0.4 * span, min(low, lowest) - 0.05 * span),
        min(high + 0.4 * span, max(high, highest) + 0.05 * span),
    )


def _name(entry: Row | Baseline) -> str:
    return entry.strategy if isinstance(entry, Row) else entry.name
