"""Description length: the bits that all labels of a sequence need under the network's probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from evorrn.losses.sequence import SequenceLoss


class DescriptionLength(SequenceLoss):
    """The sum over the time steps of a sequence of ``-log2 softmax(y_t)[label_t]``: bits for the whole sequence.

    A sequence has one label for each of its time steps. The loss of a batch is the mean over sequences, so that a long sequence weighs
    more than a short one. The cross-entropy of labels at time steps is instead a mean over all steps, in nats; for sequences of one length T
    it is this loss times ``ln(2) / T``.

    Source: the code length of arithmetic coding by the network's predictions, Rissanen and Langdon 1979.
    """

    name = "description-length"
    metrics = ("description-length", "label_error_rate", "exact_match")

    def __call__(
        self, outputs: np.ndarray, targets: Sequence[np.ndarray], lengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the bits (B,) of each sequence, and their gradient (B, T, O), see `SequenceLoss`."""
        losses, gradient = np.zeros(len(outputs)), np.zeros_like(outputs)
        for row, (own, labels, steps) in enumerate(zip(outputs, targets, lengths)):
            logits = own[:steps].astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            shares = np.exp(logits)
            total = shares.sum(axis=1, keepdims=True)
            places = np.arange(steps), labels
            losses[row] = (np.log(total[:, 0]) - logits[places]).sum() / math.log(2)
            change = shares / total
            change[places] -= 1.0
            gradient[row, :steps] = change / math.log(2)
        return losses, gradient

    def decode(self, outputs: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        """Return the label with the largest logit at each step of each sequence."""
        return [own[:steps].argmax(axis=1) for own, steps in zip(outputs, lengths)]

    def problems(self, targets: Sequence[np.ndarray], lengths: np.ndarray) -> list[str]:
        """Return a sentence when a sequence has not as many labels as time steps."""
        for row, (labels, steps) in enumerate(zip(targets, lengths)):
            if len(labels) != steps:
                return [
                    f"description-length: expected a label for each time step, {steps} in sequence {row}, got {len(labels)}"
                ]
        return []
