"""A comparison of several parts: horizons, and folds of a backtest, put together.

The value of a seed is its mean over the parts. Its metric is an error without units, or one in the units of one series,
so that a mean over horizons and folds has a meaning.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from evorrn.lab.runs.run import COSTS
from evorrn.lab.study.comparison import Baseline, Comparison, Part, Row, badness
from evorrn.lab.study.intervals import Intervals
from evorrn.lab.study.ranking import make_baselines, make_differences, rank
from evorrn.lab.study.statistics import median_interval, two_level_interval


def combined(parts: Sequence[Part], metric: str) -> tuple[list[Row], list[Baseline]]:
    """Return rows, best first, and baselines over all parts; those of the part where there is one.

    The runs of a row are those of the first horizon and the last fold.
    """
    if len(parts) == 1:
        return list(parts[0].rows), list(parts[0].baselines)
    rows = [_row([_named(part, row.strategy) for part in parts], parts) for row in parts[0].rows]
    same = {
        each.name: [b for part in parts for b in part.baselines if b.name == each.name]
        for each in parts[0].baselines
    }
    values = {name: np.mean([b.values for b in mine], axis=0).tolist() for name, mine in same.items()}
    one_horizon = len({part.horizon for part in parts}) == 1
    found = [
        dataclasses.replace(
            each,
            targets=_targets(mine),
            model=mine[0].model,
            intervals=_intervals(mine) if one_horizon else (),
            seconds=_middle([b.seconds for b in mine]),
        )
        for each, mine in zip(make_baselines(values, metric), same.values())
    ]
    return rank(rows, metric), found


def same_names(parts: Sequence[Part]) -> list[Part]:
    """Return the parts with the same baselines in all of them.

    A seasonal forecast whose season differs from part to part is named without its rows; what a part lacks is left out.
    """
    names = [{_kind(each.name): each.name for each in part.baselines} for part in parts]
    common = set.intersection(*map(set, names))
    label = {kind: {each[kind] for each in names} for kind in common}
    return [
        dataclasses.replace(
            part,
            baselines=tuple(
                dataclasses.replace(each, name=each.name if len(label[kind]) == 1 else kind)
                for each in part.baselines
                if (kind := _kind(each.name)) in common
            ),
        )
        for part in parts
    ]


def _kind(name: str) -> str:
    """Return the name of a baseline without the rows of its season."""
    return re.sub(r", \d+ rows$", "", name)


def every_row(comparison: Comparison) -> Iterator[tuple[Part | None, Row]]:
    """Yield every row of every part, each with its part; without parts every row of the comparison."""
    for part in comparison.parts:
        for row in part.rows:
            yield part, row
    if not comparison.parts:
        for row in comparison.rows:
            yield None, row


def horizons(comparison: Comparison) -> list[Comparison]:
    """Return a comparison for each horizon, over all folds; none where there is one horizon."""
    return _by(comparison, lambda part: part.horizon)


def folds(comparison: Comparison) -> list[Comparison]:
    """Return a comparison for each fold, over all horizons; none where there is one fold."""
    return sorted(_by(comparison, lambda part: part.fold), key=lambda each: each.parts[0].fold)


def _by(comparison: Comparison, key: Callable[[Part], int | None]) -> list[Comparison]:
    """Return a comparison of the parts of each key, none where all parts have one."""
    known = dict.fromkeys(map(key, comparison.parts))
    several = known if len(known) > 1 else ()
    return [_of(comparison, [part for part in comparison.parts if key(part) == each]) for each in several]


def newest(comparison: Comparison) -> list[Comparison]:
    """Return a comparison for each horizon in the last fold; the comparison itself where it has no parts."""
    if not comparison.parts:
        return [comparison]
    last = max(part.fold for part in comparison.parts)
    return [_of(comparison, [part]) for part in comparison.parts if part.fold == last]


def periods(comparison: Comparison) -> list[str]:
    """Return the dates of the test block of each fold, empty where they are not known."""
    return [
        next((part.period for part in comparison.parts if part.fold == fold), "")
        for fold in sorted({part.fold for part in comparison.parts})
    ]


def ahead(comparison: Comparison, a: str, b: str) -> int:
    """Return in how many folds the median of `a`, over seeds, is better than that of `b`; rows or baselines."""
    count = 0
    for fold in folds(comparison):
        medians = {row.strategy: row.median for row in fold.rows}
        medians |= {baseline.name: baseline.value for baseline in fold.baselines}
        count += badness(medians[a], comparison.metric) < badness(medians[b], comparison.metric)
    return count


def _of(comparison: Comparison, parts: Sequence[Part]) -> Comparison:
    """Return a comparison of some of its parts."""
    rows, baselines = combined(parts, comparison.metric)
    horizon = {part.horizon for part in parts}
    task = {**comparison.task, **({"horizon": parts[0].horizon} if len(horizon) == 1 else {})}
    differences = tuple(make_differences(rows, comparison.metric))
    return dataclasses.replace(
        comparison,
        task=task,
        rows=tuple(rows),
        baselines=tuple(baselines),
        differences=differences,
        parts=tuple(parts),
    )


def _named(part: Part, strategy: str) -> Row:
    return next(row for row in part.rows if row.strategy == strategy)


def _row(rows: Sequence[Row], parts: Sequence[Part]) -> Row:
    """Return the row of a strategy from its rows in all parts."""
    values = np.array([row.values for row in rows])
    known = sorted({part.fold for part in parts})
    by_fold = np.array(
        [np.mean([row for row, part in zip(values, parts) if part.fold == fold], axis=0) for fold in known]
    )
    means = values.mean(axis=0)
    interval = median_interval(means) if len(known) == 1 else two_level_interval(by_fold)
    last = [row for row, part in zip(rows, parts) if part.horizon == parts[0].horizon][-1]
    cost: dict[str, Any] = {name: _middle([getattr(row, name) for row in rows]) for name in COSTS}
    same = len({part.horizon for part in parts}) == 1
    return dataclasses.replace(
        last,
        values=tuple(means.tolist()),
        median=interval.value,
        low=interval.low,
        high=interval.high,
        failed=sum(row.failed for row in rows),
        errors=sum(row.errors for row in rows),
        intervals=_intervals(rows) if same else (),
        targets=_targets(rows),
        sees_targets=any(row.sees_targets for row in rows),
        **cost,
    )


def _intervals(rows: Sequence[Row] | Sequence[Baseline]) -> tuple[Intervals, ...]:
    """Return the means over folds of each kind of intervals that all of them have."""
    found = []
    for first in rows[0].intervals:
        same = [each for row in rows for each in row.intervals if each.kind == first.kind]
        if len(same) == len(rows):
            coverage, width = (
                tuple(np.mean([getattr(each, name) for each in same], axis=0).tolist())
                for name in ("coverage", "width")
            )
            found.append(Intervals(first.kind, coverage, width))
    return tuple(found)


def _targets(entries: Sequence[Row | Baseline]) -> dict[str, dict[str, float]]:
    """Return the means over parts of the metrics of each target, of those that all parts have."""
    known = [(target, name) for target, values in entries[0].targets.items() for name in values]
    found: dict[str, dict[str, float]] = {}
    for target, name in known:
        values = [entry.targets.get(target, {}).get(name, math.nan) for entry in entries]
        found.setdefault(target, {})[name] = float(np.mean(values))
    return found


def _middle(values: Sequence[float]) -> float:
    """Return the median of the numbers that are known."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else math.nan
