"""The tables of a sweep's page; those of configurations and runs are data, which the page's script sorts and filters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evorrn.base.text import amount, figure, interval
from evorrn.lab.report.comparison import pair_cells
from evorrn.lab.report.page import colour_number
from evorrn.lab.report.sweep_records import Reached
from evorrn.lab.report.tables import Entry, Table
from evorrn.lab.runs.table import ranking_metrics
from evorrn.lab.study.aggregates import interquartile_estimate
from evorrn.lab.study.comparison import Baseline
from evorrn.lab.study.ranking import ranked
from evorrn.lab.study.standings import Findings, Lead, Overall, estimate_in
from evorrn.lab.study.statistics import Estimate, median_interval
from evorrn.lab.study.study import Study, chosen_text, values_of

Data = dict[str, Any]


def standings(study: Study, task: str, found: Findings, colours: Mapping[str, int]) -> Table:
    """Return the ranking of contenders and baselines on a task."""
    columns = (
        "contender", f"median {study.metrics[task]}", "95 % interval", "interquartile mean", "95 % interval", "seeds",
        "failed", "work", "seconds", "chosen from", "chosen",
    )  # fmt: skip
    by_row = {standing.contender: standing for standing in found.standings}
    best = found.standings[0].row
    entries = []
    for row in ranked([standing.row for standing in found.standings], found.baselines, study.metrics[task]):
        if isinstance(row, Baseline):
            entries.append(Entry((row.name, figure(row.value), "baseline", *[""] * 8), "baseline"))
            continue
        standing = by_row[row.strategy]
        cells = (
            row.strategy,
            figure(row.median),
            interval(row.low, row.high),
            *_estimate(standing.middle),
            str(len(row.values)),
            str(row.failed),
            amount(row.work),
            figure(row.seconds),
            str(standing.tried),
            chosen_text(study, standing.configuration) or "–",
        )
        entries.append(Entry(cells, "best" if row is best else "", colour_number(colours[row.strategy])))
    return Table(columns, "lrrrrrrrrrl", entries)


def overall(found: Sequence[Overall], colours: Mapping[str, int]) -> Table:
    """Return the ranking of contenders over all tasks."""
    entries = [
        Entry(
            (one.contender, *_estimate(one.middle), figure(one.rank)),
            "best" if one is found[0] else "",
            colour_number(colours[one.contender]),
        )
        for one in found
    ]
    return Table(("contender", "interquartile mean", "95 % interval", "average rank"), "lrrr", entries)


def leads(pairs: Sequence[Lead]) -> Table:
    """Return tested pairs of contenders."""
    columns = (
        "task", "ahead", "behind", "ahead in", "p", "p, corrected", "holds", "probability of improvement",
        "95 % interval",
    )  # fmt: skip
    entries = []
    for pair in pairs:
        cells = pair_cells(pair, f"{pair.ahead} of {pair.pairs} {'seeds' if pair.task else 'tasks'}")
        entries.append(Entry((pair.task or "all tasks", *cells, *_estimate(pair.probability))))
    return Table(columns, "lllrrrlrr", entries)


def reached(rows: Sequence[Reached], colours: Mapping[str, int]) -> Table:
    """Return the costs of targets."""
    columns = (
        "contender", "target loss", "runs that reach it", "work until half reach it", "expected work",
        "expected time steps", "expected seconds",
    )  # fmt: skip
    entries = []
    for row in rows:
        costs = (row.median, row.work, row.steps, row.seconds)
        spent = [amount(cost, "never") for cost in costs]
        cells = (row.contender, figure(row.target), f"{row.reached} of {row.runs}", *spent)
        entries.append(Entry(cells, colour=colour_number(colours[row.contender])))
    return Table(columns, "lrrrrrr", entries)


def configurations(study: Study) -> Data:
    """Return the table of all configurations."""
    rows = []
    for cell in study.configurations:
        metric = study.metrics[cell.task]
        median = median_interval(values_of(cell.errors, metric))
        middle = estimate_in(metric, interquartile_estimate([cell.errors]))
        estimates = (median.value, median.low, median.high, middle.value, middle.low, middle.high)
        given = [cell.trials[0].row.get(name) for name in study.axes]
        failed = int((~np.isfinite(cell.errors)).sum())
        rows.append([*given, len(cell.trials), failed, metric, *estimates])
    ends = ("median", "low", "high", "IQM", "IQM low", "IQM high")
    return _data([*study.axes, "seeds", "failed", "metric", *ends], rows)


def runs(study: Study) -> Data:
    """Return the table of every run."""
    tests = ranking_metrics(study.runs.rows)
    shown = [name for test in tests for name in (test, test.replace("test.", "valid.", 1))]
    settings, costs = [*study.axes, "seed", *shown], ["work", "steps", "seconds"]
    rows = []
    for row in study.runs.rows:
        values = [row.get(name) for name in (*settings, *costs)]
        rows.append([row.id, row.status, *values, row.stopped_by, row.error, row.folder])
    return _data(["id", "status", *settings, *costs, "stopped by", "error", "folder"], rows)


def _estimate(found: Estimate) -> tuple[str, str]:
    return figure(found.value), interval(found.low, found.high)


def _data(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Data:
    return {"columns": list(columns), "rows": [[_plain(value) for value in row] for row in rows]}


def _plain(value: Any) -> Any:
    """Return a value as strict JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, list) else value
