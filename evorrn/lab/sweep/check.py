"""Checking a sweep before it runs: how many runs, which are done, and how long the rest may take."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evorrn.base.errors import RunError
from evorrn.lab.runs.hooks import ignore
from evorrn.lab.runs.reader import Reader
from evorrn.lab.runs.run import COMPLETE, DAMAGED, FAILED, PRUNED, Run
from evorrn.lab.sweep.adaptive import check_values
from evorrn.lab.sweep.folder import SweepFolder
from evorrn.lab.sweep.plan import make_plan
from evorrn.lab.sweep.sweep_file import Sweep


@dataclass
class Check:
    """The size of a sweep, and its progress.

    Attributes
    ----------
    sweep : Sweep
    cells, runs : int
        Of an adaptive search, how many it will choose.
    repeated : int
        Cells left out since another one gives the same spec.
    states : Counter
        How many runs are ``complete``, ``failed``, ``missing`` and so on; of an adaptive search, those that it
        has chosen so far.
    damaged : list of str
        Folders that cannot be read, with the reason.
    seconds_done, seconds_left : float or None
        Training time of the complete runs, and an estimate for those that are not; None where no run is
        complete. Of one process: several jobs share it.
    unlike : int
        Runs left of which no run of the same task, strategy and cell is complete, estimated like the rest.
    """

    sweep: Sweep
    cells: int
    runs: int
    repeated: int = 0
    states: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)
    seconds_done: float = 0.0
    seconds_left: float | None = None
    unlike: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "name": self.sweep.name,
            "sampler": self.sweep.search.sampler,
            "axes": {axis.label: axis.describe() for axis in self.sweep.axes},
            "cells": self.cells,
            "seeds": self.sweep.seeds,
            "runs": self.runs,
            "repeated": self.repeated,
            "states": dict(self.states),
            "damaged": self.damaged,
            "seconds_done": self.seconds_done,
            "seconds_left": self.seconds_left,
        }


def check(sweep: Sweep, root: Path, checked: Callable[[int], None] = ignore) -> Check:
    """Check a sweep and look at the runs there are; nothing is written.

    Raises
    ------
    ConfigError
        With every mistake in the file and every cell that the spec refuses.
    """
    folder = SweepFolder(root, sweep)
    folder.check()
    if sweep.adaptive:
        check_values(sweep)
        found = Check(sweep, sweep.cells_wanted, sweep.runs_wanted)
        with suppress(RunError):  # none has been chosen yet
            chosen = folder.listed_runs()
            _look([((), run) for run in chosen], root, found, to_come=found.runs - len(chosen))
        return found
    plan = make_plan(sweep, checked)
    found = Check(sweep, plan.cells, plan.runs, plan.repeated)
    runs = ((kind, run) for kind, group in zip(plan.programs, plan.groups()) for run in group)
    _look(runs, root, found)
    return found


def _look(runs: Iterable[tuple[tuple[Any, ...], Run]], root: Path, found: Check, to_come: int = 0) -> None:
    """Count the states of runs, and estimate the time of the missing ones from complete ones of the same kind."""
    times: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    to_do: Counter[tuple[Any, ...]] = Counter({(): to_come})
    for kind, run in runs:
        row = Reader(root).run(run.folder)
        found.states[row.outcome] += 1
        if row.status == COMPLETE and row.seconds is not None:
            times[kind].append(row.seconds)
            found.seconds_done += row.seconds
        elif row.status == DAMAGED:
            found.damaged.append(f"{root / run.folder}: {row.error}")
        elif row.outcome not in (COMPLETE, FAILED, PRUNED):
            to_do[kind] += 1
    every = [seconds for some in times.values() for seconds in some]
    if not every:
        return
    found.seconds_left = sum(
        count * statistics.fmean(times.get(kind) or every) for kind, count in to_do.items()
    )
    found.unlike = sum(count for kind, count in to_do.items() if kind not in times)
