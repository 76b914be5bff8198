"""The class Batch: sequences that a network is trained or scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from evorrn.base.errors import DataError, ShapeError
from evorrn.base.text import counted
from evorrn.data.arrays import numeric, unmasked
from evorrn.data.links import checked_links


@dataclass(frozen=True, eq=False)
class Batch:
    """B sequences of up to T time steps, with their targets.

    Parameters
    ----------
    inputs : array_like, shape (B, T, I)
        Finite floats; I may be 0, for networks that generate a series by themselves. Or integers (B, T): symbols from 0 on,
        for an embedding, or as vectors with a one. Or floats (B, I): one vector a sequence, for networks with a context; the
        targets then say how many time steps there are.
    targets : array_like, shape (B, T, O) or (B, O) of floats, (B, T) or (B,) of integer labels, or (B, U) with `target_lengths`
        Floats of shape (B, O) and labels of shape (B,) are scored at the last step of each sequence. Float targets of unscored steps may be NaN,
        which means unknown; a network that sees its own output is taught with the known ones before the first scored
        step, see `evorrn.Network.warm_up`.
    mask : array_like of bool, shape (B, T), optional
        True where a step is scored; all steps by default. An unscored step still updates the state.
    lengths : array_like of int, shape (B,), optional
        Number of time steps of each sequence, T by default. Beyond the length of a sequence the state does
        not change and nothing is scored; the values of the arrays there have no effect.
    target_lengths : array_like of int, shape (B,), optional
        With it, targets are integers (B, U): the labels of a whole sequence in their order, without a time step for each.
        Row b has `target_lengths[b]` of them, from 0 to U; what stands beyond has no effect. All time steps count, so
        there is no mask. For losses on whole sequences, such as ``"ctc"``.
    links : array_like of int, shape (B, T, A), optional
        For cells whose steps see A earlier steps in place of the last one, such as the nodes of trees and grids: step t
        of sequence b sees the states of the steps ``links[b, t]``, each smaller than t, or -1 for none.

    Attributes
    ----------
    packed : dict
        Copies of the batch in the memory order of the kernels, kept for the next call.

    Raises
    ------
    ShapeError
        When the shapes do not fit each other.
    DataError
        When an input within its length or a target at a scored step is not finite, no step is scored, a link goes to no
        earlier step, or an array has masked entries.

    Examples
    --------
    Two sequences of three time steps; the second has only two, and all scores count from step 1 on:

    >>> import numpy as np
    >>> import evorrn
    >>> inputs = np.zeros((2, 3, 1))
    >>> targets = np.zeros((2, 3, 1))
    >>> mask = np.array([[False, True, True], [False, True, True]])
    >>> batch = evorrn.Batch(inputs, targets, mask=mask, lengths=[3, 2])
    >>> batch.size, batch.steps, batch.n_inputs, batch.n_outputs
    (2, 3, 1, 1)
    >>> batch.scored.tolist()
    [[False, True, True], [False, True, False]]

    Integer labels of classes, one for each sequence, are scored at its last step:

    >>> evorrn.Batch(inputs, [0, 1], lengths=[3, 2]).scored.tolist()
    [[False, False, True], [False, True, False]]

    Labels of whole sequences, two and one:

    >>> [row.tolist() for row in evorrn.Batch(inputs, [[1, 2], [2, 0]], target_lengths=[2, 1]).rows]
    [[1, 2], [2]]
    """

    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray | None = None
    lengths: np.ndarray | None = None
    target_lengths: np.ndarray | None = None
    links: np.ndarray | None = None
    packed: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        inputs = unmasked("inputs", self.inputs)
        symbols = inputs.ndim == 2 and inputs.dtype.kind in "iu"
        inputs = inputs if symbols else numeric("inputs", inputs)
        if inputs.ndim not in (2, 3):
            raise ShapeError(
                f"inputs: expected shape (B, T, I), (B, T) of integers, or (B, I) of one vector a sequence, got {inputs.shape} "
                f"of {inputs.dtype}"
            )
        if 0 in inputs.shape[:2]:
            raise ShapeError(f"inputs: expected at least one sequence and step, got {inputs.shape}")
        vectors = inputs.ndim == 2 and not symbols
        sequences, steps = len(inputs), self._steps_of_targets() if vectors else inputs.shape[1]
        lengths = _lengths(self.lengths, sequences, steps)
        if self.target_lengths is not None:
            if self.mask is not None:
                raise DataError(
                    "mask: expected none, since targets with target_lengths belong to no time steps"
                )
            targets, target_lengths = _rows(self.targets, self.target_lengths, sequences)
            target_lengths.setflags(write=False)
            object.__setattr__(self, "target_lengths", target_lengths)
        else:
            targets = _targets(self.targets, sequences, steps, vectors)
        if targets.ndim == 1 or (targets.ndim == 2 and targets.dtype.kind == "f"):  # scored at each last step
            spread = np.zeros((sequences, steps, *targets.shape[1:]), dtype=targets.dtype)
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
        if symbols:
            inputs = np.where(inside, inputs, 0).astype(np.int64)
            if inputs.min() < 0:
                raise DataError(f"inputs: expected symbols from 0 on, got {inputs.min()}")
        read = np.ones(sequences, dtype=bool) if vectors else inside
        if not np.isfinite(inputs[read]).all():
            where = np.argwhere(~np.isfinite(inputs) & read[..., None])[0]
            raise DataError(
                f"inputs: expected finite numbers, got {inputs[tuple(where)]} at {tuple(where.tolist())}"
            )
        if targets.ndim == 3 and not np.isfinite(targets[scored]).all():
            where = np.argwhere(~np.isfinite(targets) & scored[:, :, None])[0]
            raise DataError(
                f"targets: expected finite numbers at scored steps, got {targets[tuple(where)]} at {tuple(where.tolist())}"
            )
        if not self.whole and targets.ndim == 2 and targets[scored].min() < 0:
            raise DataError(f"targets: expected labels from 0 on, got {targets[scored].min()}")
        checked = {"inputs": inputs, "targets": targets, "lengths": lengths, "mask": scored}
        if self.links is not None:
            checked["links"] = checked_links(unmasked("links", self.links), lengths, steps)
        for name, value in checked.items():
            value = np.array(value)
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or another process receives: all but the packed arrays, whose addresses are those of this process."""
        return {**vars(self), "packed": {}}

    def __repr__(self) -> str:
        """Return the sizes in a line."""
        inputs = "symbols" if self.symbols else counted(self.n_inputs, "input")
        targets = "labels" if self.labelled else counted(self.n_outputs, "target")
        steps = counted(self.steps, "time step")
        return f"Batch({counted(self.size, 'sequence')} of up to {steps}: {inputs}, {targets})"

    @property
    def size(self) -> int:
        """The number of sequences, B."""
        return int(self.inputs.shape[0])

    @property
    def steps(self) -> int:
        """The length of the time axis, T; 1 for vectors of sequences whose targets belong to no time steps."""
        return int(self.scored.shape[1])

    @property
    def n_inputs(self) -> int:
        """The number of inputs at a time step, I; for symbols the largest plus one."""
        return int(self.inputs.max()) + 1 if self.symbols else int(self.inputs.shape[-1])

    @property
    def symbols(self) -> bool:
        """Whether the inputs are integers (B, T): symbols, one at each time step."""
        return self.inputs.ndim == 2 and self.inputs.dtype.kind == "i"

    @property
    def vectors(self) -> bool:
        """Whether the inputs are floats (B, I): one vector a sequence."""
        return self.inputs.ndim == 2 and not self.symbols

    @property
    def labelled(self) -> bool:
        """Whether the targets are integer labels of classes."""
        return self.targets.ndim == 2

    @property
    def whole(self) -> bool:
        """Whether the targets are labels of whole sequences, see `target_lengths`."""
        return self.target_lengths is not None

    @cached_property
    def rows(self) -> tuple[np.ndarray, ...]:
        """The labels of each sequence, where the targets are labels of whole sequences."""
        assert self.target_lengths is not None
        return tuple(row[:length] for row, length in zip(self.targets, self.target_lengths))

    @property
    def one_class(self) -> bool:
        """Whether each sequence has one label at all its scored steps, which are several, and sequences differ in it."""
        if not self.labelled or self.whole:
            return False
        last = self.steps - 1 - self.scored[:, ::-1].argmax(axis=1)
        label = self.targets[np.arange(self.size), last]
        same = (self.targets == label[:, None]) | ~self.scored
        given = label[self.scored.any(axis=1)]
        return bool(same.all() and self.scored.sum(axis=1).max() > 1 and (given != given[0]).any())

    @property
    def n_outputs(self) -> int:
        """The number of targets at a time step; for labels the largest label plus one."""
        if self.whole:
            return int(self.targets.max(initial=0)) + 1
        return int(self.targets[self.scored].max()) + 1 if self.labelled else int(self.targets.shape[2])

    @property
    def scored(self) -> np.ndarray:
        """A boolean array (B, T): True where a step is scored, by mask and length."""
        assert self.mask is not None
        return self.mask

    @cached_property
    def moved_steps(self) -> int:
        """The number of network steps in one pass over the batch: the sum of all lengths."""
        assert self.lengths is not None
        return int(self.lengths.sum())

    @cached_property
    def target_range(self) -> tuple[float, float]:
        """The smallest and the largest target at a scored step."""
        scored = self.targets[self.scored]
        return float(scored.min()), float(scored.max())

    @cached_property
    def largest(self) -> float:
        """The largest absolute value of an input that a sequence reads and of a scored target that is no label."""
        assert self.lengths is not None
        read = self.inputs if self.vectors else self.inputs[np.arange(self.steps) < self.lengths[:, None]]
        found = [np.abs(read).max(initial=0.0)]
        if not self.labelled:
            found += map(abs, self.target_range)
        return float(max(found))

    def with_inputs(self, inputs: np.ndarray) -> Batch:
        """Return the same batch with other inputs (B, T, I)."""
        return Batch(inputs, self.targets, **self._others)

    def take(self, sequences: Sequence[int] | np.ndarray) -> Batch:
        """Return a batch of the sequences with the given indices, in their order."""
        index = np.asarray(sequences)
        others = {name: values[index] for name, values in self._others.items()}
        return Batch(self.inputs[index], self.targets[index], **others)

    def cut(self, resets: np.ndarray) -> Batch:
        """Return a batch whose sequences end before every step at which the state is to start anew.

        Parameters
        ----------
        resets : array_like of bool, shape (B, T)
            True where a new sequence begins; the first step of a sequence always begins one.

        Raises
        ------
        ShapeError
            When `resets` has another shape.
        DataError
            For batches with links, and with labels of whole sequences.

        Examples
        --------
        >>> import numpy as np
        >>> import evorrn
        >>> batch = evorrn.Batch(np.ones((1, 5, 1)), np.ones((1, 5, 1)))
        >>> batch.cut([[False, False, False, True, False]]).lengths.tolist()
        [3, 2]
        """
        marks = np.array(resets, dtype=bool)
        if marks.shape != self.scored.shape:
            raise ShapeError(f"resets: expected shape {self.scored.shape}, got {marks.shape}")
        if self.links is not None or self.whole or self.vectors:
            raise DataError(
                "resets: expected sequences without links whose inputs and targets belong to time steps"
            )
        assert self.lengths is not None
        marks[:, 0] = True
        marks &= np.arange(self.steps) < self.lengths[:, None]
        rows, first = np.nonzero(marks)
        ends = np.append(first[1:], 0)
        last_of_row = np.append(rows[1:] != rows[:-1], True)
        counts = np.where(last_of_row, self.lengths[rows], ends) - first
        places = np.minimum(first[:, None] + np.arange(counts.max()), self.steps - 1)
        inside = np.arange(counts.max()) < counts[:, None]
        inputs, targets = self.inputs[rows[:, None], places], self.targets[rows[:, None], places]
        mask = self.scored[rows[:, None], places] & inside
        return Batch(inputs, targets, mask=mask, lengths=counts)

    def _steps_of_targets(self) -> int:
        """Return the time steps of inputs that are one vector a sequence: those of the targets, or one."""
        if self.target_lengths is not None:
            return 1
        shape, given = unmasked("targets", self.targets).shape, np.shape(self.inputs)
        if len(shape) < 2 or shape[0] != given[0]:
            raise ShapeError(
                f"inputs: expected shape (B, T, I), or (B, T) of integers, got {given} of floats; one vector a sequence, (B, I), "
                f"takes targets (B, T, O) or (B, T) of as many sequences, got {shape}"
            )
        return shape[1]

    @property
    def _others(self) -> dict[str, np.ndarray]:
        """The arguments besides inputs and targets."""
        found = {"lengths": self.lengths, "links": self.links, "target_lengths": self.target_lengths}
        found |= {} if self.whole else {"mask": self.scored}
        return {name: values for name, values in found.items() if values is not None}


