"""Horizons and folds in a report: a table of each."""

from __future__ import annotations

from collections.abc import Sequence

from evorrn.base.text import figure
from evorrn.lab.report.page import colour_number
from evorrn.lab.report.style import places
from evorrn.lab.report.tables import Entry, Table
from evorrn.lab.study.backtest import folds, horizons, periods
from evorrn.lab.study.comparison import Baseline, Comparison
from evorrn.lab.study.ranking import ranked


def horizons_table(comparison: Comparison) -> Table:
    """Return the medians at each horizon, over all folds; empty where there is one horizon."""
    parts = horizons(comparison)
    names = [f"{part.task['horizon']} ahead" for part in parts]
    return _table(comparison, parts, names, f"{comparison.metric} on test by horizon, in rows")


def folds_table(comparison: Comparison) -> Table:
    """Return the medians in each fold, over all horizons; empty where there is one fold."""
    parts = folds(comparison)
    names = [f"fold {place}" for place in range(1, len(parts) + 1)]
    table = _table(comparison, parts, names, f"{comparison.metric} on test by fold")
    begins = [period.partition(" ")[0] for period in periods(comparison)]
    if parts and any(begins):
        table.entries.append(Entry(("test from", *begins), "baseline"))
    return table


def _table(comparison: Comparison, parts: Sequence[Comparison], names: Sequence[str], heading: str) -> Table:
    """Return a table with a row for each way of training and baseline, as ranked over all parts, and a column a part."""
    if not parts:
        return Table((), "")
    colours = places([row.strategy for row in comparison.rows])
    medians = [
        {
            **{row.strategy: row.median for row in part.rows},
            **{each.name: each.value for each in part.baselines},
        }
        for part in parts
    ]
    entries = []
    for entry in ranked(comparison.rows, comparison.baselines, comparison.metric):
        baseline = isinstance(entry, Baseline)
        name = entry.name if isinstance(entry, Baseline) else entry.strategy
        cells = (name, *(figure(part[name]) for part in medians))
        style = "baseline" if baseline else "best" if entry is comparison.best else ""
        entries.append(Entry(cells, style, 0 if baseline else colour_number(colours[name])))
    return Table(("strategy", *names), "l" + "r" * len(names), entries, heading)
