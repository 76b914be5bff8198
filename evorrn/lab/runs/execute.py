"""Execute a spec in its run folder, so that it can stop anywhere and go on from there.

The training loop is the one of `evorrn.training`; the runner adds what a folder needs: a claim,
checkpoints, states, the files of the outcome, and an orderly end on SIGINT and SIGTERM.
"""

from __future__ import annotations

import errno
import functools
import json
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from evorrn.base.blas import one_thread
from evorrn.base.errors import EvorrnError, RunError
from evorrn.base.files import delayed_sync, npz_bytes, sync_files
from evorrn.data.task import Task
from evorrn.lab.runs import environment
from evorrn.lab.runs.assessments import assessment_of
from evorrn.lab.runs.claim import Claim, ClaimLost
from evorrn.lab.runs.hooks import SILENT, Hooks, ignore
from evorrn.lab.runs.recorder import Interruption, Recorder
from evorrn.lab.runs.run import COMPLETE, FAILED, INTERRUPTED, RUNNING, Run, flatten
from evorrn.lab.runs.spec import Spec, resolve_stored
from evorrn.lab.runs.store import RunFolder, find_run, spec_digest, writing
from evorrn.training.assessment import Record
from evorrn.training.budget import Budget
from evorrn.training.loop import finish, train
from evorrn.training.result import Result, load
from evorrn.training.trainer import Trainer

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of the system that say that nothing more can be written."""


def execute(spec: Spec, root: Path, *, force: bool = False, hooks: Hooks = SILENT) -> Run:
    """Execute a spec in its folder, or go on where an earlier execution stopped.

    A complete run is not executed again: its result is returned. SIGINT and SIGTERM end the run after the
    step it is in, with a checkpoint; a second one ends it at once, with the checkpoint it has.

    Parameters
    ----------
    spec : Spec
    root : Path
        The folder of all runs.
    force : bool
        Start from the beginning, whatever is in the folder.
    hooks : Hooks
        `watch` is called with a `Progress` after every step of the strategy.

    Returns
    -------
    Run
        Complete, interrupted or failed, with its `result` when training ended well. A run that failed may have a
        result too: its files could not be written then.

    Raises
    ------
    KeyboardInterrupt
        After a signal while a new run's programs are compiled, before it has a folder.
    EvorrnError
        When nothing was executed: data or settings cannot be used, the folder cannot be written, or another
        process works on the run.
    """
    folder, planned = RunFolder(root / spec.folder), run_of(spec, root)
    if not force and folder.state() == COMPLETE:
        return _reused(planned, folder, hooks)
    assessment = assessment_of(spec)
    problem = assessment.problem(spec.network)
    inherited = None if spec.parent is None else _checkpoint(find_run(spec.parent, root))
    start = functools.partial(Trainer, spec.strategy, problem, seed=spec.seed, budget=spec.budget)
    with one_thread(), delayed_sync(), Interruption(hooks.note) as interruption:
        # A new run starts before it has a folder, so that a spec its strategy refuses leaves nothing behind.
        trainer = None if folder.path.exists() else start(state=inherited)
        with folder.claimed(force) as claim:
            if not force and folder.state() == COMPLETE:  # another process was faster
                return _reused(planned, folder, hooks)
            state = _prepare(spec, folder, claim, force, hooks)
            result, recorder = None, None
            try:
                if trainer is None or state is not None:
                    trainer = start(state=inherited if state is None else state)
                recorder = Recorder(claim, trainer, interruption, hooks)
                train(trainer, [recorder])
                if recorder.interrupted:
                    recorder.checkpoint()
                    why = {"stopped": recorder.stopped} if recorder.stopped else {}
                    claim.set_status(INTERRUPTED, **recorder.progress(), **why)
                    return planned._replace(status=INTERRUPTED, stopped_by=recorder.stopped)
                result = finish(trainer, assessment)
                recorder.try_checkpoint(last=True)
                record = assessment.record(result)
                _write_outcome(claim, result, record)
                sync_files()
                diverged = record.diverged or trainer.best_genome is None
                reached = {**recorder.progress(), "diverged": diverged}
                known = {**_data_notes(spec), "spec_sha256": spec_digest(spec.toml())}
                claim.set_status(COMPLETE, **reached, **known)
                return _complete(planned, result)._replace(diverged=diverged)
            except KeyboardInterrupt:
                with suppress(OSError, ClaimLost):
                    claim.set_status(INTERRUPTED)
                return planned._replace(status=INTERRUPTED)
            except ClaimLost as error:
                return _after_loss(planned, folder, error, hooks)
            except Exception as error:
                failed = failed_run(planned, error)._replace(result=result, recorded=False)
                with suppress(OSError, ClaimLost):
                    if recorder is not None and result is None:  # what was reached before is not lost
                        recorder.checkpoint()
                    claim.set_status(FAILED, error=failed.error, traceback=failed.traceback)
                    failed = failed._replace(recorded=True)
                return failed


def _data_notes(spec: Spec) -> dict[str, Any]:
    """Return how the table of a task was read, for ``status.json``; empty for other tasks."""
    if not isinstance(spec.task, Task) or not spec.task.data_notes:
        return {}
    return {"columns": list(spec.task.column_names), "notes": list(spec.task.data_notes)}


def run_of(spec: Spec, root: Path) -> Run:
    """Return a run that has the settings of a spec and no results yet."""
    settings = flatten({name: value for name, value in spec.content.items() if name != "seed"})
    return Run(spec.folder.as_posix(), seed=spec.seed, settings=settings, spec=spec, root=root)


def failed_run(run: Run, error: Exception) -> Run:
    """Return a run that ended with an error; for use where the error is handled."""
    return run._replace(
        status=FAILED,
        stopped_by="error",
        error=one_line(error),
        traceback=traceback.format_exc(),
        disk_full=disk_full(error),
    )


def continued(reference: str | Path, budget: str | Budget, root: Path) -> Spec:
    """Return the spec of a new run that goes on from another one's checkpoint with more budget.

    Raises
    ------
    EvorrnError
        When there is no such run, it has no checkpoint, or the budget is one that it already used.
    """
    parent = find_run(reference, root)
    _checkpoint(parent)
    before = resolve_stored(parent.path)
    spec = resolve_stored(parent.path, budget=budget, parent=parent.id)
    old, new = before.budget.values(), spec.budget.values()
    if all(name in old and new[name] <= old[name] for name in new):
        raise EvorrnError(
            f"budget: expected more than the {before.content['budget']} of run {parent.id}, got {budget}"
        )
    return spec


def _after_loss(run: Run, folder: RunFolder, error: ClaimLost, hooks: Hooks) -> Run:
    """Return the result of the process that took a run over, if that has completed it; else raise or fail."""
    if folder.state() == COMPLETE:
        hooks.warn(f"{error}; its result is used")
        return _reused(run, folder, hooks)
    if folder.path.is_dir():
        raise error
    return failed_run(run, error)._replace(recorded=False)


def _prepare(spec: Spec, run: RunFolder, claim: Claim, force: bool, hooks: Hooks) -> dict[str, Any] | None:
    """Write the files of a run's beginning, and return the state to resume from, if any."""
    with writing(f"to {run.path}"):
        if force:
            claim.clear()
        state = _checkpoint(run, needed=False, warn=hooks.warn)
        now = environment.describe()
        if state is not None:
            hooks.note(f"going on from step {state['step_count']} of {run.path}")
            for difference in environment.differences(run.environment(), now):
                hooks.warn(f"{run.path}: last digits may differ from an undisturbed run: {difference}")
        claim.write("spec.toml", spec.toml())
        claim.write("env.json", _indented(json.dumps(now)) + "\n")
        claim.set_status(RUNNING)
    return state


