"""Which run is next: those of one compiled program together, complete ones passed over, others' waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evorrn.lab.runs.rows import DAMAGED, Reader, Row
from evorrn.lab.runs.store import COMPLETE, FAILED, RUNNING
from evorrn.lab.sweep.axes import spell
from evorrn.lab.sweep.perform import Report
from evorrn.lab.sweep.plan import PlannedRun
from evorrn.lab.sweep.tally import Tally

AT_ONCE = 50
"""Folders that are looked at before the caller gets a chance to do something else."""
AGAIN_SECONDS = 1.0
"""Time between two looks at the runs that other processes hold."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Next:
    """A run to be done; with `warm` only to be begun in memory, so that its programs are compiled once."""

    run: PlannedRun
    warm: bool = False
    bars: tuple[tuple[float, float], ...] = ()


class Feed(Protocol):
    """Where a leader takes runs from.

    Attributes
    ----------
    tally : Tally
    """

    tally: Tally

    @property
    def exhausted(self) -> bool:
        """Whether nothing more will come, once what was handed out is back."""

    def next(self) -> Next | None:
        """Return what is to be done next; None when there is nothing now."""

    def back(self, given: Next, report: Report | None) -> None:
        """Take note of how something handed out has ended; None for programs made warm."""


class Runs(Protocol):
    """Runs in groups that share compiled programs."""

    @property
    def groups(self) -> int:
        """How many groups there are."""

    def group(self, place: int) -> Iterator[PlannedRun]:
        """Yield the runs of a group."""


class PlanFeed:
    """Runs that are known beforehand.

    Parameters
    ----------
    plan : Plan or ListedRuns
    root : Path
        The folder of all runs.
    tally : Tally
        Told of the runs that are passed over.
    warn : callable
        Called with a sentence for each damaged folder.
    failed_only : bool
        Whether only runs that failed are wanted, again; else they are passed over.
    warm : bool
        Whether the programs of a group are compiled by one process before others join it.
    wait : bool
        Whether runs that other processes hold are waited for, and taken over when those give up.
    first : int
        Which group of programs to begin with, so that workers without a parent begin with different ones.
    """

    def __init__(
        self,
        plan: Runs,
        root: Path,
        tally: Tally,
        warn: Say,
        *,
        failed_only: bool = False,
        warm: bool = True,
        wait: bool = True,
        first: int = 0,
    ) -> None:
        self.root, self.tally, self.warn = root, tally, warn
        self.failed_only, self.warm, self.wait = failed_only, warm, wait
        count = plan.groups
        self._groups = [_Group(plan.group((first + place) % count)) for place in range(count)]
        self._elsewhere: list[PlannedRun] = []
        self._looked = 0.0

    @property
    def exhausted(self) -> bool:
        """Whether nothing more will come, once what was handed out is back."""
        return not self._groups and not (self.wait and self._elsewhere)

    def next(self) -> Next | None:
        """Return what is to be done next; None when there is nothing now."""
        for _ in range(AT_ONCE):
            self._groups = [group for group in self._groups if group.head is not None]
            group = next((group for group in self._groups if not group.warming), None)
            if group is None or group.head is None:
                return self._taken_over() if not self._groups else None
            run = group.head
            if not self._wanted(run):
                group.advance()
            elif self.warm and not group.warm:
                group.warming = True
                return Next(run, warm=True)
            else:
                group.advance()
                return Next(run)
        return None

    def back(self, given: Next, report: Report | None) -> None:
        """Take note of how something handed out has ended; None for programs made warm."""
        if given.warm:
            group = next(group for group in self._groups if group.head is given.run)
            group.warming, group.warm = False, True
        elif report is not None and report.status == "busy":
            self._put_aside(given.run)

    def _wanted(self, run: PlannedRun) -> bool:
        """Return whether a run is to be done, and count it where it is not."""
        row = Reader(self.root).row(run.folder)
        if row.status == COMPLETE:
            pass_over(self.tally, run, row)
        elif row.status == DAMAGED:
            self.tally.damaged += 1
            self.warn(f"damaged, left alone: {self.root / run.folder}: {row.error}")
        elif row.status == RUNNING:
            self._put_aside(run)
        elif row.status == FAILED:
            self.tally.failed_before += not self.failed_only
            return self.failed_only
        else:
            return not self.failed_only
        return False

    def _taken_over(self) -> Next | None:
        """Return a run that another process has left unfinished."""
        if not self.wait or time.monotonic() - self._looked < AGAIN_SECONDS:
            return None
        self._looked = time.monotonic()
        held, self._elsewhere, self.tally.elsewhere = self._elsewhere, [], 0
        for place, run in enumerate(held):
            if self._wanted(run):
                for other in held[place + 1 :]:
                    self._put_aside(other)
                self._looked = 0.0
                return Next(run)
        return None

    def _put_aside(self, run: PlannedRun) -> None:
        self._elsewhere.append(run)
        self.tally.elsewhere += 1


def pass_over(tally: Tally, run: PlannedRun, row: Row) -> None:
    """Count a run that is complete already."""
    tally.before += 1
    metric = next((name for name in row.metric_names if name.startswith("valid.")), None)
    if metric is not None:
        task, name = row.settings["task.name"], metric.removeprefix("valid.")
        tally.compare(task, name, row.get(metric), spell(run.axes))


class _Group:
    """The runs of one compiled program that are still to be looked at."""

    def __init__(self, runs: Iterator[PlannedRun]) -> None:
        self._runs = runs
        self.head = next(runs, None)
        self.warm = False
        self.warming = False

    def advance(self) -> None:
        """Go on to the next run."""
        self.head = next(self._runs, None)
