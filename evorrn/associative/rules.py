"""Rules that store patterns of -1 and 1 in symmetric weights without self-connections."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evorrn.base.blas import one_thread

MARGIN, RATE, SWEEPS = 1.0, 0.1, 500
"""Margin, learning rate and largest number of passes of the rule ``"gradient"``."""


def hebb(patterns: np.ndarray) -> np.ndarray:
    """Return the weights ``sum of pattern pattern^T / N`` with a zero diagonal. Source: Hopfield 1982, eq. 2."""
    return _without_diagonal(patterns.T @ patterns / patterns.shape[1])


def storkey(patterns: np.ndarray) -> np.ndarray:
    """Return the weights of Storkey's rule, which adds one pattern after the other and has a higher capacity.

    Source: Storkey 1997, "Increasing the capacity of a Hopfield network without sacrificing functionality":
    ``W_ij += (p_i p_j - p_i h_ji - h_ij p_j) / N``, where ``h_ij`` is the field of unit i without units i and j.
    """
    units = patterns.shape[1]
    weights = np.zeros((units, units))
    for pattern in patterns:
        field = weights @ pattern
        # h_ij: the whole field of i less the terms of i itself (zero on the diagonal) and of j.
        local = field[:, None] - np.diag(weights)[:, None] * pattern[:, None] - weights * pattern[None, :]
        weights += (
            np.outer(pattern, pattern) - pattern[:, None] * local.T - local * pattern[None, :]
        ) / units
        np.fill_diagonal(weights, 0.0)
    return weights


def pseudo_inverse(patterns: np.ndarray) -> np.ndarray:
    """Return the projection onto the patterns, with a zero diagonal: linearly independent patterns are fixed points.

    Weights within rounding of zero are zero: a unit that the projection links to no other one keeps its value.

    Source: Personnaz, Guyon and Dreyfus 1985; Kanter and Sompolinsky 1987.
    """
    weights = np.linalg.pinv(patterns) @ patterns
    values = np.linalg.svd(patterns, compute_uv=False)
    # Of a singular value that counts, relative to the largest:
    least = np.finfo(np.float64).eps * max(patterns.shape)
    condition = values[0] / values[values > least * values[0]][-1]
    weights[np.abs(weights) < least * condition] = 0.0
    return _without_diagonal(weights)


def gradient(patterns: np.ndarray) -> np.ndarray:
    """Return symmetric weights found by gradient descent on how far each pattern is from being stable.

    The loss is the mean over units and patterns of ``max(0, margin - p_i h_i)``; its gradient is made symmetric, and
    descent starts from Hebb's weights and ends when every margin is kept.

    Source: Gardner 1988 for the condition of a margin; a perceptron's rule under the constraint of symmetry.
    """
    weights = hebb(patterns)
    for _ in range(SWEEPS):
        short = MARGIN - patterns * (patterns @ weights) > 0
        if not short.any():
            break
        step = (short * patterns).T @ patterns / len(patterns)
        weights = weights + RATE * _without_diagonal(step + step.T) / 2
    return weights


RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hebb": hebb,
    "storkey": storkey,
    "pseudo-inverse": pseudo_inverse,
    "gradient": gradient,
}
CAPACITY = {"hebb": 0.138, "storkey": 0.25, "pseudo-inverse": 0.5}
"""Patterns for each unit up to which random patterns are recalled with few errors.

Source: Amit, Gutfreund and Sompolinsky 1985 for Hebb's rule; the others are loads at which 400 units recall every
pattern from cues with 20 wrong units.
"""


def too_many(rule: str, count: int, units: int) -> str:
    """Return a sentence where there are more patterns than a rule holds, empty where it holds them.

    Examples
    --------
    >>> from evorrn.associative.rules import too_many
    >>> too_many("hebb", 30, 100)
    '30 patterns in 100 units: hebb holds about 14 random ones'
    """
    most = max(CAPACITY.get(rule, np.inf) * units, 1)
    return (
        f"{count} patterns in {units} units: {rule} holds about {most:.0f} random ones"
        if count > most
        else ""
    )


def stored(patterns: np.ndarray, rule: str) -> np.ndarray:
    """Return the weights (N, N) that a rule makes of patterns (M, N)."""
    with one_thread():
        return RULES[rule](patterns)


def _without_diagonal(weights: np.ndarray) -> np.ndarray:
    np.fill_diagonal(weights, 0.0)
    return weights
