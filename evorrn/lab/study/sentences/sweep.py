"""A sweep in words: the answer, warnings, and notes on the numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from evorrn.base.text import counted, figure, listed
from evorrn.lab.runs.run import COMPLETE, DAMAGED, EMPTY, FAILED, INTERRUPTED, MISSING, PRUNED, RUNNING
from evorrn.lab.study.rank_tests import FEWEST_TASKS, RankComparison
from evorrn.lab.study.sentences import common
from evorrn.lab.study.standings import Findings, Lead, Overall, Standing, units
from evorrn.lab.study.statistics import LEVEL
from evorrn.lab.study.study import ABSENT, Study, chosen_text

ORDER = (COMPLETE, FAILED, PRUNED, RUNNING, INTERRUPTED, MISSING, EMPTY, DAMAGED)
ENOUGH_SEEDS = 10
UNEQUAL = 1.05
"""Ratio of work above which contenders are not at equal cost."""
MOST_TASKS = 4
"""Tasks for which the answer has a sentence each."""


def title(study: Study) -> str:
    """Return what was swept, in a line."""
    found = {name: len([label for label in labels if label != ABSENT]) for name, labels in study.axes.items()}
    axes = [f"{count} values of {name}" for name, count in found.items() if count > 1]
    runs = counted(len(study.runs.rows), "run")
    counts = [len(cell.trials) for cell in study.configurations]
    low, high = min(counts), max(counts)
    seeds = counted(high, "seed") if low == high else f"{low} to {high} seeds"
    return f"{runs}: {listed(axes)}, {seeds}" if axes else f"{runs}, {seeds}"


def state(study: Study) -> str:
    """Return the number of runs in each state, in a line."""
    found = _states(study)
    order = sorted(found, key=lambda status: ORDER.index(status) if status in ORDER else len(ORDER))
    return ", ".join(f"{found[status]} {status}" for status in order)


def _states(study: Study) -> Counter[str]:
    return Counter(row.outcome for row in study.runs.rows)


def answer(
    study: Study, found: Mapping[str, Findings], across: Sequence[Overall], leads: Sequence[Lead]
) -> str:
    """Return the outcome in a few sentences: the best across the tasks and on each, and which leads hold."""
    if len(study.contenders) < 2:
        return "The sweep compares only configurations of one way of training; see the effects of its axes."
    parts = []
    if across and math.isfinite(across[0].middle.value):
        best = across[0]
        parts.append(
            f"Across {len(study.tasks)} tasks {best.contender} is best: interquartile mean error "
            f"{figure(best.middle.value)} times the best median of each task, average rank {best.rank:.2f}"
            f"{_clauses(best.contender, leads, 'task')}."
        )
    parts += [_best(study, task, there) for task, there in list(found.items())[:MOST_TASKS]]
    if len(found) > MOST_TASKS:
        parts.append(f"The other {len(found) - MOST_TASKS} tasks are below.")
    return " ".join(parts)


def _best(study: Study, task: str, found: Findings) -> str:
    """Return the best contender on a task in a sentence."""
    top, metric = found.standings[0], study.metrics[task]
    value = top.row.median
    if not math.isfinite(value):
        return f"On {task} most runs of every contender failed."
    level = [each.contender for each in found.standings if each.row.median == value]
    if len(level) > 1:
        return f"On {task} {listed(level)} are level at the top with {metric} {figure(value)}."
    how = chosen_text(study, top.configuration)
    chosen = f" ({how})" if how else ""
    clauses = _clauses(top.contender, found.leads, "seed")
    return f"On {task} {top.contender} is best with {metric} {figure(value)}{chosen}{clauses}."


def _clauses(best: str, leads: Sequence[Lead], unit: str) -> str:
    """Return which leads of the best hold, as the end of a sentence."""
    if common.too_few(units(leads), len(leads), unit):
        return f"; so few {unit}s cannot show that its lead is more than chance"
    clauses = common.leads(best, leads, unit)
    return f"; {', '.join(clauses)}" if clauses else ""


def cautions(study: Study, found: Mapping[str, Findings]) -> list[str]:
    """Return warnings about the numbers, one each."""
    total, states = len(study.runs.rows), _states(study)
    waiting = sum(states[status] for status in (RUNNING, INTERRUPTED, MISSING, EMPTY))
    bad = sum(not math.isfinite(trial.error) for cell in study.configurations for trial in cell.trials)
    warnings = [
        (waiting, f"The sweep is not finished: {waiting} of {counted(total, 'run')} are still to come."),
        (states[PRUNED], f"Runs that the search pruned, left out of all statistics: {states[PRUNED]}."),
        (states[DAMAGED], f"Run folders that cannot be read, left out: {states[DAMAGED]}."),
        (bad, f"Runs that failed or gave no finite value, ranked worst everywhere: {bad}."),
    ]
    said = [text for count, text in warnings if count]
    said += [
        common.undefined(name, study.metrics[task], f"On {task} ") for task, name in study.undefined.items()
    ]
    said.append(_too_few(found))
    standings = [standing for there in found.values() for standing in there.standings]
    tried = {standing.contender: standing.tried for standing in standings}
    if len(set(tried.values())) > 1:
        names = listed([f"{name} ({number})" for name, number in tried.items()])
        said.append(
            "More configurations make a better best one, and the contenders had different numbers of "
            f"configurations: {names}."
        )
    if any(math.isfinite(one.row.median) and one.configuration.valid == math.inf for one in standings):
        said.append("Some configurations have no validation error, so the choice among them is arbitrary.")
    for task, there in found.items():
        medians = {one.contender: one.row.median for one in there.standings if math.isfinite(one.row.median)}
        said.append(common.beaten(there.baselines, medians, study.metrics[task], f"On {task} "))
        sighted = [one.contender for one in there.standings if one.row.sees_targets]
        said.append(common.sighted(sighted, f"On {task} "))
    if "budget" not in study.compared:
        said += [_unequal(task, there.standings) for task, there in found.items()]
    return [text for text in said if text]


def _too_few(found: Mapping[str, Findings]) -> str:
    """Return that the seeds are too few, where they are."""
    pairs = max((there.leads for there in found.values()), key=len)
    few = common.too_few(units(pairs), len(pairs))
    if few or not pairs or units(pairs) >= ENOUGH_SEEDS:
        return few
    return f"{units(pairs)} seeds are few: ten or more are usual, and intervals from fewer are too narrow."


def _unequal(task: str, standings: Sequence[Standing]) -> str:
    """Return that work on a task was not equal, where it was not."""
    known = sorted((one.row for one in standings if one.row.work > 0), key=lambda row: row.work)
    if not known or known[-1].work <= UNEQUAL * known[0].work:
        return ""
    least, most = known[0], known[-1]
    times = most.work / least.work
    return f"On {task} work was not equal: {most.strategy} used {times:.2g} times that of {least.strategy}."


def leads_text(found: Mapping[str, Findings], across: Sequence[Lead]) -> str:
    """Return how leads are tested and how many hold, in a few sentences."""
    pairs = [pair for there in found.values() for pair in there.leads]
    most = max((there.leads for there in found.values()), key=len)
    holding = f"{sum(pair.holds for pair in pairs)} of {counted(len(pairs), 'lead')} hold"
    return " ".join(
        [
            "Leads on a task are tested seed by seed with Wilcoxon's signed-rank test, and corrected after Holm over "
            f"the pairs of the task: {common.too_few(units(most), len(most)) or f'{holding}.'}",
            "Leads over all tasks are tested task by task, by the medians divided by the best median of each task: "
            f"{sum(pair.holds for pair in across)} of {counted(len(across), 'lead')} hold."
            if across
            else "",
        ]
    ).strip()


def ranks_text(study: Study, found: RankComparison | None) -> str:
    """Return the outcome of Friedman's test, or why there is none."""
    if found is not None:
        verdict = "differ" if found.p <= LEVEL else "cannot be told apart"
        return (
            f"Friedman's test over {found.tasks} tasks: chi-squared {figure(found.statistic)}, p {figure(found.p)}; the "
            f"contenders {verdict}. By Nemenyi's test two of them differ when their average ranks are at least "
            f"{figure(found.critical)} apart; thick bars join those that do not differ."
        )
    if len(study.tasks) < FEWEST_TASKS:
        return (
            f"Friedman's test and a critical difference need at least {FEWEST_TASKS} tasks; this sweep has "
            f"{len(study.tasks)}."
        )
    return "Friedman's test needs at least three contenders with runs on every task."


