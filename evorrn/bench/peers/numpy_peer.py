"""The usual example with DEAP: a NumPy forward pass over the time steps, one individual after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from evorrn.bench.peers.weights import Weights
from evorrn.bench.session import Contender
from evorrn.data.batch import Batch

GEMM_SIZE = 2000


def fitness(cell: str, weights: Weights, batch: Batch) -> Contender:
    """Return the contender that scores P individuals, their weights stacked."""
    x, y = batch.inputs.astype(np.float32), batch.targets.astype(np.float32)
    individuals = [
        {name: np.ascontiguousarray(values[place]) for name, values in weights.items()}
        for place in range(len(weights["bias"]))
    ]

    def call() -> list[float]:
        return [mean_squared_error(cell, individual, x, y) for individual in individuals]

    return Contender("NumPy, one by one", call, lambda: [np.array(call())])


def matrix_product(work: float) -> Contender:
    """Return NumPy's float32 product of two matrices of 2000 x 2000, the machine's arithmetic limit.

    Parameters
    ----------
    work : float
        Multiply-adds of our row, for the ratio of rates.
    """
    left, right = np.random.default_rng(0).standard_normal((2, GEMM_SIZE, GEMM_SIZE), np.float32)
    out = np.empty_like(left)
    return Contender(
        "NumPy float32 GEMM",
        lambda: np.matmul(left, right, out=out),
        work=GEMM_SIZE**3 / work,
        unit="of its rate",
    )


def mean_squared_error(cell: str, weights: Weights, x: np.ndarray, y: np.ndarray) -> float:
    """Return the loss of one individual on inputs (B, T, I) and targets (B, T, O)."""
    step = CELLS[cell]
    hidden = weights["recurrent"].shape[1]
    state = (np.zeros((len(x), hidden), x.dtype),) * (2 if cell == "lstm" else 1)
    total = 0.0
    for time_step in range(x.shape[1]):
        state = step(weights, x[:, time_step], *state)
        error = state[0] @ weights["readout"].T + weights["readout_bias"] - y[:, time_step]
        total += float(np.square(error).sum())
    return total / y.size


def _elman(w: Weights, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    return (np.tanh(x @ w["input"].T + h @ w["recurrent"].T + w["bias"]),)


def _lstm(w: Weights, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    i, f, g, o = np.split(x @ w["input"].T + h @ w["recurrent"].T + w["bias"], 4, axis=1)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


def _gru(w: Weights, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    r, z, n = np.split(x @ w["input"].T + w["bias"], 3, axis=1)
    r_h, z_h, n_h = np.split(h @ w["recurrent"].T + w["recurrent_bias"], 3, axis=1)
    z = _sigmoid(z + z_h)
    return ((1 - z) * np.tanh(n + _sigmoid(r + r_h) * n_h) + z * h,)


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


CELLS: dict[str, Callable[..., tuple[np.ndarray, ...]]] = {"elman": _elman, "lstm": _lstm, "gru": _gru}


def lyapunov_exponents(
    blocks: Weights, x: np.ndarray, count: int, every: int = 1, sparse: bool = False
) -> Contender:
    """Return the contender that computes exponents of an Elman network along x (T, I), with a QR decomposition every few steps."""
    inner, given, bias = blocks["layer0.W_h"], blocks["layer0.W_x"], blocks["layer0.b"]
    matrix: Any = inner
    if sparse:
        from scipy.sparse import csr_matrix

        matrix = csr_matrix(inner)

    def call() -> np.ndarray:
        state, q, total = np.zeros(len(inner)), np.eye(len(inner))[:, :count], np.zeros(count)
        for time, u in enumerate(x, 1):
            state = np.tanh(matrix @ state + given @ u + bias)
            q = (1 - state**2)[:, None] * (matrix @ q)
            if time % every == 0 or time == len(x):
                q, r = np.linalg.qr(q)
                with np.errstate(divide="ignore"):
                    total += np.log(np.abs(np.diag(r)))
                q = np.ascontiguousarray(q)
        return total / len(x)

    kind = "SciPy's sparse product" if sparse else "NumPy"
    return Contender(f"{kind}, QR {'at every step' if every == 1 else f'every {every} steps'}", call)


def associative_recall(weights: np.ndarray, cues: np.ndarray) -> Contender:
    """Return the contender that updates all cues (B, N) unit by unit until nothing changes."""

    def call() -> np.ndarray:
        states = cues.copy()
        while True:
            before = states.copy()
            for unit, row in enumerate(weights):
                fields = states @ row
                states[:, unit] = np.where(fields == 0, states[:, unit], np.sign(fields))
            if np.array_equal(states, before):
                return states

    return Contender("NumPy, unit by unit", call, lambda: [call()])
