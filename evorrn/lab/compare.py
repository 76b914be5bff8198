"""Compare: several ways of training on one task, each in every seed, all at the same budget of work.

The runs are ordinary run folders, so a comparison that was interrupted goes on where it stopped, and runs
that are complete are used again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evorrn.base.errors import ConfigError, EvorrnError, RunError, Unfinished
from evorrn.base.files import write_atomic
from evorrn.data.find import expand_task, find_task
from evorrn.data.intervals import LEVEL, level_problems
from evorrn.lab.report.comparison import write_report
from evorrn.lab.runs import environment
from evorrn.lab.runs.assessments import baseline_values
from evorrn.lab.runs.hooks import SILENT, Hooks
from evorrn.lab.runs.outputs import Predictions, read_outputs
from evorrn.lab.runs.run import COMPLETE, COSTS, Run, ranking_metric
from evorrn.lab.runs.spec import DATA_FILES, Spec, resolve
from evorrn.lab.runs.typed import table_of, unknown_entry
from evorrn.lab.study.comparison import Comparison, Row
from evorrn.lab.study.intervals import Intervals, measured
from evorrn.lab.study.ranking import make_baselines, make_differences, make_row, rank
from evorrn.lab.sweep.many import run_all
from evorrn.strategies.find import find_strategy
from evorrn.training.budget import Budget

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.data.task import Task

STRATEGIES = ("ga", "esn", "bptt", "random")
FLOOR = "random"
"""The best of as many random networks: the line that every claim has to beat, so it is never left out."""
SEEDS, BUDGET = 10, "5G"
QUICK_SEEDS, QUICK_BUDGET = 3, "200M"


@dataclass(frozen=True)
class Choice:
    """What a comparison runs on its task.

    Strategies are names, or ``file.py:name``; by default those of `STRATEGIES` that the task can answer. Each runs
    with the seeds 0, 1, 2, ...: by default 10, or 3 with `quick`, which also makes the default budget small. The level is the
    share of values that prediction intervals of forecasts are to cover; by default that of the table ``comparison`` of
    what is run, or 0.9.
    """

    strategies: Sequence[str] | None = None
    seeds: int | None = None
    quick: bool = False
    level: float | None = None


def compare(
    raw: Mapping[str, Any],
    base: Path | None = None,
    *,
    root: Path,
    choice: Choice = Choice(),
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
    raw, level = _level(raw, choice)
    count = choice.seeds if choice.seeds is not None else QUICK_SEEDS if choice.quick else SEEDS
    given = {"budget": QUICK_BUDGET if choice.quick else BUDGET, **raw}
    strategies = usual_strategies(given) if choice.strategies is None else choice.strategies
    plan = plan_runs(given, base, strategies, count)
    for text in _notes(next(iter(plan.values()))[0].task):
        hooks.note(text)
    # By seed, not by strategy: each worker compiles another program, and an early end leaves whole seeds.
    order = [spec for specs in zip(*plan.values()) for spec in specs]
    runs = {
        spec.id: run
        for spec, run in zip(order, run_all(order, root, jobs=jobs, force=force, hooks=hooks), strict=True)
    }
    for spec in order:
        if runs[spec.id].error:
            hooks.warn(f"{spec.strategy.name}, seed {spec.seed} failed: {runs[spec.id].error}")
    task = order[0].task
    first = task.metrics[0]
    metric = (ranking_metric(list(runs.values()), "test") or first).removeprefix("test.")
    rows = rank(
        [_row(specs, [runs[spec.id] for spec in specs], metric, root, level) for specs in plan.values()],
        metric,
    )
    folder = root / "comparisons" / _identity(plan, level)
    comparison = Comparison(
        task=_task(task),
        budget=str(given["budget"]),
        metric=metric,
        seeds=tuple(range(count)),
        rows=tuple(rows),
        baselines=tuple(make_baselines(baseline_values(order[0], range(count), metric), metric)),
        differences=tuple(make_differences(rows, metric)),
        references=tuple(dataclasses.asdict(reference) for reference in task.references),
        command=command or _command(given, strategies, count, level),
        environment=environment.summary(),
        report=str(folder / "report.html"),
        undefined=first if metric != first else "",
        level=level,
    )
    _write(comparison, root, folder)
    return comparison


def _write(comparison: Comparison, root: Path, folder: Path) -> None:
    """Write a comparison and its report, unless the folder holds the same."""
    content, path = json.dumps(comparison.as_dict(), indent=1) + "\n", folder / "comparison.json"
    try:
        if Path(comparison.report).is_file() and path.is_file() and path.read_text() == content:
            return
        write_report(comparison, root, Path(comparison.report))
        write_atomic(path, content)  # last, since it says that the report is of these numbers
    except OSError as error:
        raise Unfinished(f"cannot write to {folder}: {error.strerror or error}; the runs are kept") from None


def _level(raw: Mapping[str, Any], choice: Choice) -> tuple[dict[str, Any], float]:
    """Return what is to run without its table ``comparison``, and the level of prediction intervals."""
    found: list[str] = []
    table = table_of(raw, "comparison", found)
    found += [unknown_entry(name, ("level",), {}) for name in table if name != "level"]
    level = table.get("level", LEVEL) if choice.level is None else choice.level
    if isinstance(level, bool) or not isinstance(level, int | float):
        found.append(f"comparison.level: expected a number, got {level!r}")
    else:
        found += level_problems(level)
    if found:
        raise ConfigError(found)
    return {name: value for name, value in raw.items() if name != "comparison"}, float(level)


def usual_strategies(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return those of `STRATEGIES` that a task can answer; an environment has no targets and no gradient."""
    table = raw.get("task")
    name = str(table.get("name")) if isinstance(table, Mapping) else ""
    try:
        kind = find_task(expand_task(name)[0])
    except EvorrnError:  # the file of a table, or a mistake that is told when the specs are resolved
        return STRATEGIES
    return tuple(name for name in STRATEGIES if find_strategy(name).requires <= kind.provides)


