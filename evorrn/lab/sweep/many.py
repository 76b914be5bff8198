"""Executing a list of specs, side by side in worker processes or one after the other in this process.

Each worker computes with one thread. For many runs that is faster than one run with many threads, whose
threads wait for each other at every step; and the numbers are the same.
"""

from __future__ import annotations

import dataclasses
import queue
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evorrn.base import system
from evorrn.base.errors import EvorrnError, RunError, Unfinished
from evorrn.lab.runs.estimate import by_seed, estimated
from evorrn.lab.runs.execute import check_version, run_of
from evorrn.lab.runs.hooks import SILENT, Hooks, ignore
from evorrn.lab.runs.reader import Reader
from evorrn.lab.runs.run import COMPLETE, FAILED, Run
from evorrn.lab.runs.spec import Spec
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.sweep.job import Job
from evorrn.lab.sweep.lead import Leader, Workers
from evorrn.lab.sweep.tally import Tally
from evorrn.lab.sweep.workers import InProcess, LocalExecutor

if TYPE_CHECKING:
    from evorrn.training.progress import Progress

NEEDED = ("evorrn.lab.sweep.job", "numba")
"""What a worker process imports before its first run."""


@dataclass(frozen=True)
class RunsProgress:
    """How far a list of runs is: how many have ended, of how many, and the progress of one of the others.

    Attributes
    ----------
    spec : Spec
        The run that has just reported.
    progress : Progress or None
        Its progress; None when it begins.
    running : tuple of (Spec, Progress or None)
        All runs that have begun and not ended.
    seconds_left : float or None
        Time until the end of the list at the mean pace so far; None before the equivalent of one run is done.
    """

    spec: Spec
    done: int
    total: int
    progress: Progress | None = None
    running: tuple[tuple[Spec, Progress | None], ...] = ()
    seconds_left: float | None = None


def run_all(
    specs: Sequence[Spec], root: Path, *, jobs: int = 1, force: bool = False, hooks: Hooks = SILENT
) -> list[Run]:
    """Execute specs, and return how each of them ended, in their order.

    Complete runs are read from their folders.

    Parameters
    ----------
    root : Path
        The folder of all runs.
    jobs : int
        Worker processes; with 1 everything runs in this process.
    force : bool
        Execute complete runs again.
    hooks : Hooks
        `watch` is called with a `RunsProgress` when a run begins, and repeatedly while it goes on.

    Raises
    ------
    ConfigError
        Before anything runs, when a strategy cannot train its network or a run does not fit into memory.
    EvorrnError
        When a run was refused, see `evorrn.lab.runs.execute.execute`; `Unfinished` when others have run before.
    KeyboardInterrupt
        After SIGINT or SIGTERM; interrupted runs have written checkpoints.
    """
    ended = {} if force else _complete(specs, root, hooks)
    feed = _ListFeed([spec for spec in specs if spec.id not in ended], root, force, ended)
    before, left = len(ended), len(feed.waiting)
    if left:
        hooks.note(estimated(by_seed(feed.waiting), root).sentence(jobs))
        show = _Shown(specs, ended, hooks)
        try:
            with _workers(min(jobs, left), show) as (workers, relay), _session() as session:
                watching = dataclasses.replace(hooks, watch=relay)
                Leader(workers, root, session, Tally(len(specs), before=before), watching).lead(feed)
        except Unfinished:
            raise
        except EvorrnError as error:
            if len(ended) > before:
                raise Unfinished(f"{error}; the runs are kept") from error
            raise
    return [ended[spec.id] for spec in specs]


class _Shown:
    """Passes on what workers report: sentences, and the progress of runs together with that of the whole list."""

    def __init__(self, specs: Sequence[Spec], ended: Mapping[str, Run], hooks: Hooks) -> None:
        self.named = {spec.id: spec for spec in specs}
        self.ended, self.before, self.hooks = ended, len(ended), hooks
        self.running: dict[str, Progress | None] = {}
        self.started = time.monotonic()

    def __call__(self, told: Any) -> None:
        if isinstance(told, str):
            self.hooks.note(told)
            return
        name, progress = told
        self.running[name] = progress
        for over in self.ended.keys() & self.running.keys():
            del self.running[over]
        running = tuple((self.named[each], known) for each, known in self.running.items())
        total = len(self.named)
        left = self._seconds_left(running, total)
        self.hooks.watch(RunsProgress(self.named[name], len(self.ended), total, progress, running, left))

    def _seconds_left(self, running: Sequence[tuple[Spec, Progress | None]], total: int) -> float | None:
        shares = [spec.budget.used(known) or 0.0 for spec, known in running if known is not None]
        done = len(self.ended) - self.before + sum(shares)
        left = total - len(self.ended) - sum(shares)
        return None if done < 1 else (time.monotonic() - self.started) * left / done


def _complete(specs: Sequence[Spec], root: Path, hooks: Hooks) -> dict[str, Run]:
    """Return the runs that are complete, by id."""
    reader, found = Reader(root), {}
    for spec in specs:
        folder = RunFolder(root / spec.folder)
        if folder.state() == COMPLETE:
            folder.remove_old_claim()
            check_version(folder, hooks)
            run = reader.run(spec.folder.as_posix())
            if run.status != COMPLETE:
                raise RunError(f"{folder.path}: {run.error}; --force runs it again")
            found[spec.id] = run
    return found


class _ListFeed:
    """The jobs of a list of specs, in their order."""

    def __init__(self, specs: Sequence[Spec], root: Path, force: bool, ended: dict[str, Run]) -> None:
        self.root, self.force, self.ended = root, force, ended
        self.waiting = deque({spec.id: spec for spec in specs}.values())

    @property
    def exhausted(self) -> bool:
        """Whether no job will follow."""
        return not self.waiting

    def next(self) -> Job | None:
        """Return the next job; None when there is none."""
        if not self.waiting:
            return None
        spec = self.waiting.popleft()
        raw = {name: value for name, value in spec.content.items() if name != "seed"}
        return Job(run_of(spec, self.root), raw, force=self.force, record_refusal=False)

    def back(self, job: Job, run: Run | None) -> None:
        """Record how a job has ended."""
        if run is not None and run.status in (COMPLETE, FAILED):
            self.ended[job.run.id] = run


@contextmanager
def _workers(jobs: int, show: Callable[[Any], None]) -> Iterator[tuple[Workers, Callable[[Tally], None]]]:
    """Give workers, and a function that shows, in this thread, what they have told."""
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def relay(_: Tally) -> None:
        while not told.empty():
            show(told.get())

    if jobs < 2 or not system.UNIX:
        yield Workers(InProcess(show), threads=None), relay
        return
    with local_workers(jobs, listen=told.put) as executor:
        yield Workers(executor, jobs), relay


@contextmanager
def _session() -> Iterator[Path]:
    """Give a file that runs look at, and that is removed to stop them."""
    with tempfile.TemporaryDirectory(prefix="evorrn-") as folder:
        session = Path(folder) / "session"
        session.touch()
        yield session


@contextmanager
def local_workers(jobs: int, threads: int = 1, listen: Callable[[Any], None] = ignore) -> Iterator[Executor]:
    """Give worker processes that end with the block, at once where it ends with an error.

    Where descriptors cannot be passed on to processes, calls are done in this one.
    """
    if not system.UNIX:
        yield InProcess()
        return
    workers = LocalExecutor(jobs, threads, load=NEEDED, listen=listen)
    try:
        yield workers
    except BaseException:
        workers.kill()
        raise
    workers.shutdown(wait=True)
