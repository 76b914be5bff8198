"""Reproduce: run a published experiment again, and say honestly whether its figures come out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError, unknown
from evorrn.base.files import write_atomic
from evorrn.lab.experiment import Case, Experiment
from evorrn.lab.report.reproduction import page
from evorrn.lab.runs import environment
from evorrn.lab.runs.spec import Spec
from evorrn.lab.study.aggregates import draws, interval
from evorrn.lab.study.reaching import Spent, expected_running_time, median_cost
from evorrn.lab.study.reproduction import (
    BETTER,
    EVALUATIONS,
    NOT_REPRODUCED,
    REPRODUCED,
    UNPUBLISHED,
    Finding,
    Reproduction,
)
from evorrn.lab.sweep.pool import Ended, Say, Standing, run_all

LEARNED = "learned"
"""What stops a run that has solved its problem."""


def reproduce(
    experiment: Experiment,
    *,
    root: Path,
    seeds: int | None = None,
    quick: bool = False,
    jobs: int = 1,
    force: bool = False,
    watch: Callable[[Standing], None] = lambda standing: None,
    warn: Say = lambda sentence: None,
    note: Say = lambda sentence: None,
) -> Reproduction:
    """Run every row of an experiment in every seed, judge it, and write ``reproduction.json`` and ``report.html``.

    Runs are ordinary run folders: the same call goes on with one that was interrupted.

    Parameters
    ----------
    experiment : Experiment
    root : Path
        The folder of all runs.
    seeds : int, optional
        Runs of each row: seeds 0, 1, 2, ...; the experiment's own number by default.
    quick : bool
        Only the rows that are quick, in few seeds.
    jobs, force, watch, warn, note
        See `evorrn.lab.sweep.pool.run_all`.

    Raises
    ------
    ConfigError
        With every mistake in the experiment's specs, before anything runs.
    """
    count = seeds if seeds is not None else experiment.quick_seeds if quick else experiment.seeds
    cases = [case for case in experiment.cases if case.quick or not quick]
    plan: list[list[Spec]] = []
    found = (
        [] if cases else [f"{experiment.name}: no row is quick, so there is nothing to be run with --quick"]
    )
    for case in cases:
        try:
            plan.append(case.specs(count))
            problems = _unmeasured(plan[-1][0], experiment)
        except ConfigError as error:
            problems = error.problems
        found += [f"{case.problem}, {case.method}: {problem}" for problem in problems]
    if found:
        raise ConfigError(found)
    everything = [spec for specs in plan for spec in specs]
    ended = iter(run_all(everything, root, jobs=jobs, force=force, watch=watch, warn=warn, note=note))
    findings = []
    for case, specs in zip(cases, plan):
        runs = [next(ended) for _ in specs]
        for spec, run in zip(specs, runs):
            if run.error:
                warn(f"{case.problem}, {case.method}, seed {spec.seed} failed: {run.error}")
        content = specs[0].content
        network = {name: content["network"][name] for name in ("cell", "hidden")}
        findings.append(
            judge(
                case,
                runs,
                experiment,
                strategy=content["strategy"],
                network={**network, "genes": specs[0].network.size},
            )
        )
    folder = root / "reproductions" / (experiment.name + ("-quick" if quick else ""))
    made = Reproduction(
        experiment=experiment.name,
        title=experiment.title,
        source=experiment.source,
        measure=experiment.measure,
        notes=experiment.notes,
        quick=quick,
        findings=tuple(findings),
        environment=environment.summary(),
        report=str(folder / "report.html"),
    )
    write_atomic(folder / "reproduction.json", json.dumps(made.as_dict(), indent=1) + "\n")
    write_atomic(folder / "report.html", page(made))
    return made


def _unmeasured(spec: Spec, experiment: Experiment) -> list[str]:
    """Return why the measure of an experiment can say nothing of a row's runs."""
    if experiment.measure == EVALUATIONS:
        if spec.budget.learned is None:
            return ["budget.learned: expected a share, since evaluations are counted until it is learned"]
    elif experiment.measure not in spec.task.metrics:
        return [f"measure: {unknown('metric', experiment.measure, spec.task.metrics)}"]
    return []


def judge(
    case: Case,
    runs: Sequence[Ended],
    experiment: Experiment,
    *,
    strategy: dict[str, Any],
    network: dict[str, Any],
) -> Finding:
    """Return what the runs of a row come to."""
    counted = experiment.measure == EVALUATIONS
    if counted:
        known = [run.cost["evaluations"] for run in runs if "evaluations" in run.cost]
        longest = max(known, default=math.inf)  # what a run that failed is taken to have spent
        spent = Spent(
            np.array([run.cost.get("evaluations", longest) for run in runs]),
            np.array([run.stopped_by == LEARNED for run in runs]),
        )
        values = np.where(spent.reached, spent.cost, math.inf)
        mean, low, high = _running_time(spent)
        median, solved = median_cost(spent), int(spent.reached.sum())
    else:
        worst = -math.inf if experiment.higher_is_better else math.inf
        found = [run.test.get(experiment.measure, math.nan) for run in runs]
        values = np.array([value if math.isfinite(value) else worst for value in found])
        mean, low, high = _mean(values)
        median, solved = float(np.median(values)), None
    finite = values[np.isfinite(values)]
    return Finding(
        problem=case.problem,
        method=case.method,
        of=case.of,
        conditions=case.conditions,
        deviation=case.deviation,
        strategy=strategy,
        network=network,
        seeds=len(runs),
        solved=solved,
        mean=mean,
        low=low,
        high=high,
        median=median,
        spread=float(finite.std(ddof=1)) if len(finite) > 1 else math.nan,
        values=tuple(values.tolist()),
        published=case.published,
        verdict=verdict(mean, low, high, case.published, experiment.higher_is_better),
        errors=sum(bool(run.error) for run in runs),
    )


def verdict(
    mean: float, low: float, high: float, published: float | None, higher_is_better: bool = False
) -> str:
    """Return whether a figure with its interval is better than a published one, reproduces it, or does not.

    Where there is no interval, the figure stands for it.
    """
    if published is None:
        return UNPUBLISHED
    low, high = (mean if math.isnan(end) else end for end in (low, high))
    best, worst = (high, low) if higher_is_better else (low, high)
    if (worst > published) if higher_is_better else (worst < published):
        return BETTER
    return (
        REPRODUCED if ((best >= published) if higher_is_better else (best <= published)) else NOT_REPRODUCED
    )


def _running_time(spent: Spent) -> tuple[float, float, float]:
    value = expected_running_time(spent)
    if len(spent.cost) < 2 or not spent.reached.any():
        return value, math.nan, math.nan
    again = draws(len(spent.cost))
    reached = spent.reached[again].sum(axis=1)
    with np.errstate(divide="ignore"):
        times = spent.cost[again].sum(axis=1) / reached
    low, high = interval(times)
    return value, float(low), float(high)


def _mean(values: np.ndarray) -> tuple[float, float, float]:
    if len(values) < 2:
        return float(values.mean()), math.nan, math.nan
    low, high = interval(values[draws(len(values))].mean(axis=1))
    return float(values.mean()), float(low), float(high)
