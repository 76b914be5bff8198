"""Run: one run, from its place in a plan to its row in a table.

A planned run has a folder, a seed and the settings that its sweep varies. An executed run has its scores and
costs as well, and so has a run that was read from its folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from evorrn.lab.runs.spec import Spec
    from evorrn.training.result import Result

COMPLETE, RUNNING, INTERRUPTED, FAILED = "complete", "running", "interrupted", "failed"
"""States that a run writes into its folder."""
DAMAGED, MISSING, EMPTY = "damaged", "missing", "empty"
"""States of folders: files that cannot be read, no folder, and a folder in which no run has begun."""
BUSY = "busy"
"""State of a run that another process executes."""

COSTS = ("work", "steps", "seconds")
PRUNED = "pruned"
"""What `stopped_by` says of a run that the search of a sweep has given up."""
FIRST, LAST = ("id", "status"), (*COSTS, "stopped_by", "error", "folder")


class Run(NamedTuple):
    """One run.

    Attributes
    ----------
    folder : str
        The run folder, relative to the folder of all runs.
    status : str
        ``complete``, ``running``, ``interrupted``, ``failed``, ``damaged``, ``missing``, ``empty`` or ``busy``.
    seed : int or None
    settings : dict
        Every other entry of the spec by its dotted name; of a planned run, what its sweep varies.
    metric_names : tuple of str
        For instance ``test.nrmse_std``; the first of each split is the one that ranks.
    metric_values : tuple of float
    work, steps, seconds : float or None
        None before a run is complete, apart from the work noted by a checkpoint.
    stopped_by, error : str
        The limit that ended training, or why an incomplete run was stopped; and what went wrong, in one line.
    evaluations : float or None
        Known of runs that were executed or read from their folder, not of those in the index.
    traceback : str
        Where an executed run failed.
    reused, diverged : bool
        Whether the run was complete before; whether an output that is scored on test is not finite.
    recorded, disk_full : bool
        Whether ``status.json`` says the same; whether the run failed because the disk is full.
    warnings : tuple of str
        Warnings that the run gave in a worker.
    spec, result : Spec, Result or None
        Set by the process that executed the run.
    root : Path or None
        The folder of all runs, where it is known.
    """

    folder: str
    status: str = MISSING
    seed: int | None = None
    settings: Mapping[str, Any] = MappingProxyType({})
    metric_names: tuple[str, ...] = ()
    metric_values: tuple[float, ...] = ()
    work: float | None = None
    steps: float | None = None
    seconds: float | None = None
    stopped_by: str = ""
    error: str = ""
    evaluations: float | None = None
    traceback: str = ""
    reused: bool = False
    diverged: bool = False
    recorded: bool = True
    disk_full: bool = False
    warnings: tuple[str, ...] = ()
    spec: Spec | None = None
    result: Result | None = None
    root: Path | None = None

    @property
    def id(self) -> str:
        """The hash of the run's resolved spec."""
        return self.folder.rpartition("/")[2]

    @property
    def outcome(self) -> str:
        """The status, or ``"pruned"``."""
        return PRUNED if self.stopped_by == PRUNED else self.status

    @property
    def path(self) -> Path:
        """The run folder; relative to the folder of all runs where that is not known."""
        return Path(self.folder) if self.root is None else self.root / self.folder

    @property
    def axes(self) -> dict[str, Any]:
        """The settings and the seed of a planned run."""
        return {**self.settings, "seed": self.seed}

    @property
    def test(self) -> dict[str, float]:
        """Metrics on test by name."""
        return {name[5:]: value for name, value in self.metrics().items() if name.startswith("test.")}

    def line(self) -> str:
        """Return a planned run as a line of a list of runs."""
        return json.dumps({"id": self.id, "folder": self.folder, "axes": self.axes}) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Run:
        """Read what `line` wrote.

        Raises
        ------
        ValueError, KeyError, TypeError
            When the text is no such line.
        """
        content = json.loads(line)
        settings = dict(content.get("axes") or {})
        seed = settings.pop("seed", None)
        return cls(str(content["folder"]), seed=seed if isinstance(seed, int) else None, settings=settings)

    def metrics(self) -> dict[str, float]:
        """Return the metrics of every split, for instance ``test.nrmse_std``."""
        return dict(zip(self.metric_names, self.metric_values))

    def ranking_metric(self, split: str) -> str | None:
        """Return the name of the metric that ranks on a split, None when the run has none there.

        It is the first one of the task with a finite value; the first of all if no value is finite.
        """
        return ranking_metric([self], split)

    def get(self, name: str) -> Any:
        """Return the value of a column, None where the run has none."""
        if name in self.settings:
            return self.settings[name]
        if name in self.metric_names:
            return self.metric_values[self.metric_names.index(name)]
        return getattr(self, name) if name in ("seed", *FIRST, *LAST) else None

    def as_dict(self) -> dict[str, Any]:
        """Return every column that the run has, in the order of the table."""
        first = {name: getattr(self, name) for name in (*FIRST, "seed")}
        return {**first, **self.settings, **self.metrics(), **{name: getattr(self, name) for name in LAST}}

    def scored(self, metrics: Mapping[str, Mapping[str, Any]], meter: Mapping[str, Any], why: str) -> Run:
        """Return the run with its scores, its costs and the limit that stopped it.

        Raises
        ------
        KeyError, TypeError, ValueError, AttributeError, OverflowError
            When a number is missing or is none, in what a file holds.
        """
        named = {
            f"{split}.{name}": float(value)
            for split, values in sorted(metrics.items())
            for name, value in values.items()
        }
        return self._replace(
            metric_names=tuple(named),
            metric_values=tuple(named.values()),
            work=float(meter["work"]),
            steps=float(meter["steps_forward"] + meter["steps_backward"]),
            evaluations=float(meter.get("evaluations", 0)),
            seconds=float(meter["seconds"]),
            stopped_by=str(why),
        )


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the entries of nested tables by dotted name; ``none``, which stands for null in TOML, as None."""
    return dict(_entries(table, prefix))


def _entries(table: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _entries(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", None if value == "none" else value


def ranking_metric(runs: Sequence[Run], split: str) -> str | None:
    """Return the metric that ranks runs of one task: the first one that is finite in a run, or else the first."""
    names = list(
        dict.fromkeys(name for run in runs for name in run.metric_names if name.startswith(f"{split}."))
    )

    def known(name: str) -> bool:
        return any((value := run.get(name)) is not None and math.isfinite(value) for run in runs)

    return next(filter(known, names), names[0] if names else None)