def plan_runs(
    raw: Mapping[str, Any], base: Path | None, strategies: Sequence[str], seeds: int
) -> dict[str, list[Spec]]:
    """Return the resolved specs of a comparison, one a seed for every strategy by its name.

    Raises
    ------
    ConfigError
        With every mistake.
    """
    found: list[str] = []
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        found.append(f"seeds: expected a whole number of at least 1, got {seeds!r}")
    found += _unfair(raw)
    chosen = list(dict.fromkeys([*strategies, FLOOR]))
    common = {name: raw[name] for name in raw if name not in chosen and name != "strategy"}
    plan: dict[str, list[Spec]] = {}
    network = dict(common.get("network") or {})
    for name in chosen:
        settings = {"name": name, **(raw.get(name) or {})}
        try:
            first = resolve({**common, "network": network, "strategy": settings, "seed": 0}, base)
        except ConfigError as error:
            found += [problem.replace("strategy.", f"{name}.") for problem in error.problems]
            continue
        if (
            not plan and {"cell", "hidden"} & network.keys()
        ):  # where one is given, the other is the same for all
            network = {**{key: first.content["network"][key] for key in ("cell", "hidden")}, **network}
        if first.strategy.name in plan:
            found.append(f"strategies: {name} and another are both called {first.strategy.name}")
        plan[first.strategy.name] = [first]
    if found:
        raise ConfigError(_once(found))
    for specs in plan.values():
        first = specs[0]
        specs += [first.with_seed(seed) for seed in range(1, seeds)]
    return plan


def _once(problems: Sequence[str]) -> list[str]:
    """Return the mistakes of all strategies, each once; an unknown entry with the first suggestion for it."""
    told: dict[str, str] = {}
    for problem in problems:
        key = problem.partition(":")[0] if ": unknown entry " in problem else problem
        if "did you mean" not in told.get(key, ""):
            told[key] = problem
    return list(told.values())


