"""Horizons, folds and targets in a report: a table of each."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evorrn.base.text import figure
from evorrn.lab.report.page import colour_number
from evorrn.lab.report.style import places
from evorrn.lab.report.tables import Entry, Table
from evorrn.lab.study.backtest import folds, horizons, periods
from evorrn.lab.study.comparison import Baseline, Comparison, Row
from evorrn.lab.study.ranking import ranked


def horizons_table(comparison: Comparison) -> Table:
    """Return the medians at each horizon, over all folds; empty where there is one horizon."""
    parts = horizons(comparison)
    names = [f"{part.task['horizon']} ahead" for part in parts]
    how = comparison.task.get("multistep", "direct")
    heading = f"{comparison.metric} on test by horizon, in rows" + ("" if how == "direct" else f", {how}")
    return _table(comparison, parts, names, heading)


def folds_table(comparison: Comparison) -> Table:
    """Return the medians in each fold, over all horizons; empty where there is one fold."""
    parts = folds(comparison)
    names = [f"fold {place}" for place in range(1, len(parts) + 1)]
    table = _table(comparison, parts, names, f"{comparison.metric} on test by fold")
    begins = [period.partition(" ")[0] for period in periods(comparison)]
    if parts and any(begins):
        table.entries.append(Entry(("test from", *begins), "baseline"))
    return table


def targets_table(comparison: Comparison) -> Table:
    """Return the metric that ranks for each target, over all horizons and folds; empty where there is one target."""
    names = _targets(comparison)
    entries = [
        _entry(
            comparison,
            entry,
            [entry.targets.get(name, {}).get(comparison.metric, math.nan) for name in names],
        )
        for entry in (ranked(comparison.rows, comparison.baselines, comparison.metric) if names else ())
    ]
    return Table(
        ("strategy", *names), "l" + "r" * len(names), entries, f"{comparison.metric} on test by target"
    )


def target_tables(comparison: Comparison) -> list[Table]:
    """Return a table of all metrics for each target, at each horizon; none where there is one target."""
    found = []
    for part in horizons(comparison) or [comparison]:
        ahead = f", {part.task['horizon']} ahead" if part is not comparison else ""
        for target in _targets(comparison):
            metrics = list(part.rows[0].targets.get(target, {}))
            entries = [
                _entry(
                    comparison, entry, [entry.targets.get(target, {}).get(name, math.nan) for name in metrics]
                )
                for entry in ranked(part.rows, part.baselines, comparison.metric)
            ]
            columns = ("strategy", *metrics)
            found.append(Table(columns, "l" + "r" * len(metrics), entries, f"{target}{ahead}"))
    return found


def _targets(comparison: Comparison) -> list[str]:
    """Return the targets, where there are several."""
    return list(next((row.targets for row in comparison.rows if row.targets), {}))


def _entry(comparison: Comparison, entry: Row | Baseline, values: Sequence[float]) -> Entry:
    """Return a row of a table of numbers."""
    colours = places([row.strategy for row in comparison.rows])
    if isinstance(entry, Baseline):
        return Entry((entry.name, *map(figure, values)), "baseline")
    style = "best" if entry.strategy == comparison.best.strategy else ""
    return Entry((entry.strategy, *map(figure, values)), style, colour_number(colours[entry.strategy]))


def _table(comparison: Comparison, parts: Sequence[Comparison], names: Sequence[str], heading: str) -> Table:
    """Return a table with a row for each way of training and baseline, as ranked over all parts, and a column a part."""
    if not parts:
        return Table((), "")
    medians = [
        {
            **{row.strategy: row.median for row in part.rows},
            **{each.name: each.value for each in part.baselines},
        }
        for part in parts
    ]
    entries = []
    for entry in ranked(comparison.rows, comparison.baselines, comparison.metric):
        name = entry.name if isinstance(entry, Baseline) else entry.strategy
        entries.append(_entry(comparison, entry, [part[name] for part in medians]))
    return Table(("strategy", *names), "l" + "r" * len(names), entries, heading)
