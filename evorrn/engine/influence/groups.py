"""Weights by the states that they can change: an influence matrix without its zeros.

Weights that can change the same states form a group, whose part of the influence has a row for each of these states and
a column for each weight. In a dense network all weights are in one group; in one whose units see only their own past each
unit has its own, and in stacked layers the weights of a layer do not change the states below.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evorrn.engine.influence.steps import StepJacobians, Steps


class Stack(NamedTuple):
    """Groups of one size.

    Attributes
    ----------
    rows : ndarray of int, shape (G, K)
        The states of each group.
    weights : ndarray of int, shape (G, M)
        Its weights.
    slopes, sources : ndarray of int, shape (E, G, M)
        The factors of what each weight does at once: the sum of E products.
    """

    rows: np.ndarray
    weights: np.ndarray
    slopes: np.ndarray
    sources: np.ndarray


Carried = list[np.ndarray]
"""The influence: an array (B, G, K, M) for each stack."""


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
        reach = (steps.own if own else steps.pattern.old).copy()
        for term in steps.layout.terms if not own else ():
            if term.state:
                reached = steps.pattern.factors[:, term.slope.places].any(axis=1, keepdims=True)
                reach[:, steps.places[term.state]] |= reached
        slopes, sources = _table(steps)
        kinds, kind = np.unique(slopes, axis=1, return_inverse=True)  # weights with the same slopes act alike
        factors = np.concatenate([steps.pattern.factors, np.zeros((len(reach), 1), bool)], axis=1)
        kept = _reached(np.logical_or.reduce(factors[:, kinds], axis=1), reach, order)
        self.stacks = _stacks(kept, kind.ravel(), slopes, sources)

    @property
    def size(self) -> int:
        """The numbers of the influence of one sequence."""
        return sum(rows.size * weights.shape[1] for rows, weights, *_ in self.stacks)

    @property
    def work(self) -> int:
        """The multiply-adds of one time step of one sequence."""
        return sum(
            rows.size * weights.shape[1] * (rows.shape[1] + len(slopes) + 1)
            for rows, weights, slopes, _ in self.stacks
        )

    def zero(self, sequences: int, dtype: np.dtype) -> Carried:
        """Return the influence before the first time step."""
        return [
            np.zeros((sequences, *rows.shape, weights.shape[1]), dtype) for rows, weights, *_ in self.stacks
        ]

    def advance(
        self, carried: Carried, found: StepJacobians, lengths: np.ndarray
    ) -> tuple[Carried, np.ndarray]:
        """Return the influence after time steps, and the gradient (N,) of their loss through the states.

        Parameters
        ----------
        carried : list of ndarray
        found : StepJacobians
        lengths : ndarray of int, shape (B,)
            The steps of each sequence.
        """
        gradient = np.zeros(self._steps.weights)
        jacobians = found.own if self._own else found.state
        slopes = np.concatenate(
            [found.slopes, np.zeros((*found.slopes.shape[:3], 1), jacobians.dtype)], axis=3
        )
        sources = np.concatenate(
            [found.sources, np.ones((*found.sources.shape[:2], 1), jacobians.dtype)], axis=2
        )
        after = []
        for (rows, weights, slope, source), influence in zip(self.stacks, carried):
            total = np.zeros(weights.shape)
            for time in range(found.state.shape[1]):
                moves = time < lengths
                loss = np.where(moves[:, None], found.loss_state[:, time], 0)
                step = jacobians[:, time][:, rows[:, :, None], rows[:, None, :]]
                new = step @ influence
                for a, z in zip(slope, source):
                    left = slopes[:, time][:, rows[:, :, None], a[:, None, :]]
                    new += left * sources[:, time][:, z][:, :, None]
                influence = new if moves.all() else np.where(moves[:, None, None, None], new, influence)
                total += np.einsum("bgk,bgkm->gm", loss[:, rows], influence)
            np.add.at(gradient, weights.ravel(), total.ravel())
            after.append(influence)
        return after, gradient


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
        level = int(used[genes].max())
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


def _stacks(kept: np.ndarray, kind: np.ndarray, slopes: np.ndarray, sources: np.ndarray) -> list[Stack]:
    """Return the groups, those of one size together, from the states (S, K) of each kind and the kind of each weight."""
    patterns, number = np.unique(kept, axis=1, return_inverse=True)
    group = number.ravel()[kind]
    by_size: dict[tuple[int, int], list[tuple[np.ndarray, np.ndarray]]] = {}
    for index, pattern in enumerate(patterns.T):
        rows, weights = np.flatnonzero(pattern), np.flatnonzero(group == index)
        if len(rows):
            by_size.setdefault((len(rows), len(weights)), []).append((rows, weights))
    stacks = []
    for same in by_size.values():
        rows, weights = np.array([r for r, _ in same]), np.array([w for _, w in same])
        stacks.append(Stack(rows, weights, slopes[:, weights], sources[:, weights]))
    return stacks
