"""Query: rows and columns of a table of runs, selected, sorted and grouped."""

from __future__ import annotations

import math
import operator
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.checks import is_number
from evorrn.base.errors import ConfigError, nearest
from evorrn.base.text import amount, figure
from evorrn.data.metrics import HIGHER_IS_BETTER
from evorrn.lab.report.tables import Table, text_table
from evorrn.lab.runs.run import COMPLETE, COSTS, FAILED, Run
from evorrn.lab.runs.table import SPLITS, Runs, plain_text, ranking_metrics
from evorrn.lab.runs.typed import value_of
from evorrn.lab.study.sentences.common import FILE_TASKS
from evorrn.lab.study.statistics import median_interval

Holds = Callable[[Any], bool]

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
PATH = "task.path"
USUAL = ("task.name", "strategy.name", "network.cell", "network.hidden", "budget")


@dataclass(frozen=True)
class Selection:
    """The selected columns, and a tuple of values for each line."""

    columns: list[str]
    lines: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """Return the lines as dicts."""
        return [dict(zip(self.columns, line)) for line in self.lines]

    def table(self, heading: str) -> Table:
        """Return the lines as a table for readers; a narrow terminal keeps the metrics longest."""
        texts = self.texts()
        varied = {name for name, column in zip(self.columns, zip(*texts)) if len(set(column)) > 1}
        metrics = [name for name in self.columns[1:] if name.split(".")[0] in SPLITS]
        others = [name for name in reversed(self.columns[1:]) if name not in metrics]
        order = sorted(others, key=lambda name: (name in varied, name not in COSTS))
        return text_table(heading, tuple(self.columns), texts, (*order, *reversed(metrics)))

    def texts(self) -> list[tuple[str, ...]]:
        """Return the lines as text for readers."""
        shown = [
            [value if type(value) is str and name != PATH else text(name, value) for value in values]
            for name, values in zip(self.columns, zip(*self.lines))
        ]
        return list(zip(*shown))


def select(
    runs: Runs,
    *,
    where: Sequence[str] = (),
    sort: Sequence[str] = (),
    columns: Sequence[str] = (),
    group: Sequence[str] = (),
) -> Selection:
    """Return some columns of some rows of a table of runs.

    Parameters
    ----------
    runs : Runs
    where : sequence of str
        Conditions that all must hold, for instance ``strategy.name=ga`` or ``test.nrmse_std<0.3``.
    sort : sequence of str
        Columns to sort by, the first one first; a minus before a name puts the largest on top.
    columns : sequence of str
        What to show; by default what the sweep varies, or what usually tells runs apart, with the metric
        that ranks each task, work and seconds.
    group : sequence of str
        One line for each combination of values of these columns: how many runs, how many complete and
        failed, and the median of each metric shown with its 95 % interval.

    Raises
    ------
    ConfigError
        With every name that is no column, and every condition that cannot be read.
    """
    known = runs.columns()
    problems: list[str] = []
    conditions = [_condition(text, known, problems) for text in where]
    shown = list(columns) or usual_columns(runs)
    named = [("--columns", name) for name in columns] + [("--group", name) for name in group]
    named += [] if group else [("--sort", name.lstrip("-")) for name in sort]
    problems += [f"{option}: {_no_column(name, known)}" for option, name in named if name not in known]
    if problems:
        raise ConfigError(problems)
    kept = list(range(len(runs.rows)))
    for name, holds in conditions:
        values = runs.values(name)
        kept = [place for place in kept if holds(values[place])]
    if group:
        numbers = [name for name in shown if _is_number(name)]
        found = _grouped([runs.rows[place] for place in kept], group, numbers)
        wrong = [name for name in sort if name.lstrip("-") not in found.columns]
        if wrong:
            raise ConfigError([f"--sort: {_no_column(name.lstrip('-'), found.columns)}" for name in wrong])
        by_column = dict(zip(found.columns, zip(*found.lines)))
        order = _sorted(range(len(found.lines)), sort, by_column)
        return Selection(found.columns, [found.lines[place] for place in order])
    order = _sorted(kept, sort, {name.lstrip("-"): runs.values(name.lstrip("-")) for name in sort})
    chosen = [[values[place] for place in order] for values in map(runs.values, shown)]
    return Selection(shown, list(zip(*chosen)))


def usual_columns(runs: Runs) -> list[str]:
    """Return the columns in which the runs differ, with scores and costs."""
    settings = {id(row.settings): row.settings for row in runs.rows}.values()
    told = runs.axes or tuple(name for name in USUAL if any(name in shared for shared in settings))
    if any(shared.get("task.name") in FILE_TASKS for shared in settings) and PATH not in told:
        told = tuple(part for name in told for part in ([name, PATH] if name == "task.name" else [name]))
    return ["id", "status", *told, "seed", *ranking_metrics(runs.rows), "work", "seconds"]


