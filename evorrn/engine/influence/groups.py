"""Weights by the states that they can change: an influence matrix without its zeros.

Weights that can change the same states form a group, whose part of the influence has a row for each of these states and
a column for each weight. In a dense network all weights are in one group; in one whose units see only their own past each
unit has its own, and in stacked layers the weights of a layer do not change the states below.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from evorrn.engine.influence.tables import FEW_ROWS, Stack, Tables, dense_columns, tables, work_of_traces
from evorrn.kernels.memory import room
from evorrn.kernels.threads import share

if TYPE_CHECKING:
    from evorrn.engine.influence.jacobians import StepJacobians
    from evorrn.engine.influence.steps import Steps

Carried = list[np.ndarray]
"""The influence: an array (B, K lanes) for each stack, see `evorrn.engine.influence.tables`."""

MOST_NUMBERS = 2**17
"""Entries of Jacobians of a sequence that are folded in one go: about as many as a processor's second cache holds."""

WORTH_SHARING = 2**22
"""From this many multiply-adds on, the update is shared among threads."""


class Influence:
    """The influence of weights on states, with zeros where it is not kept.

    Parameters
    ----------
    steps : Steps
    order : int or None
        An entry is kept where the weight changes the state within so many time steps; None for any number of them.
    own : bool
        Whether derivatives through products of weights and old states, and from layer to layer, are left out.

    Attributes
    ----------
    stacks : list of Stack
    """

    def __init__(self, steps: Steps, order: int | None = None, own: bool = False) -> None:
        self._steps, self._own = steps, own
        self._reach = (steps.own if own else steps.pattern.old).copy()
        for term in steps.layout.terms if not own else ():
            if term.state:
                reached = steps.pattern.factors[:, term.slope.places].any(axis=1, keepdims=True)
                self._reach[:, steps.places[term.state]] |= reached
        slopes, sources = _table(steps)
        kinds, kind = np.unique(slopes, axis=1, return_inverse=True)  # weights with the same slopes act alike
        factors = np.concatenate([steps.pattern.factors, np.zeros((len(self._reach), 1), bool)], axis=1)
        kept = _reached(np.logical_or.reduce(factors[:, kinds], axis=1), self._reach, order)
        self._depths, self.stacks = _stacks(kept, self._reach, kind.ravel(), slopes, sources)

    @cached_property
    def tables(self) -> list[Tables]:
        """The tables of each stack."""
        return [
            tables(self._steps, stack, self._reach, depth, self._own)
            for depth, stack in zip(self._depths, self.stacks)
        ]

    @cached_property
    def kernels(self) -> Any:
        """The compiled kernels, see `evorrn.engine.influence.kernels.kernels_for`."""
        from evorrn.engine.influence.kernels import kernels_for

        return self._steps.timed(lambda: kernels_for(self._steps.dtype.name))

    @property
    def size(self) -> int:
        """The numbers of the influence of one sequence."""
        return sum(rows.size * weights.shape[1] for rows, weights, *_ in self.stacks)

    @cached_property
    def work(self) -> int:
        """The multiply-adds of one time step of one sequence."""
        if self.traced:
            return sum(map(work_of_traces, self.stacks))
        return sum(table.work for table in self.tables)

    @property
    def traced(self) -> bool:
        """Whether no weight changes more than a few states."""
        return all(stack.rows.shape[1] <= FEW_ROWS for stack in self.stacks)

    def zero(self, sequences: int) -> Carried:
        """Return the influence before the first time step."""
        return [zeros((sequences, table.rows * table.lanes), self._steps.dtype) for table in self.tables]

    def advance(self, carried: Carried, found: StepJacobians, lengths: np.ndarray) -> np.ndarray:
        """Move the influence on by time steps, and return the gradient (N,) of their loss through the states.

        Parameters
        ----------
        carried : list of ndarray
            Changed in place.
        found : StepJacobians
        lengths : ndarray of int, shape (B,)
            The steps of each sequence.
        """
        gradient = np.zeros(self._steps.weights)
        for number, (stack, table, influence) in enumerate(zip(self.stacks, self.tables, carried)):
            longest = max(1, MOST_NUMBERS // max(1, table.numbers))
            for first in range(0, int(lengths.max(initial=0)), longest):
                steps = np.clip(lengths - first, 0, longest)
                lanes = self._folded(number, influence, found, first, steps)
                gradient[stack.weights] += lanes.sum(axis=0, dtype=np.float64)[table.lane_of]
        return gradient

    def _folded(
        self,
        number: int,
        influence: np.ndarray,
        found: StepJacobians,
        first: int,
        lengths: np.ndarray,
    ) -> np.ndarray:
        """Move the influence of a stack on from a time step; return the gradient (B, lanes)."""
        dtype, sequences, steps = self._steps.dtype, len(lengths), int(lengths.max())
        stack, table, kernels = self.stacks[number], self.tables[number], self.kernels
        folded = table.folded
        jacobians, coefficients, values = (
            np.empty((sequences, steps, count), dtype)
            for count in (table.numbers, len(folded.coefficients), len(folded.sources))
        )
        kept = np.zeros((0, 0, 0), dtype) if found.kept is None else found.kept
        given = found.old, found.factors, found.genome, kept
        loss = np.ascontiguousarray(found.loss_state[:, first : first + steps, stack.rows])
        results = jacobians, coefficients, values
        kernels.fold(0, sequences, (first, lengths), given, tuple(folded), results)
        return self.move(number, influence, (*results, loss), lengths)

    def move(
        self, number: int, influence: np.ndarray, derived: tuple[np.ndarray, ...], lengths: np.ndarray
    ) -> np.ndarray:
        """Move the influence of a stack on, and return the gradient (B, lanes) by its lanes.

        Parameters
        ----------
        number : int
            That of the stack.
        influence : ndarray
            Changed in place.
        derived : tuple of ndarray
            See `evorrn.engine.influence.kernels.move_tiles`.
        lengths : ndarray of int, shape (B,)
            The steps of each sequence.
        """
        table = self.tables[number]
        move = self.kernels.traces if table.traced else self.kernels.tiles
        gradients = np.empty((len(lengths), table.lanes), influence.dtype)
        sizes = table.rows, table.depth, table.lanes
        rest = lengths, table.moved, sizes, (influence, gradients), derived
        jobs = len(lengths) * table.jobs
        if table.work * int(lengths.sum()) < WORTH_SHARING:
            move(0, jobs, *rest)
        else:
            share(jobs, move, *rest)
        return gradients


def influence_of(steps: Steps, order: int | None = None, own: bool = False) -> Influence:
    """Return an `Influence`, the same for the same arguments: its tables take long to make."""
    known = steps.influences
    if (order, own) not in known:
        known[order, own] = Influence(steps, order, own)
    return known[order, own]


def zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return zeros that begin at a cache line, so that no vector lies across two."""
    found = room(shape, dtype)
    found[...] = 0
    return found


def _table(steps: Steps) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and sources, each (E, N), of the E products that the derivative of each weight is a sum of.

    Weights without so many have the slope R, which is zero; products without a source have the source R, which is 1.
    """
    nothing = steps.layout.rows
    slopes: list[np.ndarray] = []
    sources: list[np.ndarray] = []
    used = np.zeros(steps.weights, np.int64)
    for term in steps.layout.terms:
        if not steps.pattern.factors[:, term.slope.places].any():
            continue
        genes = steps.slices[term.block]
        level = int(used[genes].max(initial=0))  # of no weights, where a network has no inputs
        used[genes] = level + 1
        if level == len(slopes):
            slopes.append(np.full(steps.weights, nothing))
            sources.append(np.full(steps.weights, nothing))
        slope = np.arange(term.slope.row, term.slope.row + term.slope.rows)
        if term.source is None:
            slopes[level][genes] = slope
            continue
        source = np.arange(term.source.row, term.source.row + term.source.rows)
        shape = (len(slope), len(source)) if term.first else (len(source), len(slope))
        slopes[level][genes] = np.broadcast_to(slope[:, None] if term.first else slope, shape).ravel()
        sources[level][genes] = np.broadcast_to(source if term.first else source[:, None], shape).ravel()
    empty = np.full((1, steps.weights), nothing)
    return np.array(slopes or empty), np.array(sources or empty)


def _reached(kept: np.ndarray, reach: np.ndarray, order: int | None) -> np.ndarray:
    """Return which states (S, K) weights of each kind change within some time steps, from those changed at once."""
    step, now = reach.astype(np.float32), kept
    for _ in range(len(reach) if order is None else order - 1):
        following = now | (step @ now.astype(np.float32) > 0)
        if (following == now).all():
            break
        now = following
    return now


def _stacks(
    kept: np.ndarray, reach: np.ndarray, kind: np.ndarray, slopes: np.ndarray, sources: np.ndarray
) -> tuple[list[int], list[Stack]]:
    """Return the groups, those of one size together, from the states (S, K) of each kind and the kind of each weight.

    The rows of a group begin with the dense columns of its Jacobian, whose number comes first.
    """
    patterns, number = np.unique(kept, axis=1, return_inverse=True)
    group = number.ravel()[kind]
    by_size: dict[tuple[int, int, int], list[tuple[np.ndarray, np.ndarray]]] = {}
    for index, pattern in enumerate(patterns.T):
        rows, weights = np.flatnonzero(pattern), np.flatnonzero(group == index)
        if len(rows):
            dense = dense_columns(reach[np.ix_(rows, rows)])
            ordered = np.concatenate([rows[dense], rows[~dense]])
            by_size.setdefault((int(dense.sum()), len(rows), len(weights)), []).append((ordered, weights))
    stacks = []
    for same in by_size.values():
        rows, weights = np.array([r for r, _ in same]), np.array([w for _, w in same])
        stacks.append(Stack(rows, weights, slopes[:, weights], sources[:, weights]))
    return [depth for depth, *_ in by_size], stacks