def _task(task: Task | Environment) -> dict[str, Any]:
    """Return a task as plain data; for a data file with the names of its outputs."""
    content = {"name": task.name, "version": task.version, "seed_changes": task.seed_changes, **task.values()}
    if task.name not in DATA_FILES.values():
        return content
    return {**content, "outputs": list(task.output_names), "notes": _notes(task)}


def _notes(task: Task | Environment) -> list[str]:
    """Return what a user should know about the data of a task."""
    return list(getattr(task, "data_notes", ()))


def _row(specs: Sequence[Spec], runs: Sequence[Run], metric: str, root: Path, level: float) -> Row:
    """Return the row of a strategy from the runs of its seeds."""
    first = specs[0]
    network = {name: first.content["network"][name] for name in ("cell", "hidden")}
    others = {name: value for name, value in first.content["network"].items() if value is not None}
    row = make_row(
        first.strategy.name,
        metric,
        [run.test.get(metric, math.nan) for run in runs],
        network={**network, "genes": first.network.size, **others},
        costs=[{name: run.get(name) for name in COSTS} for run in runs if run.status == COMPLETE],
        settings={name: value for name, value in first.content["strategy"].items() if name != "name"},
        runs=[run.folder for run in runs],
        errors=sum(bool(run.error) for run in runs),
    )
    return dataclasses.replace(row, intervals=_intervals(first.task, runs, root, level))


def _intervals(
    task: Task | Environment, runs: Sequence[Run], root: Path, level: float
) -> tuple[Intervals, ...]:
    """Return the prediction intervals of complete runs on test, none where the task is no forecast."""
    horizon = getattr(task, "horizon", None)
    complete = [run for run in runs if run.status == COMPLETE and not run.diverged]
    if not horizon or not complete:
        return ()
    found = []
    for run in complete:
        with suppress(RunError):  # damaged files are told of in the report
            found.append(read_outputs(root / run.folder))
    return measured([shown for shown in found if isinstance(shown, Predictions)], level, horizon)


def _unfair(raw: Mapping[str, Any]) -> list[str]:
    """Return the entries that would make a comparison unfair or meaningless."""
    found = []
    if "seed" in raw:
        found.append("seed: a comparison runs many seeds; give seeds, their number")
    settings = raw.get("strategy") or {}
    if isinstance(settings, Mapping):
        found += [
            f"strategy.{name}: a comparison has several strategies; write the name of one, for instance ga.{name}"
            for name in settings
        ]
    try:
        limits = Budget.parse(raw["budget"]).values()
    except ConfigError:
        return found  # told in full when the specs are resolved
    if not set(limits) & set(COSTS):  # a generation of one is no epoch of another
        found.append(
            "budget: a comparison needs a limit that means the same for every way of training, for instance "
            f"5G (multiply-adds), got {raw['budget']!r}"
        )
    return found


def _identity(plan: Mapping[str, Sequence[Spec]], level: float) -> str:
    """Return the hash of a comparison's runs, and of a level that is not the usual one, which names it."""
    names = sorted(spec.id for specs in plan.values() for spec in specs)
    names += [] if level == LEVEL else [f"level {level!r}"]
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]


def _command(raw: Mapping[str, Any], strategies: Sequence[str], seeds: int, level: float) -> str:
    """Return a command line that runs a comparison."""
    task = dict(raw.get("task") or {})
    words = ["evorrn", "compare", str(task.pop("name", ""))]
    words += ["--strategies", ",".join(strategies), "--seeds", str(seeds), "--budget", str(raw["budget"])]
    words += [] if level == LEVEL else ["--level", f"{level:g}"]
    tables = {"task": task, **{name: raw[name] for name in raw if name not in ("task", "budget", "files")}}
    for section, table in tables.items():
        for name, value in dict(table or {}).items():
            words += ["--set", f"{section}.{name}={json.dumps(value)}"]
    return shlex.join(words)
