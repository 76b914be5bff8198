"""Pictures of associative memories: patterns, cues and what is recalled, energies, basins and capacity."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.associative.curves import Curve
from evorrn.associative.hopfield import Trace
from evorrn.base.errors import EvorrnError
from evorrn.lab.report.figures import sheet
from evorrn.lab.report.style import INK, SERIES, STYLE, Axes, look

if TYPE_CHECKING:
    from evorrn.associative.bam import PairTrace

MOST = 8
"""Cues that are drawn."""

Row = tuple[str, Iterable[np.ndarray], tuple[int, int]]
"""The name of a row of pictures, its patterns, and their rows and columns."""


def draw_recall(
    traces: Sequence[Trace], patterns: np.ndarray | None, shape: tuple[int, int] | None, path: str | None
) -> Any:
    """Draw the recall of each cue in a column, the energies below, and return the figure, see `Hopfield.plot`."""
    form = form_of("shape", traces[0].states.shape[1], shape)
    rows: list[Row] = [] if patterns is None else [("pattern", patterns, form)]
    rows += [
        (name, [trace.states[k] for trace in traces], form) for name, k in (("cue", 0), ("recalled", -1))
    ]
    return draw_rows(rows, traces, (1.3, 1.6), "changes of the state", path)


def form_of(setting: str, units: int, shape: tuple[int, int] | None, layer: str = "") -> tuple[int, int]:
    """Return rows and columns of the pictures of a layer; raises EvorrnError when they do not make its units."""
    form = near_square(units) if shape is None else shape
    if form[0] * form[1] != units:
        raise EvorrnError(
            f"{setting}: expected rows times columns {layer}to be {units}, got {form[0]} x {form[1]} = {form[0] * form[1]}"
        )
    return form


def draw_rows(
    rows: Sequence[Row],
    traces: Sequence[Trace] | Sequence[PairTrace],
    heights: tuple[float, float],
    label: str,
    path: str | None,
) -> Any:
    """Draw rows of patterns, a column for each recall, and the energies below; return the figure.

    `heights` are those of a row, in inches, and of the energies, in rows; `label` says what changes from one energy to
    the next.
    """
    from matplotlib import pyplot, rc_context

    count, (height, below) = len(traces), heights
    with rc_context(rc=STYLE):
        size = (max(1.2 * count, 4.5), height * len(rows) + 2.3)
        figure = pyplot.figure(figsize=size, layout="constrained")
        grid = figure.add_gridspec(len(rows) + 1, count, height_ratios=[1.0] * len(rows) + [below])
        for down, (name, pictures, form) in enumerate(rows):
            for across, picture in enumerate(itertools.islice(pictures, count)):
                axes = figure.add_subplot(grid[down, across])
                draw_pattern(axes, picture.reshape(form), "" if across else name)
        axes = figure.add_subplot(grid[-1, :])
        draw_energies(axes, [trace.energies for trace in traces])
        axes.set_xlabel(label)
        if path is not None:
            figure.savefig(path, dpi=160)
    return figure


def draw_pattern(axes: Axes, picture: np.ndarray, name: str = "", wrong: np.ndarray | None = None) -> None:
    """Draw a pattern of -1 and 1 as dark and light squares, those of a mask of the same shape in another colour."""
    from matplotlib.colors import to_rgb

    colours = np.array([to_rgb("#f1f3f5"), to_rgb(INK)])[(picture > 0).astype(int)]
    if wrong is not None:
        colours[wrong] = to_rgb(SERIES[1])
    axes.imshow(colours, interpolation="nearest")
    axes.grid(False)
    axes.set(xticks=[], yticks=[], ylabel=name)
    for side in axes.spines.values():
        side.set_visible(False)


def draw_energies(axes: Axes, energies: Sequence[np.ndarray]) -> None:
    """Draw the energy after each change of a state, a line for each recall."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for place, values in enumerate(energies):
        style = look(place)
        marker = style.marker if len(values) == 1 else ""  # a line of one point is not seen
        axes.plot(values, marker=marker, color=style.colour, linestyle=style.line, label=f"cue {place + 1}")
    axes.set_xlim(right=max(1.05, *(1.05 * (len(values) - 1) for values in energies)))
    axes.set(ylabel="energy")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_curve(curve: Curve, axes: Any) -> Any:
    """Draw overlap and share recovered against the points of a curve, and return the axes, see `Curve.plot`."""
    from matplotlib import pyplot, rc_context

    with rc_context(rc=STYLE):
        if axes is None:
            axes = pyplot.figure(figsize=(5.2, 3.4), layout="constrained").add_subplot()
        for place, (values, name) in enumerate(
            [(curve.overlap, "mean overlap"), (curve.recovered, "share with overlap of 0.95 or more")]
        ):
            style = look(place)
            axes.plot(
                curve.points,
                values,
                color=style.colour,
                linestyle=style.line,
                marker=style.marker,
                label=name,
            )
        axes.set(xlabel=curve.label, ylim=(min(-0.03, float(curve.overlap.min()) - 0.03), 1.03))
        axes.legend(loc="best")
    return axes


def draw_patterns(truth: np.ndarray, predicted: np.ndarray, path: Path) -> None:
    """Draw patterns (B, N) of -1 and 1 above what was recalled in their place, wrong entries in colour, to a file."""
    count, form = min(len(truth), MOST), near_square(truth.shape[1])
    with sheet(path, max(1.2 * count, 3.0), 3.0, rows=2, columns=count) as panels:
        for across in range(count):
            draw_pattern(panels[across], truth[across].reshape(form), "" if across else "pattern")
            wrong = (np.sign(predicted[across]) != truth[across]).reshape(form)
            below = panels[count + across]
            draw_pattern(below, np.sign(predicted[across]).reshape(form), "" if across else "recalled", wrong)
        panels[count].set_xlabel("wrong entries in colour", loc="left", fontsize=8)


def near_square(units: int) -> tuple[int, int]:
    """Return rows and columns, as many rows as columns or fewer, that make a number of units."""
    rows = next(rows for rows in range(int(np.sqrt(units)), 0, -1) if units % rows == 0)
    return rows, units // rows
