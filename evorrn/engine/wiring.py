"""Wiring: the passes of a network put together, for prediction, fitness of a population and gradient alike.

The series of a layer is one array, in which each of its passes has rows of its own: the forward pass, then the backward
one. The next layer reads that array, and so does the readout, which reads those of all layers if it is to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evorrn.engine.lanes.gradient import gradient_tiling
from evorrn.engine.lanes.run import forward_tiling
from evorrn.engine.layers import Forward, Layers, Piece
from evorrn.engine.model import Settings
from evorrn.engine.packing import Packed, Tiling, pack, packed_batch
from evorrn.engine.passes import Back, Seen
from evorrn.engine.pooling import Pool

if TYPE_CHECKING:
    from evorrn.data.batch import Batch
    from evorrn.engine.inputs import Conditions, Sequences

CHUNK = 8 * 2**20
"""Bytes of series that are held at once, so that they stay in cache; a population is run in several chunks."""

FEWEST = 4
"""Genomes of a chunk, at least, so that all threads have work."""


@dataclass(frozen=True)
class Wiring:
    """Layers of passes under a readout. It has the methods of `evorrn.engine.programs.Programs`, which describes them.

    Parameters
    ----------
    layers : Layers
        All layers but what `readout` has.
    readout : Piece
        The readout, or a whole stack of layers with its readout.
    reads_all : bool
        Whether the readout sees all layers, and not the last one alone.
    pool : Pool, optional
        What the readout sees of a whole sequence; outputs are then (B, O).
    """

    layers: Layers
    readout: Piece
    reads_all: bool
    pool: Pool | None = None

    # --- Forward ------------------------------------------------------------------------------------

    def run(
        self, genome: np.ndarray, settings: Sequence[Settings], shown: Sequences, want: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs or what the readout sees (B, T, K), and the last states (B, S), of a genome (n,)."""
        tiling = forward_tiling(len(shown.x), self._dtype)
        packed = pack(tiling, shown.x, shown.lengths, self._dtype)
        series, last = self._series(
            genome[None], settings, packed, self._states(tiling, shown.conditions), want
        )
        return self._unpacked(tiling, series[0], shown), tiling.unpack(last[0][:, None])[:, 0]

    def series(
        self, genomes: np.ndarray, settings: Sequence[Settings], shown: Sequences, want: str
    ) -> np.ndarray:
        """Return the same values (P, B, T, K) of each genome (P, n)."""
        tiling = forward_tiling(len(shown.x), self._dtype)
        packed = pack(tiling, shown.x, shown.lengths, self._dtype)
        state = self._states(tiling, shown.conditions)
        found = []
        for part in self._chunks(genomes, packed):
            series, _ = self._series(part, settings, packed, state, want)
            found += [self._unpacked(tiling, of_one, shown) for of_one in series]
        return np.stack(found)

    def loss_sums(
        self,
        genomes: np.ndarray,
        settings: Sequence[Settings],
        batch: Batch,
        conditions: Conditions,
        sparse: bool,
    ) -> np.ndarray:
        """Return the sum of the loss of each genome over each sequence, shape (P, B), float64."""
        tiling = forward_tiling(batch.size, self._dtype)
        packed = packed_batch(batch, tiling, self._dtype)
        state = self._states(tiling, conditions)
        found = []
        for part in self._chunks(genomes, packed):
            through = self.layers.forward(part, settings, packed, state)
            losses = self.readout.run.losses(
                *self.readout.own(part, settings), self._last_seen(part, packed, state, through)
            )
            found.append(losses.reshape(len(part), -1)[:, : batch.size])
        return np.concatenate(found)

    # --- Gradient -----------------------------------------------------------------------------------

    def gradient(
        self,
        genome: np.ndarray,
        settings: Sequence[Settings],
        batch: Batch,
        conditions: Conditions,
        scale: float,
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the sum of the loss of a genome (n,), the gradient (n,) of ``scale`` times it, and the last states."""
        tiling = self._gradient_tiling(batch.size)
        packed = packed_batch(batch, tiling, self._dtype)
        state = self._states(tiling, conditions)
        through = self.layers.record(genome, settings, packed, state)
        seen = self._last_seen(genome, packed, state, through)
        losses, last, back = self.readout.run.loss_and_back(*self.readout.own(genome, settings), seen, scale)
        gradient = self._backward(genome, settings, packed, through, back)
        ends = np.concatenate([*through.last, last], axis=1)
        return float(losses.reshape(-1)[: batch.size].sum()), gradient, tiling.unpack(ends[:, None])[:, 0]

    def vjp(
        self,
        genome: np.ndarray,
        settings: Sequence[Settings],
        shown: Sequences,
        output_gradient: np.ndarray,
    ) -> np.ndarray:
        """Return the gradient (n,) of a function of the outputs, from its gradient (B, T, O) with respect to these."""
        tiling = self._gradient_tiling(len(shown.x))
        packed = pack(tiling, shown.x, shown.lengths, self._dtype)
        state = self._states(tiling, shown.conditions)
        through = self.layers.record(genome, settings, packed, state)
        seen = self._last_seen(genome, packed, state, through)
        inside = np.arange(shown.x.shape[1])[None, :] < shown.lengths[:, None]
        if self.pool:
            given = tiling.pack(output_gradient[:, None], self._dtype)
        else:
            given = tiling.pack(np.where(inside[:, :, None], output_gradient, 0), self._dtype)
        about = *self.readout.own(genome, settings), seen
        out = np.zeros_like(given)
        back = self.readout.run.back(*about, self.readout.run.record(*about, out).now(), (out, given))
        return self._backward(genome, settings, packed, through, back.now())

    # --- What else a network asks -------------------------------------------------------------------

    def weights(self, genome: np.ndarray, settings: Sequence[Settings]) -> dict[str, np.ndarray]:
        """Return all weights by name, those of each pass under the names of its own time step after its number."""
        return {
            f"pass{number}.{name}": weights
            for number, piece in enumerate(self._pieces)
            for name, weights in piece.run.model.weights(*piece.own(genome, settings)).items()
        }

    def saved_work(self, genome: np.ndarray) -> int:
        """Return 0: no matrix is run as a sparse one."""
        return 0

    def source(self) -> str:
        """Return the listings of all passes, one after the other."""
        return "\n\n".join(
            f"# Pass {number}\n{piece.run.source()}" for number, piece in enumerate(self._pieces)
        )

    # --- The way through the passes -----------------------------------------------------------------

    @property
    def _pieces(self) -> list[Piece]:
        return [*(piece for layer in self.layers.passes for piece in layer), self.readout]

    @property
    def _dtype(self) -> np.dtype:
        return self.readout.run.model.dtype

    def _gradient_tiling(self, sequences: int) -> Tiling:
        """Return the tiling of sequences for a gradient; where layers have two passes, one tile is work for two threads."""
        return gradient_tiling(sequences, self._dtype, 1 if self._two else 2)

    @property
    def _two(self) -> bool:
        return any(len(layer) > 1 for layer in self.layers.passes)

    def _states(self, tiling: Tiling, conditions: Conditions) -> np.ndarray:
        return tiling.pack(conditions.state[:, None], self._dtype)[:, 0]

    def _backward(
        self,
        genome: np.ndarray,
        settings: Sequence[Settings],
        packed: Packed,
        through: Forward,
        back: Back,
    ) -> np.ndarray:
        """Return the gradient (n,) of a genome, from what the readout gave back."""
        gradient = np.zeros_like(genome)
        gradient[self.readout.genes] = back.genes
        d_x = back.x
        if self.pool:
            assert d_x is not None
            d_x = self.pool.back(self._joined(through), packed, d_x)
        if self.layers.passes or self.layers.embedding:
            assert d_x is not None
            shares = self._shares(through, d_x) if self.layers.passes else [d_x]
            self.layers.back(gradient, (genome, settings, packed, through), shares)
        return gradient

    def _joined(self, through: Forward) -> np.ndarray:
        """Return the series that the readout sees at every time step."""
        series = through.series if self.reads_all else through.series[-1:]
        return series[0] if len(series) == 1 else np.concatenate(series, axis=-2)

    def _shares(self, through: Forward, d_x: np.ndarray) -> list[np.ndarray]:
        """Return the gradient of what the readout saw as one of the series of each layer."""
        if not self.reads_all:
            return [*(np.zeros((), self._dtype) for _ in through.series[1:]), d_x]
        ends = np.cumsum([series.shape[-2] for series in through.series])[:-1]
        return [np.ascontiguousarray(part) for part in np.split(d_x, ends, axis=-2)]

    def _last_seen(self, genomes: np.ndarray, packed: Packed, state: np.ndarray, through: Forward) -> Seen:
        """Return what the readout sees."""
        x = self._joined(through) if self.layers.passes else self.layers.first(genomes, packed)
        if self.pool:
            return Seen(self.pool.once(packed), self.pool.forward(x, packed), state[:, self.readout.states])
        return Seen(packed, x, state[:, self.readout.states])

    def _series(
        self,
        genomes: np.ndarray,
        settings: Sequence[Settings],
        packed: Packed,
        state: np.ndarray,
        want: str,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs or what the readout sees (P, Q, T, K, L), and the last states (P, Q, S, L)."""
        through = self.layers.forward(genomes, settings, packed, state)
        model, steps = self.readout.run.model, 1 if self.pool else packed.x.shape[1]
        out = np.zeros(
            (len(genomes), packed.tiling.tiles, steps, model.width(want), packed.tiling.lanes), self._dtype
        )
        seen = self._last_seen(genomes, packed, state, through)
        last = self.readout.run.run(*self.readout.own(genomes, settings), seen, out, want).now()
        return out, np.concatenate([*through.last, last], axis=2)

    def _unpacked(self, tiling: Tiling, series: np.ndarray, shown: Sequences) -> np.ndarray:
        values = tiling.unpack(series)
        if self.pool:
            return values[:, 0]
        values[np.arange(values.shape[1])[None, :] >= shown.lengths[:, None]] = 0
        return values

    def _chunks(self, genomes: np.ndarray, packed: Packed) -> Iterator[np.ndarray]:
        """Return some genomes after the other, so that their series stay in cache."""
        tiles, steps, _, lanes = packed.x.shape
        rows = sum(layer[0].run.room for layer in self.layers.passes) + self.readout.run.room
        count = max(FEWEST, CHUNK // (tiles * steps * rows * lanes * genomes.itemsize))
        for first in range(0, len(genomes), count):
            yield genomes[first : first + count]
