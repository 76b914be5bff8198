"""Runner: executes a spec in its run folder, so that it can stop anywhere and go on from there.

The training loop is the one of `evorrn.training`; the runner adds what a folder needs: a claim,
checkpoints, states, the files of the outcome, and a good end when somebody interrupts.
"""

from __future__ import annotations

import json
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.batch import Batch
from evorrn.budget import Budget
from evorrn.errors import EvorrnError, RunError, StopTraining
from evorrn.lab import environment
from evorrn.lab.arguments import read
from evorrn.lab.spec import Spec, resolve
from evorrn.lab.store import COMPLETE, FAILED, INTERRUPTED, RUNNING, RunFolder, find_run
from evorrn.plain import npz_bytes, write_atomic
from evorrn.problem import Problem
from evorrn.result import Result, load, save_history
from evorrn.task import Splits
from evorrn.training import Progress, Trainer, finish, predictions, train

CHECKPOINT_SECONDS = 15.0
"""Time between checkpoints, which are also the run's heartbeat."""


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
    """

    spec: Spec
    folder: Path
    status: str
    result: Result | None = None
    reused: bool = False
    error: str = ""
    traceback: str = ""
    diverged: bool = False

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
    watch: Callable[[Progress], None] | None = None,
    warn: Callable[[str], None] = lambda message: None,
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
        Draw the learning curve and the predictions into the folder.
    watch : callable, optional
        Called with a `Progress` after every step of the strategy.
    warn : callable, optional
        Called with a sentence when something deserves attention but stops nothing.

    Raises
    ------
    EvorrnError
        When nothing was run: the data cannot be used, the folder cannot be written, or another
        process works on the run. What goes wrong later is an `Outcome` that failed.
    """
    run = RunFolder(root / spec.folder)
    if not force and run.state() == COMPLETE:
        return _reuse(spec, run, plots, warn)
    splits = spec.task.data(spec.seed)
    problem = Problem(spec.network, splits.train, splits.valid, free_run=spec.task.free_run)
    assert splits.test is not None  # the Task contract
    spec.network.check_batch(splits.test)
    inherited = None if spec.parent is None else _parent_state(spec.parent, root)
    with run.claimed(), _Interruption() as interruption, _one_blas_thread():
        if not force and run.state() == COMPLETE:  # another process was faster
            return _reuse(spec, run, plots, warn)
        state = _prepare(spec, run, force, warn) or inherited
        recorder = _Recorder(run, interruption, watch, warn)
        result = None
        try:
            trainer = Trainer(spec.strategy, problem, seed=spec.seed, budget=spec.budget, state=state)
            recorder.trainer = trainer
            train(trainer, [recorder])
            recorder.checkpoint()
            if recorder.interrupted:
                run.set_status(INTERRUPTED, **recorder.progress())
                return Outcome(spec, run.path, INTERRUPTED)
            result = finish(trainer, splits, spec.task)
            diverged = _write_outcome(run, result, splits, spec.task.free_run)
            if plots:
                _draw(run, result, warn)
            run.set_status(COMPLETE, **recorder.progress(), diverged=diverged)
            return Outcome(spec, run.path, COMPLETE, result, diverged=diverged)
        except KeyboardInterrupt:
            with suppress(OSError):
                run.set_status(INTERRUPTED, **recorder.progress())
            return Outcome(spec, run.path, INTERRUPTED)
        except Exception as error:
            report = traceback.format_exc()
            with suppress(OSError):
                run.set_status(FAILED, **recorder.progress(), error=_one_line(error), traceback=report)
            return Outcome(spec, run.path, FAILED, result, error=_one_line(error), traceback=report)


def continued(reference: str | Path, budget: str | Budget, root: Path) -> Spec:
    """Return the spec of a new run that goes on from another one's checkpoint with more budget.

    Raises
    ------
    EvorrnError
        When there is no such run, it has no checkpoint, or the budget is one that it already used.
    """
    parent = find_run(reference, root)
    raw = read(parent.path / "spec.toml")
    if parent.load_checkpoint() is None:
        raise RunError(
            f"{parent.path}: expected a checkpoint to go on from, but there is none that can be read"
        )
    before = resolve(raw)
    spec = resolve({**raw, "budget": budget, "parent": parent.id})
    old, new = before.budget.values(), spec.budget.values()
    if all(name in old and new[name] <= old[name] for name in new):
        raise EvorrnError(f"budget: expected more than the {raw['budget']} of run {parent.id}, got {budget}")
    return spec


