"""Simple predictions for comparison with trained networks, fitted on the training split only.

Each function takes the splits in scaled units and returns predictions of the test split (B, T, O).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.task import Splits

LAGS = (1, 2, 4, 8, 16, 32, 64)
RIDGES = (1e-13, 1e-10, 1e-7, 1e-5, 1e-3, 1e-1)
"""Ridge penalties per training step, for features of unit variance."""
MOST_FEATURES, MOST_ROWS = 200, 20_000


def forecasts(
    splits: Splits, *, linear_name: str = "linear autoregression", free_run: bool = False
) -> dict[str, np.ndarray]:
    """Return the baselines of a forecast by name: the mean, persistence and the linear model."""
    return {
        "mean": mean(splits),
        "persistence": persistence(splits, free_run=free_run),
        linear_name: linear(splits, free_run=free_run),
    }


def mean(splits: Splits) -> np.ndarray:
    """Return the mean of the scored training targets at every step."""
    test = _test(splits)
    level = splits.train.targets[splits.train.scored].mean(axis=0)
    return np.broadcast_to(level, (test.size, test.steps, len(level))).copy()


def persistence(splits: Splits, *, free_run: bool = False) -> np.ndarray:
    """Return the last known values of the targets, which are the first inputs.

    In a free run the last known value before the first scored step is repeated to the end.
    """
    test = _test(splits)
    values = np.array(test.inputs[:, :, : test.targets.shape[2]], dtype=np.float64)
    if free_run:
        for row, start in zip(values, _first_scored(test)):
            row[start:] = row[start - 1]
    return values


def class_frequencies(splits: Splits, classes: int) -> np.ndarray:
    """Return the logarithm of each class's share of the scored training steps, as logits (B, T, classes).

    A class that is not in the scored training steps has the count 0.5, so that its logit is finite.
    """
    test = _test(splits)
    counts = np.bincount(splits.train.targets[splits.train.scored], minlength=classes).astype(np.float64)
    logits = np.log(np.maximum(counts, 0.5) / counts.sum())
    return np.broadcast_to(logits, (test.size, test.steps, classes)).copy()


def linear(splits: Splits, *, free_run: bool = False) -> np.ndarray:
    """Return the predictions of a linear model of the present and past inputs.

    A shift register with a readout by ridge regression, fitted on the scored training steps; its number of lags
    (1 to 64) and its penalty are chosen on validation. If the inputs are the targets' own past, this is linear
    autoregression. Of more than 20,000 training steps an evenly spaced part is used. In a free run, on
    validation and test, it continues from its own outputs.

    Parameters
    ----------
    splits : Splits
    free_run : bool
        Whether outputs replace the first inputs from the first scored step on.
    """
    from threadpoolctl import threadpool_limits

    test, valid = _test(splits), splits.valid
    assert valid is not None
    level = splits.train.targets[splits.train.scored].mean(axis=0)
    weights, lags = np.vstack([np.zeros((test.n_inputs, len(level))), level]), 1
    best = np.inf
    with threadpool_limits(limits=1, user_api="blas"):  # more threads change the last bits
        for candidate_lags, candidate in _fits(splits.train):
            with np.errstate(over="ignore", invalid="ignore"):  # a free run that diverges is not chosen
                outputs = _apply(candidate, candidate_lags, valid, free_run)
                loss = float(np.mean(np.square(outputs - valid.targets)[valid.scored]))
            if loss < best:
                best, weights, lags = loss, candidate, candidate_lags
        return _apply(weights, lags, test, free_run)


def _fits(train: Batch) -> Iterator[tuple[int, np.ndarray]]:
    """Yield lags and weights (features + 1, O) of each shift register that has enough training steps."""
    for lags in LAGS:
        features = lags * train.n_inputs
        rows = train.scored & (np.arange(train.steps) >= lags - 1)
        if lags > 1 and (rows.sum() < 2 * features or features > MOST_FEATURES):
            return
        if not rows.any():
            return
        every = max(1, int(rows.sum()) // MOST_ROWS)
        x = _register(train.inputs, lags)[rows][::every]
        y = train.targets[rows][::every].astype(np.float64)
        x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
        u, s, vt = np.linalg.svd(x - x_mean, full_matrices=False)
        projected = u.T @ (y - y_mean)
        for ridge in RIDGES:
            slope = vt.T @ (projected * (s / (s**2 + ridge * len(x)))[:, None])
            yield lags, np.vstack([slope, y_mean - x_mean @ slope])


def _register(inputs: np.ndarray, lags: int) -> np.ndarray:
    """Return the present and past inputs, (B, T, lags * I), of inputs (B, T, I); zero before the first step."""
    delayed = np.zeros((*inputs.shape[:2], lags, inputs.shape[2]))
    for lag in range(min(lags, inputs.shape[1])):
        delayed[:, lag:, lag] = inputs[:, : inputs.shape[1] - lag]
    return delayed.reshape(*inputs.shape[:2], -1)


def _apply(weights: np.ndarray, lags: int, batch: Batch, free_run: bool) -> np.ndarray:
    """Return the outputs (B, T, O) of a linear model."""
    if not free_run:
        return np.asarray(_register(batch.inputs, lags) @ weights[:-1] + weights[-1])
    width = batch.n_inputs
    outputs: np.ndarray = np.zeros(batch.targets.shape)
    for sequence, start in enumerate(_first_scored(batch)):
        register = np.zeros((lags, width))
        for step, known in enumerate(np.array(batch.inputs[sequence], dtype=np.float64)):
            if step >= start:
                known[: outputs.shape[2]] = outputs[sequence, step - 1]
            register = np.vstack([known, register[:-1]])
            outputs[sequence, step] = register.ravel() @ weights[:-1] + weights[-1]
    return outputs


def _first_scored(batch: Batch) -> np.ndarray:
    """Return the first scored step of each sequence, (B,)."""
    return np.asarray(batch.scored.argmax(axis=1))


def _test(splits: Splits) -> Batch:
    """Return the test split."""
    assert splits.test is not None
    return splits.test