def notes(study: Study) -> list[str]:
    """Return notes on how to read the numbers."""
    found = []
    if study.tuned:
        found.append(
            f"Each contender is shown on each task with the values of {listed(list(study.tuned))} whose median validation "
            "error over the seeds is smallest. Test data are not used for that choice. Validation errors come from the "
            "same seeds, so a contender with many configurations still gains a little by the choice."
        )
    return [
        *found,
        f"{common.MEDIANS} The interquartile mean is the mean of the middle half of the runs; its interval is a "
        "stratified bootstrap, which resamples the runs within each task (2,000 resamples).",
        "Relative errors are multiples of the best median on the task: 1 equals the best contender there. For shares such "
        "as accuracy the error is 1 minus the share; for returns it is the shortfall.",
        "A seed gives all contenders the same data, so tests compare seed by seed. A failed run ranks worst.",
        "The probability of improvement is the chance that a run of one has a smaller error than a run of the other on a "
        "random task; ties count one half, and 0.5 means no difference.",
        "Effects of axes are computed from the test errors of all runs. They describe the sweep; no configuration is chosen "
        "from them.",
        "The expected running time is the total cost of all runs divided by the number of runs that reached the target. "
        "A run that ends before the target is censored: its cost to the target is larger, but not known.",
        common.COSTS,
    ]
