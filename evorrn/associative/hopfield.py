"""Hopfield: a memory of -1 and 1 whose patterns are fixed points of its units."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from evorrn.associative.kernels import sum_of_sizes
from evorrn.associative.patterns import bipolar, finite, overlap, some, tie_sizes, vector
from evorrn.associative.rules import RULES, SWEEPS, stored, too_many
from evorrn.base.blas import one_thread
from evorrn.base.errors import ShapeError, UnknownName
from evorrn.base.memory import whole_number
from evorrn.base.settings import check_seed
from evorrn.kernels.memory import room
from evorrn.kernels.threads import CACHE_LINE, share

ORDERS = ("asynchronous", "fixed", "synchronous")
DRAWN_AT_ONCE = 8
"""Sweeps whose orders are drawn together; few cues need more."""


@dataclass(frozen=True)
class Recall:
    """What a memory has settled to.

    Attributes
    ----------
    states : ndarray, shape (B, N)
    converged : ndarray, shape (B,), bool
        Whether the state is a fixed point.
    cycles : ndarray, shape (B,), bool
        Whether a synchronous recall ended in a cycle of two states.
    sweeps : ndarray, shape (B,), int
        Updates of all units until nothing changed; the limit where it was reached.
    """

    states: np.ndarray
    converged: np.ndarray
    cycles: np.ndarray
    sweeps: np.ndarray


class Trace(NamedTuple):
    """One recall: the states (S, N) from the cue on, one for each change, and their energies (S,)."""

    states: np.ndarray
    energies: np.ndarray


class Hopfield:
    """A Hopfield network: N units of -1 and 1 under symmetric weights.

    A unit takes the sign of the weighted sum of the others less its threshold, and keeps its value where that is zero
    within rounding: fractions that cancel, such as those of Hebb's rule, add up to a last digit.
    Updated one by one, the units never raise the energy and so always reach a fixed point. Updated all at once they
    may end in a cycle of two states.

    Source: Hopfield 1982.

    Parameters
    ----------
    units : int
        N.
    thresholds : array_like, shape (N,), optional
        Zero by default.

    Attributes
    ----------
    weights : ndarray, shape (N, N)
        Symmetric, zero on the diagonal.
    size : int
        Number of genes of the weights, N (N - 1) / 2, see `pack`.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.associative import Hopfield
    >>> patterns = np.sign(np.random.default_rng(0).normal(size=(5, 100)))
    >>> memory = Hopfield(units=100).store(patterns, rule="hebb")
    >>> cue = patterns[0].copy()
    >>> cue[:20] *= -1
    >>> found = memory.recall(cue)
    >>> bool(found.converged[0]), float(memory.overlap(found.states, patterns)[0, 0])
    (True, 1.0)
    """

    def __init__(self, units: int, thresholds: Any = None) -> None:
        self.units = units = whole_number("units", units, units)
        self.size = units * (units - 1) // 2
        self.thresholds = np.zeros(units) if thresholds is None else thresholds
        self._rows = _padded(np.zeros((units, units)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.units} units, {self.size:,} weights)"

    @property
    def weights(self) -> np.ndarray:
        """The weights (N, N); assigning checks that they are symmetric with a zero diagonal."""
        return self._rows[:, : self.units]

    @weights.setter
    def weights(self, value: Any) -> None:
        array = finite("weights", value, self.units)
        if array.shape != (self.units, self.units):
            raise ShapeError(f"weights: expected shape ({self.units}, {self.units}), got {np.shape(value)}")
        if not np.array_equal(array, array.T):
            raise ShapeError(
                "weights: expected a symmetric matrix; its largest difference from its transpose is "
                f"{np.abs(array - array.T).max():.3g}"
            )
        if np.diag(array).any():
            raise ShapeError("weights: expected zeros on the diagonal: a unit has no weight to itself")
        self._rows = _padded(array)

    @property
    def thresholds(self) -> np.ndarray:
        """The thresholds (N,); assigning checks their shape and that they are finite."""
        return self._thresholds

    @thresholds.setter
    def thresholds(self, value: Any) -> None:
        self._thresholds = vector("thresholds", value, self.units)

    def store(self, patterns: Any, rule: str = "hebb") -> Self:
        """Set the weights from patterns, and return the memory.

        Parameters
        ----------
        patterns : array_like, shape (M, N)
            Of -1 and 1.
        rule : str
            ``"hebb"``, ``"storkey"``, ``"pseudo-inverse"`` or ``"gradient"``, see `evorrn.associative.rules`.

        Raises
        ------
        UnknownName
            When there is no such rule.
        ShapeError
            When the patterns have another shape or other numbers.

        Warns
        -----
        UserWarning
            When there are more patterns than the rule can hold.
        """
        if rule not in RULES:
            raise UnknownName("rule", rule, RULES)
        given = some("patterns", patterns, self.units)
        excess = too_many(rule, len(given), self.units)
        if excess:
            warnings.warn(excess, stacklevel=2)
        weights = stored(given, rule)
        self._rows = _padded((weights + weights.T) / 2)  # symmetric to the last bit
        lost = int((given * (given @ self.weights) < -self._ties()).any(axis=1).sum())
        if lost and rule == "gradient":
            warnings.warn(
                f"gradient: {lost} of {len(given)} patterns are no fixed points after {SWEEPS} passes, and more are stored "
                f"than {self.units} units hold",
                stacklevel=2,
            )
        return self

    def recall(self, cues: Any, order: str = "asynchronous", seed: int = 0, sweeps: int = 200) -> Recall:
        """Return what the units settle to from given states.

        Parameters
        ----------
        cues : array_like, shape (B, N) or (N,)
            Of -1 and 1.
        order : str
            ``"asynchronous"``: one unit at a time, in an order drawn anew for each sweep; ``"fixed"``: one at a time
            from the first to the last; ``"synchronous"``: all at once, until a fixed point or a cycle of two states.
        seed : int
            Of the orders, which are the same for all cues.
        sweeps : int
            Largest number of updates of all units.

        Raises
        ------
        UnknownName
            When there is no such order.
        ShapeError
            When the cues have another shape or other numbers.
        """
        if order not in ORDERS:
            raise UnknownName("order", order, ORDERS)
        sweeps = whole_number("sweeps", sweeps)
        states = bipolar("cues", cues, self.units)
        if order == "synchronous":
            return self._all_at_once(states, sweeps)
        from evorrn.associative.signed import settle

        rng = np.random.default_rng(check_seed(seed))
        fields = self._fields(states)
        taken, active, ties = np.full(len(states), sweeps), np.arange(len(states)), self._ties()
        for begun in range(0, sweeps, DRAWN_AT_ONCE):
            count = min(DRAWN_AT_ONCE, sweeps - begun)
            orders = np.tile(np.arange(self.units), (count, 1))
            if order == "asynchronous":
                orders = rng.permuted(orders, axis=1)
            whole = len(active) == len(states)
            now, now_fields = (states, fields) if whole else (states[active], fields[active])
            found = np.empty(len(active), dtype=np.int64)
            share(len(active), settle, now, now_fields, self._rows, ties, orders, found)
            if not whole:
                states[active], fields[active] = now, now_fields
            taken[active[found >= 0]] = begun + found[found >= 0]
            active = active[found < 0]
            if not active.size:
                break
        converged = np.ones(len(states), bool)
        converged[active] = (states[active] * fields[active, : self.units] >= -ties).all(axis=1)
        return Recall(states, converged, np.zeros(len(states), bool), taken)

    def trace(self, cue: Any, order: str = "asynchronous", seed: int = 0, sweeps: int = 200) -> Trace:
        """Return every state of one recall with its energy; the arguments are those of `recall`.

        Parameters
        ----------
        cue : array_like, shape (N,)
        """
        if order not in ORDERS:
            raise UnknownName("order", order, ORDERS)
        sweeps, state = whole_number("sweeps", sweeps), some("cue", cue, self.units)[:1].copy()
        if order == "synchronous":
            states, seen = [state[0]], 0
            while seen < sweeps and not any((states[-1] == old).all() for old in states[:-1]):
                states.append(self._all_at_once(states[-1][None].copy(), 1).states[0])
                seen += 1
            return Trace(np.array(states), self.energy(states))
        rng, states, seen = np.random.default_rng(check_seed(seed)), [state[0].copy()], 0
        orders = np.zeros((0, self.units), dtype=np.int64)
        fields, ties = state[0] @ self.weights - self.thresholds, self._ties()
        for sweep in range(sweeps):
            if sweep == len(orders):  # drawn as many at once as by `recall`
                more = np.tile(np.arange(self.units), (min(DRAWN_AT_ONCE, sweeps - sweep), 1))
                more = rng.permuted(more, axis=1) if order == "asynchronous" else more
                orders = np.concatenate([orders, more])
            before = len(states)
            for unit in orders[sweep]:
                if fields[unit] * state[0, unit] < -ties[unit]:
                    state[0, unit] *= -1
                    fields += 2 * state[0, unit] * self.weights[unit]
                    states.append(state[0].copy())
            if len(states) == before:
                break
        return Trace(np.array(states), self.energy(states))

    def plot(
        self,
        cues: Any,
        patterns: Any = None,
        shape: tuple[int, int] | None = None,
        *,
        order: str = "asynchronous",
        seed: int = 0,
        path: str | None = None,
    ) -> Any:
        """Draw cues, what is recalled from them, and the energy along each recall; return the matplotlib figure.

        Parameters
        ----------
        cues : array_like, shape (B, N)
            At most the first eight are drawn.
        patterns : array_like, shape (B, N), optional
            The pattern that belongs to each cue, drawn above it.
        shape : tuple of int, optional
            Rows and columns of a picture, N in all; as near to a square as N allows by default.
        order, seed
            As for `recall`.
        path : str, optional
            A file to write, ``.png`` or ``.svg``.
        """
        drawing = importlib.import_module(
            "evorrn.lab.report.memories"
        )  # the only folder that draws lies below
        true = None if patterns is None else bipolar("patterns", patterns, self.units)
        given = some("cues", cues, self.units)
        if true is not None and true.shape != given.shape:
            raise ShapeError(f"patterns: expected one for each of {len(given)} cues, got {len(true)}")
        traces = [self.trace(cue, order=order, seed=seed) for cue in given[: drawing.MOST]]
        return drawing.draw_recall(traces, true, shape, path)

    def _ties(self) -> np.ndarray:
        """Return for each unit the size (N,) up to which its sum may be zero but for rounding."""
        sums = np.empty(self.units)
        share(self.units, sum_of_sizes, self._rows, sums)
        return tie_sizes(sums, self.thresholds, self.units)

    def _fields(self, states: np.ndarray) -> np.ndarray:
        """Return the weighted sums of states (B, N), less the thresholds, with zeros in the lanes beyond, (B, L)."""
        from evorrn.associative import signed

        fields = room((len(states), self._rows.shape[1]), states.dtype)
        if signed.VECTORS:
            share(len(states), signed.sums_of_inputs, states, self._rows, self.thresholds, fields)
        else:
            fields[...] = states @ self._rows
            fields[:, : self.units] -= self.thresholds
        return fields

    def _all_at_once(self, states: np.ndarray, sweeps: int) -> Recall:
        before, taken, ties = np.full_like(states, np.nan), np.full(len(states), sweeps), self._ties()
        converged, cycles = np.zeros(len(states), bool), np.zeros(len(states), bool)
        active = np.arange(len(states))
        for sweep in range(sweeps + 1):  # the last one only tells whether the state is a fixed point
            now = states[active]
            with one_thread():
                fields = now @ self.weights - self.thresholds
            new = np.where(np.abs(fields) <= ties, now, np.sign(fields))
            still, back = (new == now).all(axis=1), (new == before[active]).all(axis=1)
            converged[active] = still
            if sweep == sweeps:
                break
            cycles[active] = back & ~still
            taken[active[still | back]] = sweep
            before[active], states[active] = now, new
            active = active[~(still | back)]
            if not active.size:
                break
        return Recall(states, converged, cycles, taken)

    def energy(self, states: Any) -> np.ndarray:
        """Return the energy ``-s W s / 2 + thresholds s`` of states (B, N), shape (B,)."""
        array = bipolar("states", states, self.units)
        with one_thread():
            return np.asarray(-0.5 * ((array @ self.weights) * array).sum(axis=1) + array @ self.thresholds)

    def overlap(self, states: Any, patterns: Any) -> np.ndarray:
        """Return the overlap of each state with each pattern, (B, M), between -1 and 1."""
        return overlap(bipolar("states", states, self.units), bipolar("patterns", patterns, self.units))

    def pack(self) -> np.ndarray:
        """Return the weights above the diagonal as a genome (N (N - 1) / 2,)."""
        return self.weights[np.triu_indices(self.units, 1)].copy()

    def unpack(self, genome: Any) -> Self:
        """Set the weights from a genome, and return the memory.

        Raises
        ------
        ShapeError
            When the genome has another length or numbers that are not finite.
        """
        genes = finite("genome", genome, self.size)[0]
        weights = np.zeros((self.units, self.units))
        weights[np.triu_indices(self.units, 1)] = genes
        self._rows = _padded(weights + weights.T)
        return self

    def fitness(self, genomes: Any, patterns: Any, cues: Any, seed: int = 0) -> np.ndarray:
        """Return for each genome the mean overlap of what is recalled from cues with their patterns, shape (P,).

        With it any evolution strategy searches for weights: ``CMAES().search(memory.pack())``.

        Parameters
        ----------
        genomes : array_like, shape (P, N (N - 1) / 2)
        patterns, cues : array_like, shape (M, N)
            Cue number k stands for pattern number k.
        seed : int
            Of the order of updates.
        """
        wanted, given = some("patterns", patterns, self.units), bipolar("cues", cues, self.units)
        if wanted.shape != given.shape:
            raise ShapeError(f"cues: expected one for each of {len(wanted)} patterns, got {len(given)}")
        other = Hopfield(self.units, self.thresholds)
        found = [other.unpack(genome).recall(given, seed=seed).states for genome in np.atleast_2d(genomes)]
        return np.array([(states * wanted).mean() for states in found])


def _padded(weights: np.ndarray) -> np.ndarray:
    """Return weights (N, N) with zeros beside them, (N, L): each row begins at a cache line and has whole vectors."""
    units, lanes = len(weights), CACHE_LINE // weights.itemsize
    rows = room((units, -(-units // lanes) * lanes), weights.dtype)
    rows[:, :units], rows[:, units:] = weights, 0.0
    return rows
