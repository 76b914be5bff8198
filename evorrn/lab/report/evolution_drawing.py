"""What is drawn of a population's course: fitness, diversity and step sizes by generation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from evorrn.lab.report.drawing import INK, LINES, MUTED, SERIES, log_labels, scale_axis, short
from evorrn.lab.report.evolution import Course

Axes = Any

LEGEND_COLUMNS = 3
ROUNDING = 1e-9
"""Share of the largest step size below which one is 0 but for rounding."""
PANEL_HEIGHT, LEGEND_ROW = 2.6, 0.17
"""In inches."""


def draw_fitness(axes: Axes, course: Course, place: int = 0) -> None:
    """Draw the best and the median fitness of every generation, and a band between the quartiles."""
    colour = SERIES[place % len(SERIES)]
    usual = _usual(course)
    # Losses far apart are told apart on a logarithmic axis, which is turned over: higher is better.
    turned = usual.size > 0 and usual.max() < 0 and usual.min() < 3 * usual.max()
    sign = -1.0 if turned else 1.0
    axes.fill_between(
        course.generation,
        sign * course.low,
        sign * course.high,
        color=colour,
        alpha=0.22,
        linewidth=0,
        label="middle half",
    )
    axes.plot(
        course.generation,
        sign * course.median,
        color=INK,
        linewidth=1.2,
        linestyle=(0, (4, 1.5)),
        label="median",
    )
    axes.plot(course.generation, sign * course.best, color=colour, linewidth=1.8, label="best")
    if turned:
        axes.set_yscale("log")
        axes.invert_yaxis()
    _cut(axes, usual, course.low, turned)
    if turned:
        log_labels(axes.yaxis, np.array(axes.get_ylim()))
        for formatter in ("major", "minor"):
            _negate(axes.yaxis, formatter)
    _generations(axes, course, "fitness")
    _legend(axes)


def draw_diversity(axes: Axes, course: Course, place: int = 0) -> None:
    """Draw the diversity of the population in every generation."""
    axes.plot(course.generation, course.diversity, color=SERIES[place % len(SERIES)], linewidth=1.8)
    scale_axis(axes, "y", course.diversity)
    _generations(axes, course, "diversity")


def draw_step_sizes(axes: Axes, course: Course, place: int = 0) -> None:
    """Draw the step size of every named block in every generation."""
    steps = _apart(course.steps)
    for number, (name, values) in enumerate(steps.items()):
        axes.plot(
            course.generation,
            values,
            color=SERIES[number % len(SERIES)],
            linestyle=LINES[number // len(SERIES) % len(LINES)],
            linewidth=1.4,
            label=name,
        )
    if steps:
        scale_axis(axes, "y", np.concatenate(list(steps.values())))
        _legend(axes)
    _generations(axes, course, "step size")


PANELS: dict[str, Callable[[Axes, Course, int], None]] = {
    "fitness": draw_fitness,
    "diversity": draw_diversity,
    "step sizes": draw_step_sizes,
}


def panel_height(course: Course, panel: str) -> float:
    """Return the height of one of the panels in inches, with room for its legend."""
    entries = {"fitness": 3, "diversity": 0, "step sizes": len(course.steps)}[panel]
    return PANEL_HEIGHT + LEGEND_ROW * -(-entries // LEGEND_COLUMNS)


def _usual(course: Course) -> np.ndarray:
    """Return the fitness that a plot must show: without the worst lower quartiles and medians of the course."""
    parts = []
    for values, share in ((course.best, 0.0), (course.median, 0.05), (course.low, 0.25)):
        finite = values[np.isfinite(values)]
        parts.append(finite[finite >= np.quantile(finite, share, method="lower")] if finite.size else finite)
    return np.concatenate(parts)


def _cut(axes: Axes, usual: np.ndarray, low: np.ndarray, turned: bool) -> None:
    """End the axis where generations that went badly would flatten all others."""
    if not usual.size:
        return
    best, worst = usual.max(), usual.min()
    if turned:
        bottom = worst * np.sqrt(worst / best)
    else:
        bottom = worst - 0.5 * ((best - worst) or 1.0)
    if np.nanmin(low) < bottom:
        axes.set_ylim(bottom=-bottom if turned else bottom)


def _apart(steps: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Return step sizes without those that are 0 but for rounding, where the others are far apart.

    A block that begins as one point, or has become one, would leave no room on a logarithmic axis.
    """
    values = np.concatenate([*steps.values(), np.zeros(1)])
    least = ROUNDING * np.nanmax(np.where(np.isfinite(values), values, np.nan))
    positive = values[np.isfinite(values) & (values > least)]
    if not positive.size or positive.max() <= 10 * positive.min():
        return steps
    return {name: np.where(values > least, values, np.nan) for name, values in steps.items()}


def _generations(axes: Axes, course: Course, label: str) -> None:
    for generation in course.anew:
        axes.axvline(generation + 0.5, color=MUTED, linewidth=0.8, linestyle=(0, (1.5, 2)), zorder=1)
    axes.set(xlabel="generation", ylabel=label)
    axes.xaxis.set_major_formatter(short)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if len(course.generation) == 1:  # of which a line shows nothing
        axes.set_xlim(course.generation[0] - 1, course.generation[0] + 1)
        for line in axes.get_lines():
            line.set_marker("o")


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 0.98),
        ncols=LEGEND_COLUMNS,
        borderaxespad=0.2,
        columnspacing=1.2,
        handlelength=1.6,
        fontsize=8.5,
        labelspacing=0.25,
    )


def _negate(axis: Any, which: str) -> None:
    """Write a minus before the labels that an axis has."""
    plain = getattr(axis, f"get_{which}_formatter")()

    def negative(value: float, place: object = None) -> str:
        text = plain(value, place)
        return f"\N{MINUS SIGN}{text}" if text else ""

    getattr(axis, f"set_{which}_formatter")(negative)
