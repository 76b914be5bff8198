"""Pooling: one vector a sequence from a packed series, for a readout with one output a sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from evorrn.engine.packing import Packed


@dataclass(frozen=True)
class Pool:
    """What a readout sees of a whole sequence.

    Attributes
    ----------
    way : str
        ``"last"``, ``"mean"``, ``"max"``, or ``"sampled:3"`` for three equally spaced time steps one after the other, of which
        the last is the end.
    backward : tuple of bool
        Which rows of a series come from a backward pass; its last step is the first of a sequence.
    """

    way: str
    backward: tuple[bool, ...]

    @property
    def width(self) -> int:
        """The length of the vector."""
        return len(self.backward) * samples(self.way)

    def once(self, packed: Packed) -> Packed:
        """Return sequences of one step, whose target is that of the scored step of each sequence."""
        tiling = packed.tiling
        return replace(
            packed,
            x=np.zeros((tiling.tiles, 1, 0, tiling.lanes), packed.x.dtype),
            targets=packed.targets.sum(axis=1, keepdims=True),
            weights=packed.weights.sum(axis=1, keepdims=True),
            lengths=np.ones_like(packed.lengths),
            span=np.ones_like(packed.span),
        )

    def forward(self, series: np.ndarray, packed: Packed) -> np.ndarray:
        """Return the vectors (..., Q, 1, K, L) of a series (..., Q, T, R, L), which is zero beyond the lengths."""
        lengths = packed.lengths[:, None, None, :]
        if self.way == "mean":
            return series.sum(axis=-3, keepdims=True) / lengths.astype(series.dtype)
        if self.way == "max":
            return np.take_along_axis(series, self._largest(series, lengths), axis=-3)
        found = [np.take_along_axis(series, self._like(at, series), axis=-3) for at in self._steps(lengths)]
        return np.concatenate(found, axis=-2)

    def back(self, series: np.ndarray, packed: Packed, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient of the series (Q, T, R, L) from that of the vectors (Q, 1, K, L)."""
        lengths, result = packed.lengths[:, None, None, :], np.zeros_like(series)
        if self.way == "mean":
            inside = np.arange(series.shape[1])[None, :, None, None] < lengths
            result[...] = np.where(inside, gradient / lengths.astype(series.dtype), 0)
            return result
        if self.way == "max":
            np.put_along_axis(result, self._largest(series, lengths), gradient, axis=1)
            return result
        steps = self._steps(lengths)
        for at, part in zip(steps, np.split(gradient, len(steps), axis=2)):
            index = self._like(at, series)
            np.put_along_axis(result, index, np.take_along_axis(result, index, axis=1) + part, axis=1)
        return result

    def _largest(self, series: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the first time step at which each row of each sequence is largest."""
        steps = series.shape[-3]
        inside = np.arange(steps)[:, None, None] < lengths
        return np.where(inside, series, -np.inf).argmax(axis=-3)[..., None, :, :]

    def _steps(self, lengths: np.ndarray) -> list[np.ndarray]:
        """Return the time steps (Q, 1, R, L) of each sample."""
        rows = np.array(self.backward)[None, None, :, None]
        if self.way == "last":
            return [np.where(rows, 0, lengths - 1)]
        count = samples(self.way)
        shares = (-(-k * lengths // count) for k in range(1, count + 1))
        return [np.where(rows, share, share) - 1 for share in shares]

    def _like(self, at: np.ndarray, series: np.ndarray) -> np.ndarray:
        return np.broadcast_to(at, (*series.shape[:-4], *at.shape))


def samples(way: str) -> int:
    """Return how many time steps a way of pooling puts one after the other."""
    return int(way.partition(":")[2]) if way.startswith("sampled:") else 1
