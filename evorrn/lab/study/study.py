"""Study: the runs of a sweep, grouped for statistics by task, contender, configuration and seed.

The axes of a sweep have three roles. Axes of the task define the tasks. One other axis, the strategy if it is
an axis, and the budget if it is one, define the *contenders*. All other axes are *tuned*: on every task each
contender is represented by the configuration with the smallest median validation error over the seeds. Test
data are not used for that choice, so the test values of chosen configurations can be compared.

Errors are lower-is-better; the error of a failed run, or of a value that is not finite, is ``inf``. Shares such
as accuracy become 1 minus the share, and returns change their sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evorrn.base.errors import RunError
from evorrn.data.metrics import HIGHER_IS_BETTER
from evorrn.lab.runs.run import COMPLETE, FAILED, Run, ranking_metric
from evorrn.lab.runs.table import Runs, plain_text
from evorrn.lab.study.sentences.common import subject

MOST_CONTENDERS = 10
"""Values of a numeric axis above which it is not compared value by value."""

SHARES = frozenset(
    {
        *("accuracy", "binary_accuracy", "token_accuracy", "exact_match", "within_004", "success"),
        *("precision", "recall", "f1", "macro_f1"),
    }
)

ABSENT = "–"
"""Label on an axis of a setting that a run does not have, for instance a population in a gradient method."""

Point = tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """One run that counts, complete or failed, and its errors by the metric that ranks."""

    row: Run
    error: float
    valid: float


@dataclass(frozen=True)
class Configuration:
    """All seeds of one point on the axes: its value on every axis, and its runs in order of their seeds."""

    task: str
    contender: str
    values: Mapping[str, str]
    trials: list[Trial]

    @property
    def errors(self) -> np.ndarray:
        """Test errors (n,), by seed."""
        return np.array([trial.error for trial in self.trials])

    @property
    def valid(self) -> float:
        """The median validation error."""
        return float(np.median([trial.valid for trial in self.trials]))


@dataclass(frozen=True)
class Study:
    """A sweep, ready for statistics.

    Attributes
    ----------
    axes : dict of str to list of str
        Every axis and its values, ascending where they are numbers.
    compared, tuned, task_axes : tuple of str
        The axes in each role.
    metrics : dict of str to str
        The metric that ranks each task.
    undefined : dict of str to str
        The first metric of each task on which it is undefined, so that another one ranks.
    """

    name: str
    runs: Runs
    axes: dict[str, list[str]]
    compared: tuple[str, ...]
    tuned: tuple[str, ...]
    task_axes: tuple[str, ...]
    metrics: dict[str, str]
    configurations: list[Configuration] = field(default_factory=list)
    undefined: dict[str, str] = field(default_factory=dict)

    @property
    def tasks(self) -> list[str]:
        """The tasks with a metric, in order of the axes."""
        return list(self.metrics)

    @property
    def contenders(self) -> list[str]:
        """What is compared, in order of the axes."""
        return list(dict.fromkeys(c.contender for c in self.configurations))

    def of(self, task: str, contender: str) -> list[Configuration]:
        """Return the configurations of a contender on a task."""
        return [c for c in self.configurations if c.task == task and c.contender == contender]

    def chosen(self, task: str, contender: str) -> Configuration | None:
        """Return the configuration with the smallest median validation error, None where there is no run.

        Configurations with at most half as many runs as another are left out: their medians are less certain.
        """
        return self._chosen.get((task, contender))

    def trials(self, task: str, contender: str | None = None) -> list[Trial]:
        """Return the runs of the configuration chosen for a contender on a task, or for all contenders."""
        names = self.contenders if contender is None else [contender]
        chosen = [self._chosen[task, name] for name in names if (task, name) in self._chosen]
        return [trial for cell in chosen for trial in cell.trials]

    def everywhere(self) -> list[str]:
        """Return the contenders with runs on every task, which can be compared across tasks."""
        return [c for c in self.contenders if all(self.of(task, c) for task in self.tasks)]

    def scale(self, task: str) -> float:
        """Return the best median test error of the chosen configurations on a task; NaN when all failed."""
        return self._scales[task]

    def relative(self, task: str, errors: np.ndarray) -> np.ndarray:
        """Return errors as multiples of the best median on their task."""
        return multiples(errors, self.scale(task))

    @cached_property
    def _chosen(self) -> dict[tuple[str, str], Configuration]:
        groups: dict[tuple[str, str], list[Configuration]] = {}
        for cell in self.configurations:
            groups.setdefault((cell.task, cell.contender), []).append(cell)
        found = {}
        for place, cells in groups.items():
            most = max(len(cell.trials) for cell in cells)
            found[place] = min((c for c in cells if 2 * len(c.trials) > most), key=lambda c: c.valid)
        return found

    @cached_property
    def _scales(self) -> dict[str, float]:
        best = dict.fromkeys(self.metrics, math.inf)
        for (task, _), cell in self._chosen.items():
            best[task] = min(best[task], float(np.median(cell.errors)))
        return {task: error if math.isfinite(error) else math.nan for task, error in best.items()}


def make_study(runs: Runs) -> Study:
    """Return the study of a sweep's runs.

    Raises
    ------
    RunError
        When no run is complete.
    """
    counted = [row for row in runs.rows if row.status in (COMPLETE, FAILED)]
    if not any(row.status == COMPLETE for row in counted):
        raise RunError(f"sweep {runs.sweep}: expected at least one complete run, but there is none yet")
    values = [{name: _label(name, row.get(name)) for name in runs.axes} for row in counted]
    axes = {name: ordered(value[name] for value in values) for name in runs.axes}
    task_axes = tuple(name for name in axes if name.startswith("task."))
    compared = _compared([name for name in axes if name not in task_axes], axes)
    tuned = tuple(name for name in axes if name not in (*task_axes, *compared) and len(axes[name]) > 1)
    tasks = [_task(row, value, task_axes) for row, value in zip(counted, values)]
    by_task: dict[str, list[Run]] = {}
    for task, row in zip(tasks, counted):
        by_task.setdefault(task, []).append(row)
    rankings = {task: _ranking(rows) for task, rows in by_task.items()}
    metrics = {task: ranking.test for task, ranking in rankings.items() if ranking.test}
    cells: dict[Point, Configuration] = {}
    for task, row, value in sorted(zip(tasks, counted, values), key=lambda run: run[1].seed or 0):
        if task not in metrics:  # nothing but failures there
            continue
        error = _error(row, "test", metrics[task])
        valid = _error(row, "valid", rankings[task].valid)
        contender = ", ".join(named(name, value[name]) for name in compared) or _label(
            "strategy.name", row.get("strategy.name")
        )
        point = (task, *value.values())
        cell = cells.setdefault(point, Configuration(task, contender, value, []))
        cell.trials.append(Trial(row, error, valid))
    found = sorted(cells.values(), key=lambda c: [axes[name].index(c.values[name]) for name in axes])
    metrics = {cell.task: metrics[cell.task] for cell in found}
    undefined = {task: rankings[task].undefined for task in metrics if rankings[task].undefined}
    return Study(runs.sweep, runs, axes, compared, tuned, task_axes, metrics, found, undefined)


class _Ranking(NamedTuple):
    """The metrics that rank the runs of a task on test and on validation data, and an earlier one undefined on test."""

    test: str
    valid: str
    undefined: str


def _ranking(rows: Sequence[Run]) -> _Ranking:
    test, valid = ((ranking_metric(rows, split) or "").partition(".")[2] for split in ("test", "valid"))
    first = next((name[5:] for row in rows for name in row.metric_names if name.startswith("test.")), "")
    return _Ranking(test, valid, first if first != test else "")


def multiples(errors: np.ndarray, reference: float) -> np.ndarray:
    """Return errors as multiples of a reference: 1 where they are equal, 2 where twice as bad.

    For returns, which have no natural zero, the shortfall counts in units of the reference's size.
    """
    if not math.isfinite(reference) or reference == 0:
        return np.where(errors == reference, 1.0, np.inf)
    return np.maximum(1.0 + (errors - reference) / abs(reference), 0.0)


def values_of(errors: Any, metric: str) -> Any:
    """Return the values of a metric that belong to errors, or the errors that belong to values."""
    if metric in SHARES:
        return 1.0 - errors
    return -errors if metric in HIGHER_IS_BETTER else errors


def ordered(labels: Iterable[str]) -> list[str]:
    """Return the distinct labels of an axis: ascending where all are numbers, else in order of appearance.

    That of an absent setting comes last.
    """
    distinct = dict.fromkeys(labels)
    found = [label for label in distinct if label != ABSENT]
    absent = [ABSENT] * (ABSENT in distinct)
    return (sorted(found, key=float) if all(is_number(label) for label in found) else found) + absent


def is_number(label: str) -> bool:
    """Return whether the label of an axis is a number."""
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False


def chosen_text(study: Study, cell: Configuration) -> str:
    """Return the tuned values of a configuration as text."""
    plain = {name: named(name, cell.values[name]) for name in study.tuned if cell.values[name] != ABSENT}
    return ", ".join(f"cell {text}" if name == "network.cell" else text for name, text in plain.items())


def short_label(label: str) -> str:
    """Return the label of an axis, a long number with three significant digits."""
    return f"{float(label):.3g}" if is_number(label) and len(label) > 6 else label


def _compared(names: Sequence[str], axes: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Return the compared axes: the strategy, else the cell, else another axis of names, else one of few numbers."""
    several = [name for name in names if len(axes[name]) > 1 and name != "budget"]
    words = [name for name in several if not all(map(is_number, axes[name]))]
    few = [name for name in several if len(axes[name]) <= MOST_CONTENDERS]
    preferred: list[str] = [name for name in ("strategy.name", "network.cell") if name in several]
    main = (preferred or [name for name in words if name in few] or few)[:1]
    return (*main, *(["budget"] if len(axes.get("budget", ())) > 1 else []))


def _task(row: Run, values: Mapping[str, str], task_axes: Sequence[str]) -> str:
    name = values.get("task.name") or _label("task.name", row.get("task.name"))
    if not {"task.path", "task.id"} & set(task_axes):
        name = subject({"name": name, "path": row.get("task.path"), "id": row.get("task.id")})
    rest = [named(axis, values[axis]) for axis in task_axes if axis != "task.name" and values[axis] != ABSENT]
    return ", ".join([name, *rest])


def named(axis: str, label: str) -> str:
    """Return a value of an axis, with the name of the axis where the value alone is not clear."""
    plain = axis in ("strategy.name", "network.cell", "task.name", "budget")
    return label if plain else f"{axis.rpartition('.')[2]} {short_label(label)}"


def _label(axis: str, value: Any) -> str:
    text = ABSENT if value is None else plain_text(value)
    if axis in ("task.name", "strategy.name", "network.cell") and (":" in text or "/" in text):
        source, _, member = text.rpartition(":")
        return member if source.endswith(".py") else Path(text).name
    return text


def _error(row: Run, split: str, metric: str) -> float:
    value = row.get(f"{split}.{metric}")
    return math.inf if value is None or not math.isfinite(value) else float(values_of(float(value), metric))
