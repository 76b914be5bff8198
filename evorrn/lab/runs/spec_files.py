"""The files that a spec names: their paths, and their content in the spec's hash."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evorrn.base.errors import ConfigError
from evorrn.base.files import content as content_of
from evorrn.base.trust import is_trusted

LEAVE_OUT = "leave out [files], or say --trust, to use it as it is"


def reference(value: Any, base: Path) -> Any:
    """Return ``file.py:name`` with an absolute path, and any other name as it is."""
    source, separator, member = _split_reference(value)
    if not source.endswith(".py"):
        return value
    return f"{absolute(base, source, 'a name')}{separator}{member}"


def absolute(base: Path, path: str, what: str) -> Path:
    """Return an absolute path; raise ConfigError for one that no system can have."""
    try:
        return (base / path).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{what}: expected a path, got {path[:80]!r} ({error})") from None


def with_absolute_names(table: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return a strategy's table, with ``file.py:name`` in the tables of its own strategies as absolute paths."""
    changed = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            inner = with_absolute_names(value, base)
            changed[key] = {**inner, **({"name": reference(value["name"], base)} if "name" in value else {})}
        elif key != "name" and isinstance(value, str):
            changed[key] = reference(value, base)
    return {**table, **changed}


def identity(content: Mapping[str, Any]) -> str:
    """Return the name of a spec's run: the first 16 hexadecimal digits of the SHA-256 of its `canonical` text."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:16]


def canonical(content: Mapping[str, Any]) -> str:
    """Return the JSON text that is hashed: sorted keys, files by their content in place of their path."""
    plain = json.loads(json.dumps(content))
    for name, digest in plain.pop("files", {}).items():
        *path, key = name.split(".")
        table = functools.reduce(dict.__getitem__, path, plain)
        where = int(key) if isinstance(table, list) else key
        _, separator, member = _split_reference(table[where])
        table[where] = f"sha256:{digest}{separator}{member}"
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digests(content: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of every file that the spec names, by dotted setting."""
    made: dict[str, str] = {}
    found = []
    for name, value in _naming_files(content):
        source, _, _ = _split_reference(value)
        if not source or (name != "task.path" and not source.endswith(".py")):
            continue
        try:
            made[name] = hashlib.sha256(content_of(Path(source))).hexdigest()
        except OSError as error:
            found.append(f"{name}: cannot read {source}: {error.strerror or error}")
            continue
        if wanted.get(name, made[name]) != made[name] and not is_trusted():
            found.append(f"{name}: {source} is not the file the spec was made for; {LEAVE_OUT}")
    if found:
        raise ConfigError(found)
    return made


def _naming_files(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the settings that may name a file, by their dotted names; a strategy may contain others."""
    for section, key in (("task", "path"), ("task", "name")):
        yield f"{section}.{key}", content[section].get(key, "")
    yield from _cells("network", content["network"])
    yield from _names_of_strategies("strategy", content["strategy"])


def _cells(path: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the cells of a network, those of an encoder and a decoder too."""
    cell = table.get("cell", "")
    if isinstance(cell, list):
        yield from ((f"{path}.cell.{layer}", each) for layer, each in enumerate(cell))
    else:
        yield f"{path}.cell", cell
    for part in ("encoder", "decoder"):
        if part in table:
            yield from _cells(f"{path}.{part}", table[part])


def _names_of_strategies(path: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield f"{path}.name", table.get("name", "")
    for key, value in table.items():
        if isinstance(value, Mapping) and "name" in value:
            yield from _names_of_strategies(f"{path}.{key}", value)


def _split_reference(value: Any) -> tuple[str, str, str]:
    source, separator, member = str(value).rpartition(":")
    return (source, separator, member) if source.endswith(".py") else (str(value), "", "")
