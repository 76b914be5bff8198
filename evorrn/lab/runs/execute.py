"""Runner: executes a spec in its run folder, so that it can stop anywhere and go on from there.

The training loop is the one of `evorrn.training`; the runner adds what a folder needs: a claim,
checkpoints, states, the files of the outcome, and a good end when somebody interrupts.
"""

from __future__ import annotations

import errno
import functools
import json
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evorrn.base.blas import one_thread
from evorrn.base.errors import EvorrnError, RunError
from evorrn.base.files import durable_together, npz_bytes, settle, write_atomic
from evorrn.lab.runs import environment
from evorrn.lab.runs.recorder import Interruption, Recorder, Say, Stop
from evorrn.lab.runs.spec import Spec, resolve
from evorrn.lab.runs.store import COMPLETE, FAILED, INTERRUPTED, RUNNING, RunFolder, find_run
from evorrn.lab.runs.typed import read
from evorrn.training.assessment import Assessment, Record
from evorrn.training.budget import Budget
from evorrn.training.loop import Progress, Trainer, finish, train
from evorrn.training.result import Result, load

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What the system says when no more can be written."""


@dataclass(frozen=True)
class Outcome:
    """How the execution of a spec ended.

    Attributes
    ----------
    spec : Spec
    folder : Path
    status : str
        ``"complete"``, ``"interrupted"`` or ``"failed"``.
    result : Result or None
        What the run found.
    reused : bool
        Whether the run was complete already, so that nothing ran.
    error : str
        What went wrong, in one line; empty unless failed. A result stands beside it when training
        ended well and its files could not be written.
    traceback : str
        Where it went wrong.
    diverged : bool
        Whether an output that is scored on test is not finite.
    recorded : bool
        Whether ``status.json`` in the folder says the same; not on a disk that is full.
    stopped : str
        Why `stop` ended the run, see `execute`; empty unless it did.
    disk : bool
        Whether it failed since the disk took no more.
    """

    spec: Spec
    folder: Path
    status: str
    result: Result | None = None
    reused: bool = False
    error: str = ""
    traceback: str = ""
    diverged: bool = False
    recorded: bool = True
    stopped: str = ""
    disk: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data, as ``evorrn run --json`` prints it."""
        network = self.spec.network
        content = {
            "id": self.spec.id,
            "folder": str(self.folder),
            "status": self.status,
            "reused": self.reused,
            "task": self.spec.task.name,
            "strategy": self.spec.strategy.name,
            "network": {"cell": network.cell.name, "hidden": list(network.hidden), "genes": network.size},
            "seed": self.spec.seed,
            "budget": self.spec.content["budget"],
        }
        if self.result is not None:
            content |= {"stopped_by": self.result.stopped_by, "diverged": self.diverged}
            content |= {"metrics": self.result.metrics, "meter": self.result.meter.as_dict()}
        return content | ({"error": self.error} if self.error else {})


def execute(
    spec: Spec,
    root: Path,
    *,
    force: bool = False,
    plots: bool = True,
    assessment: Assessment | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
    stop: Stop = lambda progress: "",
    warn: Say = lambda sentence: None,
    note: Say = lambda sentence: None,
) -> Outcome:
    """Execute a spec in its folder, or go on where an earlier execution stopped.

    A complete run is not run again: its result is returned. SIGINT and SIGTERM end the run after the
    step it is in, with a checkpoint; a second one ends it at once, with the checkpoint it has.

    Parameters
    ----------
    spec : Spec
    root : Path
        The folder of all runs.
    force : bool
        Start anew, whatever is in the folder.
    plots : bool
        Draw the learning curve, and predictions or a trajectory, into the folder.
    assessment : Assessment, optional
        What ``spec.task.assessment(spec.seed)`` gives, where it is at hand.
    watch : callable
        Called with a `Progress` after every step of the strategy.
    stop : callable
        Called with a `Progress` after every step; a text ends the run as an interruption does, with a
        checkpoint, and ``status.json`` says why.
    warn, note : callable
        Called with a sentence: what deserves attention but stops nothing, and what is good to know.

    Raises
    ------
    EvorrnError
        When nothing was run: data or settings cannot be used, the folder cannot be written, or another
        process works on the run. What goes wrong later is an `Outcome` that failed.
    """
    run = RunFolder(root / spec.folder)
    if not force and run.state() == COMPLETE:
        return _reuse(spec, run, plots, warn)
    assessment = spec.task.assessment(spec.seed) if assessment is None else assessment
    problem = assessment.problem(spec.network)
    inherited = None if spec.parent is None else _checkpoint(find_run(spec.parent, root))
    start = functools.partial(Trainer, spec.strategy, problem, seed=spec.seed, budget=spec.budget)
    with one_thread(), durable_together():
        # A new run starts before it has a folder, so that a spec its strategy refuses leaves nothing behind.
        trainer = None if run.path.exists() else start(state=inherited)
        with run.claimed(), Interruption(note) as interruption:
            if not force and run.state() == COMPLETE:  # another process was faster
                return _reuse(spec, run, plots, warn)
            state = _prepare(spec, run, force, warn, note)
            result, recorder = None, None
            try:
                if trainer is None or state is not None:
                    trainer = start(state=inherited if state is None else state)
                recorder = Recorder(run, trainer, interruption, watch, warn, stop)
                train(trainer, [recorder])
                if recorder.interrupted:
                    recorder.checkpoint()
                    why = {"stopped": recorder.stopped} if recorder.stopped else {}
                    run.set_status(INTERRUPTED, **recorder.progress(), **why)
                    return Outcome(spec, run.path, INTERRUPTED, stopped=recorder.stopped)
                result = finish(trainer, assessment)
                recorder.try_checkpoint(last=True)
                record = assessment.record(result.network, result.genome)
                _write_outcome(run, result, record)
                if plots:
                    _draw(run, result, warn)
                settle()
                run.set_status(COMPLETE, **recorder.progress(), diverged=record.diverged)
                return Outcome(spec, run.path, COMPLETE, result, diverged=record.diverged)
            except KeyboardInterrupt:
                with suppress(OSError):
                    run.set_status(INTERRUPTED)
                return Outcome(spec, run.path, INTERRUPTED)
            except Exception as error:
                said, trace, recorded = _one_line(error), traceback.format_exc(), False
                disk = disk_full(error)
                with suppress(OSError):
                    if recorder is not None and result is None:  # what was reached before is not lost
                        recorder.checkpoint()
                    run.set_status(FAILED, error=said, traceback=trace)
                    recorded = True
                return Outcome(
                    spec, run.path, FAILED, result, error=said, traceback=trace, recorded=recorded, disk=disk
                )


