"""The extended Kalman filter of an Elman network on one series, as NumPy's users write it."""

from __future__ import annotations

import numpy as np

from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch


def epoch(weights: Weights, batch: Batch, variance: float, noise: np.ndarray, drift: np.ndarray) -> Contender:
    """Return the contender that goes through a series once, with an update at every step.

    Parameters
    ----------
    weights : dict of str to ndarray
    batch : Batch
    variance : float
        Of each weight at the start.
    noise, drift : ndarray, shape (T,)
        The variance of the noise of an observation and that of the drift of a weight at each update.
    """
    matrix = np.hstack([weights["input"], weights["recurrent"], weights["bias"][:, None]]).astype(float)
    hidden, width = matrix.shape
    inputs = width - hidden - 1
    readout = np.append(weights["readout"][0], weights["readout_bias"]).astype(float)
    start, x, y = np.append(matrix.ravel(), readout), batch.inputs[0], batch.targets[0]

    def call() -> np.ndarray:
        w, h = start.copy(), np.zeros(hidden)
        influence = np.zeros((hidden, matrix.size))
        covariance = variance * np.eye(w.size)
        own, diagonal = np.arange(hidden), np.diag_indices(w.size)
        for t in range(len(x)):
            cell, out = w[: matrix.size].reshape(hidden, width), w[matrix.size :]
            z = np.concatenate([x[t], h, [1.0]])
            h = np.tanh(cell @ z)
            slope = 1 - h * h
            influence = (slope[:, None] * cell[:, inputs:-1]) @ influence
            influence.reshape(hidden, hidden, width)[own, own] += slope[:, None] * z
            jacobian = np.concatenate([out[:-1] @ influence, h, [1.0]])
            error = y[t, 0] - (out[:-1] @ h + out[-1])
            seen = covariance @ jacobian
            gain = seen / (noise[t] + jacobian @ seen)
            w = w + gain * error
            covariance -= np.outer(gain, seen)
            covariance[diagonal] += drift[t]
        return w

    def check() -> tuple[np.ndarray, ...]:
        w = call()
        cell = w[: matrix.size].reshape(hidden, width)
        parts = cell[:, :inputs], cell[:, inputs:-1], cell[:, -1], w[matrix.size : -1], w[-1:]
        return tuple(part.ravel() for part in parts)

    return Contender("NumPy", call, check)
