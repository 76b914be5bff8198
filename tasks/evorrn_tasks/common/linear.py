"""The linear baseline: ridge regression on the present and past inputs, its order chosen in two ways.

Every order up to a limit is fitted. `by_validation` chooses order and penalty by the validation loss, `by_aic`
the order by Akaike's criterion, without a penalty. Both are then fitted again on training and validation
together, because a network that is chosen on validation has seen both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.data.batch import Batch
from evorrn.data.task import Splits

MOST_ORDERS = 64
RIDGES = (1e-13, 1e-10, 1e-7, 1e-5, 1e-3, 1e-1)
"""Ridge penalties per training step, for features of unit variance."""
MOST_FEATURES = 200
MOST_ROWS, MOST_FINAL_ROWS = 5_000, 50_000
"""Training steps used to choose an order and to fit the chosen one; of more, an evenly spaced part is used."""


def by_validation(splits: Splits, *, free_run: bool = False) -> np.ndarray:
    """Return the test outputs (B, T, O) of the order and penalty with the lowest validation loss.

    Parameters
    ----------
    splits : Splits
    free_run : bool
        Whether the model sees its own outputs in place of the first inputs from the first scored step on, in
        validation and test.
    """
    valid = splits.valid
    assert valid is not None
    best, chosen = np.inf, (0, 0.0)
    with one_thread():
        for order in _orders(splits.train):
            fit = _Fit(*rows([splits.train], order, MOST_ROWS))
            weights = [fit.weights(ridge) for ridge in RIDGES]
            with np.errstate(over="ignore", invalid="ignore"):  # a free run that diverges is not chosen
                losses = (_free_losses if free_run else _losses)(weights, order, valid)
            for loss, ridge in zip(losses, RIDGES):
                if loss < best:
                    best, chosen = loss, (order, ridge)
        return _fitted_again(splits, *chosen, free_run)


def by_aic(splits: Splits, *, free_run: bool = False) -> np.ndarray:
    """Return the test outputs (B, T, O) of the order with the lowest Akaike information criterion on training.

    All orders are compared on the same training steps. The largest is 10 log10 of the number of training steps,
    divided by the number of inputs.

    Source: Akaike 1974; the largest order as in R's ``ar``. Deviation: the least-squares fit has a ridge penalty of
    1e-13 per step.
    """
    with one_thread():
        train = splits.train
        count = int(train.scored.sum())
        limit = max(1, int(10 * math.log10(max(count, 2)) / max(train.n_inputs, 1)))
        orders = [order for order in _orders(train) if order <= limit]
        best, chosen = np.inf, 0
        for order in orders:
            x, y = rows([train], order, MOST_ROWS, first=orders[-1] - 1)
            variances = np.maximum(_Fit(x, y).residuals() / len(x), np.finfo(float).tiny)
            criterion = len(x) * np.log(variances).sum() + 2 * y.shape[1] * (x.shape[1] + 1)
            if criterion < best:
                best, chosen = float(criterion), order
        return _fitted_again(splits, chosen, RIDGES[0], free_run)


class _Fit:
    """A regression of y (N, O) on x (N, p) with an intercept, which gives the weights of any penalty."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x_mean, self.y_mean, self.count = x.mean(axis=0), y.mean(axis=0), len(x)
        features = x.shape[1]
        triangle = np.asarray(np.linalg.qr(np.hstack([x - self.x_mean, y - self.y_mean]), mode="r"))
        self.u, self.s, self.vt = np.linalg.svd(triangle[:features, :features], full_matrices=False)
        self.projected = self.u.T @ triangle[:features, features:]
        self.rest = np.square(triangle[features:, features:]).sum(axis=0)

    def weights(self, ridge: float) -> np.ndarray:
        """Return the weights (p + 1, O), the intercept last, of a penalty per row."""
        slope = self.vt.T @ (self.projected * (self.s / (self.s**2 + ridge * self.count))[:, None])
        return np.vstack([slope, self.y_mean - self.x_mean @ slope])

    def residuals(self) -> np.ndarray:
        """Return the sums of squared residuals (O,) of the smallest penalty."""
        shrunk = RIDGES[0] * self.count / (self.s**2 + RIDGES[0] * self.count)
        return np.asarray(self.rest + np.square(self.projected * shrunk[:, None]).sum(axis=0))


