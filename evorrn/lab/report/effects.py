"""Plots of the effects of a sweep's axes: each axis alone, two at a time, all configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.base.text import figure
from evorrn.lab.report.rankings import SCALE, draw_cells
from evorrn.lab.report.style import (
    DOTTED,
    GOLDEN,
    GRID,
    INK,
    MUTED,
    SERIES,
    Axes,
    far_apart,
    log_labels,
    names_along,
    scale_axis,
    short,
    spread_out,
)
from evorrn.lab.study.effects import FEW, Effect, Slice
from evorrn.lab.study.study import is_number, short_label

MOST_DOTS = 300
FAR_APART = 20
"""Ratio of the values of an axis above which they are drawn on a logarithmic scale."""
SMALLEST = 1e-3
"""Relative errors below this one have its colour."""


def draw_effect(axes: Axes, effect: Effect) -> None:
    """Draw the errors at each value of an axis, with their median and middle half."""
    everything = np.concatenate(effect.ratios)
    scale_axis(axes, "y", everything, ratio=3)
    colour = SERIES[0]
    if effect.scattered:
        x = np.repeat([float(label) for label in effect.labels], [len(ratios) for ratios in effect.ratios])
        axes.scatter(*_thin(x, everything), s=14, color=colour, alpha=0.45, linewidth=0)
        _scale(axes, "x", effect.labels)
    else:
        for place, ratios in enumerate(effect.ratios):
            finite = ratios[np.isfinite(ratios)]
            if not len(finite):
                continue
            dots = _thin(place + spread_out(len(finite)), finite)
            axes.scatter(*dots, s=7, color=colour, alpha=0.35, linewidth=0)
            low, middle, high = np.quantile(finite, [0.25, 0.5, 0.75])
            band = {"linewidth": 9, "alpha": 0.35, "solid_capstyle": "butt"}
            axes.plot([place, place], [low, high], color=colour, **band)
            axes.plot([place - 0.42, place + 0.42], [middle] * 2, color=INK, linewidth=0.9, zorder=0.9)
            for side in (-1, 1):  # thick beside the dots, so that it hides none
                axes.plot([place + 0.28 * side, place + 0.42 * side], [middle] * 2, color=INK, linewidth=2.4)
        names_along(axes, range(len(effect.labels)), [short_label(label) for label in effect.labels])
        axes.grid(axis="x", visible=False)
    if effect.blocks:
        axes.axhline(1, color=MUTED, linewidth=1, linestyle=DOTTED)
    axes.set(xlabel=effect.axis, ylabel="relative error")


def draw_slice(axes: Axes, found: Slice) -> None:
    """Draw the median relative error at each pair of values of two axes; smaller errors are brighter."""
    from matplotlib.colors import LogNorm

    finite = np.array([error for error in found.errors.values() if np.isfinite(error)] or [1.0])
    low = max(finite.min(), SMALLEST)
    norm = LogNorm(low, max(finite.max(), 1.0001 * low), clip=True)
    axes.set(xlabel=found.x, ylabel=found.y)
    if found.scattered:
        points = [(*place, error) for place, error in found.errors.items() if np.isfinite(error)]
        x, y, errors = zip(*points)
        at = [_positions(values, labels) for values, labels in ((x, found.x_labels), (y, found.y_labels))]
        _scale(axes, "x", found.x_labels)
        _scale(axes, "y", found.y_labels)
        dots = {"cmap": f"{SCALE}_r", "s": 32, "linewidth": 0.6, "edgecolor": MUTED}
        drawn = axes.scatter(*at, c=errors, norm=norm, **dots)
        bar = axes.figure.colorbar(drawn, ax=axes, label="relative error", use_gridspec=False)
        log_labels(bar.ax.yaxis, finite)
        bar.outline.set_visible(False)
        return
    table = found.table()
    brightness = np.where(np.isfinite(table), 1 - norm(np.where(np.isfinite(table), table, low)), np.nan)
    texts = [["–" if np.isnan(error) else figure(error) for error in row] for row in table]
    names = [[short_label(label) for label in labels] for labels in (found.x_labels, found.y_labels)]
    draw_cells(axes, brightness, texts, *names)


def draw_parallel(
    axes: Axes,
    names: Sequence[str],
    levels: Mapping[str, Sequence[str]],
    points: Sequence[tuple[Mapping[str, str], float]],
) -> None:
    """Draw every configuration as a line across all axes to its error, the best tenth in colour.

    The names are axes of the sweep and the levels their values; a point is the values of a configuration, by axis,
    and its error.
    """
    heights = {name: _heights(levels[name]) for name in names}
    errors = np.array([error for _, error in points])
    worst = np.max(errors, where=np.isfinite(errors), initial=SMALLEST)
    logs = np.log(np.clip(np.where(np.isfinite(errors), errors, worst), SMALLEST, None))
    scores = (logs - logs.min()) / max(np.ptp(logs), 1e-12)
    order = np.argsort(-np.where(np.isfinite(errors), errors, np.inf), kind="stable").tolist()
    best = order[len(order) - max(1, len(order) // 10) :]
    jitter = (np.arange(len(points)) * GOLDEN) % 1 - 0.5
    for chosen, look in (
        (order, {"color": MUTED, "alpha": 0.3, "linewidth": 0.8}),
        (best, {"color": SERIES[0], "alpha": 0.9, "linewidth": 1.5}),
    ):
        lines = []
        for place in chosen:
            ends = [heights[name][points[place][0][name]] + 0.045 * jitter[place] for name in names]
            lines.append([*ends, scores[place], np.nan])
        across = [*range(len(names) + 1), np.nan] * len(lines)
        axes.plot(across, np.concatenate(lines), **look)
    written: dict[str, Any] = {"va": "center", "fontsize": 8.5, "color": INK}
    for place, name in enumerate(names):
        axes.axvline(place, color=GRID, linewidth=1)
        for label in _marked(levels[name]):
            axes.text(place - 0.03, heights[name][label], short_label(label), ha="right", **written)
    axes.axvline(len(names), color=INK, linewidth=1)
    for share in (0.0, 0.5, 1.0):
        value = float(np.exp(logs.min() + share * np.ptp(logs)))
        axes.text(len(names) + 0.03, share, figure(value), ha="left", **written)
    heads = [name if name.endswith(".name") else name.rpartition(".")[2] for name in names]
    axes.set_xticks(range(len(names) + 1), [*heads, "relative error"])
    axes.set(xlim=(-0.45, len(names) + 0.35), ylim=(-0.06, 1.06))
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return at most `MOST_DOTS` of the dots, evenly chosen."""
    step = -(-len(x) // MOST_DOTS)
    return x[::step], y[::step]


def _scale(axes: Axes, letter: str, labels: Sequence[str]) -> None:
    """Scale an axis for numbers, logarithmic where they are far apart; names get one position each."""
    axis = getattr(axes, f"{letter}axis")
    if not all(map(is_number, labels)):
        axis.set_ticks(range(len(labels)), [short_label(label) for label in labels])
        return
    axis.set_major_formatter(short)
    scale_axis(axes, letter, np.array([float(label) for label in labels]), FAR_APART)


def _positions(values: Sequence[str], labels: Sequence[str]) -> list[float]:
    """Return the positions of values on an axis with these labels, see `_scale`."""
    numbers = all(map(is_number, labels))
    return [float(value) if numbers else float(labels.index(value)) for value in values]


def _heights(labels: Sequence[str]) -> dict[str, float]:
    """Return the height in [0, 1] of each value of an axis: even for names and few numbers, else to scale."""
    if len(labels) <= FEW or not all(map(is_number, labels)):
        return {label: (place + 0.5) / len(labels) for place, label in enumerate(labels)}
    values = np.array([float(label) for label in labels])
    if far_apart(values, FAR_APART):
        values = np.log(values)
    spread = (values - values.min()) / max(np.ptp(values), 1e-300)
    return dict(zip(labels, spread.tolist()))


def _marked(labels: Sequence[str]) -> list[str]:
    """Return the values of an axis that are labelled: all of a few, else the ends and the middle."""
    return list(labels) if len(labels) <= FEW else [labels[0], labels[len(labels) // 2], labels[-1]]
