"""Metrics of predictions and of episodes, found by name.

A metric of sequences is a function of two arrays: the predictions and the targets ("truth") at the scored
entries, in the original units of the task. A metric of episodes is a function of their returns, lengths and
successes. The name of a normalised error says what the error is divided by: ``nrmse_std`` by the standard
deviation of the truth in the scored split, ``nrmse_range`` by its range. It is undefined, NaN, where the truth of an
output is constant. Every metric of sequences is NaN where a prediction is not finite. Those of `PER_SEQUENCE` also take
the rows at which sequences end; without them every row is a sequence of its own. ``valid_time`` alone is a number where a
prediction is not finite: a free run that diverges is valid until then.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from evorrn.base.errors import UnknownName
from evorrn.data.finite import Metric, nan_unless_finite
from evorrn.data.spectrum import spectral_distance
from evorrn.data.whole_metrics import (
    all_legal,
    bit_errors,
    exact_match,
    legal_match,
    token_accuracy,
    vote_accuracy,
)

HIGHER_IS_BETTER = frozenset(
    {
        "accuracy",
        "all_legal",
        "binary_accuracy",
        "exact_match",
        "f1",
        "legal_match",
        "macro_f1",
        "memory_capacity",
        "overlap",
        "precision",
        "recall",
        "token_accuracy",
        "valid_time",
        "vote_accuracy",
        "within_004",
        "return",
        "success",
    }
)
NORMALISED = frozenset({"nmse_std", "nrmse_std", "nrmse_range", "nrmse84", "spectral_distance", "valid_time"})
"""Errors that are divided by how much the truth varies."""


@nan_unless_finite
def mse(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean squared error over all scored entries ``(N, O)``."""
    return float(np.mean(np.square(predicted - truth)))


