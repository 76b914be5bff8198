"""What a study can claim: how contenders stand on each task and across tasks, and which leads hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from evorrn.lab.study.aggregates import Estimate, improvement, interquartile_estimate
from evorrn.lab.study.comparison import Baseline
from evorrn.lab.study.rank_tests import FEWEST_TASKS, RankComparison, compare_ranks
from evorrn.lab.study.statistics import (
    LEVEL,
    Interval,
    holm,
    median_interval,
    paired_differences,
    signed_ranks,
    smallest_p,
)
from evorrn.lab.study.study import Configuration, Study


@dataclass(frozen=True)
class Standing:
    """How a contender stands on a task, with the configuration that validation chose.

    Attributes
    ----------
    task, contender : str
    configuration : Configuration
    tried : int
        Configurations that the choice was made from.
    median : Interval
    middle : Estimate
        The interquartile mean.
    failed : int
        Seeds without a finite value.
    work, seconds : float
        The median over the runs that have it.
    """

    task: str
    contender: str
    configuration: Configuration
    tried: int
    median: Interval
    middle: Estimate
    failed: int
    work: float
    seconds: float


@dataclass(frozen=True)
class Lead:
    """A pair of contenders on a task or over all tasks, `a` the one ahead pair by pair.

    Attributes
    ----------
    task : str
        Empty for all tasks.
    a, b : str
    pairs, ahead : int
        Seeds that both have, or tasks, and in how many of them `a` was strictly better.
    uncorrected, p : float
        Of Wilcoxon's signed-rank test, before and after Holm's correction over all pairs of contenders.
    holds : bool
    probability : Estimate
        The probability that a run of `a` is better than one of `b`.
    """

    task: str
    a: str
    b: str
    pairs: int
    ahead: int
    uncorrected: float
    p: float
    holds: bool
    probability: Estimate


@dataclass(frozen=True)
class Findings:
    """What was found on one task: how the contenders stand, best first, which leads hold, and the baselines."""

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
    """Return what was found on every task, beside the baselines that are known of it, best first."""
    known = baselines or {}
    return {
        task: Findings(standings(study, task), leads(study, task), known.get(task, []))
        for task in study.tasks
    }


def standings(study: Study, task: str) -> list[Standing]:
    """Return how every contender stands on a task, best median first."""
    found = []
    for contender in study.contenders:
        best = study.chosen(task, contender)
        if best is not None:
            found.append(
                Standing(
                    task,
                    contender,
                    best,
                    len(study.of(task, contender)),
                    median_interval(best.errors),
                    interquartile_estimate([best.errors]),
                    int((~np.isfinite(best.errors)).sum()),
                    _median([trial.row.work for trial in best.trials]),
                    _median([trial.row.seconds for trial in best.trials]),
                )
            )
    return sorted(found, key=lambda standing: (standing.median.median, standing.contender))


def leads(study: Study, task: str) -> list[Lead]:
    """Return every pair of contenders on a task, tested seed by seed."""
    shown = [standing.configuration for standing in standings(study, task)]
    pairs = [(a.contender, b.contender, *_paired(a, b)) for a, b in combinations(shown, 2)]
    runs = {cell.contender: [cell.errors] for cell in shown}
    return _tested(task, pairs, runs)


def leads_across(study: Study) -> list[Lead]:
    """Return every pair of contenders, tested task by task by their median errors; none for fewer than eight tasks.

    Notes
    -----
    Source: Demšar (2006), "Statistical comparisons of classifiers over multiple data sets", section 3.1.3.
    """
    names = [entry.contender for entry in overall(study)]
    if len(study.tasks) < FEWEST_TASKS:
        return []
    runs = {name: strata(study, name) for name in names}
    medians = {name: np.array([np.median(stratum) for stratum in runs[name]]) for name in names}
    return _tested("", [(a, b, medians[a], medians[b]) for a, b in combinations(names, 2)], runs)


def _tested(
    task: str,
    pairs: Sequence[tuple[str, str, np.ndarray, np.ndarray]],
    runs: Mapping[str, Sequence[np.ndarray]],
) -> list[Lead]:
    """Return pairs of contenders tested and corrected together, the one that is ahead first."""
    found = []
    for a, b, first, second in pairs:
        test = signed_ranks(paired_differences(first, second))
        if test.positive > test.negative:  # the better median may still lose pair by pair
            a, b, first, second = b, a, second, first
        found.append((a, b, len(first), int((first < second).sum()), test.p))
    return [
        Lead(task, a, b, count, ahead, raw, float(p), bool(p <= LEVEL), improvement(runs[a], runs[b]))
        for (a, b, count, ahead, raw), p in zip(found, holm([raw for *_, raw in found]))
    ]


def overall(study: Study) -> list[Overall]:
    """Return the contenders that have runs on every task, best first; empty when there is one task."""
    names = study.everywhere()
    if len(study.tasks) < 2 or not names:
        return []
    ranks = _ranks(_medians(study, names))
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


def reachable(found: Sequence[Lead]) -> float:
    """Return the smallest corrected p-value that could come out of so many pairs and seeds, or tasks."""
    return smallest_p(max((lead.pairs for lead in found), default=0), len(found))


def _paired(a: Configuration, b: Configuration) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors of two configurations in the seeds that both have."""
    first = {trial.row.seed: trial.error for trial in a.trials}
    second = {trial.row.seed: trial.error for trial in b.trials}
    seeds = [seed for seed in first if seed in second]
    return np.array([first[seed] for seed in seeds]), np.array([second[seed] for seed in seeds])


def _medians(study: Study, names: Sequence[str]) -> np.ndarray:
    rows = [[study.chosen(task, name) for name in names] for task in study.tasks]
    return np.array([[math.inf if c is None else float(np.median(c.errors)) for c in row] for row in rows])


def _ranks(errors: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return np.asarray(rankdata(errors, axis=1).mean(axis=0))


def _median(values: Sequence[float | None]) -> float:
    there = [value for value in values if value is not None]
    return float(np.median(there)) if there else math.nan
