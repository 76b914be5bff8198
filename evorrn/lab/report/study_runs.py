"""What the report of a study reads from run folders beyond their rows: curves, failures, environments."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.errors import EvorrnError
from evorrn.lab.report.curves import Curve
from evorrn.lab.runs.run import COMPLETE, DAMAGED, FAILED
from evorrn.lab.runs.typed import read
from evorrn.lab.study.comparison import Baseline, badness
from evorrn.lab.study.reaching import Spent, expected_running_time, median_cost, until
from evorrn.lab.study.study import Configuration, Study
from evorrn.training.result import load_history

ALONG = ("work", "steps", "seconds")
SHARES = (0.75, 0.5, 0.25)
"""Where no target is set: losses that three quarters, half and a quarter of the runs reach."""
SHOWN = (
    "evorrn",
    "results_version",
    "git",
    "python",
    "platform",
    "cpu",
    "cores",
    "numba",
    "blas",
    "threads",
    "host",
)
MOST_ENVIRONMENTS = 200

Curves = dict[str, dict[str, list[Curve]]]


@dataclass(frozen=True)
class Reached:
    """What it cost a contender to reach a target on a task.

    Attributes
    ----------
    contender : str
    target : float
        Validation loss.
    runs, reached : int
    median, work, steps, seconds : float
        Work by which half of the runs are there, and expected running times; ``inf`` where none gets there.
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
    """Runs that failed or cannot be read for the same reason: what it is, how many, and one of them."""

    error: str
    status: str
    count: int
    folder: str
    traceback: str


def curves(study: Study, task: str) -> Curves:
    """Return the best validation loss so far of every chosen run: by cost (work, steps, seconds) and contender."""
    found: Curves = {along: {} for along in ALONG}
    for contender in study.contenders:
        chosen = study.chosen(task, contender)
        if chosen is None:
            continue
        for trial in chosen.trials:
            history, seconds = load_history(study.runs.root / trial.row.folder)
            if "valid_loss" not in history:
                continue
            loss = np.asarray(history["valid_loss"], dtype=np.float64)
            costs = {"work": history["work"], "steps": history.get("steps", ()), "seconds": seconds}
            for along, spent in costs.items():
                if len(spent) == len(loss):
                    curve = Curve(np.asarray(spent, dtype=np.float64), loss).best_so_far()
                    if len(curve.loss):
                        found[along].setdefault(contender, []).append(curve)
    return found


def targets(study: Study, task: str, by_work: Mapping[str, Sequence[Curve]]) -> list[float]:
    """Return the validation losses that runs are timed to: the budget's, else what shares of them reach."""
    set_ = {row.get("budget.loss") for row in study.runs.rows if row.get("budget.loss") is not None}
    if set_:
        return sorted({float(value) for value in set_}, reverse=True)
    final = [float(curve.loss[-1]) for runs in by_work.values() for curve in runs]
    found = np.quantile(final, SHARES, method="higher").tolist() if final else []
    return sorted(set(found), reverse=True)


def spent_until(study: Study, task: str, contender: str, runs: Sequence[Curve], target: float) -> Spent:
    """Return what the chosen runs of a contender spent until they reached a target; runs without curve never do."""
    return until(runs, target, failed=len(_trials(study.chosen(task, contender))) - len(runs))


def reached(study: Study, task: str, found: Curves, target: float) -> list[Reached]:
    """Return what it cost every contender to reach a target, the cheapest first."""
    rows = []
    for contender in found["work"]:
        spent = {
            along: spent_until(study, task, contender, found[along].get(contender, ()), target)
            for along in ALONG
        }
        rows.append(
            Reached(
                contender,
                target,
                len(spent["work"].reached),
                int(spent["work"].reached.sum()),
                median_cost(spent["work"]),
                *(expected_running_time(spent[along]) for along in ALONG),
            )
        )
    return sorted(rows, key=lambda row: (row.work, row.contender))


def baselines(study: Study, task: str) -> list[Baseline]:
    """Return a task's trivial baselines on the data of the seeds that ran, best first.

    None where the task cannot be made again, for instance since its data file is gone.
    """
    from evorrn.lab.runs.assessments import baseline_values
    from evorrn.lab.runs.spec import resolve
    from evorrn.lab.study.ranking import make_baseline

    trials = [trial for name in study.contenders for trial in _trials(study.chosen(task, name))]
    rows = [trial.row for trial in trials if trial.row.status == COMPLETE]
    seeds = sorted({row.seed for row in rows if row.seed is not None})
    try:
        spec = resolve(read(study.runs.root / rows[0].folder / "spec.toml"))
        values = baseline_values(spec, seeds, study.metrics[task])
    except (EvorrnError, IndexError):
        return []
    found = [make_baseline(name, study.metrics[task], scores) for name, scores in values.items()]
    return sorted(found, key=lambda baseline: badness(baseline.value, study.metrics[task]))


def failures(study: Study) -> list[Failure]:
    """Return why runs failed or cannot be read, the most frequent reason first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in study.runs.rows:
        if row.status in (FAILED, DAMAGED):
            groups.setdefault((row.status, row.error), []).append(row.folder)
    return [
        Failure(error, status, len(folders), folders[0], _traceback(study.runs.root / folders[0]))
        for (status, error), folders in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]


def environments(study: Study) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return what the chosen runs were made with: each entry's values, and how many runs have each."""
    folders = [
        trial.row.folder
        for task in study.tasks
        for contender in study.contenders
        for trial in _trials(study.chosen(task, contender))
    ]
    step = -(-len(folders) // MOST_ENVIRONMENTS) or 1
    read = [_json(study.runs.root / folder / "env.json") for folder in folders[::step]]
    counted = {name: Counter(_text(content[name]) for content in read if content.get(name)) for name in SHOWN}
    return [(name, values.most_common()) for name, values in counted.items() if values]


def _trials(chosen: Configuration | None) -> list[Any]:
    return [] if chosen is None else chosen.trials


def _traceback(folder: Path) -> str:
    return str(_json(folder / "status.json").get("traceback") or "")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
