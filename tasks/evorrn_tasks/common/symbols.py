"""Whole numbers (B, T) that stand for symbols: whether arrays hold them, and the same data one-hot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.task import Splits

OF_SEVERAL = ("target_lengths", "links", "split")
"""Arrays that only several sequences have."""


def are_symbols(arrays: Mapping[str, np.ndarray]) -> bool:
    """Return whether inputs are whole numbers in two dimensions, and other arrays say that their first axis is of sequences."""
    inputs = arrays["inputs"]
    several = any(name in arrays for name in OF_SEVERAL) or np.size(arrays.get("lengths", 0)) > 1
    return inputs.ndim == 2 and inputs.dtype.kind in "iu" and several


def one_hot(splits: Splits, symbols: int) -> Splits:
    """Return splits whose inputs (B, T) of symbols are one-hot (B, T, symbols), and zero after the end of a sequence."""
    assert splits.valid is not None and splits.test is not None
    train, valid, test = (_shown(part, symbols) for part in (splits.train, splits.valid, splits.test))
    return replace(splits, train=train, valid=valid, test=test)


def _shown(batch: Batch, symbols: int) -> Batch:
    assert batch.lengths is not None
    inside = np.arange(batch.steps) < batch.lengths[:, None]
    return batch.with_inputs(np.eye(symbols)[batch.inputs] * inside[:, :, None])
