"""Compiled loops of associative memories."""

from __future__ import annotations

import numpy as np

from evorrn.kernels.deferred import cached, reordered

TOGETHER = 32
"""States that are updated together, so that a row of weights is read once for all whose unit turns."""


@cached
def settle_one_by_one(
    first: int,
    last: int,
    states: np.ndarray,
    fields: np.ndarray,
    weights: np.ndarray,
    ties: np.ndarray,
    orders: np.ndarray,
    sweeps: np.ndarray,
) -> None:
    """Update the units of states `first` to `last` one after the other, until a whole sweep changes nothing.

    Parameters
    ----------
    states, fields : ndarray, shapes (B, N) and (B, L)
        Changed in place; a field is the weighted sum of a unit's inputs less its threshold.
    weights : ndarray, shape (N, L)
        Symmetric, with zeros in the lanes from N to L.
    ties : ndarray, shape (N,)
        A field of at most this size is zero but for rounding.
    orders : ndarray, shape (S, N)
        The order of the units in each sweep.
    sweeps : ndarray, shape (B,)
        Set to the number of sweeps until nothing changed, -1 where something still changed in the last one.
    """
    moving = np.zeros(TOGETHER, np.bool_)
    for begin in range(first, last, TOGETHER):
        end = min(begin + TOGETHER, last)
        sweeps[begin:end] = -1
        for sweep in range(orders.shape[0]):
            if not still_moving(sweep, states[begin:end], fields[begin:end], ties, sweeps[begin:end], moving):
                break
            for place in range(orders.shape[1]):
                unit = orders[sweep, place]
                for b in range(begin, end):  # a row of weights is read once for all of them
                    if moving[b - begin] and fields[b, unit] * states[b, unit] < -ties[unit]:
                        states[b, unit] = -states[b, unit]
                        twice, row, field = 2.0 * states[b, unit], weights[unit], fields[b]
                        for other in range(row.shape[0]):
                            field[other] += twice * row[other]


@cached
def still_moving(
    sweep: int,
    states: np.ndarray,
    fields: np.ndarray,
    ties: np.ndarray,
    sweeps: np.ndarray,
    moving: np.ndarray,
) -> bool:
    """Mark which states have a unit that differs from the sign of its field; return whether any has.

    A state that no longer moves has its number of sweeps set, and is not looked at again.
    """
    left = False
    for b in range(states.shape[0]):
        moving[b] = sweeps[b] < 0 and _unstable(states[b], fields[b], ties)
        left = left or moving[b]
        if sweeps[b] < 0 and not moving[b]:
            sweeps[b] = sweep
    return left


@cached
def _unstable(state: np.ndarray, field: np.ndarray, ties: np.ndarray) -> bool:
    """Return whether a unit of a state (N,) differs from the sign of its field (L,); a field within `ties` (N,) keeps it."""
    count = 0
    for unit in range(state.shape[0]):
        count += state[unit] * field[unit] < -ties[unit]
    return count > 0


@reordered
def sum_of_sizes(first: int, last: int, weights: np.ndarray, sums: np.ndarray) -> None:
    """Write the sum of the absolute weights of each of the rows `first` to `last` of weights (N, L) into sums (N,)."""
    for unit in range(first, last):
        total = 0.0
        for other in range(weights.shape[1]):
            total += abs(weights[unit, other])
        sums[unit] = total


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
