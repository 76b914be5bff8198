"""The picture of power spectra of free runs and of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from evorrn.diagnostics.spectrum import PowerSpectra
from evorrn.lab.report.style import INK, SERIES, STYLE, Axes, legend_above

COLUMNS, MOST, WIDTH, HEIGHT = 3, 9, 4.4, 3.2
FLOOR = 1e-8
"""Share of the largest power below which nothing is drawn."""


def form(outputs: int) -> tuple[int, int]:
    """Return the rows and the columns of the panels of so many outputs."""
    count = min(outputs, MOST)
    columns = min(count, COLUMNS)
    return -(-count // columns), columns


def draw_spectra(spectra: PowerSpectra, names: Sequence[str], path: str | None) -> Any:
    """Draw the spectra of at most nine outputs, and return the figure, see `PowerSpectra.plot`."""
    from matplotlib import pyplot, rc_context

    rows, columns = form(spectra.truth.shape[1])
    with rc_context(rc=STYLE):
        size = (WIDTH * columns, HEIGHT * rows)
        figure, panels = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
        fill(list(panels.flat), spectra, names)
        if path is not None:
            figure.savefig(path, dpi=160)
    return figure


def fill(panels: Sequence[Axes], spectra: PowerSpectra, names: Sequence[str]) -> None:
    """Draw the spectra of each output into a panel of its own, and remove the panels that are left."""
    outputs = min(spectra.truth.shape[1], MOST)
    for place, axes in enumerate(panels):
        if place >= outputs:
            axes.remove()
            continue
        truth, predicted = spectra.truth[:, place], spectra.predicted[:, place]
        axes.plot(spectra.frequencies, truth, color=INK, alpha=0.35, linewidth=3.5, label="truth")
        axes.plot(spectra.frequencies, predicted, color=SERIES[0], linewidth=1.2, label="free run")
        largest = np.nanmax([truth, predicted]) if np.isfinite([truth, predicted]).any() else 0
        if 0 < largest < np.inf:
            axes.set_yscale("log")
            axes.set_ylim(largest * FLOOR, 2 * largest)
        label = names[place] if place < len(names) else f"output {place + 1}" if outputs > 1 else ""
        axes.set(xlabel="frequency (1 / time step)", ylabel="share of the truth's power")
        axes.set_title(label, loc="right", fontsize=9)
        legend_above(axes)
