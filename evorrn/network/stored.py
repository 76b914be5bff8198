"""The network of a saved result, which names a cell but never decides what code is imported."""

from __future__ import annotations

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
    when it was imported before, or when the folder is trusted, see `evorrn.base.trust`.

    Raises
    ------
    EvorrnError
        When the cell may not be imported, or the settings make no network.
    """
    settings = dict(settings)
    spec = stored_spec(folder) if ":" in str(settings.get("cell")) else {}
    if spec:
        named = spec["network"]["cell"]
        if ":" not in str(named):
            raise RunError(f"result.json names the cell {settings['cell']}, spec.toml the cell {named}")
        settings["cell"] = named
    with only_recorded(recorded_files(spec)):
        return kind.from_settings(settings)
