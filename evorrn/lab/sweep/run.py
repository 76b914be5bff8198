"""Running a sweep: one process that leads workers, or workers that lead themselves.

Both execute the same runs, in the same folders, to the same bytes, and any number of them may work on one
sweep: each run is claimed by the process that executes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

from evorrn.base import system
from evorrn.base.errors import ConfigError
from evorrn.lab.runs.estimate import estimated
from evorrn.lab.runs.hooks import SILENT, Hooks
from evorrn.lab.runs.run import Run
from evorrn.lab.sweep.adaptive import SearchFeed, check_values
from evorrn.lab.sweep.feed import PlanFeed
from evorrn.lab.sweep.folder import SweepFolder
from evorrn.lab.sweep.lead import Leader, Workers
from evorrn.lab.sweep.many import local_workers
from evorrn.lab.sweep.plan import make_plan
from evorrn.lab.sweep.sweep_file import Sweep, read_sweep
from evorrn.lab.sweep.tally import Tally
from evorrn.lab.sweep.workers import InProcess


def run_sweep(
    sweep: Sweep | str | Path,
    root: Path,
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    threads: int = 1,
    retry: bool = False,
    fail_fast: bool = False,
    hooks: Hooks = SILENT,
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
    hooks : Hooks
        `watch` is called with the `Tally`, again and again.

    Returns
    -------
    Tally
        How many runs ended in which way.

    Raises
    ------
    ConfigError
        With every mistake in the file and every cell that the spec refuses, before anything runs.
    Unfinished
        When runs have ended and the rest cannot be done, for instance on a full disk.
    KeyboardInterrupt
        After SIGINT or SIGTERM; interrupted runs have written checkpoints.
    """
    sweep = _read(sweep)
    folder = SweepFolder(root, sweep)
    folder.check()
    jobs = min(jobs, sweep.runs_wanted) if system.UNIX or executor is not None else 1
    given = contextlib.nullcontext(executor) if executor is not None else local_workers(jobs, threads)
    with given as chosen:
        feed: PlanFeed | SearchFeed
        if sweep.adaptive and not retry:
            largest = check_values(sweep)
            if largest is not None:
                hooks.note(estimated([(largest, sweep.runs_wanted)], root).sentence(jobs))
            folder.adopt()
            feed = SearchFeed(folder, Tally(sweep.runs_wanted), hooks.warn, warm=jobs > 1)
        else:
            groups, total = _listed(folder) if sweep.adaptive else _planned(folder, hooks, jobs)
            feed = PlanFeed(folder, groups, Tally(total), hooks.warn, failed_only=retry, warm=jobs > 1)
        return _lead(folder, feed, Workers(chosen, jobs, threads), hooks, fail_fast)


def work_on(
    sweep: Sweep | str | Path,
    root: Path,
    *,
    threads: int = 1,
    fail_fast: bool = False,
    hooks: Hooks = SILENT,
) -> Tally:
    """Execute runs of a sweep in this process until every run is complete, failed or claimed by another process.

    Any number of such processes, on any number of hosts that share the folder of runs, may work on one
    sweep. For the parameters see `run_sweep`.

    Raises
    ------
    ConfigError
        As `run_sweep`, and for an adaptive search, which one process has to lead.
    """
    sweep = _read(sweep)
    if sweep.adaptive:
        raise ConfigError(
            f"search.sampler: {sweep.search.sampler} chooses by what earlier runs have reached, so that one process "
            "must lead: evorrn sweep run; workers without one take grid, random and sobol"
        )
    folder = SweepFolder(root, sweep)
    folder.check()
    me = hashlib.sha256(f"{socket.gethostname()} {os.getpid()}".encode()).digest()
    first = int.from_bytes(me[:4], "big")
    groups, total = _planned(
        folder, hooks, first=first
    )  # workers without a leader begin with different groups
    feed = PlanFeed(folder, groups, Tally(total), hooks.warn, warm=False, wait=False)
    return _lead(folder, feed, Workers(InProcess(), threads=threads), hooks, fail_fast)


def _planned(
    folder: SweepFolder, hooks: Hooks, jobs: int = 1, first: int = 0
) -> tuple[list[Iterator[Run]], int]:
    """Check a sweep, write its file and the list of its runs, and return the runs by group and their number."""
    plan = make_plan(folder.sweep, hooks.checked)
    hooks.note(estimated(plan.largest_runs(), folder.root).sentence(jobs))
    folder.adopt()
    folder.write_list(run.line() for run in plan)
    return plan.groups(first), plan.runs


def _listed(folder: SweepFolder) -> tuple[list[Iterator[Run]], int]:
    """Return the runs that an adaptive search has chosen, as one group, and their number."""
    runs = folder.listed_runs()
    return [iter(runs)], len(runs)


def _lead(
    folder: SweepFolder, feed: PlanFeed | SearchFeed, workers: Workers, hooks: Hooks, fail_fast: bool
) -> Tally:
    with folder.session() as session:
        Leader(workers, folder.root, session, feed.tally, hooks, fail_fast).lead(feed)
    return feed.tally


def _read(sweep: Sweep | str | Path) -> Sweep:
    return sweep if isinstance(sweep, Sweep) else read_sweep(Path(sweep))
