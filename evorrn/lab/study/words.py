"""A study in words: the answer, what to be wary of, and how its numbers are to be read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from evorrn.lab.runs.run import COMPLETE, DAMAGED, EMPTY, FAILED, INTERRUPTED, MISSING, RUNNING
from evorrn.lab.study.comparison import badness
from evorrn.lab.study.comparison_words import counted, figure, listed
from evorrn.lab.study.rank_tests import FEWEST_TASKS, RankComparison
from evorrn.lab.study.standings import Findings, Lead, Overall, Standing, reachable
from evorrn.lab.study.statistics import LEVEL, seeds_needed
from evorrn.lab.study.study import Study, chosen_text, values_of

PRUNED = "pruned"
ORDER = (COMPLETE, FAILED, PRUNED, RUNNING, INTERRUPTED, MISSING, EMPTY, DAMAGED)
ENOUGH_SEEDS = 10
UNEQUAL = 1.2
"""Ratio of work above which contenders do not stand at equal cost."""
MOST_TASKS = 4
"""Tasks that the answer tells of one by one."""


def title(study: Study) -> str:
    """Return what was swept, in a line."""
    axes = [f"{len(labels)} values of {name}" for name, labels in study.axes.items() if len(labels) > 1]
    return ", ".join(
        [
            f"{counted(len(study.runs.rows), 'run')}: {listed(axes)}"
            if axes
            else counted(len(study.runs.rows), "run"),
            seeds_text(study),
        ]
    )


def seeds_text(study: Study) -> str:
    """Return how many seeds the configurations have."""
    counts = [len(cell.trials) for cell in study.configurations]
    low, high = min(counts), max(counts)
    return counted(high, "seed") if low == high else f"{low} to {high} seeds"


def state(study: Study) -> str:
    """Return how many runs are in which state, in a line."""
    found = _states(study)
    order = sorted(found, key=lambda status: ORDER.index(status) if status in ORDER else len(ORDER))
    return ", ".join(f"{found[status]} {status}" for status in order)


def _states(study: Study) -> Counter[str]:
    return Counter(PRUNED if row.stopped_by == PRUNED else row.status for row in study.runs.rows)


def answer(
    study: Study, found: Mapping[str, Findings], across: Sequence[Overall], leads: Sequence[Lead]
) -> str:
    """Return the outcome in a few sentences: who leads across the tasks and on each, and whether that holds."""
    if len(study.contenders) < 2:
        return "The sweep compares nothing but configurations of one way of training: see what its axes do."
    parts = []
    if across and math.isfinite(across[0].middle.value):
        best = across[0]
        parts.append(
            f"Across {len(study.tasks)} tasks {best.contender} comes out best: interquartile mean error "
            f"{figure(best.middle.value)} times the best median of each task, average rank {best.rank:.2f}"
            f"{_holding(best.contender, leads, 'tasks') if leads else ''}."
        )
    for task, there in list(found.items())[:MOST_TASKS]:
        top, metric = there.standings[0], study.metrics[task]
        if not math.isfinite(top.median.median):
            parts.append(f"On {task} most runs of every contender failed.")
            continue
        value = float(values_of(np.array([top.median.median]), metric)[0])
        level = [each.contender for each in there.standings if each.median.median == top.median.median]
        if len(level) > 1:
            parts.append(f"On {task} {listed(level)} are level at the top with {metric} {figure(value)}.")
            continue
        how = chosen_text(study, top.configuration)
        text = f"On {task} {top.contender} is best with {metric} {figure(value)}{f' ({how})' if how else ''}"
        parts.append(f"{text}{_holding(top.contender, there.leads, 'seeds')}.")
    if len(found) > MOST_TASKS:
        parts.append(f"The other {len(found) - MOST_TASKS} tasks are below.")
    return " ".join(parts)


def _holding(best: str, leads: Sequence[Lead], what: str) -> str:
    """Return which leads of the best hold, as the end of a sentence."""
    mine = [pair for pair in leads if best in (pair.a, pair.b)]
    hold = [pair.b for pair in mine if pair.holds and pair.a == best]
    open_ = [pair.b if pair.a == best else pair.a for pair in mine if not pair.holds]
    lose = [pair.a for pair in mine if pair.holds and pair.b == best]
    if reachable(leads) > LEVEL:
        return f"; the {what} are too few to show that its lead is more than luck" if leads else ""
    parts = []
    if hold:
        parts.append(f"its lead over {listed(hold)} holds")
    if open_:
        parts.append(
            f"that over {listed(open_)} does not"
            if hold
            else f"its lead over {listed(open_)} does not hold up"
        )
    if lose:
        parts.append(f"yet {listed(lose)} is ahead of it {what[:-1]} by {what[:-1]}")
    return f"; {', '.join(parts)}" if parts else ""


def cautions(study: Study, found: Mapping[str, Findings]) -> list[str]:
    """Return what a reader must know before believing the numbers, one sentence or two each."""
    said, total = [], len(study.runs.rows)
    states = _states(study)
    waiting = sum(states[status] for status in (RUNNING, INTERRUPTED, MISSING, EMPTY))
    if waiting:
        said.append(f"The sweep is not finished: {waiting} of {counted(total, 'run')} are still to come.")
    if states[PRUNED]:
        said.append(f"Runs that the search pruned, and that are in no statistics: {states[PRUNED]}.")
    if states[DAMAGED]:
        said.append(f"Run folders that cannot be read, and are left out: {states[DAMAGED]}.")
    bad = sum(not math.isfinite(trial.error) for cell in study.configurations for trial in cell.trials)
    if bad:
        said.append(f"Runs that failed or gave no finite value, and rank worst everywhere: {bad}.")
    said += _too_few(found)
    standings = [standing for there in found.values() for standing in there.standings]
    tried = {standing.contender: standing.tried for standing in standings}
    if len(set(tried.values())) > 1:
        names = listed([f"{name} ({number})" for name, number in tried.items()])
        said.append(
            f"More tries find better configurations, and contenders had different numbers of them: {names}."
        )
    if any(
        standing.median.median < math.inf and standing.configuration.valid == math.inf
        for standing in standings
    ):
        said.append("Some configurations have no validation error, so the choice among them was blind.")
    said += [text for task, there in found.items() for text in _beaten(task, study.metrics[task], there)]
    if "budget" not in study.compared:
        said += [text for task, there in found.items() if (text := _unequal(task, there.standings))]
    return said


def _beaten(task: str, metric: str, found: Findings) -> list[str]:
    """Return which contenders are no better than a trivial baseline, the best baseline that beats any of them."""
    medians = {
        standing.contender: float(values_of(np.array([standing.median.median]), metric)[0])
        for standing in found.standings
        if math.isfinite(standing.median.median)
    }
    for baseline in found.baselines:
        losers = [
            name
            for name, value in medians.items()
            if badness(value, metric) >= badness(baseline.value, metric)
        ]
        if losers:
            return [
                f"On {task} the trivial baseline {baseline.name} ({figure(baseline.value)}) is at least as good as "
                f"{listed([f'{name} ({figure(medians[name])})' for name in losers])}."
            ]
    return []


def _too_few(found: Mapping[str, Findings]) -> list[str]:
    """Return that the seeds are too few for a claim, where they are."""
    pairs = max((there.leads for there in found.values()), key=len)
    if not pairs:
        return []
    seeds, smallest = max(pair.pairs for pair in pairs), reachable(pairs)
    if smallest > LEVEL:
        return [
            f"With {counted(seeds, 'seed')} and {counted(len(pairs), 'pair')} the smallest corrected p-value there "
            f"can be is {figure(smallest)}: no lead on a task can hold, however large. At least "
            f"{seeds_needed(len(pairs))} seeds are needed."
        ]
    if seeds < ENOUGH_SEEDS:
        return [
            f"{seeds} seeds are few for a claim: ten or more are usual, and intervals from fewer are too narrow."
        ]
    return []


def _unequal(task: str, standings: Sequence[Standing]) -> str:
    """Return that work on a task was not equal, where it was not."""
    known = sorted((s for s in standings if s.work > 0), key=lambda s: s.work)
    if not known or known[-1].work <= UNEQUAL * known[0].work:
        return ""
    times = known[-1].work / known[0].work
    return f"On {task} work was not equal: {known[-1].contender} used {times:.2g} times that of {known[0].contender}."


def leads_text(found: Mapping[str, Findings], across: Sequence[Lead]) -> str:
    """Return how leads are tested and how many hold, in a few sentences."""
    pairs = [pair for there in found.values() for pair in there.leads]
    most = max((there.leads for there in found.values()), key=len)
    smallest = reachable(most)
    text = (
        "Wilcoxon's signed-rank test, on each task seed by seed; p is given after Holm's correction over the "
        f"{counted(len(most), 'pair')} of a task"
    )
    if smallest > LEVEL:
        text += f". It cannot be smaller than {figure(smallest)}: too few seeds to tell anything apart."
    else:
        text += f", and can be as small as {figure(smallest)}. {sum(pair.holds for pair in pairs)} of {len(pairs)} leads hold."
    if across:
        text += (
            " Over all tasks it goes task by task, by the medians: "
            f"{sum(pair.holds for pair in across)} of {len(across)} leads hold."
        )
    return text


def ranks_text(study: Study, found: RankComparison | None) -> str:
    """Return what Friedman's test says, or why it is not made."""
    if found is not None:
        verdict = "differ" if found.p <= LEVEL else "cannot be told apart"
        return (
            f"Friedman's test over {found.tasks} tasks: chi-squared {figure(found.statistic)}, p {figure(found.p)}: the "
            f"contenders {verdict}. By Nemenyi's test two of them differ when their average ranks lie at least "
            f"{figure(found.critical)} apart; thick bars join those that do not."
        )
    if len(study.tasks) < FEWEST_TASKS:
        return (
            f"There are {counted(len(study.tasks), 'task')}; Friedman's test and a critical difference need at least "
            f"{FEWEST_TASKS} tasks to mean anything, so none is shown."
        )
    return "Friedman's test needs at least three contenders that ran on every task, so none is shown."


