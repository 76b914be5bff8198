"""Compare: several ways of training on one task, each in every seed, all at the same budget of work.

The runs are ordinary run folders, so a comparison that was interrupted goes on where it stopped, and runs
that are complete are used again.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evorrn.base.errors import RunError
from evorrn.base.files import write_atomic
from evorrn.lab.planning import (
    BUDGET,
    QUICK_BUDGET,
    QUICK_SEEDS,
    SEEDS,
    Asked,
    Choice,
    asked,
    command_line,
    identity,
    plan_parts,
    usual_strategies,
)
from evorrn.lab.report.comparison import write_report
from evorrn.lab.report.records import load_comparison
from evorrn.lab.runs import environment
from evorrn.lab.runs.assessments import longest_valid_time
from evorrn.lab.runs.hooks import SILENT, Hooks
from evorrn.lab.runs.spec import Spec
from evorrn.lab.runs.store import writing_findings
from evorrn.lab.scoring import common_metric, make_part
from evorrn.lab.study.backtest import combined, same_names
from evorrn.lab.study.comparison import Baseline, Comparison
from evorrn.lab.study.ranking import make_differences
from evorrn.lab.sweep.many import run_all

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task


USUAL = Choice()
TABLES = ("csv", "npz")
"""The tasks whose outputs have names that a file gives."""
KEYS = ("name", "version", "seed_changes", "outputs", "notes", "settings")
"""What plain data say of a task besides its settings."""


def compare(
    raw: Mapping[str, Any],
    base: Path | None = None,
    *,
    root: Path,
    choice: Choice = USUAL,
    jobs: int = 1,
    force: bool = False,
    command: str = "",
    hooks: Hooks = SILENT,
) -> Comparison:
    """Run every strategy in every seed, judge them beside the task's baselines, and write the report.

    Random search always takes part. Each strategy uses the network that the task recommends for it, unless
    a cell or a size is given: then all use the same.

    Parameters
    ----------
    raw : mapping
        What to run, as `evorrn.lab.runs.spec.resolve` takes it, without a seed: ``task``, ``budget`` (5G by
        default), ``network``, and a table of settings under the name of each strategy that differs from
        its defaults, for instance ``{"ga": {"population": 512}}``.
    base : Path, optional
        Folder that relative paths start from.
    root : Path
        The folder of all runs.
    choice : Choice
    jobs : int
        Worker processes, see `evorrn.lab.sweep.many.run_all`.
    force : bool
        Run again what is complete.
    command : str
        The command line for the report; made up from the other arguments when empty.
    hooks : Hooks
        `watch` is called with a `RunsProgress` when a run begins, and now and then while it goes on.

    Returns
    -------
    Comparison
        Also written to ``comparison.json`` beside the report, below ``root / "comparisons"``.

    Raises
    ------
    ConfigError
        With every mistake in what was given, before anything runs.
    Unfinished
        When runs have ended and the rest, or the report, cannot be written.
    KeyboardInterrupt
        After SIGINT or SIGTERM; interrupted runs have written checkpoints, and the same call goes on from there.
    """
    raw, wanted = asked(raw, choice)
    count = choice.seeds if choice.seeds is not None else QUICK_SEEDS if choice.quick else SEEDS
    given = {"budget": QUICK_BUDGET if choice.quick else BUDGET, **raw}
    strategies = usual_strategies(given, base) if choice.strategies is None else choice.strategies
    plans = plan_parts(given, base, strategies, count, wanted)
    for text in _notes(next(iter(plans[0].values()))[0].task):
        hooks.note(text)
    # By seed, not by strategy: each worker compiles another program, and an early end leaves whole seeds.
    order = [spec for plan in plans for specs in zip(*plan.values()) for spec in specs]
    runs = {
        spec.id: run
        for spec, run in zip(order, run_all(order, root, jobs=jobs, force=force, hooks=hooks), strict=True)
    }
    for spec in order:
        if runs[spec.id].error:
            hooks.warn(f"{spec.strategy.name}, seed {spec.seed} failed: {runs[spec.id].error}")
    task = order[0].task
    first = task.metrics[0]
    metric = common_metric(plans, runs, first)
    folder = root / "comparisons" / identity(plans, wanted)
    about = environment.summary()
    known = None if force else _stored(folder, metric, about, len(plans))
    stored = [part.baselines for part in known.parts or (known,)] if known else [None] * len(plans)
    parts = same_names(
        [
            make_part(plan, runs, metric, root, wanted, baselines)
            for plan, baselines in zip(plans, stored, strict=True)
        ]
    )
    rows, baselines = combined(parts, metric)
    comparison = Comparison(
        task=_task(task, wanted),
        budget=str(given["budget"]),
        metric=metric,
        seeds=tuple(range(count)),
        rows=tuple(rows),
        baselines=tuple(baselines),
        differences=tuple(make_differences(rows, metric)),
        references=tuple(dataclasses.asdict(reference) for reference in task.references),
        command=command or command_line(given, strategies, count, wanted),
        environment=about,
        report=str(folder / "report.html"),
        undefined=first if metric != first else "",
        level=wanted.level,
        parts=tuple(parts) if len(parts) > 1 else (),
        largest=_largest(order[0], metric, known),
    )
    return _written(comparison, root, folder)


def _largest(spec: Spec, metric: str, known: Comparison | None) -> float | None:
    """Return the largest possible ``valid_time``, if that is the metric."""
    if metric != "valid_time":
        return None
    return known.largest if known else longest_valid_time(spec)


def _stored(folder: Path, metric: str, about: Mapping[str, Any], count: int) -> Comparison | None:
    """Return the comparison of a folder if this code, with these libraries and on this machine, has written it.

    It has `count` parts, and its baselines are those that would be computed again.
    """
    if (about.get("git") or {}).get("dirty"):
        return None
    with suppress(RunError):  # there is none, or it is damaged
        known = load_comparison(folder)
        same = known.metric == metric and known.environment == json.loads(json.dumps(about))
        return known if same and len(known.parts or (known,)) == count else None
    return None


def _written(comparison: Comparison, root: Path, folder: Path) -> Comparison:
    """Write a comparison and its report, unless the folder holds the same; return the one that is written.

    It is the same where nothing but the seconds of baselines differs, which are measured whenever they are computed.
    """
    content, path = json.dumps(comparison.as_dict(), indent=1) + "\n", folder / "comparison.json"
    with writing_findings(folder):
        if Path(comparison.report).is_file():
            with suppress(RunError):  # there is none, or it is damaged
                known = load_comparison(folder)
                if json.dumps(_timeless(known).as_dict()) == json.dumps(_timeless(comparison).as_dict()):
                    return known
        write_report(comparison, root, Path(comparison.report))
        write_atomic(path, content)  # last, since it says that the report is of these numbers
    return comparison


def _timeless(comparison: Comparison) -> Comparison:
    """Return a comparison without the seconds of its baselines."""

    def of(baselines: tuple[Baseline, ...]) -> tuple[Baseline, ...]:
        return tuple(dataclasses.replace(each, seconds=math.nan) for each in baselines)

    parts = tuple(dataclasses.replace(part, baselines=of(part.baselines)) for part in comparison.parts)
    return dataclasses.replace(comparison, baselines=of(comparison.baselines), parts=parts)


def _task(task: Task | Environment, wanted: Asked) -> dict[str, Any]:
    """Return a task as plain data, with all horizons; for a data file with the names of its outputs.

    Settings that have the name of one of the other `KEYS` are in a table ``settings`` of their own.
    """
    values = task.values()
    if {"fold", "folds"} <= values.keys():
        del values["fold"]
    own = {name: values.pop(name) for name in KEYS if name in values}
    content = {"name": task.name, "version": task.version, "seed_changes": task.seed_changes, **values}
    content |= {"settings": own} if own else {}
    content |= {"horizon": list(wanted.horizons)} if len(wanted.horizons) > 1 else {}
    if task.name in TABLES:
        outputs = getattr(task, "scored_names", task.output_names)
        return {**content, "outputs": list(outputs), "notes": _notes(task)}
    return {**content, "notes": _notes(task)} if _notes(task) else content


def _notes(task: Task | Environment) -> list[str]:
    """Return what a user should know about the data of a task."""
    return list(getattr(task, "data_notes", ()))