def _orders(train: Batch) -> Iterator[int]:
    """Yield the orders, from 1 on, that have at least two training steps for each feature; 1 in any case."""
    for order in range(1, min(MOST_ORDERS, train.steps) + 1):
        features = order * train.n_inputs
        if order > 1 and (features > MOST_FEATURES or _usable(train, order - 1).sum() < 2 * features):
            return
        if _usable(train, order - 1).any():
            yield order


def _fitted_again(splits: Splits, order: int, ridge: float, free_run: bool) -> np.ndarray:
    """Return the test outputs of a model fitted on training and validation; of order 0, the training mean."""
    train, valid, test = splits.train, splits.valid, splits.test
    assert valid is not None and test is not None
    if order == 0:
        level = train.targets[train.scored].mean(axis=0)
        return np.broadcast_to(level, (test.size, test.steps, len(level))).copy()
    weights = _Fit(*rows([train, valid], order, MOST_FINAL_ROWS)).weights(ridge)
    return _apply(weights, order, test, free_run)


def _usable(batch: Batch, first: int) -> np.ndarray:
    """Return which steps (B, T) are scored and not before a first one."""
    return np.asarray(batch.scored & (np.arange(batch.steps) >= first))


def rows(
    batches: Sequence[Batch], order: int, most: int, first: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the features (N, p) and targets (N, O) of the scored steps that have a full past.

    Parameters
    ----------
    most : int
        The largest N.
    first : int, optional
        The first step used, at least `order` - 1.
    """
    chosen = [_usable(batch, order - 1 if first is None else first) for batch in batches]
    x = np.concatenate([register(batch.inputs, order)[rows] for batch, rows in zip(batches, chosen)])
    y = np.concatenate([batch.targets[rows].astype(np.float64) for batch, rows in zip(batches, chosen)])
    every = -(-len(x) // most)
    return x[::every], y[::every]


def register(inputs: np.ndarray, order: int) -> np.ndarray:
    """Return the present and past inputs, (B, T, order * I), of inputs (B, T, I); zero before the first step."""
    delayed = np.zeros((*inputs.shape[:2], order, inputs.shape[2]))
    for lag in range(min(order, inputs.shape[1])):
        delayed[:, lag:, lag] = inputs[:, : inputs.shape[1] - lag]
    return delayed.reshape(*inputs.shape[:2], -1)


def _losses(weights: Sequence[np.ndarray], order: int, batch: Batch) -> list[float]:
    """Return the mean squared error of several linear models."""
    outputs = [_apply(each, order, batch, False) for each in weights]
    return [float(np.mean(np.square(each - batch.targets)[batch.scored])) for each in outputs]


def _free_losses(weights: Sequence[np.ndarray], order: int, batch: Batch) -> list[float]:
    """Return the mean squared error of the free runs of several linear models, all sequences and models together."""
    stacked, width = np.stack(weights), batch.n_outputs
    slopes, level, every = stacked[:, :-1], stacked[:, -1:], np.arange(batch.size)
    starts = batch.scored.argmax(axis=1)
    known = register(batch.inputs, order)[every, starts - 1]
    past = np.broadcast_to(known, (len(stacked), *known.shape)).copy()
    output = past @ slopes + level
    errors, counts = np.zeros(len(stacked)), 0
    for ahead in range(batch.steps - starts.min()):
        step = np.minimum(starts + ahead, batch.steps - 1)
        past[:, :, batch.n_inputs :] = past[:, :, : -batch.n_inputs].copy()
        past[:, :, : batch.n_inputs] = batch.inputs[every, step]
        past[:, :, :width] = output
        output = past @ slopes + level
        scored = batch.scored[every, step] & (starts + ahead < batch.steps)
        errors += np.square(output - batch.targets[every, step])[:, scored].sum(axis=(1, 2))
        counts += scored.sum() * width
    return (errors / counts).tolist()


def _apply(weights: np.ndarray, order: int, batch: Batch, free_run: bool) -> np.ndarray:
    """Return the outputs (B, T, O) of a linear model."""
    if not free_run:
        return np.asarray(register(batch.inputs, order) @ weights[:-1] + weights[-1])
    width = batch.n_inputs
    outputs: np.ndarray = np.zeros(batch.targets.shape)
    for sequence, start in enumerate(batch.scored.argmax(axis=1)):
        past = np.zeros((order, width))
        for step, known in enumerate(np.array(batch.inputs[sequence], dtype=np.float64)):
            if step >= start:
                known[: outputs.shape[2]] = outputs[sequence, step - 1]
            past = np.vstack([known, past[:-1]])
            outputs[sequence, step] = past.ravel() @ weights[:-1] + weights[-1]
    return outputs
