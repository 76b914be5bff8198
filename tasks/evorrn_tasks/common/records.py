"""Training, validation and test sequences from one long record, in order of time.

A record has one row per time step. Each split begins with `washout` unscored steps, in which the effect of
the initial state decays: the rows before the split for validation and test, its first rows for training.
"""

from __future__ import annotations

import itertools

import numpy as np

from evorrn.base.errors import DataError
from evorrn.data.batch import Batch
from evorrn.data.task import Scaling, Splits


def forecasting_splits(
    record: np.ndarray,
    *,
    targets: int,
    horizon: int,
    ends: tuple[int, int],
    washout: int,
    windows: int = 1,
    mask: np.ndarray | None = None,
    every: bool = False,
) -> Splits:
    """Return the splits of a forecast of the first columns of a record.

    A step belongs to the split of its target row, so no row of validation or test is in the training batch,
    neither as target nor as input.

    Parameters
    ----------
    record : ndarray, shape (N, I)
        Rows in original units; the first `targets` columns are forecast, all columns are inputs.
    targets : int
        Columns to forecast, O.
    horizon : int
        Rows between an input and its target.
    ends : tuple of int
        First row of validation and first row of test.
    washout : int
        Unscored steps at the start of each split.
    windows : int
        Sequences that the training part is divided into.
    mask : ndarray of bool, shape (N,), optional
        False at rows that are not scored as targets.
    every : bool
        Whether the targets are those of every row up to the horizon, side by side, the next row first.
    """
    train_end, valid_end = ends
    scaling = learn_scaling(record[:train_end], record[:train_end, :targets], own=targets)
    scored = (train_end - horizon - washout, valid_end - train_end, len(record) - valid_end)
    values, count = scaling.scale_targets(record[:, :targets]), len(record) - horizon
    ahead = range(1 if every else horizon, horizon + 1)
    scaled = np.hstack([values[rows : rows + count] for rows in ahead])
    usable = None if mask is None else np.logical_and.reduce([mask[rows : rows + count] for rows in ahead])
    batches = split_record(
        scaling.scale_inputs(record[:-horizon]),
        scaled,
        scored=scored,
        washout=washout,
        windows=windows,
        mask=usable,
    )
    if every:
        wide = [np.tile(each, horizon) for each in (scaling.target_mean, scaling.target_deviation)]
        scaling = Scaling(scaling.input_mean, scaling.input_deviation, *wide)
    return Splits(*batches, scaling=scaling)


def scaled_splits(
    inputs: np.ndarray, targets: np.ndarray, scored: tuple[int, int, int], *, washout: int, windows: int
) -> Splits:
    """Return the splits of a record whose inputs and targets are aligned, scaled by what is known of training.

    The parameters are those of `split_record`.
    """
    known = washout + scored[0]
    scaling = learn_scaling(inputs[:known], targets[:known])
    scaled = scaling.scale_inputs(inputs), scaling.scale_targets(targets)
    batches = split_record(*scaled, scored=scored, washout=washout, windows=windows)
    return Splits(*batches, scaling=scaling)


def split_record(
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    scored: tuple[int, int, int],
    washout: int,
    windows: int = 1,
    mask: np.ndarray | None = None,
) -> tuple[Batch, Batch, Batch]:
    """Return training, validation and test batches of a record whose inputs and targets are aligned.

    Parameters
    ----------
    inputs : ndarray, shape (N, I), or (N,) of symbols
        N is `washout` plus the sum of `scored`.
    targets : ndarray, shape (N, O) of floats or (N,) of labels
        Targets at the same steps.
    scored : tuple of int
        Scored steps of training, validation and test.
    washout : int
        Unscored steps before the scored ones of each sequence.
    windows : int
        Sequences that the training part is divided into, each with its own unscored steps; their lengths
        differ by at most one step.
    mask : ndarray of bool, shape (N,), optional
        False at further steps that are not scored.
    """
    train, valid, test = scored
    usable = np.ones(len(inputs), dtype=bool) if mask is None else mask
    spans = _spans(train, washout, windows)
    valid_span = (train, washout + train + valid)
    test_span = (train + valid, washout + train + valid + test)
    return (
        _batch(inputs, targets, usable, spans, washout),
        _batch(inputs, targets, usable, [valid_span], washout),
        _batch(inputs, targets, usable, [test_span], washout),
    )


