"""Spec: all that decides the outcome of a run, resolved to plain data and named by its hash.

A spec as typed says little: a task, a strategy, perhaps a cell. `resolve` checks it, fills in what the
task recommends for the strategy and every default, and so makes it complete: equal resolved specs give
equal bytes, whatever the defaults of later versions are. Paths and the way of execution are not part
of it; the content of the files it names is.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evorrn.base.errors import ConfigError, EvorrnError, UnknownName
from evorrn.base.files import content as content_of
from evorrn.base.settings import build, check_seed
from evorrn.base.trust import only_recorded, recorded_files
from evorrn.data.find import TASKS, expand_task, find_task
from evorrn.data.tables.folder import is_folder_of_classes
from evorrn.data.task import Recommended, Task
from evorrn.data.text_file import is_running_text
from evorrn.lab.runs.network_table import (
    merged,
    network_content,
    network_names,
    network_settings,
    with_absolute_cells,
    without_what_does_not_fit,
)
from evorrn.lab.runs.spec_files import LEAVE_OUT, absolute, digests, identity, reference, with_absolute_names
from evorrn.lab.runs.typed import read, table_of, unknown_entry
from evorrn.strategies.find import find_strategy
from evorrn.training.budget import Budget
from evorrn.training.trainer import check_population

if TYPE_CHECKING:
    from evorrn.data.environment import Environment
    from evorrn.network.network import Network
    from evorrn.strategies.base import Strategy

DEFAULT_BUDGET = "5G"
DEFAULT_STRATEGY = "ga"
KEYS = ("seed", "budget", "parent", "task", "network", "strategy", "files")
DATA_FILES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".npz": "npz", ".mid": "midi", ".midi": "midi"}
"""The task that reads a file, by the end of its name in small letters."""
MADE_TASKS = 8
"""Tasks that a process keeps for further specs."""


@dataclass(frozen=True)
class Spec:
    """A resolved spec, and the objects it stands for.

    `content` is the whole spec as plain data, every default filled in; `parent` is the id of the run whose
    checkpoint this one goes on from.
    """

    content: dict[str, Any]
    task: Task | Environment
    network: Network
    strategy: Strategy
    budget: Budget
    seed: int
    parent: str | None = None

    @functools.cached_property
    def id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical JSON of the spec."""
        return identity(self.content)

    @property
    def folder(self) -> Path:
        """Where the run lies below the runs folder: ``<task>/<strategy>-<cell>/<id>``."""
        names = [self.task.name, f"{self.strategy.name}-{self.network.cell_name}"]
        return Path(*[re.sub(r"[^\w.+-]", "_", name) for name in names], self.id)

    @property
    def shape(self) -> dict[str, Any]:
        """The cell and the units of the network, of an encoder-decoder those of both parts together."""
        table = self.content["network"]
        usual = {"cell": self.network.cell_name, "hidden": list(self.network.hidden)}
        return {name: table.get(name, value) for name, value in usual.items()}

    def with_seed(self, seed: int) -> Spec:
        """Return the same spec with another seed; the objects it stands for are shared."""
        return dataclasses.replace(self, content={**self.content, "seed": seed}, seed=seed)

    def toml(self) -> str:
        """Return the spec as TOML, from which `resolve` makes the same spec again."""
        import tomli_w

        return tomli_w.dumps(_without_none(self.content))


def resolve(raw: Mapping[str, Any], base: Path | None = None) -> Spec:
    """Check a spec as typed, and fill in every default.

    Parameters
    ----------
    raw : mapping
        What a spec file or the command line says: ``seed``, ``budget``, and the tables ``task``,
        ``network`` and ``strategy``. A task name that ends as in `DATA_FILES` is a data file. A table of
        a task with a ``version`` is that of a stored spec: settings that are newer than the spec have the
        value that means the behaviour of that time.
    base : Path, optional
        Folder that relative paths start from; the working folder by default.

    Raises
    ------
    ConfigError
        With every mistake in the spec, each led by the path of its setting.
    """
    files = raw.get("files")
    if files is None:
        return _resolve(raw, base)
    with only_recorded(files.values() if isinstance(files, Mapping) else (), LEAVE_OUT):
        return _resolve(raw, base)


def resolve_stored(folder: Path, base: Path | None = None, **changes: Any) -> Spec:
    """Return the spec of a run folder, some of its entries changed; for `base` see `resolve`.

    Code is imported only when its file is the one that the spec recorded, or when the folder is trusted.

    Raises
    ------
    ConfigError
        With every mistake in the spec, and code that may not be imported.
    """
    raw = read(folder / "spec.toml")
    with only_recorded(recorded_files(raw)):
        return _resolve({**raw, **changes}, base)


