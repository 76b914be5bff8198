"""What is drawn of a study on a pair of axes. Axes are matplotlib's, made by `evorrn.lab.report.plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.data.metrics import HIGHER_IS_BETTER
from evorrn.lab.report.curves import Curve, quantile_curves
from evorrn.lab.report.drawing import (
    INK,
    LINES,
    MARKERS,
    MUTED,
    SERIES,
    legend_above,
    log_labels,
    ranking_row,
    scale_axis,
)
from evorrn.lab.study.aggregates import Estimate, Profile
from evorrn.lab.study.comparison import Baseline
from evorrn.lab.study.rank_tests import RankComparison
from evorrn.lab.study.ranking import make_row
from evorrn.lab.study.reaching import Spent, reached_share
from evorrn.lab.study.standings import Overall, Standing
from evorrn.lab.study.study import values_of

Axes = Any

DARK, LIGHT = "#101418", "#fdfdfe"
SCALE = "cividis"


def draw_standings(
    axes: Axes,
    found: Sequence[Standing],
    metric: str,
    places: Mapping[str, int],
    baselines: Sequence[Baseline] = (),
) -> None:
    """Draw one line per contender, best on top: its seeds, their median and its 95 % interval.

    Below them is one line per baseline, and a dashed line that carries it through all of them.
    """
    higher = metric in HIGHER_IS_BETTER
    rows = []
    for standing in found:
        values = values_of(standing.configuration.errors, metric).tolist()
        rows.append(make_row(standing.contender, metric, values, network={}, costs=[], settings={}, runs=[]))
    known = [baseline for baseline in baselines if np.isfinite(baseline.value)]
    shown = [row.values for row in rows] + [[baseline.value] for baseline in known]
    scale_axis(axes, "x", np.concatenate(shown), ratio=3)
    for height, row in enumerate(rows):
        ranking_row(axes, height, row, places[row.strategy])
    for height, baseline in enumerate(known, start=len(rows)):
        axes.axvline(baseline.value, color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
        axes.plot(baseline.value, height, marker="|", markersize=15, markeredgewidth=2.2, color=MUTED)
    _names_down(axes, [row.strategy for row in rows] + [baseline.name for baseline in known])
    for label in axes.get_yticklabels()[len(rows) :]:
        label.set_color(MUTED)
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
                cell_text(axes, j, i, f"{cell.value:.2f}", dark=cell.value > 0.55)
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


def _look(place: int) -> tuple[str, Any, str]:
    """Return colour, line and marker of a contender; beyond six the colours come again with other lines."""
    turn = place + place // len(SERIES)
    return SERIES[place % len(SERIES)], LINES[turn % len(LINES)], MARKERS[turn % len(MARKERS)]


def _names_down(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def cell_text(axes: Axes, column: int, row: int, text: str, dark: bool) -> None:
    """Write into a cell of a table that is drawn in colours."""
    axes.text(
        column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9.5, color=DARK if dark else LIGHT
    )