def training_windows(inputs: np.ndarray, targets: np.ndarray, *, washout: int, windows: int) -> Batch:
    """Return a record (N, I) with targets (N, O) as the sequences of a training batch, see `split_record`."""
    usable = np.ones(len(inputs), dtype=bool)
    return _batch(inputs, targets, usable, _spans(len(inputs) - washout, washout, windows), washout)


def window_problems(windows: int, train: int) -> list[str]:
    """Return a sentence if `train` scored steps cannot be divided into this number of windows."""
    if windows > train:
        return [f"windows: expected at most one per training step ({train}), got {windows}"]
    return []


def learn_scaling(inputs: np.ndarray, targets: np.ndarray, *, own: int = 0) -> Scaling:
    """Return the scaling to mean 0 and standard deviation 1, learned on training rows.

    Input columns with only the values 0 and 1 are not scaled; a constant input becomes 0.

    Parameters
    ----------
    inputs : ndarray, shape (n, I)
        Training rows of the inputs, in original units.
    targets : ndarray, shape (m, O)
        Training rows of the targets.
    own : int
        Number of first inputs that are past values of the targets: they get the targets' scaling, so that
        outputs can be fed back as inputs.

    Raises
    ------
    DataError
        When a target is constant, or numbers are too large or too close to each other to be scaled.
    """
    target_mean, target_deviation = _moments(targets)
    constant = np.flatnonzero(_constant(targets))
    if constant.size:
        raise DataError(
            f"target {constant[0] + 1} of {targets.shape[1]} is constant ({targets[0, constant[0]]:g}) over the "
            f"{len(targets)} training rows: there is nothing to learn"
        )
    input_mean, input_deviation = _moments(inputs)
    binary = np.isin(inputs, (0.0, 1.0)).all(axis=0)
    input_mean[binary] = 0.0
    input_deviation[binary | _constant(inputs)] = 1.0
    input_mean[:own], input_deviation[:own] = target_mean[:own], target_deviation[:own]
    deviations = np.concatenate([input_deviation, target_deviation])
    if not np.isfinite(deviations).all() or deviations.min() == 0:
        raise DataError(
            "the values are too large or too close to each other to be scaled in double precision"
        )
    return Scaling(input_mean, input_deviation, target_mean, target_deviation)


def _constant(rows: np.ndarray) -> np.ndarray:
    """Return which columns are constant."""
    return np.asarray((rows == rows[:1]).all(axis=0))


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each column."""
    with np.errstate(over="ignore", invalid="ignore"):  # the caller reports an overflow
        values = np.asarray(rows, dtype=np.float64)
        return values.mean(axis=0), values.std(axis=0)


def _spans(train: int, washout: int, windows: int) -> list[tuple[int, int]]:
    """Return the first row of each window of `train` scored steps, and the row after its last."""
    parts = np.array_split(np.arange(train), windows)
    bounds = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    return [(int(start), washout + int(end)) for start, end in itertools.pairwise(bounds)]


def _batch(
    inputs: np.ndarray, targets: np.ndarray, usable: np.ndarray, spans: list[tuple[int, int]], washout: int
) -> Batch:
    """Return spans of a record as the sequences of a batch, padded with zeros to equal length."""
    lengths = np.array([end - start for start, end in spans])
    shape = (len(spans), int(lengths.max()))
    batch_inputs = np.zeros((*shape, *inputs.shape[1:]), dtype=int if inputs.ndim == 1 else float)
    batch_targets = np.zeros((*shape, *targets.shape[1:]), dtype=targets.dtype)
    mask = np.zeros(shape, dtype=bool)
    for row, (start, end) in enumerate(spans):
        batch_inputs[row, : end - start] = inputs[start:end]
        batch_targets[row, : end - start] = targets[start:end]
        mask[row, washout : end - start] = usable[start + washout : end]
    return Batch(batch_inputs, batch_targets, mask=mask, lengths=lengths)
