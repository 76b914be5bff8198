"""Computes time steps of a network with their Jacobian matrices."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from evorrn.compile.lifted import lifted
from evorrn.compile.op import count_of
from evorrn.compile.step import OUTPUT
from evorrn.data.batch import Batch
from evorrn.engine.influence.pattern import Pattern, find_pattern
from evorrn.engine.influence.rows import DerivativeRows, Layout, WantedRows, layout
from evorrn.engine.inputs import Conditions, Sequences
from evorrn.engine.lanes.listings import Listings, Task
from evorrn.engine.listing.walk import Base, base
from evorrn.engine.model import Individuals, Model, Modules
from evorrn.engine.packing import Packed, Tiling, pack


class StepJacobians(NamedTuple):
    """Time steps of B sequences with their derivatives; entries beyond the length of a sequence have no meaning.

    Attributes
    ----------
    outputs : ndarray, shape (B, T, O)
    last : ndarray, shape (B, S)
        The state after the last step of each sequence.
    state : ndarray, shape (B, T, S, S)
        The derivative of the new state with respect to the old one.
    slopes : ndarray, shape (B, T, S, R)
        Factors of the derivative of the new state with respect to the weights, see `Layout`.
    sources : ndarray, shape (B, T, R)
        Their other factors.
    loss : float
        The sum of the loss.
    loss_state : ndarray, shape (B, T, S)
        The derivative of the loss of each step with respect to the old state.
    loss_slopes : ndarray, shape (B, T, R)
        As `slopes`, of the loss.
    """

    outputs: np.ndarray
    last: np.ndarray
    state: np.ndarray
    slopes: np.ndarray
    sources: np.ndarray
    loss: float
    loss_state: np.ndarray
    loss_slopes: np.ndarray


class Results(NamedTuple):
    """What the listing gives: values of each direction, the last one being that of the loss if there is one.

    Attributes
    ----------
    outputs : ndarray, shape (B, T, O)
    last : ndarray, shape (B, S)
    old : ndarray, shape (B, C, T, S)
    factors : ndarray, shape (B, C, T, R)
    """

    outputs: np.ndarray
    last: np.ndarray
    old: np.ndarray
    factors: np.ndarray


class Steps:
    """Computes time steps of a network with their derivatives.

    Parameters
    ----------
    model : Model
    modules : Modules
    """

    def __init__(self, model: Model, modules: Modules) -> None:
        self._model = model
        self._listings = Listings(model, modules, DerivativeRows)

    @cached_property
    def _structure(self) -> tuple[Layout, Pattern]:
        step = lifted(self._model.form.step)
        found, derivative, first = layout(step, self._model)
        return found, find_pattern(step, self._model, derivative, found, first)

    @property
    def layout(self) -> Layout:
        """How factors are laid out."""
        return self._structure[0]

    @property
    def pattern(self) -> Pattern:
        """Which entries of the derivatives can differ from zero."""
        return self._structure[1]

    @cached_property
    def places(self) -> dict[str, slice]:
        """The entries of each named state in the state."""
        found, start = {}, 0
        for name, shape in self._model.form.step.states.items():
            stop = start + count_of(shape, self._model.sizes)
            found[name] = slice(start, stop)
            start = stop
        return found

    @property
    def numbers(self) -> int:
        """The numbers that the derivatives of a time step take."""
        size = self._model.state_size
        return (size + 2) * (size + self.layout.rows)

    def along(self, individual: Individuals, shown: Sequences) -> StepJacobians:
        """Return the derivatives of the time steps along sequences, without a loss."""
        tiling, directions = self._tiling(len(shown.x), 0)
        count = len(directions)
        packed = pack(tiling, _each(shown.x, count), _each(shown.lengths, count), self._model.dtype)
        given = np.zeros(
            (tiling.tiles, shown.x.shape[1], self._model.outputs, tiling.lanes), self._model.dtype
        )
        found = self._run(individual, packed, shown.conditions, directions, {"given": base(given, "q")})
        return self._jacobians(individual, found, shown.conditions.teacher, 0.0, False)

    def of_loss(
        self, individual: Individuals, batch: Batch, conditions: Conditions, scale: float
    ) -> StepJacobians:
        """Return the derivatives of the time steps along a batch, and of `scale` times the loss of each step."""
        tiling, directions = self._tiling(batch.size, 1)
        count = len(directions)
        scored = np.zeros((batch.size, count, batch.steps), bool)
        scored[:, -1] = batch.scored
        repeated = (_each(array, count) for array in (batch.inputs, np.asarray(batch.lengths), batch.targets))
        inputs, lengths, targets = repeated
        packed = pack(tiling, inputs, lengths, self._model.dtype, targets, scored.reshape(-1, batch.steps))
        losses, scales = np.zeros((tiling.tiles, tiling.lanes)), np.array([scale], self._model.dtype)
        bases = {"losses": base(losses, "q"), "scale": base(scales)}
        found = self._run(individual, packed, conditions, directions, bases, packed.targets.shape[2])
        return self._jacobians(individual, found, conditions.teacher, float(losses.sum()), True)

    def of_weights(self, found: StepJacobians, time: int) -> np.ndarray:
        """Return the derivative (B, S, N) of the new state with respect to all weights at one time step."""
        sequences, _, size, _ = found.slopes.shape
        whole = np.zeros((sequences, size, self._model.weights_size), self._model.dtype)
        for term in self.layout.terms:
            product = found.slopes[:, time, :, term.slope.places]
            if term.source is not None:
                source = found.sources[:, time, None, term.source.places]
                pair = (product[..., None], source[..., None, :])
                product = (
                    pair[0] * pair[1] if term.first else pair[1].swapaxes(-1, -2) * pair[0].swapaxes(-1, -2)
                )
            whole[:, :, self._model.slices[term.block]] += product.reshape(sequences, size, -1)
        return whole

    def _run(
        self,
        individual: Individuals,
        packed: Packed,
        conditions: Conditions,
        directions: np.ndarray,
        bases: dict[str, Base],
        target_rows: int = 0,
    ) -> Results:
        model, tiling, steps, count = self._model, packed.tiling, packed.x.shape[1], len(directions)
        sequences, dtype = tiling.sequences // count, model.dtype
        seeds = tiling.pack(np.tile(directions, (sequences, 1))[:, None], dtype)
        rows = {"outputs": model.outputs, "old": model.state_size, "factors": self.layout.rows}
        results = {
            name: np.zeros((tiling.tiles, steps, size, tiling.lanes), dtype) for name, size in rows.items()
        }
        last = np.zeros((tiling.tiles, model.state_size, tiling.lanes), dtype)
        bases |= {name: base(array, "q") for name, array in results.items()}
        bases |= {"directions": base(seeds, "q"), "last_state": base(last, "q")}
        teacher = None if conditions.teacher is None else _each(conditions.teacher, count)
        repeated = Conditions(_each(conditions.state, count), teacher)
        wanted = WantedRows(tiling.lanes, target_rows, teacher is not None)
        self._listings.run(wanted, Task(individual, packed, repeated, packed.span), bases)
        by_sequence = {
            name: tiling.unpack(results[name]).reshape(sequences, count, steps, size)
            for name, size in rows.items()
        }
        ends = tiling.unpack(last[:, None])[::count, 0]
        return Results(by_sequence["outputs"][:, 0], ends, by_sequence["old"], by_sequence["factors"])

    def _jacobians(
        self, individual: Individuals, found: Results, teacher: np.ndarray | None, loss: float, scored: bool
    ) -> StepJacobians:
        """Return the derivatives from those along the directions."""
        old, factors, colours = self.pattern.old, self.pattern.factors, self.pattern.colours
        slopes = np.where(factors, np.moveaxis(found.factors[:, colours], 1, 2), 0)
        state = np.where(old, np.moveaxis(found.old[:, colours], 1, 2), 0)
        loss_state, loss_slopes = found.old[:, -1].copy(), found.factors[:, -1]
        weights = individual.genomes
        for term in self.layout.terms:
            if term.state:
                matrix = weights[self._model.slices[term.block]].reshape(term.slope.rows, -1)
                place = self.places[term.state]
                state[..., place] += slopes[..., term.slope.places] @ matrix
                loss_state[..., place] += loss_slopes[..., term.slope.places] @ matrix
        if teacher is not None and OUTPUT in self.places:
            taught = ~np.isnan(teacher)
            loss_state[..., self.places[OUTPUT]][taught] = 0
            state[..., self.places[OUTPUT]][
                np.broadcast_to(taught[:, :, None], state[..., self.places[OUTPUT]].shape)
            ] = 0
        return StepJacobians(
            found.outputs, found.last, state, slopes, found.factors[:, 0], loss, loss_state, loss_slopes
        )

    def _tiling(self, sequences: int, losses: int) -> tuple[Tiling, np.ndarray]:
        """Return the tiling of sequences in all directions, and the directions (C, S), zeros for a loss."""
        directions = self.pattern.directions
        whole = np.concatenate([directions, np.zeros((losses, directions.shape[1]))])
        return Tiling.of(sequences * len(whole), self._model.dtype, widest=4, at_least=1), whole


def _each(array: np.ndarray, count: int) -> np.ndarray:
    """Return each entry of the first axis `count` times."""
    return np.repeat(array, count, axis=0)
