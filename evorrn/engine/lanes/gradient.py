"""The gradient along lanes: forward with a tape, segment by segment, and the adjoint backward over it."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from evorrn.data.batch import Batch
from evorrn.engine.cache import load
from evorrn.engine.inputs import Conditions, Sequences
from evorrn.engine.lanes.emit import BLOCK
from evorrn.engine.lanes.emit_gradient import GRADIENT, GradientEmitter
from evorrn.engine.lanes.memory import condition_arguments, with_scratch
from evorrn.engine.model import Individuals, Model, Modules
from evorrn.engine.packing import Packed, Tiling, pack, packed_batch
from evorrn.kernels import threads

TAPE_BYTES = 256 * 2**20
"""Memory that the tapes of one tile may take before long sequences are cut into segments."""


class Gradient:
    """The program of a genome's exact gradient.

    Parameters
    ----------
    model : Model
    modules : Modules
    emitter : GradientEmitter
    """

    def __init__(self, model: Model, modules: Modules, emitter: GradientEmitter) -> None:
        self._model = model
        self._modules = modules
        self._emitter = emitter

    def of_loss(
        self, individual: Individuals, batch: Batch, conditions: Conditions, scale: float
    ) -> tuple[float, np.ndarray]:
        """Return the summed loss of one individual and the gradient (n,) of `scale` times it."""
        tiling = self._tiling(batch.size)
        packed = packed_batch(batch, tiling, self._model.dtype)
        losses, gradient = self._call(
            self._module(), individual, packed, conditions, self._from_loss(tiling), scale
        )
        return float(losses.reshape(-1)[: batch.size].sum()), gradient

    def of_outputs(
        self, individual: Individuals, shown: Sequences, output_gradient: np.ndarray
    ) -> np.ndarray:
        """Return the gradient (n,) of a function of the outputs, from its gradient (B, T, O) there."""
        tiling = self._tiling(len(shown.x))
        packed = pack(tiling, shown.x, shown.lengths, self._model.dtype)
        inside = np.arange(shown.x.shape[1])[None, :] < shown.lengths[:, None]
        given = tiling.pack(np.where(inside[:, :, None], output_gradient, 0), self._model.dtype)
        return self._call(self._module(), individual, packed, shown.conditions, given, 1.0)[1]

    def source(self) -> str:
        """Return the emitted source."""
        return self._emitter.gradient()

    def _call(
        self,
        module: ModuleType,
        individual: Individuals,
        packed: Packed,
        conditions: Conditions,
        output_gradient: np.ndarray,
        scale: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses (Q, L) and the gradient (n,); tiles are added up in double precision."""
        model, tiling, steps = self._model, packed.tiling, packed.x.shape[1]
        segment = self._segment(tiling.lanes, steps)
        counts = {"2": 2, "BLOCK": BLOCK, "segment": segment, "segment + 1": segment + 1}
        counts["count"] = -(-steps // segment)
        gradients = np.zeros((tiling.tiles, individual.genomes.size), model.dtype)
        losses = np.zeros((tiling.tiles, tiling.lanes))
        buffers = self._emitter.gradient_buffers
        threads.share(
            tiling.tiles,
            with_scratch(module.gradient, model, buffers, tiling.lanes, counts),
            *GRADIENT.ordered(
                **individual._asdict(),
                **packed.arguments(),
                **condition_arguments(model, tiling, conditions),
                spans=packed.span,
                output_gradient_all=output_gradient,
                ones=np.ones((BLOCK, 1, tiling.lanes), model.dtype),
                scale=model.dtype.type(scale),
                segment=segment,
                gradients=gradients,
                last_state_all=np.zeros((tiling.tiles, 0, tiling.lanes), model.dtype),
                losses_all=losses,
            ),
        )
        return losses, gradients.sum(axis=0, dtype=np.float64).astype(model.dtype)

    def _segment(self, lanes: int, steps: int) -> int:
        """Return how many time steps are taped at a time."""
        buffers = [b for b in self._emitter.gradient_buffers if b.steps.startswith("segment")]
        bytes_a_step = (
            sum(self._model.sizes[b.dimension] for b in buffers) * lanes * self._model.dtype.itemsize
        )
        most = max(BLOCK, TAPE_BYTES // bytes_a_step // BLOCK * BLOCK)
        return max(1, min(most, steps))

    def _from_loss(self, tiling: Tiling) -> np.ndarray:
        """Return the output gradient of no time step, for which the program takes that of the loss."""
        return np.zeros((tiling.tiles, 0, self._model.outputs, tiling.lanes), self._model.dtype)

    def _module(self) -> ModuleType:
        label = f"{self._model.label}_gradient"
        return self._modules.get("gradient", lambda: load(self.source(), label), self._warm_up)

    def _warm_up(self, module: ModuleType) -> None:
        model, tiling = self._model, self._tiling(1)
        individual = model.zero_individual()
        packed = pack(tiling, *model.one_step(), model.dtype)
        one = individual._replace(genomes=individual.genomes[0])
        self._call(module, one, packed, model.zero_conditions(), self._from_loss(tiling), 1.0)

    def _tiling(self, sequences: int) -> Tiling:
        return Tiling.of(sequences, self._model.dtype, widest=2, at_least=2)