def _resolve(raw: Mapping[str, Any], base: Path | None) -> Spec:
    from evorrn.network.form import WITHOUT, form_of
    from evorrn.network.network import Network

    base = Path.cwd() if base is None else base
    found = _Problems()
    tables = {name: table_of(raw, name, found) for name in ("task", "network", "strategy", "files")}
    seed = raw.get("seed", 0)
    with found.under("seed"):
        check_seed(seed)
    parent = raw.get("parent")
    if parent is not None and not (isinstance(parent, str) and re.fullmatch(r"[0-9a-f]{16}", parent)):
        found.append(f"parent: expected the id of a run, 16 hexadecimal digits, got {parent!r}")
    budget, task, strategy, network = None, None, None, None
    with found.under("budget"):
        budget = _budget(raw.get("budget", DEFAULT_BUDGET), stored="version" in tables["task"])
    task_table = tables["task"]
    with found.under("task"):
        task_table = _task_table(tables["task"], base)
        task = _task(task_table)
    advice = Recommended()
    with found.under("strategy"):
        strategy_name = reference(tables["strategy"].get("name", DEFAULT_STRATEGY), base)
        kind = find_strategy(strategy_name)
        if task is not None:
            advice = kind.advice(task)
        given = with_absolute_names(tables["strategy"], base)
        given = {name: value for name, value in given.items() if name not in ("name", "version")}
        if "version" in task_table:
            given = kind.from_stored(given)
        strategy = build(kind, {**advice.strategy, **given}, "strategy")
        if budget is not None and "version" not in task_table and not strategy.ends_by_itself:
            budget.check_end(strategy.name)
        missing = sorted(strategy.requires - (task.provides if task is not None else strategy.requires))
        if missing:
            found.append(
                f"strategy.name: {kind.name} needs {', '.join(missing)}, which {task_table['name']} does not have; "
                + _instead(missing, task.provides if task is not None else frozenset())
            )
    network_table = {**tables["network"]}
    network_table = with_absolute_cells(network_table, base)
    usual = {**(strategy.network_defaults if strategy is not None else {}), **advice.network}
    needed: dict[str, Any] = {}
    if strategy is not None and task is not None:
        with found.under("strategy"):
            needed = strategy.needs_network(task.inputs)
        usual.update(needed)
    form: dict[str, Any] = {}
    with found.under("task"):
        form = {} if task is None else form_of(task)
    kind_of_network = str({**form, **usual, **network_table}.get("kind", ""))
    known, mistakes = network_settings(network_table, kind_of_network)
    found += mistakes
    if not kind_of_network and ("version" in task_table or (strategy is not None and strategy.one_step)):
        known = {**WITHOUT, **known}  # a stored spec leaves out what its network is without
    usual = without_what_does_not_fit(usual, {**form, **usual, **known})
    with found.under("network"):  # with sizes of one where the task is unknown, so that its mistakes show too
        make = (
            functools.partial(Network.of_kind, 1, 1)
            if task is None
            else functools.partial(Network.for_task, task)
        )
        network = make(**merged(usual, known))
        if "version" in task_table and not network.means(known):
            network = make(**merged(usual, {**known, "fed_back": "output"}))
    if network is not None and network.wired and getattr(task, "free_run", False):
        found.append(
            f"network: outputs of {task_table['name']} go back as inputs, which needs a network without {network.wiring}"
        )
    if strategy is not None and network is not None:
        for name in ("cell", "hidden"):
            wanted, got = needed.get(name), network_table.get(name)
            got = got[0] if isinstance(got, (list, tuple)) and len(got) == 1 else got
            if wanted is not None and got is not None and got != wanted:
                found.append(
                    f"network.{name}: strategy {strategy.name} needs {wanted!r} here, got {got!r}; leave it out for this strategy"
                )
        with found.under("strategy"):
            check_population(strategy, network.size)
    settings = {"task": task.values() if task else (), "network": network_names()}
    settings["strategy"] = strategy.values() if strategy else ()
    found[:0] = [unknown_entry(key, raw[key], KEYS, settings) for key in raw if key not in KEYS]
    if found or budget is None or task is None or strategy is None or network is None:
        raise ConfigError(dict.fromkeys(found))
    content = {
        "seed": seed,
        "budget": budget.text() or budget.values(),
        **({"parent": parent} if parent is not None else {}),
        "task": {"name": task_table["name"], "version": task.version, **task.stored_values()},
        "network": network_content(network, network_table, usual),
        "strategy": {**strategy.stored_table(), "name": strategy_name},
    }
    files = digests(content, tables["files"])
    content |= {"files": files} if files else {}
    return Spec(content, task, network, strategy, budget, seed, parent)


def _instead(missing: list[str], provided: frozenset[str]) -> str:
    """Return which strategies serve where a task does not have what a strategy needs, from what it does have."""
    if "exploration" in missing:
        return "bptt follows the gradient of a loss on targets, and cma-es needs no gradient"
    if "gradient" in provided:
        return "bptt, cma-es and ga train on it"
    return "reinforce, cma-es and ga train on episodes"


