"""BAM: a bidirectional memory of pairs of patterns, in which either layer recalls the other."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from evorrn.associative.patterns import bipolar
from evorrn.base.blas import one_thread
from evorrn.base.errors import EvorrnError, ShapeError

CAPACITY = 0.15
"""Pairs for each unit of the smaller layer up to which random ones are recalled with a mean overlap of about 0.99."""


@dataclass(frozen=True)
class PairRecall:
    """What both layers have settled to: states x (B, n) and y (B, m), and whether they are a fixed point (B,)."""

    x: np.ndarray
    y: np.ndarray
    converged: np.ndarray


class BAM:
    """A bidirectional associative memory: layers x of n and y of m units, ``y = sign(x W)`` and ``x = sign(y W^T)``.

    A unit whose sum is zero keeps its value. The layers are updated in turn, each as a whole, which never raises the
    energy ``-x W y`` for any weights, so that recall always ends in a fixed point.

    Source: Kosko 1988.

    Parameters
    ----------
    x_units, y_units : int
        n and m.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.associative import BAM
    >>> rng = np.random.default_rng(0)
    >>> x, y = np.sign(rng.normal(size=(3, 40))), np.sign(rng.normal(size=(3, 30)))
    >>> memory = BAM(40, 30).store(x, y)
    >>> bool((memory.recall(x=x).y == y).all()), bool((memory.recall(y=y).x == x).all())
    (True, True)
    """

    def __init__(self, x_units: int, y_units: int) -> None:
        for name, value in (("x_units", x_units), ("y_units", y_units)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise EvorrnError(f"{name}: expected a whole number of at least 1, got {value!r}")
        self.x_units, self.y_units = x_units, y_units
        self.weights = np.zeros((x_units, y_units))

    def __repr__(self) -> str:
        return f"BAM({self.x_units} x {self.y_units} units)"

    def store(self, x: Any, y: Any) -> Self:
        """Set the weights to the sum of ``x^T y`` over pairs x (M, n), y (M, m) of -1 and 1, and return the memory.

        Warns
        -----
        UserWarning
            When there are more pairs than such a memory can hold.
        """
        first, second = bipolar("x", x, self.x_units), bipolar("y", y, self.y_units)
        if len(first) != len(second):
            raise ShapeError(f"y: expected one pattern for each of {len(first)} of x, got {len(second)}")
        if not len(first):
            raise ShapeError("x: expected at least one pattern, got none")
        smaller = min(self.x_units, self.y_units)
        if len(first) > max(CAPACITY * smaller, 1):
            warnings.warn(
                f"{len(first)} pairs in layers of {self.x_units} and {self.y_units} units: the rule holds about "
                f"{CAPACITY * smaller:.0f} random ones",
                stacklevel=2,
            )
        with one_thread():
            self.weights = first.T @ second
        return self

    def recall(self, x: Any = None, y: Any = None, sweeps: int = 200) -> PairRecall:
        """Return what both layers settle to from a start of one layer or of both.

        Parameters
        ----------
        x : array_like, shape (B, n), optional
        y : array_like, shape (B, m), optional
            Without a start of y it is first computed from x, with ties as 1, and the other way round.
        sweeps : int
            Largest number of updates of both layers.
        """
        if x is None and y is None:
            raise EvorrnError("recall: expected a start of x, of y, or of both")
        with one_thread():
            if x is None:
                second = bipolar("y", y, self.y_units)
                first = _signs(second @ self.weights.T, np.ones((len(second), self.x_units)))
            else:
                first = bipolar("x", x, self.x_units)
                second = (
                    _signs(first @ self.weights, np.ones((len(first), self.y_units)))
                    if y is None
                    else bipolar("y", y, self.y_units)
                )
            if len(first) != len(second):
                raise ShapeError(f"y: expected one state for each of {len(first)} of x, got {len(second)}")
            converged = np.zeros(len(first), bool)
            for _ in range(sweeps):
                new_second = _signs(first @ self.weights, second)
                new_first = _signs(new_second @ self.weights.T, first)
                converged = (new_first == first).all(axis=1) & (new_second == second).all(axis=1)
                first, second = new_first, new_second
                if converged.all():
                    break
        return PairRecall(first, second, converged)

    def energy(self, x: Any, y: Any) -> np.ndarray:
        """Return ``-x W y`` of states x (B, n) and y (B, m), shape (B,)."""
        first, second = bipolar("x", x, self.x_units), bipolar("y", y, self.y_units)
        with one_thread():
            return np.asarray(-((first @ self.weights) * second).sum(axis=1))


def _signs(sums: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the signs of sums, and the values before where a sum is zero."""
    return np.where(sums == 0, before, np.sign(sums))
