"""Sequences of different lengths, drawn one by one, as one batch; and what their training targets predict at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.task import Splits


class Example(NamedTuple):
    """One sequence.

    Attributes
    ----------
    inputs : ndarray, shape (T, I)
    targets : ndarray of int, shape (T,), or of float, shape (T, O)
        Labels, or values that may be NaN at steps that are not scored.
    scored : ndarray of bool, shape (T,)
    """

    inputs: np.ndarray
    targets: np.ndarray
    scored: np.ndarray


def padded(examples: Sequence[Example]) -> Batch:
    """Return a batch of the examples, with zeros beyond the end of each (NaN for targets that are floats)."""
    lengths = np.array([len(example.inputs) for example in examples])
    size, steps = len(examples), int(lengths.max())
    first = examples[0]
    inputs = np.zeros((size, steps, first.inputs.shape[1]))
    labels = first.targets.ndim == 1
    targets = np.zeros((size, steps), dtype=np.int64) if labels else _unknown(size, steps, first.targets)
    mask = np.zeros((size, steps), dtype=bool)
    for row, (example, length) in enumerate(zip(examples, lengths)):
        inputs[row, :length] = example.inputs
        targets[row, :length] = example.targets
        mask[row, :length] = example.scored
    return Batch(inputs, targets, mask=mask, lengths=lengths)


def _unknown(size: int, steps: int, targets: np.ndarray) -> np.ndarray:
    """Return targets of the width of the given ones that are not known."""
    return np.full((size, steps, targets.shape[1]), np.nan)


def label_frequencies(splits: Splits, classes: int) -> np.ndarray:
    """Return the logarithm of each label's frequency after the present input, in scored training steps.

    A label that never follows an input has half a count there; after an input that training does not have, all
    labels are equally likely.

    Returns
    -------
    ndarray, shape (B, T, classes)
        Logits of the test split.
    """
    train = splits.train
    shown, places = np.unique(train.inputs[train.scored], axis=0, return_inverse=True)
    counts = np.full((len(shown) + 1, classes), 0.5)
    np.add.at(counts, (places.ravel(), train.targets[train.scored]), 1.0)
    return np.asarray(np.log(counts / counts.sum(axis=1, keepdims=True))[_places(splits, shown)])


def bit_frequencies(splits: Splits, *, by_input: bool = False) -> np.ndarray:
    """Return the log odds of each bit in the scored training steps, or in those of the present input.

    Every bit has half a count more of both values; with `by_input`, bits after an input that training does not have
    are equally likely.

    Returns
    -------
    ndarray, shape (B, T, O)
        Logits of the test split.
    """
    train = splits.train
    bits = train.targets[train.scored]
    inputs = train.inputs[train.scored] * float(by_input)
    shown, places = np.unique(inputs, axis=0, return_inverse=True)
    ones = np.full((len(shown) + 1, bits.shape[1]), 0.5)
    zeros = ones.copy()
    np.add.at(ones, places.ravel(), bits)
    np.add.at(zeros, places.ravel(), 1.0 - bits)
    return np.asarray(np.log(ones / zeros)[_places(splits, shown, by_input)])


def _places(splits: Splits, shown: np.ndarray, by_input: bool = True) -> np.ndarray:
    """Return the row of each test input (B, T) in `shown`; the number of rows for one that is not there."""
    test = splits.test
    assert test is not None
    rows = {row.tobytes(): place for place, row in enumerate(shown)}
    inputs = np.asarray(test.inputs, dtype=shown.dtype) * float(by_input)
    found = [rows.get(step.tobytes(), len(shown)) for step in inputs.reshape(-1, inputs.shape[2])]
    return np.array(found).reshape(inputs.shape[:2])
