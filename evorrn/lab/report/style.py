"""The look of all plots: colours, lines and markers, scales, legends, and the rows of a ranking.

Ways of training differ in colour, line style and marker together, in colours that colour-blind readers can
tell apart. Axes are matplotlib's, made by `evorrn.lab.report.figures`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from evorrn.base.text import with_letter

Axes = Any

INK, MUTED, GRID = "#1b2026", "#5b6570", "#d9dee4"
SERIES = ("#0072b2", "#d55e00", "#00835f", "#a2448f", "#96700a", "#6f7782")
LINES = ("-", (0, (6, 2)), (0, (5, 1.5, 1, 1.5)), (0, (1.5, 1.2)), (0, (10, 2)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
DOTTED = (0, (2, 2))
LEGEND_SIZE, LEGEND_LINE, LEGEND_LETTER = 9.5, 3.6, 0.53
"""Size of a legend's letters in points; widths, in sizes, of its line with the spaces around it and of a letter."""
GOLDEN = 0.618034

STYLE: Any = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": LEGEND_SIZE,
    "svg.fonttype": "none",
    "svg.hashsalt": "evorrn",
}

LETTERS_ALONG = 36
"""Letters of all names of an axis that have room side by side."""


class Look(NamedTuple):
    """Colour, line style and marker of a way of training."""

    colour: str
    line: Any
    marker: str


def look(place: int) -> Look:
    """Return the look of the way of training at a place; after six the colours repeat with other lines."""
    turn = place + place // len(SERIES)
    return Look(SERIES[place % len(SERIES)], LINES[turn % len(LINES)], MARKERS[turn % len(MARKERS)])


def places(names: Sequence[str]) -> dict[str, int]:
    """Return the place of each name in the colours: the same in every report on the same names."""
    return {name: place for place, name in enumerate(sorted(names))}


def short(value: float, _: object = None) -> str:
    """Return a number as budgets are typed; a formatter of matplotlib's axes."""
    return with_letter(value, "g")


def scale_axis(axes: Axes, letter: str, values: np.ndarray, ratio: float = 10) -> None:
    """Make an axis logarithmic when its values are positive and the largest exceeds `ratio` times the smallest."""
    finite = values[np.isfinite(values)]
    if far_apart(finite, ratio):
        axes.set(**{f"{letter}scale": "log"})
        log_labels(getattr(axes, f"{letter}axis"), finite)


def far_apart(values: np.ndarray, ratio: float) -> bool:
    """Return whether there are values, all positive, and the largest exceeds `ratio` times the smallest."""
    return bool(len(values) and values.min() > 0 and values.max() > ratio * values.min())


def log_labels(axis: Any, values: np.ndarray) -> None:
    """Label a logarithmic axis with plain numbers: at decades, and between them where there are few decades."""
    from matplotlib.ticker import LogLocator, NullLocator

    values = values[values > 0]  # others are not drawn: a step may take no time that a clock sees
    with np.errstate(over="ignore"):  # from the smallest float to a large one is infinitely far
        spread = values.max() / values.min() if len(values) else 1.0
    marked = range(2, 10) if spread < 5 else (2, 5) if spread < 50 else ()
    axis.set_major_formatter(short)
    axis.set_minor_locator(LogLocator(subs=marked) if marked else NullLocator())
    axis.set_minor_formatter(short)
    axis.grid(visible=len(marked) > 2, which="minor")


def time_axis(axes: Axes, dates: np.ndarray | None, label: str, steps: np.ndarray) -> np.ndarray:
    """Label a horizontal axis of time, and return where its points (n,) lie.

    The points are the last n of `dates`, datetime64 or plain numbers such as years, or else `steps` (n,), which are
    called `label`.
    """
    known = None if dates is None else np.asarray(dates)[len(dates) - len(steps) :]
    if known is None or len(known) < len(steps) or _unknown(known).all():
        axes.set_xlabel(label)
        return steps
    if known.dtype.kind == "M":
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=3, maxticks=8)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel("date" if known.dtype.kind == "M" else "time")
    return known


