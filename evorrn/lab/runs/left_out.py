"""Settings that stored specs leave out: those whose values mean what was usual before there was the setting."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from evorrn.base.plugins import Plugins
from evorrn.data.find import TASKS
from evorrn.lab.runs.network_table import FROM_TASK
from evorrn.lab.runs.run import Run, flatten
from evorrn.strategies.find import STRATEGIES

FOUND: dict[str, Plugins] = {"task": TASKS, "strategy": STRATEGIES}


def left_out(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a stored spec leaves out, by dotted name, each with the value that this means.

    A user's own tasks and strategies are not imported for it, so theirs are not known.

    Parameters
    ----------
    settings : mapping
        What the spec holds, by dotted name.
    """
    from evorrn.network.settings import NetworkSettings

    known: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():  # a strategy may have strategies in tables of its own
        table, _, last = name.rpartition(".")
        plugins = FOUND.get(table.partition(".")[0])
        kind = plugins.get(str(value)) if plugins is not None and last == "name" else None
        if kind is not None:
            known[table] = kind.from_stored({})
    if settings.get("network.kind") is None:
        known["network"] = {
            field.name: field.default
            for field in dataclasses.fields(NetworkSettings)
            if field.name not in FROM_TASK
        }
    tables = {name.rpartition(".")[0] for name in settings}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in flatten(known).items()
        if name not in settings and name not in tables
    }


def completed(rows: Sequence[Run]) -> list[Run]:
    """Return rows with the settings that their specs leave out; rows go on sharing what they have in common."""
    shared: dict[int, Mapping[str, Any]] = {}
    for row in rows:
        if row.settings and id(row.settings) not in shared:
            shared[id(row.settings)] = {**row.settings, **left_out(row.settings)}
    return [row._replace(settings=shared.get(id(row.settings), row.settings)) for row in rows]
