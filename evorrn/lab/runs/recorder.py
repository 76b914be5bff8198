"""What happens beside a run's steps: checkpoints, the heartbeat, and the good end when somebody interrupts."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from evorrn.base.errors import StopTraining
from evorrn.base.files import sync_files
from evorrn.lab.runs.environment import RESULTS_VERSION
from evorrn.lab.runs.store import INTERRUPTED, RUNNING, RunFolder
from evorrn.training.loop import Progress, Trainer
from evorrn.training.result import save_history

CHECKPOINT_SECONDS = 15.0
"""Time between checkpoints, which are also the run's heartbeat."""

Say = Callable[[str], None]
Stop = Callable[[Progress], str]


class Recorder:
    """The callback of the training loop: checkpoints, heartbeat, and the stop when interrupted.

    Parameters
    ----------
    run : RunFolder
    trainer : Trainer
    interruption : Interruption
    watch : callable
        Called with every `Progress`.
    warn : callable
        Called with a sentence when a checkpoint cannot be written.
    stop : callable
        Called with every `Progress`; a text ends the run as an interruption does, and says why.
    """

    def __init__(
        self,
        run: RunFolder,
        trainer: Trainer,
        interruption: Interruption,
        watch: Callable[[Progress], None],
        warn: Say,
        stop: Stop = lambda progress: "",
    ) -> None:
        self.run = run
        self.trainer = trainer
        self.interruption = interruption
        self.watch = watch
        self.warn = warn
        self.stop = stop
        self.interrupted = False
        self.stopped = ""
        self.saved = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Take note of a step; raise StopTraining when somebody interrupts."""
        self.watch(progress)
        self.stopped = "" if self.interruption.asked else self.stop(progress)
        if self.interruption.asked or self.stopped:
            self.interrupted = True
            raise StopTraining(INTERRUPTED)
        if time.monotonic() - self.saved >= CHECKPOINT_SECONDS:
            self.try_checkpoint()
            self.saved = time.monotonic()

    def try_checkpoint(self, last: bool = False) -> None:
        """Write a checkpoint and the heartbeat; a run that goes well is not ended for want of one.

        The last one is followed by the outcome at once: history and status come with that.
        """
        try:
            if last:
                self._save_state()
                return
            self.checkpoint()
            self.run.set_status(RUNNING, **self.progress())
            sync_files()
        except OSError as error:
            self.warn(
                f"{self.run.path}: cannot write a checkpoint: {error.strerror or error}; going on without"
            )

    def checkpoint(self) -> None:
        """Write what the run needs to go on, and its history so far."""
        self._save_state()
        history = {name: np.array(column) for name, column in self.trainer.history.items()}
        save_history(self.run.path, history, np.array(self.trainer.seconds))

    def _save_state(self) -> None:
        self.run.save_checkpoint({"results_version": RESULTS_VERSION, **self.trainer.state()})

    def progress(self) -> dict[str, Any]:
        """Return how far the run is, for ``status.json``."""
        best = self.trainer.best_valid
        return {
            "step": self.trainer.step_count,
            "work": self.trainer.problem.meter.work,
            "best_loss": best if math.isfinite(best) else None,
        }


class Interruption:
    """Notes SIGINT and SIGTERM instead of dying of them; the second one raises KeyboardInterrupt.

    Parameters
    ----------
    note : callable
        Called with a sentence at the first one.
    """

    def __init__(self, note: Say) -> None:
        self.note = note
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # only there can handlers be set
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        with suppress(RuntimeError):  # the signal may have come in the middle of a write to the same stream
            self.note("stopping after this step, with a checkpoint; once more stops at once")
