"""The derivatives of time steps of sequences, as they were computed and as matrices."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from evorrn.engine.influence.pattern import Pattern
    from evorrn.engine.influence.rows import Layout
    from evorrn.engine.packing import Tiling


class Structure(Protocol):
    """What the derivatives of a time step are made of."""

    @property
    def layout(self) -> Layout:
        """How factors are laid out."""

    @property
    def pattern(self) -> Pattern:
        """Which entries of the derivatives can differ from zero."""

    @property
    def own(self) -> np.ndarray:
        """Which entries of the step's Jacobian go through no product, shape (S, S)."""

    @property
    def state_size(self) -> int:
        """The numbers in the state of a sequence, S."""

    @property
    def slices(self) -> dict[str, slice]:
        """The places of each block among all weights."""

    @property
    def places(self) -> dict[str, slice]:
        """The entries of each named state in the state."""

    @property
    def output_places(self) -> slice:
        """The entries of the state that are the last outputs."""

    @property
    def seen(self) -> np.ndarray:
        """The entries of the state that the readout sees, shape (R,)."""

    def readout(self, genome: np.ndarray) -> np.ndarray:
        """Return the weights of the readout, shape (O, R), from all weights (N,)."""


class Scored(NamedTuple):
    """The loss of time steps.

    Attributes
    ----------
    targets : ndarray, shape (B, T, O), or (B, T) of labels
    mask : ndarray of bool, shape (B, T)
        Whether a step is scored.
    scale : float
        Factor of the loss.
    feedback : ndarray, shape (O, R), optional
        Weights through which the loss goes back to the units that the readout sees, in place of the readout's.
    """

    targets: np.ndarray
    mask: np.ndarray
    scale: float
    feedback: np.ndarray | None = None


class Learned(NamedTuple):
    """What some time steps give.

    Attributes
    ----------
    loss : float
        The sum of the loss.
    gradient : ndarray, shape (N,), float64
        That of the loss with respect to all weights.
    last : ndarray, shape (B, S)
        The state after the last step of each sequence.
    """

    loss: float
    gradient: np.ndarray
    last: np.ndarray


class Results(NamedTuple):
    """What the listing gives; lane b C + c, counted over all tiles, is direction c of sequence b.

    Attributes
    ----------
    outputs, errors : ndarray, shape (B, T, O)
    last : ndarray, shape (B, S)
        The state after the last step of each sequence.
    old : ndarray, shape (Q, T, S, L)
    factors : ndarray, shape (Q, T, R, L)
    inputs : ndarray, shape (Q, T, I, L)
        Without rows where the derivative with respect to the input is not wanted.
    tiling : Tiling
    """

    outputs: np.ndarray
    errors: np.ndarray
    last: np.ndarray
    old: np.ndarray
    factors: np.ndarray
    inputs: np.ndarray
    tiling: Tiling


class StepJacobians:
    """Time steps of B sequences with their derivatives; entries beyond the length of a sequence have no meaning.

    Parameters
    ----------
    steps : Structure
    individual : tuple of ndarray
        All weights (N,), and the inputs (B, T, I) that they see.
    results : Results
    loss : float
        The sum of the loss.
    kept : ndarray, shape (B, T, O), or None
        0 where an output was given in place of the network's own, 1 elsewhere.
    feedback : ndarray, shape (O, R), or None
        See `Scored`.

    Attributes
    ----------
    x : ndarray, shape (B, T, I)
        The inputs.
    outputs : ndarray, shape (B, T, O)
    last : ndarray, shape (B, S)
        The state after the last step of each sequence.
    errors : ndarray, shape (B, T, O)
        The derivative of the loss of each step with respect to its outputs.
    loss_state : ndarray, shape (B, T, S)
        That with respect to the new state.
    """

    def __init__(
        self,
        steps: Structure,
        individual: tuple[np.ndarray, np.ndarray],
        results: Results,
        loss: float,
        kept: np.ndarray | None,
        feedback: np.ndarray | None,
    ) -> None:
        self._steps, self._results, self.loss, self.kept = steps, results, loss, kept
        genome, self.x = individual
        self.genome = genome
        self.outputs, self.last, self.errors = results.outputs, results.last, results.errors
        self.old, self.factors = results.old, results.factors
        weights = steps.readout(genome) if feedback is None else feedback.astype(genome.dtype)
        self.loss_state = np.zeros((*self.errors.shape[:2], steps.state_size), genome.dtype)
        self.loss_state[..., steps.seen] = self.errors @ weights

    @cached_property
    def state(self) -> np.ndarray:
        """The derivative of the new state with respect to the old one, shape (B, T, S, S)."""
        steps = self._steps
        whole = np.where(steps.pattern.old, self._along(self.old), 0)
        for term in steps.layout.terms:
            if term.state:
                matrix = self.genome[steps.slices[term.block]].reshape(term.slope.rows, -1)
                whole[..., steps.places[term.state]] += self.slopes[..., term.slope.places] @ matrix
        return self._taught(whole)

    @cached_property
    def own(self) -> np.ndarray:
        """Its part within a layer that does not go through products of weights and old states, shape (B, T, S, S)."""
        return self._taught(np.where(self._steps.own, self._along(self.old), 0))

    @cached_property
    def slopes(self) -> np.ndarray:
        """Factors of the derivative of the new state with respect to the weights, shape (B, T, S, R); see `Layout`."""
        return np.where(self._steps.pattern.factors, self._along(self.factors), 0)

    @cached_property
    def sources(self) -> np.ndarray:
        """Their other factors, shape (B, T, R)."""
        return self.source(slice(None))

    def entries(self, of: str, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return entries of the derivative of new states, shape (B, T, K); without those through lifted products.

        Parameters
        ----------
        of : str
            ``"old"`` for the derivative with respect to old states, ``"inputs"`` for that with respect to inputs.
        rows, columns : ndarray of int, shape (K,)
        """
        packed: np.ndarray = getattr(self._results, of)
        count = len(self._steps.pattern.directions)
        flat = self._results.tiling.unpack(packed).reshape(len(self.outputs), count, *packed.shape[1:3])
        return np.moveaxis(flat[:, self._steps.pattern.colours[rows], :, columns], 0, -1)

    def during(self, old: np.ndarray, factors: np.ndarray, loss_state: np.ndarray) -> StepJacobians:
        """Return derivatives of other time steps, whose packed results are given, with a loss of their own."""
        other = StepJacobians(self._steps, (self.genome, self.x), self._results, self.loss, None, None)
        other.old, other.factors, other.loss_state = old, factors, loss_state
        return other

    def source(self, places: slice) -> np.ndarray:
        """Return some rows of the sources, shape (B, T, K)."""
        lanes = self.factors.shape[3]
        count = len(self._steps.pattern.directions)
        first = np.arange(len(self.outputs)) * count
        return np.ascontiguousarray(self.factors[first // lanes, :, places, first % lanes])

    def _along(self, packed: np.ndarray) -> np.ndarray:
        """Return what was computed along directions, shape (B, T, S, K), for the new states of each direction."""
        colours = self._steps.pattern.colours
        flat = self._results.tiling.unpack(packed)
        by_direction = flat.reshape(len(self.outputs), -1, *flat.shape[1:])
        return np.moveaxis(by_direction[:, colours], 1, 2)

    def _taught(self, whole: np.ndarray) -> np.ndarray:
        if self.kept is not None:
            whole[..., self._steps.output_places] *= self.kept[:, :, None]
        return whole
