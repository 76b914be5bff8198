"""What the axes of a sweep do, drawn: each alone, two at a time, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.lab.report.drawing import GRID, INK, MUTED, SERIES, log_labels, scale_axis, short
from evorrn.lab.report.study_drawing import SCALE, Axes, cell_text
from evorrn.lab.study.comparison_words import figure
from evorrn.lab.study.effects import FEW, Effect, Slice
from evorrn.lab.study.study import is_number, short_label

MOST_DOTS = 300


def draw_effect(axes: Axes, effect: Effect) -> None:
    """Draw the errors at each value of an axis, their median and the middle half of them."""
    everything = np.concatenate(effect.ratios)
    scale_axis(axes, "y", everything, ratio=3)
    if effect.scattered:
        at = np.array([float(label) for label in effect.labels])
        x = np.repeat(at, [len(ratios) for ratios in effect.ratios])
        axes.scatter(*_thin(x, everything), s=14, color=SERIES[0], alpha=0.45, linewidth=0)
        _place_values(axes, "x", effect.labels)
    else:
        for place, ratios in enumerate(effect.ratios):
            finite = ratios[np.isfinite(ratios)]
            if not len(finite):
                continue
            offsets = 0.56 * ((np.arange(len(finite)) * 0.618034 + 0.3) % 1 - 0.5)
            axes.scatter(*_thin(place + offsets, finite), s=7, color=SERIES[0], alpha=0.35, linewidth=0)
            low, middle, high = np.quantile(finite, [0.25, 0.5, 0.75])
            axes.plot(
                [place, place], [low, high], color=SERIES[0], linewidth=9, alpha=0.35, solid_capstyle="butt"
            )
            axes.plot([place - 0.3, place + 0.3], [middle, middle], color=INK, linewidth=2.2)
        axes.set_xticks(range(len(effect.labels)), [short_label(label) for label in effect.labels])
        axes.grid(axis="x", visible=False)
    if effect.blocks:
        axes.axhline(1, color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
    axes.set(xlabel=effect.axis, ylabel="relative error")


def draw_slice(axes: Axes, found: Slice) -> None:
    """Draw the median relative error at each pair of values of two axes, brighter where it is smaller."""
    finite = np.array([error for error in found.errors.values() if np.isfinite(error)])
    low, high = (finite.min(), finite.max()) if len(finite) else (1.0, 1.0)

    def brightness(error: Any) -> Any:
        return 1 - np.log(np.maximum(error, 1e-3) / max(low, 1e-3)) / max(
            np.log(high / max(low, 1e-3)), 1e-12
        )

    axes.set(xlabel=found.x, ylabel=found.y)
    if found.scattered:
        points = [(x, y, brightness(error)) for (x, y), error in found.errors.items() if np.isfinite(error)]
        for letter, labels in (("x", found.x_labels), ("y", found.y_labels)):
            _place_values(axes, letter, labels)
        x, y = (
            [_at(point[place], labels) for point in points]
            for place, labels in enumerate((found.x_labels, found.y_labels))
        )
        axes.scatter(
            x,
            y,
            c=[bright for *_, bright in points],
            cmap=SCALE,
            vmin=0,
            vmax=1,
            s=32,
            linewidth=0.6,
            edgecolor=MUTED,
        )
        return
    table = found.table()
    axes.pcolormesh(np.where(np.isfinite(table), brightness(table), np.nan), cmap=SCALE, vmin=0, vmax=1)
    for i, row in enumerate(table):
        for j, error in enumerate(row):
            if np.isfinite(error):
                cell_text(axes, j, i, figure(error), dark=brightness(error) > 0.55)
            else:
                text = "–" if np.isnan(error) else "failed"
                axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=8.5, color=MUTED)
    axes.set_xticks(np.arange(len(found.x_labels)) + 0.5, [short_label(label) for label in found.x_labels])
    axes.set_yticks(np.arange(len(found.y_labels)) + 0.5, [short_label(label) for label in found.y_labels])
    axes.grid(visible=False)
    axes.tick_params(length=0)


def draw_parallel(
    axes: Axes,
    names: Sequence[str],
    levels: Mapping[str, Sequence[str]],
    points: Sequence[tuple[Mapping[str, str], float]],
) -> None:
    """Draw every configuration as a line across all axes to its error, the best tenth on top and in colour."""
    heights = {name: _heights(levels[name]) for name in names}
    errors = np.array([error for _, error in points])
    worst = np.max(errors, where=np.isfinite(errors), initial=1e-3)
    logs = np.log(np.clip(np.where(np.isfinite(errors), errors, worst), 1e-3, None))
    scores = (logs - logs.min()) / max(np.ptp(logs), 1e-12)
    order = np.argsort(-np.where(np.isfinite(errors), errors, np.inf), kind="stable")
    best = set(order[len(order) - max(1, len(order) // 10) :].tolist())
    jitter = (np.arange(len(points)) * 0.618034) % 1 - 0.5
    for chosen in (False, True):
        xs: list[float] = []
        ys: list[float] = []
        for place in order:
            if (int(place) in best) == chosen:
                values, _ = points[place]
                line = [heights[name][values[name]] + 0.045 * jitter[place] for name in names]
                xs += [*range(len(names) + 1), np.nan]
                ys += [*line, scores[place], np.nan]
        axes.plot(
            xs,
            ys,
            color=SERIES[0] if chosen else MUTED,
            alpha=0.9 if chosen else 0.3,
            linewidth=1.5 if chosen else 0.8,
        )
    for place, name in enumerate(names):
        axes.axvline(place, color=GRID, linewidth=1)
        for label in _marked(levels[name]):
            axes.text(
                place - 0.03,
                heights[name][label],
                short_label(label),
                ha="right",
                va="center",
                fontsize=8.5,
                color=INK,
                bbox={"facecolor": "none", "edgecolor": "none"},
            )
    axes.axvline(len(names), color=INK, linewidth=1)
    for share in (0.0, 0.5, 1.0):
        value = float(np.exp(logs.min() + share * np.ptp(logs)))
        axes.text(len(names) + 0.03, share, figure(value), ha="left", va="center", fontsize=8.5, color=INK)
    axes.set_xticks(
        range(len(names) + 1),
        [
            *(
                name.rpartition(".")[2] if name.count(".") and not name.endswith(".name") else name
                for name in names
            ),
            "relative error",
        ],
    )
    axes.set(xlim=(-0.45, len(names) + 0.35), ylim=(-0.06, 1.06))
    axes.set_yticks([])
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return no more dots than can be told apart, evenly taken."""
    step = -(-len(x) // MOST_DOTS)
    return x[::step], y[::step]


def _place_values(axes: Axes, letter: str, labels: Sequence[str]) -> None:
    """Scale an axis for numbers, logarithmically where they are far apart, or give each name a place."""
    axis = getattr(axes, f"{letter}axis")
    if not all(map(is_number, labels)):
        axis.set_ticks(range(len(labels)), [short_label(label) for label in labels])
        return
    values = np.array([float(label) for label in labels])
    if values.min() > 0 and values.max() > 20 * values.min():
        axes.set(**{f"{letter}scale": "log"})
        log_labels(axis, values)
    else:
        axis.set_major_formatter(short)


def _at(label: str, labels: Sequence[str]) -> float:
    return float(label) if all(map(is_number, labels)) else float(labels.index(label))


def _heights(labels: Sequence[str]) -> dict[str, float]:
    """Return the height in [0, 1] of every value of an axis: evenly for names and few numbers, else to scale."""
    if len(labels) <= FEW or not all(map(is_number, labels)):
        return {label: (place + 0.5) / len(labels) for place, label in enumerate(labels)}
    values = np.array([float(label) for label in labels])
    if values.min() > 0 and values.max() > 20 * values.min():
        values = np.log(values)
    spread = (values - values.min()) / max(np.ptp(values), 1e-300)
    return dict(zip(labels, spread.tolist()))


def _marked(labels: Sequence[str]) -> list[str]:
    """Return the values of an axis that are written at it: all of a few, else the ends and the middle."""
    return list(labels) if len(labels) <= FEW else [labels[0], labels[len(labels) // 2], labels[-1]]
