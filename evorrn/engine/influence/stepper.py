"""Single time steps with the derivatives of their outputs, for weights that change after every step.

All arrays are made once, so that a step takes little more time than its arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evorrn.engine.influence.groups import influence_of, zeros
from evorrn.engine.influence.rows import WantedRows
from evorrn.engine.influence.steps import READOUT, Steps
from evorrn.engine.influence.tables import Stack, Tables
from evorrn.engine.listing.walk import base
from evorrn.engine.model import Individuals
from evorrn.engine.packing import Tiling


class Stepper:
    """Sequences that run side by side, one step after the other, with the influence of all weights on their states.

    Parameters
    ----------
    steps : Steps
    individual : Individuals
        The weights (N,) before the first step, and the options.
    state : ndarray, shape (B, S)
        The state before the first step.
    teacher : bool
        Whether values are given in place of the last outputs.

    Notes
    -----
    Source: Robinson & Fallside 1987; Williams & Zipser 1989, equation 7. The influence is that of the weights that were used at
    each time step.
    """

    def __init__(self, steps: Steps, individual: Individuals, state: np.ndarray, teacher: bool) -> None:
        self._steps, self._influence = steps, influence_of(steps)
        directions, self._sequences = steps.pattern.directions, len(state)
        count, dtype = len(directions), steps.dtype
        self._tiling = tiling = Tiling.of(self._sequences * count, dtype, widest=4, at_least=1)
        lane = np.arange(self._sequences * count)
        self._all = lane // tiling.lanes, lane % tiling.lanes
        self._first = self._all[0][::count], self._all[1][::count]
        self._count, self._genome = count, np.array(individual.genomes, dtype)
        self._arrays = {
            name: np.zeros((tiling.tiles, 1, rows, tiling.lanes), dtype)
            for name, rows in steps.result_rows.items()
        }
        for name, rows in (
            ("x", steps.inputs),
            ("teacher", steps.outputs),
            ("weights", 1),
            ("last_state", steps.state_size),
        ):
            self._arrays[name] = np.zeros((tiling.tiles, 1, rows, tiling.lanes), dtype)
        self._arrays["state"] = tiling.pack(np.repeat(state, count, axis=0)[:, None], dtype)
        self._arrays["directions"] = tiling.pack(np.tile(directions, (self._sequences, 1))[:, None], dtype)
        lengths = np.ones((tiling.tiles, tiling.lanes), np.int64)
        bases = {name: base(array, "q") for name, array in {**self._arrays, "lengths": lengths}.items()}
        spans = np.tile([1, 1, 0], (tiling.tiles, 1))
        weights = Individuals(self._genome, *individual[1:])
        self._run = steps.bound(WantedRows(tiling.lanes, 0, teacher), weights, spans, bases)
        self._held = lengths
        self._ones = np.ones(self._sequences, np.int64)
        self._kept = np.ones((self._sequences if teacher else 0, 1 if teacher else 0, steps.outputs), dtype)
        pairs = zip(self._influence.stacks, self._influence.tables)
        self._stacks = [_Stack(self._sequences, steps, *pair) for pair in pairs]
        self._by_state = np.zeros((steps.outputs, steps.state_size), dtype)
        self._result = np.zeros((self._sequences, steps.outputs, steps.weights), dtype)
        self._readout = self._readout_places()

    def step(
        self, weights: np.ndarray, x: np.ndarray, teacher: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Take a time step, and return outputs (B, O) and their derivatives with respect to all weights (B, O, N).

        The next step overwrites the derivatives.

        Parameters
        ----------
        weights : ndarray, shape (N,)
        x : ndarray, shape (B, I)
        teacher : ndarray, shape (B, O), optional
            Values in place of the last outputs, NaN for the network's own.
        """
        arrays, (tiles, lanes) = self._arrays, self._all
        self._genome[...] = weights
        arrays["x"][tiles, 0, :, lanes] = np.repeat(x, self._count, axis=0)
        if teacher is not None:
            arrays["teacher"][tiles, 0, :, lanes] = np.repeat(teacher, self._count, axis=0)
            self._kept[:, 0] = np.isnan(teacher)
        self._run()
        arrays["state"][...] = arrays["last_state"]
        return arrays["outputs"][self._first[0], 0, :, self._first[1]], self._jacobian()

    def _jacobian(self) -> np.ndarray:
        """Move the influence on, and return the derivatives of the outputs."""
        steps, kernels, jacobian = self._steps, self._influence.kernels, self._result
        self._by_state[:, steps.seen] = steps.readout(self._genome)
        given = self._arrays["old"], self._arrays["factors"], self._genome, self._kept
        tiles, lanes = self._first
        whole = jacobian.reshape(self._sequences, -1)
        for places, _ in self._readout:
            whole[:, places] = 0
        for name in steps.starts:
            jacobian[:, :, steps.slices[name]] = 0
        for own in self._stacks:
            kernels.fold(0, self._sequences, (0, self._ones), given, own.folded, own.results)
            own.move(self._sequences, kernels, self._ones)
            seen = np.ascontiguousarray(self._by_state[:, own.rows])
            kernels.project(own.table.moved[0], own.table.rows, own.influence, seen, own.found)
            jacobian[:, :, own.weights] = own.found[:, :, own.lane_of]
        for places, rows in self._readout:
            value = 1 if rows is None else self._arrays["factors"][tiles[:, None], 0, rows, lanes[:, None]]
            whole[:, places] += value
        for name, place in steps.starts.items():  # the readout sees a state with its first value
            jacobian[:, :, steps.slices[name]] += self._by_state[:, place]
        return jacobian

    def _readout_places(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Return where the readout's own terms are in the Jacobian of a sequence, and their rows among the factors."""
        steps = self._steps
        found: list[tuple[np.ndarray, np.ndarray | None]] = []
        output = np.arange(steps.outputs)[:, None]
        for term in steps.layout.terms:
            if not term.block.startswith(READOUT):
                continue
            first, source = steps.slices[term.block].start + output * steps.weights, term.source
            if source is None:
                found.append(((first + output).ravel(), None))
                continue
            column = np.arange(source.rows)
            own = output * source.rows + column if term.first else column * steps.outputs + output
            found.append(((first + own).ravel(), np.tile(source.row + column, steps.outputs)))
        return found


class _Stack:
    """The arrays of a stack of the influence."""

    def __init__(self, sequences: int, steps: Steps, stack: Stack, table: Tables) -> None:
        dtype, self.folded, self.table = steps.dtype, tuple(table.folded), table
        counts = table.numbers, len(table.folded.coefficients), len(table.folded.sources)
        self.influence = zeros((sequences, table.rows * table.lanes), dtype)
        self.results = tuple(np.empty((sequences, 1, count), dtype) for count in counts)
        self.rows, self.weights, self.lane_of = stack.rows, stack.weights.ravel(), table.lane_of.ravel()
        self.found = np.empty((sequences, steps.outputs, table.lanes), dtype)
        unused, loss = (
            np.empty((sequences, table.lanes), dtype),
            np.zeros((sequences, 1, *stack.rows.shape), dtype),
        )
        sizes = table.rows, table.depth, table.lanes
        self._given = table.moved, sizes, (self.influence, unused), (*self.results, loss)

    def move(self, sequences: int, kernels: Any, lengths: np.ndarray) -> None:
        """Move the influence on."""
        kernel = kernels.traces if self.table.traced else kernels.tiles
        kernel(0, sequences * self.table.jobs, lengths, *self._given)
