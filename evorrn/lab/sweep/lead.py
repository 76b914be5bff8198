"""Leading a sweep: keeping an executor's workers busy until every run has ended, whatever happens to them.

Any `concurrent.futures.Executor` will do: processes of this machine, a cluster, or none at all.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from pathlib import Path
from typing import Any

from evorrn.base.errors import Unfinished
from evorrn.lab.runs.recorder import Interruption
from evorrn.lab.runs.store import COMPLETE, FAILED, INTERRUPTED, RunFolder
from evorrn.lab.sweep.axes import spell
from evorrn.lab.sweep.feed import Feed, Next, Say
from evorrn.lab.sweep.perform import PRUNED, STOPPED, Order, Report, perform, warm
from evorrn.lab.sweep.sampling import spec_of
from evorrn.lab.sweep.sweep_file import Sweep
from evorrn.lab.sweep.tally import Tally

PATIENCE = 0.1
"""Seconds between two looks at the workers."""
ATTEMPTS = 2
"""Times that the same run may take its worker down with it."""
AHEAD = 2
"""Runs handed out for each that can be under way, so that no worker waits for its next one to arrive."""


class Leader:
    """Hands the runs of a feed to an executor.

    Parameters
    ----------
    sweep : Sweep
    root : Path
        The folder of all runs.
    session : Path
        The file that workers look at; removing it stops their runs.
    executor : Executor
    slots : int
        Runs that the executor can have under way at once.
    ahead : int
        Runs handed out for each that can be under way.
    threads : int
        Threads of each run.
    tally : Tally
        Kept up to date.
    fail_fast : bool
        Whether the first failure ends the sweep.
    watch : callable
        Called with the tally, again and again.
    failure : callable
        Called with what failed and its report.
    warn : callable
        Called with a sentence.
    """

    def __init__(
        self,
        sweep: Sweep,
        root: Path,
        session: Path,
        executor: Executor,
        slots: int,
        *,
        ahead: int = AHEAD,
        threads: int = 1,
        tally: Tally,
        fail_fast: bool = False,
        watch: Callable[[Tally], None] = lambda tally: None,
        failure: Callable[[str, Report], None] = lambda where, report: None,
        warn: Say = lambda sentence: None,
    ) -> None:
        self.sweep, self.root, self.session = sweep, root.resolve(), session
        self.executor, self.slots, self.ahead, self.threads = executor, slots, ahead, threads
        self.tally, self.fail_fast = tally, fail_fast
        self.watch, self.failure, self.warn = watch, failure, warn
        self._under_way: dict[Future[Any], Next] = {}
        self._again: list[Next] = []
        self._deaths: Counter[str] = Counter()
        self._told: set[str] = set()
        self._ended_by = ""

    def lead(self, feed: Feed, interruption: Interruption) -> None:
        """Go on until the feed is exhausted and everything is back.

        Raises
        ------
        KeyboardInterrupt
            When somebody interrupted; runs under way have left checkpoints.
        Unfinished
            When the disk is full, the executor is gone, or a run failed and that was to end it all.
        """
        while True:
            if interruption.asked:
                self._stop()
            else:
                self._hand_out(feed)
            if not self._under_way:
                if interruption.asked:
                    raise KeyboardInterrupt
                if self._ended_by:
                    raise Unfinished(self._ended_by)
                if feed.exhausted and not self._again:
                    return
                time.sleep(PATIENCE)  # others hold what is left
            done, _ = wait(self._under_way, PATIENCE, FIRST_COMPLETED)
            for future in done:
                given = self._under_way.pop(future)
                self._back(feed, given, future, interruption)
            self.tally.under_way = min(len(self._under_way), self.slots)
            self.watch(self.tally)

    def _hand_out(self, feed: Feed) -> None:
        while not self._ended_by and len(self._under_way) < self.slots * self.ahead:
            given = self._again.pop() if self._again else feed.next()
            if given is None:
                return
            order = self._order(given)
            try:
                future = self.executor.submit(warm if given.warm else perform, order)
            except RuntimeError as error:
                self._ended_by = f"{error}; what was done is kept, and the same command goes on"
                return
            self._under_way[future] = given

    def _back(self, feed: Feed, given: Next, future: Future[Any], interruption: Interruption) -> None:
        """Take in how something handed out has ended."""
        report: Report | None = None
        try:
            report = future.result()
        except CancelledError:
            if not (interruption.asked or self._ended_by):
                self._ended_by = "the executor is gone; what was done is kept, and the same command goes on"
            return
        except Exception as error:  # the worker died, or the executor lost the call
            if given.warm:
                feed.back(given, None)
                return
            report = self._after_death(given, error)
            if report is None:
                return
        feed.back(given, report)
        if report is not None:
            self._count(given, report, interruption)

    def _after_death(self, given: Next, error: Exception) -> Report | None:
        """Put a run whose worker died back, once; after that it has failed."""
        self._deaths[given.run.id] += 1
        if self._deaths[given.run.id] < ATTEMPTS:
            self.warn(f"{given.run.folder}: {error}; it is begun again from its checkpoint")
            self._again.append(given)
            return None
        said = f"{error}, {ATTEMPTS} times; perhaps it needs more memory than there is"
        run = RunFolder(self.root / given.run.folder)
        if run.path.is_dir():
            run.set_status(FAILED, error=said, traceback="")
        return Report(FAILED, given.run.folder, error=said)

    def _count(self, given: Next, report: Report, interruption: Interruption) -> None:
        tally, where = self.tally, spell(given.run.axes)
        for remark in report.remarks:
            self.warn(remark)
        if report.status == COMPLETE:
            tally.done += not report.reused
            tally.before += report.reused
            tally.tick()
            tally.compare(report.task, report.metric, report.valid, where)
        elif report.status == FAILED and report.disk:
            self._ended_by = f"{report.error}; what was done is kept, and the same command goes on"
        elif report.status == FAILED:
            tally.failed += 1
            tally.tick()
            self.failure(where, report)
            if self.fail_fast:
                self._ended_by = "a run failed (--fail-fast)"
        elif report.status == INTERRUPTED and report.stopped == PRUNED:
            tally.pruned += 1
            tally.tick()
        elif report.status == INTERRUPTED and not (report.stopped == STOPPED or interruption.asked):
            self._again.append(given)  # a signal reached the worker alone
        if self._ended_by:
            self._stop()

    def _stop(self) -> None:
        """Let what is under way stop with checkpoints; what no worker has begun comes back as it is."""
        self.session.unlink(missing_ok=True)

    def _order(self, given: Next) -> Order:
        run = given.run
        return Order(
            raw=spec_of(self.sweep, run.cell),
            home=str(self.sweep.home),
            seed=run.seed,
            id=run.id,
            root=str(self.root),
            session=str(self.session),
            threads=self.threads,
            bars=given.bars,
        )
