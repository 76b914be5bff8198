"""Readouts of classes by logistic regression or a linear support vector machine, from scikit-learn."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError
from evorrn.strategies.reservoir.division import by_sequence, by_time

if TYPE_CHECKING:
    from evorrn.network.network import Network

CLASSIFIERS = ("ridge", "logistic", "svm")
LEAST_ALPHA = 1e-8
"""Smaller penalties of a grid are left out: they differ in nothing but the time until convergence."""
ABSENT = -30.0
"""Logit of a class without a training row, below those of the others."""
ITERATIONS = 300


@dataclass(frozen=True)
class Classified:
    """A fitted readout: weights (O, F), bias (O,), its penalty, and the work in multiply-adds."""

    weights: np.ndarray
    bias: np.ndarray
    alpha: float
    work: int


def check_classifier(name: str, kind: str, network: Network) -> None:
    """Raise ConfigError for a loss without classes, for feedback, and where scikit-learn is not installed."""
    if kind == "ridge":
        return
    if not network.loss_function.logits or network.feeds_back:
        raise ConfigError(
            f"strategy {name}: classifier {kind}: needs a loss of classes and a network without feedback, got "
            f"{network.loss_name}" + " with feedback" * network.feeds_back
        )
    if importlib.util.find_spec("sklearn") is None:
        raise ConfigError(
            f"strategy {name}: classifier {kind} needs scikit-learn: pip install 'evorrn[sklearn]'"
        )


def classify(
    kind: str,
    features: np.ndarray,
    labels: np.ndarray,
    outputs: int,
    alphas: Sequence[float],
    sequences: np.ndarray,
    division: tuple[float, int],
) -> Classified:
    """Return a linear readout of classes, with the penalty under which the fewest held-out rows are wrong.

    Parameters
    ----------
    kind : str
        ``"logistic"`` or ``"svm"``.
    features : ndarray, shape (R, F)
        Rows in time order; each feature is scaled to mean 0 and deviation 1 for the fit.
    labels : ndarray, shape (R,) of classes, or (R, O) of truth values
        Truth values are fitted output by output.
    outputs : int
        O; classes without a row have a small logit.
    alphas : sequence of float
        Penalties per row and squared weight.
    sequences : ndarray of int, shape (R,)
        The sequence of each row.
    division : tuple of float and int
        Share of rows or sequences that is held out, and blocks, as of `evorrn.strategies.reservoir.ridge.ridge`.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    x = (features - mean) / deviation
    grid = sorted({alpha for alpha in alphas if alpha >= LEAST_ALPHA} or {max(alphas)}, reverse=True)
    columns = [labels] if labels.ndim == 1 else list((labels > 0.5).astype(np.int64).T)
    count = outputs if labels.ndim == 1 else 2
    weights, biases, chosen, work = [], [], [], 0
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of a penalty at which the solver has not converged: another one is chosen
        for y in columns:
            alpha, spent = _best(kind, x, y, count, grid, sequences, division)
            w, b, steps = _fit(kind, x, y, count, alpha)
            work += spent + steps
            chosen.append(alpha)
            weights.append(w if labels.ndim == 1 else w[1:] - w[:1])
            biases.append(b if labels.ndim == 1 else b[1:] - b[:1])
    together = np.concatenate(weights) / deviation
    return Classified(together, np.concatenate(biases) - together @ mean, max(chosen), work)


def _best(
    kind: str,
    x: np.ndarray,
    y: np.ndarray,
    count: int,
    grid: Sequence[float],
    sequences: np.ndarray,
    division: tuple[float, int],
) -> tuple[float, int]:
    """Return the penalty with the fewest wrong held-out rows, the larger one of equals, and the work."""
    if len(grid) == 1 or len(y) < 4:
        return grid[0], 0
    if len(np.unique(sequences)) > 1:
        classes = np.zeros(int(sequences.max()) + 1, np.int64)
        classes[sequences] = y  # the class of its last row
        pieces = by_sequence(sequences, classes, *division)
    else:
        pieces = by_time(len(y), *division)
    order = np.arange(len(y)) if pieces.order is None else pieces.order
    wrong, work = np.zeros(len(grid)), 0
    for fitted, held in pieces.trials:
        rows = np.concatenate([order[pieces.rows(piece)] for piece in fitted])
        unseen = order[pieces.rows(held)]
        for place, alpha in enumerate(grid):
            w, b, spent = _fit(kind, x[rows], y[rows], count, alpha)
            wrong[place] += ((x[unseen] @ w.T + b).argmax(axis=1) != y[unseen]).sum()
            work += spent
    return grid[int(np.argmin(wrong))], work


def _fit(
    kind: str, x: np.ndarray, y: np.ndarray, count: int, alpha: float
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return weights (count, F), biases (count,) and the work of one penalty."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    weights, bias = np.zeros((count, x.shape[1])), np.full(count, ABSENT)
    present = np.unique(y)
    if len(present) == 1:
        bias[present] = 0.0
        return weights, bias, 0
    strength = 1 / (alpha * len(x))
    model = (
        LogisticRegression(C=strength, max_iter=ITERATIONS)
        if kind == "logistic"
        else LinearSVC(C=strength, dual="auto", random_state=0, max_iter=ITERATIONS)
    )
    model.fit(x, y)
    if len(present) == 2:
        weights[present[1]], bias[present] = model.coef_[0], [0.0, model.intercept_[0]]
    else:
        weights[present], bias[present] = model.coef_, model.intercept_
    return weights, bias, int(np.max(model.n_iter_)) * 2 * x.size * len(present)
