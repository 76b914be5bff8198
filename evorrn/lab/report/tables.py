"""The tables of a report that the page's script sorts and filters, and numbers in values of a metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from evorrn.lab.runs.table import ranking_metrics
from evorrn.lab.study.aggregates import Estimate, interquartile_estimate
from evorrn.lab.study.statistics import Interval, median_interval
from evorrn.lab.study.study import Study, values_of


def configurations(study: Study) -> dict[str, Any]:
    """Return the table of all configurations, as the page's script reads it."""
    rows = []
    for cell in study.configurations:
        metric = study.metrics[cell.task]
        failed = int((~np.isfinite(cell.errors)).sum())
        estimates = in_metric(metric, median_interval(cell.errors), interquartile_estimate([cell.errors]))
        given = [cell.trials[0].row.get(name) for name in study.axes]
        rows.append([*given, len(cell.trials), failed, metric, *estimates.ravel().tolist()])
    columns = [
        *study.axes,
        "seeds",
        "failed",
        "metric",
        "median",
        "low",
        "high",
        "IQM",
        "IQM low",
        "IQM high",
    ]
    return _table(columns, rows)


def in_metric(metric: str, median: Interval, middle: Estimate) -> np.ndarray:
    """Return two errors with their ends (2, 3) as values of the metric, the smaller end first."""
    errors = [[median.median, median.low, median.high], [middle.value, middle.low, middle.high]]
    values = values_of(np.array(errors), metric)
    values[:, 1:].sort(axis=1)
    return values


def runs(study: Study) -> dict[str, Any]:
    """Return the table of every run, as the page's script reads it."""
    tests = ranking_metrics(study.runs.rows)
    shown = [name for test in tests for name in (test, test.replace("test.", "valid.", 1))]
    columns = [
        "id",
        "status",
        *study.axes,
        "seed",
        *shown,
        "work",
        "steps",
        "seconds",
        "stopped by",
        "error",
        "folder",
    ]
    rows = []
    for row in study.runs.rows:
        costs = [row.work, row.steps, row.seconds]
        values = [row.get(name) for name in (*study.axes, "seed", *shown)]
        rows.append([row.id, row.status, *values, *costs, row.stopped_by, row.error, row.folder])
    return _table(columns, rows)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    return {"columns": list(columns), "rows": [[_plain(value) for value in row] for row in rows]}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, list) else value
