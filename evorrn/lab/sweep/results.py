"""Results: the runs of a folder or of a sweep as one table, a row a run.

A sweep is given by its file or by its folder ``RUNS/sweeps/<name>``; its table has every run of its list,
also those that are missing. Any other folder stands for the runs below it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from evorrn.base.errors import ConfigError, RunError
from evorrn.lab.runs.hooks import ignore
from evorrn.lab.runs.index import read_runs
from evorrn.lab.runs.run import Run, flatten
from evorrn.lab.runs.store import runs_root
from evorrn.lab.runs.table import Runs
from evorrn.lab.runs.typed import read

SWEEPS, RUN_LIST = "sweeps", "runs.jsonl"
MORE_OF_THE_SAME = ("seeds", "search.runs")
"""Entries of a sweep file that may change while a sweep stays the same: it only gets longer or shorter."""


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

    Examples
    --------
    >>> import evorrn
    >>> len(evorrn.results("."))  # no run in this folder yet
    0
    """
    runs = read_results(folder).completed()
    columns = runs.columns()
    if importlib.util.find_spec("pandas") is not None:
        import pandas

        return pandas.DataFrame({name: runs.values(name) for name in columns})
    return [dict(zip(columns, line)) for line in zip(*map(runs.values, columns))]


def read_results(
    target: str | Path, root: Path | None = None, tell: Callable[[int, int], None] = ignore
) -> Runs:
    """Return the runs that a sweep file, the folder of a sweep, or any folder of runs stands for.

    The sweep of a file is looked for in the folder of all runs, `root`. `tell` is called with how many folders have
    been read again, and how many there are to read.

    Raises
    ------
    RunError
        When there is nothing to read.
    """
    sweep = find_sweep(target, root)
    if sweep is not None:
        listed, above = _listed(sweep), sweep.parent.parent
        rows = read_runs(above, [run.folder for run in listed], tell)
        return Runs(_with_axes(rows, listed), above, sweep.name, _axes(sweep, listed))
    path = Path(target)
    if not os.path.isdir(path):
        raise RunError(f"{path}: expected a folder of runs, or the file of a sweep, but there is none")
    if (path / "spec.toml").is_file():
        path = path.resolve()
        return Runs(read_runs(path.parent, [path.name], tell), path.parent)
    return Runs(read_runs(path, None, tell), path)


def find_sweep(target: str | Path, root: Path | None = None) -> Path | None:
    """Return the folder of a sweep from its file, its folder or its name; None when the target is none of these.

    Raises
    ------
    RunError
        For the file of a sweep that has no runs yet, or that has changed since it ran.
    """
    path = Path(target)
    if os.path.isdir(path):
        return path.resolve() if (path / RUN_LIST).is_file() else None
    if path.suffix != ".toml":
        named = runs_root(root) / SWEEPS / path.name
        return named if str(target) == path.name and os.path.isfile(named / RUN_LIST) else None
    if os.path.isfile(path.parent / RUN_LIST):  # the copy in the sweep's own folder
        return path.parent.resolve()
    content = read(path)
    name = str(content.get("name") or path.stem)
    folder = runs_root(root) / SWEEPS / name
    if not os.path.isfile(folder / RUN_LIST):
        raise RunError(f"{path}: there are no runs of the sweep {name!r} in {runs_root(root)}")
    with suppress(ConfigError):  # a copy that cannot be read says nothing of the runs
        changed = differing(read(folder / "sweep.toml"), content)
        if changed:
            raise RunError(
                f"{path}: {folder} holds another sweep of that name, which differs in {', '.join(changed)}; "
                "for its runs name the folder"
            )
    return folder


def differing(held: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of the entries by which two sweep files describe different sweeps."""
    old, new = flatten(held), flatten(given)
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    return sorted(changed - set(MORE_OF_THE_SAME))


def _listed(folder: Path) -> list[Run]:
    """Return the runs of a sweep, each once; lines of its list that cannot be read are left out."""
    found: dict[str, Run] = {}
    try:
        lines = (folder / RUN_LIST).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RunError(f"{folder}: cannot read {RUN_LIST}: {error.strerror or error}") from None
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            run = Run.from_line(line)
            found.setdefault(run.id, run)
    return list(found.values())


def _with_axes(rows: Sequence[Run], listed: Sequence[Run]) -> list[Run]:
    """Return the rows with the settings that their sweep gave them and their specs leave out.

    Rows go on sharing what they have in common.
    """
    shared: dict[tuple[int, str], Mapping[str, Any]] = {}
    found = []
    for row, run in zip(rows, listed):
        if not row.settings:
            row = row._replace(settings=run.settings, seed=run.seed)
        left_out = {name: value for name, value in run.settings.items() if name not in row.settings}
        if left_out:
            key = (id(row.settings), repr(left_out))
            row = row._replace(settings=shared.setdefault(key, {**row.settings, **left_out}))
        found.append(row)
    return found


def _axes(folder: Path, runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the dotted names of the settings that a sweep varies, without the seed, in order of its file."""
    try:
        declared = list(read(folder / "sweep.toml").get("axes", {}).keys())
    except (ConfigError, AttributeError):
        declared = []
    seen = {name: None for run in runs for name in run.settings}
    return tuple([name for name in declared if name in seen] + [n for n in seen if n not in declared])
