"""Pictures of a bidirectional memory: pairs of patterns, cues, what is recalled, and energies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from evorrn.associative.bam import PairTrace
from evorrn.base.errors import EvorrnError
from evorrn.lab.report.memories import MOST as MOST
from evorrn.lab.report.memories import draw_energies, draw_pattern, near_square
from evorrn.lab.report.style import STYLE

Layers = tuple[np.ndarray | None, np.ndarray | None]
"""States or patterns of x (B, n) and of y (B, m)."""


def draw_pairs(
    traces: Sequence[PairTrace],
    given: Layers,
    pairs: Layers | None,
    shapes: tuple[tuple[int, int] | None, tuple[int, int] | None],
    path: str | None,
) -> Any:
    """Draw the recall of each cue in a column, x above y, the energies below, and return the figure, see `BAM.plot`."""
    from matplotlib import pyplot, rc_context

    recalled = (np.stack([trace.x[-1] for trace in traces]), np.stack([trace.y[-1] for trace in traces]))
    rows: list[tuple[str, np.ndarray, tuple[int, int]]] = []
    for name, layers in (("pattern", pairs or (None, None)), ("cue", given), ("recalled", recalled)):
        for letter, states, shape in zip("xy", layers, shapes):
            if states is not None:
                rows.append((f"{name} {letter}", states, _form(letter, states.shape[1], shape)))
    with rc_context(rc=STYLE):
        figure = pyplot.figure(
            figsize=(max(1.2 * len(traces), 4.5), 1.1 * len(rows) + 2.3), layout="constrained"
        )
        grid = figure.add_gridspec(len(rows) + 1, len(traces), height_ratios=[1.0] * len(rows) + [1.9])
        for down, (name, states, form) in enumerate(rows):
            for across, picture in enumerate(states[: len(traces)]):
                axes = figure.add_subplot(grid[down, across])
                draw_pattern(axes, picture.reshape(form), "" if across else name)
        axes = figure.add_subplot(grid[-1, :])
        draw_energies(axes, [trace.energies for trace in traces])
        axes.set_xlabel("changes of a layer")
        if path is not None:
            figure.savefig(path, dpi=160)
    return figure


def _form(letter: str, units: int, shape: tuple[int, int] | None) -> tuple[int, int]:
    """Return rows and columns of the pictures of a layer."""
    form = near_square(units) if shape is None else shape
    if form[0] * form[1] != units:
        raise EvorrnError(
            f"shapes: expected rows times columns of {letter} to be {units}, got {form[0]} x {form[1]} = {form[0] * form[1]}"
        )
    return form
