"""Batch: the sequences that a network is trained or scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from evorrn.base.errors import DataError, ShapeError


@dataclass(frozen=True, eq=False)
class Batch:
    """B sequences of up to T time steps, with their targets.

    Parameters
    ----------
    inputs : array_like, shape (B, T, I)
        Finite floats.
    targets : array_like, shape (B, T, O) of floats, or (B, T) or (B,) of integer labels
        Labels of shape (B,) are scored at each sequence's last step.
    mask : array_like of bool, shape (B, T), optional
        True where a step is scored; all steps by default. An unscored step still moves the state.
    lengths : array_like of int, shape (B,), optional
        Steps of each sequence, T by default. Beyond its length a sequence does not move and is not
        scored; what the arrays hold there has no effect.

    Attributes
    ----------
    packed : dict
        The batch as layouts of kernels have packed it, kept for the next call.

    Raises
    ------
    ShapeError
        When shapes do not fit each other.
    DataError
        When an input within its length or a target at a scored step is not finite, or nothing is scored.
    """

    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray | None = None
    lengths: np.ndarray | None = None
    packed: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        inputs = numeric("inputs", self.inputs)
        if inputs.ndim != 3:
            raise ShapeError(f"inputs: expected shape (B, T, I), got {inputs.shape}")
        if 0 in inputs.shape:
            raise ShapeError(f"inputs: expected at least one sequence, step and input, got {inputs.shape}")
        sequences, steps, _ = inputs.shape
        lengths = _lengths(self.lengths, sequences, steps)
        targets = _targets(self.targets, sequences, steps)
        if targets.ndim == 1:  # labels scored at each sequence's last step
            spread = np.zeros((sequences, steps), dtype=np.int64)
            spread[np.arange(sequences), lengths - 1] = targets
            last = np.zeros((sequences, steps), dtype=bool)
            last[np.arange(sequences), lengths - 1] = True
            targets = spread
        else:
            last = np.ones((sequences, steps), dtype=bool)
        inside = np.arange(steps)[None, :] < lengths[:, None]
        scored = last & inside & _mask(self.mask, sequences, steps)
        if not scored.any():
            raise DataError("mask: expected at least one scored step, got none")
        if not np.isfinite(inputs[inside]).all():
            where = np.argwhere(~np.isfinite(inputs) & inside[:, :, None])[0]
            raise DataError(
                f"inputs: expected finite numbers, got {inputs[tuple(where)]} at {tuple(where.tolist())}"
            )
        if targets.ndim == 3 and not np.isfinite(targets[scored]).all():
            where = np.argwhere(~np.isfinite(targets) & scored[:, :, None])[0]
            raise DataError(
                f"targets: expected finite numbers at scored steps, got {targets[tuple(where)]} at {tuple(where.tolist())}"
            )
        if targets.ndim == 2 and targets[scored].min() < 0:
            raise DataError(f"targets: expected labels from 0 on, got {targets[scored].min()}")
        for name, value in (("inputs", inputs), ("targets", targets), ("lengths", lengths), ("mask", scored)):
            value = np.array(value)
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        """Number of sequences, B."""
        return int(self.inputs.shape[0])

    @property
    def steps(self) -> int:
        """Length of the time axis, T."""
        return int(self.inputs.shape[1])

    @property
    def n_inputs(self) -> int:
        """Inputs at a time step, I."""
        return int(self.inputs.shape[2])

    @property
    def labelled(self) -> bool:
        """Whether targets are integer labels of classes."""
        return self.targets.ndim == 2

    @property
    def n_outputs(self) -> int:
        """Targets at a time step; for labels the largest label plus one."""
        return int(self.targets[self.scored].max()) + 1 if self.labelled else int(self.targets.shape[2])

    @property
    def scored(self) -> np.ndarray:
        """Boolean (B, T): where mask and length say that a step is scored."""
        assert self.mask is not None
        return self.mask

    @cached_property
    def moved_steps(self) -> int:
        """Network steps that one pass over the batch takes: the sum of all lengths."""
        assert self.lengths is not None
        return int(self.lengths.sum())

    def take(self, sequences: Sequence[int] | np.ndarray) -> Batch:
        """Return the batch of some sequences, in the order of the indices given."""
        index = np.asarray(sequences)
        assert self.lengths is not None
        return Batch(
            self.inputs[index], self.targets[index], mask=self.scored[index], lengths=self.lengths[index]
        )


def numeric(name: str, value: Any) -> np.ndarray:
    """Return an array of numbers, at least float32 where they are floats; raises ShapeError for anything else."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{name}: expected a rectangular array of numbers, got ragged rows") from error
    if array.dtype.kind not in "fiub":
        raise ShapeError(f"{name}: expected numbers, got dtype {array.dtype}")
    if array.dtype.kind == "f" and array.dtype.itemsize >= 4:
        return array
    return array.astype(np.float64)


def _targets(value: Any, sequences: int, steps: int) -> np.ndarray:
    array = np.asarray(value)
    wanted = (
        f"({sequences}, {steps}, O) of floats or ({sequences}, {steps}) or ({sequences},) of integer labels"
    )
    if array.ndim == 3 and array.shape[:2] == (sequences, steps) and array.shape[2] > 0:
        return numeric("targets", array)
    if array.shape in ((sequences, steps), (sequences,)) and array.dtype.kind in "iub":
        return array.astype(np.int64)
    raise ShapeError(f"targets: expected shape {wanted}, got {array.shape} of {array.dtype}")


def _lengths(value: Any, sequences: int, steps: int) -> np.ndarray:
    if value is None:
        return np.full(sequences, steps, dtype=np.int64)
    array = np.asarray(value)
    if array.shape != (sequences,) or array.dtype.kind not in "iu":
        raise ShapeError(f"lengths: expected {sequences} integers, got {array.shape} of {array.dtype}")
    if array.min() < 1 or array.max() > steps:
        raise ShapeError(f"lengths: expected values from 1 to {steps}, got {array.min()} to {array.max()}")
    return array.astype(np.int64)


def _mask(value: Any, sequences: int, steps: int) -> np.ndarray:
    if value is None:
        return np.ones((sequences, steps), dtype=bool)
    array = np.asarray(value)
    if array.shape != (sequences, steps):
        raise ShapeError(f"mask: expected shape ({sequences}, {steps}), got {array.shape}")
    if array.dtype.kind not in "b" and not np.isin(array, (0, 1)).all():
        raise ShapeError(f"mask: expected booleans, got dtype {array.dtype}")
    return array.astype(bool)
