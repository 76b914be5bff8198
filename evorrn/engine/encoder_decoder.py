"""An encoder and a decoder put together: the last state of the one begins the other, and its gradient goes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evorrn.engine.lanes.gradient import gradient_tiling
from evorrn.engine.lanes.run import forward_tiling
from evorrn.engine.layers import Forward, Layers, Piece
from evorrn.engine.model import Settings
from evorrn.engine.packing import Packed, Tiling, pack
from evorrn.engine.passes import Seen
from evorrn.engine.wiring import CHUNK, FEWEST


@dataclass(frozen=True)
class Pairs:
    """Sequences of inputs, each with the symbols that the decoder sees and is to choose.

    Attributes
    ----------
    inputs : ndarray, shape (B, T, I), or (B, T, 1) of symbols
    lengths : ndarray of int64, shape (B,)
    seen, wanted : ndarray of int64, shape (B, V)
        The symbol that the decoder sees at each of its steps, and the one that it is to choose there.
    counts : ndarray of int64, shape (B,)
        Steps of the decoder.
    kept : dict
        The pairs in the memory order of the kernels, for the next call.
    """

    inputs: np.ndarray
    lengths: np.ndarray
    seen: np.ndarray
    wanted: np.ndarray
    counts: np.ndarray
    kept: dict[Any, tuple[Packed, Packed]] = field(default_factory=dict)

    def packed(self, tiling: Tiling, dtype: np.dtype, one_hot: int) -> tuple[Packed, Packed]:
        """Return what encoder and decoder run on; symbols of the decoder are vectors of `one_hot` places, or 0 for none."""
        key = tiling, dtype.str, one_hot
        if key not in self.kept:
            inside = np.arange(self.seen.shape[1]) < self.counts[:, None]
            seen = np.eye(one_hot, dtype=dtype)[self.seen] if one_hot else self.seen
            first = pack(tiling, self.inputs, self.lengths, dtype)
            self.kept[key] = first, pack(tiling, seen, self.counts, dtype, self.wanted, inside)
        return self.kept[key]


@dataclass(frozen=True)
class Handover:
    """First states, and which of the last states of an encoder begin which states of a decoder.

    Attributes
    ----------
    encoder, decoder : ndarray, shape (S,) and (D,)
        The first state of each; that of the decoder holds where nothing is handed over.
    rows, places : ndarray of int, shape (K,)
        The last state `rows` of the encoder begins the state `places` of the decoder. A row may begin several states.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    rows: np.ndarray
    places: np.ndarray

    def begin(self, tiling: Tiling, dtype: np.dtype) -> np.ndarray:
        """Return the first state (Q, S, L) of the encoder."""
        return np.tile(self.encoder.astype(dtype)[None, :, None], (tiling.tiles, 1, tiling.lanes))

    def forward(self, last: np.ndarray) -> np.ndarray:
        """Return the first state (..., D, L) of the decoder from the last states (..., S, L) of the encoder."""
        state = np.empty((*last.shape[:-2], len(self.decoder), last.shape[-1]), last.dtype)
        state[...] = self.decoder[:, None]
        state[..., self.places, :] = last[..., self.rows, :]
        return state

    def back(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient (Q, S, L) of the last states from that of the first state (Q, D, L)."""
        found = np.zeros((len(gradient), len(self.encoder), gradient.shape[-1]), gradient.dtype)
        np.add.at(np.swapaxes(found, 0, 1), self.rows, np.swapaxes(gradient[:, self.places], 0, 1))
        return found


Given = tuple[Sequence[Settings], Sequence[Settings]]
"""The settings of the encoder and of the decoder."""


@dataclass(frozen=True)
class EncoderDecoder:
    """The passes of an encoder, and a decoder that begins in their last states.

    Parameters
    ----------
    encoder : Layers
    embedding : Layers
        What turns the symbols of the decoder into vectors; it has no passes.
    decoder : Piece
        The layers of the decoder with their readout.
    genes : int
        The first genes of a genome, which are those of the encoder.
    handover : Handover
    one_hot : int
        Places of the vectors that stand for symbols where the decoder has no embedding, else 0.
    """

    encoder: Layers
    embedding: Layers
    decoder: Piece
    genes: int
    handover: Handover
    one_hot: int

    # --- Loss and gradient ----------------------------------------------------------------------------

    def loss_sums(self, genomes: np.ndarray, settings: Given, pairs: Pairs) -> np.ndarray:
        """Return the sum of the loss of each genome (P, n) over the symbols of each sequence, shape (P, B), float64."""
        tiling = forward_tiling(len(pairs.inputs), self._dtype)
        first, second = pairs.packed(tiling, self._dtype, self.one_hot)
        found = []
        for part in self._chunks(genomes, first, second):
            _, state = self._encoded(part, settings, first)
            losses = self.decoder.run.losses(*self._own(part, settings), self._seen(part, second, state))
            found.append(losses.reshape(len(part), -1)[:, : tiling.sequences])
        return np.concatenate(found)

    def gradient(
        self, genome: np.ndarray, settings: Given, pairs: Pairs, scale: float
    ) -> tuple[float, np.ndarray]:
        """Return the sum of the loss of a genome (n,), and the gradient (n,) of ``scale`` times it."""
        tiling = gradient_tiling(len(pairs.inputs), self._dtype)
        first, second = pairs.packed(tiling, self._dtype, self.one_hot)
        begin = self.handover.begin(tiling, self._dtype)
        through = self.encoder.record(genome[: self.genes], settings[0], first, begin)
        state = self.handover.forward(np.concatenate(through.last, axis=1))
        seen = self._seen(genome, second, state)
        losses, _, back = self.decoder.run.loss_and_back(*self._own(genome, settings), seen, scale)
        gradient = np.zeros_like(genome)
        of_decoder = gradient[self.genes :]
        of_decoder[self.decoder.genes] = back.genes
        if self.embedding.embedding:
            assert back.x is not None
            about = genome[self.genes :], settings[1], second, Forward([], [], [], [])
            self.embedding.back(of_decoder, about, [back.x])
        d_last = self.handover.back(back.state)
        shares = [np.zeros((), self._dtype) for _ in through.series[1:]]
        shares.append(np.zeros_like(through.series[-1]))
        of_encoder = genome[: self.genes], settings[0], first, through
        self.encoder.back(gradient[: self.genes], of_encoder, shares, d_last)
        return float(losses.reshape(-1)[: tiling.sequences].sum()), gradient

    # --- Outputs --------------------------------------------------------------------------------------

    def outputs(self, genome: np.ndarray, settings: Given, pairs: Pairs) -> np.ndarray:
        """Return the logits (B, V, O) at each step of the decoder, zero beyond the counts."""
        tiling = forward_tiling(len(pairs.inputs), self._dtype)
        first, second = pairs.packed(tiling, self._dtype, self.one_hot)
        _, state = self._encoded(genome[None], settings, first)
        values = tiling.unpack(self._decoded(genome, settings, second, state)[0][0])
        values[np.arange(values.shape[1]) >= pairs.counts[:, None]] = 0
        return values

    def encode(
        self, genome: np.ndarray, settings: Given, inputs: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        """Return the state (B, D) in which the decoder begins."""
        tiling = forward_tiling(len(inputs), self._dtype)
        packed = pack(tiling, inputs, lengths, self._dtype)
        _, state = self._encoded(genome[None], settings, packed)
        return tiling.unpack(state[0][:, None])[:, 0]

    def step(
        self, genome: np.ndarray, settings: Given, symbols: np.ndarray, state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the logits (B, O) after one more symbol (B,) of each sequence, and the state (B, D) after it."""
        tiling, ones = forward_tiling(len(symbols), self._dtype), np.ones(len(symbols), np.int64)
        seen = np.eye(self.one_hot, dtype=self._dtype)[symbols] if self.one_hot else symbols[:, None]
        packed = pack(tiling, seen[:, None], ones, self._dtype)
        before = tiling.pack(state[:, None], self._dtype)[:, 0]
        series, last = self._decoded(genome, settings, packed, before[None])
        return tiling.unpack(series[0])[:, 0], tiling.unpack(last[0][:, None])[:, 0]

    # --- What else a network asks ---------------------------------------------------------------------

    def weights(self, genome: np.ndarray, settings: Given) -> dict[str, np.ndarray]:
        """Return all weights by name, those of each pass under the names of its own time step after its number."""
        return {
            f"pass{number}.{name}": weights
            for number, (piece, genes, given) in enumerate(self._passes(genome, settings))
            for name, weights in piece.run.model.weights(*piece.own(genes, given)).items()
        }

    def source(self) -> str:
        """Return the listings of all passes, one after the other."""
        pieces = [*(piece for layer in self.encoder.passes for piece in layer), self.decoder]
        return "\n\n".join(f"# Pass {number}\n{piece.run.source()}" for number, piece in enumerate(pieces))

    # --- From the one to the other --------------------------------------------------------------------

    @property
    def _dtype(self) -> np.dtype:
        return self.decoder.run.model.dtype

    def _passes(
        self, genome: np.ndarray, settings: Given
    ) -> Iterator[tuple[Piece, np.ndarray, Sequence[Settings]]]:
        for layer in self.encoder.passes:
            yield from ((piece, genome[: self.genes], settings[0]) for piece in layer)
        yield self.decoder, genome[self.genes :], settings[1]

    def _own(self, genomes: np.ndarray, settings: Given) -> tuple[np.ndarray, Settings]:
        """Return the genes and the settings of the decoder, without its embedding."""
        return self.decoder.own(genomes[..., self.genes :], settings[1])

    def _encoded(self, genomes: np.ndarray, settings: Given, packed: Packed) -> tuple[Forward, np.ndarray]:
        """Return what went through the encoder, and the first state (P, Q, D, L) of the decoder."""
        begin = self.handover.begin(packed.tiling, self._dtype)
        through = self.encoder.forward(genomes[:, : self.genes], settings[0], packed, begin)
        return through, self.handover.forward(np.concatenate(through.last, axis=2))

    def _seen(self, genomes: np.ndarray, packed: Packed, state: np.ndarray) -> Seen:
        """Return what the decoder sees, of genomes (..., n)."""
        return Seen(packed, self.embedding.first(genomes[..., self.genes :], packed), state)

    def _decoded(
        self, genome: np.ndarray, settings: Given, packed: Packed, state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return logits (1, Q, V, O, L) and last states (1, Q, D, L) of a genome (n,) from states (1, Q, D, L)."""
        tiles, steps, _, lanes = packed.x.shape
        model = self.decoder.run.model
        out = np.zeros((1, tiles, steps, model.outputs, lanes), self._dtype)
        seen = self._seen(genome[None], packed, state)
        return out, self.decoder.run.run(*self._own(genome[None], settings), seen, out).now()

    def _chunks(self, genomes: np.ndarray, first: Packed, second: Packed) -> Iterator[np.ndarray]:
        """Return some genomes after the other, so that their series stay in cache."""
        tiles, steps, _, lanes = first.x.shape
        rows = sum(layer[0].run.room for layer in self.encoder.passes)
        held = steps * rows + second.x.shape[1] * self.decoder.run.model.form.sizes["I"]
        count = max(FEWEST, CHUNK // (tiles * held * lanes * genomes.itemsize))
        for at in range(0, len(genomes), count):
            yield genomes[at : at + count]
