"""Sequences packed into tiles of lanes, the innermost axis; private to batch and network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.data.batch import Batch
from evorrn.engine.arguments import SEQUENCES
from evorrn.kernels import machine


@dataclass(frozen=True)
class Tiling:
    """How B sequences lie in tiles: Q tiles of L lanes, the last lanes empty.

    Attributes
    ----------
    sequences, tiles, lanes : int
    """

    sequences: int
    tiles: int
    lanes: int

    @classmethod
    def of(cls, sequences: int, dtype: np.dtype, widest: int, at_least: int) -> Tiling:
        """Choose tiles of at most `widest` vectors, and at least `at_least` tiles where there are enough.

        The choice depends on the batch and the dtype alone, so that results do not depend on threads.
        """
        vector = machine.lanes(dtype)
        vectors = -(-sequences // vector)
        tiles = max(-(-vectors // widest), min(at_least, vectors))
        width = -(-vectors // tiles)
        return cls(sequences, -(-vectors // width), width * vector)

    def pack(self, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Return (B, T, K) as (Q, T, K, L), empty lanes zero."""
        full = np.zeros((self.tiles * self.lanes, *array.shape[1:]), dtype=dtype)
        full[: self.sequences] = array
        split = full.reshape(self.tiles, self.lanes, *array.shape[1:])
        return np.ascontiguousarray(np.moveaxis(split, 1, -1))

    def unpack(self, array: np.ndarray) -> np.ndarray:
        """Return (Q, T, K, L) as (B, T, K)."""
        split = np.moveaxis(array, -1, 1)
        return np.ascontiguousarray(
            split.reshape(self.tiles * self.lanes, *split.shape[2:])[: self.sequences]
        )


@dataclass(frozen=True)
class Packed:
    """A batch as the kernels take it; see `Tiling` for the axes.

    Attributes
    ----------
    x : ndarray (Q, T, I, L)
    targets : ndarray (Q, T, O, L), or (Q, T, 1, L) of labels
    weights : ndarray (Q, T, L), 1 where a step is scored
    lengths : ndarray (Q, L) of int64
    span : ndarray (Q, 3) of int64
        Shortest and longest length among the lanes in use, and the first free-running step.
    """

    tiling: Tiling
    x: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray
    span: np.ndarray

    def arguments(self) -> dict[str, np.ndarray]:
        """Return the sequences under the names of a program's arguments."""
        return sequence_arguments(self)


def pack(
    tiling: Tiling,
    inputs: np.ndarray,
    lengths: np.ndarray,
    dtype: np.dtype,
    targets: np.ndarray | None = None,
    scored: np.ndarray | None = None,
) -> Packed:
    """Pack inputs, and targets where there are any; what lies beyond a sequence's length becomes zero."""
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
    # Empty lanes move as long as the others of their tile, so that they call for no special care.
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
    """Return a batch packed, from the batch's own memory when it was packed so before."""
    key = (tiling, dtype.str)
    if key not in batch.packed:
        assert batch.lengths is not None
        batch.packed[key] = pack(tiling, batch.inputs, batch.lengths, dtype, batch.targets, batch.scored)
    return batch.packed[key]


def free_steps(tiling: Tiling, packed: Packed, free_from: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return (Q, L) first free-running steps, and the spans that go with them."""
    steps = packed.x.shape[1]
    padded = np.full(tiling.tiles * tiling.lanes, steps, np.int64)
    if free_from is not None:
        padded[: tiling.sequences] = free_from
    by_tile = padded.reshape(tiling.tiles, tiling.lanes)
    span = packed.span.copy()
    span[:, 2] = by_tile.min(axis=1)
    return by_tile, span


@dataclass(frozen=True)
class PackedRows:
    """A batch as the kernels take it when units are the vector axis: (B, T, ...), zero where nothing is.

    Attributes
    ----------
    x : ndarray (B, T, I)
    targets : ndarray (B, T, O), or (B, T, 1) of labels
    weights : ndarray (B, T)
    lengths : ndarray (B,)
    """

    x: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray

    def arguments(self) -> dict[str, np.ndarray]:
        """Return the sequences under the names of a program's arguments."""
        return sequence_arguments(self)


def sequence_arguments(packed: Packed | PackedRows) -> dict[str, np.ndarray]:
    """Return packed sequences under the names of a program's arguments."""
    values = (packed.x, packed.targets, packed.weights, packed.lengths)
    return dict(zip(SEQUENCES, values))


def pack_rows(
    inputs: np.ndarray,
    lengths: np.ndarray,
    dtype: np.dtype,
    targets: np.ndarray | None = None,
    scored: np.ndarray | None = None,
) -> PackedRows:
    """Do what `pack` does, without lanes."""
    inside = np.arange(inputs.shape[1])[None, :] < lengths[:, None]
    x = np.where(inside[:, :, None], inputs, 0).astype(dtype)
    if targets is None or scored is None:
        return PackedRows(x, np.zeros((*x.shape[:2], 1), dtype), np.zeros(x.shape[:2], dtype), lengths)
    columns = targets[:, :, None] if targets.ndim == 2 else targets
    return PackedRows(
        x, np.where(scored[:, :, None], columns, 0).astype(dtype), scored.astype(dtype), lengths
    )


def packed_rows_batch(batch: Batch, dtype: np.dtype) -> PackedRows:
    """Return a batch packed without lanes, from the batch's own memory when it was packed before."""
    key = ("rows", dtype.str)
    if key not in batch.packed:
        assert batch.lengths is not None
        batch.packed[key] = pack_rows(
            batch.inputs, np.array(batch.lengths), dtype, batch.targets, batch.scored
        )
    return batch.packed[key]
