"""The plan of a comparison: what was asked for, and the runs of each of its parts."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evorrn.base.checks import is_number, is_whole
from evorrn.base.errors import ConfigError, EvorrnError
from evorrn.data.intervals import LEVEL, level_problems
from evorrn.data.task import Task
from evorrn.lab.runs.run import COSTS
from evorrn.lab.runs.spec import Spec, named_task, resolve
from evorrn.lab.runs.typed import table_of, unknown_entry
from evorrn.strategies.find import find_strategy
from evorrn.training.budget import Budget

STRATEGIES = ("ga", "esn", "bptt", "random")
FLOOR = "random"
"""The best of as many random networks: the line that every claim has to beat, so it is never left out."""
SEEDS, BUDGET = 10, "5G"
QUICK_SEEDS, QUICK_BUDGET = 3, "200M"
ENTRIES = ("horizons", "folds", "level", "baselines")
"""Entries of the table ``comparison`` of a file."""


@dataclass(frozen=True)
class Choice:
    """What a comparison runs on its task.

    Strategies are names, or ``file.py:name``; by default those of `STRATEGIES` that the task can answer. Each runs
    with the seeds 0, 1, 2, ...: by default 10, or 3 with `quick`, which also makes the default budget small.

    The others are for forecasts, and are by default those of the table ``comparison`` of what is run. Every strategy is
    trained separately for each of the `horizons`, in rows ahead, and in each of the `folds` of a backtest with a rolling origin, by
    default one. The baselines are models in use that are fitted as well, see `evorrn.Task.comparators`. The level is the share of values that prediction intervals are to cover, by default 0.9.
    """

    strategies: Sequence[str] | None = None
    seeds: int | None = None
    quick: bool = False
    level: float | None = None
    horizons: Sequence[int] | None = None
    folds: int | None = None
    baselines: Sequence[str] | None = None


@dataclass(frozen=True)
class Asked:
    """The entries of the table ``comparison``, those of a `Choice` in their place; without horizons, that of the task."""

    horizons: tuple[int, ...] = ()
    folds: int = 1
    level: float = LEVEL
    baselines: tuple[str, ...] = ()

    def tasks(self) -> list[dict[str, int]]:
        """Return the settings of the task in each part: its horizon, and its fold; the newest fold last."""
        found: list[dict[str, int]] = []
        for horizon in self.horizons or (None,):
            for fold in range(1, self.folds + 1):
                part = {} if horizon is None else {"horizon": horizon}
                found.append(part | ({} if self.folds == 1 else {"folds": self.folds, "fold": fold}))
        return found


def asked(raw: Mapping[str, Any], choice: Choice) -> tuple[dict[str, Any], Asked]:
    """Return what is to run without its table ``comparison``, and what that table and a choice ask for.

    Raises
    ------
    ConfigError
        With every mistake.
    """
    found: list[str] = []
    table = table_of(raw, "comparison", found)
    found += [unknown_entry(name, table[name], ENTRIES, {}) for name in table if name not in ENTRIES]
    chosen = {
        "horizons": choice.horizons,
        "folds": choice.folds,
        "level": choice.level,
        "baselines": choice.baselines,
    }
    values = {"horizons": (), "folds": 1, "level": LEVEL, "baselines": (), **table}
    values |= {name: value for name, value in chosen.items() if value is not None}
    horizons, folds, level = values["horizons"], values["folds"], values["level"]
    if not isinstance(horizons, list | tuple) or not all(_counts(each) for each in horizons):
        found.append(f"comparison.horizons: expected a list of whole numbers of at least 1, got {horizons!r}")
    elif len(set(horizons)) < len(horizons):
        found.append(f"comparison.horizons: expected different numbers, got {list(horizons)}")
    baselines = values["baselines"]
    if not isinstance(baselines, list | tuple) or not all(isinstance(each, str) for each in baselines):
        found.append(f"comparison.baselines: expected a list of names, got {baselines!r}")
    if not _counts(folds):
        found.append(f"comparison.folds: expected a whole number of at least 1, got {folds!r}")
    if not is_number(level):
        found.append(f"comparison.level: expected a number, got {level!r}")
    else:
        found += level_problems(level)
    if found:
        raise ConfigError(found)
    rest = {name: value for name, value in raw.items() if name != "comparison"}
    return rest, Asked(tuple(sorted(horizons)), folds, float(level), tuple(dict.fromkeys(baselines)))


def plan_parts(
    raw: Mapping[str, Any], base: Path | None, strategies: Sequence[str], seeds: int, wanted: Asked
) -> list[dict[str, list[Spec]]]:
    """Return the resolved specs of each part of a comparison, see `plan_runs`; horizon by horizon, fold by fold.

    Raises
    ------
    ConfigError
        With every mistake, each once.
    """
    found: list[str] = []
    plans = []
    for settings in wanted.tasks():
        task = raw.get("task")
        part = {**raw, "task": {**task, **settings}} if isinstance(task, Mapping) and settings else raw
        try:
            plans.append(plan_runs(part, base, strategies, seeds))
        except ConfigError as error:
            found += [problem for problem in error.problems if problem not in found]
    if not found and wanted.baselines:
        task = next(iter(plans[0].values()))[0].task
        wrong = (
            task.comparator_problems(wanted.baselines)
            if isinstance(task, Task)
            else ["an environment has none"]
        )
        found += [f"comparison.baselines: {problem}" for problem in wrong]
    if found:
        raise ConfigError(found)
    return plans


def usual_strategies(raw: Mapping[str, Any], base: Path | None = None) -> tuple[str, ...]:
    """Return those of `STRATEGIES` that a task can answer; an environment has no targets and no gradient."""
    table = raw.get("task")
    try:
        task = named_task(table if isinstance(table, Mapping) else {}, base)
    except EvorrnError:  # a mistake that is told when the specs are resolved
        return STRATEGIES
    return tuple(name for name in STRATEGIES if find_strategy(name).requires <= task.provides)


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
    if not _counts(seeds):
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
            usual = first.content["network"]
            network = {**{key: usual[key] for key in ("cell", "hidden") if key in usual}, **network}
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


def identity(plans: Sequence[Mapping[str, Sequence[Spec]]], wanted: Asked) -> str:
    """Return the hash of a comparison's runs, and of a level that is not the usual one, which names it."""
    names = sorted(spec.id for plan in plans for specs in plan.values() for spec in specs)
    names += [f"baselines {','.join(wanted.baselines)}"] if wanted.baselines else []
    names += [] if wanted.level == LEVEL else [f"level {wanted.level!r}"]
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]


def command_line(raw: Mapping[str, Any], strategies: Sequence[str], seeds: int, wanted: Asked) -> str:
    """Return a command line that runs a comparison."""
    task = dict(raw.get("task") or {})
    words = ["evorrn", "compare", str(task.pop("name", ""))]
    words += ["--strategies", ",".join(strategies), "--seeds", str(seeds), "--budget", str(raw["budget"])]
    words += ["--horizon", ",".join(map(str, wanted.horizons))] if wanted.horizons else []
    words += ["--folds", str(wanted.folds)] if wanted.folds > 1 else []
    words += ["--baselines", ",".join(wanted.baselines)] if wanted.baselines else []
    words += [] if wanted.level == LEVEL else ["--level", f"{wanted.level:g}"]
    tables = {"task": task, **{name: raw[name] for name in raw if name not in ("task", "budget", "files")}}
    for section, table in tables.items():
        for name, value in dict(table or {}).items():
            words += ["--set", f"{section}.{name}={json.dumps(value)}"]
    return shlex.join(words)


def _counts(value: Any) -> bool:
    """Return whether a value is a whole number of at least 1."""
    return is_whole(value) and value >= 1
