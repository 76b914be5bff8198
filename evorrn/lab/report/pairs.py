"""Pictures of a bidirectional memory: pairs of patterns, cues, what is recalled, and energies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from evorrn.associative.bam import PairTrace
from evorrn.lab.report.memories import MOST as MOST
from evorrn.lab.report.memories import Row, draw_rows, form_of

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
    recalled = (np.stack([trace.x[-1] for trace in traces]), np.stack([trace.y[-1] for trace in traces]))
    rows: list[Row] = []
    for name, layers in (("pattern", pairs or (None, None)), ("cue", given), ("recalled", recalled)):
        for letter, states, shape in zip("xy", layers, shapes):
            if states is not None:
                form = form_of("shapes", states.shape[1], shape, f"of {letter} ")
                rows.append((f"{name} {letter}", states, form))
    return draw_rows(rows, traces, (1.1, 1.9), "changes of a layer", path)
