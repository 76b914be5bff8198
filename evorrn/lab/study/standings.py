"""Standings: the contenders of a study on each task and across tasks, and which leads hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from evorrn.lab.runs.reader import sees_targets
from evorrn.lab.study.aggregates import improvement, interquartile_estimate
from evorrn.lab.study.comparison import Baseline, Row, badness
from evorrn.lab.study.pairs import Difference, tested
from evorrn.lab.study.rank_tests import FEWEST_TASKS, RankComparison, compare_ranks
from evorrn.lab.study.ranking import make_row
from evorrn.lab.study.statistics import Estimate
from evorrn.lab.study.study import Configuration, Study, values_of


@dataclass(frozen=True)
class Standing:
    """A contender on a task: the configuration that validation chose, and from how many.

    `row` has its values on test, one a seed, and its costs; `middle` is their interquartile mean.
    """

    configuration: Configuration
    tried: int
    row: Row
    middle: Estimate

    @property
    def contender(self) -> str:
        """What is compared."""
        return self.configuration.contender


@dataclass(frozen=True)
class Lead(Difference):
    """A tested pair of contenders: on a task seed by seed, or over all tasks task by task, where `task` is empty.

    `pairs` is the number of seeds that both have, or of tasks. `probability` is the probability that a run of `a` is
    better than one of `b`.
    """

    task: str
    pairs: int
    probability: Estimate


@dataclass(frozen=True)
class Findings:
    """The findings on one task: the contenders, best first, their tested pairs, and the baselines."""

    standings: list[Standing]
    leads: list[Lead]
    baselines: list[Baseline] = field(default_factory=list)


@dataclass(frozen=True)
class Overall:
    """A contender across all tasks, its errors as multiples of the best median on each task."""

    contender: str
    middle: Estimate
    rank: float


def findings(study: Study, baselines: Mapping[str, list[Baseline]] | None = None) -> dict[str, Findings]:
    """Return the findings on every task, with the baselines given for it."""
    known = baselines or {}
    return {
        task: Findings(standings(study, task), leads(study, task), known.get(task, []))
        for task in study.tasks
    }


def standings(study: Study, task: str) -> list[Standing]:
    """Return the contenders on a task, best median first."""
    chosen = [best for name in study.contenders if (best := study.chosen(task, name)) is not None]
    found = [_standing(study, best) for best in chosen]
    metric = study.metrics[task]
    return sorted(found, key=lambda one: (badness(one.row.median, metric), one.contender))


def _standing(study: Study, chosen: Configuration) -> Standing:
    metric, rows = study.metrics[chosen.task], [trial.row for trial in chosen.trials]
    made = make_row(
        chosen.contender,
        metric,
        values_of(chosen.errors, metric).tolist(),
        network={},
        costs=[{"work": row.work, "steps": row.steps, "seconds": row.seconds} for row in rows],
        settings={},
        runs=[row.folder for row in rows],
    )
    return Standing(
        chosen,
        tried=len(study.of(chosen.task, chosen.contender)),
        row=replace(made, sees_targets=sees_targets(study.runs.root / row.folder for row in rows)),
        middle=estimate_in(metric, interquartile_estimate([chosen.errors])),
    )


def estimate_in(metric: str, errors: Estimate) -> Estimate:
    """Return an estimate of errors as one of the metric's values, the smaller end first."""
    value, *ends = values_of(np.array([errors.value, errors.low, errors.high]), metric).tolist()
    return Estimate(value, min(ends), max(ends))


def leads(study: Study, task: str) -> list[Lead]:
    """Return every pair of contenders on a task, tested seed by seed."""
    shown = [standing.configuration for standing in standings(study, task)]
    pairs = [(a.contender, b.contender, *_paired(a, b)) for a, b in combinations(shown, 2)]
    runs = {cell.contender: [cell.errors] for cell in shown}
    return _leads(task, pairs, runs)


def leads_across(study: Study) -> list[Lead]:
    """Return every pair of contenders, tested task by task; none for fewer than eight tasks.

    A task's entry is the median error as a multiple of the best median on that task, so that tasks of any unit count
    alike.

    Notes
    -----
    Source: Demšar (2006), "Statistical comparisons of classifiers over multiple data sets", section 3.1.3. Deviation: errors
    are divided by the best median of the task.
    """
    names = [entry.contender for entry in overall(study)]
    if len(study.tasks) < FEWEST_TASKS:
        return []
    runs = {name: strata(study, name) for name in names}
    medians = {name: np.array([np.median(stratum) for stratum in runs[name]]) for name in names}
    return _leads("", [(a, b, medians[a], medians[b]) for a, b in combinations(names, 2)], runs)


def _leads(
    task: str,
    pairs: Sequence[tuple[str, str, np.ndarray, np.ndarray]],
    runs: Mapping[str, Sequence[np.ndarray]],
) -> list[Lead]:
    """Return the tested pairs with their probabilities of improvement."""
    return [
        Lead(**vars(pair), task=task, pairs=len(errors), probability=improvement(runs[pair.a], runs[pair.b]))
        for pair, (_, _, errors, _) in zip(tested(pairs), pairs)
    ]


def overall(study: Study) -> list[Overall]:
    """Return the contenders that have runs on every task, best first; empty when there is one task."""
    from scipy.stats import rankdata

    names = study.everywhere()
    if len(study.tasks) < 2 or not names:
        return []
    ranks = rankdata(_medians(study, names), axis=1).mean(axis=0)
    found = [Overall(n, interquartile_estimate(strata(study, n)), float(r)) for n, r in zip(names, ranks)]
    return sorted(found, key=lambda entry: (entry.middle.value, entry.rank, entry.contender))


def improvements(study: Study) -> tuple[list[str], list[list[Estimate | None]]]:
    """Return contenders, best first, and the probability that the one of a row is better than that of a column."""
    names = [entry.contender for entry in overall(study)] or (
        [s.contender for s in standings(study, study.tasks[0])] if len(study.tasks) == 1 else []
    )
    runs = {name: strata(study, name) for name in names}
    return names, [[None if a == b else improvement(runs[a], runs[b]) for b in names] for a in names]


def rank_comparison(study: Study) -> RankComparison | None:
    """Return Friedman's test over the tasks; None for fewer than eight tasks or three contenders."""
    names = study.everywhere()
    if len(study.tasks) < FEWEST_TASKS or len(names) < 3:
        return None
    return compare_ranks(names, _medians(study, names))


def strata(study: Study, contender: str) -> list[np.ndarray]:
    """Return the errors of a contender's chosen runs by task, as multiples of the best median on each."""
    return [study.relative(task, c.errors) for task in study.tasks if (c := study.chosen(task, contender))]


def units(found: Sequence[Lead]) -> int:
    """Return the largest number of seeds, or tasks, of a tested pair."""
    return max((lead.pairs for lead in found), default=0)


def _paired(a: Configuration, b: Configuration) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors of two configurations in the seeds that both have."""
    first = {trial.row.seed: trial.error for trial in a.trials}
    second = {trial.row.seed: trial.error for trial in b.trials}
    seeds = [seed for seed in first if seed in second]
    return np.array([first[seed] for seed in seeds]), np.array([second[seed] for seed in seeds])


def _medians(study: Study, names: Sequence[str]) -> np.ndarray:
    rows = [[study.chosen(task, name) for name in names] for task in study.tasks]
    return np.array([[math.inf if c is None else float(np.median(c.errors)) for c in row] for row in rows])
