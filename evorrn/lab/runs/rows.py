"""A run folder as one row: its state, its settings by dotted name, what it reached and what that cost.

Folders that cannot be read are rows as well, with the state ``damaged`` and the reason; nothing here
writes to a run folder.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from evorrn.lab.runs.store import COMPLETE, FAILED, INTERRUPTED, RUNNING, RunFolder

DAMAGED, MISSING, EMPTY = "damaged", "missing", "empty"
"""States beside those of the store: files that cannot be read, no folder, and a folder with nothing begun."""

COSTS = ("work", "steps", "seconds")
FIRST, LAST = ("id", "status"), (*COSTS, "stopped_by", "error", "folder")


class Row(NamedTuple):
    """One run as a row of a table.

    Attributes
    ----------
    folder : str
        The run folder, relative to the folder of runs.
    status : str
        ``complete``, ``running``, ``interrupted``, ``failed``, ``damaged``, ``missing`` or ``empty``.
    seed : int or None
    settings : dict
        Every other entry of the spec by its dotted name; shared by the seeds of one setting.
    metric_names : tuple of str
        For instance ``test.nrmse_std``; the first of each split is the one that ranks.
    metric_values : tuple of float
    work, steps, seconds : float or None
        None before a run is complete, but for the work that a checkpoint has noted.
    stopped_by, error : str
        Empty where there is none. What stops a run before its end is ``error``, or ``pruned`` by a search.
    """

    folder: str
    status: str
    seed: int | None = None
    settings: Mapping[str, Any] = MappingProxyType({})
    metric_names: tuple[str, ...] = ()
    metric_values: tuple[float, ...] = ()
    work: float | None = None
    steps: float | None = None
    seconds: float | None = None
    stopped_by: str = ""
    error: str = ""

    @property
    def id(self) -> str:
        """The hash of the run's resolved spec."""
        return self.folder.rpartition("/")[2]

    def get(self, name: str) -> Any:
        """Return the value of a column, None where the run has none."""
        if name in self.settings:
            return self.settings[name]
        if name in self.metric_names:
            return self.metric_values[self.metric_names.index(name)]
        return getattr(self, name) if name in ("seed", *FIRST, *LAST) else None

    def as_dict(self) -> dict[str, Any]:
        """Return every column that the run has, in the order of the table."""
        content = {name: getattr(self, name) for name in (*FIRST, "seed")}
        content |= self.settings
        content |= zip(self.metric_names, self.metric_values)
        return content | {name: getattr(self, name) for name in LAST}


class Reader:
    """Reads run folders into rows; rows share the settings and the names that they have in common.

    Parameters
    ----------
    root : Path
        The folder that the rows' folders are relative to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, Mapping[str, Any]] = {}
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}

    def row(self, folder: str) -> Row:
        """Return the row of a run folder, whatever is in it."""
        path = self.root / folder
        if not path.is_dir():
            there = os.path.lexists(path)
            return Row(folder, DAMAGED, error="it is no folder") if there else Row(folder, MISSING)
        try:
            status = _json(path / "status.json")
            seed, settings = self._spec(path / "spec.toml")
            if seed is None and not status:
                return Row(folder, EMPTY)
            row = _row(folder, path, status, seed, settings)
            return row._replace(metric_names=self._names.setdefault(row.metric_names, row.metric_names))
        except _Damaged as damage:
            return Row(folder, DAMAGED, error=str(damage))

    def spec(self, folder: str) -> dict[str, Any] | None:
        """Return the seed and the other settings of a run, None where its spec cannot be read."""
        try:
            seed, settings = self._spec(self.root / folder / "spec.toml")
        except _Damaged:
            return None
        return None if seed is None else {"seed": seed, **settings}

    def _spec(self, path: Path) -> tuple[int | None, Mapping[str, Any]]:
        """Return the seed and the other settings of a spec file; None and nothing where there is no file."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None, {}
        except (OSError, ValueError) as error:
            raise _Damaged(f"spec.toml cannot be read ({error})") from None
        # The seeds of one setting differ in their first line alone, and parsing TOML is slow.
        first = re.match(r"seed = (\d+)\n", text)
        seed, rest = (int(first[1]), text[first.end() :]) if first else (None, text)
        if rest not in self._known:
            self._known[rest] = _settings(rest)
        settings = self._known[rest]
        if first is None:
            settings = dict(settings)
            seed = settings.pop("seed", None)
        if not isinstance(seed, int) or not {"task.name", "strategy.name", "network.cell"} <= set(settings):
            raise _Damaged("spec.toml is no resolved spec")
        return seed, settings


class _Damaged(Exception):
    """Says what is wrong with the files of a run."""


def _row(
    folder: str, path: Path, status: Mapping[str, Any], seed: int | None, settings: Mapping[str, Any]
) -> Row:
    state = str(status.get("status", EMPTY))
    if state == RUNNING:
        state = RunFolder(path).state()
    if state not in (COMPLETE, RUNNING, INTERRUPTED, FAILED, EMPTY):
        raise _Damaged(f"status.json names no state of a run ({state!r})")
    if seed is None:
        raise _Damaged("there is no spec.toml")
    if state != COMPLETE:
        return Row(
            folder,
            state,
            seed,
            settings,
            work=_number(status.get("work")),
            stopped_by="error" if state == FAILED else str(status.get("stopped") or ""),
            error=str(status.get("error") or ""),
        )
    result = _json(path / "result.json")
    try:
        metrics = {
            f"{split}.{name}": float(value)
            for split, values in sorted(result["metrics"].items())
            for name, value in values.items()
        }
        meter = result["meter"]
        return Row(
            folder,
            state,
            seed,
            settings,
            tuple(metrics),
            tuple(metrics.values()),
            work=float(meter["work"]),
            steps=float(meter["steps_forward"] + meter["steps_backward"]),
            seconds=float(result["times"]["seconds"]),
            stopped_by=str(result["stopped_by"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = "there is no result.json" if not result else f"result.json lacks a part ({error!r})"
        raise _Damaged(reason) from None


def _settings(text: str) -> Mapping[str, Any]:
    try:
        return dict(_dotted(tomllib.loads(text)))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _Damaged(f"spec.toml is no TOML ({error})") from None


def _dotted(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", None if value == "none" else value  # TOML has no null


def _json(path: Path) -> dict[str, Any]:
    """Return a JSON object; empty where there is no file."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _Damaged(f"{path.name} cannot be read ({error})") from None
    if not isinstance(content, dict):
        raise _Damaged(f"{path.name} is no JSON object")
    return content


def _number(value: Any) -> float | None:
    with suppress(TypeError, ValueError, OverflowError):
        return float(value)
    return None
