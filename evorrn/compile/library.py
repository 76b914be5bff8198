"""Functions written in the language of cells; a cell may call them like its own.

A reader finds here how larger pieces are made of the operations of the language.
"""

from __future__ import annotations

from evorrn.compile.calls import einsum
from evorrn.compile.tensors import roll
from evorrn.kernels.activations import exp, sqrt


def cosine(memory, key):
    """Return the cosine of the angle between each row of a memory (N, M) and a key (M), shape (N,).

    A millionth is added to each squared norm, so that a row of zeros gives 0 and no NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> evorrn.cosine(np.eye(2), np.array([1.0, 0.0])).round(3).tolist()
    [1.0, 0.0]
    """
    rows = einsum("nm,nm->n", memory, memory) + 1e-6
    length = einsum("m,m->", key, key) + 1e-6
    return einsum("nm,m->n", memory, key) / sqrt(rows * length)


def convolve(weights, shifts):
    """Return weights (N,) moved in a circle by -1, 0 and 1 places with the shares `shifts` (3,), shape (N,).

    Examples
    --------
    >>> import numpy as np
    >>> import evorrn
    >>> evorrn.convolve(np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])).tolist()
    [0.0, 1.0, 0.0]
    """
    return shifts[0] * roll(weights, -1) + shifts[1] * weights + shifts[2] * roll(weights, 1)


def euler(rate, v, tau, dt):
    """Return v after a step of ``tau dv/dt = rate(v) - v`` by Euler's method.

    Examples
    --------
    >>> import evorrn
    >>> evorrn.euler(lambda v: 1.0, 0.0, 2.0, 1.0)
    0.5
    """
    return v + dt / tau * (rate(v) - v)


def exponential_euler(rate, v, tau, dt):
    """Return v after a step of ``tau dv/dt = rate(v) - v``, exact while ``rate(v)`` does not change.

    Examples
    --------
    >>> import evorrn
    >>> round(float(evorrn.exponential_euler(lambda v: 1.0, 0.0, 1.0, 1.0)), 4)
    0.6321
    """
    kept = exp(-dt / tau)
    return kept * v + (1 - kept) * rate(v)


def rk4(rate, v, tau, dt):
    """Return v after a step of ``tau dv/dt = rate(v) - v`` by the method of Runge and Kutta of order 4.

    Examples
    --------
    >>> import evorrn
    >>> round(float(evorrn.rk4(lambda v: 1.0, 0.0, 1.0, 1.0)), 4)
    0.625
    """
    speed = 1 / tau  # once a genome, where the time constant is the same for all sequences
    a = speed * (rate(v) - v)
    b = speed * (rate(v + dt / 2 * a) - (v + dt / 2 * a))
    c = speed * (rate(v + dt / 2 * b) - (v + dt / 2 * b))
    d = speed * (rate(v + dt * c) - (v + dt * c))
    return v + dt / 6 * (a + 2 * b + 2 * c + d)
