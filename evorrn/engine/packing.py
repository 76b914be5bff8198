"""Packing: copies sequences into the memory order of the kernels, where a tile of lanes is the last axis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evorrn.data.batch import Batch
from evorrn.engine.arguments import SEQUENCES
from evorrn.engine.listing.walk import Base, base
from evorrn.kernels import machine
from evorrn.kernels.memory import room


@dataclass(frozen=True)
class Tiling:
    """The division of B sequences into Q tiles of L lanes; the last lanes are empty if B < Q L.

    Attributes
    ----------
    sequences, tiles, lanes : int
        B, Q and L.
    """

    sequences: int
    tiles: int
    lanes: int

    @classmethod
    def of(cls, sequences: int, dtype: np.dtype, widest: int, at_least: int) -> Tiling:
        """Return a tiling with at most `widest` vectors a tile, and at least `at_least` tiles if there are enough.

        It depends only on the number of sequences and the dtype, so that results do not depend on threads.
        """
        vector = machine.lanes(dtype)
        vectors = -(-sequences // vector)
        tiles = max(-(-vectors // widest), min(at_least, vectors))
        width = -(-vectors // tiles)
        return cls(sequences, -(-vectors // width), width * vector)

    def pack(self, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Return an array (B, T, K) as (Q, T, K, L), with zeros in empty lanes."""
        full = np.zeros((self.tiles * self.lanes, *array.shape[1:]), dtype=dtype)
        full[: self.sequences] = array
        split = full.reshape(self.tiles, self.lanes, *array.shape[1:])
        return np.ascontiguousarray(np.moveaxis(split, 1, -1))

    def unpack(self, array: np.ndarray) -> np.ndarray:
        """Return an array (Q, T, K, L) as (B, T, K)."""
        split = np.moveaxis(array, -1, 1)
        return np.ascontiguousarray(
            split.reshape(self.tiles * self.lanes, *split.shape[2:])[: self.sequences]
        )


@dataclass(frozen=True)
class Packed:
    """A batch packed into tiles; `Tiling` describes the axes.

    Attributes
    ----------
    x : ndarray, shape (Q, T, I, L)
    targets : ndarray, shape (Q, T, O, L), or (Q, T, 1, L) of labels
    weights : ndarray, shape (Q, T, L)
        1 where a time step is scored, 0 elsewhere.
    lengths : ndarray of int64, shape (Q, L)
    span : ndarray of int64, shape (Q, 3)
        Of each tile: the shortest and the longest length of its sequences, and the first time step in closed loop.
    """

    tiling: Tiling
    x: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray
    span: np.ndarray

    @cached_property
    def bases(self) -> dict[str, Base]:
        """Where the arrays are, for a listing."""
        names = ("x", "targets", "weights", "lengths")
        return {name: base(getattr(self, name), "q") for name in names}


def pack(
    tiling: Tiling,
    inputs: np.ndarray,
    lengths: np.ndarray,
    dtype: np.dtype,
    targets: np.ndarray | None = None,
    scored: np.ndarray | None = None,
) -> Packed:
    """Return packed sequences; values beyond the length of a sequence are set to zero.

    Parameters
    ----------
    tiling : Tiling
    inputs : ndarray, shape (B, T, I), or (B, T) of symbols
    lengths : ndarray of int, shape (B,)
    dtype : dtype
    targets : ndarray, shape (B, T, O), or (B, T) of labels, optional
    scored : ndarray of bool, shape (B, T), optional
        Without targets and scored steps, no step is scored.
    """
    inputs = inputs[:, :, None] if inputs.ndim == 2 else inputs
    sequences, steps, _ = inputs.shape
    inside = np.arange(steps)[None, :] < lengths[:, None]
    x = tiling.pack(np.where(inside[:, :, None], inputs, 0), dtype)
    if targets is None or scored is None:
        truth = np.zeros((tiling.tiles, steps, 1, tiling.lanes), dtype)
        weights = np.zeros((tiling.tiles, steps, tiling.lanes), dtype)
    else:
        columns = targets[:, :, None] if targets.ndim == 2 else targets
        truth = tiling.pack(np.where(scored[:, :, None], columns, 0), dtype)
        weights = tiling.pack(scored[:, :, None], dtype)[:, :, 0]
    # Empty lanes run as many steps as the longest sequence of their tile, so kernels need not test for them.
    padded = np.zeros(tiling.tiles * tiling.lanes, np.int64)
    padded[:sequences] = lengths
    by_tile = padded.reshape(tiling.tiles, tiling.lanes)
    used = by_tile > 0
    longest = by_tile.max(axis=1)
    shortest = np.where(used, by_tile, longest[:, None]).min(axis=1)
    span = np.stack([shortest, longest, np.full(tiling.tiles, steps)], axis=1).astype(np.int64)
    return Packed(
        tiling, x, truth, np.ascontiguousarray(weights), np.where(used, by_tile, longest[:, None]), span
    )


