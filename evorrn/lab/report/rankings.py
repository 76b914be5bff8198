"""Plots of who is best: rankings by seed, over tasks, against published figures, and in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evorrn.data.metrics import HIGHER_IS_BETTER
from evorrn.lab.report.style import (
    DOTTED,
    INK,
    MUTED,
    SERIES,
    Axes,
    look,
    names_along,
    names_down,
    note_beside,
    ranking_row,
    scale_axis,
)
from evorrn.lab.study.comparison import Baseline, Row
from evorrn.lab.study.rank_tests import RankComparison
from evorrn.lab.study.sentences.common import direction
from evorrn.lab.study.standings import Overall
from evorrn.lab.study.statistics import Estimate

DARK, LIGHT = "#101418", "#fdfdfe"
SCALE = "cividis"
"""Colour map for errors and probabilities; the brighter the better."""


def draw_ranking(
    axes: Axes, entries: Sequence[Row | Baseline], metric: str, places: Mapping[str, int]
) -> None:
    """Draw one row for each way of training and each baseline, best on top.

    Dots are the seeds, the bar is their median and the band its 95 % interval; the dashed line of a baseline
    crosses all rows.
    """
    scale_axis(axes, "x", np.concatenate([entry.values for entry in entries]), ratio=3)
    for height, entry in enumerate(entries):
        if isinstance(entry, Row):
            middle = (entry.median, entry.low, entry.high)
            ranking_row(axes, height, entry.values, middle, look(places[entry.strategy]))
            if entry.failed:
                note_beside(axes, height, f"✕ {entry.failed} failed")
        elif np.isfinite(entry.value):
            axes.plot(entry.value, height, marker="|", markersize=15, markeredgewidth=2.2, color=MUTED)
    lines = [entry.value for entry in entries if isinstance(entry, Baseline) and np.isfinite(entry.value)]
    for value in lines:  # after the rows: matplotlib warns of a line across logarithmic axes without limits
        axes.axvline(value, color=MUTED, linewidth=1, linestyle=DOTTED)
    names = [entry.strategy if isinstance(entry, Row) else entry.name for entry in entries]
    names_down(axes, names, [isinstance(entry, Baseline) for entry in entries])
    axes.set_xlabel(f"{metric} on test ({direction(metric in HIGHER_IS_BETTER)})")


def draw_overall(axes: Axes, found: Sequence[Overall], places: Mapping[str, int], label: str) -> None:
    """Draw the interquartile mean of every contender over all tasks, with its interval."""
    middles = [(entry.middle.value, entry.middle.low, entry.middle.high) for entry in found]
    scale_axis(axes, "x", np.array(middles).ravel(), ratio=3)
    for height, (entry, middle) in enumerate(zip(found, middles)):
        ranking_row(axes, height, (), middle, look(places[entry.contender]))
        if np.isinf(middle).any():
            note_beside(axes, height, "✕ many failed")
    names_down(axes, [entry.contender for entry in found])
    axes.set_xlabel(label)


def draw_improvements(axes: Axes, names: Sequence[str], table: Sequence[Sequence[Estimate | None]]) -> None:
    """Draw the probability that the contender of a row is better than that of a column."""
    values = np.array([[np.nan if cell is None else cell.value for cell in row] for row in table])
    texts = [["" if cell is None else f"{cell.value:.2f}" for cell in row] for row in table]
    draw_cells(axes, values, texts, names, names)
    axes.invert_yaxis()
    axes.set(xlabel="… than this one", ylabel="a run of this one is better …")


def draw_cells(
    axes: Axes,
    brightness: np.ndarray,
    texts: Sequence[Sequence[str]],
    columns: Sequence[str],
    rows: Sequence[str],
) -> None:
    """Draw a table with a text in each cell; the brightness (n, m) is between 0 and 1, NaN without colour."""
    axes.pcolormesh(brightness, cmap=SCALE, vmin=0, vmax=1, edgecolors="none")
    for place, text in np.ndenumerate(np.array(texts, dtype=object)):
        bright = brightness[place]
        colour = MUTED if np.isnan(bright) else DARK if bright > 0.55 else LIGHT
        row, column = place
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9.5, color=colour)
    names_along(axes, (np.arange(len(columns)) + 0.5).tolist(), columns)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
    axes.grid(visible=False)
    axes.tick_params(length=0)


def draw_ranks(axes: Axes, found: RankComparison) -> None:
    """Draw average ranks along a line, and bars that join contenders without a significant difference.

    Notes
    -----
    Source: Demšar (2006), "Statistical comparisons of classifiers over multiple data sets", figure 1.
    """
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
        colour = SERIES[0] if place == 0 else MUTED
        axes.plot([rank, rank, side], [0, -depth, -depth], color=colour, linewidth=1.2)
        text = f" {name}  {rank:.2f} " if left else f" {rank:.2f}  {name} "
        axes.text(side, -depth, text, ha="right" if left else "left", va="center", fontsize=9.5, color=INK)
    for level, group in enumerate(found.groups):
        ends = found.ranks[group[0]] - 0.04, found.ranks[group[-1]] + 0.04
        axes.plot(ends, [-0.2 - 0.22 * level] * 2, color=INK, linewidth=4, solid_capstyle="butt")
    top, text = 0.85, f"critical difference {found.critical:.2f}"
    axes.plot([1, 1 + found.critical], [top, top], color=INK, linewidth=2)
    axes.text(1 + found.critical / 2, top + 0.08, text, ha="center", fontsize=9, color=INK)
    axes.set(xlim=(-0.6, k + 1.6), ylim=(-below - 0.42 * half, top + 0.5))
    axes.set_axis_off()