def continued(reference: str | Path, budget: str | Budget, root: Path) -> Spec:
    """Return the spec of a new run that goes on from another one's checkpoint with more budget.

    Raises
    ------
    EvorrnError
        When there is no such run, it has no checkpoint, or the budget is one that it already used.
    """
    parent = find_run(reference, root)
    raw = read(parent.path / "spec.toml")
    _checkpoint(parent)
    before = resolve(raw)
    spec = resolve({**raw, "budget": budget, "parent": parent.id})
    old, new = before.budget.values(), spec.budget.values()
    if all(name in old and new[name] <= old[name] for name in new):
        raise EvorrnError(f"budget: expected more than the {raw['budget']} of run {parent.id}, got {budget}")
    return spec


def _prepare(spec: Spec, run: RunFolder, force: bool, warn: Say, note: Say) -> dict[str, Any] | None:
    """Write what stands at the beginning of a run, and return the state to go on from."""
    try:
        if force:
            run.clear()
        state = _checkpoint(run, needed=False)
        now = environment.describe()
        if state is not None:
            note(f"going on from step {state['step_count']} of {run.path}")
            for difference in environment.differences(run.environment(), now):
                warn(f"{run.path}: last digits may differ from an undisturbed run: {difference}")
        write_atomic(run.path / "spec.toml", spec.toml())
        write_atomic(run.path / "env.json", _indented(json.dumps(now)) + "\n")
        run.set_status(RUNNING)
    except OSError as error:
        raise EvorrnError(f"cannot write to {run.path}: {error.strerror or error}") from None
    return state


@functools.lru_cache(maxsize=1)
def _indented(text: str) -> str:
    """Return JSON indented; of many runs in one process the environment is the same, and indenting is slow."""
    return json.dumps(json.loads(text), indent=1)


def _checkpoint(run: RunFolder, needed: bool = True) -> dict[str, Any] | None:
    """Return the state that a run's newest checkpoint holds; None when there is none and none is needed."""
    state = run.load_checkpoint()
    if state is None:
        if needed:
            raise RunError(
                f"{run.path}: expected a checkpoint to go on from, but there is none that can be read"
            )
        return None
    if state.pop("results_version", None) != environment.RESULTS_VERSION:
        raise RunError(
            f"{run.path}: was begun by a version of evorrn whose numbers differ; --force starts it anew"
        )
    return state


def _reuse(spec: Spec, run: RunFolder, plots: bool, warn: Say) -> Outcome:
    """Return the outcome of a run that was complete before."""
    made_by = run.environment().get("results_version")
    if made_by != environment.RESULTS_VERSION:
        warn(
            f"{run.path}: its numbers are of results version {made_by}, this evorrn makes version "
            f"{environment.RESULTS_VERSION}; --force runs it again"
        )
    try:
        result = load(run.path)
    except RunError as error:
        raise RunError(f"{error}; --force runs it again") from None
    if plots and not (run.path / "plots").is_dir():
        _draw(run, result, warn)
    diverged = bool(run.status().get("diverged"))
    return Outcome(spec, run.path, COMPLETE, result, reused=True, diverged=diverged)


def _write_outcome(run: RunFolder, result: Result, record: Record) -> None:
    """Write the files of the outcome."""
    result.save(run.path)
    write_atomic(run.path / f"{record.name}.npz", npz_bytes(record.arrays))


def _draw(run: RunFolder, result: Result, warn: Say) -> None:
    """Draw the run's plots; a plot that fails costs no result."""
    from evorrn.lab.report import plots
    from evorrn.lab.runs.outputs import Trajectory, read_outputs

    try:
        kept = read_outputs(run.path)
        returns = isinstance(kept, Trajectory)
        plots.learning_curve(result.history, run.path / "plots" / "learning.png", result.seconds, returns)
        plots.run_outputs_plot(kept, run.path / "plots" / f"{kept.kind}.png")
    except Exception as error:
        warn(f"{run.path}: some plots are missing: {_one_line(error)}")


def disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or one that it came from, is the disk's that takes no more."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def _one_line(error: Exception) -> str:
    if isinstance(error, EvorrnError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"cannot write {error.filename or 'a file of the run'}: {error.strerror}"
    return f"{type(error).__name__}: {error}"
