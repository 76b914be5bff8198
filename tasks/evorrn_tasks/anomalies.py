"""Anomalies: steps of a series that a network, which has learned what is usual, predicts badly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from evorrn.base.errors import DataError
from evorrn.base.settings import setting
from evorrn.data.metrics import harmonic_mean, nrmse_std
from evorrn.data.tables.reader import read_table
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines, linear
from evorrn_tasks.common.columns import named
from evorrn_tasks.common.draws import check_seed, generator
from evorrn_tasks.common.records import forecasting_splits
from evorrn_tasks.common.shares import cut, share_problems

KINDS = ("spike", "flat", "fast", "jump")
LONGEST = 20
"""Steps of the longest anomaly."""
APART = 50
"""Fewest steps from the start of an anomaly to that of the next."""


@dataclass(frozen=True)
class Anomalies(Task):
    """A series in which unusual steps are found because the network predicts them badly.

    The network predicts the next value, and learns it from steps that are not anomalies. An alarm is a run of steps whose absolute
    error is larger than the threshold, with at most `after` other steps between two of them. The share `alarms` of the unmarked
    validation steps exceeds the threshold; nothing of test decides it. An anomaly is a run of marked steps. In test ``precision`` is
    the share of alarms that touch an anomaly or the `after` steps behind it, ``recall`` the share of anomalies that an alarm touches so,
    and ``f1`` the harmonic mean of both. ``nrmse_std`` is over all
    test steps that are not marked, and those of the other splits.

    By default the series is generated: two sines whose phases drift, and noise of standard deviation `noise`. Training and validation are
    without anomalies; test has `anomalies` of them, of four kinds in turn: a spike of one step, and for 10 to 20 steps a value that
    does not change, a pace three times as fast, or a shift of the level. With `path`, it is the column `target` of a table, in
    order of time, and the column `mark` says which rows are anomalies: 1 or true. Marked rows of training and validation are not scored.

    Every baseline predicts the next value too and has a threshold of its own by the same rule; the linear one has seen validation when its
    threshold is found.
    """

    name = "anomalies"
    inputs = 1
    outputs = 1
    metrics = ("f1", "precision", "recall", "nrmse_std")
    judges = ("f1", "precision", "recall")

    path: str = setting("", "the file of a table; by default a generated series")
    target: str = setting("value", "the column of the series")
    mark: str = setting("anomaly", "the column that marks anomalies by 1 or true")
    shares: tuple[float, float, float] = setting((0.5, 0.2, 0.3), "shares of training, validation and test")
    alarms: float = setting(0.005, "share of the validation steps that are alarms", minimum=0.0, below=0.5)
    after: int = setting(
        10, "steps behind an anomaly that count as part of it, and the longest gap in an alarm", minimum=0
    )
    steps: int = setting(5000, "steps of the generated series", minimum=400)
    anomalies: int = setting(20, "anomalies in the test part of the generated series", minimum=1)
    noise: float = setting(0.05, "standard deviation of the noise of the generated series", minimum=0.0)
    washout: int = setting(30, "unscored steps at the start of each sequence", minimum=0)

    horizon = 1

    @property
    def seed_changes(self) -> str:  # type: ignore[override]  # a file does not change
        """``"data"`` for a generated series, ``"training"`` for a file."""
        return "training" if self.path else "data"

    @property
    def input_names(self) -> tuple[str, ...]:
        """The series."""
        return (self.target,)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The series."""
        return (self.target,)

    @property
    def numbers_in_data(self) -> int:
        """The numbers in inputs and targets of a generated series."""
        return 0 if self.path else 2 * self.steps

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = [*super().problems(), *share_problems(self.shares)]
        if found or self.path:
            return found
        most = (self._parts(self.steps)[2] - APART) // APART
        if self.anomalies > most:
            found.append(
                f"anomalies: expected at most {max(most, 0)} in the test part, one in {APART} steps, got {self.anomalies}"
            )
        return found

    def data(self, seed: int) -> Splits:
        """Return the splits of the series; marked steps of training and validation are not scored."""
        series, marked = self._series(seed)
        train, valid, _ = self._parts(len(series))
        if train - 1 - self.washout < 2:
            raise DataError(f"{self.path}: expected more rows, to leave two for training, got {len(series)}")
        ends = (train, train + valid)
        splits = forecasting_splits(
            series[:, None],
            targets=1,
            horizon=1,
            ends=ends,
            washout=self.washout,
            windows=max(min((train - 1 - self.washout) // 100, 16), 1),
            mask=~marked,
        )
        if not self._test_marks(seed).any():
            raise DataError(
                f"{self.path}, column {self.mark!r}: expected at least one marked row in the test part, rows "
                f"{ends[1] + 1} to {len(series)}, got none"
            )
        return splits

    def judged(self, splits: Splits, outputs: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
        """Return precision, recall and f1 of test, with the threshold of validation."""
        assert splits.valid is not None and splits.test is not None
        valid, test = [
            np.abs(outputs[split] - batch.targets)[:, self.washout :, 0]
            for split, batch in (("valid", splits.valid), ("test", splits.test))
        ]
        usual = valid[splits.valid.scored[:, self.washout :]]
        if not (np.isfinite(usual).all() and np.isfinite(test).all()):
            return {"test": dict.fromkeys(self.judges, np.nan)}
        threshold = np.quantile(usual, 1 - self.alarms)
        # A step of test that is not scored is marked.
        return {"test": found_by(test[0] > threshold, ~splits.test.scored[0, self.washout :], self.after)}

    def baselines(self, splits: Splits) -> dict[str, dict[str, float]]:
        """Return how well anomalies are found by the mean, persistence and linear autoregression."""
        assert splits.valid is not None and splits.test is not None
        scaling = splits.scaling
        assert scaling is not None
        models = {
            "mean": baselines.mean,
            "persistence": baselines.persistence,
            "linear autoregression": linear.by_validation,
        }
        found = {}
        for name, model in models.items():
            outputs = {"valid": model(replace(splits, test=splits.valid)), "test": model(splits)}
            scored = splits.test.scored
            error = nrmse_std(
                scaling.restore_targets(outputs["test"])[scored],
                scaling.restore_targets(splits.test.targets)[scored],
            )
            found[name] = {**self.judged(splits, outputs)["test"], "nrmse_std": error}
        return found

    def recommended(self, strategy: str) -> Recommended:
        """Return a reservoir of 100 units, a GRU for gradients, else a few leaky units."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 100, "direct": True, "dtype": "float64"})
        if strategy == "bptt":
            return Recommended({"cell": "gru", "hidden": 16})
        return Recommended({"cell": "elman", "hidden": 6, "direct": True})

    def _parts(self, rows: int) -> tuple[int, int, int]:
        return cut(rows, self.shares)

    def _test_marks(self, seed: int) -> np.ndarray:
        """Return which rows of the test part are marked."""
        series, marked = self._series(seed)
        return marked[sum(self._parts(len(series))[:2]) :]

    def _series(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the series (N,) and which of its steps are anomalies (N,)."""
        if self.path:
            check_seed(seed)
            return self._table
        return generated(self, generator(seed))

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """The series and the marks of the file."""
        table = read_table(self.path)
        values = table.columns(named(table, (self.target, self.mark)))
        wrong = np.flatnonzero(~np.isin(values[:, 1], (0.0, 1.0)))
        if wrong.size:
            raise DataError(
                f"{self.path}, line {table.lines[wrong[0]]}, column {self.mark!r}: expected 0 or 1, got {values[wrong[0], 1]:g}"
            )
        return values[:, 0], values[:, 1] == 1


def found_by(alarms: np.ndarray, marked: np.ndarray, after: int) -> dict[str, float]:
    """Return precision, recall and f1 of steps with an error above the threshold (T,), for marked steps (T,).

    Examples
    --------
    Two anomalies; one alarm begins in the first and ends behind it, another is elsewhere:

    >>> import numpy as np
    >>> alarms, marked = np.zeros((2, 12), dtype=bool)
    >>> alarms[[2, 4, 7]], marked[[2, 3, 11]] = True, True
    >>> {name: round(value, 3) for name, value in found_by(alarms, marked, after=1).items()}
    {'precision': 0.5, 'recall': 0.5, 'f1': 0.5}
    """
    events = [(start, end + after) for start, end in _runs(marked, 0)]
    inside = np.zeros(len(alarms), dtype=bool)
    for start, end in events:
        inside[start:end] = True
    raised = [inside[start:end].any() for start, end in _runs(alarms, after)]
    precision = float(np.mean(raised)) if raised else 0.0
    recall = float(np.mean([alarms[start:end].any() for start, end in events])) if events else np.nan
    return {"precision": precision, "recall": recall, "f1": harmonic_mean(precision, recall)}


def _runs(steps: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """Return start and end of the runs of True (T,), those with at most `gap` steps between them as one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], steps, [False]]).astype(int)))
    found: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist()):
        first = found.pop()[0] if found and start - found[-1][1] <= gap else start
        found.append((first, end))
    return found


def generated(task: Anomalies, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a series (N,) and which of its steps are anomalies (N,)."""
    steps, first = task.steps, sum(task._parts(task.steps)[:2])
    starts = _starts(steps - first - APART, task.anomalies, rng) + first
    lengths = np.where(
        np.arange(task.anomalies) % len(KINDS) == 0, 1, rng.integers(10, LONGEST + 1, task.anomalies)
    )
    pace, shift = np.ones(steps), np.zeros(steps)
    marked = np.zeros(steps, dtype=bool)
    events = [
        (KINDS[number % len(KINDS)], slice(start, start + length))
        for number, (start, length) in enumerate(zip(starts, lengths))
    ]
    for kind, span in events:
        marked[span] = True
        sign = rng.choice((-1.0, 1.0))
        pace[span] = 3.0 if kind == "fast" else 1.0
        shift[span] = {"spike": 1.5, "jump": 0.8}.get(kind, 0.0) * sign
    drift = np.cumsum(0.02 * rng.standard_normal((2, steps)), axis=1)
    time = np.cumsum(pace)
    series = np.sin(2 * np.pi * time / 25 + drift[0]) + 0.5 * np.sin(2 * np.pi * time / 9 + drift[1]) + shift
    series += task.noise * rng.standard_normal(steps)
    for kind, span in events:
        if kind == "flat":
            series[span] = series[span.start]
    return series, marked


def _starts(room: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return places (count,) from 0 up to `room`, at least `APART` steps apart, uniform over all such places."""
    free = room - APART * (count - 1)
    return np.sort(rng.integers(0, max(free, 1), count)) + APART * np.arange(count)
