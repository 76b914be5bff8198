"""Prediction intervals in a report: their table, and bands around predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evorrn.base.errors import RunError
from evorrn.base.text import figure
from evorrn.lab.report.tables import Entry, Table
from evorrn.lab.runs.outputs import Predictions, read_outputs
from evorrn.lab.study.backtest import horizons
from evorrn.lab.study.comparison import Baseline, Comparison, Row
from evorrn.lab.study.intervals import conformal_ends, seed_ends
from evorrn.lab.study.sentences.intervals import share, title

COLUMNS = ("covers", "width", "adaptive covers", "adaptive width", "seeds cover", "seeds width")


class Band(NamedTuple):
    """A band around the first output at the steps of an excerpt: its name, lower and upper ends (n,), and its weight."""

    name: str
    lower: np.ndarray
    upper: np.ndarray
    alpha: float


def intervals_table(comparison: Comparison) -> Table:
    """Return coverage and width of the intervals on test, for each way of training, baseline and target; empty without any."""
    names = comparison.task.get("outputs") or ()
    parts = horizons(comparison)
    rows: list[tuple[int | None, Row | Baseline]] = []
    for part in parts or [comparison]:
        entries_of: list[Row | Baseline] = [*part.rows, *part.baselines]
        rows += [(part.task["horizon"] if parts else None, entry) for entry in entries_of]
    several = any(len(each.coverage) > 1 for _, row in rows for each in row.intervals)
    entries = []
    for horizon, row in rows:
        kinds = {each.kind: each for each in row.intervals}
        count = max((len(each.coverage) for each in row.intervals), default=0)
        for output in range(count):
            name = row.name if isinstance(row, Baseline) else row.strategy
            cells: list[str] = [name, *([str(horizon)] if parts else [])]
            cells += [str(names[output]) if output < len(names) else f"output{output + 1}"] if several else []
            for kind in ("conformal", "adaptive", "seeds"):
                each = kinds.get(kind)
                cells += (
                    ["–", "–"] if each is None else [share(each.coverage[output]), figure(each.width[output])]
                )
            entries.append(Entry(tuple(cells), "baseline" if isinstance(row, Baseline) else ""))
    head = ("strategy", *(["ahead"] if parts else []), *(["target"] if several else []))
    heading = f"{title(comparison.level)} on test, medians over seeds"
    return Table((*head, *COLUMNS), "l" * len(head) + "r" * len(COLUMNS), entries, heading, COLUMNS[::-1][:4])


def bands(shown: Predictions, level: float, runs: Sequence[Predictions] = ()) -> list[Band]:
    """Return the band of conformal intervals of a run, and that of the predictions of all seeds; none without residuals."""
    if shown.residuals is None or shown.labelled:
        return []
    found = [("interval", *conformal_ends(shown, level), 0.16)]
    spread = seed_ends(runs, level)
    found += [] if spread is None else [("range of seeds", *spread, 0.4)]
    return [
        Band(name, shown.first(low[:, :, 0]), shown.first(high[:, :, 0]), alpha)
        for name, low, high, alpha in found
    ]


def row_runs(row: Row, root: Path) -> list[Predictions]:
    """Return the predictions of the runs of a row that has intervals, from their folders below `root`."""
    runs = []
    for folder in row.runs if row.intervals else ():
        try:
            found = read_outputs(root / folder)
        except RunError:
            continue
        if isinstance(found, Predictions):
            runs.append(found)
    return runs
