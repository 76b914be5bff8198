"""The loss of an encoder-decoder: cross-entropy of the symbols of whole sequences, with their stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evorrn.losses.sequence import SequenceLoss


class SymbolEntropy(SequenceLoss):
    """The mean over the symbols of ``-log softmax(y)[symbol]``, in nats, for the outputs of a decoder.

    The symbols of a sequence are its targets and their stop. An encoder-decoder computes it along its own steps.
    """

    def __init__(self, start: int, stop: int) -> None:
        self.marks = start, stop

    name = "cross-entropy"
    metrics = ("token_accuracy", "exact_match", "edit_distance", "cross_entropy")

    def __call__(
        self, outputs: np.ndarray, targets: Sequence[np.ndarray], lengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the sum of the loss of each sequence (B,) and its gradient (B, V, O).

        Here each row of targets has `lengths` symbols, the stop among them, and `outputs` (B, V, O) are those at the same steps.
        """
        steps = np.arange(outputs.shape[1])
        inside = (steps < np.asarray(lengths)[:, None])[:, :, None]
        logits = outputs.astype(np.float64)
        shifted = logits - logits.max(axis=2, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))
        chosen = np.zeros(outputs.shape)
        for row, symbols in enumerate(targets):
            chosen[row, np.arange(len(symbols)), symbols] = 1
        losses = -(logs * chosen * inside).sum(axis=(1, 2))
        return losses, ((np.exp(logs) - chosen) * inside).astype(outputs.dtype)

    def decode(self, outputs: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        """Return the most probable symbols at each step up to the stop, of outputs (B, V, O); `lengths` have no effect."""
        start, stop = self.marks
        values = outputs.astype(np.float64)
        values[:, :, start] = -np.inf
        return answers(values.argmax(axis=2), stop)


def answers(rows: np.ndarray, stop: int) -> list[np.ndarray]:
    """Return the symbols before the first stop in each row (B, V), all of them where there is none."""
    found = rows == stop
    ends = np.where(found.any(axis=1), found.argmax(axis=1), rows.shape[1])
    return [np.asarray(row[:end], np.int64) for row, end in zip(rows, ends)]
