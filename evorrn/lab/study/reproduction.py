"""Reproduction: the figures of a published table, run again, and whether they agree with the published ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evorrn.base.files import jsonable
from evorrn.lab.runs.run import Run
from evorrn.lab.study.aggregates import draws, interval
from evorrn.lab.study.reaching import Spent, expected_running_time, median_cost
from evorrn.lab.study.statistics import Estimate
from evorrn.lab.sweep.experiment import EVALUATIONS, Case, Experiment

BETTER, REPRODUCED, NOT_REPRODUCED, UNPUBLISHED = "better", "reproduced", "not reproduced", "no figure"
LEARNED = "learned"
"""The limit that stops a run that has solved its problem."""


@dataclass(frozen=True)
class Finding:
    """The figures of one row of a published table, run again.

    For the first five fields see `ProblemTable` and `RowTable` in `evorrn.lab.sweep.experiment`.

    Attributes
    ----------
    seeds : int
        Runs.
    solved : int or None
        Runs that learned their problem; None where the measure is a metric.
    mean, low, high : float
        The mean over all runs and its 95 % bootstrap interval. For evaluations: the total of all runs divided by
        the number of runs that succeeded, ``inf`` when none did.
    median, spread : float
        Median, and standard deviation over the runs that succeeded.
    values : tuple of float
        One a run, ``inf`` for a run that failed.
    verdict : str
        ``"better"`` where the whole interval is better than the published figure, ``"reproduced"`` where it
        contains the figure, else ``"not reproduced"``; ``"no figure"`` where none was published. For a published range:
        ``"reproduced"`` where the interval overlaps it.
    published_to : float or None
        The largest figure of a published range.
    errors : int
        Runs that ended with an error.
    automata : int or None
        Runs whose network has the automaton of its task, see `evorrn.lab.automaton`; None where none was extracted.
    """

    problem: str
    method: str
    of: str
    conditions: str
    deviation: str
    strategy: dict[str, Any]
    network: dict[str, Any]
    seeds: int
    solved: int | None
    mean: float
    low: float
    high: float
    median: float
    spread: float
    values: tuple[float, ...]
    published: float | None
    verdict: str
    published_to: float | None = None
    errors: int = 0
    automata: int | None = None


@dataclass(frozen=True)
class Reproduction:
    """A published experiment, run again.

    With `quick`, only the quick rows were run, with few seeds. `report` is the path of the page.
    """

    experiment: str
    title: str
    source: str
    measure: str
    notes: tuple[str, ...]
    quick: bool
    findings: tuple[Finding, ...]
    environment: dict[str, Any]
    report: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the reproduction as strict JSON, figures that are not finite as None."""
        return jsonable(self)  # type: ignore[no-any-return]

    def by_problem(self) -> Iterator[tuple[str, list[Finding]]]:
        """Yield each problem with its findings, in order of the experiment."""
        for name in dict.fromkeys(finding.problem for finding in self.findings):
            yield name, [finding for finding in self.findings if finding.problem == name]


def judge(
    case: Case,
    runs: Sequence[Run],
    experiment: Experiment,
    *,
    strategy: dict[str, Any],
    network: dict[str, Any],
    automata: int | None = None,
) -> Finding:
    """Return the finding of a row from its runs; for `automata` see `Finding`."""
    counted = experiment.table.measure == EVALUATIONS
    if counted:
        known = [run.evaluations for run in runs if run.evaluations is not None]
        longest = max(known, default=math.inf)  # the cost of a run that failed
        spent = Spent(
            np.array([longest if run.evaluations is None else run.evaluations for run in runs]),
            np.array([run.stopped_by == LEARNED for run in runs]),
        )
        values = np.where(spent.reached, spent.cost, math.inf)
        mean = _running_time(spent)
        median, solved = median_cost(spent), int(spent.reached.sum())
    else:
        worst = -math.inf if experiment.higher_is_better else math.inf
        found = [run.test.get(experiment.table.measure, math.nan) for run in runs]
        values = np.array([value if math.isfinite(value) else worst for value in found])
        mean = _mean(values)
        median, solved = float(np.median(values)), None
    finding = _finding(case, values, mean, median, experiment)
    errors = sum(bool(run.error) for run in runs)
    return replace(
        finding, strategy=strategy, network=network, solved=solved, errors=errors, automata=automata
    )


def judge_quantity(case: Case, values: Sequence[float], experiment: Experiment) -> Finding:
    """Return the finding of a row whose values, one a seed, are a quantity."""
    found = np.array(values, dtype=np.float64)
    return _finding(case, found, _mean(found), float(np.median(found)), experiment)


def _finding(
    case: Case, values: np.ndarray, mean: Estimate, median: float, experiment: Experiment
) -> Finding:
    """Return the finding of a row from its values, one a seed, as that of a quantity."""
    finite = values[np.isfinite(values)]
    return Finding(
        problem=case.problem.name,
        method=case.row.method,
        of=case.row.of,
        conditions=case.problem.conditions,
        deviation=case.row.deviation,
        strategy={"name": case.row.method},
        network=case.quantity.settings() if case.quantity is not None else {},
        seeds=len(values),
        solved=None,
        mean=mean.value,
        low=mean.low,
        high=mean.high,
        median=median,
        spread=float(finite.std(ddof=1)) if len(finite) > 1 else math.nan,
        values=tuple(values.tolist()),
        published=case.row.published,
        published_to=case.row.published_to,
        verdict=_verdict(case, mean, experiment),
    )


def _verdict(case: Case, mean: Estimate, experiment: Experiment) -> str:
    """Return the verdict on the mean of a row."""
    first, last = case.row.published, case.row.published_to
    if case.quantity is not None and first is not None:
        last = first if last is None else last
    if last is None or first is None:
        return verdict(mean.value, mean.low, mean.high, first, experiment.higher_is_better)
    low, high = (mean.value if math.isnan(end) else end for end in (mean.low, mean.high))
    return REPRODUCED if low <= last and first <= high else NOT_REPRODUCED


def verdict(
    mean: float, low: float, high: float, published: float | None, higher_is_better: bool = False
) -> str:
    """Return the verdict on a figure, see `Finding`; without an interval the figure itself is compared."""
    if published is None:
        return UNPUBLISHED
    sign = -1 if higher_is_better else 1
    best, worst = sorted(sign * (mean if math.isnan(end) else end) for end in (low, high))
    if worst < sign * published:
        return BETTER
    return REPRODUCED if best <= sign * published else NOT_REPRODUCED


def _running_time(spent: Spent) -> Estimate:
    value = expected_running_time(spent)
    if len(spent.cost) < 2 or not spent.reached.any():
        return Estimate(value, math.nan, math.nan)
    again = draws(len(spent.cost))
    with np.errstate(divide="ignore"):
        low, high = interval(spent.cost[again].sum(axis=1) / spent.reached[again].sum(axis=1))
    return Estimate(value, float(low), float(high))


def _mean(values: np.ndarray) -> Estimate:
    value = float(values.mean())
    if len(values) < 2:
        return Estimate(value, math.nan, math.nan)
    low, high = interval(values[draws(len(values))].mean(axis=1))
    return Estimate(value, float(low), float(high))
