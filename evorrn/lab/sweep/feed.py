"""Feeds: which run is next. Runs of one compiled program come together; complete runs are passed over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from evorrn.lab.runs.reader import Reader
from evorrn.lab.runs.run import BUSY, COMPLETE, DAMAGED, FAILED, PRUNED, RUNNING, Run
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.sweep.axes import spell
from evorrn.lab.sweep.folder import SweepFolder
from evorrn.lab.sweep.job import Job
from evorrn.lab.sweep.sampling import spec_of
from evorrn.lab.sweep.tally import Tally

AT_ONCE = 50
"""Folders that are looked at before the caller gets a chance to do something else."""
AGAIN_SECONDS = 1.0
"""Time between two looks at the runs that other processes execute."""


class Feed(Protocol):
    """Where a leader takes jobs from."""

    @property
    def exhausted(self) -> bool:
        """Whether no job will follow, once those handed out are back."""

    def next(self) -> Job | None:
        """Return the next job; None when there is none now."""

    def back(self, job: Job, run: Run | None) -> None:
        """Record how a job has ended; the run is None for a job that compiled programs."""


class SweepFeed:
    """Base of the feeds of sweeps: selects runs to execute, and waits for runs of other processes.

    The tally counts the runs that are passed over; `warn` is called with a sentence for each damaged folder. With
    `warm`, one process compiles the programs of a group before others use them.
    """

    failed_only = False
    """Whether only runs that failed are executed, again; else failed runs are passed over."""
    passes_pruned = False
    """Whether a run that was pruned is passed over."""

    def __init__(
        self, folder: SweepFolder, tally: Tally, warn: Callable[[str], None], *, warm: bool = True
    ) -> None:
        self.folder, self.sweep, self.root = folder, folder.sweep, folder.root
        self.tally, self.warn, self.warm = tally, warn, warm
        self._elsewhere: list[Run] = []
        self._looked = 0.0

    def job(self, run: Run, warm: bool = False, bars: tuple[tuple[float, float], ...] = ()) -> Job:
        """Return the job of a planned run."""
        return Job(run, spec_of(self.sweep, run.settings), str(self.sweep.home), warm=warm, bars=bars)

    def wanted(self, run: Run) -> bool:
        """Return whether a run is to be executed, and count it where it is not."""
        found = Reader(self.root).run(run.folder)
        if found.status == COMPLETE:
            RunFolder(self.root / run.folder).remove_old_claim()
            self.tally.before += 1
            self.tally.compare(found, spell(run.axes))
        elif found.status == DAMAGED:
            self.tally.damaged += 1
            self.warn(f"damaged, left alone: {self.root / run.folder}: {found.error}")
        elif found.status == RUNNING:
            self.put_aside(run)
        elif found.status == FAILED:
            self.tally.failed_before += not self.failed_only
            return self.failed_only
        elif self.passes_pruned and found.stopped_by == PRUNED:
            self.tally.pruned += 1
        else:
            return not self.failed_only
        return False

    def put_aside(self, run: Run) -> None:
        """Keep a run that another process executes for a later look."""
        self._elsewhere.append(run)
        self.tally.elsewhere += 1

    def taken_over(self) -> list[Run]:
        """Return the runs that other processes have left unfinished, at most once a second."""
        if not self._elsewhere or time.monotonic() - self._looked < AGAIN_SECONDS:
            return []
        self._looked = time.monotonic()
        held, self._elsewhere, self.tally.elsewhere = self._elsewhere, [], 0
        return [run for run in held if self.wanted(run)]


class PlanFeed(SweepFeed):
    """Runs that are known beforehand, in groups that share compiled programs; see `SweepFeed`.

    Only failed runs are wanted with `failed_only`. With `wait`, runs of other processes are waited for, and taken over
    when those processes give up; without, they are looked at once more at the end.
    """

    def __init__(
        self,
        folder: SweepFolder,
        groups: Iterable[Iterator[Run]],
        tally: Tally,
        warn: Callable[[str], None],
        *,
        failed_only: bool = False,
        warm: bool = True,
        wait: bool = True,
    ) -> None:
        super().__init__(folder, tally, warn, warm=warm)
        self.failed_only, self.wait = failed_only, wait
        self._groups = [_Group(runs) for runs in groups]
        self._left: list[Run] = []
        self._last_look = False

    @property
    def exhausted(self) -> bool:
        """Whether no job will follow, once those handed out are back."""
        looks = self.wait or not self._last_look
        return not self._groups and not self._left and not (looks and self._elsewhere)

    def next(self) -> Job | None:
        """Return the next job; None when there is none now."""
        for _ in range(AT_ONCE):
            self._groups = [group for group in self._groups if group.head is not None]
            group = next((group for group in self._groups if not group.warming), None)
            if group is None or group.head is None:
                return None if self._groups else self._next_left()
            run = group.head
            if not self.wanted(run):
                group.advance()
            elif self.warm and not group.warm:
                group.warming = True
                return self.job(run, warm=True)
            else:
                group.advance()
                return self.job(run)
        return None

    def back(self, job: Job, run: Run | None) -> None:
        """Record how a job has ended; the run is None for a job that compiled programs."""
        if job.warm:
            group = next(group for group in self._groups if group.head is job.run)
            group.warming, group.warm = False, True
        elif run is not None and run.status == BUSY:
            self.put_aside(job.run)

    def _next_left(self) -> Job | None:
        """Return a run that another process has left unfinished."""
        if not self._left and (self.wait or not self._last_look):
            self._left, self._last_look = self.taken_over(), True
        return self.job(self._left.pop(0)) if self._left else None


class _Group:
    """The runs of one compiled program that are still to be looked at."""

    def __init__(self, runs: Iterator[Run]) -> None:
        self._runs = runs
        self.head = next(runs, None)
        self.warm = False
        self.warming = False

    def advance(self) -> None:
        """Go on to the next run."""
        self.head = next(self._runs, None)
