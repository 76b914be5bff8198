"""The table and the picture of online estimates of the gradient along training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evorrn.lab.report.figures import sheet
from evorrn.lab.report.style import INK, SERIES, legend_above
from evorrn.lab.report.tables import Table, text_table
from evorrn.lab.study.estimates import Estimates


def estimates_table(made: Estimates) -> Table:
    """Return the cosines, a line for each step of training."""
    rows = [
        (str(step), *(f"{cosines[row]:.3f}" for cosines in made.cosines.values()))
        for row, step in enumerate(made.steps)
    ]
    heading = f"{made.name}: cosine between each estimate and the exact gradient"
    return text_table(heading, (made.step_name, *made.cosines), rows)


def draw_estimates(made: Estimates, folder: Path) -> Path:
    """Draw the cosines over the steps of training to ``estimates.png``, and return its path."""
    path, marks = folder / "estimates.png", "osDv^<>PX"
    places = np.arange(len(made.steps))
    with sheet(path, 6.8, 4.2) as (axes,):
        axes.axhline(0, color=INK, linewidth=0.8)
        for number, (name, cosines) in enumerate(made.cosines.items()):
            style = {
                "color": SERIES[number % len(SERIES)],
                "marker": marks[number % len(marks)],
                "markersize": 4,
            }
            axes.plot(places, cosines, linewidth=1.4, label=name, **style)
        axes.set_xticks(places, [str(step) for step in made.steps])
        axes.set(
            xlabel=f"{made.step_name}s of training",
            ylabel="cosine with the exact gradient",
            ylim=(None, 1.05),
        )
        legend_above(axes)
    return path