@functools.lru_cache(maxsize=1)
def _indented(text: str) -> str:
    """Return JSON indented; kept for the next run, since indenting is slow and the environment is the same."""
    return json.dumps(json.loads(text), indent=1)


def _checkpoint(
    run: RunFolder, needed: bool = True, warn: Callable[[str], None] = ignore
) -> dict[str, Any] | None:
    """Return the state that a run's newest checkpoint holds; None when there is none and none is needed."""
    damaged: list[str] = []
    state = run.load_checkpoint(damaged.append)
    for sentence in damaged:
        warn(sentence)
    if damaged and state is None:
        warn(f"{run.path}: no checkpoint can be read; the run starts from its beginning")
    if state is None:
        if needed:
            raise RunError(
                f"{run.path}: expected a checkpoint to go on from, but there is none that can be read"
            )
        return None
    if state.pop("results_version", None) != environment.RESULTS_VERSION:
        raise RunError(
            f"{run.path}: was begun by a version of evorrn whose numbers differ; --force starts it again"
        )
    return state


def check_version(folder: RunFolder, hooks: Hooks) -> None:
    """Warn when a complete run was made by a version of evorrn whose numbers differ."""
    made_by = folder.environment().get("results_version")
    if made_by != environment.RESULTS_VERSION:
        hooks.warn(
            f"{folder.path}: its numbers are of results version {made_by}, this evorrn makes version "
            f"{environment.RESULTS_VERSION}; --force runs it again"
        )


def _reused(run: Run, folder: RunFolder, hooks: Hooks) -> Run:
    """Return a run that was complete before."""
    folder.remove_old_claim()
    _restore_spec(run.spec, folder, hooks)
    check_version(folder, hooks)
    try:
        result = load(folder.path)
    except RunError as error:
        raise RunError(f"{error}; --force runs it again") from None
    diverged = bool(folder.status().get("diverged"))
    return _complete(run, result)._replace(diverged=diverged, reused=True)


def _restore_spec(spec: Spec | None, folder: RunFolder, hooks: Hooks) -> None:
    """Write the spec of a complete run again where it was changed or removed since, with a warning."""
    if spec is not None and folder.changed_spec():
        hooks.warn(
            f"{folder.path / 'spec.toml'} was changed after the run; it is written again as the run had it"
        )
        with suppress(EvorrnError, OSError), folder.claimed() as claim:
            claim.write("spec.toml", spec.toml())
            claim.set_status(**{**folder.status(), "spec_sha256": spec_digest(spec.toml())})


def _complete(run: Run, result: Result) -> Run:
    scored = run.scored(result.metrics, result.meter.as_dict(), result.stopped_by)
    return scored._replace(status=COMPLETE, result=result)


def _write_outcome(claim: Claim, result: Result, record: Record) -> None:
    """Write the files of the outcome."""
    files = result.files()
    for name, content in files.items():
        claim.write(name, content)
    if f"{record.name}.npz" not in files:
        claim.write(f"{record.name}.npz", npz_bytes(record.arrays))


def disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or one that it came from, says that the disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def one_line(error: Exception) -> str:
    """Return what went wrong as one line."""
    if isinstance(error, EvorrnError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"cannot write {error.filename or 'a file of the run'}: {error.strerror}"
    return f"{type(error).__name__}: {error}"
