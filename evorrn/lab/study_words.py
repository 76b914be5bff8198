"""A study in words: the answer, what to be wary of, and how its numbers are to be read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from evorrn.lab.rank_tests import FEWEST_TASKS, RankComparison
from evorrn.lab.rows import DAMAGED, EMPTY, MISSING
from evorrn.lab.statistics import LEVEL, seeds_needed
from evorrn.lab.store import COMPLETE, FAILED, INTERRUPTED, RUNNING
from evorrn.lab.study import Study, values_of
from evorrn.lab.study_tests import Lead, Overall, Standing, reachable
from evorrn.lab.words import counted, figure, listed

ORDER = (COMPLETE, FAILED, RUNNING, INTERRUPTED, MISSING, EMPTY, DAMAGED)
ENOUGH_SEEDS = 10
UNEQUAL = 1.2


def title(study: Study) -> str:
    """Return what was swept, in a line."""
    axes = [f"{counted(len(labels), 'value')} of {name}" for name, labels in study.axes.items()]
    return f"{counted(len(study.runs.rows), 'run')}: {listed(axes)}, {seeds_text(study)}" if axes else ""


def seeds_text(study: Study) -> str:
    """Return how many seeds the configurations have."""
    counts = [len(cell.trials) for cell in study.configurations]
    low, high = min(counts), max(counts)
    return counted(high, "seed") if low == high else f"{low} to {high} seeds"


def state(study: Study) -> str:
    """Return how many runs are in which state, in a line."""
    found = Counter(row.status for row in study.runs.rows)
    order = sorted(found, key=lambda status: ORDER.index(status) if status in ORDER else len(ORDER))
    return ", ".join(f"{found[status]} {status}" for status in order)


def answer(
    study: Study, found: dict[str, list[Standing]], pairs: Sequence[Lead], across: Sequence[Overall]
) -> str:
    """Return the outcome in a few sentences: who leads on each task and across them, and whether that holds."""
    if len(study.contenders) < 2:
        return "The sweep compares nothing but configurations of one way of training: see what its axes do."
    parts = []
    if across and math.isfinite(across[0].middle.value):
        best = across[0]
        parts.append(
            f"Across {counted(len(study.tasks), 'task')} {best.contender} comes out best: interquartile mean error "
            f"{figure(best.middle.value)} times the best median of each task, average rank {best.rank:.2f}."
        )
    for task, standings in list(found.items())[:4]:
        top = standings[0]
        if not math.isfinite(top.median.median):
            parts.append(f"On {task} most runs of every contender failed.")
            continue
        metric = study.metrics[task]
        value = float(values_of(np.array([top.median.median]), metric)[0])
        text = f"On {task} {top.contender} is best with {metric} {figure(value)}"
        mine = [pair for pair in pairs if pair.task == task and top.contender in (pair.a, pair.b)]
        hold = [pair.b for pair in mine if pair.holds and pair.a == top.contender]
        open_ = [pair.b if pair.a == top.contender else pair.a for pair in mine if not pair.holds]
        if reachable(pairs) > LEVEL:
            text += "; the seeds are too few to show that its lead is more than luck"
        elif hold and not open_:
            text += f", and its lead over {listed(hold)} holds"
        elif hold:
            text += f"; its lead over {listed(hold)} holds, that over {listed(open_)} does not"
        elif open_:
            text += f"; its lead over {listed(open_)} does not hold up"
        parts.append(text + ".")
    if len(found) > 4:
        parts.append(f"The other {len(found) - 4} tasks are below.")
    return " ".join(parts)


def cautions(study: Study, found: dict[str, list[Standing]], pairs: Sequence[Lead]) -> list[str]:
    """Return what a reader must know before believing the numbers, one sentence or two each."""
    said = []
    states = Counter(row.status for row in study.runs.rows)
    waiting = sum(states[status] for status in (RUNNING, INTERRUPTED, MISSING, EMPTY))
    if waiting:
        said.append(
            f"The sweep is not finished: {counted(waiting, 'run')} of {len(study.runs.rows)} are still to come."
        )
    if states[DAMAGED]:
        said.append(
            f"{counted(states[DAMAGED], 'run folder')} cannot be read and is left out."
            if states[DAMAGED] == 1
            else f"{states[DAMAGED]} run folders cannot be read and are left out."
        )
    bad = sum(not math.isfinite(trial.error) for cell in study.configurations for trial in cell.trials)
    if bad:
        said.append(
            f"{counted(bad, 'run')} failed or gave no finite value; {'it ranks' if bad == 1 else 'they rank'} worst everywhere."
        )
    said += _too_few(study, pairs)
    tried = {(s.contender, s.tried) for standings in found.values() for s in standings}
    numbers = {number for _, number in tried}
    if len(numbers) > 1 and len(study.contenders) > 1:
        names = listed([f"{name} ({number})" for name, number in sorted(tried)])
        said.append(
            f"Contenders were chosen from different numbers of configurations, and more tries find better ones: {names}."
        )
    if any(
        not math.isfinite(s.configuration.valid)
        for standings in found.values()
        for s in standings
        if s.failed < len(s.configuration.trials)
    ):
        said.append("Some runs have no validation error, so their configuration could not be chosen by it.")
    for task, standings in found.items():
        works = [s.work for s in standings if math.isfinite(s.work) and s.work > 0]
        if "budget" not in study.compared and works and max(works) > UNEQUAL * min(works):
            least, most = (
                f(
                    standings,
                    key=lambda s: s.work if math.isfinite(s.work) else (math.inf if f is min else -1),
                )
                for f in (min, max)
            )
            said.append(
                f"On {task} the work was not equal: {most.contender} used {most.work / least.work:.2g} times that of {least.contender}."
            )
    return said


def _too_few(study: Study, pairs: Sequence[Lead]) -> list[str]:
    if not pairs:
        return []
    seeds = max(pair.seeds for pair in pairs)
    smallest = reachable(pairs)
    if smallest > LEVEL:
        return [
            f"With {counted(seeds, 'seed')} and {counted(len(pairs), 'pair')} the smallest corrected p-value there can "
            f"be is {figure(smallest)}: no lead can hold, however large. At least {seeds_needed(len(pairs))} seeds are needed."
        ]
    if seeds < ENOUGH_SEEDS:
        return [
            f"{counted(seeds, 'seed')} are few for a claim: ten or more are usual, and intervals from fewer are too narrow."
        ]
    return []


def leads_text(pairs: Sequence[Lead]) -> str:
    """Return how many leads hold, in a sentence or two."""
    smallest = reachable(pairs)
    text = f"Wilcoxon's signed-rank test, seed by seed; p is given after Holm's correction over all {counted(len(pairs), 'pair')}"
    if smallest > LEVEL:
        return f"{text}. It cannot be smaller than {figure(smallest)}: too few seeds to tell anything apart."
    return f"{text}, and can be as small as {figure(smallest)}. {sum(pair.holds for pair in pairs)} of {len(pairs)} leads hold."


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
        "The expected running time is what all runs spent together for each one that reached the target. A run that ends "
        "before the target is censored there: it would have needed more.",
        "Work counts multiply-adds and is the same on every machine; seconds are without compiling.",
    ]
    return found