@nan_unless_finite
def rmse(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the root of the mean squared error, in the units of the truth."""
    return float(np.sqrt(mse(predicted, truth)))


@nan_unless_finite
def mae(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean absolute error, in the units of the truth."""
    return float(np.mean(np.abs(predicted - truth)))


@nan_unless_finite
def nmse_std(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean squared error divided by the variance of the truth, averaged over outputs."""
    variance = np.where(np.ptp(truth, axis=0) > 0, truth.var(axis=0), np.nan)
    return float(np.mean(np.square(predicted - truth).mean(axis=0) / variance))


@nan_unless_finite
def nrmse_std(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the root mean squared error divided by the standard deviation of the truth."""
    return float(np.sqrt(nmse_std(predicted, truth)))


def nrmse84(predicted: np.ndarray, truth: np.ndarray, ends: np.ndarray | None = None) -> float:
    """Return the root mean squared error at the ends of free runs, divided by the standard deviation of all the truth.

    `ends` (K,) are the rows of the last scored step of each sequence, 84 steps after the last known value in a task
    with this metric; all rows by default.

    Source: Jaeger 2001 (GMD report 148), "NRMSE84".
    """
    values, true = np.asarray(predicted), np.asarray(truth)
    if not np.isfinite(values).all():
        return math.nan
    rows = slice(None) if ends is None else ends
    deviation = np.where(np.ptp(true, axis=0) > 0, true.std(axis=0), np.nan)
    return float(np.sqrt(np.mean(np.square((values[rows] - true[rows]) / deviation))))


def valid_time(predicted: np.ndarray, truth: np.ndarray, ends: np.ndarray | None = None) -> float:
    """Return the mean over sequences of the steps before the error of a free run first exceeds half a deviation.

    The error at a step is the root of the mean over outputs of the squared error, each divided by the standard deviation
    of the truth. A sequence without such a step counts with all its scored steps, one with numbers that are not finite until these.
    `evaluate` gives Lyapunov times.

    Source: Vlachas et al. 2020, "Backpropagation algorithms and reservoir computing in recurrent neural networks for the
    forecasting of complex spatiotemporal dynamics", valid prediction time with epsilon = 0.5.
    """
    values, true = np.asarray(predicted), np.asarray(truth)
    if (np.ptp(true, axis=0) == 0).any():
        return math.nan
    error = np.sqrt(np.mean(np.square((values - true) / true.std(axis=0)), axis=1))
    last = np.arange(len(true)) if ends is None else np.asarray(ends)
    wrong = [np.append(~(each <= 0.5), True) for each in np.split(error, last[:-1] + 1)]
    return float(np.mean([each.argmax() for each in wrong]))


@nan_unless_finite
def symbol_error_rate(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of scored entries whose nearest symbol is not the true one; symbols are the values of the truth."""
    symbols = np.unique(truth)
    edges = (symbols[1:] + symbols[:-1]) / 2
    return float(np.mean(np.searchsorted(edges, predicted) != np.searchsorted(edges, truth)))


@nan_unless_finite
def nrmse_range(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the root mean squared error divided by the range of the truth, averaged over outputs."""
    error, extent = np.sqrt(np.square(predicted - truth).mean(axis=0)), np.ptp(truth, axis=0)
    return float(np.mean(error / np.where(extent > 0, extent, np.nan)))


@nan_unless_finite
def accuracy(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of scored steps at which the label (N,) has the largest logit (N, O)."""
    return float(np.mean(predicted.argmax(axis=1) == truth))


@nan_unless_finite
def macro_f1(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over classes of the harmonic mean of precision and recall, for labels (N,) and logits (N, O).

    The classes are those that are true or predicted at a scored step.
    """
    found = predicted.argmax(axis=1)
    classes = np.union1d(found, truth)
    both = np.array([np.sum((found == label) & (truth == label)) for label in classes])
    sizes = np.array([np.sum(found == label) + np.sum(truth == label) for label in classes])
    return float(np.mean(2 * both / sizes))


@nan_unless_finite
def within_004(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of scored entries whose absolute error is below 0.04.

    Source: Hochreiter and Schmidhuber 1997, who call a sequence of the adding problem learned by this criterion.
    """
    return float(np.mean(np.abs(predicted - truth) < 0.04))


@nan_unless_finite
def cross_entropy(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean of ``-log softmax(logits)[label]`` in nats."""
    shifted = predicted - predicted.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_total - shifted[np.arange(len(truth)), truth]))


def bits_per_symbol(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the cross-entropy of labels in bits: what a perfect code by these predictions needs for each, on average."""
    return cross_entropy(predicted, truth) / math.log(2)


@nan_unless_finite
def binary_accuracy(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of scored entries where logit > 0 and truth > 0.5 are both true or both false."""
    return float(np.mean((predicted > 0) == (truth > 0.5)))


@nan_unless_finite
def precision(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of entries with logit > 0 whose truth is above 0.5; 0 where there are none."""
    found = predicted > 0
    return float((found & (truth > 0.5)).sum() / max(found.sum(), 1))


@nan_unless_finite
def recall(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of entries with truth above 0.5 whose logit is > 0; NaN where there are none."""
    wanted = truth > 0.5
    return float(((predicted > 0) & wanted).sum() / wanted.sum()) if wanted.any() else math.nan


def f1(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the harmonic mean of precision and recall."""
    return harmonic_mean(precision(predicted, truth), recall(predicted, truth))


def harmonic_mean(first: float, second: float) -> float:
    """Return the harmonic mean of two numbers from 0 on; 0 where both are 0."""
    return 2 * first * second / (first + second) if first + second != 0 else 0.0


@nan_unless_finite
def binary_cross_entropy(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over scored entries of ``softplus(logit) - truth * logit`` in nats."""
    return float(np.mean(np.logaddexp(0, predicted) - truth * predicted))


@nan_unless_finite
def memory_capacity(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the sum over outputs of the squared correlation of prediction and truth; 0 for a constant prediction.

    Source: Jaeger 2001 (GMD report 152), "Short term memory in echo state networks".
    """
    left, right = predicted - predicted.mean(axis=0), truth - truth.mean(axis=0)
    spread = np.where(np.ptp(truth, axis=0) > 0, np.square(right).sum(axis=0), np.nan)
    varies = np.ptp(predicted, axis=0) > 0
    norm = np.where(varies, np.square(left).sum(axis=0), 1.0)
    shared = np.where(varies, np.square((left * right).sum(axis=0)), 0.0)
    return float(np.sum(shared / norm / spread))


@nan_unless_finite
def overlap(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over scored entries of truth, -1 or 1, times the sign of the prediction."""
    return float(np.mean(np.sign(predicted) * truth))


PER_SEQUENCE = frozenset(
    {
        "nrmse84",
        "spectral_distance",
        "valid_time",
        "token_accuracy",
        "exact_match",
        "legal_match",
        "all_legal",
        "vote_accuracy",
        "bit_errors",
    }
)
"""Metrics that take the rows at which sequences end."""

FREE_RUN = frozenset({"nrmse84", "spectral_distance", "valid_time"})
"""Metrics of free runs, which say nothing about predictions from the true past."""

METRICS: dict[str, Metric] = {
    function.__name__: function
    for function in (
        mse,
        rmse,
        mae,
        nmse_std,
        nrmse_std,
        nrmse_range,
        nrmse84,
        valid_time,
        spectral_distance,
        symbol_error_rate,
        accuracy,
        macro_f1,
        within_004,
        cross_entropy,
        bits_per_symbol,
        binary_accuracy,
        precision,
        recall,
        f1,
        binary_cross_entropy,
        token_accuracy,
        exact_match,
        legal_match,
        all_legal,
        vote_accuracy,
        bit_errors,
        memory_capacity,
        overlap,
    )
}


def undefined(values: Mapping[str, float | None]) -> list[str]:
    """Return the normalised errors that are NaN although another metric is finite: the truth of an output is constant."""
    finite = [name for name, value in values.items() if value is not None and math.isfinite(value)]
    return [name for name in values if name in NORMALISED and name not in finite and finite]


def evaluate(
    names: Iterable[str],
    predicted: np.ndarray,
    truth: np.ndarray,
    ends: np.ndarray | None = None,
    step_time: float = 1.0,
) -> dict[str, float]:
    """Return every named metric of scored predictions.

    Parameters
    ----------
    names : iterable of str
        Keys of `METRICS`.
    predicted : ndarray, shape (N, O)
        Outputs at the scored steps, in original units; logits for classes.
    truth : ndarray, shape (N, O), or (N,) of labels
        Targets at the same steps.
    ends : ndarray of int, shape (K,), optional
        The rows of the last scored step of each sequence, for metrics of `PER_SEQUENCE`.
    step_time : float
        Lyapunov times between two steps, for ``valid_time``.

    Raises
    ------
    UnknownName
        For a name that is not a metric.
    """
    result = {}
    with np.errstate(all="ignore"):  # an overflow gives inf, no warning
        for name in names:
            if name not in METRICS:
                raise UnknownName("metric", name, METRICS)
            values = np.asarray(predicted, dtype=np.float64)
            further = (ends,) if name in PER_SEQUENCE else ()
            result[name] = METRICS[name](values, truth, *further) * (step_time if name == "valid_time" else 1)
    return result
