"""Ranking: rows of a comparison made from the values of their runs, put in order and tested in pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from evorrn.data.metrics import HIGHER_IS_BETTER
from evorrn.lab.study.comparison import Baseline, Comparison, Difference, Row, badness, worst_value
from evorrn.lab.study.statistics import LEVEL, holm, median_interval, paired_differences, signed_ranks


def make_row(
    strategy: str,
    metric: str,
    values: Sequence[float],
    *,
    network: Mapping[str, Any],
    costs: Sequence[Mapping[str, float]],
    settings: Mapping[str, Any],
    runs: Sequence[str],
    errors: int = 0,
) -> Row:
    """Return the row of a strategy.

    Parameters
    ----------
    strategy, metric : str
    values : sequence of float
        One a seed; NaN, infinities and None count as failed.
    network, settings : mapping
    costs : sequence of mapping
        ``work``, ``steps`` and ``seconds`` of every run that has them.
    runs : sequence of str
    errors : int
    """
    worst = worst_value(metric)
    kept = tuple(float(v) if v is not None and math.isfinite(v) else worst for v in values)
    interval = median_interval(kept)
    cost = {
        name: float(np.median([c[name] for c in costs])) if costs else math.nan
        for name in ("work", "steps", "seconds")
    }
    return Row(
        strategy=strategy,
        network=dict(network),
        values=kept,
        median=interval.median,
        low=interval.low,
        high=interval.high,
        failed=sum(not math.isfinite(v) for v in kept),
        settings=dict(settings),
        runs=tuple(runs),
        errors=errors,
        **cost,
    )


def make_baseline(name: str, metric: str, values: Sequence[float]) -> Baseline:
    """Return a baseline from its value in every seed."""
    worst = worst_value(metric)
    kept = tuple(float(v) if math.isfinite(v) else worst for v in values)
    return Baseline(name, float(np.median(kept)), kept)


def rank(rows: Sequence[Row], metric: str) -> list[Row]:
    """Return the rows best first; equal medians by the number of failures, then by name."""
    return sorted(rows, key=lambda row: (badness(row.median, metric), row.failed, row.strategy))


def ranked(comparison: Comparison) -> list[Row | Baseline]:
    """Return strategies and baselines in one ranking, best first."""

    def centre(entry: Row | Baseline) -> float:
        return badness(entry.median if isinstance(entry, Row) else entry.value, comparison.metric)

    return sorted([*comparison.rows, *comparison.baselines], key=centre)


def make_differences(rows: Sequence[Row], metric: str) -> list[Difference]:
    """Return every pair of ranked rows, tested seed by seed and corrected together."""
    sign = -1.0 if metric in HIGHER_IS_BETTER else 1.0
    pairs, gaps, tests = list(combinations(rows, 2)), [], []
    for place, (a, b) in enumerate(pairs):
        gap = sign * paired_differences(a.values, b.values)
        test = signed_ranks(gap)
        if test.positive > test.negative:  # the better median may still lose seed by seed
            pairs[place], gap = (b, a), -gap
        gaps.append(gap)
        tests.append(test.p)
    return [
        Difference(a.strategy, b.strategy, float(p), bool(p <= LEVEL), raw, int((gap < 0).sum()))
        for (a, b), p, raw, gap in zip(pairs, holm(tests), tests, gaps)
    ]
