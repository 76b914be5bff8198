"""Logistic autoregression: the probability of each bit of the next vector from the last vectors."""

from __future__ import annotations

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.data.metrics import binary_cross_entropy
from evorrn.data.task import Splits
from evorrn_tasks.common import linear

ORDERS = (1, 2, 4, 8)
"""Numbers of vectors that are seen: the present one and those before it."""
PENALTY = 1e-4
"""Half of the squared weights, a bias left out, counts so much for each training step."""
MOST_ROWS = 20_000


def autoregression(splits: Splits) -> tuple[str, np.ndarray]:
    """Return a name and the logits of the test split (B, T, O), of the order with the lowest loss on validation.

    The chosen model is then fitted to training and validation together, because a network that is chosen on validation has seen
    both.
    """
    train, valid, test = splits
    assert train is not None and valid is not None and test is not None
    losses: dict[int, float] = {}
    with one_thread():
        for order in [order for order in ORDERS if order < train.steps or order == 1]:
            logits = _apply(fit(*linear.rows([train], order, MOST_ROWS, first=0)), valid.inputs, order)
            losses[order] = binary_cross_entropy(logits[valid.scored], valid.targets[valid.scored])
        best = min(losses, key=lambda order: losses[order])
        weights = fit(*linear.rows([train, valid], best, MOST_ROWS, first=0))
        name = f"logistic autoregression, {best} step{'' if best == 1 else 's'} seen"
        return name, _apply(weights, test.inputs, best)


def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the weights (p + 1, O), the biases last, of logistic regressions with a ridge penalty.

    Parameters
    ----------
    x : ndarray, shape (N, p)
    y : ndarray, shape (N, O)
        Bits, or numbers from 0 to 1.

    Source: Cox 1958; minimised by at most 60 steps of SciPy's L-BFGS.
    """
    from scipy.optimize import minimize

    features = np.hstack([x, np.ones((len(x), 1))])
    shape = features.shape[1], y.shape[1]
    shrunk = np.ones((shape[0], 1))
    shrunk[-1] = 0.0

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        logits = features @ weights
        value = (np.logaddexp(0, logits) - y * logits).sum() / len(x)
        error = 1 / (1 + np.exp(-np.clip(logits, -500, 500))) - y
        gradient = features.T @ error / len(x) + PENALTY * shrunk * weights
        return float(value + PENALTY / 2 * (shrunk * weights**2).sum()), gradient.ravel()

    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 60})
    return np.asarray(found.x).reshape(shape)


def _apply(weights: np.ndarray, inputs: np.ndarray, order: int) -> np.ndarray:
    """Return logits (B, T, O) for inputs (B, T, I)."""
    return np.asarray(linear.register(inputs, order) @ weights[:-1] + weights[-1])
