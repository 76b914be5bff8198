"""What a worker does: one run of a sweep, wherever the worker lives.

A worker is told the cell, the seed and the id that the run must have, all plain data. It keeps what the next
run is likely to need again: the resolved cell with its compiled network, and the data of the seed.
"""

from __future__ import annotations

import functools
import json
import math
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import EvorrnError
from evorrn.base.files import write_atomic
from evorrn.lab.runs.execute import Outcome, disk_full, execute
from evorrn.lab.runs.spec import Spec, resolve
from evorrn.lab.runs.store import COMPLETE, FAILED, INTERRUPTED, RunBusy, RunFolder
from evorrn.training.assess import assess
from evorrn.training.assessment import Assessment
from evorrn.training.loop import Progress, Trainer

BUSY = "busy"
"""Status of a run that another process works on."""
PRUNED = "pruned"
"""Why a run was stopped that was worse than most at the same share of its budget."""
STOPPED = "stopped"
"""Why a run was stopped whose sweep was."""
LOOK_SECONDS = 0.2
"""Time between two looks at whether the sweep was stopped."""
KEPT_BYTES = 2**27
"""Memory that a worker gives to the data of seeds, for the cells that follow."""
KEPT_CELLS = 8
"""Resolved cells that a worker keeps for their other seeds."""


@dataclass(frozen=True)
class Order:
    """A run that is to be done, as plain data that can pass between processes and hosts.

    Attributes
    ----------
    raw : dict
        The spec as typed, without a seed.
    home : str
        Folder that its relative paths start from.
    seed : int
    id : str
        What the resolved spec must hash to, so that parent and worker mean the same run.
    root : str
        The folder of all runs.
    session : str
        The file of the process that leads; when it is gone the run stops with a checkpoint.
    threads : int
    bars : tuple of (float, float)
        Shares of the budget and the validation loss from which the run is pruned there.
    """

    raw: dict[str, Any]
    home: str
    seed: int
    id: str
    root: str
    session: str
    threads: int = 1
    bars: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Report:
    """How a run ended, as plain data.

    Attributes
    ----------
    status : str
        ``complete``, ``failed``, ``interrupted`` or ``busy``.
    folder : str
        Below the folder of all runs.
    stopped : str
        Why an interrupted run was, ``pruned`` or ``stopped``; empty when a signal did.
    error, traceback : str
    disk : bool
        Whether it failed since the disk took no more.
    reused : bool
        Whether another process was faster, so that nothing was done.
    task, metric : str
        What it was measured by.
    valid : float
        That metric on validation data, NaN unless complete.
    seconds : float
        Wall time of all of it, starting included.
    remarks : tuple of str
        Warnings.
    """

    status: str
    folder: str
    stopped: str = ""
    error: str = ""
    traceback: str = ""
    disk: bool = False
    reused: bool = False
    task: str = ""
    metric: str = ""
    valid: float = math.nan
    seconds: float = 0.0
    remarks: tuple[str, ...] = field(default=())


_alone = threading.Lock()  # strategies may draw from generators that belong to the process


def perform(order: Order) -> Report:
    """Do a run, and return how it ended; whatever goes wrong is in the report."""
    started = time.perf_counter()
    with _alone:
        if not Path(order.session).exists():
            return Report(INTERRUPTED, "", stopped=STOPPED)
        remarks: list[str] = []
        try:
            spec = _spec(order)
        except Exception as error:  # the parent resolved the same, so this worker's surroundings differ
            return Report(FAILED, "", error=_said(error), traceback=traceback.format_exc())
        folder = spec.folder.as_posix()
        task, metric = str(spec.content["task"]["name"]), spec.task.metrics[0]
        try:
            outcome = execute(
                spec,
                Path(order.root),
                plots=False,
                assessment=_assessment(spec),
                stop=_stopper(order, spec),
                warn=remarks.append,
            )
        except RunBusy:
            return Report(BUSY, folder)
        except Exception as error:
            trace = traceback.format_exc()
            if disk_full(error):
                return Report(FAILED, folder, error=_said(error), disk=True)
            _record(RunFolder(Path(order.root) / folder), spec, _said(error), trace)
            return Report(FAILED, folder, error=_said(error), traceback=trace, task=task, metric=metric)
        if outcome.disk:  # not the run's fault: it is to go on when there is room
            with suppress(OSError):
                RunFolder(outcome.folder).set_status(INTERRUPTED)
    return Report(
        outcome.status,
        folder,
        stopped=outcome.stopped,
        error=outcome.error,
        traceback=outcome.traceback,
        disk=outcome.disk,
        reused=outcome.reused,
        valid=_valid(outcome),
        seconds=time.perf_counter() - started,
        remarks=tuple(remarks),
        task=task,
        metric=metric,
    )


def warm(order: Order) -> None:
    """Bring a run's programs into the kernel cache by one step of it in memory.

    Many cold processes would each compile the same; what goes wrong here goes wrong again in a run, which
    has a folder to tell it.
    """
    with _alone, suppress(Exception), one_thread():
        if not Path(order.session).exists():
            return
        spec = _spec(order)
        problem = _assessment(spec).problem(spec.network)
        Trainer(spec.strategy, problem, seed=spec.seed, budget=spec.budget).step()


def _spec(order: Order) -> Spec:
    """Return the resolved spec of an order, from what the orders before have left."""
    from evorrn.kernels.threads import set_threads

    set_threads(order.threads)
    spec = _resolved(json.dumps(order.raw), order.home).with_seed(order.seed)
    if spec.id != order.id:
        raise EvorrnError(
            f"this worker resolves the spec of {order.id} to {spec.id}: its evorrn, or a file that the spec names, "
            "is not the one of the process that leads the sweep"
        )
    return spec


@functools.lru_cache(maxsize=KEPT_CELLS)
def _resolved(text: str, home: str) -> Spec:
    return resolve({**json.loads(text), "seed": 0}, Path(home))


def _assessment(spec: Spec) -> Assessment:
    """Return what the task gives for the seed, kept for the cells that share it."""
    seed = spec.seed if spec.task.seed_changes == "data" else 0
    key = json.dumps([spec.content["task"], spec.content.get("files"), seed])
    if key not in _kept:
        assessment = assess(spec.task, seed)
        _kept[key] = assessment, _bytes(assessment)
        while len(_kept) > 1 and sum(size for _, size in _kept.values()) > KEPT_BYTES:
            del _kept[next(iter(_kept))]
    return _kept[key][0]


_kept: dict[str, tuple[Assessment, int]] = {}


def _bytes(value: Any) -> int:
    """Return the memory of the arrays that an object holds."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_bytes, value))
    return sum(map(_bytes, vars(value).values())) if hasattr(value, "__dict__") else 0


def _stopper(order: Order, spec: Spec) -> Any:
    """Return what says after each step whether a run has to stop, and why."""
    session, looked = Path(order.session), time.monotonic()
    bars = list(order.bars)

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


def _record(run: RunFolder, spec: Spec, said: str, trace: str) -> None:
    """Leave a run that was refused before it began as one that failed, so that it can be found and retried."""
    with suppress(OSError):
        write_atomic(run.path / "spec.toml", spec.toml())
        run.set_status(FAILED, error=said, traceback=trace)


def _valid(outcome: Outcome) -> float:
    if outcome.result is None or outcome.status != COMPLETE:
        return math.nan
    metrics: Mapping[str, float] = outcome.result.metrics.get("valid", {})
    return float(metrics.get(outcome.spec.task.metrics[0], math.nan))


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, EvorrnError) else f"{type(error).__name__}: {error}"
