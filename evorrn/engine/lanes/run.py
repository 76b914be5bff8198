"""Runs forward listings, whose lanes are the sequences of a batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evorrn.data.batch import Batch
from evorrn.engine.inputs import Conditions, Sequences
from evorrn.engine.lanes.forward import ForwardRows, Wanted
from evorrn.engine.lanes.listings import Listings, Task
from evorrn.engine.listing.walk import Base, base
from evorrn.engine.model import Individuals, Model, Modules
from evorrn.engine.packing import Packed, Tiling, free_steps, pack, packed_batch


class Lanes:
    """Runs genomes forward, with the sequences of a batch as lanes.

    Parameters
    ----------
    model : Model
    modules : Modules
    """

    def __init__(self, model: Model, modules: Modules) -> None:
        self._model = model
        self._listings = Listings(model, modules, ForwardRows)

    def run(self, individual: Individuals, shown: Sequences, want: str) -> tuple[np.ndarray, np.ndarray]:
        """Return ``"outputs"`` or ``"hidden"`` of one genome, shape (B, T, K), and its last state (B, S)."""
        model, tiling = self._model, self._tiling(len(shown.x))
        packed = pack(tiling, shown.x, shown.lengths, model.dtype)
        tiles = tiling.tiles, shown.x.shape[1], model.width(want), tiling.lanes
        series = np.zeros(tiles, model.dtype)
        last = np.zeros((tiling.tiles, model.state_size, tiling.lanes), model.dtype)
        results = {want: base(series, "q"), "last_state": base(last, "q")}
        self._call(individual, packed, shown.conditions, 0, results, want)
        return tiling.unpack(series), tiling.unpack(last[:, None])[:, 0]

    def losses(self, individuals: Individuals, batch: Batch, conditions: Conditions) -> np.ndarray:
        """Return the sum of the loss of each genome over each sequence, shape (P, B), float64."""
        tiling = self._tiling(batch.size)
        packed = packed_batch(batch, tiling, self._model.dtype)
        losses = np.zeros((len(individuals.genomes), tiling.tiles, tiling.lanes))
        results = {"losses": base(losses, "pq")}
        self._call(individuals, packed, conditions, packed.targets.shape[2], results)
        return losses.reshape(len(losses), -1)[:, : batch.size]

    def jobs(self, genome: np.ndarray, sequences: int) -> int:
        """Return the largest number of threads that can work on one genome and a number of sequences."""
        return self._tiling(sequences).tiles

    def source(self) -> str:
        """Return the listing of the fitness for readers."""
        target_rows = 1 if self._model.form.loss.labels else self._model.outputs
        return ForwardRows(self._model, Wanted(1, target_rows)).listing.text()

    def _call(
        self,
        individuals: Individuals,
        packed: Packed,
        conditions: Conditions,
        target_rows: int,
        results: Mapping[str, Base],
        series: str = "",
    ) -> None:
        """Run the listing, which fills `results`."""
        tiling, free_from = packed.tiling, conditions.free_from
        closed, spans = free_steps(tiling, packed, free_from)
        teacher = conditions.teacher is not None
        wanted = Wanted(tiling.lanes, target_rows, series, teacher, free_from is not None)
        task = Task(individuals, packed, conditions, spans)
        self._listings.run(wanted, task, {**results, "free_from": base(closed, "q")})

    def _tiling(self, sequences: int) -> Tiling:
        return forward_tiling(sequences, self._model.dtype)


def forward_tiling(sequences: int, dtype: np.dtype) -> Tiling:
    """Return the tiling of sequences for a forward pass."""
    return Tiling.of(sequences, dtype, widest=4, at_least=1)
