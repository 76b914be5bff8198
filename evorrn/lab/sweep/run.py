"""Running a sweep: one process that leads workers, or workers that lead themselves.

Both do the same runs, in the same folders, to the same bytes, and any number of them may be at work on one
sweep: who works on a run holds its claim.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evorrn.base.errors import ConfigError
from evorrn.lab.runs.recorder import Interruption
from evorrn.lab.runs.store import INTERRUPTED
from evorrn.lab.sweep.adaptive import SearchFeed, check_values
from evorrn.lab.sweep.feed import Feed, PlanFeed
from evorrn.lab.sweep.folder import SweepFolder
from evorrn.lab.sweep.lead import AHEAD, Leader
from evorrn.lab.sweep.local import LocalExecutor
from evorrn.lab.sweep.perform import Report
from evorrn.lab.sweep.plan import Plan, check_size, make_plan
from evorrn.lab.sweep.sweep_file import Sweep, read_sweep
from evorrn.lab.sweep.tally import Tally

Say = Callable[[str], None]
NEEDED = ("evorrn.lab.sweep.perform", "numba")
"""What a worker process imports before its first run."""


@dataclass(frozen=True)
class Tell:
    """Whom a sweep tells what.

    Attributes
    ----------
    checked : callable
        Called with the number of cells checked, before anything runs.
    watch : callable
        Called with the `Tally`, again and again.
    failure : callable
        Called with what failed and its `Report`, at once.
    warn, note : callable
        Called with a sentence: what deserves attention but stops nothing, and what is good to know.
    """

    checked: Callable[[int], None] = lambda done: None
    watch: Callable[[Tally], None] = lambda tally: None
    failure: Callable[[str, Report], None] = lambda where, report: None
    warn: Say = lambda sentence: None
    note: Say = lambda sentence: None


def run_sweep(
    sweep: Sweep | str | Path,
    root: Path,
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    threads: int = 1,
    retry: bool = False,
    fail_fast: bool = False,
    many: bool = False,
    tell: Tell | None = None,
) -> Tally:
    """Run a sweep, or go on with it; complete runs are passed over, and so are failed ones.

    Parameters
    ----------
    sweep : Sweep or path
    root : Path
        The folder of all runs; workers on other hosts must see it under the same path.
    jobs : int
        Runs under way at once.
    executor : concurrent.futures.Executor, optional
        Where runs are executed; by default `jobs` processes of this machine.
    threads : int
        Threads of each run; results do not depend on it.
    retry : bool
        Run those that failed again, and nothing else.
    fail_fast : bool
        End at the first failure.
    many : bool
        Whether more than a million runs are meant.
    tell : Tell, optional

    Returns
    -------
    Tally
        What became of the runs.

    Raises
    ------
    ConfigError
        With every mistake in the file and every cell that the spec refuses, before anything runs.
    Unfinished
        When runs have ended and the rest cannot be done, for instance on a full disk.
    KeyboardInterrupt
        When somebody interrupted; running ones have left checkpoints.
    """
    sweep, tell = _read(sweep), tell or Tell()
    folder = SweepFolder(root, sweep)
    folder.check()
    jobs = min(jobs, sweep.cells_wanted * sweep.seeds)
    with _executor(executor, jobs, threads) as workers:
        if sweep.adaptive and not retry:
            feed: Feed = _search(folder, tell, many, jobs)
        else:
            plan = folder.listed_runs() if sweep.adaptive else _plan(folder, many, tell)
            feed = PlanFeed(plan, root, Tally(plan.runs), tell.warn, failed_only=retry, warm=jobs > 1)
        _lead(folder, workers, jobs, threads, feed, feed.tally, fail_fast, tell)
    return feed.tally


def work_on(
    sweep: Sweep | str | Path,
    root: Path,
    *,
    threads: int = 1,
    fail_fast: bool = False,
    many: bool = False,
    tell: Tell | None = None,
) -> Tally:
    """Do runs of a sweep in this process until none is left that nobody holds.

    Any number of such processes, on any number of hosts that share the folder of runs, may work on one
    sweep. For the parameters see `run_sweep`.

    Raises
    ------
    ConfigError
        As `run_sweep`, and for an adaptive search, which one process has to lead.
    """
    sweep, tell = _read(sweep), tell or Tell()
    if sweep.adaptive:
        raise ConfigError(
            f"search.sampler: {sweep.search.sampler} chooses by what earlier runs have reached, so that one process "
            "must lead: evorrn sweep run; workers without one take grid, random and sobol"
        )
    folder = SweepFolder(root, sweep)
    folder.check()
    plan = _plan(folder, many, tell)
    tally = Tally(plan.runs)
    me = hashlib.sha256(f"{socket.gethostname()} {os.getpid()}".encode()).digest()
    feed = PlanFeed(plan, root, tally, tell.warn, warm=False, wait=False, first=int.from_bytes(me[:4], "big"))
    here = _Here()
    _lead(folder, here, 1, threads, feed, tally, fail_fast, tell, here)
    return tally


def _plan(folder: SweepFolder, many: bool, tell: Tell) -> Plan:
    """Check a sweep, and write its file and the list of its runs into its folder."""
    plan = make_plan(folder.sweep, many=many, tell=tell.checked)
    folder.adopt()
    folder.write_list(plan.lines())
    return plan


def _search(folder: SweepFolder, tell: Tell, many: bool, jobs: int) -> SearchFeed:
    """Check an adaptive search, and begin it."""
    sweep = folder.sweep
    check_size(sweep, many)
    check_values(sweep)
    folder.adopt()
    return SearchFeed(sweep, folder, Tally(sweep.cells_wanted * sweep.seeds), tell.warn, warm=jobs > 1)


def _lead(
    folder: SweepFolder,
    executor: Executor,
    slots: int,
    threads: int,
    feed: Feed,
    tally: Tally,
    fail_fast: bool,
    tell: Tell,
    here: _Here | None = None,
) -> None:
    with folder.session() as session, Interruption(tell.note) as interruption:
        if here is not None:
            here.interruption = interruption
        leader = Leader(
            folder.sweep,
            folder.root,
            session,
            executor,
            slots,
            ahead=AHEAD if here is None else 1,
            threads=threads,
            tally=tally,
            fail_fast=fail_fast,
            watch=tell.watch,
            failure=tell.failure,
            warn=tell.warn,
        )
        leader.lead(feed, interruption)


@contextmanager
def _executor(given: Executor | None, jobs: int, threads: int) -> Iterator[Executor]:
    """Give the executor to be used; one that is made here ends with the block."""
    if given is not None:
        yield given
        return
    workers = LocalExecutor(jobs, threads, load=NEEDED)
    try:
        yield workers
    except BaseException:
        workers.kill()
        raise
    workers.shutdown(wait=True)


class _Here(Executor):
    """No workers at all: a call is done where and when it is submitted."""

    interruption: Interruption

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do a call; its future is done."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        value = fn(*args, **kwargs)
        if isinstance(value, Report) and value.status == INTERRUPTED and not value.stopped:
            self.interruption.asked = True  # the run took the signal, being the last to ask for it
        future.set_result(value)
        return future


def _read(sweep: Sweep | str | Path) -> Sweep:
    return sweep if isinstance(sweep, Sweep) else read_sweep(Path(sweep))
