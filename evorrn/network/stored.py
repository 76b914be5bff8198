"""The network of a saved result, which names a cell but never decides what code is imported."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from evorrn.base.errors import RunError
from evorrn.base.trust import only_recorded, recorded_files, stored_spec
from evorrn.network.genomes import Genomes

A = TypeVar("A", bound=Genomes)


def stored_network(kind: type[A], folder: Path, settings: Mapping[str, Any]) -> A:
    """Return a network from the settings in the ``result.json`` of a folder.

    A cell outside of evorrn is the one that ``spec.toml`` names; it is imported only when its file is the recorded one,
    when it was imported before, or when the folder is trusted, see `evorrn.base.trust`. So is a loss outside of evorrn.

    Raises
    ------
    EvorrnError
        When the cell may not be imported, or the settings make no network.
    """
    settings = dict(settings)
    places: list[list[str]] = [["encoder"], ["decoder"]] if settings.get("kind") else [[]]
    tables = [functools.reduce(dict.__getitem__, place, settings) for place in places]
    foreign = any(":" in str(table.get("cell")) for table in tables) or ":" in str(settings.get("loss"))
    spec = stored_spec(folder) if foreign else {}
    for place, table in zip(places, tables) if spec else ():
        if ":" not in str(table["cell"]):
            continue
        named = functools.reduce(dict.__getitem__, place, spec["network"])["cell"]
        if ":" not in str(named):
            raise RunError(f"result.json names the cell {table['cell']}, spec.toml the cell {named}")
        table["cell"] = named
    with only_recorded(recorded_files(spec)):
        return kind.from_settings(settings)
