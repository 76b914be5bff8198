"""Runs the listing of time steps with their derivatives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evorrn.data.batch import Batch
from evorrn.engine.influence.rows import DerivativeRows, Layout, WantedRows, layout
from evorrn.engine.inputs import Conditions, Sequences
from evorrn.engine.lanes.listings import Listings, Task
from evorrn.engine.listing.walk import base
from evorrn.engine.model import Individuals, Model, Modules
from evorrn.engine.packing import Packed, Tiling, pack


class Directions(NamedTuple):
    """The combinations of new states and outputs whose derivatives are wanted, D for each sequence.

    Attributes
    ----------
    states : ndarray, shape (D, S), or (B, T, D, S)
        Weights of the new state.
    outputs : ndarray, shape (B, T, D, O), or None
        Weights of the outputs. None: there is one more direction, after these, the gradient of the loss with respect
        to the outputs of the time step.
    """

    states: np.ndarray
    outputs: np.ndarray | None = None


class StepDerivatives(NamedTuple):
    """The derivatives of time steps of B sequences in D directions; entries beyond the length of a sequence have no meaning.

    Attributes
    ----------
    outputs : ndarray, shape (B, T, O)
    states : ndarray, shape (B, T, S)
        The states after each time step.
    last : ndarray, shape (B, S)
        The state after the last step of each sequence.
    old : ndarray, shape (B, T, D, S)
        The derivatives with respect to the old state.
    factors : ndarray, shape (B, T, R, D)
        Factors of the derivatives with respect to the weights, see `Layout`.
    loss : float
        The sum of the loss, if directions have one.
    """

    outputs: np.ndarray
    states: np.ndarray
    last: np.ndarray
    old: np.ndarray
    factors: np.ndarray
    loss: float


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
        self._layout: Layout | None = None

    @property
    def layout(self) -> Layout:
        """How factors are laid out."""
        if self._layout is None:
            self._layout = layout(self._model.form.step, self._model)[0]
        return self._layout

    @property
    def numbers(self) -> int:
        """The numbers that a time step gives in one direction."""
        return self._model.outputs + 2 * self._model.state_size + self.layout.rows

    def of_outputs(
        self, individual: Individuals, shown: Sequences, directions: Directions
    ) -> StepDerivatives:
        """Return the derivatives along sequences in given directions."""
        assert directions.outputs is not None
        sequences, steps = shown.x.shape[:2]
        count = directions.outputs.shape[2]
        tiling = self._tiling(sequences * count)
        packed = pack(tiling, _each(shown.x, count), _each(shown.lengths, count), self._model.dtype)
        given = tiling.pack(
            np.moveaxis(directions.outputs, 2, 1).reshape(-1, steps, self._model.outputs), self._model.dtype
        )
        return self._run(individual, packed, shown.conditions, directions, 0, {"given": base(given, "q")})

    def of_loss(
        self,
        individual: Individuals,
        batch: Batch,
        conditions: Conditions,
        directions: Directions,
        scale: float,
    ) -> StepDerivatives:
        """Return the derivatives along a batch in given directions, and in that of `scale` times the loss."""
        count = directions.states.shape[-2] + 1
        tiling = self._tiling(batch.size * count)
        scored = np.zeros((batch.size, count, batch.steps), bool)
        scored[:, -1] = batch.scored
        packed = pack(
            tiling,
            _each(batch.inputs, count),
            _each(np.asarray(batch.lengths), count),
            self._model.dtype,
            _each(batch.targets, count),
            scored.reshape(-1, batch.steps),
        )
        losses, scales = np.zeros((tiling.tiles, tiling.lanes)), np.array([scale], self._model.dtype)
        bases = {"losses": base(losses, "q"), "scale": base(scales)}
        still = directions.states
        states = np.concatenate([still, np.zeros((*still.shape[:-2], 1, still.shape[-1]))], axis=-2)
        found = self._run(individual, packed, conditions, Directions(states), packed.targets.shape[2], bases)
        return found._replace(loss=float(losses.sum()))

    def of_weights(self, found: StepDerivatives, time: int) -> np.ndarray:
        """Return the derivatives (B, D, N) of one time step with respect to all weights, its state being constant."""
        sequences, _, _, count = found.factors.shape
        whole = np.zeros((sequences, count, self._model.weights_size), self._model.dtype)
        for name, factors in self.layout.terms:
            left, *right = (found.factors[:, time, f.row : f.row + f.rows] for f in factors)
            products = left[:, :, None] * right[0][:, None] if right else left
            whole[:, :, self._model.slices[name]] += products.reshape(sequences, -1, count).swapaxes(1, 2)
        return whole

    def _run(
        self,
        individual: Individuals,
        packed: Packed,
        conditions: Conditions,
        directions: Directions,
        target_rows: int,
        bases: dict,
    ) -> StepDerivatives:
        model, tiling, steps = self._model, packed.tiling, packed.x.shape[1]
        dtype, states = model.dtype, directions.states
        moving, count = states.ndim == 4, states.shape[-2]
        sequences = tiling.sequences // count
        if moving:
            seeds = tiling.pack(np.moveaxis(states, 2, 1).reshape(-1, steps, model.state_size), dtype)
        else:
            seeds = tiling.pack(np.tile(states, (sequences, 1))[:, None], dtype)
        teacher = conditions.teacher is not None
        wanted = WantedRows(tiling.lanes, target_rows, teacher, moving)
        rows = {
            "outputs": model.outputs,
            "states": model.state_size,
            "old": model.state_size,
            "factors": self.layout.rows,
        }
        results = {
            name: np.zeros((tiling.tiles, steps, size, tiling.lanes), dtype) for name, size in rows.items()
        }
        last = np.zeros((tiling.tiles, model.state_size, tiling.lanes), dtype)
        bases |= {name: base(array, "q") for name, array in results.items()}
        bases |= {"directions": base(seeds, "q"), "last_state": base(last, "q")}
        repeated = Conditions(
            _each(conditions.state, count),
            None if conditions.teacher is None else _each(conditions.teacher, count),
        )
        self._listings.run(wanted, Task(individual, packed, repeated, packed.span), bases)

        def by_sequence(name: str) -> np.ndarray:
            return tiling.unpack(results[name]).reshape(sequences, count, steps, rows[name])

        return StepDerivatives(
            by_sequence("outputs")[:, 0],
            by_sequence("states")[:, 0],
            tiling.unpack(last[:, None])[::count, 0],
            np.moveaxis(by_sequence("old"), 1, 2),
            np.moveaxis(by_sequence("factors"), 1, 3),
            0.0,
        )

    def _tiling(self, lanes: int) -> Tiling:
        return Tiling.of(lanes, self._model.dtype, widest=4, at_least=1)


def _each(array: np.ndarray, count: int) -> np.ndarray:
    """Return each entry of the first axis `count` times."""
    return np.repeat(array, count, axis=0)
