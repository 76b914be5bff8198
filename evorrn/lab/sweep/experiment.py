"""Experiment: a published table as data, read from a TOML file beside the tasks.

An experiment has problems, a problem has rows: a way of training, what was published for it, and in what
the conditions differ. Every row becomes as many ordinary specs as there are seeds.
"""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evorrn.base.errors import ConfigError, EvorrnError, UnknownName, unknown
from evorrn.data import metrics
from evorrn.lab.runs.spec import Spec, resolve

EVALUATIONS = "evaluations"
"""The measure of an experiment that counts evaluations until a problem is learned."""

PACKAGE, FOLDER = "evorrn_tasks", "experiments"

EXPERIMENT_KEYS = ("title", "source", "measure", "seeds", "quick_seeds", "notes", "problems")
PROBLEM_KEYS = ("name", "conditions", "budget", "task", "network", "rows")
ROW_KEYS = ("method", "published", "of", "deviation", "quick", "network", "strategy", "budget")


@dataclass(frozen=True)
class Case:
    """One row of a published table.

    Attributes
    ----------
    problem, conditions : str
        What is to be learned, and in what that differs from the publication.
    method : str
        As the publication calls it, or our name where it has none.
    published : float or None
    of : str
        Who published the figure; empty where nobody did.
    deviation : str
        In what this way of training differs from theirs.
    quick : bool
        Whether ``--quick`` runs it.
    raw : dict
        The spec without seed.
    """

    problem: str
    conditions: str
    method: str
    published: float | None
    of: str
    deviation: str
    quick: bool
    raw: dict[str, Any] = field(repr=False)

    def specs(self, seeds: int) -> list[Spec]:
        """Return the resolved spec of each seed."""
        first = resolve({**self.raw, "seed": 0})
        return [first.with_seed(seed) for seed in range(seeds)]


@dataclass(frozen=True)
class Experiment:
    """A published table.

    Attributes
    ----------
    name, title, source : str
    measure : str
        ``"evaluations"``, lower is better, or a metric on test.
    seeds, quick_seeds : int
        Runs of each row, in full and with ``--quick``.
    notes : tuple of str
        What a reader should know.
    cases : tuple of Case
    """

    name: str
    title: str
    source: str
    measure: str
    seeds: int
    quick_seeds: int
    notes: tuple[str, ...]
    cases: tuple[Case, ...]

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger figure is a better one."""
        return self.measure != EVALUATIONS and self.measure in metrics.HIGHER_IS_BETTER


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
    try:
        raw = tomllib.loads(path.read_text())
    except OSError as error:
        raise EvorrnError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise EvorrnError(f"{path}: expected TOML, {error}") from None
    found: list[str] = []
    found += _unknown("", raw, EXPERIMENT_KEYS)
    measure = raw.get("measure", EVALUATIONS)
    measures = [EVALUATIONS, *metrics.METRICS, *metrics.EPISODE_METRICS]
    if measure not in measures:
        found.append(f"measure: {unknown('measure', measure, measures)}")
    counts = {}
    for name, usual in (("seeds", 10), ("quick_seeds", 3)):
        counts[name] = raw.get(name, usual)
        if type(counts[name]) is not int or counts[name] < 1:
            found.append(f"{name}: expected a whole number of at least 1, got {counts[name]!r}")
    notes = raw.get("notes", [])
    if not isinstance(notes, list):
        found.append(f"notes: expected a list of sentences, got {notes!r}")
    cases = list(_cases(raw, found))
    if not cases and not found:
        found.append("problems: expected at least one with a row")
    if found:
        raise ConfigError([f"{path.name}: {problem}" for problem in found])
    return Experiment(
        name=path.stem,
        title=str(raw.get("title", path.stem)),
        source=str(raw.get("source", "")),
        measure=measure,
        seeds=counts["seeds"],
        quick_seeds=counts["quick_seeds"],
        notes=tuple(str(note) for note in notes),
        cases=tuple(cases),
    )


def _cases(raw: Mapping[str, Any], found: list[str]) -> Iterator[Case]:
    for where, problem in _tables("problems", raw.get("problems", []), found):
        found += _unknown(where, problem, PROBLEM_KEYS)
        for at, row in _tables(f"{where}.rows", problem.get("rows", []), found):
            found += _unknown(at, row, ROW_KEYS)
            published = row.get("published")
            if published is not None and not (type(published) in (int, float) and published > 0):
                found.append(f"{at}.published: expected a number > 0, got {published!r}")
            networks = [
                (f"{name}.network", table.get("network", {})) for name, table in ((where, problem), (at, row))
            ]
            wrong = [
                f"{name}: expected a table, got {given!r}"
                for name, given in networks
                if not isinstance(given, dict)
            ]
            if wrong:
                found += wrong
                continue
            yield Case(
                problem=str(problem.get("name", where)),
                conditions=str(problem.get("conditions", "")),
                method=str(row.get("method", "")),
                published=published,
                of=str(row.get("of", "")),
                deviation=str(row.get("deviation", "")),
                quick=bool(row.get("quick", False)),
                raw={
                    "task": problem.get("task", {}),
                    "budget": row.get("budget", problem.get("budget", {})),
                    "network": {name: value for _, given in networks for name, value in given.items()},
                    "strategy": row.get("strategy", {}),
                },
            )


def _tables(where: str, given: Any, found: list[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables of a list with their places; everything else is found wrong."""
    if not isinstance(given, list):
        found.append(f"{where}: expected a list of tables, got {given!r}")
        return
    for place, table in enumerate(given):
        if isinstance(table, dict):
            yield f"{where}.{place}", table
        else:
            found.append(f"{where}.{place}: expected a table, got {table!r}")


def _unknown(where: str, table: Mapping[str, Any], allowed: tuple[str, ...]) -> list[str]:
    lead = f"{where}." if where else ""
    return [f"{lead}{key}: {unknown('entry', key, allowed)}" for key in table if key not in allowed]
