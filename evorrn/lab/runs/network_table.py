"""The table of a network in a spec: its settings as typed, checked and merged with those that are advised."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evorrn.base.errors import unknown
from evorrn.lab.runs.spec_files import reference
from evorrn.network.encoder_settings import DECODER, ENCODER, NAMES
from evorrn.network.form import is_wired

if TYPE_CHECKING:
    from evorrn.network.network import Network

FROM_TASK = ("inputs", "outputs", "loss")
PARTS = {"encoder": ENCODER, "decoder": DECODER}
"""The tables of a network of the kind encoder-decoder, and their settings."""
NETWORK_KINDS: dict[str, tuple[str, Any]] = {
    "kind": ("encoder-decoder", str),
    "encoder": ("a table", Mapping),
    "decoder": ("a table", Mapping),
    "cell": ("a name or file.py:function, or a list of these", str | list | tuple),
    "hidden": ("a whole number or a list of them", int | list | tuple),
    "cell_options": ("a table, or a list of tables", Mapping | list | tuple),
    "initial": ("a table", Mapping),
    "dtype": ("a name", str),
}
ENTRIES = str | int | float


def network_names(kind: str = "") -> list[str]:
    """Return the settings of a network of a kind that a spec may hold."""
    from evorrn.network.network import Network

    names = NAMES if kind else inspect.signature(Network).parameters
    return ["kind"] + [name for name in names if name not in FROM_TASK]


def network_settings(table: Mapping[str, Any], kind: str) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of a network that its `kind` has, with a right value, and a sentence for each of the others."""
    allowed, good, problems = network_names(kind), {}, []
    for name, value in table.items():
        wanted, kinds = NETWORK_KINDS.get(name, ("", object))
        if name in PARTS and name not in allowed:
            problems.append(f'network.{name}: expected kind = "encoder-decoder" beside it')
        elif kind and name not in allowed and any(name in names for names in PARTS.values()):
            problems.append(
                f"network.{name}: an encoder-decoder has two parts; give network.encoder.{name} or network.decoder.{name}"
            )
        elif name not in allowed:
            problems.append(f"network.{name}: {unknown('setting', name, allowed)}")
        elif not isinstance(value, kinds):
            problems.append(f"network.{name}: expected {wanted}, got {value!r}")
        elif (
            name not in PARTS
            and isinstance(value, Mapping)
            and not all(
                isinstance(item, ENTRIES) or (name == "cell_options" and isinstance(item, list))
                for item in value.values()
            )
        ):
            problems.append(f"network.{name}: expected numbers and names, got {dict(value)!r}")
        else:
            good[name] = value
    return good, problems


def with_absolute_cells(table: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return the table with ``file.py:name`` of all its cells as absolute paths."""
    found = dict(table)
    if "cell" in found:
        cell = found["cell"]
        several = isinstance(cell, list | tuple)
        found["cell"] = [reference(each, base) for each in cell] if several else reference(cell, base)
    for part in PARTS:
        if isinstance(found.get(part), Mapping):
            found[part] = with_absolute_cells(found[part], base)
    return found


def without_what_does_not_fit(usual: Mapping[str, Any], all_settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the advised settings that a network can have, all of whose settings are given too."""
    kind = str(all_settings.get("kind", ""))
    if kind:
        return {name: value for name, value in usual.items() if name in network_names(kind)}
    if is_wired(all_settings):
        return {name: value for name, value in usual.items() if name not in ("direct", "feedback")}
    return dict(usual)


def merged(usual: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the advised settings, replaced by the user's; cell options are kept only for the same cell."""
    both = {**usual, **given}
    if isinstance(given.get("cell_options"), list | tuple):  # a table for each layer, as it stands
        return _with_tuples(both)
    options = dict(given.get("cell_options") or {})
    if given.get("cell", usual.get("cell")) == usual.get("cell"):
        options = {**(usual.get("cell_options") or {}), **options}
    if options:
        both["cell_options"] = options
    else:
        both.pop("cell_options", None)
    return _with_tuples(both)


def _with_tuples(table: dict[str, Any]) -> dict[str, Any]:
    if isinstance(table.get("hidden"), list):
        table["hidden"] = tuple(table["hidden"])
    return table


def network_content(network: Network, table: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the network's table of a spec; advised settings are written even where they equal the default."""
    content = {name: value for name, value in network.settings().items() if name not in FROM_TASK}
    if network.decodes:
        return {name: _with_hidden(value) if name in PARTS else value for name, value in content.items()}
    content["cell"] = table.get("cell", content["cell"])
    content = _with_hidden(content)
    if "biases" in usual:
        content["biases"] = network.biases
    return {name: value for name, value in content.items() if value != {}}


def _with_hidden(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with the units of a single layer as a number."""
    hidden = table["hidden"]
    return {**table, "hidden": hidden[0] if len(hidden) == 1 else hidden}
