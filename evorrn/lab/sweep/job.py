"""Job: one run as it is handed to a worker, and its execution there.

A worker keeps what its next job is likely to need: the resolved cell with its compiled network, and the data of
the seed.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from evorrn.base.blas import one_thread
from evorrn.base.errors import EvorrnError
from evorrn.base.patience import given_up_when
from evorrn.lab.runs.assessments import assessment_of
from evorrn.lab.runs.claim import RunBusy
from evorrn.lab.runs.execute import execute, failed_run
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.run import BUSY, FAILED, INTERRUPTED, PRUNED, Run
from evorrn.lab.runs.spec import Spec, resolve
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.sweep.workers import tell
from evorrn.training.progress import Progress
from evorrn.training.trainer import Trainer

"""Why a run was stopped that was worse than most at the same share of its budget."""
STOPPED = "stopped"
"""Why a run was stopped whose leader ended."""
REFUSED = "refused"
"""State of a run that could not begin and whose folder was left as it was, see `Job.record_refusal`."""
LOOK_SECONDS = 0.2
"""Time between two checks whether the leader has ended."""
TELL_SECONDS = 0.1
"""Time between two progress records that are sent to the leader."""
KEPT_CELLS = 8
"""Resolved cells that a worker keeps for their other seeds."""


@dataclass(frozen=True)
class Job:
    """A run to be executed, as plain data that can pass between processes and hosts.

    Attributes
    ----------
    run : Run
        Planned: its folder, with the hash that the resolved spec must have, and its seed. Within one process it
        may hold the resolved spec.
    raw : dict
        The spec as typed, without a seed.
    home : str
        Folder that its relative paths start from.
    warm : bool
        Only begin the run in memory, so that its programs are compiled once for all workers.
    bars : tuple of (float, float)
        Shares of the budget, and the validation loss above which the run is pruned there.
    force : bool
        Execute a complete run again.
    record_refusal : bool
        Leave a run that cannot begin as a failed one in its folder; else the folder is left as it was.
    root : str
        The folder of all runs.
    session : str
        The file of the process that leads; when the file is gone the run stops with a checkpoint.
    threads : int or None
        None leaves the threads of the process as they are.
    """

    run: Run
    raw: dict[str, Any]
    home: str = ""
    warm: bool = False
    bars: tuple[tuple[float, float], ...] = ()
    force: bool = False
    record_refusal: bool = True
    root: str = ""
    session: str = ""
    threads: int | None = 1


_alone = Lock()  # strategies may draw from generators that belong to the process


def perform(job: Job) -> Run:
    """Execute the run of a job, and return how it ended; errors are in the run that is returned."""
    root, warnings = Path(job.root), list[str]()
    with _alone:
        if not Path(job.session).exists():
            return job.run._replace(status=INTERRUPTED, stopped_by=STOPPED)
        tell((job.run.id, None))
        run, spec = job.run._replace(root=root), None
        try:
            spec = _spec(job)
            hooks = Hooks(_watcher(job), warnings.append, tell, _stopper(job, spec))
            with given_up_when(lambda: not Path(job.session).exists()):
                run = execute(spec, root, force=job.force, hooks=hooks)
        except KeyboardInterrupt:
            run = run._replace(status=INTERRUPTED)
        except RunBusy as error:
            run = run._replace(status=BUSY if job.record_refusal else REFUSED, error=str(error))
        except EvorrnError as error:
            run = _refused(job, run, spec, error)
        except Exception as error:
            run = _refused(job, run, spec, error) if job.record_refusal else failed_run(run, error)
        if run.disk_full:  # not the fault of the run: it goes on when there is room
            RunFolder(run.path).record(INTERRUPTED)
    return run._replace(warnings=tuple(warnings), spec=None, result=None)


def warm(job: Job) -> None:
    """Bring the programs of a run into the kernel cache by one step of it in memory.

    Many cold processes would each compile the same. An error is ignored, since it comes again in the run,
    which has a folder to record it.
    """
    unwanted = given_up_when(lambda: not Path(job.session).exists())
    with _alone, suppress(Exception, KeyboardInterrupt), one_thread(), unwanted:
        if Path(job.session).exists():
            spec = _spec(job)
            problem = assessment_of(spec).problem(spec.network)
            Trainer(spec.strategy, problem, seed=spec.seed, budget=spec.budget).step()


def _spec(job: Job) -> Spec:
    """Return the resolved spec of a job, from what earlier jobs have resolved."""
    from evorrn.kernels.threads import set_threads

    if job.threads is not None:
        set_threads(job.threads)
    if job.run.spec is not None:
        return job.run.spec
    assert job.run.seed is not None
    spec = _resolved(json.dumps(job.raw), job.home).with_seed(job.run.seed)
    if spec.id != job.run.id:
        raise EvorrnError(
            f"this worker resolves the spec of {job.run.id} to {spec.id}: its evorrn, or a file that the spec "
            "names, is not the one of the process that leads the sweep"
        )
    return spec


@functools.lru_cache(maxsize=KEPT_CELLS)
def _resolved(text: str, home: str) -> Spec:
    return resolve({**json.loads(text), "seed": 0}, Path(home))


def _watcher(job: Job) -> Callable[[Progress], None]:
    """Return a function that sends the progress of a run to the leader, at most every `TELL_SECONDS`."""
    told = float("-inf")

    def watch(progress: Progress) -> None:
        nonlocal told
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            tell((job.run.id, progress))

    return watch


def _stopper(job: Job, spec: Spec) -> Callable[[Progress], str]:
    """Return a function that gives, after each step, the reason to stop the run, or an empty text."""
    session, looked = Path(job.session), time.monotonic()
    bars = list(job.bars)

    def stop(progress: Progress) -> str:
        nonlocal looked
        used = spec.budget.used(progress) if bars else None
        while used is not None and bars and used >= bars[0][0]:
            if used < 1 and not progress.best_loss <= bars[0][1]:
                return PRUNED
            bars.pop(0)
        if time.monotonic() - looked >= LOOK_SECONDS:
            looked = time.monotonic()
            if not session.exists():
                return STOPPED
        return ""

    return stop


def _refused(job: Job, run: Run, spec: Spec | None, error: Exception) -> Run:
    """Return a run that could not begin; recorded as failed in its folder, so that it can be found and retried."""
    failed = failed_run(run, error)
    if not job.record_refusal:
        return failed._replace(status=REFUSED)
    if spec is not None and not failed.disk_full:
        folder, files = RunFolder(run.path), {"spec.toml": spec.toml()}
        folder.record(FAILED, files, error=failed.error, traceback=failed.traceback)
    return failed
