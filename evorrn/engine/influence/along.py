"""Learns forward in time along sequences by an emitted program, first where weights change states of their own units alone."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from evorrn.engine.influence.dense import Dense
from evorrn.engine.influence.emit import LEARN, LearningEmitter
from evorrn.engine.influence.groups import WORTH_SHARING, Carried, influence_of, zeros
from evorrn.engine.influence.jacobians import Learned, Scored
from evorrn.engine.influence.outline import by_state
from evorrn.engine.influence.programmed import Programmed
from evorrn.engine.influence.steps import Steps
from evorrn.engine.influence.units import ByUnit, by_unit
from evorrn.engine.model import Individuals, Model, Modules
from evorrn.engine.packing import PackedRows
from evorrn.kernels import machine
from evorrn.kernels.threads import share

CHUNK_BYTES = 2**15
"""About how many bytes of the steps of a chunk are kept: as many as a processor's first cache holds."""


class Along(Programmed):
    """The program of an influence by units.

    Parameters
    ----------
    model : Model
    modules : Modules
    steps : Steps
    found : ByUnit
    key : tuple
        Names the influence among those of the network.
    work : int
        The multiply-adds of one time step of one sequence.
    """

    def __init__(
        self, model: Model, modules: Modules, steps: Steps, found: ByUnit, key: tuple[object, ...], work: int
    ) -> None:
        super().__init__(model, modules, steps, "learning", key)
        self._found, self._work = found, work
        self._vector = machine.lanes(model.dtype)
        places, weights, at, traces = [], [], 0, 0
        for part in found.parts:
            for run in part.runs:
                units, count = run.weights.shape
                unit, source = np.arange(units)[:, None], np.arange(count)
                block, lane = unit // self._vector, unit % self._vector
                places.append((at + (block * count + source) * self._vector + lane).ravel())
                weights.append(run.weights.ravel())
                size = -(-units // self._vector) * self._vector * count
                at, traces = at + size, traces + size * len(part.states)
        self._places, self._weights = np.concatenate(places), np.concatenate(weights)
        self._numbers, self._traces = at, traces
        self._readout = np.concatenate([weights.ravel() for _, weights in found.readout])
        used = {name for part in found.parts for name in part.states}
        self._seen = np.array([first for name, first in found.seen.items() if name in used], np.int64)
        kept = sum(len(part.states) ** 2 + 2 * len(part.states) + len(part.runs) for part in found.parts)
        self._chunk = int(np.clip(CHUNK_BYTES // (kept * max(model.units) * model.dtype.itemsize), 4, 256))

    def zero(self, sequences: int) -> Carried:
        """Return the traces before the first time step, an array."""
        return [zeros((sequences, self._traces), self._model.dtype)]

    def source(self) -> str:
        """Return the emitted source."""
        return LearningEmitter(self._model.form, self._steps.lifted, self._found, self._vector).source()

    def _call(
        self,
        module: ModuleType,
        individual: Individuals,
        packed: PackedRows,
        scored: Scored,
        state: np.ndarray,
        carried: Carried,
    ) -> Learned:
        dtype, sequences = self._model.dtype, len(state)
        genome = np.array(individual.genomes, dtype)
        back = self._steps.readout(genome) if scored.feedback is None else scored.feedback
        losses = np.zeros(sequences)
        gradients = np.zeros((sequences, self._numbers), dtype)
        readouts = np.zeros((sequences, len(self._readout)), dtype)
        arguments = LEARN.ordered(
            chunk=self._chunk,
            genome=genome,
            options=individual.options,
            sizes=individual.sizes,
            offsets=individual.offsets,
            **packed.arguments(),
            scale=dtype.type(scored.scale),
            back_all=np.array(back, dtype),
            seen=self._seen,
            state_all=state,
            traces_all=carried[0],
            gradient_all=gradients,
            readout_all=readouts,
            losses_all=losses,
        )
        if self._work * int(packed.lengths.sum()) < WORTH_SHARING:
            module.learn(0, sequences, *arguments)
        else:
            share(sequences, module.learn, *arguments)
        gradient = np.zeros(self._steps.weights)
        gradient[self._weights] = gradients.sum(axis=0, dtype=np.float64)[self._places]
        gradient[self._readout] += readouts.sum(axis=0, dtype=np.float64)
        return Learned(float(losses.sum()), gradient, state)


def along(model: Model, modules: Modules, steps: Steps, order: int | None, own: bool) -> Programmed | None:
    """Return the program of an influence, see `Influence`; None where none can be emitted."""
    influence = influence_of(steps, order, own)
    units = by_unit(model, steps, influence, own)
    if units:
        return Along(model, modules, steps, units, (order, own), influence.work + steps.work)
    states = by_state(model, steps, influence)
    return Dense(model, modules, steps, influence, states) if states else None
