"""BAM: a bidirectional memory of pairs of patterns, in which either layer recalls the other."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from evorrn.associative.patterns import bipolar, finite, pair, some, tie_sizes, vector
from evorrn.base.blas import one_thread
from evorrn.base.errors import EvorrnError, ShapeError
from evorrn.base.memory import whole_number

CAPACITY = 0.15
"""Pairs for each unit of the smaller layer up to which random ones are recalled with a mean overlap of about 0.99."""


@dataclass(frozen=True)
class PairRecall:
    """What both layers have settled to: states x (B, n) and y (B, m), and whether they are a fixed point (B,)."""

    x: np.ndarray
    y: np.ndarray
    converged: np.ndarray


class PairTrace(NamedTuple):
    """One recall: states x (S, n) and y (S, m) at the start and after each change of a layer, and their energies (S,)."""

    x: np.ndarray
    y: np.ndarray
    energies: np.ndarray


class BAM:
    """A bidirectional associative memory: layers x of n and y of m units, ``y = sign(x W - t)`` and ``x = sign(y W^T - s)``.

    A unit whose sum equals its threshold within rounding keeps its value. The layers are updated in turn, each as a whole, which never raises
    the energy ``-x W y + s x + t y`` for any weights and thresholds, so that recall always ends in a fixed point.

    Source: Kosko 1988.

    Parameters
    ----------
    x_units, y_units : int
        n and m.
    x_thresholds, y_thresholds : array_like, shapes (n,) and (m,), optional
        s and t, zero by default.

    Attributes
    ----------
    weights : ndarray, shape (n, m)
        Any finite numbers.
    x_thresholds, y_thresholds : ndarray, shapes (n,) and (m,)
        Any finite numbers; `pack` leaves them out.
    size : int
        Number of genes of the weights, n m, see `pack`.

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

    def __init__(
        self, x_units: int, y_units: int, x_thresholds: Any = None, y_thresholds: Any = None
    ) -> None:
        self.x_units = x_units = whole_number("x_units", x_units)
        self.y_units = y_units = whole_number("y_units", y_units, x_units)
        self.size = x_units * y_units
        self._weights = np.zeros((x_units, y_units))
        self.x_thresholds = np.zeros(x_units) if x_thresholds is None else x_thresholds
        self.y_thresholds = np.zeros(y_units) if y_thresholds is None else y_thresholds

    @property
    def weights(self) -> np.ndarray:
        """The weights (n, m); assigning checks their shape and that they are finite."""
        return self._weights

    @weights.setter
    def weights(self, value: Any) -> None:
        array = finite("weights", value, self.y_units)
        if len(array) != self.x_units:
            raise ShapeError(
                f"weights: expected shape ({self.x_units}, {self.y_units}), got {np.shape(value)}"
            )
        self._weights = array

    @property
    def x_thresholds(self) -> np.ndarray:
        """The thresholds of x (n,); assigning checks their shape and that they are finite."""
        return self._x_thresholds

    @x_thresholds.setter
    def x_thresholds(self, value: Any) -> None:
        self._x_thresholds = vector("x_thresholds", value, self.x_units)

    @property
    def y_thresholds(self) -> np.ndarray:
        """The thresholds of y (m,); assigning checks their shape and that they are finite."""
        return self._y_thresholds

    @y_thresholds.setter
    def y_thresholds(self, value: Any) -> None:
        self._y_thresholds = vector("y_thresholds", value, self.y_units)

    def __repr__(self) -> str:
        return f"BAM({self.x_units} x {self.y_units} units)"

    def store(self, x: Any, y: Any) -> Self:
        """Set the weights to the sum of ``x^T y`` over pairs x (M, n), y (M, m) of -1 and 1, and return the memory.

        Warns
        -----
        UserWarning
            When there are more pairs than such a memory can hold.
        """
        first, second = self._pairs(x, y)
        most = max(CAPACITY * min(self.x_units, self.y_units), 1)
        if len(first) > most:
            warnings.warn(
                f"{len(first)} pairs in layers of {self.x_units} and {self.y_units} units: the rule holds about "
                f"{most:.0f} random ones",
                stacklevel=2,
            )
        with one_thread():
            self._weights = first.T @ second
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
        sweeps = whole_number("sweeps", sweeps)
        first, second = self._start(x, y)
        with one_thread():
            for sweep in range(sweeps + 1):  # the last one only tells whether the states are a fixed point
                new_second = self._y_from(first, second)
                new_first = self._x_from(new_second, first)
                converged = (new_first == first).all(axis=1) & (new_second == second).all(axis=1)
                if sweep == sweeps or converged.all():
                    break
                first, second = new_first, new_second
        return PairRecall(first, second, converged)

    def trace(self, x: Any = None, y: Any = None, sweeps: int = 200) -> PairTrace:
        """Return every state of one recall with its energy; the arguments are those of `recall`.

        Parameters
        ----------
        x : array_like, shape (n,), optional
        y : array_like, shape (m,), optional
        """
        sweeps = whole_number("sweeps", sweeps)
        first, second = (layer[:1] for layer in self._cues(x, y))
        states = [(first, second)]
        for _ in range(sweeps):
            with one_thread():
                new_second = self._y_from(first, second)
                new_first = self._x_from(new_second, first)
            seen = len(states)
            states += [(first, new_second)] if (new_second != second).any() else []
            states += [(new_first, new_second)] if (new_first != first).any() else []
            if len(states) == seen:
                break
            first, second = new_first, new_second
        xs, ys = (np.concatenate(layers) for layers in zip(*states))
        return PairTrace(xs, ys, self.energy(xs, ys))

    def plot(
        self,
        x: Any = None,
        y: Any = None,
        pairs: tuple[Any, Any] | None = None,
        shapes: tuple[tuple[int, int] | None, tuple[int, int] | None] = (None, None),
        *,
        path: str | None = None,
    ) -> Any:
        """Draw cues, the pairs that are recalled from them, and the energy along each recall; return the figure.

        Parameters
        ----------
        x : array_like, shape (B, n), optional
        y : array_like, shape (B, m), optional
            The layers that drive the recall, as for `recall`. At most the first eight cues are drawn.
        pairs : tuple of array_like, shapes (B, n) and (B, m), optional
            The patterns x and y that belong to each cue, drawn above it.
        shapes : tuple of tuple of int, optional
            Rows and columns of the pictures of x and of y; as near to a square as their units allow by default.
        path : str, optional
            A file to write, ``.png`` or ``.svg``.
        """
        drawing = importlib.import_module("evorrn.lab.report.pairs")  # the only folder that draws lies below
        first, second = self._cues(x, y)
        true = None if pairs is None else self._pairs(*pair("pairs", pairs))
        if true is not None and len(true[0]) != len(first):
            raise ShapeError(f"pairs: expected one for each of {len(first)} cues, got {len(true[0])}")
        given = (None if x is None else first, None if y is None else second)
        traces = [self.trace(x=a, y=b) for a, b in list(zip(first, second))[: drawing.MOST]]
        return drawing.draw_pairs(traces, given, true, shapes, path)

    def energy(self, x: Any, y: Any) -> np.ndarray:
        """Return ``-x W y + s x + t y`` of states x (B, n) and y (B, m), shape (B,)."""
        first, second = bipolar("x", x, self.x_units), bipolar("y", y, self.y_units)
        with one_thread():
            thresholds = first @ self._x_thresholds + second @ self._y_thresholds
            return np.asarray(thresholds - ((first @ self._weights) * second).sum(axis=1))

    def pack(self) -> np.ndarray:
        """Return the weights as a genome (n m,)."""
        return self._weights.ravel().copy()

    def unpack(self, genome: Any) -> Self:
        """Set the weights from a genome, and return the memory.

        Raises
        ------
        ShapeError
            When the genome has another length or numbers that are not finite.
        """
        self._weights = finite("genome", genome, self.size)[0].reshape(self.x_units, self.y_units)
        return self

    def fitness(self, genomes: Any, x: Any, y: Any, x_cues: Any = None, y_cues: Any = None) -> np.ndarray:
        """Return for each genome the mean overlap of the pairs that are recalled from cues with x and y, shape (P,).

        With it any evolution strategy searches for weights: ``SNES().search(memory.pack())``.

        Parameters
        ----------
        genomes : array_like, shape (P, n m)
        x, y : array_like, shapes (M, n) and (M, m)
            The pairs.
        x_cues, y_cues : array_like, shapes (M, n) and (M, m), optional
            Cues number k stand for pair number k, and those of each layer drive a recall of their own.
        """
        first, second = self._pairs(x, y)
        driven = {name: cues for name, cues in (("x", x_cues), ("y", y_cues)) if cues is not None}
        if not driven:
            raise EvorrnError("fitness: expected cues of x, of y, or of both")
        other = BAM(self.x_units, self.y_units, self.x_thresholds, self.y_thresholds)
        found = []
        for genome in np.atleast_2d(genomes):
            other.unpack(genome)
            recalled = [other.recall(**{name: cues}) for name, cues in driven.items()]
            if len(recalled[0].x) != len(first) or len(recalled[-1].x) != len(first):
                raise ShapeError(f"cues: expected one for each of {len(first)} pairs")
            hits = [(each.x * first).sum() + (each.y * second).sum() for each in recalled]
            found.append(sum(hits) / (len(hits) * (first.size + second.size)))
        return np.array(found)

    def _y_from(self, x: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Return the states of y (B, m) that follow from those of x (B, n) and from those of y before."""
        return _signs(x @ self._weights - self._y_thresholds, before, self._ties(0, self._y_thresholds))

    def _x_from(self, y: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Return the states of x (B, n) that follow from those of y (B, m) and from those of x before."""
        return _signs(y @ self._weights.T - self._x_thresholds, before, self._ties(1, self._x_thresholds))

    def _ties(self, axis: int, thresholds: np.ndarray) -> np.ndarray:
        """Return for each unit the size up to which its sum over an axis of the weights may be zero but for rounding."""
        return tie_sizes(np.abs(self._weights).sum(axis=axis), thresholds, self._weights.shape[axis])

    def _start(self, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the states of both layers from those of one or of both, see `recall`."""
        if x is None and y is None:
            raise EvorrnError("recall: expected a start of x, of y, or of both")
        with one_thread():
            if x is None:
                second = bipolar("y", y, self.y_units)
                first = self._x_from(second, np.ones((len(second), self.x_units)))
            elif y is None:
                first = bipolar("x", x, self.x_units)
                second = self._y_from(first, np.ones((len(first), self.y_units)))
            else:
                first, second = bipolar("x", x, self.x_units), bipolar("y", y, self.y_units)
        if len(first) != len(second):
            raise ShapeError(f"y: expected one state for each of {len(first)} of x, got {len(second)}")
        return first, second

    def _cues(self, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return what `_start` does, of at least one cue."""
        first, second = self._start(x, y)
        if not len(first):
            raise ShapeError("cues: expected at least one pattern, got none")
        return first, second

    def _pairs(self, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the patterns of pairs as float64 (M, n) and (M, m), at least one."""
        first, second = some("x", x, self.x_units), some("y", y, self.y_units)
        if len(first) != len(second):
            raise ShapeError(f"y: expected one pattern for each of {len(first)} of x, got {len(second)}")
        return first, second


def _signs(sums: np.ndarray, before: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Return the signs of sums (B, n), and the values before where a sum is at most as large as the unit's tie (n,)."""
    return np.where(np.abs(sums) <= ties, before, np.sign(sums))
