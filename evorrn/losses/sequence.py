"""The base class of losses that look at all outputs of a sequence at once.

A subclass defines `name` and `__call__`, and may define what else the base class has. It needs no compiled functions:
its gradient with respect to the outputs goes backward through the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from evorrn.losses.base import Loss


class SequenceLoss(Loss):
    """Base class of losses on whole sequences, whose targets are a row of labels for each sequence.

    The loss of a batch is the mean over its sequences. `metrics` are keys of `evorrn.data.label_metrics.SEQUENCE_METRICS`, or the
    name of the loss; without any, runs are ranked by the loss.

    Examples
    --------
    The squared difference between the sum of the first output and the number of labels:

    >>> import numpy as np
    >>> class Counted(SequenceLoss):
    ...     name = "counted"
    ...
    ...     def __call__(self, outputs, targets, lengths):
    ...         inside = np.arange(outputs.shape[1]) < lengths[:, None]
    ...         error = (outputs[:, :, 0] * inside).sum(axis=1) - [len(row) for row in targets]
    ...         gradient = np.zeros_like(outputs)
    ...         gradient[:, :, 0] = 2 * error[:, None] * inside
    ...         return error**2, gradient
    >>> losses, gradient = Counted()(np.ones((1, 3, 2)), [np.array([4])], np.array([2]))
    >>> losses.tolist(), gradient[0, :, 0].tolist()
    ([1.0], [2.0, 2.0, 0.0])
    """

    targets: ClassVar[str] = "sequences"
    logits: ClassVar[bool] = True

    def __call__(
        self, outputs: np.ndarray, targets: Sequence[np.ndarray], lengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss of each sequence, and its gradient with respect to the outputs.

        Parameters
        ----------
        outputs : ndarray, shape (B, T, O)
        targets : sequence of B ndarray of int64
            The labels of each sequence.
        lengths : ndarray of int64, shape (B,)
            Time steps of each sequence; outputs beyond are zero and have no effect.

        Returns
        -------
        losses : ndarray, shape (B,), float64
        gradient : ndarray, shape (B, T, O)
            Zero beyond the length of a sequence.
        """
        raise NotImplementedError

    def losses(self, outputs: np.ndarray, targets: Sequence[np.ndarray], lengths: np.ndarray) -> np.ndarray:
        """Return the losses (B,) alone; a subclass may have a faster way to them."""
        return self(outputs, targets, lengths)[0]

    def decode(self, outputs: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        """Return the labels that the outputs (B, T, O) stand for, one array for each sequence; needed for metrics."""
        raise NotImplementedError

    @property
    def decodes(self) -> bool:
        """Whether the loss has a way from outputs to labels."""
        return type(self).decode is not SequenceLoss.decode

    @property
    def measured(self) -> tuple[str, ...]:
        """The metrics, or the name of the loss where there are none."""
        return self.metrics or (self.name,)

    def problems(self, targets: Sequence[np.ndarray], lengths: np.ndarray) -> list[str]:
        """Return a sentence for each reason why the loss of a batch cannot be computed."""
        return []

    @property
    def module(self) -> str:
        """A module of compiled functions that add nothing: the time steps of a network compute no loss."""
        return "evorrn.losses.reward"

    def entries(self, steps: np.ndarray, outputs: int) -> np.ndarray:
        """Return 1 for each sequence: the loss of a batch is the mean over sequences."""
        return np.ones(len(steps))
