"""What a sweep may vary: the settings of a spec by their dotted names."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evorrn.base.errors import EvorrnError
from evorrn.base.settings import Settings, names, type_hints
from evorrn.data.find import expand_task, find_task
from evorrn.lab.runs.network_table import PARTS, network_names
from evorrn.lab.runs.spec import DEFAULT_STRATEGY, data_task
from evorrn.lab.runs.spec_files import reference
from evorrn.strategies.find import find_strategy
from evorrn.training.budget import Budget

TABLES = ("budget", "task", "network", "strategy")


def known_settings(
    base: Mapping[str, Any], values: Mapping[str, Sequence[Any]], home: Path, found: list[str]
) -> set[str]:
    """Return the dotted names of all settings that some cell of a sweep has.

    It includes ``task.*`` or ``strategy.*`` where one cannot be found, so that its settings are not known; a sentence
    on each is added to `found`.

    Parameters
    ----------
    base : mapping
        The spec that the cells have in common.
    values : mapping
        The values that axes give to settings, by dotted name.
    home : Path
        Folder that relative paths start from.
    """
    known = {"budget", "task", "network", "strategy", "task.name", "strategy.name"}
    known |= {f"budget.{field.name}" for field in dataclasses.fields(Budget)}
    for kind in ("", "encoder-decoder"):
        known |= {f"network.{name}" for name in network_names(kind)}
    known |= {f"network.{part}.{name}" for part, names in PARTS.items() for name in names}
    for table in ("task", "strategy"):
        common = base_name(base, table)
        chosen = values.get(f"{table}.name") or ([] if common is None else [common])
        for name in dict.fromkeys(map(str, chosen)):
            try:
                known |= {f"{table}.{setting}" for setting in names(find_kind(table, name, home))}
            except EvorrnError as error:
                known.add(f"{table}.*")
                where = f"axes.{table}.name" if f"{table}.name" in values else f"base.{table}.name"
                found.append(f"{where}: {error}")
    return known


def takes_whole_numbers(name: str, kinds: Mapping[str, type]) -> bool:
    """Return whether a setting, by its dotted name, takes whole numbers only.

    The classes of the task and the strategy are in `kinds`, under ``task`` and ``strategy``.
    """
    table, _, setting = name.partition(".")
    if table == "network":
        return setting == "hidden"
    if table == "budget":
        return setting in ("", "work", "generations", "evaluations", "steps")
    hint = type_hints(kinds[table]).get(setting)
    options: tuple[object, ...] = typing.get_args(hint) or (hint,)
    return int in options and float not in options


def base_name(base: Mapping[str, Any], table: str) -> Any:
    """Return the name of the task or strategy that the cells of a sweep have in common; None without one."""
    given = base.get(table)
    name = given.get("name") if isinstance(given, Mapping) else None
    return DEFAULT_STRATEGY if name is None and table == "strategy" else name


def find_kind(table: str, name: Any, home: Path) -> type[Settings]:
    """Return the class of a task or strategy from its name as typed.

    Raises
    ------
    EvorrnError
        When there is none of that name.
    """
    if table == "strategy":
        return find_strategy(reference(name, home))
    plain, _ = expand_task(data_task(name, home) or str(name))
    return find_task(reference(plain, home))
