"""Plots of what happens inside a network: the activity of its units, and the paths of its states."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evorrn.lab.report.genome import NEGATIVE, POSITIVE
from evorrn.lab.report.style import INK, MUTED, SERIES, Axes

LONGEST, PATHS = 150, 6
"""Largest numbers of time steps of an activity, and of trajectories, that are drawn."""
PANEL, ROW = (6.6, 4.2), 1.5
"""In inches: the width of a panel where there is one column or two, and the height of a row of panels."""
FEW = 2
"""Largest number of units that are drawn as lines."""
SINGLE_COLUMN = 3
"""Largest number of panels that stand below each other in one column."""


def activity_panels(activity: Mapping[str, np.ndarray]) -> tuple[int, int, float, float]:
    """Return rows, columns, width and height in inches of the picture of an activity."""
    columns = 1 if len(activity) <= SINGLE_COLUMN else 2
    rows = -(-len(activity) // columns)
    return rows, columns, columns * PANEL[columns - 1], rows * ROW + 0.4


def draw_activity(axes: Axes, name: str, values: np.ndarray, last: bool) -> None:
    """Draw one named value (T, ...) of the equations as an image: a row for each unit, a column for each time step.

    One or two units are lines. Values within 0 and 1, such as gates, are drawn from white to one colour, which stands for
    1 unless all values are below one half; others from one colour over white at zero to another. `last` is whether the
    image stands at the bottom, with the label of the time steps.
    """
    from matplotlib.colors import LinearSegmentedColormap

    shown = values[:LONGEST].reshape(min(len(values), LONGEST), -1).T
    axes.set_title(name, loc="left", fontsize=9, color=INK, pad=3)
    axes.tick_params(labelsize=8)
    if last:
        axes.set_xlabel("time step", fontsize=9)
    if len(shown) <= FEW:
        for line, colour in zip(shown, SERIES):
            axes.plot(line, color=colour, linewidth=1.3)
        axes.set_xlim(-0.5, shown.shape[1] - 0.5)
        return
    finite = shown[np.isfinite(shown)]
    gate = bool(finite.size) and finite.min() >= 0 and finite.max() <= 1
    largest = float(np.abs(finite).max(initial=0.0)) or 1.0
    size = 1.0 if gate and largest > 0.5 else largest
    if gate:
        colours, low = LinearSegmentedColormap.from_list("gate", ["white", SERIES[0]]), 0.0
    else:
        colours = LinearSegmentedColormap.from_list("value", [NEGATIVE, (1.0, 1.0, 1.0), POSITIVE])
        low = -size
    image = axes.imshow(
        shown, aspect="auto", interpolation="none", cmap=colours, vmin=low, vmax=size, origin="lower"
    )
    axes.grid(visible=False)
    axes.set_yticks([0, len(shown) - 1])
    ticks = [low, size] if gate else [low, 0, size]
    bar = axes.figure.colorbar(image, ax=axes, use_gridspec=False, pad=0.015, aspect=12, ticks=ticks)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, length=2, color=MUTED)
    bar.ax.set_yticklabels([f"{tick:.2g}".replace("-", "−") for tick in bar.get_ticks()])


def draw_trajectories(axes: Axes, points: np.ndarray, shares: np.ndarray) -> None:
    """Draw trajectories (B, T, 1 or 2) of the states in their principal components, each from its circle to its cross."""
    for place, path in enumerate(points[:PATHS]):
        colour = SERIES[place % len(SERIES)]
        x, y = (path[:, 0], path[:, 1]) if path.shape[1] > 1 else (np.arange(len(path)), path[:, 0])
        axes.plot(x, y, color=colour, linewidth=0.9, alpha=0.8)
        axes.plot(x[0], y[0], "o", color=colour, markersize=6, markerfacecolor="white")
        axes.plot(x[-1], y[-1], "X", color=colour, markersize=6)
    names = [f"principal component {k} ({share:.0%} of the variance)" for k, share in enumerate(shares, 1)]
    if points.shape[2] > 1:
        axes.set(xlabel=names[0], ylabel=names[1])
    else:
        axes.set(xlabel="time step", ylabel=names[0])
