"""Learns forward in time along sequences with an influence of any pattern, the time steps by an emitted program."""

from __future__ import annotations

from functools import cached_property
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from evorrn.engine.influence.emit_records import CHUNK, FOLLOW, RecordsEmitter
from evorrn.engine.influence.groups import MOST_NUMBERS, WORTH_SHARING, Carried, Influence
from evorrn.engine.influence.jacobians import Learned, Scored
from evorrn.engine.influence.outline import ByState
from evorrn.engine.influence.programmed import Programmed
from evorrn.engine.influence.steps import Steps
from evorrn.engine.model import Individuals, Model, Modules
from evorrn.engine.packing import PackedRows
from evorrn.kernels import machine
from evorrn.kernels.memory import room
from evorrn.kernels.threads import share

MOST_OF_ALL = 2**24
"""Numbers of the records and Jacobians of all sequences that are kept in one go."""


class _Stack(NamedTuple):
    """The number of a stack, its tables, and the memory of its results."""

    number: int
    tables: tuple[np.ndarray, ...]
    results: list[np.ndarray]


class Dense(Programmed):
    """The program of an influence of any pattern.

    Parameters
    ----------
    model : Model
    modules : Modules
    steps : Steps
    influence : Influence
    found : ByState
    """

    def __init__(
        self, model: Model, modules: Modules, steps: Steps, influence: Influence, found: ByState
    ) -> None:
        super().__init__(model, modules, steps, "records")
        self._influence, self._found = influence, found
        self._readout = np.concatenate([weights.ravel() for _, weights in found.readout])
        self._seen = np.array(list(found.seen.values()), np.int64)
        self._factors = steps.layout.rows + 2
        self._olds = found.directions * self._factors
        self._losses = self._olds + found.directions * steps.state_size
        self._numbers = self._losses + steps.state_size
        self._work = steps.work

    @cached_property
    def places(self) -> np.ndarray:
        """The first entry in a record of all that the program writes: derivatives of the loss, slopes, old states, and sources."""
        found, starts = self._found, {name: place.start for name, place in self._steps.places.items()}
        size = self._steps.state_size
        places = [self._losses + starts[name] for name in found.seen]
        places += [direction * self._factors + row for direction, row, _ in found.slopes]
        places += [self._olds + direction * size + starts[old] for direction, old in found.olds]
        return np.array(places + [row for row, _ in found.sources], np.int64)

    @cached_property
    def _empty(self) -> np.ndarray:
        """A record in which nothing but the constants is written."""
        empty = np.zeros(self._numbers, self._model.dtype)
        empty[np.arange(self._found.directions) * self._factors + self._steps.layout.rows] = 1
        return empty

    @cached_property
    def _tables(self) -> list[tuple[tuple[np.ndarray, ...], list[int]]]:
        """For each stack, the tables of `evorrn.engine.influence.records.fold_records`, and the numbers of its results."""
        found, size = [], self._steps.state_size
        for stack, table in zip(self._influence.stacks, self._influence.tables):
            folded = table.folded
            place, direction, state = folded.olds.T
            olds = np.stack([place, self._olds + direction * size + state], axis=1)
            slopes = folded.coefficients @ np.array([self._factors, 1])
            states = self._losses + stack.rows.ravel()
            about = olds, folded.targets, folded.runs, slopes, folded.sources, states
            tables = tuple(np.ascontiguousarray(part, np.int64) for part in about)
            found.append((tables, [table.numbers, *(len(part) for part in tables[3:])]))
        return found

    @cached_property
    def _folding(self) -> Any:
        """The module with the kernel that reads records."""
        from evorrn.engine.influence.records import folding_for

        return self._steps.timed(lambda: folding_for(self._model.dtype.name))

    def _steps_of_chunk(self, sequences: int) -> int:
        """Return how many time steps of sequences are followed before the influence is moved on."""
        numbers = self._numbers + max(table.numbers for table in self._influence.tables)
        return max(1, min(2 * MOST_NUMBERS, MOST_OF_ALL // max(1, sequences)) // numbers)

    def zero(self, sequences: int) -> Carried:
        """Return the influence before the first time step."""
        return self._influence.zero(sequences)

    def source(self) -> str:
        """Return the emitted source."""
        return RecordsEmitter(
            self._model.form, self._steps.lifted, self._found, machine.lanes(self._model.dtype)
        ).source()

    def _call(
        self,
        module: ModuleType,
        individual: Individuals,
        packed: PackedRows,
        scored: Scored,
        state: np.ndarray,
        carried: Carried,
    ) -> Learned:
        dtype, sequences, longest = self._model.dtype, len(state), int(packed.lengths.max(initial=0))
        genome = np.array(individual.genomes, dtype)
        back = self._steps.readout(genome) if scored.feedback is None else scored.feedback
        steps = min(self._steps_of_chunk(sequences), max(longest, 1))
        records = room((sequences, steps, self._numbers), dtype)
        records[...] = self._empty
        readouts = np.zeros((sequences, len(self._readout)), dtype)
        lengths, start, losses = np.zeros(sequences, np.int64), np.zeros(1, np.int64), np.zeros(sequences)
        arguments = FOLLOW.ordered(
            chunk=CHUNK,
            genome=genome,
            options=individual.options,
            sizes=individual.sizes,
            offsets=individual.offsets,
            **{**packed.arguments(), "lengths_all": lengths},
            scale=dtype.type(scored.scale),
            back_all=np.array(back, dtype),
            seen=self._seen,
            state_all=state,
            start=start,
            records_all=records,
            places=self.places,
            readout_all=readouts,
            losses_all=losses,
        )
        stacks = [
            _Stack(k, tables, [room((sequences, steps, count), dtype) for count in counts])
            for k, (tables, counts) in enumerate(self._tables)
        ]
        gradient, loss = np.zeros(self._steps.weights), 0.0
        for first in range(0, max(longest, 1), steps):
            lengths[:] = np.minimum(np.maximum(packed.lengths - first, 0), steps)
            start[0] = first
            if self._work * int(lengths.sum()) < WORTH_SHARING:
                module.follow(0, sequences, *arguments)
            else:
                share(sequences, module.follow, *arguments)
            loss += float(losses.sum())
            for stack in stacks:
                self._move(stack, lengths, (records, genome), carried, gradient)
        gradient[self._readout] += readouts.sum(axis=0, dtype=np.float64)
        return Learned(loss, gradient, state)

    def _move(
        self,
        own: _Stack,
        lengths: np.ndarray,
        given: tuple[np.ndarray, np.ndarray],
        carried: Carried,
        gradient: np.ndarray,
    ) -> None:
        """Move the influence of a stack on by time steps from their records, and add to the gradient."""
        number, tables, results = own
        self._folding.fold(0, len(lengths), lengths, given, tables, tuple(results))
        stack, table = self._influence.stacks[number], self._influence.tables[number]
        loss = results[3].reshape(*results[3].shape[:2], *stack.rows.shape)
        lanes = self._influence.move(number, carried[number], (*results[:3], loss), lengths)
        gradient[stack.weights] += lanes.sum(axis=0, dtype=np.float64)[table.lane_of]
