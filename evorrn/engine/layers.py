"""Layers of passes: an embedding and passes in one or two directions, without what stands above them.

The series of a layer is one array, in which each of its passes has rows of its own: the forward pass, then the backward
one. The next layer reads that array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evorrn.engine.embedding import Embedding
from evorrn.engine.model import Settings
from evorrn.engine.packing import Packed, room_for_series
from evorrn.engine.passes import Pass, Recorded, Seen
from evorrn.kernels.threads import finished


@dataclass(frozen=True)
class Piece:
    """A pass with its place in the network.

    Attributes
    ----------
    run : Pass
    genes : slice
        Its genes in a genome.
    states : slice
        Its states among those of a sequence.
    settings : int
        Which of the settings of the network are its own.
    """

    run: Pass
    genes: slice
    states: slice
    settings: int

    def own(self, genomes: np.ndarray, settings: Sequence[Settings]) -> tuple[np.ndarray, Settings]:
        """Return the genes and the settings of the pass, of genomes (..., n)."""
        return genomes[..., self.genes], settings[self.settings]


class Forward(NamedTuple):
    """What went through the layers: what each one saw, its series and what its passes left, and the last states."""

    seen: list[list[Seen]]
    series: list[np.ndarray]
    recorded: list[list[Recorded]]
    last: list[np.ndarray]


@dataclass(frozen=True)
class Layers:
    """Layers of passes, the first one above the inputs or their embedding.

    Parameters
    ----------
    passes : sequence of sequence of Piece
        The passes of each layer.
    embedding : Embedding, optional
        Turns symbols into vectors, which the first layer sees.
    """

    passes: Sequence[Sequence[Piece]]
    embedding: Embedding | None = None

    def first(self, genomes: np.ndarray, packed: Packed) -> np.ndarray:
        """Return what the first layer sees, of genomes (..., n)."""
        return self.embedding.series(genomes, packed.x) if self.embedding else packed.x

    def forward(
        self, genomes: np.ndarray, settings: Sequence[Settings], packed: Packed, state: np.ndarray
    ) -> Forward:
        """Run genomes (P, n) through all layers, from states (Q, S, L)."""
        through = Forward([], [], [], [])
        x = self.first(genomes, packed)
        for layer in self.passes:
            out = _series(layer, packed, (len(genomes),))
            seen = [Seen(packed, x, state[:, piece.states]) for piece in layer]
            runs = [
                piece.run.run(*piece.own(genomes, settings), sees, out) for piece, sees in zip(layer, seen)
            ]
            through.last.extend(finished(runs))
            through.series.append(out)
            x = out
        return through

    def record(
        self, genome: np.ndarray, settings: Sequence[Settings], packed: Packed, state: np.ndarray
    ) -> Forward:
        """Run a genome (n,) through all layers, and keep what the way back needs."""
        through = Forward([], [], [], [])
        x = self.first(genome, packed)
        for layer in self.passes:
            out = _series(layer, packed)
            seen = [Seen(packed, x, state[:, piece.states]) for piece in layer]
            runs = [
                piece.run.record(*piece.own(genome, settings), sees, out) for piece, sees in zip(layer, seen)
            ]
            recorded = finished(runs)
            through.seen.append(seen)
            through.series.append(out)
            through.recorded.append(recorded)
            through.last.extend(left.last for left in recorded)
            x = out
        return through

    def back(
        self,
        gradient: np.ndarray,
        given: tuple[np.ndarray, Sequence[Settings], Packed, Forward],
        shares: Sequence[np.ndarray],
        d_last: np.ndarray | None = None,
    ) -> None:
        """Fill the genes of all passes and of the embedding in a gradient (n,).

        Parameters
        ----------
        gradient : ndarray, shape (n,)
        given : tuple
            Genome, settings and packed sequences of `record`, and what it returned.
        shares : sequence of ndarray
            The gradient with respect to the series of each layer, (Q, T, R, L); without layers that of what the first one
            would see.
        d_last : ndarray, shape (Q, S, L), optional
            The gradient with respect to the last states of all passes, zero by default.
        """
        genome, settings, packed, through = given
        shares = list(shares)
        below = [] if self.passes else shares
        for index in reversed(range(len(self.passes))):
            layer, runs = self.passes[index], []
            for piece, seen, recorded in zip(layer, through.seen[index], through.recorded[index]):
                about = *piece.own(genome, settings), seen, recorded
                last = None if d_last is None else np.ascontiguousarray(d_last[:, piece.states])
                runs.append(piece.run.back(*about, (through.series[index], shares[index]), last))
            for piece, found in zip(layer, finished(runs)):
                gradient[piece.genes] = found.genes
                if index:
                    assert found.x is not None
                    if shares[index - 1].ndim:
                        shares[index - 1] += found.x
                    else:
                        shares[index - 1] = found.x
                elif found.x is not None:
                    below.append(found.x)
        if self.embedding:
            d_first: np.ndarray = sum(below)  # type: ignore[assignment]
            gradient[self.embedding.genes] = self.embedding.back(packed.x, d_first)


def _series(layer: Sequence[Piece], packed: Packed, lead: tuple[int, ...] = ()) -> np.ndarray:
    """Return room for the series of a layer."""
    run = layer[0].run
    return room_for_series(packed, run.room, run.model.dtype, lead)
