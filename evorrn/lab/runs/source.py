"""Where a trained network comes from: the folder of a run, or a file that `evorrn export` wrote."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from evorrn.base.errors import RunError
from evorrn.lab.runs.run import COMPLETE
from evorrn.lab.runs.store import RunFolder, find_run
from evorrn.lab.runs.typed import read
from evorrn.training.model import Model, load_model
from evorrn.training.result import NOTHING_LEARNED, Result, load


@dataclass(frozen=True)
class Source:
    """A trained network, and what is known of the data that it was trained on.

    Attributes
    ----------
    model : Model
    table : mapping
        How the table of the data was read: settings of the task ``csv``, and ``columns``, the names of all columns;
        empty where the data are no table.
    run : RunFolder or None
        None for a file.
    """

    model: Model
    table: Mapping[str, Any]
    run: RunFolder | None = None

    @property
    def pictures(self) -> Path:
        """The folder for pictures of its outputs."""
        return Path() if self.run is None else self.run.path / "plots"

    @property
    def warning(self) -> str:
        """That the run of the network has learned nothing; empty where it has, and for a file."""
        learned = not isinstance(self.model, Result) or NOTHING_LEARNED not in self.model.notes
        return "" if learned else f"{NOTHING_LEARNED}: these are outputs of a network that is not trained"


def find_source(reference: str | Path, root: Path) -> Source:
    """Return a trained network from the file of a model, or from a complete run as `find_run` finds it.

    Raises
    ------
    RunError
        When there is none, the run is not complete, or a file cannot be read.
    """
    if str(reference) and os.path.isfile(reference):  # false also for a name that no file can have
        model = load_model(reference)
        return Source(model, model.table)
    return source_of(find_run(reference, root))


def source_of(run: RunFolder) -> Source:
    """Return the trained network of a complete run; raise RunError when it is not complete or cannot be read."""
    result = trained(run)
    task = read(run.path / "spec.toml").get("task", {})
    table = {}
    if task.get("name") == "csv":
        columns = run.status().get("columns")
        settings = {name: value for name, value in task.items() if name not in ("name", "path")}
        table = {**settings, "columns": list(map(str, columns)) if isinstance(columns, list) else []}
    return Source(result, table, run)


def model_of(source: Source) -> Model:
    """Return the model alone, with what its predictions for a table need, without history and training data."""
    kept = {each.name: getattr(source.model, each.name) for each in fields(Model)}
    return Model(**{**kept, "table": source.table})


def trained(run: RunFolder) -> Result:
    """Return the result of a complete run; raise RunError when it is not complete, changed, or cannot be read."""
    state = run.state()
    if state != COMPLETE:
        raise RunError(f"{run.path}: expected a complete run, this one is {state}")
    result = load(run.path)  # first: it says where a spec names a file that is not trusted
    if changed := run.changed_spec():
        raise RunError(f"{run.path}: {changed}")
    return result