def text(name: str, value: Any) -> str:
    """Return a value of a column as text for readers."""
    if value is None:
        return ""
    if name == PATH:
        return Path(value).name
    if name in ("work", "steps") or name.endswith((" work", " steps")):
        return amount(value)
    if isinstance(value, float):
        return figure(value) if math.isfinite(value) else str(value)
    return str(value)


def _condition(text: str, known: Sequence[str], problems: list[str]) -> tuple[str, Holds]:
    """Return the column that a condition is about, and whether it holds for a value."""
    found = re.fullmatch(r"\s*([\w.+-]+)\s*(!=|<=|>=|==?|<|>)\s*(.*?)\s*", text)
    if found is None:
        problems.append(f"--where: expected a condition, for instance strategy.name=ga, got {text!r}")
        return "", lambda value: False
    name, sign, wanted = found.groups()
    if name not in known:
        problems.append(f"--where: {_no_column(name, known)}")
    number = value_of(wanted)
    if isinstance(number, float) and math.isnan(number):  # only what reads the same equals it
        number = None
    if sign in ("=", "==", "!="):
        equal = sign != "!="

        def same(value: Any) -> bool:
            alike = value == number if is_number(value) and is_number(number) else plain_text(value) == wanted
            return bool(alike) == equal

        return name, same
    if not is_number(number):
        problems.append(f"--where: expected a number after {sign}, got {wanted!r} in {text!r}")
    compare = COMPARE[sign]
    return name, lambda value: is_number(value) and compare(value, number)


def _no_column(name: str, known: Sequence[str]) -> str:
    """Return a sentence on an unknown column with the nearest one, by its whole name or by its last part."""
    ends = {column.rpartition(".")[2]: column for column in reversed(known)}
    guess = ends.get(name) or nearest(name, known) or ends.get(nearest(name, ends) or "")
    hint = f"; did you mean {guess!r}?" if guess else ""
    return f"unknown column {name!r}{hint} (there are {len(known)}; --columns all shows them)"


def _grouped(rows: Sequence[Run], group: Sequence[str], numbers: Sequence[str]) -> Selection:
    members: dict[tuple[str, ...], list[Run]] = {}
    for row in rows:
        members.setdefault(tuple(plain_text(row.get(name)) for name in group), []).append(row)
    records = []
    for found in members.values():
        record: dict[str, Any] = {name: found[0].get(name) for name in group}
        states = Counter(row.status for row in found)
        record |= {"runs": len(found), "complete": states[COMPLETE], "failed": states[FAILED]}
        for name in numbers:
            record |= _summary(name, [row for row in found if row.status in (COMPLETE, FAILED)])
        records.append(record)
    columns = list(records[0]) if records else [*group, "runs", "complete", "failed"]
    return Selection(columns, [tuple(record.values()) for record in records])


def _summary(name: str, rows: Sequence[Run]) -> dict[str, Any]:
    """Return the median of a column; of a metric with its interval, where failed runs are the worst."""
    values = [row.get(name) for row in rows]
    if "." not in name:
        there = [value for value in values if is_number(value)]
        return {f"median {name}": float(np.median(there)) if there else None}
    worst = -math.inf if name.partition(".")[2] in HIGHER_IS_BETTER else math.inf
    kept = [
        value if is_number(value) and math.isfinite(value) else worst
        for row, value in zip(rows, values)
        if value is not None or row.status == FAILED
    ]
    if not any(map(math.isfinite, kept)):
        return {name: None, f"{name} low": None, f"{name} high": None}
    interval = median_interval(kept)
    return {name: interval.value, f"{name} low": interval.low, f"{name} high": interval.high}


def _sorted(places: Sequence[int], sort: Sequence[str], values: Mapping[str, Sequence[Any]]) -> list[int]:
    """Return places in order of some columns; what has no value comes last, numbers before words."""
    found = list(places)
    for name in reversed(sort):
        column = values[name.lstrip("-")]
        there = [place for place in found if column[place] is not None and column[place] == column[place]]
        rest = [place for place in found if column[place] is None or column[place] != column[place]]
        there.sort(key=lambda place: _order(column[place]), reverse=name.startswith("-"))
        found = [*there, *rest]
    return found


def _order(value: Any) -> tuple[int, float, str]:
    return (0, float(value), "") if is_number(value) else (1, 0.0, plain_text(value))


def _is_number(name: str) -> bool:
    return name.split(".")[0] in SPLITS or name in COSTS
