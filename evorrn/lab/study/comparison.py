"""Comparison: the results of several ways of training on one task at one budget, as plain data.

A run that failed, or whose metric is not finite, has the worst possible value: ``inf`` where lower is
better, ``-inf`` where higher is. In JSON such values are null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evorrn.base.errors import RunError
from evorrn.base.files import jsonable
from evorrn.base.summary import Summary
from evorrn.base.text import amount, counted, figure, interval
from evorrn.data.episode_metrics import EPISODE_METRICS
from evorrn.data.intervals import LEVEL
from evorrn.data.metrics import HIGHER_IS_BETTER
from evorrn.lab.study.intervals import Intervals
from evorrn.lab.study.pairs import Difference


@dataclass(frozen=True)
class Row:
    """One strategy: its values on test, one a seed, and its costs.

    Attributes
    ----------
    strategy : str
    network : dict
        ``cell``, ``hidden`` and ``genes``.
    values : tuple of float
        The ranking metric on test, one value a seed.
    median, low, high : float
        Median of the values and its 95 % bootstrap interval; NaN ends with a single seed.
    work, steps, seconds : float
        Of one run, the median over seeds: multiply-adds, network time steps, wall time without compiling.
    failed : int
        Runs that ended in an error or without a finite value.
    settings : dict
        The strategy's settings.
    runs : tuple of str
        The run folders, one a seed, relative to the folder of runs.
    errors : int
        How many of the failed runs ended in an error.
    intervals : tuple of Intervals
        Prediction intervals on test, for a forecast.
    targets : dict of str to dict
        For several target columns the metrics of each on test, medians over seeds.
    sees_targets : bool
        Whether the networks are bidirectional and are to predict later inputs, which they so see.
    """

    strategy: str
    network: dict[str, Any]
    values: tuple[float, ...]
    median: float
    low: float
    high: float
    work: float
    steps: float
    seconds: float
    failed: int
    settings: dict[str, Any] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    errors: int = 0
    intervals: tuple[Intervals, ...] = ()
    targets: dict[str, dict[str, float]] = field(default_factory=dict)
    sees_targets: bool = False


@dataclass(frozen=True)
class Baseline:
    """A prediction scored on the same test data: its median over seeds, one value a seed, by target, and its intervals.

    It is a trivial one, or that of a model in use, fitted to the same rows. The seconds are those of fitting it and
    predicting with it, by one thread on the data of the first seed; NaN where they are not known. It has no work: the meter
    counts what networks compute.
    """

    name: str
    value: float
    values: tuple[float, ...]
    targets: dict[str, dict[str, float]] = field(default_factory=dict)
    model: bool = False
    intervals: tuple[Intervals, ...] = ()
    seconds: float = math.nan

    @property
    def median(self) -> float:
        """The same as `value`."""
        return self.value


@dataclass(frozen=True)
class Part:
    """A part of a comparison: all ways of training at one horizon, in one fold of a backtest.

    Attributes
    ----------
    horizon : int or None
        Rows ahead; None for a task that is no forecast.
    fold : int
        Counted from 1, the newest last.
    period : str
        The first and the last date of the test split, empty where they are not known.
    rows : tuple of Row
        Best first.
    baselines : tuple of Baseline
    """

    horizon: int | None
    fold: int
    period: str
    rows: tuple[Row, ...]
    baselines: tuple[Baseline, ...]

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], worst: float) -> Part:
        """Return the part that JSON holds, null for a failed run."""
        rows, baselines = _rows(content["rows"], worst), _baselines(content["baselines"], worst)
        return cls(content["horizon"], content["fold"], content["period"], rows, baselines)


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison, rows best first.

    Attributes
    ----------
    task : dict
        ``name``, ``version``, ``seed_changes`` and the settings of the task; of a data file its ``outputs``.
    metric : str
        A key of `evorrn.data.metrics.METRICS`.
    references : tuple of dict
        Published figures of the task: ``value``, ``metric``, ``conditions``, ``source``.
    command : str
        Repeats the comparison.
    environment : dict
        The machine and the versions.
    report : str
        Path of the report.
    undefined : str
        The first metric of the task if it is undefined on the test data, so that another one ranks; else empty.
    level : float
        The share of values that prediction intervals are to cover.
    parts : tuple of Part
        Horizons and folds, where there are several; rows and baselines are then over all of them.
    largest : float or None
        The largest value that is possible on the test data, of a metric that ends with the free runs; else None.
    """

    task: dict[str, Any]
    budget: str
    metric: str
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    baselines: tuple[Baseline, ...]
    differences: tuple[Difference, ...]
    references: tuple[dict[str, Any], ...] = ()
    command: str = ""
    environment: dict[str, Any] = field(default_factory=dict)
    report: str = ""
    undefined: str = ""
    level: float = LEVEL
    parts: tuple[Part, ...] = ()
    largest: float | None = None

    def summary(self) -> Summary:
        """Return the ranking; `print` shows it, and a notebook too."""
        entries: list[tuple[float, tuple[str, ...]]] = [
            (row.median, (row.strategy, figure(row.median), interval(row.low, row.high), amount(row.work)))
            for row in self.rows
        ]
        entries += [(each.value, (each.name, figure(each.value), "baseline", "")) for each in self.baselines]
        entries.sort(key=lambda entry: badness(entry[0], self.metric))
        seeds, better = counted(len(self.seeds), "seed"), "higher" if self.higher_is_better else "lower"
        return Summary(
            f"Comparison on {self.task['name']}: {self.budget} each, {seeds}; {self.metric} on test, {better} is better",
            [("report", self.report)] if self.report else [],
            ("strategy", "median", "95 % interval", "work"),
            "lrrr",
            [cells for _, cells in entries],
        )

    def __repr__(self) -> str:
        return repr(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    @property
    def higher_is_better(self) -> bool:
        """Whether larger values of the metric are better."""
        return self.metric in HIGHER_IS_BETTER

    @property
    def of_episodes(self) -> bool:
        """Whether the task is an environment."""
        return self.metric in EPISODE_METRICS

    @property
    def best(self) -> Row:
        """The row with the best median."""
        return self.rows[0]

    @property
    def best_baseline(self) -> Baseline | None:
        """The baseline with the best value, or None when the task has none."""
        return min(self.baselines, key=lambda b: badness(b.value, self.metric), default=None)

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as strict JSON, values that are not finite as None."""
        return jsonable(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Comparison:
        """Return the comparison that `as_dict` wrote.

        Raises
        ------
        RunError
            When a part is missing or of another type.
        """
        try:
            values = dict(content)
            worst = worst_value(values["metric"])
            values["seeds"] = tuple(values["seeds"])
            values["rows"] = _rows(values["rows"], worst)
            values["baselines"] = _baselines(values["baselines"], worst)
            values["parts"] = tuple(Part.from_dict(part, worst) for part in values.get("parts", ()))
            values["differences"] = tuple(Difference(**d) for d in values["differences"])
            values["references"] = tuple(values["references"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"expected a comparison written by evorrn, but a part is wrong ({error!r})"
            ) from None


def worst_value(metric: str) -> float:
    """Return the value of a failed run."""
    return -math.inf if metric in HIGHER_IS_BETTER else math.inf


def badness(value: float, metric: str) -> float:
    """Return the value with the sign for which lower is better."""
    return -value if metric in HIGHER_IS_BETTER else value


def _rows(content: Sequence[Mapping[str, Any]], worst: float) -> tuple[Row, ...]:
    return tuple(_row(row, worst) for row in content)


def _baselines(content: Sequence[Mapping[str, Any]], worst: float) -> tuple[Baseline, ...]:
    return tuple(
        Baseline(
            b["name"],
            _number(b["value"], worst),
            _numbers(b["values"], worst),
            _targets(b),
            bool(b.get("model")),
            tuple(map(Intervals.from_dict, b.get("intervals") or ())),
            _number(b.get("seconds"), math.nan),
        )
        for b in content
    )


def _row(content: Mapping[str, Any], worst: float) -> Row:
    values = dict(content)
    values["values"] = _numbers(values["values"], worst)
    values["median"] = _number(values["median"], worst)
    # With several seeds a null end is that of a failed run; with one seed there is no interval.
    absent = math.nan if len(values["values"]) == 1 else worst
    values["low"], values["high"] = _number(values["low"], absent), _number(values["high"], absent)
    for name in ("work", "steps", "seconds"):
        values[name] = _number(values[name], math.nan)
    values["runs"] = tuple(values["runs"])
    values["targets"] = _targets(values)
    values["intervals"] = tuple(map(Intervals.from_dict, values.get("intervals", ())))
    return Row(**values)


def _targets(content: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the metrics by target, null for one that is not known; none in a file of before there were any."""
    found = content.get("targets", {})
    return {
        target: {name: _number(value, math.nan) for name, value in metrics.items()}
        for target, metrics in found.items()
    }


def _number(value: float | None, missing: float) -> float:
    return missing if value is None else float(value)


def _numbers(values: Sequence[float | None], missing: float) -> tuple[float, ...]:
    return tuple(_number(value, missing) for value in values)