def notes(study: Study) -> list[str]:
    """Return how the numbers are to be read, one sentence or two each."""
    tuned = listed(list(study.tuned)) if study.tuned else ""
    found = []
    if tuned:
        found.append(
            f"Each contender is shown on each task with the values of {tuned} whose median validation error over the seeds "
            "is smallest; test data have no say in that choice. It was made with the same seeds, so a contender with many "
            "configurations still gains a little by it."
        )
    found += [
        "Medians have exact 95 % percentile bootstrap intervals. The interquartile mean is that of the middle half of the "
        "runs; its interval resamples the runs within each task (stratified bootstrap, 2,000 resamples).",
        "Relative errors are multiples of the best median on the task: 1 is as good as the best contender there. Of shares "
        "such as accuracy, the error is what is missing to 1; of returns, how far they fall short.",
        "The same seed is the same data for all contenders, so tests compare seed by seed. A failed run ranks worst.",
        "The probability of improvement is the chance that a run of one has a smaller error than a run of the other on a "
        "task taken at random, ties counting half; 0.5 is no difference.",
        "What the axes do is shown by the test errors of all runs: a description of the sweep, from which no "
        "configuration was chosen.",
        "The expected running time is what all runs spent together for each one that reached the target. A run that ends "
        "before the target is censored there: it would have needed more.",
        "Work counts multiply-adds and is the same on every machine; seconds are without compiling.",
    ]
    return found
