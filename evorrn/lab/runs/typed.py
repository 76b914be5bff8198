"""The spec of a command line: a task or a spec file, options, and ``--set a.b=c``."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from evorrn.base.errors import ConfigError, unknown
from evorrn.base.settings import Settings, build
from evorrn.base.settings import names as names_of

S = TypeVar("S", bound=Settings)


def typed(
    target: str,
    *,
    strategy: str | None = None,
    cell: str | None = None,
    hidden: str | None = None,
    seed: int | None = None,
    budget: str | None = None,
    task_settings: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
) -> tuple[dict[str, Any], Path]:
    """Return the spec of a command line, and the folder that its paths start from.

    Parameters
    ----------
    target : str
        A task, a data file (``.csv``, ``.tsv``, ``.txt``, ``.npz``), a spec file (``.toml``) or a folder that holds
        ``spec.toml``.
    strategy, cell : str, optional
        Replace those of a spec file, together with the settings that belong to them. Names of cells joined by ``+`` are
        those of the layers.
    hidden : str, optional
        Units of each layer, ``32`` or ``32,32``.
    seed : int, optional
    budget : str, optional
    task_settings : mapping, optional
        Settings of the task; None stands for one that was not given.
    assignments : sequence of str
        What ``--set`` was given, applied last.

    Raises
    ------
    ConfigError
        With every mistake.
    """
    raw, base = _start(target)
    layers = cell.split("+") if cell is not None and "/" not in cell and ".py" not in cell else [cell]
    for section, key, value in (
        ("strategy", "name", strategy),
        ("network", "cell", cell if len(layers) == 1 else layers),
    ):
        table = raw.get(section, {})
        if value is not None and isinstance(table, Mapping) and table.get(key) != value:
            kept = {} if section == "strategy" else {k: v for k, v in table.items() if k != "cell_options"}
            raw[section] = {**kept, key: value}
    if hidden is not None:
        assignments = [f"network.hidden=[{hidden}]", *assignments]
    settings = {name: value for name, value in (task_settings or {}).items() if value is not None}
    if settings and isinstance(raw.get("task"), Mapping):
        raw["task"] = {**raw["task"], **settings}
    raw.update({name: value for name, value in (("seed", seed), ("budget", budget)) if value is not None})
    return override(raw, assignments), base


def names(text: str) -> list[str]:
    """Return the names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _start(target: str) -> tuple[dict[str, Any], Path]:
    path = Path(target)
    if os.path.isdir(path) and (path / "spec.toml").is_file():  # without [files] it may name no code
        return {"files": {}, **read(path / "spec.toml")}, path.resolve()
    if path.suffix.lower() == ".toml":
        return read(path), path.resolve().parent
    return {"task": {"name": target}}, Path.cwd()


def read(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises
    ------
    ConfigError
        When the file cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: expected TOML with fewer tables inside each other") from None
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise ConfigError(f"{path}: expected TOML: {error}") from None


def override(raw: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return a spec with ``a.b=c`` assignments applied; values are read as TOML, else as text.

    Raises
    ------
    ConfigError
        For assignments without a name or ``=``, or through a value that is no table.
    """
    result = {key: dict(value) if isinstance(value, Mapping) else value for key, value in raw.items()}
    found = []
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        *path, last = [part.strip() for part in name.split(".")]
        if not separator or not all([*path, last]):
            found.append(
                f"--set: expected NAME=VALUE, for instance strategy.population=64, got {assignment!r}"
            )
            continue
        table: Any = result
        for part in path:
            table = table.setdefault(part, {}) if isinstance(table, dict) else None
        if isinstance(table, dict):
            table[last] = value_of(text)
        else:
            found.append(f"--set: {'.'.join(path)} is a value, not a table, in {assignment!r}")
    if found:
        raise ConfigError(found)
    return result


def unknown_entry(name: str, value: Any, known: Sequence[str], tables: Mapping[str, Iterable[str]]) -> str:
    """Return a sentence on an unknown entry of a spec; for a setting without its table or in a wrong one, the dotted name."""
    dotted = {setting: f"{table}.{setting}" for table, settings in tables.items() for setting in settings}
    inside = [dotted[key] for key in value if key in dotted] if isinstance(value, Mapping) else []
    if inside and not get_close_matches(name, known, n=1):
        return f"{name}: {unknown('entry', name, known)}; did you mean {inside[0]!r}?"
    close = get_close_matches(name, [*known, *dotted], n=1, cutoff=0.8)
    if close and close[0] in dotted:
        return f"{name}: unknown entry {name!r}; did you mean {dotted[close[0]]!r}?"
    return f"{name}: {unknown('entry', name, known)}"


def table_of(raw: Mapping[str, Any], name: str, found: list[str], where: str = "") -> dict[str, Any]:
    """Return a table of a file, empty where there is none; a mistake is added to `found` when it is no table."""
    value = raw.get(name, {})
    if isinstance(value, Mapping):
        return dict(value)
    found.append(f"{where}{'.' if where else ''}{name}: expected a table, got {value!r}")
    return {}


def build_what_is_right(cls: type[S], values: Mapping[str, Any], path: str, found: list[str]) -> S:
    """Return a settings object made from the valid part of a table; mistakes are added to `found`."""
    try:
        return build(cls, values, path)
    except ConfigError as error:
        problems = [problem.removeprefix(".") for problem in error.problems]
    found += problems
    wrong = {problem.partition(":")[0].removeprefix(f"{path}.") for problem in problems}
    known = {name: value for name, value in values.items() if name in names_of(cls) and name not in wrong}
    return build(cls, known, path)


def value_of(text: str) -> Any:
    """Return a value as TOML reads it, or the text itself where it is no TOML value."""
    try:
        return tomllib.loads(f"value = {text.strip()}")["value"]
    except (ValueError, RecursionError):
        return text.strip()
