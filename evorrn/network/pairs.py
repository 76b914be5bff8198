"""What an encoder-decoder runs on: inputs of the encoder, and the symbols that the decoder sees and is to choose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evorrn.base.errors import DataError, ShapeError
from evorrn.data.arrays import numeric, unmasked
from evorrn.data.batch import Batch
from evorrn.engine.encoder_decoder import Pairs


class Ends(NamedTuple):
    """What an encoder-decoder reads and writes.

    Attributes
    ----------
    inputs, outputs : int
        Inputs or symbols of the encoder, and symbols of the decoder.
    start, stop : int
        Symbols of the decoder.
    embedding : int
        Size of the vectors that the encoder sees in place of symbols, 0 for vectors with a one.
    dtype : dtype
    """

    inputs: int
    outputs: int
    start: int
    stop: int
    embedding: int
    dtype: np.dtype


def checked_pairs(ends: Ends, batch: Batch, teacher: np.ndarray | None = None) -> Pairs:
    """Return the sequences of a batch with their symbols; the batch keeps them.

    Parameters
    ----------
    ends : Ends
    batch : Batch
    teacher : ndarray of int, shape (B, U), optional
        Symbols that the decoder sees after its start, in place of the targets.

    Raises
    ------
    ShapeError
        When inputs, targets or teacher do not fit the ends.
    DataError
        When start or stop are among the targets, or a number is too large for the dtype.
    """
    key = "pairs", ends
    if key not in batch.packed:
        _check(ends, batch)
        assert batch.target_lengths is not None
        inputs, lengths = read_inputs(ends, batch.inputs, None if batch.vectors else batch.lengths)
        rows, counts = batch.targets, batch.target_lengths + 1
        seen = np.full((len(rows), rows.shape[1] + 1), ends.start)
        seen[:, 1:] = np.where(np.arange(rows.shape[1]) < batch.target_lengths[:, None], rows, ends.start)
        wanted = np.concatenate([seen[:, 1:], seen[:, :1]], axis=1)
        wanted[np.arange(len(rows)), batch.target_lengths] = ends.stop
        longest = int(counts.max())
        batch.packed[key] = Pairs(inputs, lengths, seen[:, :longest], wanted[:, :longest], counts)
    pairs: Pairs = batch.packed[key]
    if teacher is None:
        return pairs
    given = shown(ends, teacher, len(pairs.seen))
    if given.shape[1] < pairs.seen.shape[1]:
        raise ShapeError(
            f"teacher: expected at least {pairs.seen.shape[1] - 1} symbols, as the longest target has, got {given.shape[1] - 1}"
        )
    return Pairs(pairs.inputs, pairs.lengths, given[:, : pairs.seen.shape[1]], pairs.wanted, pairs.counts)


def read_inputs(ends: Ends, x: np.ndarray, lengths: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return what the encoder reads, (B, T, I) or (B, T, 1) of symbols for an embedding, and lengths (B,), checked.

    Vectors (B, I) are sequences of one step.
    """
    array = unmasked("x", x)
    symbols = array.ndim == 2 and array.dtype.kind in "iu"
    if array.ndim == 2 and not symbols:
        array = array[:, None]
    if array.ndim != (2 if symbols else 3) or 0 in array.shape[:2]:
        raise ShapeError(
            f"x: expected integers (B, T), or floats (B, T, {ends.inputs}) or (B, {ends.inputs}), got {np.shape(x)}"
        )
    if symbols:
        if array.min() < 0 or array.max() >= ends.inputs:
            raise ShapeError(
                f"x: expected symbols from 0 to {ends.inputs - 1}, as the encoder has {ends.inputs} inputs, got "
                f"{array.min()} to {array.max()}"
            )
        array = array[:, :, None] if ends.embedding else np.eye(ends.inputs, dtype=ends.dtype)[array]
    else:
        array = numeric("x", array)
        if array.shape[2] != ends.inputs:
            raise ShapeError(f"x: expected {ends.inputs} inputs, got {array.shape[2]}")
        if ends.inputs == 1 and ends.embedding:
            raise ShapeError(
                "x: an encoder with an embedding of one input takes integers (B, T); give the encoder embedding = 0 for floats"
            )
    steps = array.shape[1]
    if lengths is None:
        return array, np.full(len(array), steps, np.int64)
    counts = unmasked("lengths", lengths)
    if (
        counts.shape != (len(array),)
        or counts.dtype.kind not in "iu"
        or not 1 <= counts.min() <= counts.max() <= steps
    ):
        raise ShapeError(f"lengths: expected {len(array)} integers from 1 to {steps}, got {lengths!r}")
    return array, counts.astype(np.int64)


def shown(ends: Ends, symbols: np.ndarray, count: int) -> np.ndarray:
    """Return what the decoder sees, (B, U + 1): the start, then given symbols (B, U); raise ShapeError if wrong."""
    array = np.asarray(symbols)
    if array.ndim != 2 or len(array) != count or (array.size and array.dtype.kind not in "iu"):
        raise ShapeError(
            f"teacher: expected shape ({count}, U) of integers, got {array.shape} of {array.dtype}"
        )
    if array.size and not 0 <= array.min() <= array.max() < ends.outputs:
        raise ShapeError(
            f"teacher: expected symbols from 0 to {ends.outputs - 1}, got {array.min()} to {array.max()}"
        )
    return np.concatenate([np.full((count, 1), ends.start), array.astype(np.int64)], axis=1)


def _check(ends: Ends, batch: Batch) -> None:
    if batch.links is not None:
        raise ShapeError("batch: an encoder-decoder reads sequences without links")
    if not batch.whole:
        raise ShapeError(
            "batch: an encoder-decoder needs targets (B, U) of integers, a row for each sequence, with target_lengths"
        )
    if batch.n_outputs > ends.outputs:
        raise ShapeError(
            f"batch: expected targets below {ends.outputs}, the symbols of the decoder, got {batch.n_outputs - 1}"
        )
    for name, symbol in (("start", ends.start), ("stop", ends.stop)):
        for place, row in enumerate(batch.rows):
            if (row == symbol).any():
                raise DataError(
                    f"batch: expected targets without {name}, {symbol}, which the network adds by itself, got it in sequence {place}"
                )
    if batch.symbols and batch.n_inputs > ends.inputs:
        raise ShapeError(
            f"batch: expected symbols from 0 to {ends.inputs - 1}, as the encoder has {ends.inputs} inputs, got "
            f"{batch.n_inputs - 1}"
        )
    if not batch.symbols and batch.n_inputs != ends.inputs:
        raise ShapeError(f"batch: expected {ends.inputs} inputs, got {batch.n_inputs}")
    most = float(np.finfo(ends.dtype).max)
    if batch.largest > most:
        raise DataError(
            f"batch: expected numbers up to {most:.3g}, the largest of {ends.dtype.name}, got {batch.largest:.3g}"
        )
