"""Reading run folders into runs: state, settings by dotted name, scores and costs.

A folder that cannot be read gives a run with the state ``damaged`` and the reason. Nothing here writes to a run
folder.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from evorrn.base.errors import RunError
from evorrn.base.files import read_json
from evorrn.lab.runs.run import (
    COMPLETE,
    DAMAGED,
    EMPTY,
    FAILED,
    INTERRUPTED,
    MISSING,
    RUNNING,
    Run,
    flatten,
)
from evorrn.lab.runs.store import SPEC_CHANGED, RunFolder, spec_digest

NEEDED = {"task.name", "strategy.name"}
"""Settings that every resolved spec has."""
CELLS = {"network.cell", "network.encoder.cell"}
"""Settings of which it has one."""


class Reader:
    """Reads run folders below `root`; runs share the settings and the names that they have in common."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, Mapping[str, Any]] = {}
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}

    def run(self, folder: str) -> Run:
        """Return the run of a folder, whatever is in it."""
        path = self.root / folder
        if not path.is_dir():
            there = os.path.lexists(path)
            return Run(folder, DAMAGED, error="it is no folder") if there else Run(folder, MISSING)
        try:
            status = read_json(path / "status.json")
            text = _text(path / "spec.toml")
            seed, settings = self._parsed(text)
            recorded = status.get("spec_sha256")
            if recorded is not None and text is not None and recorded != spec_digest(text):
                raise RunError(SPEC_CHANGED)
            if seed is None and not status:
                return Run(folder, EMPTY)
            run = _read(Run(folder, str(status.get("status", EMPTY)), seed, settings), path, status)
            return run._replace(metric_names=self._names.setdefault(run.metric_names, run.metric_names))
        except RunError as damage:
            return Run(folder, DAMAGED, error=str(damage))

    def spec(self, folder: str) -> dict[str, Any] | None:
        """Return the seed and the other settings of a run, None where its spec cannot be read."""
        try:
            seed, settings = self._parsed(_text(self.root / folder / "spec.toml"))
        except RunError:
            return None
        return None if seed is None else {"seed": seed, **settings}

    def _parsed(self, text: str | None) -> tuple[int | None, Mapping[str, Any]]:
        """Return the seed and the other settings of the text of a spec file; None and nothing where there is no file."""
        if text is None:
            return None, {}
        # The seeds of one setting differ in their first line alone, and parsing TOML is slow.
        first = re.match(r"seed = (\d+)\n", text)
        seed, rest = (int(first[1]), text[first.end() :]) if first else (None, text)
        if rest not in self._known:
            try:
                self._known[rest] = flatten(tomllib.loads(rest))
            except (tomllib.TOMLDecodeError, RecursionError) as error:
                raise RunError(f"spec.toml is no TOML ({error})") from None
        settings = self._known[rest]
        if first is None:
            settings = dict(settings)
            seed = settings.pop("seed", None)
        if not isinstance(seed, int) or not (set(settings) >= NEEDED and CELLS & set(settings)):
            raise RunError("spec.toml is no resolved spec")
        return seed, settings


def sees_targets(folders: Iterable[Path]) -> bool:
    """Return whether the networks of alike runs see what they are to predict, as the first complete one says."""
    from evorrn.training.result import saw_targets

    for folder in folders:
        with suppress(RunError, KeyError, TypeError, AttributeError):
            return saw_targets(read_json(folder / "result.json"))
    return False


def _text(path: Path) -> str | None:
    """Return the text of a spec file, None where there is no file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"spec.toml cannot be read ({error})") from None


def _read(run: Run, path: Path, status: Mapping[str, Any]) -> Run:
    """Return a run with what ``status.json`` and ``result.json`` say of it."""
    if run.status == RUNNING:
        run = run._replace(status=RunFolder(path).state())
    if run.status not in (COMPLETE, RUNNING, INTERRUPTED, FAILED, EMPTY):
        raise RunError(f"status.json names no state of a run ({run.status!r})")
    if run.seed is None:
        raise RunError("there is no spec.toml")
    if run.status != COMPLETE:
        stopped_by = "error" if run.status == FAILED else str(status.get("stopped") or "")
        work = _number(status.get("work"))
        return run._replace(work=work, stopped_by=stopped_by, error=str(status.get("error") or ""))
    result = read_json(path / "result.json")
    try:
        meter = {**result["meter"], **result["times"]}
        done = run.scored(result["metrics"], meter, result["stopped_by"])
        return done._replace(diverged=bool(status.get("diverged")))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = "there is no result.json" if not result else f"result.json lacks a part ({error!r})"
        raise RunError(reason) from None


def _number(value: Any) -> float | None:
    with suppress(TypeError, ValueError, OverflowError):
        return float(value)
    return None
