"""Experiment: a published table as data, read from a TOML file beside the tasks.

An experiment has problems, a problem has rows: a way of training, what was published for it, and in what
the conditions differ. Every row becomes as many ordinary specs as there are seeds. Where the measure is a quantity of
`evorrn.diagnostics.quantities`, nothing is trained, and a row has the settings of the quantity.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evorrn.base.errors import ConfigError, UnknownName
from evorrn.base.settings import Settings, setting
from evorrn.data import metrics
from evorrn.data.episode_metrics import EPISODE_METRICS
from evorrn.data.label_metrics import SEQUENCE_METRICS
from evorrn.diagnostics.quantities import QUANTITIES, Quantity
from evorrn.lab.runs.spec import Spec, resolve
from evorrn.lab.runs.typed import build_what_is_right, read, table_of

EVALUATIONS = "evaluations"
"""The measure of an experiment that counts evaluations until a problem is learned."""

PACKAGE, FOLDER = "evorrn_tasks", "experiments"

MEASURES = (EVALUATIONS, *metrics.METRICS, *SEQUENCE_METRICS, *EPISODE_METRICS, *QUANTITIES)


@dataclass(frozen=True)
class ExperimentTable(Settings):
    """The top of an experiment's file."""

    title: str = setting("", "Title; the name of the file by default.")
    source: str = setting("", "Where the table was published.")
    measure: str = setting(EVALUATIONS, "Evaluations, a metric on test, or a quantity.", choices=MEASURES)
    seeds: int = setting(10, "Runs of each row.", minimum=1)
    quick_seeds: int = setting(3, "Runs of each row with --quick.", minimum=1)
    automata: bool = setting(
        False, "Whether the automaton of each run's network is compared with that of its task."
    )
    notes: tuple[str, ...] = setting((), "What a reader should know.")
    problem_tables: Any = setting((), "What is learned, each with its rows.", alias="problems")


@dataclass(frozen=True)
class ProblemTable(Settings):
    """A problem of an experiment."""

    name: str = setting("", "What is learned.")
    conditions: str = setting("", "In what that differs from the publication.")
    budget: Any = setting(None, "Budget of each run.")
    task: Any = setting(None, "The task.")
    network: Any = setting(None, "Settings of the network for all rows.")
    rows: Any = setting((), "Ways of training.")


@dataclass(frozen=True)
class RowTable(Settings):
    """A row of an experiment."""

    method: str = setting("", "The way of training.")
    published: int | float | None = setting(None, "The published figure, or the least of a range.")
    published_to: int | float | None = setting(None, "The largest figure of a published range.")
    of: str = setting("", "Who published it.")
    deviation: str = setting("", "In what this way of training differs from theirs.")
    quick: bool = setting(False, "Whether --quick runs it.")
    network: Any = setting(None, "Settings of the network that differ.")
    strategy: Any = setting(None, "The strategy and its settings.")
    quantity: Any = setting(None, "Settings of the quantity that is the measure; nothing is trained.")
    budget: Any = setting(None, "Budget, where it differs.")


@dataclass(frozen=True)
class Case:
    """One row of a published table with its problem, and the spec of its runs without a seed, or a quantity."""

    problem: ProblemTable
    row: RowTable
    raw: dict[str, Any] = field(repr=False)
    quantity: Quantity | None = None

    def __str__(self) -> str:
        return f"{self.problem.name}, {self.row.method}"

    def specs(self, seeds: int) -> list[Spec]:
        """Return the resolved spec of each seed."""
        first = resolve({**self.raw, "seed": 0})
        return [first.with_seed(seed) for seed in range(seeds)]


@dataclass(frozen=True)
class Experiment:
    """A published table: the top of its file, and its rows as cases."""

    name: str
    table: ExperimentTable
    cases: tuple[Case, ...]

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger figure is a better one."""
        return self.table.measure in metrics.HIGHER_IS_BETTER


def experiments() -> dict[str, Path]:
    """Return the files of all experiments by name."""
    folder = Path(str(importlib.resources.files(PACKAGE))) / FOLDER
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_experiment(reference: str) -> Experiment:
    """Return an experiment from its name or the path of a TOML file.

    Raises
    ------
    UnknownName
        For a name that is none.
    ConfigError
        With every mistake in the file.
    """
    known = experiments()
    if reference.endswith(".toml"):
        return read_experiment(Path(reference))
    if reference not in known:
        raise UnknownName("experiment", reference, known)
    return read_experiment(known[reference])


def read_experiment(path: Path) -> Experiment:
    """Read an experiment, and check all of it but its specs, which are resolved when it runs."""
    raw = read(path)
    found: list[str] = []
    table = build_what_is_right(ExperimentTable, {"title": path.stem, **raw}, "", found)
    cases = list(_cases(raw, QUANTITIES.get(table.measure), found))
    if not cases and not found:
        found.append("problems: expected at least one with a row")
    if found:
        raise ConfigError([f"{path.name}: {problem}" for problem in found])
    return Experiment(path.stem, table, tuple(cases))


def _cases(raw: Mapping[str, Any], quantity: type[Quantity] | None, found: list[str]) -> Iterator[Case]:
    for where, problem in _tables("problems", raw, found):
        shared = build_what_is_right(ProblemTable, {"name": where, **problem}, where, found)
        network = table_of(problem, "network", found, where)
        for at, row in _tables("rows", problem, found, where):
            own = build_what_is_right(RowTable, row, at, found)
            spec = {
                "task": problem.get("task", {}),
                "budget": row.get("budget", problem.get("budget", {})),
                "network": {**network, **table_of(row, "network", found, at)},
                "strategy": row.get("strategy", {}),
            }
            found += _problems_of_figures(own, at, quantity)
            chosen = table_of(row, "quantity", found, at)
            made = (
                None if quantity is None else build_what_is_right(quantity, chosen, f"{at}.quantity", found)
            )
            yield Case(shared, own, spec, made)


def _problems_of_figures(row: RowTable, at: str, quantity: type[Quantity] | None) -> list[str]:
    """Return what is wrong with the published figures of a row, and with settings of a quantity that is not measured."""
    problems = []
    first, last = row.published, row.published_to
    if quantity is None and first is not None and first <= 0:
        problems.append(f"{at}.published: expected more than 0, got {first}")
    if last is not None and (first is None or last < first):
        problems.append(f"{at}.published_to: expected at least published, {first}, got {last}")
    if quantity is None and row.quantity is not None:
        problems.append(f"{at}.quantity: expected a measure that is a quantity ({', '.join(QUANTITIES)})")
    return problems


def _tables(
    name: str, raw: Mapping[str, Any], found: list[str], where: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables of a list with their paths; mistakes are added to `found`."""
    path, given = f"{where}.{name}" if where else name, raw.get(name, [])
    if not isinstance(given, list):
        found.append(f"{path}: expected a list of tables, got {given!r}")
        return
    for place, table in enumerate(given):
        if isinstance(table, dict):
            yield f"{path}.{place}", table
        else:
            found.append(f"{path}.{place}: expected a table, got {table!r}")
