"""The rows and baselines of a comparison from its runs, part by part."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.errors import RunError
from evorrn.data.tables.dates import date_texts
from evorrn.lab.planning import Asked
from evorrn.lab.runs.assessments import (
    baseline_predictions,
    baseline_seconds,
    baseline_values,
    comparator_values,
)
from evorrn.lab.runs.outputs import Predictions, read_outputs
from evorrn.lab.runs.reader import sees_targets
from evorrn.lab.runs.run import COMPLETE, COSTS, Run, ranking_metric
from evorrn.lab.runs.spec import Spec
from evorrn.lab.study.comparison import Baseline, Part, Row
from evorrn.lab.study.intervals import Intervals, measured
from evorrn.lab.study.ranking import make_baselines, make_row, rank

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task

Plan = Mapping[str, Sequence[Spec]]


def common_metric(plans: Sequence[Plan], runs: Mapping[str, Run], usual: str) -> str:
    """Return the metric that ranks: the first one of the task that is finite in a run of every part."""
    found = [
        (ranking_metric([runs[spec.id] for specs in plan.values() for spec in specs], "test") or usual)
        for plan in plans
    ]
    names = [name.removeprefix("test.") for name in found]
    order = [name for run in runs.values() for name in run.test]
    return max(names, key=lambda name: order.index(name) if name in order else -1)


def make_part(
    plan: Plan,
    runs: Mapping[str, Run],
    metric: str,
    root: Path,
    wanted: Asked,
    baselines: tuple[Baseline, ...] | None = None,
) -> Part:
    """Return a part of a comparison: its rows, best first, and its baselines, which are computed unless they are given."""
    rows = [
        _row(specs, [runs[spec.id] for spec in specs], metric, root, wanted.level) for specs in plan.values()
    ]
    first = next(iter(plan.values()))
    return Part(
        int(getattr(first[0].task, "horizon", None) or 0) or None,
        getattr(first[0].task, "fold", 1),
        _period([root / row.runs[0] for row in rows]),
        tuple(rank(rows, metric)),
        _baselines(first[0], len(first), metric, wanted) if baselines is None else baselines,
    )


def _baselines(spec: Spec, count: int, metric: str, wanted: Asked) -> tuple[Baseline, ...]:
    """Return the trivial baselines of a task and the models that it is compared with, on the test data of `count` seeds."""
    baselines = make_baselines(baseline_values(spec, range(count), metric), metric)
    models = {
        name: [value] * count for name, value in comparator_values(spec, metric, wanted.baselines).items()
    }
    baselines += [dataclasses.replace(each, model=True) for each in make_baselines(models, metric)]
    horizon = int(getattr(spec.task, "horizon", None) or 0)
    predicted = baseline_predictions(spec) if horizon else {}
    by_target, seconds = _baseline_targets(spec, wanted.baselines), baseline_seconds(spec)
    return tuple(
        dataclasses.replace(
            each,
            targets=by_target.get(each.name, {}),
            seconds=seconds.get(each.name, math.nan),
            intervals=measured(
                [predicted[each.name]] if each.name in predicted else [], wanted.level, horizon
            ),
        )
        for each in baselines
    )


def _period(folders: Sequence[Path]) -> str:
    """Return the first and the last date of the test split, from the first run that has them; else empty."""
    for folder in folders:
        with suppress(RunError):
            shown = read_outputs(folder)
            if isinstance(shown, Predictions) and shown.dates is not None:
                known = shown.dates[shown.scored]
                if known.dtype.kind != "M":
                    return f"{known[0]:g} to {known[-1]:g}"
                return " to ".join(date_texts(known[[0, -1]].astype("int64") / 1000.0))
    return ""


def _row(specs: Sequence[Spec], runs: Sequence[Run], metric: str, root: Path, level: float) -> Row:
    """Return the row of a strategy from the runs of its seeds."""
    first = specs[0]
    network = first.shape
    others = {name: value for name, value in first.content["network"].items() if value is not None}
    row = make_row(
        first.strategy.name,
        metric,
        [run.test.get(metric, math.nan) for run in runs],
        network={**network, "genes": first.network.size, **others},
        costs=[{name: run.get(name) for name in COSTS} for run in runs if run.status == COMPLETE],
        settings={name: value for name, value in first.content["strategy"].items() if name != "name"},
        runs=[run.folder for run in runs],
        errors=sum(bool(run.error) for run in runs),
    )
    targets = _row_targets(first.task, [run.test for run in runs if run.status == COMPLETE])
    return dataclasses.replace(
        row,
        intervals=_intervals(first.task, runs, root, level),
        targets=targets,
        sees_targets=sees_targets(root / run.folder for run in runs),
    )


def _row_targets(
    task: Task | Environment, found: Sequence[Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Return the metrics of each target, medians over runs; none where there is one target."""
    known = [
        (target, name) for target, name in _target_metrics(task) if found and f"{name}[{target}]" in found[0]
    ]
    targets: dict[str, dict[str, float]] = {}
    for target, name in known:
        values = [each.get(f"{name}[{target}]", math.nan) for each in found]
        targets.setdefault(target, {})[name] = float(np.median(values))
    return targets


def _baseline_targets(spec: Spec, names: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Return for each baseline the metrics of each target; none where there is one target."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for target, name in _target_metrics(spec.task):
        full = f"{name}[{target}]"
        values = {each: value[0] for each, value in baseline_values(spec, (spec.seed,), full).items()}
        for baseline, value in {**values, **comparator_values(spec, full, names)}.items():
            found.setdefault(baseline, {}).setdefault(target, {})[name] = value
    return found


def _target_metrics(task: Task | Environment) -> list[tuple[str, str]]:
    """Return each target of a table with several of them, with each metric of its task."""
    names = getattr(task, "scored_names", ()) if getattr(task, "column_names", ()) else ()
    return [(target, name) for target in names for name in task.metrics] if len(names) > 1 else []


def _intervals(
    task: Task | Environment, runs: Sequence[Run], root: Path, level: float
) -> tuple[Intervals, ...]:
    """Return the prediction intervals of complete runs on test, none where the task is no forecast."""
    horizon = getattr(task, "horizon", None)
    complete = [run for run in runs if run.status == COMPLETE and not run.diverged]
    if not horizon or not complete:
        return ()
    found = []
    for run in complete:
        with suppress(RunError):  # damaged files are told of in the report
            found.append(read_outputs(root / run.folder))
    return measured([shown for shown in found if isinstance(shown, Predictions)], level, horizon)
