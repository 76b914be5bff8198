"""Ranking: the rows of a comparison from the values of their runs, in order, and their differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from evorrn.lab.runs.run import COSTS
from evorrn.lab.study.comparison import Baseline, Row, badness, worst_value
from evorrn.lab.study.pairs import Difference, tested
from evorrn.lab.study.statistics import median_interval


def make_row(
    strategy: str,
    metric: str,
    values: Sequence[float],
    *,
    network: Mapping[str, Any],
    costs: Sequence[Mapping[str, float | None]],
    settings: Mapping[str, Any],
    runs: Sequence[str],
    errors: int = 0,
) -> Row:
    """Return the row of a strategy from its values, one a seed, and the costs of each run, None where not known.

    Values that are not finite, and None, count as failed.
    """
    kept = finite_or_worst(values, metric)
    interval = median_interval(kept)
    known = {name: [c[name] for c in costs if c[name] is not None] for name in COSTS}
    cost: dict[str, Any] = {
        name: float(np.median(np.array(found))) if found else math.nan for name, found in known.items()
    }
    return Row(
        strategy=strategy,
        network=dict(network),
        values=kept,
        median=interval.value,
        low=interval.low,
        high=interval.high,
        failed=sum(not math.isfinite(v) for v in kept),
        settings=dict(settings),
        runs=tuple(runs),
        errors=errors,
        **cost,
    )


def make_baselines(found: Mapping[str, Sequence[float]], metric: str) -> list[Baseline]:
    """Return baselines from their values by name, one in every seed."""
    kept = {name: finite_or_worst(values, metric) for name, values in found.items()}
    return [Baseline(name, float(np.median(values)), values) for name, values in kept.items()]


def finite_or_worst(values: Sequence[float | None], metric: str) -> tuple[float, ...]:
    """Return values with the worst possible one in place of each that is None or not finite."""
    worst = worst_value(metric)
    return tuple(float(v) if v is not None and math.isfinite(v) else worst for v in values)


def rank(rows: Sequence[Row], metric: str) -> list[Row]:
    """Return the rows best first; equal medians by the number of failures, then by name."""
    return sorted(rows, key=lambda row: (badness(row.median, metric), row.failed, row.strategy))


def ranked(rows: Sequence[Row], baselines: Sequence[Baseline], metric: str) -> list[Row | Baseline]:
    """Return rows and baselines in one ranking, best first."""
    return sorted([*rows, *baselines], key=lambda entry: badness(entry.median, metric))


def make_differences(rows: Sequence[Row], metric: str) -> list[Difference]:
    """Return every pair of ranked rows, tested seed by seed and corrected together."""
    errors = {row.strategy: np.array([badness(value, metric) for value in row.values]) for row in rows}
    names = [row.strategy for row in rows]
    return tested([(a, b, errors[a], errors[b]) for a, b in combinations(names, 2)])
