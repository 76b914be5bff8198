"""The evolution of a population: fitness, diversity and step sizes by generation, from a history, and drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.lab.report.style import (
    INK,
    LINES,
    MUTED,
    SERIES,
    Axes,
    legend_above,
    legend_columns,
    log_labels,
    scale_axis,
    short,
)

LONGEST = 400
"""Generations that are drawn; a longer run is thinned."""
FITNESS = ("fitness_best", "fitness_median", "fitness_low", "fitness_high")
MUTATION_SIZE, STEP_SIZE = "mutation_size", "step_size."
"""Columns of a history; the second is followed by the name of a block."""
RESTARTS = ("restarts", "bursts")
ROUNDING = 1e-9
"""Share of the largest step size below which a step size is 0 with a rounding error."""
PANEL_WIDTH, PANEL_HEIGHT, LEGEND_ROW, LEGEND_SIZE = 3.8, 2.6, 0.17, 8.5
"""In inches; the size of the legend's letters in points."""


@dataclass(frozen=True)
class Evolution:
    """Fitness, diversity and step sizes of a population by generation, arrays of shape (n,).

    Attributes
    ----------
    generation
        Counted from 1; every k-th of a long run.
    best, median, low, high
        Fitness of a generation: the best, the median, the lower and the upper quartile; NaN where all diverged.
    diversity
        Root mean variance of the genes in the population.
    steps
        For each named block the standard deviation of the method's draws, or of the population.
    restarts : shape (k,)
        Generations after which the search restarted or began a burst.
    """

    generation: np.ndarray
    best: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    diversity: np.ndarray
    steps: dict[str, np.ndarray]
    restarts: np.ndarray

    @classmethod
    def of(cls, history: Mapping[str, np.ndarray]) -> Evolution | None:
        """Return the evolution that a history records; None for a history without a population."""
        if not {*FITNESS, "diversity"} <= set(history):
            return None
        diversity = np.asarray(history["diversity"], dtype=np.float64)
        known = np.flatnonzero(np.isfinite(diversity))  # stages without a population have NaN
        if not known.size:
            return None
        counts = [np.asarray(history[name])[known] for name in RESTARTS if name in history]
        restarted = sum(np.diff(count, prepend=count[:1]) > 0 for count in counts)
        shown = known[:: -(-len(known) // LONGEST)]
        best, median, low, high = (np.asarray(history[name], dtype=np.float64)[shown] for name in FITNESS)
        return cls(
            generation=shown + 1,
            best=best,
            median=median,
            low=low,
            high=high,
            diversity=diversity[shown],
            steps={name: np.asarray(values)[shown] for name, values in _steps(history).items()},
            restarts=known[np.flatnonzero(restarted)] + 1,
        )


def _steps(history: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return step sizes by block: the mutation sizes where they evolve, else the recorded step sizes."""
    blocks = [name.removeprefix(STEP_SIZE) for name in history if name.startswith(STEP_SIZE)]
    sizes = [f"{MUTATION_SIZE}.{number}" for number in range(len(blocks))]
    if all(name in history for name in sizes):
        return {block: history[name] for block, name in zip(blocks, sizes)}
    if MUTATION_SIZE in history:
        return {"all blocks": history[MUTATION_SIZE]}
    return {block: history[STEP_SIZE + block] for block in blocks}


def draw_fitness(axes: Axes, evolution: Evolution, place: int = 0) -> None:
    """Draw the best and the median fitness of every generation, and a band between the quartiles.

    Negative losses that are far apart get a logarithmic axis, upside down, so that higher is better.
    """
    colour, x = SERIES[place % len(SERIES)], evolution.generation
    usual = _usual(evolution)
    flipped = bool(usual.size) and usual.max() < 0 and usual.min() < 3 * usual.max()
    sign = -1.0 if flipped else 1.0
    band = {"color": colour, "alpha": 0.22, "linewidth": 0, "label": "quartiles"}
    axes.fill_between(x, sign * evolution.low, sign * evolution.high, **band)
    dashed = {"color": INK, "linewidth": 1.2, "linestyle": (0, (4, 1.5))}
    axes.plot(x, sign * evolution.median, label="median", **dashed)
    axes.plot(x, sign * evolution.best, color=colour, linewidth=1.8, label="best")
    if flipped:
        axes.set_yscale("log")
        axes.invert_yaxis()
    _limit(axes, usual, evolution.low, flipped)
    if flipped:
        log_labels(axes.yaxis, np.array(axes.get_ylim()))
        axes.yaxis.set_major_formatter(_negative)
        axes.yaxis.set_minor_formatter(_negative)
    _generations(axes, evolution, "fitness")
    legend_above(axes, LEGEND_SIZE)


def draw_diversity(axes: Axes, evolution: Evolution, place: int = 0) -> None:
    """Draw the diversity of the population in every generation."""
    colour = SERIES[place % len(SERIES)]
    axes.plot(evolution.generation, evolution.diversity, color=colour, linewidth=1.8)
    scale_axis(axes, "y", evolution.diversity)
    _generations(axes, evolution, "diversity")


def draw_step_sizes(axes: Axes, evolution: Evolution, place: int = 0) -> None:
    """Draw the step size of every named block in every generation.

    Of many blocks those whose step size changes most are named and coloured, and the others grey.
    """
    steps = _without_rounding(evolution.steps)
    named = _named_blocks(evolution)
    look: dict[str, Any]
    grey = {"color": MUTED, "alpha": 0.45, "linewidth": 0.8, "zorder": 1.5}
    for name, values in steps.items():
        if name in named:
            place = named.index(name)
            look = {"color": SERIES[place], "linestyle": LINES[place], "linewidth": 1.6, "label": name}
        else:
            look = grey
        axes.plot(evolution.generation, values, **look)
    if len(named) < len(steps):
        axes.plot([], [], label=_others(len(steps) - len(named)), **grey)
    if steps:
        scale_axis(axes, "y", np.concatenate(list(steps.values())))
        legend_above(axes, LEGEND_SIZE)
    _generations(axes, evolution, "step size")


PANELS: dict[str, Callable[[Axes, Evolution, int], None]] = {
    "fitness": draw_fitness,
    "diversity": draw_diversity,
    "step sizes": draw_step_sizes,
}


def panel_height(evolution: Evolution, panel: str) -> float:
    """Return the height of a panel in inches, its legend included."""
    steps = _named_blocks(evolution)
    steps += [_others(len(evolution.steps) - len(steps))] * (len(steps) < len(evolution.steps))
    names = {"fitness": ["quartiles", "median", "best"], "diversity": [], "step sizes": steps}[panel]
    columns = legend_columns(names, 0.775 * PANEL_WIDTH, LEGEND_SIZE)
    return PANEL_HEIGHT + LEGEND_ROW * -(-len(names) // columns)


def _named_blocks(evolution: Evolution) -> list[str]:
    """Return the blocks whose step sizes have a colour and a name: those that change most, in their order."""
    steps = _without_rounding(evolution.steps)
    if len(steps) <= len(SERIES):
        return list(steps)
    ratios = {}
    for name, values in steps.items():
        positive = values[np.isfinite(values) & (values > 0)]
        ratios[name] = float(positive.max() / positive.min()) if positive.size else 1.0
    most = sorted(steps, key=lambda name: -ratios[name])[: len(SERIES) - 1]
    return [name for name in steps if name in most]


def _others(count: int) -> str:
    return f"{count} other block{'s' * (count > 1)}"


def _usual(evolution: Evolution) -> np.ndarray:
    """Return the fitness values that the plot must contain: all but the worst medians and lower quartiles."""
    parts = []
    for values, share in ((evolution.best, 0.0), (evolution.median, 0.05), (evolution.low, 0.25)):
        finite = values[np.isfinite(values)]
        parts.append(finite[finite >= np.quantile(finite, share, method="lower")] if finite.size else finite)
    return np.concatenate(parts)


def _limit(axes: Axes, usual: np.ndarray, low: np.ndarray, flipped: bool) -> None:
    """End the axis where a few bad generations would flatten all others."""
    if not usual.size:
        return
    best, worst = usual.max(), usual.min()
    bottom = worst * np.sqrt(worst / best) if flipped else worst - 0.5 * ((best - worst) or 1.0)
    if np.nanmin(low) < bottom:
        axes.set_ylim(bottom=-bottom if flipped else bottom)


def _without_rounding(steps: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Return step sizes with NaN for those that are 0 with a rounding error, which would stretch a logarithmic axis."""
    values = np.concatenate([*steps.values(), np.zeros(1)])
    least = ROUNDING * np.nanmax(np.where(np.isfinite(values), values, np.nan))
    positive = values[np.isfinite(values) & (values > least)]
    if not positive.size or positive.max() <= 10 * positive.min():
        return steps
    return {name: np.where(values > least, values, np.nan) for name, values in steps.items()}


def _generations(axes: Axes, evolution: Evolution, label: str) -> None:
    """Draw the restarts, and label the axes."""
    for generation in evolution.restarts:
        axes.axvline(generation + 0.5, color=MUTED, linewidth=0.8, linestyle=(0, (1.5, 2)), zorder=1)
    axes.set(xlabel="generation", ylabel=label)
    axes.xaxis.set_major_formatter(short)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if len(evolution.generation) == 1:  # a line of one point is invisible
        axes.set_xlim(evolution.generation[0] - 1, evolution.generation[0] + 1)
        for line in axes.get_lines():
            line.set_marker("o")


def _negative(value: float, _: Any = None) -> str:
    """Return the label of a negative number at the axis of its size."""
    return f"\N{MINUS SIGN}{short(value)}"
