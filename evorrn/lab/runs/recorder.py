"""Checkpoints and heartbeat of a run, and its orderly end on SIGINT and SIGTERM."""

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
from evorrn.base.patience import is_waiting
from evorrn.lab.runs.claim import Claim
from evorrn.lab.runs.environment import RESULTS_VERSION
from evorrn.lab.runs.hooks import Hooks
from evorrn.lab.runs.run import INTERRUPTED, RUNNING
from evorrn.training.history import history_files
from evorrn.training.progress import Progress
from evorrn.training.trainer import Trainer

CHECKPOINT_SECONDS = 15.0
"""Time between checkpoints, which are also the run's heartbeat."""


class Recorder:
    """The callback of the training loop: checkpoints, heartbeat, and the stop when interrupted."""

    def __init__(self, claim: Claim, trainer: Trainer, interruption: Interruption, hooks: Hooks) -> None:
        self.claim, self.trainer = claim, trainer
        self.interruption, self.hooks = interruption, hooks
        self.interrupted = False
        self.stopped = ""
        self.saved = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Report a step; raise StopTraining when the run is to stop."""
        self.hooks.watch(progress)
        self.stopped = "" if self.interruption.asked else self.hooks.stop(progress)
        if self.interruption.asked or self.stopped:
            self.interrupted = True
            raise StopTraining(INTERRUPTED)
        if time.monotonic() - self.saved >= CHECKPOINT_SECONDS:
            self.try_checkpoint()
            self.saved = time.monotonic()

    def try_checkpoint(self, last: bool = False) -> None:
        """Write a checkpoint and the heartbeat; warn and go on when they cannot be written.

        The last checkpoint is the state alone, since history and status are written with the outcome.

        Raises
        ------
        ClaimLost
            When another process took the run over, or its folder was removed.
        """
        try:
            if last:
                self._save_state()
                return
            self.checkpoint()
            self.claim.set_status(RUNNING, **self.progress())
            sync_files()
        except OSError as error:
            self.hooks.warn(
                f"{self.claim.folder}: cannot write a checkpoint: {error.strerror or error}; going on without"
            )

    def checkpoint(self) -> None:
        """Write what the run needs to go on, and its history so far."""
        self._save_state()
        history = {name: np.array(column) for name, column in self.trainer.history.items()}
        for name, text in history_files(history, np.array(self.trainer.seconds)).items():
            self.claim.write(name, text)

    def _save_state(self) -> None:
        self.claim.save_checkpoint({"results_version": RESULTS_VERSION, **self.trainer.state()})

    def progress(self) -> dict[str, Any]:
        """Return how far the run is, for ``status.json``."""
        best = self.trainer.best_valid
        return {
            "step": self.trainer.step_count,
            "work": self.trainer.problem.meter.work,
            "best_loss": best if math.isfinite(best) else None,
        }


class Interruption:
    """Handles SIGINT and SIGTERM: the first sets `asked`, the second raises KeyboardInterrupt; so does one in compiling.

    `note` is called with a sentence at the first signal.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
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
        if self.asked or is_waiting():
            self.asked = True
            raise KeyboardInterrupt
        self.asked = True
        with suppress(RuntimeError):  # the signal may have come in the middle of a write to the same stream
            self.note("stopping after this step, with a checkpoint; once more stops at once")
