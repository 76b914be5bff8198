"""Simple predictions for comparison with trained networks: the mean, persistence, frequencies of classes, linear models.

Each function takes the splits in scaled units and returns predictions of the test split (B, T, O).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.task import Splits
from evorrn.data.timed import Timed
from evorrn_tasks.common import linear


def forecasts(
    splits: Splits, *, linear_name: str = "linear autoregression", free_run: bool = False
) -> dict[str, np.ndarray]:
    """Return the baselines of a forecast by name: the mean, persistence and linear models of the past."""
    return Timed(
        {
            "mean": partial(mean, splits),
            "persistence": partial(persistence, splits, free_run=free_run),
            **_linear_models(splits, linear_name, free_run),
        }
    )


def linear_models(splits: Splits, name: str, *, free_run: bool = False) -> dict[str, np.ndarray]:
    """Return a linear model of the present and past inputs, its order by validation and by Akaike's criterion."""
    return Timed(_linear_models(splits, name, free_run))


def _linear_models(splits: Splits, name: str, free_run: bool) -> dict[str, Callable[[], np.ndarray]]:
    return {
        name: partial(linear.by_validation, splits, free_run=free_run),
        f"{name}, AIC": partial(linear.by_aic, splits, free_run=free_run),
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


def more_frequent_class(splits: Splits) -> np.ndarray:
    """Return the logit (B, T, 1) of class 1 that its share of the scored training steps has; 10 or -10 for one class."""
    test = _test(splits)
    share = splits.train.targets[splits.train.scored].mean()
    logit = np.log(share / (1 - share)) if 0 < share < 1 else (share - 0.5) * 20
    return np.full((test.size, test.steps, 1), logit)


def no_labels(splits: Splits, classes: int) -> np.ndarray:
    """Return logits (B, T, classes) under which every class is as likely, and that are decoded to no label at all.

    The blank is a little more likely, so that decoding finds it.
    """
    test = _test(splits)
    logits = np.zeros((test.size, test.steps, classes))
    logits[:, :, 0] = 1e-3
    return logits


def _first_scored(batch: Batch) -> np.ndarray:
    """Return the first scored step of each sequence, (B,)."""
    return np.asarray(batch.scored.argmax(axis=1))


def _test(splits: Splits) -> Batch:
    """Return the test split."""
    assert splits.test is not None
    return splits.test
