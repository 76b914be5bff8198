"""Records of a sweep's runs that its page reads from run folders: curves, targets, failures, environments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.base.errors import EvorrnError, RunError
from evorrn.base.files import readable_json
from evorrn.lab.report.page import ENVIRONMENT, settings_text
from evorrn.lab.report.records import learning_curves
from evorrn.lab.runs.assessments import baseline_values
from evorrn.lab.runs.run import COMPLETE, COSTS, DAMAGED, FAILED
from evorrn.lab.runs.spec import resolve_stored
from evorrn.lab.study.comparison import Baseline, badness
from evorrn.lab.study.curves import Curve
from evorrn.lab.study.ranking import make_baselines
from evorrn.lab.study.reaching import Spent, expected_running_time, median_cost, until
from evorrn.lab.study.study import Study

SHARES = (0.75, 0.5, 0.25)
"""Without a target in the budget, the targets are the losses that these shares of the runs reach."""
MOST_ENVIRONMENTS = 200

Curves = dict[str, dict[str, list[Curve]]]


@dataclass(frozen=True)
class Reached:
    """The cost of a contender to reach a target, a validation loss, on a task.

    `runs` is the number of its runs, `reached` that of the runs that reached the target. `median` is the work at which
    half of the runs have reached it; `work`, `steps` and `seconds` are expected running times. They are ``inf`` where
    too few runs have reached it.
    """

    contender: str
    target: float
    runs: int
    reached: int
    median: float
    work: float
    steps: float
    seconds: float


@dataclass(frozen=True)
class Failure:
    """Runs that failed, or cannot be read, for the same reason; folder and traceback are those of one of them."""

    error: str
    status: str
    count: int
    folder: str
    traceback: str


def curves(study: Study, task: str, damaged: dict[str, str] | None = None) -> Curves:
    """Return the best validation loss so far of every chosen run: by cost (work, steps, seconds) and contender.

    Runs whose history is damaged are left out, and added to `damaged` with the reason, by their folders.
    """
    found: Curves = {cost: {} for cost in COSTS}
    for contender in study.contenders:
        for trial in study.trials(task, contender):
            try:
                known = learning_curves(study.runs.root / trial.row.folder)
            except RunError as error:
                if damaged is not None:
                    damaged[trial.row.folder] = str(error)
                continue
            for cost, curve in known.items():
                best = curve.best_so_far()
                if len(best.loss):
                    found[cost].setdefault(contender, []).append(best)
    return found


def targets(study: Study, by_work: Mapping[str, Sequence[Curve]]) -> list[float]:
    """Return the target validation losses: those of the budgets, else those that shares of the runs reach."""
    set_ = {row.get("budget.loss") for row in study.runs.rows if row.get("budget.loss") is not None}
    if set_:
        return sorted({float(value) for value in set_}, reverse=True)
    final = [float(curve.loss[-1]) for runs in by_work.values() for curve in runs]
    found = np.quantile(final, SHARES, method="higher").tolist() if final else []
    return sorted(set(found), reverse=True)


def spent_until(study: Study, task: str, contender: str, runs: Sequence[Curve], target: float) -> Spent:
    """Return the costs of a contender's chosen runs until a target; runs without a curve never reach it."""
    return until(runs, target, failed=len(study.trials(task, contender)) - len(runs))


def reached(study: Study, task: str, found: Curves, target: float) -> list[Reached]:
    """Return the cost of every contender to reach a target, the cheapest first."""
    rows = []
    for contender in found["work"]:
        spent = {
            cost: spent_until(study, task, contender, found[cost].get(contender, ()), target)
            for cost in COSTS
        }
        there = spent["work"].reached
        times = [expected_running_time(spent[cost]) for cost in COSTS]
        median = median_cost(spent["work"])
        rows.append(Reached(contender, target, len(there), int(there.sum()), median, *times))
    return sorted(rows, key=lambda row: (row.work, row.contender))


def baselines(study: Study, task: str) -> list[Baseline]:
    """Return a task's trivial baselines on the data of the seeds that ran, best first.

    Empty where the task cannot be made again, for instance because its data file is gone.
    """
    rows = [trial.row for trial in study.trials(task) if trial.row.status == COMPLETE]
    seeds = sorted({row.seed for row in rows if row.seed is not None})
    try:
        spec = resolve_stored(study.runs.root / rows[0].folder)
        values = baseline_values(spec, seeds, study.metrics[task])
    except (EvorrnError, IndexError):
        return []
    found = make_baselines(values, study.metrics[task])
    return sorted(found, key=lambda baseline: badness(baseline.value, study.metrics[task]))


def failures(study: Study, damaged: Mapping[str, str] | None = None) -> list[Failure]:
    """Return the reasons for which runs failed or cannot be read, the most frequent first.

    `damaged` are further runs, by their folders, whose history cannot be read, with the reason.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for folder, reason in (damaged or {}).items():
        groups.setdefault((DAMAGED, reason), []).append(folder)
    for row in study.runs.rows:
        if row.status in (FAILED, DAMAGED):
            groups.setdefault((row.status, row.error), []).append(row.folder)
    found = []
    for (status, error), folders in sorted(groups.items(), key=lambda item: -len(item[1])):
        content = readable_json(study.runs.root / folders[0] / "status.json")
        traceback = str(content.get("traceback") or "")
        found.append(Failure(error, status, len(folders), folders[0], traceback))
    return found


def environments(study: Study) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return the values of each entry of the chosen runs' environments, with the number of runs of each."""
    folders = [trial.row.folder for task in study.tasks for trial in study.trials(task)]
    step = -(-len(folders) // MOST_ENVIRONMENTS) or 1
    known = [readable_json(study.runs.root / folder / "env.json") for folder in folders[::step]]
    found = []
    for name in ENVIRONMENT:
        values = Counter(settings_text(content[name]) for content in known if content.get(name))
        if values:
            found.append((name, values.most_common()))
    return found
