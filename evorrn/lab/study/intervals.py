"""Prediction intervals of a way of training on test: how many values they cover, and how wide they are.

Three kinds stand beside each other. ``conformal`` and ``adaptive`` come from the errors on validation (see
`evorrn.data.intervals`). ``seeds`` is where the predictions of the seeds lie; it shows how training varies, and says
nothing of noise in the series.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.data.intervals import adaptive_widths, covered
from evorrn.lab.runs.calibration import half_widths
from evorrn.lab.runs.outputs import Predictions

KINDS = ("conformal", "adaptive", "seeds")


@dataclass(frozen=True)
class Intervals:
    """The intervals of one kind on test, medians over seeds.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    coverage : tuple of float
        For each output the share of values in their intervals.
    width : tuple of float
        For each output the mean distance between the ends, in original units.
    """

    kind: str
    coverage: tuple[float, ...]
    width: tuple[float, ...]

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Intervals:
        """Return the intervals that JSON holds, null for NaN."""
        return cls(content["kind"], *(_numbers(content[name]) for name in ("coverage", "width")))


def measured(runs: Sequence[Predictions], level: float, horizon: int) -> tuple[Intervals, ...]:
    """Return the intervals of each kind on test, from the predictions of the seeds; none where a run has no residuals.

    Adaptive intervals need a single test sequence, and those of seeds at least three seeds.
    """
    if not runs or any(run.residuals is None or not len(run.residuals) for run in runs):
        return ()
    found = [_median("conformal", [_within(run, *conformal_ends(run, level)) for run in runs])]
    if all(len(run.truth) == 1 for run in runs):
        found.append(_median("adaptive", [_within(run, *adaptive_ends(run, level, horizon)) for run in runs]))
    spread = seed_ends(runs, level)
    if spread is not None:
        found.append(_median("seeds", [_within(runs[0], *spread)]))
    return tuple(found)


def conformal_ends(run: Predictions, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper ends (B, T, O) of split conformal intervals, NaN where there are too few residuals."""
    assert run.residuals is not None
    widths = half_widths(run.residuals, level)
    return run.predicted - widths, run.predicted + widths


def adaptive_ends(run: Predictions, level: float, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper ends (1, T, O) of adaptive conformal intervals, NaN at steps that are not scored."""
    assert run.residuals is not None
    widths = np.full(run.predicted.shape, np.nan)
    steps = run.scored[0]
    for output in range(run.outputs):
        errors = np.abs(run.truth[0, steps, output] - run.predicted[0, steps, output])
        calibration = np.abs(run.residuals[:, output])
        widths[0, steps, output] = adaptive_widths(calibration, errors, level, delay=horizon)
    return run.predicted - widths, run.predicted + widths


def seed_ends(runs: Sequence[Predictions], level: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the ends (B, T, O) between which a share of the seeds' predictions lies; None with fewer than three seeds."""
    if len(runs) < 3 or len({run.predicted.shape for run in runs}) > 1:
        return None
    stacked = np.stack([run.predicted for run in runs])
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(stacked, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _within(run: Predictions, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coverage and mean width (O,) over the scored steps."""
    truth, low, high = run.truth[run.scored], lower[run.scored], upper[run.scored]
    share = [covered(*columns) for columns in zip(truth.T, low.T, high.T)]
    return np.array(share), np.asarray((high - low).mean(axis=0))


def _median(kind: str, found: Sequence[tuple[np.ndarray, np.ndarray]]) -> Intervals:
    """Return the medians over runs."""
    coverage, width = (np.median(np.stack(part), axis=0) for part in zip(*found))
    return Intervals(kind, tuple(coverage.tolist()), tuple(width.tolist()))


def _numbers(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if value is None else float(value) for value in values)
