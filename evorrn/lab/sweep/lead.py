"""Leading: hand jobs to the workers of an executor until every run has ended, also when workers die.

Any `concurrent.futures.Executor` will do: processes of this machine, a cluster, or this process itself.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evorrn.base.errors import EvorrnError, Unfinished
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.recorder import Interruption
from evorrn.lab.runs.run import COMPLETE, FAILED, INTERRUPTED, PRUNED, Run
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.sweep import job as jobs
from evorrn.lab.sweep.axes import spell
from evorrn.lab.sweep.feed import Feed
from evorrn.lab.sweep.job import REFUSED, STOPPED, Job
from evorrn.lab.sweep.tally import Tally
from evorrn.lab.sweep.workers import InProcess

PATIENCE = 0.1
"""Seconds between two looks at the workers."""
ATTEMPTS = 2
"""Times that the same run may take its worker down with it."""
KEPT = "what was done is kept, and the same command goes on"


@dataclass(frozen=True)
class Workers:
    """An executor, the number of runs that it executes at once, and the threads of each run.

    None leaves the number of threads as it is.
    """

    executor: Executor
    slots: int = 1
    threads: int | None = 1

    @property
    def most(self) -> int:
        """Jobs handed out at most: twice the slots, so that no worker waits for its next one to arrive."""
        return 1 if self.in_process else 2 * self.slots

    @property
    def in_process(self) -> bool:
        """Whether the runs are executed in this process."""
        return isinstance(self.executor, InProcess)


class Leader:
    """Hands the jobs of a feed to workers.

    Parameters
    ----------
    workers : Workers
    root : Path
        The folder of all runs.
    session : Path
        A file that the runs look at; removing it stops them.
    tally : Tally
        Kept up to date; `hooks.watch` is called with it repeatedly.
    fail_fast : bool
        Whether the first failure ends everything.
    """

    def __init__(
        self,
        workers: Workers,
        root: Path,
        session: Path,
        tally: Tally,
        hooks: Hooks,
        fail_fast: bool = False,
    ) -> None:
        self.workers, self.root, self.session = workers, root, session
        self.tally, self.hooks, self.fail_fast = tally, hooks, fail_fast
        self._under_way: dict[Future[Any], Job] = {}
        self._again: list[Job] = []
        self._deaths: Counter[str] = Counter()
        self._end: EvorrnError | None = None

    def lead(self, feed: Feed) -> None:
        """Hand out jobs until the feed is exhausted and every job is back.

        Raises
        ------
        KeyboardInterrupt
            After SIGINT or SIGTERM; interrupted runs have written checkpoints.
        EvorrnError
            When a run is refused, see `Job.record_refusal`.
        Unfinished
            When the disk is full, the executor is gone, or a run failed and `fail_fast` is set.
        """
        with Interruption(self.hooks.note) as interruption:
            while True:
                if interruption.asked:
                    self._stop()
                else:
                    self._hand_out(feed)
                if not self._under_way:
                    if interruption.asked:
                        raise KeyboardInterrupt
                    if self._end is not None:
                        raise self._end
                    if feed.exhausted and not self._again:
                        return
                    time.sleep(PATIENCE)  # other processes execute what is left
                done, _ = wait(self._under_way, PATIENCE, FIRST_COMPLETED)
                for future in done:
                    self._take_back(feed, self._under_way.pop(future), future, interruption)
                self.tally.under_way = min(len(self._under_way), self.workers.slots)
                self.hooks.watch(self.tally)

    def _hand_out(self, feed: Feed) -> None:
        while self._end is None and len(self._under_way) < self.workers.most:
            job = self._again.pop() if self._again else feed.next()
            if job is None:
                return
            run = job.run if self.workers.in_process else job.run._replace(spec=None)
            given = dataclasses.replace(
                job,
                run=run,
                root=str(self.root),
                session=str(self.session),
                threads=self.workers.threads,
            )
            try:
                future = self.workers.executor.submit(jobs.warm if job.warm else jobs.perform, given)
            except RuntimeError as error:
                self._end = Unfinished(f"{error}; {KEPT}")
                return
            self._under_way[future] = job

    def _take_back(self, feed: Feed, job: Job, future: Future[Any], interruption: Interruption) -> None:
        """Record how a job has ended."""
        run: Run | None = None
        try:
            run = future.result()
        except CancelledError:
            if not (interruption.asked or self._end):
                self._end = Unfinished(f"the executor is gone; {KEPT}")
            return
        except Exception as error:  # the worker died, or the executor lost the call
            if not job.warm:
                run = self._after_death(job, error)
                if run is None:
                    return
        feed.back(job, run)
        if run is not None:
            self._count(job, run, interruption)

    def _after_death(self, job: Job, error: Exception) -> Run | None:
        """Hand a run whose worker died out again, once; after that it has failed."""
        self._deaths[job.run.id] += 1
        if self._deaths[job.run.id] < ATTEMPTS:
            self.hooks.warn(f"{job.run.folder}: {error}; it is begun again from its checkpoint")
            self._again.append(job)
            return None
        reason = f"{error}, {ATTEMPTS} times; perhaps it needs more memory than there is"
        folder = RunFolder(self.root / job.run.folder)
        if folder.path.is_dir():
            folder.record(FAILED, error=reason, traceback="")
        return job.run._replace(status=FAILED, error=reason)

    def _count(self, job: Job, run: Run, interruption: Interruption) -> None:
        tally = self.tally
        for warning in run.warnings:
            self.hooks.warn(warning)
        if run.status == COMPLETE:
            tally.done += not run.reused
            tally.before += run.reused
            tally.tick()
            tally.compare(run, spell(job.run.axes))
        elif run.status == REFUSED:
            self._end = self._end or EvorrnError(run.error)
        elif run.status == FAILED and run.disk_full:
            self._end = Unfinished(f"{run.error}; {KEPT}")
        elif run.status == FAILED:
            tally.failed += 1
            tally.tick()
            self.hooks.failure(spell(job.run.axes), run)
            if self.fail_fast:
                self._end = Unfinished("a run failed (--fail-fast)")
        elif run.status == INTERRUPTED and run.stopped_by == PRUNED:
            tally.pruned += 1
            tally.tick()
        elif run.status == INTERRUPTED and run.stopped_by != STOPPED and not interruption.asked:
            if self.workers.in_process:
                interruption.asked = True  # the run in this process has handled the signal
            else:
                self._again.append(job)  # the signal reached the worker alone
        if self._end is not None:
            self._stop()

    def _stop(self) -> None:
        """Stop running jobs with checkpoints; workers return jobs that have not begun unchanged."""
        self.session.unlink(missing_ok=True)
