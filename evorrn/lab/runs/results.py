"""Results: the runs of a folder or of a sweep as one table, a row a run.

A sweep is told by its file or by its folder ``RUNS/sweeps/<name>``; its table has every run of its list,
those that are missing as well. Any other folder stands for the runs below it.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evorrn.base.errors import ConfigError, RunError
from evorrn.lab.runs.index import Tell, read_runs
from evorrn.lab.runs.rows import FIRST, LAST, Row
from evorrn.lab.runs.store import runs_root
from evorrn.lab.runs.typed import read

SWEEPS, RUN_LIST = "sweeps", "runs.jsonl"
MORE_OF_THE_SAME = ("seeds", "search.runs")
"""Entries of a sweep file that may change while a sweep stays the same: it only gets longer or shorter."""
SPLITS = ("test", "valid", "train")


@dataclass(frozen=True)
class Runs:
    """The runs of a folder or of a sweep.

    Attributes
    ----------
    rows : list of Row
    root : Path
        The folder of runs that the rows' folders are relative to.
    sweep : str
        The name of the sweep; empty for a folder.
    axes : tuple of str
        Dotted names of the settings that the sweep varies, without the seed.
    """

    rows: list[Row]
    root: Path
    sweep: str = ""
    axes: tuple[str, ...] = ()

    def columns(self) -> list[str]:
        """Return every column that a run has: id, status, seed, settings, metrics, costs, the rest."""
        settings: dict[int, Mapping[str, Any]] = {id(row.settings): row.settings for row in self.rows}
        names = {name for shared in settings.values() for name in shared}
        metrics = {name for names in _shared_names(self.rows) for name in names}
        order = ("budget", "parent", "task", "network", "strategy", "files")
        first = {name: place for shared in settings.values() for place, name in enumerate(shared)}
        ranked = sorted(names, key=lambda name: (_place(name.split(".")[0], order), first[name], name))
        scored = sorted(metrics, key=lambda name: (_place(name.split(".")[0], SPLITS), name))
        return [*FIRST, "seed", *ranked, *scored, *LAST]

    def values(self, name: str) -> list[Any]:
        """Return a column, None where a run has no such value."""
        if name in (*FIRST, "seed", *LAST):
            return [getattr(row, name) for row in self.rows]
        if name.split(".")[0] not in SPLITS:
            return [row.settings.get(name) for row in self.rows]
        place = {
            id(names): names.index(name) if name in names else None for names in _shared_names(self.rows)
        }
        places = [place[id(row.metric_names)] for row in self.rows]
        return [None if at is None else row.metric_values[at] for row, at in zip(self.rows, places)]


def results(folder: str | Path) -> Any:
    """Return one row a run: its id, status, every setting, every metric, work, steps and seconds.

    Parameters
    ----------
    folder : str or Path
        The folder of all runs or one below it, a sweep's file, or its folder ``RUNS/sweeps/<name>``.

    Returns
    -------
    pandas.DataFrame or list of dict
        A frame where pandas is installed. Settings are called as in a spec, ``strategy.population``,
        and metrics by their split, ``test.nrmse_std``; what a run does not have is None. Damaged
        folders, and runs of a sweep that have none, are rows with only an id, a status and an error.

    Raises
    ------
    EvorrnError
        When there is no such folder or sweep.
    """
    runs = read_results(folder)
    columns = runs.columns()
    if importlib.util.find_spec("pandas") is not None:
        import pandas

        return pandas.DataFrame({name: runs.values(name) for name in columns})
    return [dict(zip(columns, line)) for line in zip(*map(runs.values, columns))]


def read_results(target: str | Path, root: Path | None = None, tell: Tell = lambda done, total: None) -> Runs:
    """Return the runs that a sweep file, the folder of a sweep, or any folder of runs stands for.

    Parameters
    ----------
    target : str or Path
    root : Path, optional
        The folder of all runs, where the sweep of a file is looked for.
    tell : callable
        Called with how many folders have been read anew, and how many there are to read.

    Raises
    ------
    RunError
        When there is nothing to read.
    """
    sweep = find_sweep(target, root)
    if sweep is not None:
        listed = sweep.runs()
        rows = read_runs(sweep.root, [run.folder for run in listed], tell)
        shown = [row if row.settings else _planned(row, run) for row, run in zip(rows, listed)]
        return Runs(shown, sweep.root, sweep.name, sweep.axes())
    path = Path(target)
    if not path.is_dir():
        raise RunError(f"{path}: expected a folder of runs, or the file of a sweep, but there is none")
    if (path / "spec.toml").is_file():
        path = path.resolve()
        return Runs(read_runs(path.parent, [path.name], tell), path.parent)
    return Runs(read_runs(path, None, tell), path)


@dataclass(frozen=True)
class Planned:
    """One run of a sweep's list: its id, its folder below the runs, and its values on the axes."""

    id: str
    folder: str
    axes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SweepRuns:
    """The runs of a sweep, as its folder ``RUNS/sweeps/<name>`` lists them."""

    path: Path

    @property
    def name(self) -> str:
        """What the sweep is called."""
        return self.path.name

    @property
    def root(self) -> Path:
        """The folder of all runs."""
        return self.path.parent.parent

    def runs(self) -> list[Planned]:
        """Return the runs of the sweep, each once; lines that are torn or strange are left out."""
        found: dict[str, Planned] = {}
        try:
            lines = (self.path / RUN_LIST).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise RunError(f"{self.path}: cannot read {RUN_LIST}: {error.strerror or error}") from None
        for line in lines:
            try:
                content = json.loads(line)
                run = Planned(str(content["id"]), str(content["folder"]), dict(content.get("axes") or {}))
            except (ValueError, KeyError, TypeError):
                continue
            found.setdefault(run.id, run)
        return list(found.values())

    def axes(self) -> tuple[str, ...]:
        """Return the dotted names of what the sweep varies, without the seed, in order of its file."""
        try:
            declared = list(read(self.path / "sweep.toml").get("axes", {}).keys())
        except (ConfigError, AttributeError):
            declared = []
        seen = {name: None for run in self.runs() for name in run.axes if name != "seed"}
        return tuple([name for name in declared if name in seen] + [n for n in seen if n not in declared])