def packed_batch(batch: Batch, tiling: Tiling, dtype: np.dtype) -> Packed:
    """Return a packed batch; the batch keeps it, so that it is packed once for each tiling and dtype."""
    key = (tiling, dtype.str)
    if key not in batch.packed:
        assert batch.lengths is not None
        batch.packed[key] = pack(tiling, batch.inputs, batch.lengths, dtype, batch.targets, batch.scored)
    return batch.packed[key]


def free_steps(tiling: Tiling, packed: Packed, free_from: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the first time step in closed loop of each lane (Q, L), T if there is none, and the spans (Q, 3)."""
    steps = packed.x.shape[1]
    padded = np.full(tiling.tiles * tiling.lanes, steps, np.int64)
    if free_from is not None:
        padded[: tiling.sequences] = free_from
    by_tile = padded.reshape(tiling.tiles, tiling.lanes)
    span = packed.span.copy()
    span[:, 2] = by_tile.min(axis=1)
    return by_tile, span


def room_for_series(packed: Packed, rows: int, dtype: np.dtype, lead: tuple[int, ...] = ()) -> np.ndarray:
    """Return room for a series (..., Q, T, rows, L), which is zero beyond the longest sequence of each tile."""
    tiling, steps = packed.tiling, packed.x.shape[1]
    series = room((*lead, tiling.tiles, steps, rows, tiling.lanes), dtype)
    for tile, longest in enumerate(packed.span[:, 1]):
        series[..., tile, longest:, :, :] = 0
    return series


@dataclass(frozen=True)
class PackedRows:
    """A batch packed for the layout whose vector axis holds units.

    Attributes
    ----------
    x : ndarray, shape (B, T, I)
        Zero beyond the length of a sequence.
    targets : ndarray, shape (B, T, O), or (B, T, 1) of labels
        Zero where a step is not scored.
    weights : ndarray, shape (B, T)
        1 where a time step is scored, 0 elsewhere.
    lengths : ndarray, shape (B,)
    """

    x: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray

    def arguments(self) -> dict[str, np.ndarray]:
        """Return ``{name of the argument of a program: array}``."""
        return dict(zip(SEQUENCES, (self.x, self.targets, self.weights, self.lengths)))


def pack_rows(
    inputs: np.ndarray,
    lengths: np.ndarray,
    dtype: np.dtype,
    targets: np.ndarray | None = None,
    scored: np.ndarray | None = None,
) -> PackedRows:
    """Return packed sequences without tiles; the parameters are those of `pack`."""
    inside = np.arange(inputs.shape[1])[None, :] < lengths[:, None]
    x = np.where(inside[:, :, None], inputs, 0).astype(dtype)
    if targets is None or scored is None:
        return PackedRows(x, np.zeros((*x.shape[:2], 1), dtype), np.zeros(x.shape[:2], dtype), lengths)
    columns = targets[:, :, None] if targets.ndim == 2 else targets
    return PackedRows(
        x, np.where(scored[:, :, None], columns, 0).astype(dtype), scored.astype(dtype), lengths
    )


def packed_rows_batch(batch: Batch, dtype: np.dtype) -> PackedRows:
    """Return a batch packed without tiles; the batch keeps it, so that it is packed once for each dtype."""
    key = ("rows", dtype.str)
    if key not in batch.packed:
        assert batch.lengths is not None
        batch.packed[key] = pack_rows(
            batch.inputs, np.array(batch.lengths), dtype, batch.targets, batch.scored
        )
    return batch.packed[key]