class _Recorder:
    """The callback of the training loop: checkpoints, heartbeat, and the stop when interrupted."""

    def __init__(
        self,
        run: RunFolder,
        interruption: _Interruption,
        watch: Callable[[Progress], None] | None,
        warn: Callable[[str], None],
    ) -> None:
        self.run = run
        self.interruption = interruption
        self.watch = watch
        self.warn = warn
        self.interrupted = False
        self.latest: Progress | None = None
        self.trainer: Trainer | None = None
        self.saved = time.monotonic()

    def attach(self, trainer: Trainer) -> _Recorder:
        """Return this callback, for a trainer."""
        self.trainer = trainer
        return self

    def __call__(self, progress: Progress) -> None:
        self.latest = progress
        if self.watch is not None:
            self.watch(progress)
        if self.interruption.asked:
            self.interrupted = True
            raise StopTraining(INTERRUPTED)
        if time.monotonic() - self.saved >= CHECKPOINT_SECONDS:
            try:
                self.checkpoint()
                self.run.set_status(RUNNING, **self.progress())
            except OSError as error:  # a full disk may be emptied before the end; the run is worth more
                self.warn(
                    f"{self.run.path}: no checkpoint could be written ({error.strerror or error}); going on"
                )
            self.saved = time.monotonic()

    def checkpoint(self) -> None:
        """Write what the run needs to go on, and its history so far."""
        assert self.trainer is not None
        self.run.save_checkpoint({"results_version": environment.RESULTS_VERSION, **self.trainer.state()})
        history = {name: np.array(column) for name, column in self.trainer.history.items()}
        save_history(self.run.path, history, np.array(self.trainer.seconds))

    def progress(self) -> dict[str, Any]:
        """Return how far the run is, for ``status.json``."""
        if self.latest is None:
            return {}
        return {"step": self.latest.step, "work": self.latest.work, "best_loss": self.latest.best_loss}


class _Interruption:
    """Notes SIGINT and SIGTERM instead of dying of them; the second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Interruption:
        if threading.current_thread() is threading.main_thread():  # only there can handlers be set
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread: with more, the last bits of its results depend on their number."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def _prepare(spec: Spec, run: RunFolder, force: bool, warn: Callable[[str], None]) -> dict[str, Any] | None:
    """Write what stands at the beginning of a run, and return the state to go on from."""
    try:
        if force:
            run.clear()
        state = run.load_checkpoint()
        if state is not None and state.pop("results_version", None) != environment.RESULTS_VERSION:
            raise RunError(
                f"{run.path}: was begun by a version of evorrn whose numbers differ; --force starts it anew"
            )
        now = environment.describe()
        if state is not None:
            for difference in environment.differences(run.environment(), now):
                warn(f"{run.path}: last digits may differ from an undisturbed run: {difference}")
        write_atomic(run.path / "spec.toml", spec.toml())
        write_atomic(run.path / "env.json", json.dumps(now, indent=1) + "\n")
        run.set_status(RUNNING)
    except OSError as error:
        raise EvorrnError(f"cannot write to {run.path}: {error.strerror or error}") from None
    return state


def _parent_state(parent: str, root: Path) -> dict[str, Any]:
    run = find_run(parent, root)
    state = run.load_checkpoint()
    if state is None:
        raise RunError(f"{run.path}: expected a checkpoint to go on from, but there is none that can be read")
    state.pop("results_version", None)
    return state


def _reuse(spec: Spec, run: RunFolder, plots: bool, warn: Callable[[str], None]) -> Outcome:
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
    return Outcome(spec, run.path, COMPLETE, result, reused=True)


def _write_outcome(run: RunFolder, result: Result, splits: Splits, free_run: bool) -> bool:
    """Write the files of the outcome, and return whether the network diverged on test."""
    result.save(run.path)
    assert splits.test is not None
    shown = _test_predictions(result, splits.test, free_run)
    write_atomic(run.path / "predictions.npz", npz_bytes(shown))
    return not bool(np.isfinite(shown["predicted"][shown["scored"]]).all())


def _test_predictions(result: Result, batch: Batch, free_run: bool) -> dict[str, np.ndarray]:
    """Return truth (B, T, O), predicted (B, T, O) and scored (B, T) of a split, in original units."""
    predicted, truth = predictions(result.network, result.genome, batch, free_run), batch.targets
    if result.scaling is not None and not batch.labelled:
        predicted, truth = result.scaling.restore_targets(predicted), result.scaling.restore_targets(truth)
    return {"truth": truth, "predicted": predicted, "scored": batch.scored}


def _draw(run: RunFolder, result: Result, warn: Callable[[str], None]) -> None:
    """Draw the run's plots; a plot that fails costs no result."""
    from evorrn.lab import plots
    from evorrn.lab.curves import Predictions

    try:
        plots.learning_curve(result.history, run.path / "plots" / "learning.png", result.seconds)
        with np.load(run.path / "predictions.npz", allow_pickle=False) as shown:
            plots.predictions_plot(Predictions(**shown), run.path / "plots" / "predictions.png")
    except Exception as error:
        warn(f"{run.path}: some plots are missing: {_one_line(error)}")


def _one_line(error: Exception) -> str:
    if isinstance(error, EvorrnError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"cannot write {error.filename or 'a file of the run'}: {error.strerror}"
    return f"{type(error).__name__}: {error}"