def _unknown(dates: np.ndarray) -> np.ndarray:
    """Return which dates are not known."""
    return np.isnat(dates) if dates.dtype.kind == "M" else np.isnan(dates)


def legend_columns(names: Iterable[str], inches: float, size: float = LEGEND_SIZE) -> int:
    """Return the number of columns, at most four, in which the names of a legend have room."""
    entry = size * (LEGEND_LINE + LEGEND_LETTER * max(map(len, names), default=0))
    return min(4, max(1, int(72 * inches // entry)))


def legend_above(axes: Axes, size: float = LEGEND_SIZE) -> None:
    """Put the legend above the axes, in as many columns as its names leave room for."""
    _, names = axes.get_legend_handles_labels()
    columns = legend_columns(names, axes.get_position().width * axes.figure.get_figwidth(), size)
    place = {"loc": "lower left", "bbox_to_anchor": (0, 0.98), "borderaxespad": 0.2, "columnspacing": 1.2}
    axes.legend(ncols=columns, fontsize=size, labelspacing=0.3, handlelength=1.6, **place)


def step_curve(axes: Axes, x: np.ndarray, y: np.ndarray, shape: Look, name: str, marker: str = "") -> None:
    """Draw a curve of steps with its name for the legend, and a marker at its end."""
    axes.step(x, y, where="post", color=shape.colour, linestyle=shape.line, linewidth=2.1, label=name)
    if marker:
        axes.plot(x[-1], y[-1], marker, color=shape.colour, markersize=5)


def spread_out(count: int) -> np.ndarray:
    """Return offsets (count,) in [-0.25, 0.25] that keep neighbouring dots apart."""
    return 0.5 * ((np.arange(count) * GOLDEN + 0.3) % 1 - 0.5)


def ranking_row(
    axes: Axes, height: float, values: Sequence[float], middle: tuple[float, float, float], shape: Look
) -> None:
    """Draw one row of a ranking: a dot for each value, a bar for their middle, a band for its interval.

    Values that are not finite are left out; `middle` is the median or mean, and the two ends of its interval.
    """
    centre, low, high = middle
    array = np.asarray(values, dtype=np.float64)
    good = np.isfinite(array)
    if np.isfinite([low, high]).all():
        band = {"linewidth": 9, "alpha": 0.32, "solid_capstyle": "butt"}
        axes.plot([low, high], [height] * 2, color=shape.colour, **band)
    dots = {"s": 17, "color": shape.colour, "alpha": 0.75, "linewidth": 0, "marker": shape.marker}
    axes.scatter(array[good], (height + spread_out(len(array)))[good], **dots)
    if np.isfinite(centre):  # thick above and below the dots, thin behind them, so that it hides none
        axes.plot([centre] * 2, [height - 0.42, height + 0.42], color=INK, linewidth=0.9, zorder=1.5)
        for side in (-1, 1):
            axes.plot([centre] * 2, [height + 0.28 * side, height + 0.42 * side], color=INK, linewidth=2.4)


def note_beside(axes: Axes, height: float, text: str) -> None:
    """Write a remark to the right of a row of a ranking."""
    place = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 9}
    axes.annotate(text, (1.01, height), **place)


def names_down(axes: Axes, names: Sequence[str], muted: Sequence[bool] = ()) -> None:
    """Write the names of the rows of a ranking, the first on top; muted ones in grey."""
    axes.set_yticks(range(len(names)), names)
    for label, grey in zip(axes.get_yticklabels(), muted):
        label.set_color(MUTED if grey else INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def names_along(axes: Axes, places: Sequence[float], names: Sequence[str]) -> None:
    """Label places along x with names, slanted where they would run into each other."""
    long = sum(map(len, names)) > LETTERS_ALONG
    axes.set_xticks(places, names, rotation=30 if long else 0, ha="right" if long else "center")


def rows_height(rows: int) -> float:
    """Return the height in inches of a ranking with a number of rows."""
    return 0.8 + 0.42 * rows
