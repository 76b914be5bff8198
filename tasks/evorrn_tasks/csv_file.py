"""CSV: forecast columns of a table in a file of the user."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from evorrn.base.errors import DataError
from evorrn.base.settings import setting
from evorrn.data.tables.calendar import calendar_inputs, calendar_names, calendar_parts, calendar_problems
from evorrn.data.tables.reader import read_table
from evorrn.data.tables.rules import Rules
from evorrn.data.tables.table import Table
from evorrn.data.tables.times import falls
from evorrn.data.task import Recommended, Splits, Task
from evorrn_tasks.common import baselines, comparators
from evorrn_tasks.common.columns import Choice, Names, choose, listing
from evorrn_tasks.common.draws import check_seed
from evorrn_tasks.common.records import forecasting_splits
from evorrn_tasks.common.shares import cut_fold, file_problems, fold_problems

OTHERS = "*"
LEAST_TRAINING = 10


@dataclass(frozen=True)
class CsvFile(Task):
    """A table in a text file, one row per time step, with one or more columns to forecast.

    The inputs at a step are the values in one row, first of the target columns, then of the other input
    columns; the targets are the target columns `horizon` rows later. By default the last numeric column is the
    target, times and row numbers excepted, and every other numeric column is an input, except columns that increase
    in every row. Columns of true and false are read as 1 and 0; text columns are left out. Which columns are taken is
    decided by the training rows alone. It is an error to name a text column as target or input, and so is an
    unreadable value in a column that is used, or a missing one without `fill`.

    Rows are in order of time (turned round when the dates say that the newest is first) and are split in that order
    by `shares`. A row belongs to the split in which it is forecast. Each split begins with `washout` unscored steps:
    the rows before it, for training its first rows. The training part is divided into `windows` sequences, each with
    its own unscored steps before it. Values are scaled to mean 0 and standard deviation 1, learned on the training
    rows; inputs with only the values 0 and 1 are not scaled. With `calendar`, sine and cosine of the date of each row are
    further inputs. Gaps are filled from their own split and those before,
    and filled targets are not scored. The data are fixed: a seed changes only the training.

    With `folds` the newest rows are divided into as many test blocks. Each has the share of test rows, or all together
    half of the rows where that is less. A fold is trained on all rows before its validation rows, which lie before its
    test block, and nothing of the rows after the block is read as a number: columns, scaling and filling are its own.
    """

    name = "csv"
    metrics = ("nrmse_std", "rmse", "mae", "nrmse_range")
    seed_changes = "training"

    path: str = setting("", "the file: separated by comma, semicolon, tab or bar, with or without a header")
    target: Names = setting(
        "", "column or columns to forecast; empty for the last numeric column that is no time"
    )
    input_columns: Names = setting(
        OTHERS,
        "further input columns (or: inputs), a list or joined by commas; * for every other numeric column; empty for none",
        alias="inputs",
    )
    horizon: int = setting(1, "rows from an input to its target; with 1 the network can run free", minimum=1)
    free_run: bool = setting(  # type: ignore[misc]
        False,
        "whether validation and test are free runs, on the network's own outputs from the first scored row on",
        absent=False,
    )
    shares: tuple[float, float, float] = setting((0.7, 0.15, 0.15), "shares of training, validation and test")
    washout: int | None = setting(
        None,
        "unscored steps at the start of each sequence; by default a tenth of training, up to 50",
        minimum=0,
    )
    windows: int | None = setting(
        None,
        "sequences that the training part is divided into; by default of about 100 steps, up to 16",
        minimum=1,
    )

    header: bool | None = setting(
        None, "whether the first row holds the names of the columns; detected by default", absent=None
    )
    decimal: str = setting(
        "", "decimal mark: . or ,; by default a point, and doubtful numbers are refused", absent=""
    )
    separator: str = setting(
        "",
        "separator of columns: a comma, a semicolon, a bar or the word tab; detected by default",
        absent="",
    )
    fill: str = setting("", "how to fill missing values: linear or previous; refused by default", absent="")
    time: str | int = setting(
        "",
        "column by which the order of the rows is checked; by default the first of dates; none for none",
        absent="",
    )
    calendar: str | tuple[str, ...] = setting(
        "",
        "inputs made of the dates of rows, as sine and cosine: hour, weekday, month, yearday; a list or with commas",
        absent="",
    )

    folds: int = setting(
        1, "folds of a backtest with a rolling origin, each with its own test rows", absent=1, minimum=1
    )
    fold: int = setting(
        1, "which fold, the last one with the newest rows; later rows are not read", absent=1, minimum=1
    )

    multistep: str = setting(
        "direct",
        "how a horizon of several rows is reached: by a network for that row (direct), by one for the next row that goes on "
        "from its own outputs (recursive), or by one with an output for each row up to it (multi-output)",
        choices=("direct", "recursive", "multi-output"),
        absent="direct",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("target", "input_columns", "time"):
            value = getattr(self, name)
            text = tuple(map(str, value)) if isinstance(value, tuple) else str(value)
            object.__setattr__(self, name, text)
        object.__setattr__(self, "calendar", ",".join(self.cycles))

    def problems(self) -> list[str]:
        """Return one sentence for each setting that is not allowed."""
        found = [*file_problems(self.path, self.shares), *self.rules.problems()]
        found += fold_problems(self.shares, self.folds)
        if self.fold > self.folds:
            found.append(f"fold: expected at most {self.folds}, the number of folds, got {self.fold}")
        if self.free_run and (self.horizon != 1 or self.washout == 0):
            found.append(
                f"free_run: expected the horizon 1 and a washout, got {self.horizon} and {self.washout}"
            )
        return super().problems() or [*found, *calendar_problems(self.cycles)]

    @property
    def cycles(self) -> tuple[str, ...]:
        """The parts of a date that are inputs."""
        return calendar_parts(self.calendar)

    @property
    def inputs(self) -> int:
        """Number of target columns, further input columns and inputs made of dates."""
        return len(self.input_names)

    @property
    def outputs(self) -> int:
        """Number of target columns, times the rows ahead that have outputs of their own."""
        return len(self.output_names)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The input columns, the target columns first, and the inputs made of dates last."""
        return (*self.columns_used, *calendar_names(self.cycles))

    @property
    def columns_used(self) -> tuple[str, ...]:
        """The columns that are read: the target columns, and the further input columns."""
        return (*self.targets, *self.further_inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The target columns; with an output for each row ahead, those of the next row first."""
        if self.multistep != "multi-output":
            return tuple(self.targets)
        return tuple(f"{name}, {rows} ahead" for rows in range(1, self.horizon + 1) for name in self.targets)

    @property
    def scored_names(self) -> tuple[str, ...]:
        """The target columns."""
        return tuple(self.targets)

    @property
    def rules(self) -> Rules:
        """How the text of the file is read."""
        return Rules(self.header, self.decimal, self.separator, self.fill, str(self.time))

    @cached_property
    def table(self) -> Table:
        """The cells of the file, as text."""
        return read_table(self.path, self.rules)

    @cached_property
    def known(self) -> Table:
        """The rows of the table up to the end of the fold."""
        return self.table.first(max(sum(self._cut(len(self.table.rows))), 1))

    @cached_property
    def choice(self) -> Choice:
        """The columns that are used, and why the others are not; refused where too few rows are there to tell."""
        self._check_rows()
        inputs = None if self.input_columns == OTHERS else self.input_columns
        training = self._cut(len(self.table.rows))[0]
        return choose(self.known, self.target, inputs, rows=max(training, 1))

    @property
    def targets(self) -> list[str]:
        """Names of the target columns."""
        return self.choice.targets

    @property
    def further_inputs(self) -> list[str]:
        """Names of the input columns that are not target columns."""
        return self.choice.inputs

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of all columns of the file."""
        return self.table.names

    @property
    def data_notes(self) -> tuple[str, ...]:
        """How the file was read, what is forecast from what, and which columns are left out and why."""
        ahead = "the next row" if self.horizon == 1 else f"{self.horizon} rows ahead"
        how = "" if self.multistep == "direct" or self.horizon == 1 else f", {self.multistep}"
        found = [f"forecasts {listing(self.targets)} of {ahead} from {listing(self.input_names)}{how}"]
        left = [f"{name} ({why})" for name, why in self.choice.left_out.items()]
        found += [f"left out {', '.join(left)}"] if left else []
        for name in self.columns_used:
            how = falls(self.table.known(name))
            found += (
                [f"{name} {how}; if it counts back from the newest row, say --time {name}"] if how else []
            )
        return (*self.table.notes(self.columns_used), *(f"{self.table.path.name}: {text}" for text in found))

    def data(self, seed: int) -> Splits:
        """Return the splits of the file, the same for every seed."""
        check_seed(seed)
        table, rows = self.known, len(self.table.rows)
        scored = self._scored(rows)
        train_end = sum(self._cut(rows)[:1])
        ends = (train_end, train_end + scored[1])
        record = table.columns(self.columns_used, ends)
        record = np.hstack([record, calendar_inputs(table, self.cycles)])
        windows = min(max(scored[0] // 100, 1), 16) if self.windows is None else self.windows
        if windows > scored[0]:
            raise DataError(f"windows: expected at most one per training step ({scored[0]}), got {windows}")
        try:
            splits = forecasting_splits(
                record,
                targets=len(self.targets),
                ends=ends,
                windows=windows,
                mask=np.asarray(~table.gaps(self.targets).any(axis=1)),
                **self._steps(self._washout(rows)),
            )
        except DataError as error:
            constant = bool((record[:train_end, 0] == record[0, 0]).all())
            advice = self._another_target() if constant else ""
            raise DataError(f"{self.path}, target {', '.join(self.targets)}: {error}{advice}") from None
        times = table.times
        if times is None:
            return splits
        assert splits.test is not None
        return replace(splits, dates=times.last(splits.test.steps).dates[None])

    def baselines(self, splits: Splits) -> dict[str, np.ndarray]:
        """Return the mean, persistence and a linear model of the present and past rows."""
        name = "linear model of the last rows" if self.further_inputs else "linear autoregression"
        return baselines.forecasts(splits, linear_name=name, free_run=self.free_run)

    def comparator_problems(self, names: Sequence[str]) -> list[str]:
        """Return one sentence for each comparator that is not known, or whose library is not installed."""
        return comparators.comparator_problems(names)

    def comparators(self, splits: Splits, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return seasonal naive, drift, and the models that are named: boosting, mlp, ets, arima; none for free runs.

        They forecast every row from those before it, which a free run does not know.
        """
        if self.free_run:
            return {}
        table, cuts = self.known, self._cut(len(self.table.rows))
        ends = (cuts[0], cuts[0] + cuts[1])
        assert splits.scaling is not None
        values = splits.scaling.scale_targets(table.columns(self.targets, ends))
        if splits.test is splits.valid:  # forecasts of validation: nothing later is known
            values, ends = values[: ends[1]], (int(cuts[0] * cuts[0] / max(sum(cuts[:2]), 1)), ends[0])
        step = None if table.times is None else table.times.step
        series = comparators.Series(values, ends, self.horizon, comparators.seasons_of(step))
        return comparators.comparators(splits, series, [*dict.fromkeys((*comparators.USUAL, *names))])

    def recommended(self, strategy: str) -> Recommended:
        """Return small networks, for hundreds to thousands of rows."""
        if strategy in ("esn", "evolved-esn"):
            return Recommended({"cell": "leaky", "hidden": 50, "direct": True, "dtype": "float64"})
        if strategy == "bptt":
            return Recommended({"cell": "gru", "hidden": 8}, {"batch_size": 4})
        return Recommended({"cell": "gru", "hidden": 4, "direct": True})

    def _steps(self, washout: int) -> dict[str, Any]:
        """Return horizon, unscored steps and width of the targets that the network is trained on.

        Raises
        ------
        DataError
            When outputs cannot be fed back, since later values of other inputs are not known.
        """
        if self.multistep != "recursive" or self.horizon == 1:
            return {"horizon": self.horizon, "washout": washout, "every": self.multistep == "multi-output"}
        if self.further_inputs:
            raise DataError(
                f"multistep: recursive forecasts need the later values of every input, and those of "
                f"{listing(self.further_inputs)} are not known; leave them out (--inputs '') or take direct forecasts"
            )
        return {"horizon": 1, "washout": washout + self.horizon - 1}

    def _another_target(self) -> str:
        """Return a hint to choose another target; empty if a target was named or there is no other."""
        others = [name for name in self.further_inputs if not self.table.is_truth(name)]
        if self.target or not others:
            return ""
        return f"; choose another numeric column (--target NAME): {', '.join(others)}"

    def _check_rows(self) -> None:
        """Raise DataError when there are too few rows to train."""
        rows = len(self.table.rows)
        if self._scored(rows)[0] < LEAST_TRAINING:
            needed = self._least_rows(rows + 1)
            of_fold = f" in fold {self.fold} of {self.folds}" if self.folds > 1 else ""
            raise DataError(
                f"{self.path}: expected at least {needed} rows of numbers, for {LEAST_TRAINING} scored training steps "
                f"after {self._washout(needed)} of washout and a horizon of {self.horizon}{of_fold}, got {rows}"
            )

    def _washout(self, rows: int) -> int:
        """Return the unscored steps of a sequence, for a number of rows."""
        training = int(self.shares[0] * rows) if self.folds == 1 else max(self._cut(rows)[0], 0)
        return min(50, training // 10) if self.washout is None else self.washout

    def _least_rows(self, start: int) -> int:
        """Return the smallest number of rows, at least `start`, that leaves enough scored training steps.

        The search begins at a number that is surely not too large: rounding down leaves up to one row more for training
        than its share, for validation and for each test block after it.
        """
        tested = self.shares[2] if self.folds == 1 else min(self.shares[2], 0.5 / self.folds)
        blocks = self.folds - self.fold + 1
        rows = self.horizon + (self.washout or 0) + LEAST_TRAINING - 1 - blocks
        certain = int(rows / (1 - self.shares[1] - tested * blocks))
        return next(n for n in itertools.count(max(start, certain)) if self._scored(n)[0] >= LEAST_TRAINING)

    def _scored(self, rows: int) -> tuple[int, int, int]:
        """Return the numbers of scored steps in training, validation and test, for a number of rows."""
        train, valid, test = self._cut(rows)
        return train - self.horizon - self._washout(rows), valid, test

    def _cut(self, rows: int) -> tuple[int, int, int]:
        """Return the numbers of training, validation and test rows of the fold, for a number of rows."""
        return cut_fold(rows, self.shares, self.folds, self.fold)