class _Problems(list[str]):
    """The mistakes found so far."""

    @contextmanager
    def under(self, path: str) -> Iterator[None]:
        """Collect the errors of a block, each led by a path."""
        try:
            yield
        except ConfigError as error:
            self.extend(error.problems)
        except EvorrnError as error:
            self.append(f"{path}: {str(error).removeprefix(f'{path}: ')}")


def _budget(value: Any, stored: bool) -> Budget:
    """Return the budget of a spec; a stored one may name multiply-adds without a unit."""
    budget = Budget.parse(value) if stored else Budget.given(value)
    if budget.empty:
        raise ConfigError("budget: expected at least one limit, for instance 20G, 500gen or 60s")
    return budget


def data_task(name: Any, base: Path, settings: Iterable[str] = ()) -> str | None:
    """Return the task that reads a data file, None for a name that is none.

    A file that ends in .txt and holds running text is read as such, unless one of the settings is of tables alone. A folder whose
    subfolders hold tables is one of sequences with classes, and a folder with MIDI files one of music, unless a task has its name.
    """
    if isinstance(name, str) and name not in TASKS.names():
        reader = _task_of_folder(absolute(base, name, "task.path"))
        if reader is not None:
            return reader
    reader = DATA_FILES.get(Path(name).suffix.lower()) if isinstance(name, str) else None
    if reader != "csv" or Path(name).suffix.lower() != ".txt":
        return reader
    tables, texts = (set(inspect.signature(find_task(task)).parameters) for task in (reader, "text"))
    tabular = any(setting in tables - texts for setting in settings)
    return "text" if not tabular and is_running_text(absolute(base, name, "task.path")) else reader


def _task_of_folder(path: Path) -> str | None:
    """Return the task that reads a folder of data, None for what is none."""
    if not os.path.isdir(path):
        return None
    if is_folder_of_classes(path):
        return "sequence-classes"
    music = any(DATA_FILES.get(each.suffix.lower()) == "midi" for each in path.iterdir())
    return "midi" if music else None


def named_task(table: Mapping[str, Any], base: Path | None = None) -> Task | Environment:
    """Return the task that a spec's table of the task stands for; raise an EvorrnError for one that is wrong."""
    return _task(_task_table(table, Path.cwd() if base is None else base))


def _task_table(table: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return the task's table with a data file as the task that reads it, and absolute paths."""
    result = dict(table)
    name = result.get("name")
    reader = data_task(name, base, result)
    if reader is not None:
        result["name"], result["path"] = reader, name
    elif isinstance(name, str):
        result["name"], implied = expand_task(name)
        result = {**implied, **result}
    if "name" in result:
        result["name"] = reference(result["name"], base)
    if isinstance(result.get("path"), str) and result["path"]:
        result["path"] = str(absolute(base, result["path"], "task.path"))
    return result


def _task(table: Mapping[str, Any]) -> Task | Environment:
    if not isinstance(table.get("name"), str):
        raise ConfigError(f"task.name: expected the name of a task or a data file, got {table.get('name')!r}")
    settings = {name: value for name, value in table.items() if name not in ("name", "version")}
    try:
        kind = find_task(table["name"])
    except UnknownName:
        path = Path(table["name"])
        if os.path.exists(path) or re.fullmatch(r"\.[A-Za-z]\w{1,6}", path.suffix):
            what = "a folder" if os.path.isdir(path) else f"a file with the end {path.suffix!r}"
            raise ConfigError(
                f"task.name: expected a task or a data file, got {what}: {path}; the names of tables end in .csv, .tsv "
                "or .txt, those of arrays in .npz, those of music in .mid; a folder has tables in a subfolder for each class, or MIDI "
                "files"
            ) from None
        raise
    if "version" in table:
        settings = kind.from_stored(settings)
    task = _made(kind, settings)
    wanted = table.get("version", task.version)
    if wanted != task.version:
        raise ConfigError(
            f"task.version: the spec was made for version {wanted!r} of {task.name}, this is version "
            f"{task.version}; leave the entry out to use it"
        )
    return task


def _made(kind: type[Task] | type[Environment], settings: Mapping[str, Any]) -> Task | Environment:
    """Return a task; the same object, with the file it has read, for the same settings and content of the file."""
    content = b""
    with suppress(OSError, TypeError, ValueError):  # told when the task is made
        content = content_of(Path(settings["path"])) if settings.get("path") else b""
    key = kind, json.dumps(settings, sort_keys=True, default=repr), hashlib.sha256(content).digest()
    if key not in _tasks:
        task = build(kind, settings, "task")
        task.inputs, task.outputs  # noqa: B018  (a task that reads a file finds its mistakes here)
        if "path" in settings and isinstance(task, Task):
            task.data(0)  # and those in its numbers, before anything runs
        if len(_tasks) >= MADE_TASKS:
            del _tasks[next(iter(_tasks))]
        _tasks[key] = task
    return _tasks[key]


_tasks: dict[tuple[Any, ...], Task | Environment] = {}


def _without_none(value: Any) -> Any:
    """Return plain data with None as the text ``none``, since TOML has no null."""
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return "none" if value is None else value
