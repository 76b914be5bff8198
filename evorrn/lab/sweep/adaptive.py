"""Adaptive search: Optuna, in one process, chooses cells by the results of earlier cells.

The search is a function of the sweep file alone, however many workers there are, however often it is stopped
and in whatever order runs end: cell n is asked for when just the first ``n - ahead`` have been told, in their
order. So the study needs no file. The same command asks the same cells again, finds their runs complete and
goes on.

What is minimised is the best validation loss, the median over the seeds of a cell.

Source: Bergstra et al. 2011, Algorithms for hyper-parameter optimization (tree-structured Parzen estimators),
and Hansen 2016, The CMA evolution strategy: a tutorial, both as Optuna has them.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evorrn.base.errors import ConfigError
from evorrn.lab.runs.reader import Reader
from evorrn.lab.runs.run import BUSY, COMPLETE, FAILED, PRUNED, Run
from evorrn.lab.runs.spec import Spec, resolve
from evorrn.lab.runs.store import RunFolder
from evorrn.lab.sweep.axes import spell
from evorrn.lab.sweep.feed import SweepFeed
from evorrn.lab.sweep.folder import SweepFolder
from evorrn.lab.sweep.job import Job
from evorrn.lab.sweep.optuna_study import distribution, make_study, state
from evorrn.lab.sweep.plan import Refusals, program_of, runs_of
from evorrn.lab.sweep.pruning import curve, median_bars
from evorrn.lab.sweep.sampling import PATIENCE, Cell, cell_of, excluded, spec_of
from evorrn.lab.sweep.sweep_file import Sweep
from evorrn.lab.sweep.tally import Tally

IN_VAIN = 50
"""Known cells in a row after which a search ends."""
LIST_SECONDS = 2.0
"""Time between two writings of the list of runs while the search goes on."""


@dataclass
class Trial:
    """A cell that was asked for."""

    asked: Any
    runs: list[Run]
    spec: Spec
    bars: list[tuple[tuple[float, float], ...]]
    ended: set[str] = field(default_factory=set)
    curves: np.ndarray | None = None  # (seeds, shares + 1), once told


class SearchFeed(SweepFeed):
    """The runs of an adaptive search, see `SweepFeed`; a warning is given for each cell that the spec refuses as well.

    Raises
    ------
    EvorrnError
        When Optuna is not installed.
    """

    passes_pruned = True

    def __init__(
        self, folder: SweepFolder, tally: Tally, warn: Callable[[str], None], *, warm: bool = True
    ) -> None:
        super().__init__(folder, tally, warn, warm=warm)
        self.study = make_study(self.sweep)
        self._distributions = {axis.label: distribution(axis) for axis in self.sweep.axes}
        self._trials: list[Trial] = []
        self._by_cell: dict[str, Trial] = {}
        self._waiting: deque[Run] = deque()
        self._owners: dict[str, Trial] = {}
        self._warm_programs: dict[tuple[Any, ...], bool] = {}  # False while a program is being compiled
        self._listed = 0.0
        self._in_vain = 0

    @property
    def exhausted(self) -> bool:
        """Whether no job will follow, once those handed out are back."""
        return self._all_asked and not self._waiting and not self._elsewhere

    def next(self) -> Job | None:
        """Return the next job; None when there is none now."""
        while not self._waiting and self._ask():
            pass
        self._waiting.extend(self.taken_over())
        for place, run in enumerate(self._waiting):
            trial = self._owners[run.id]
            program = program_of(trial.spec)
            if self.warm and program not in self._warm_programs:
                self._warm_programs[program] = False
                return self.job(run, warm=True)
            if not self.warm or self._warm_programs[program]:
                del self._waiting[place]
                return self.job(run, bars=trial.bars[run.seed or 0])
        return None

    def back(self, job: Job, run: Run | None) -> None:
        """Take in how a job has ended; None for programs that were compiled."""
        trial = self._owners[job.run.id]
        if job.warm:
            self._warm_programs[program_of(trial.spec)] = True
        elif run is not None and run.status == BUSY:
            self.put_aside(job.run)
        elif run is not None and (run.status in (COMPLETE, FAILED) or run.stopped_by == PRUNED):
            trial.ended.add(job.run.id)

    def wanted(self, run: Run) -> bool:
        """Return whether a run is to be executed, and count it where it is not."""
        elsewhere = len(self._elsewhere)
        found = super().wanted(run)
        if not found and len(self._elsewhere) == elsewhere:
            self._owners[run.id].ended.add(run.id)
        return found

    def lines(self) -> list[str]:
        """Return the lines of ``runs.jsonl`` so far."""
        return [run.line() for trial in self._by_cell.values() for run in trial.runs]

    @property
    def _all_asked(self) -> bool:
        return len(self._by_cell) >= self.sweep.cells_wanted or self._in_vain >= IN_VAIN

    def _ask(self) -> bool:
        """Ask for one more cell and queue its runs; False while it must wait for the results of earlier cells."""
        if self._all_asked:
            return False
        due = len(self._trials) - self.sweep.search.ahead
        if due >= 0 and not self._tell(due):
            return False
        for _ in range(PATIENCE):
            asked = self.study.ask(self._distributions)
            cell = self._cell(asked.params)
            spec = None if excluded(self.sweep, cell) else self._resolve(cell)
            if spec is not None:
                break
            self.study.tell(asked, state=state("FAIL"))
        else:
            raise ConfigError(
                f"search.runs: {self.sweep.search.sampler} chose {PATIENCE} cells in a row that are excluded or refused"
            )
        known = self._by_cell.get(spec.id)
        if known is not None:  # told again in its turn, with the same value
            self._trials.append(Trial(asked, known.runs, spec, known.bars, known.ended))
            self._in_vain += 1
            if self._all_asked:
                self.warn(
                    f"{self.sweep.search.sampler} chooses no new cells any more; it ends after {len(self._by_cell)}"
                )
                self.tally.total = len(self._by_cell) * self.sweep.seeds
                self.folder.write_list(self.lines())
            return True
        self._in_vain = 0
        runs = list(runs_of(cell, spec, self.sweep.seeds))
        told = [trial.curves for trial in self._trials if trial.curves is not None]
        bars = [
            median_bars([curves[seed] for curves in told]) if self.sweep.search.prune else ()
            for seed in range(self.sweep.seeds)
        ]
        trial = Trial(asked, runs, spec, bars)
        self._trials.append(trial)
        self._by_cell[spec.id] = trial
        for run in runs:
            self._owners[run.id] = trial
            if self.wanted(run):
                self._waiting.append(run)
        if self._all_asked or time.monotonic() - self._listed > LIST_SECONDS:
            self._listed = time.monotonic()
            self.folder.write_list(self.lines())
        return True

    def _tell(self, place: int) -> bool:
        """Tell the study the result of a cell; False while its runs have not ended."""
        trial = self._trials[place]
        if len(trial.ended) < len(trial.runs):
            return False
        if trial.curves is not None:
            return True
        root = self.folder.root
        trial.curves = np.array([curve(RunFolder(root / run.folder), trial.spec) for run in trial.runs])
        pruned = sum(Reader(root).run(run.folder).stopped_by == PRUNED for run in trial.runs)
        reached = np.median(trial.curves, axis=0)
        for share, value in enumerate(reached[:-1]):
            if math.isfinite(value):
                trial.asked.report(float(value), share)
        if 2 * pruned >= len(trial.runs) and math.isfinite(reached[0]):
            self.study.tell(trial.asked, state=state("PRUNED"))
        elif math.isfinite(reached[-1]):
            self.study.tell(trial.asked, float(reached[-1]))
        else:
            self.study.tell(trial.asked, state=state("FAIL"))
        return True

    def _cell(self, params: Mapping[str, Any]) -> Cell:
        chosen = [(axis, params[axis.label]) for axis in self.sweep.axes]
        parts = [axis.points[value] if axis.finite else {axis.names[0]: value} for axis, value in chosen]
        return cell_of(self.sweep, parts)

    def _resolve(self, cell: Cell) -> Spec | None:
        try:
            return resolve({**spec_of(self.sweep, cell), "seed": 0}, self.sweep.home)
        except ConfigError as error:
            self.warn(f"cell refused: {spell(cell)}: {'; '.join(error.problems)}")
            return None


def check_values(sweep: Sweep) -> Spec | None:
    """Resolve a cell for each value of each axis, to report mistakes before anything runs.

    Returns
    -------
    Spec or None
        The one with the largest network; None where all these cells are excluded.

    Raises
    ------
    ConfigError
        With every mistake.
    """
    refused, found = Refusals(), list[Spec]()
    first = {axis.label: axis.draw(0.0) for axis in sweep.axes}
    for axis in sweep.axes:
        for point in axis.points or (axis.draw(0.0), axis.draw(1.0)):
            cell = cell_of(sweep, {**first, axis.label: point}.values())
            if excluded(sweep, cell):
                continue
            spec = refused.check(sweep, cell)
            found += [] if spec is None else [spec]
    refused.tell()
    return max(found, key=lambda spec: spec.network.size, default=None)
