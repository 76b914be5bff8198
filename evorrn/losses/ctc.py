"""CTC, connectionist temporal classification: labels in order, at time steps that nobody knows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from evorrn.kernels import machine, threads
from evorrn.losses.ctc_decoding import best_path
from evorrn.losses.lattice import lattice
from evorrn.losses.scaled import LOW
from evorrn.losses.sequence import SequenceLoss


class CTC(SequenceLoss):
    """The mean over sequences of ``-log p(labels)``, in nats, for labels whose time steps are not known.

    The outputs of a time step are the logits of O classes. Class 0 is the blank, which means that there is no label; the
    labels are 1 to O - 1. A path has one class for each time step; it stands for the labels that are left when repeated
    classes are merged and blanks are dropped. The probability of the labels is the sum over all paths that stand for them.

    A sequence of T time steps has room for labels up to T, less one for each label that equals the one before it, since a blank
    must lie between them. A network refuses a batch with more; this function gives an infinite loss and a gradient of NaN.

    Source: Graves, Fernández, Gomez and Schmidhuber 2006, equations 5 to 16; here probabilities have an exponent of their own in place
    of the paper's scaling, and the backward variable leaves out the probability of its own time step.
    """

    name = "ctc"
    metrics = ("label_error_rate", "edit_distance", "exact_match", "ctc")

    def __call__(
        self, outputs: np.ndarray, targets: Sequence[np.ndarray], lengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss of each sequence (B,), and its gradient (B, T, O); see `SequenceLoss`."""
        losses, gradient = _run(outputs, targets, lengths, True)
        impossible = np.isinf(losses) | np.isnan(losses)
        gradient[impossible] = np.where(
            np.arange(outputs.shape[1])[None, :, None] < np.asarray(lengths)[impossible, None, None],
            np.nan,
            0,
        )
        return losses, gradient

    def losses(self, outputs: np.ndarray, targets: Sequence[np.ndarray], lengths: np.ndarray) -> np.ndarray:
        """Return the losses (B,) alone, at half the time."""
        return _run(outputs, targets, lengths, False)[0]

    def decode(self, outputs: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        """Return the labels of the most probable path of each sequence, also of a network that has diverged."""
        return [best_path(row[:end]) for row, end in zip(outputs, lengths)]

    def problems(self, targets: Sequence[np.ndarray], lengths: np.ndarray) -> list[str]:
        """Return a sentence for the first sequence with the blank among its labels, and for the first that is too short."""
        blanks = [row for row, labels in enumerate(targets) if (labels == 0).any()]
        needed = np.array([len(labels) + int((labels[1:] == labels[:-1]).sum()) for labels in targets])
        short = np.flatnonzero(needed > lengths)
        found = []
        if blanks:
            found.append(
                f"targets: expected labels from 1 on, since 0 is the blank of ctc, got 0 in sequence {blanks[0]}"
            )
        if len(short):
            row = int(short[0])
            found.append(
                f"targets: the {len(targets[row])} labels of sequence {row} need {needed[row]} time steps, one for each "
                f"label and one between equal neighbours, but it has {lengths[row]}"
            )
        return found


def _run(
    outputs: np.ndarray, targets: Sequence[np.ndarray], lengths: np.ndarray, wanted: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return losses (B,) and, where it is wanted, the gradient (B, T, O)."""
    count, steps, classes = outputs.shape
    dtype = outputs.dtype
    lanes = machine.lanes(dtype)
    tiles = -(-count // lanes)

    def packed(array: np.ndarray) -> np.ndarray:
        full = np.zeros((tiles * lanes, *array.shape[1:]), array.dtype)
        full[:count] = array
        return np.ascontiguousarray(np.moveaxis(full.reshape(tiles, lanes, *array.shape[1:]), 1, -1))

    sequences = tuple(packed(array) for array in _states(targets, lengths, dtype))
    size = sequences[0].shape[1]
    kept = steps if wanted else 1
    buffers = _buffers(
        (
            (tiles, 3, classes, lanes),
            (tiles, kept, 2, size, lanes),
            (tiles, kept + 1, 2, size + 2, lanes),
            (tiles, 2, 2, size, lanes),
            (tiles, 2, size + 2, lanes),
            (tiles, 3, lanes),
        ),
        dtype,
    )
    losses = np.zeros((tiles, lanes))
    gradient = np.zeros((count, steps if wanted else 0, classes), dtype)
    given = np.ascontiguousarray(outputs)
    threads.share(tiles, lattice, given, sequences, buffers, losses, gradient, dtype.type(LOW))
    found = losses.reshape(-1)[:count]
    return np.where(found > -LOW / 10, np.inf, found), gradient


def _buffers(shapes: Sequence[tuple[int, ...]], dtype: np.dtype) -> tuple[np.ndarray, ...]:
    """Return work memory of these shapes: new memory for every call would cost more time than the recursion."""
    sizes = [math.prod(shape) for shape in shapes]
    ends = np.cumsum([-(-size // 16) * 16 for size in sizes])
    memory = threads.scratch(int(ends[-1]), dtype)
    starts = [0, *ends[:-1]]
    return tuple(memory[i : i + size].reshape(shape) for i, size, shape in zip(starts, sizes, shapes))


def _states(targets: Sequence[np.ndarray], lengths: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, ...]:
    """Return the arrays `sequences` of `lattice`, with one row for each sequence in place of tiles and lanes."""
    numbers = np.array([len(labels) for labels in targets], np.int64)
    most = int(numbers.max(initial=0))
    rows = np.zeros((len(numbers), most), np.int64)
    rows[np.arange(most) < numbers[:, None]] = np.concatenate(
        [np.asarray(labels, np.int64) for labels in targets]
    )
    states = np.zeros((len(numbers), 2 * most + 1), np.int32)
    states[:, 1::2] = rows
    counts = 2 * numbers + 1
    closed = np.where(np.arange(states.shape[1]) < counts[:, None], 0, LOW)
    barred = np.full((len(states), states.shape[1] + 2), LOW)
    barred[:, 3:-2:2] = np.where(rows[:, 1:] != rows[:, :-1], 0, LOW)
    return states, closed.astype(dtype), barred.astype(dtype), counts, np.asarray(lengths, np.int64)
