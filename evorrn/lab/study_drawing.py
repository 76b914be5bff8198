"""What is drawn of a study on a pair of axes. Axes are matplotlib's, made by `evorrn.lab.plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.lab.aggregates import Estimate, Profile
from evorrn.lab.curves import Curve, quantile_curves
from evorrn.lab.drawing import (
    GRID,
    INK,
    LINES,
    MARKERS,
    MUTED,
    SERIES,
    legend_above,
    log_labels,
    ranking_row,
    scale_axis,
    short,
)
from evorrn.lab.effects import FEW, Effect, Slice
from evorrn.lab.rank_tests import RankComparison
from evorrn.lab.ranking import make_row
from evorrn.lab.reaching import Spent, reached_share
from evorrn.lab.study import is_number, short_label, values_of
from evorrn.lab.study_tests import Overall, Standing
from evorrn.lab.words import figure
from evorrn.metrics import HIGHER_IS_BETTER

Axes = Any

MOST_DOTS = 300
DARK, LIGHT = "#101418", "#fdfdfe"
SCALE = "cividis"


def draw_standings(axes: Axes, found: Sequence[Standing], metric: str, places: Mapping[str, int]) -> None:
    """Draw one line per contender, best on top: its seeds, their median and its 95 % interval."""
    higher = metric in HIGHER_IS_BETTER
    rows = []
    for standing in found:
        values = values_of(standing.configuration.errors, metric).tolist()
        rows.append(make_row(standing.contender, metric, values, network={}, costs=[], settings={}, runs=[]))
    scale_axis(axes, "x", np.concatenate([row.values for row in rows]), ratio=3)
    for height, row in enumerate(rows):
        ranking_row(axes, height, row, places[row.strategy])
    _names_down(axes, [row.strategy for row in rows])
    axes.set_xlabel(f"{metric} on test ({'higher' if higher else 'lower'} is better)")


def draw_overall(axes: Axes, found: Sequence[Overall], places: Mapping[str, int]) -> None:
    """Draw the interquartile mean of every contender over all tasks, with its interval."""
    values = [value for entry in found for value in (entry.middle.value, entry.middle.low, entry.middle.high)]
    scale_axis(axes, "x", np.array(values), ratio=3)
    for height, entry in enumerate(found):
        colour = SERIES[places[entry.contender] % len(SERIES)]
        ends = [entry.middle.low, entry.middle.high]
        if np.isfinite(ends).all():
            axes.plot(ends, [height] * 2, color=colour, linewidth=9, alpha=0.32, solid_capstyle="butt")
        if np.isfinite(entry.middle.value):
            axes.plot([entry.middle.value] * 2, [height - 0.3, height + 0.3], color=INK, linewidth=2.2)
        if np.isinf([entry.middle.value, *ends]).any():
            where = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 9}
            axes.annotate("✕ many failed", (1.01, height), **where)
    _names_down(axes, [entry.contender for entry in found])
    axes.set_xlabel("error, as a multiple of the best median on each task")


def draw_improvements(axes: Axes, names: Sequence[str], table: Sequence[Sequence[Estimate | None]]) -> None:
    """Draw the probability that the contender of a row is better than that of a column."""
    values = np.array([[np.nan if cell is None else cell.value for cell in row] for row in table])
    axes.pcolormesh(values, cmap=SCALE, vmin=0, vmax=1, edgecolors="none")
    for i, row in enumerate(table):
        for j, cell in enumerate(row):
            if cell is not None:
                _cell_text(axes, j, i, f"{cell.value:.2f}", dark=cell.value > 0.55)
    axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=0 if len(names) < 5 else 35, ha="center")
    axes.set_yticks(np.arange(len(names)) + 0.5, names)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.set(xlabel="… than this one", ylabel="a run of this one is better …")


def draw_profiles(axes: Axes, profiles: Mapping[str, Profile], places: Mapping[str, int], label: str) -> None:
    """Draw the share of runs within each multiple of the best error, with pointwise bands."""
    for name, profile in profiles.items():
        colour, style, _ = _look(places[name])
        axes.fill_between(
            profile.thresholds, profile.low, profile.high, color=colour, alpha=0.16, linewidth=0
        )
        axes.step(
            profile.thresholds,
            profile.share,
            where="post",
            color=colour,
            linestyle=style,
            linewidth=2,
            label=name,
        )
    thresholds = next(iter(profiles.values())).thresholds
    axes.set(xscale="log", xlabel=label, ylabel="share of runs", ylim=(-0.02, 1.02))
    log_labels(axes.xaxis, thresholds)
    legend_above(axes)


def draw_ranks(axes: Axes, found: RankComparison) -> None:
    """Draw average ranks along a line; bars join those that cannot be told apart."""
    k, half = len(found.names), (len(found.names) + 1) // 2
    axes.plot([1, k], [0, 0], color=INK, linewidth=1.2)
    for tick in range(1, k + 1):
        axes.plot([tick, tick], [0, 0.12], color=INK, linewidth=1)
        axes.text(tick, 0.2, str(tick), ha="center", va="bottom", fontsize=9, color=INK)
    below = 0.35 + 0.22 * len(found.groups)
    for place, (name, rank) in enumerate(zip(found.names, found.ranks)):
        left = place < half
        depth = below + 0.42 * (place if left else k - 1 - place)
        side = 0.7 if left else k + 0.3
        axes.plot(
            [rank, rank, side], [0, -depth, -depth], color=SERIES[0] if place == 0 else MUTED, linewidth=1.2
        )
        shown = f"{name}  {rank:.2f}" if left else f"{rank:.2f}  {name}"
        axes.text(
            side, -depth, f" {shown} ", ha="right" if left else "left", va="center", fontsize=9.5, color=INK
        )
    for level, group in enumerate(found.groups):
        ends = found.ranks[group[0]] - 0.04, found.ranks[group[-1]] + 0.04
        height = -0.2 - 0.22 * level
        axes.plot(ends, [height] * 2, color=INK, linewidth=4, solid_capstyle="butt")
    top = 0.85
    axes.plot([1, 1 + found.critical], [top, top], color=INK, linewidth=2)
    axes.text(
        1 + found.critical / 2,
        top + 0.08,
        f"critical difference {found.critical:.2f}",
        ha="center",
        fontsize=9,
        color=INK,
    )
    axes.set(xlim=(-0.6, k + 1.6), ylim=(-below - 0.42 * half, top + 0.5))
    axes.set_axis_off()


def draw_bands(
    axes: Axes, curves: Mapping[str, Sequence[Curve]], places: Mapping[str, int], label: str
) -> None:
    """Draw the median of the best validation loss so far, and the band that holds the middle half of the runs."""
    drawn, spent = [np.ones(0)], [np.ones(0)]
    for name, runs in curves.items():
        best = [curve for curve in (run.best_so_far() for run in runs) if len(curve.loss)]
        if not best:
            continue
        colour, style, marker = _look(places[name])
        low, middle, high = quantile_curves(best, (0.25, 0.5, 0.75))
        axes.fill_between(low.spent, low.loss, high.loss, step="post", color=colour, alpha=0.18, linewidth=0)
        axes.step(
            middle.spent, middle.loss, where="post", color=colour, linestyle=style, linewidth=2, label=name
        )
        axes.plot(middle.spent[-1], middle.loss[-1], marker, color=colour, markersize=5)
        drawn += [low.loss, high.loss]
        spent.append(middle.spent)
    axes.set(xlabel=label, ylabel="best validation loss so far", xscale="log")
    scale_axis(axes, "y", np.concatenate(drawn))
    log_labels(axes.xaxis, np.concatenate(spent))
    if len(drawn) > 1:
        legend_above(axes)


def draw_reaching(axes: Axes, found: Mapping[str, Spent], places: Mapping[str, int], label: str) -> None:
    """Draw the share of runs that have reached the target by each cost; a cross ends where runs were cut off."""
    everything = np.concatenate([spent.cost for spent in found.values()])
    for name, spent in found.items():
        colour, style, _ = _look(places[name])
        costs, share = reached_share(spent)
        end = float(spent.cost.max())
        first = everything.min() / 1.5
        axes.step(
            np.concatenate([[first], costs, [end]]),
            np.concatenate([[0.0], share, [share[-1] if len(share) else 0.0]]),
            where="post",
            color=colour,
            linestyle=style,
            linewidth=2,
            label=name,
        )
        if not spent.reached.all():
            axes.plot(
                end, share[-1] if len(share) else 0.0, "x", color=colour, markersize=7, markeredgewidth=2
            )
    axes.set(xscale="log", xlabel=label, ylabel="share of runs at the target", ylim=(-0.03, 1.03))
    log_labels(axes.xaxis, everything)
    legend_above(axes)


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
                _cell_text(axes, j, i, figure(error), dark=brightness(error) > 0.55)
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


def _look(place: int) -> tuple[str, Any, str]:
    """Return colour, line and marker of a contender; beyond six the colours come again with other lines."""
    turn = place + place // len(SERIES)
    return SERIES[place % len(SERIES)], LINES[turn % len(LINES)], MARKERS[turn % len(MARKERS)]


def _names_down(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def _cell_text(axes: Axes, column: int, row: int, text: str, dark: bool) -> None:
    axes.text(
        column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9.5, color=DARK if dark else LIGHT
    )


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
