"""Runs the listings of loss and gradient, whose lanes are the sequences of a batch."""

from __future__ import annotations

import numpy as np

from evorrn.data.batch import Batch
from evorrn.engine.inputs import Conditions, Sequences
from evorrn.engine.lanes.backward import BLOCK, STARTS, TAPE, GradientRows, WantedGradient
from evorrn.engine.lanes.listings import Listings, Task
from evorrn.engine.listing.walk import Base, base
from evorrn.engine.model import Individuals, Model, Modules
from evorrn.engine.packing import Packed, Tiling, pack, packed_batch

TAPE_BYTES = 256 * 2**20
"""The largest memory of the tape of one tile; longer sequences are divided into segments."""


class Gradient:
    """Computes the exact gradient of a genome.

    Parameters
    ----------
    model : Model
    modules : Modules
    """

    def __init__(self, model: Model, modules: Modules) -> None:
        self._model = model
        self._listings = Listings(model, modules, GradientRows)

    def of_loss(
        self, individual: Individuals, batch: Batch, conditions: Conditions, scale: float
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the sum of the loss of one genome over a batch, and the gradient (n,) of `scale` times this sum.

        The third result is the state (B, S) after the last step of each sequence.
        """
        tiling = self._tiling(batch.size)
        packed = packed_batch(batch, tiling, self._model.dtype)
        losses = np.zeros((tiling.tiles, tiling.lanes))
        scales = np.array([scale], self._model.dtype)
        bases = {"losses": base(losses, "q"), "scale": base(scales)}
        gradient, last = self._call(individual, packed, conditions, packed.targets.shape[2], bases)
        return float(losses.reshape(-1)[: batch.size].sum()), gradient, last

    def of_outputs(
        self, individual: Individuals, shown: Sequences, output_gradient: np.ndarray
    ) -> np.ndarray:
        """Return the gradient (n,) of a function of the outputs, from its gradient (B, T, O) with respect to these."""
        tiling = self._tiling(len(shown.x))
        packed = pack(tiling, shown.x, shown.lengths, self._model.dtype)
        inside = np.arange(shown.x.shape[1])[None, :] < shown.lengths[:, None]
        given = tiling.pack(np.where(inside[:, :, None], output_gradient, 0), self._model.dtype)
        return self._call(individual, packed, shown.conditions, 0, {"given": base(given, "q")})[0]

    def source(self) -> str:
        """Return the listing for readers."""
        target_rows = 1 if self._model.form.loss.labels else self._model.outputs
        return GradientRows(self._model, WantedGradient(1, target_rows)).listing.text()

    def _call(
        self,
        individual: Individuals,
        packed: Packed,
        conditions: Conditions,
        target_rows: int,
        bases: dict[str, Base],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient (n,), the sum of those of all tiles added in float64, and the last state (B, S)."""
        model, tiling, steps = self._model, packed.tiling, packed.x.shape[1]
        wanted = WantedGradient(tiling.lanes, target_rows, conditions.teacher is not None)
        segment = segment_of(self._listings, model, wanted, steps)
        gradients = np.zeros((tiling.tiles, individual.genomes.size), model.dtype)
        last = np.zeros((tiling.tiles, model.state_size, tiling.lanes), model.dtype)
        bases |= {"gradient": base(gradients, "q"), "last_state": base(last, "q")}
        spans = packed.span.copy()
        spans[:, 2] = segment
        memory = {TAPE: segment + 1, STARTS: -(-steps // segment)}
        self._listings.run(wanted, Task(individual, packed, conditions, spans), bases, memory)
        gradient = gradients.sum(axis=0, dtype=np.float64).astype(model.dtype)
        return gradient, tiling.unpack(last[:, None])[:, 0]

    def _tiling(self, sequences: int) -> Tiling:
        return gradient_tiling(sequences, self._model.dtype)


def gradient_tiling(sequences: int, dtype: np.dtype, at_least: int = 2) -> Tiling:
    """Return the tiling of sequences for a gradient, with a number of tiles at least if there are enough."""
    return Tiling.of(sequences, dtype, widest=2, at_least=at_least)


def segment_of(listings: Listings[WantedGradient], model: Model, wanted: WantedGradient, steps: int) -> int:
    """Return the number of time steps of a segment."""
    bytes_a_step = listings.size(wanted, TAPE) * model.dtype.itemsize
    most = max(BLOCK, TAPE_BYTES // max(1, bytes_a_step) // BLOCK * BLOCK)
    return max(1, min(most, steps))