def _targets(value: Any, sequences: int, steps: int, vectors: bool) -> np.ndarray:
    """Return targets (B, T, O) or (B, O) as floats, or labels (B, T) or (B,) as int64.

    Raises ShapeError for anything else, and for floats (B, O) where inputs are one vector a sequence (`vectors`): only
    targets say there how many time steps there are.
    """
    array = unmasked("targets", value)
    if array.ndim == 3 and array.shape[:2] == (sequences, steps) and array.shape[2] > 0:
        return numeric("targets", array)
    if array.ndim == 2 and len(array) == sequences and array.dtype.kind == "f" and array.size and not vectors:
        return numeric("targets", array)
    if array.shape in ((sequences, steps), (sequences,)) and array.dtype.kind in "iub":
        return array.astype(np.int64)
    rows = "" if vectors else f" or ({sequences}, O)"
    raise ShapeError(
        f"targets: expected shape ({sequences}, {steps}, O){rows} of floats, or ({sequences}, {steps}) or ({sequences},) of "
        f"integer labels, got {array.shape} of {array.dtype}"
    )


def _rows(targets: Any, lengths: Any, sequences: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (B, U) of whole sequences as int64, zero beyond their numbers (B,), and these numbers.

    Raises ShapeError for wrong shapes, types or numbers, DataError for negative labels.
    """
    array, numbers = unmasked("targets", targets), unmasked("target_lengths", lengths)
    if array.ndim != 2 or len(array) != sequences or (array.size and array.dtype.kind not in "iu"):
        raise ShapeError(
            f"targets: with target_lengths expected shape ({sequences}, U) of integer labels, got {array.shape} of "
            f"{array.dtype}"
        )
    if numbers.shape != (sequences,) or numbers.dtype.kind not in "iu":
        raise ShapeError(
            f"target_lengths: expected {sequences} integers, got {numbers.shape} of {numbers.dtype}"
        )
    most = array.shape[1]
    if numbers.min() < 0 or numbers.max() > most:
        raise ShapeError(
            f"target_lengths: expected values from 0 to {most}, got {numbers.min()} to {numbers.max()}"
        )
    rows = np.where(np.arange(most) < numbers[:, None], array, 0).astype(np.int64)
    if rows.min(initial=0) < 0:
        raise DataError(f"targets: expected labels from 0 on, got {rows.min()}")
    return rows, numbers.astype(np.int64)


def _lengths(value: Any, sequences: int, steps: int) -> np.ndarray:
    """Return lengths (B,) as int64, T by default; raise ShapeError when they are not from 1 to T."""
    if value is None:
        return np.full(sequences, steps, dtype=np.int64)
    array = unmasked("lengths", value)
    if array.shape != (sequences,) or array.dtype.kind not in "iu":
        raise ShapeError(f"lengths: expected {sequences} integers, got {array.shape} of {array.dtype}")
    if array.min() < 1 or array.max() > steps:
        raise ShapeError(f"lengths: expected values from 1 to {steps}, got {array.min()} to {array.max()}")
    return array.astype(np.int64)


def _mask(value: Any, sequences: int, steps: int) -> np.ndarray:
    """Return a mask (B, T) of bool, True by default; raise ShapeError for a wrong shape or other values."""
    if value is None:
        return np.ones((sequences, steps), dtype=bool)
    array = unmasked("mask", value)
    if array.shape != (sequences, steps):
        raise ShapeError(f"mask: expected shape ({sequences}, {steps}), got {array.shape}")
    if array.dtype.kind not in "b" and not np.isin(array, (0, 1)).all():
        raise ShapeError(f"mask: expected booleans, got dtype {array.dtype}")
    return array.astype(bool)
