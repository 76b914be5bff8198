"""Executing many specs: one after the other here, or side by side in worker processes.

Each worker computes with one thread. For many runs that is faster than one run with many threads, whose
threads wait for each other at every step; and the numbers are the same.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evorrn.base.errors import EvorrnError, Unfinished
from evorrn.lab.runs.execute import execute
from evorrn.lab.runs.spec import Spec, resolve
from evorrn.lab.runs.store import COMPLETE, INTERRUPTED, RunFolder

if TYPE_CHECKING:
    from evorrn.training.loop import Progress

THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PATIENCE = 0.1
"""Seconds between two looks at the workers, and between two progress records of one of them."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Ended:
    """How a run ended, as plain data that can pass between processes.

    Attributes
    ----------
    status : str
        ``"complete"``, ``"failed"`` or ``"interrupted"``.
    error : str
        Empty unless failed.
    test : dict
        Metrics on test.
    cost : dict
        ``work``, ``steps``, ``evaluations`` and ``seconds``.
    stopped_by : str
        The limit or rule that ended training.
    """

    status: str
    error: str = ""
    test: dict[str, float] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    stopped_by: str = ""


@dataclass(frozen=True)
class Standing:
    """How far many runs are: how many have ended, of how many, and the progress of one of the others.

    `progress` is None when the run begins.
    """

    spec: Spec
    done: int
    total: int
    progress: Progress | None = None


def run_all(
    specs: Sequence[Spec],
    root: Path,
    *,
    jobs: int = 1,
    force: bool = False,
    watch: Callable[[Standing], None] = lambda standing: None,
    warn: Say = lambda sentence: None,
    note: Say = lambda sentence: None,
) -> list[Ended]:
    """Execute specs, and return how each of them ended, in their order.

    Parameters
    ----------
    specs : sequence of Spec
    root : Path
        The folder of all runs.
    jobs : int
        Worker processes; with 1 everything runs in this process. A script that asks for more needs
        the usual guard ``if __name__ == "__main__":``.
    force : bool
        Run again what is complete.
    watch : callable
        Called with a `Standing` when a run begins, and now and then while it goes on.
    warn, note : callable
        Called with a sentence, see `evorrn.lab.runs.execute.execute`.

    Raises
    ------
    EvorrnError
        When a run was refused, see `evorrn.lab.runs.execute.execute`; `Unfinished` when others have run before.
    KeyboardInterrupt
        When somebody interrupted; running ones have left checkpoints.
    """
    ended: dict[int, Ended] = {}
    new = [place for place, spec in enumerate(specs) if force or not _complete(spec, root)]
    workers = min(jobs, len(new))
    here = range(len(specs)) if workers < 2 else sorted(set(range(len(specs))) - set(new))
    try:
        for place in here:
            spec = specs[place]

            def follow(progress: Progress | None, spec: Spec = spec) -> None:
                watch(Standing(spec, len(ended), len(specs), progress))

            follow(None)
            ended[place] = _execute(spec, root, force, follow, warn, note)
            if ended[place].status == INTERRUPTED:
                raise KeyboardInterrupt
        if workers > 1:
            _run_in_workers(specs, new, root, workers, force, ended, watch, warn, note)
    except EvorrnError as error:
        if ended.keys() & set(new):
            raise Unfinished(f"{error}; the runs are kept") from error
        raise
    return [ended[place] for place in range(len(specs))]


def _execute(
    spec: Spec, root: Path, force: bool, watch: Callable[[Progress], None], warn: Say, note: Say
) -> Ended:
    outcome = execute(spec, root, force=force, plots=False, watch=watch, warn=warn, note=note)
    if outcome.status != COMPLETE or outcome.result is None:
        return Ended(outcome.status, outcome.error)
    meter = outcome.result.meter
    cost = {"work": meter.work, "steps": meter.steps, "seconds": meter.seconds}
    cost["evaluations"] = meter.evaluations
    return Ended(
        COMPLETE, test=outcome.result.metrics["test"], cost=cost, stopped_by=outcome.result.stopped_by
    )


def _run_in_workers(
    specs: Sequence[Spec],
    new: Sequence[int],
    root: Path,
    workers: int,
    force: bool,
    ended: dict[int, Ended],
    watch: Callable[[Standing], None],
    warn: Say,
    note: Say,
) -> None:
    context = multiprocessing.get_context("spawn")  # a fork would copy threads' locks in an unknown state
    records, stop = context.Queue(), context.Event()

    def relay() -> None:
        while True:
            try:
                place, message = records.get_nowait()
            except queue.Empty:
                return
            if isinstance(message, str):
                warn(message)
            else:
                watch(Standing(specs[place], len(ended), len(specs), message))

    with _one_thread_each(), _terminable():
        pool = ProcessPoolExecutor(workers, context, _begin_worker, (records, stop))
        try:
            with _deaf_children():
                futures = {
                    pool.submit(_work, place, specs[place].content, root, force): place for place in new
                }
            waiting: set[Future[Ended | str]] = set(futures)
            while waiting:
                done, waiting = wait(waiting, PATIENCE, FIRST_COMPLETED)
                results = {futures[future]: future.result() for future in done}
                ended.update({place: one for place, one in results.items() if isinstance(one, Ended)})
                for found in results.values():
                    if isinstance(found, str):
                        raise EvorrnError(found)
                relay()
        except BrokenProcessPool:
            raise RuntimeError(
                "a worker process ended abruptly, perhaps for want of memory; complete runs are kept, and the same "
                "command goes on, with --jobs 1 in less memory"
            ) from None
        except KeyboardInterrupt:
            note("stopping after the steps under way, with checkpoints; once more stops at once")
            raise
        finally:
            stop.set()
            _shut(pool)


def _shut(pool: ProcessPoolExecutor) -> None:
    """Wait until every worker has ended its step and written a checkpoint; a second Ctrl-C does not wait."""
    try:
        pool.shutdown(wait=True, cancel_futures=True)
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.terminate()
        raise


def _complete(spec: Spec, root: Path) -> bool:
    return RunFolder(root / spec.folder).state() == COMPLETE


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start within the block compute with one thread."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Let processes that start within the block ignore SIGINT.

    Ctrl-C reaches the whole group of processes; the parent alone decides on it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM, which batch schedulers send, into KeyboardInterrupt, so that workers are told to stop."""
    if threading.current_thread() is not threading.main_thread():  # only there can handlers be set
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


_records: Any = None
_stop: Any = None


def _begin_worker(records: Any, stop: Any) -> None:
    """Give a worker what it needs to tell of its runs, and to be told to stop."""
    global _records, _stop
    _records, _stop = records, stop


def _work(place: int, content: dict[str, Any], root: Path, force: bool) -> Ended | str:
    """Execute a spec in a worker; a refusal comes back as its text, since not every error can be pickled."""
    shown = 0.0

    def watch(progress: Progress) -> None:
        nonlocal shown
        if _stop.is_set():
            signal.raise_signal(signal.SIGTERM)  # the runner ends the run in good order
        if time.monotonic() - shown > PATIENCE:
            shown = time.monotonic()
            _records.put((place, progress))

    def say(sentence: str) -> None:
        _records.put((place, sentence))

    if _stop.is_set():
        return Ended(INTERRUPTED)
    _records.put((place, None))
    try:
        return _execute(resolve(content), root, force, watch, say, lambda sentence: None)
    except EvorrnError as error:
        return str(error)
