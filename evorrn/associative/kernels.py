"""Compiled loops of associative memories."""

from __future__ import annotations

import numpy as np

from evorrn.kernels.cached import cached


@cached
def settle_one_by_one(
    first: int,
    last: int,
    states: np.ndarray,
    fields: np.ndarray,
    weights: np.ndarray,
    orders: np.ndarray,
    sweeps: np.ndarray,
) -> None:
    """Update the units of states `first` to `last` one after the other, until a whole sweep changes nothing.

    Parameters
    ----------
    states, fields : ndarray, shape (B, N)
        Changed in place; a field is the weighted sum of a unit's inputs less its threshold.
    weights : ndarray, shape (N, N)
        Symmetric.
    orders : ndarray, shape (S, N)
        The order of the units in each sweep.
    sweeps : ndarray, shape (B,)
        Set to the number of sweeps until nothing changed, -1 where something still changed in the last one.
    """
    for b in range(first, last):
        sweeps[b] = -1
        for sweep in range(orders.shape[0]):
            changed = False
            for place in range(orders.shape[1]):
                unit = orders[sweep, place]
                field = fields[b, unit]
                if field * states[b, unit] < 0.0:  # a field of zero keeps the unit
                    states[b, unit] = -states[b, unit]
                    twice = 2.0 * states[b, unit]
                    for other in range(weights.shape[0]):
                        fields[b, other] += twice * weights[unit, other]
                    changed = True
            if not changed:
                sweeps[b] = sweep
                break


@cached
def euler_maruyama(
    x: np.ndarray,
    y: np.ndarray,
    drift: tuple[np.ndarray, ...],
    noise: tuple[np.ndarray, np.ndarray],
    modes: np.ndarray,
    lags: np.ndarray,
    step: float,
) -> None:
    """Integrate a stochastic bidirectional memory over all steps, see `StochasticBAM`.

    Parameters
    ----------
    x, y : ndarray, shapes (T + 1, n) and (T + 1, m)
        The first rows are the start; the others are written.
    drift : tuple of ndarray
        ``A (K, n)``, ``B (K, m)``, ``W, Wd (K, n, m)``, ``V, Vd (K, m, n)``, ``I (n,)``, ``J (m,)``.
    noise : tuple of ndarray
        Increments added to x (T, n) and to y (T, m), already scaled.
    modes : ndarray, shape (T,), int
    lags : ndarray, shape (K,), int
        Delay of each mode in steps; before the start the states are those of the start.
    step : float
        Time of a step.
    """
    a, b, w, w_late, v, v_late, i, j = drift
    f_x, f_y = np.empty_like(x), np.empty_like(y)
    for t in range(modes.shape[0]):
        k = modes[t]
        late = max(t - lags[k], 0)
        f_x[t], f_y[t] = np.tanh(x[t]), np.tanh(y[t])
        dx = i - a[k] * x[t] + w[k] @ f_y[t] + w_late[k] @ f_y[late]
        dy = j - b[k] * y[t] + v[k] @ f_x[t] + v_late[k] @ f_x[late]
        x[t + 1] = x[t] + step * dx + noise[0][t]
        y[t + 1] = y[t] + step * dy + noise[1][t]
