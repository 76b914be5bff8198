"""Forward along lanes: the sequences of a batch are the vector axis, tile by tile."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from evorrn.data.batch import Batch
from evorrn.engine.cache import load
from evorrn.engine.inputs import Conditions, Sequences
from evorrn.engine.lanes.emit import FORWARD, LanesEmitter
from evorrn.engine.lanes.memory import condition_arguments, with_scratch
from evorrn.engine.model import Individuals, Model, Modules, Results
from evorrn.engine.packing import Packed, Tiling, free_steps, pack, packed_batch
from evorrn.kernels import threads


class Lanes:
    """The forward program along lanes.

    Parameters
    ----------
    model : Model
    modules : Modules
    emitter : LanesEmitter
    """

    def __init__(self, model: Model, modules: Modules, emitter: LanesEmitter) -> None:
        self._model = model
        self._modules = modules
        self._emitter = emitter

    def run(self, individual: Individuals, shown: Sequences, want: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what is wanted of one individual, (B, T, K), and its last state (B, S)."""
        tiling = self._tiling(len(shown.x))
        packed = pack(tiling, shown.x, shown.lengths, self._model.dtype)
        results = self._room(tiling, want, shown.x.shape[1])
        self._call(self._module(), individual, packed, shown.conditions, results)
        series = tiling.unpack(getattr(results, want))
        return series, tiling.unpack(results.last_state[:, None])[:, 0]

    def losses(self, individuals: Individuals, batch: Batch, conditions: Conditions) -> np.ndarray:
        """Return the summed loss of every individual on every sequence, shape (P, B), float64."""
        tiling = self._tiling(batch.size)
        packed = packed_batch(batch, tiling, self._model.dtype)
        losses = self._call(self._module(), individuals, packed, conditions, self._room(tiling))
        return losses.reshape(len(losses), -1)[:, : batch.size]

    def jobs(self, genome: np.ndarray, sequences: int) -> int:
        """Return among how many threads at most one genome's pass over some sequences is shared."""
        return self._tiling(sequences).tiles

    def source(self) -> str:
        """Return the emitted source."""
        return self._emitter.forward()

    def _call(
        self,
        module: ModuleType,
        individuals: Individuals,
        packed: Packed,
        conditions: Conditions,
        results: Results,
    ) -> np.ndarray:
        """Fill the results, and return losses (P, Q, L)."""
        tiling = packed.tiling
        free, span = free_steps(tiling, packed, conditions.free_from)
        losses = np.zeros((len(individuals.genomes), tiling.tiles, tiling.lanes))
        buffers = self._emitter.forward_buffers
        threads.share(
            len(individuals.genomes) * tiling.tiles,
            with_scratch(module.forward, self._model, buffers, tiling.lanes, {"2": 2}),
            *FORWARD.ordered(
                **individuals._asdict(),
                **packed.arguments(),
                **condition_arguments(self._model, tiling, conditions),
                spans=span,
                free_from_all=free,
                **results.arguments(),
                losses_all=losses,
            ),
        )
        return losses

    def _room(self, tiling: Tiling, want: str = "", steps: int = 0) -> Results:
        """Return room for what is wanted and for the last state, or for neither."""
        model = self._model
        outputs, hidden = (
            np.zeros(
                (tiling.tiles, steps if want == name else 0, model.width(name), tiling.lanes), model.dtype
            )
            for name in ("outputs", "hidden")
        )
        rows = model.state_size if want else 0
        return Results(outputs, hidden, np.zeros((tiling.tiles, rows, tiling.lanes), model.dtype))

    def _module(self) -> ModuleType:
        label = f"{self._model.label}_forward"
        return self._modules.get("forward", lambda: load(self.source(), label), self._warm_up)

    def _warm_up(self, module: ModuleType) -> None:
        tiling = self._tiling(1)
        packed = pack(tiling, *self._model.one_step(), self._model.dtype)
        self._call(
            module, self._model.zero_individual(), packed, self._model.zero_conditions(), self._room(tiling)
        )

    def _tiling(self, sequences: int) -> Tiling:
        return Tiling.of(sequences, self._model.dtype, widest=4, at_least=1)