def find_sweep(target: str | Path, root: Path | None = None) -> SweepRuns | None:
    """Return the sweep of a sweep file or of its folder; None when the target is neither.

    Raises
    ------
    RunError
        For the file of a sweep that has no runs yet, or that has changed since it ran.
    """
    path = Path(target)
    if path.is_dir():
        return SweepRuns(path.resolve()) if (path / RUN_LIST).is_file() else None
    if path.suffix != ".toml":
        return None
    if (path.parent / RUN_LIST).is_file():  # the copy in the sweep's own folder
        return SweepRuns(path.parent.resolve())
    content = read(path)
    name = str(content.get("name") or path.stem)
    folder = runs_root(root) / SWEEPS / name
    if not (folder / RUN_LIST).is_file():
        raise RunError(f"{path}: there are no runs of the sweep {name!r} in {runs_root(root)}")
    with suppress(ConfigError):  # a copy that cannot be read says nothing of the runs
        changed = differing(read(folder / "sweep.toml"), content)
        if changed:
            raise RunError(
                f"{path}: {folder} holds another sweep of that name, which differs in {', '.join(changed)}; "
                "for its runs name the folder"
            )
    return SweepRuns(folder)


def differing(held: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of the entries that make two sweep files those of different sweeps."""
    return sorted(_changed(held, given) - set(MORE_OF_THE_SAME))


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Return the dotted names of the entries in which two tables differ."""
    found = set()
    for name in {*old, *new}:
        one, other = old.get(name), new.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found |= _changed(one, other, f"{prefix}{name}.")
        elif one != other:
            found.add(f"{prefix}{name}")
    return found


def _planned(row: Row, run: Planned) -> Row:
    """Return a row that its folder told nothing about, with what the sweep's list says of it."""
    seed = run.axes.get("seed")
    settings = {name: value for name, value in run.axes.items() if name != "seed"}
    return row._replace(settings=settings, seed=seed if isinstance(seed, int) else None)


def _shared_names(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Return the different objects that rows have their metrics' names in."""
    return list({id(row.metric_names): row.metric_names for row in rows}.values())


def _place(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)
