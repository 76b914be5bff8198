"""The class Alphabet: how the symbols of strings are inputs of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.automata.strings import Strings
from evorrn.base.errors import DataError, ShapeError
from evorrn.data.batch import Batch

MOST_SYMBOLS = 16
"""The largest number of different inputs that are taken for the symbols of an alphabet."""


@dataclass(frozen=True, eq=False)
class Alphabet:
    """The names of A symbols and the inputs (I,) that stand for them.

    Parameters
    ----------
    names : sequence of str
    inputs : array_like, shape (A, I)
        The input of a network at a symbol.
    end : array_like, shape (I,), optional
        The input that ends a string; the network answers at this step. Without it the network answers at the last
        symbol.
    begin : array_like, shape (I,), optional
        The input that begins a string, for networks whose first step cannot see its input. Without `end` and `begin`
        a network gives no answer for the empty string.

    Raises
    ------
    ShapeError
        When names or inputs are not different from each other, or their numbers differ.

    Examples
    --------
    >>> from evorrn.automata import Alphabet, Strings
    >>> alphabet = Alphabet.one_hot("01", end=True)
    >>> inputs, lengths = alphabet.encoded(Strings.of(["10", ""], "01"))
    >>> inputs.tolist(), lengths.tolist()
    ([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]], [3, 1])
    """

    names: Sequence[str]
    inputs: np.ndarray
    end: np.ndarray | None = None
    begin: np.ndarray | None = None

    def __post_init__(self) -> None:
        names = tuple(map(str, self.names))
        inputs = np.array(self.inputs, dtype=np.float64)
        if inputs.ndim != 2 or len(inputs) != len(names):
            raise ShapeError(f"inputs: expected shape ({len(names)}, I), got {inputs.shape}")
        marks = {
            name: None if value is None else np.array(value, dtype=np.float64)
            for name, value in (("end", self.end), ("begin", self.begin))
        }
        for name, mark in marks.items():
            if mark is not None and mark.shape != inputs.shape[1:]:
                raise ShapeError(f"{name}: expected shape {inputs.shape[1:]}, got {mark.shape}")
        rows = np.vstack([inputs, *(mark for mark in marks.values() if mark is not None)])
        if not names or len(set(names)) < len(names) or len(np.unique(rows, axis=0)) < len(rows):
            raise ShapeError("names and inputs: expected at least one symbol, all different from each other")
        for name, value in (("names", names), ("inputs", inputs), *marks.items()):
            object.__setattr__(self, name, value)

    @classmethod
    def one_hot(cls, names: Sequence[str], end: bool = False, begin: bool = False) -> Alphabet:
        """Return an alphabet in which each symbol has an input of its own, 1 at this symbol and 0 elsewhere.

        With `begin` and `end`, one more input each, in this order, is 1 at the step before the first symbol and at the
        step after the last one.
        """
        rows = np.eye(len(names) + begin + end)
        return cls(
            tuple(names), rows[: len(names)], rows[-1] if end else None, rows[len(names)] if begin else None
        )

    @classmethod
    def found_in(cls, batches: Sequence[Batch]) -> Alphabet:
        """Return the alphabet of the different inputs that batches hold, in ascending order.

        An input that is the first or the last one of every sequence, and stands nowhere else, is the begin or the end.
        Names are ``"0", "1", ...`` for inputs that are one-hot and for one input of two values, else the inputs.

        Raises
        ------
        DataError
            When there are more than 16 different inputs, so that they are no symbols.
        """
        read, first, last = [], [], []
        for batch in batches:
            assert batch.lengths is not None
            inputs = np.asarray(batch.inputs, dtype=np.float64)
            read.append(inputs[np.arange(batch.steps) < batch.lengths[:, None]])
            first.append(inputs[:, 0])
            last.append(inputs[np.arange(batch.size), batch.lengths - 1])
        different, counts = np.unique(np.concatenate(read), axis=0, return_counts=True)
        count, width = different.shape
        if count > MOST_SYMBOLS or not width:
            raise DataError(
                f"expected sequences of symbols, at most {MOST_SYMBOLS} different inputs, got "
                f"{count if width else 'no inputs'}"
            )
        marks: list[np.ndarray | None] = []
        for edge in map(np.concatenate, (last, first)):
            is_mark = (
                (different == edge[0]).all(axis=1) & (counts == len(edge)) & bool((edge == edge[0]).all())
            )
            found = is_mark.any() and len(different) > 1
            marks.append(different[is_mark][0] if found else None)
            if found:
                different, counts = different[~is_mark], counts[~is_mark]
        one_hot = np.isin(different, (0, 1)).all() and (different.sum(axis=1) == 1).all()
        if width > 1 and one_hot:
            different = different[np.argsort(different.argmax(axis=1))]
            names = [str(place) for place in different.argmax(axis=1)]
        elif width == 1 and count == 2:
            names = [str(at) for at in range(len(different))]
        else:
            names = ["/".join(f"{value:.6g}" for value in row) for row in different]
        return cls(names, different, *marks)

    @property
    def width(self) -> int:
        """The number of inputs, I."""
        return int(np.asarray(self.inputs).shape[1])

    def encoded(self, strings: Strings) -> tuple[np.ndarray, np.ndarray]:
        """Return strings as inputs (N, T, I), with begin and end where there are some, and their steps (N,)."""
        before, after = self.begin is not None, self.end is not None
        count, longest = strings.codes.shape
        inputs = np.zeros((count, before + longest + after, self.width))
        read = np.arange(longest) < strings.lengths[:, None]
        inputs[:, before : before + longest][read] = self.inputs[strings.codes[read]]
        if before:
            inputs[:, 0] = self.begin
        if after:
            inputs[np.arange(count), before + strings.lengths] = self.end
        return inputs, strings.lengths + before + after

    def decoded(self, batch: Batch) -> Strings:
        """Return the strings that a batch holds; begin and end are no symbols.

        Raises
        ------
        DataError
            When an input is no symbol, or a begin is not at the first step or an end not at the last one.
        """
        assert batch.lengths is not None
        kind = batch.inputs.dtype
        read = np.arange(batch.steps) < batch.lengths[:, None]
        same = (batch.inputs[:, :, None, :] == np.asarray(self.inputs, dtype=kind)).all(axis=3)
        known = same.any(axis=2)
        last = np.arange(batch.steps) == batch.lengths[:, None] - 1
        first = np.broadcast_to(np.arange(batch.steps) == 0, last.shape)
        for name, mark, place in (("begin", self.begin, first), ("end", self.end, last)):
            if mark is not None:
                marked = (batch.inputs == np.asarray(mark, dtype=kind)).all(axis=2)
                if (marked != place)[read].any():
                    raise DataError(f"inputs: expected the {name} once in each sequence, at its {name}")
                known |= marked
        if not known[read].all():
            where = np.argwhere(~known & read)[0].tolist()
            raise DataError(f"inputs: expected a symbol, got {batch.inputs[tuple(where)]} at {tuple(where)}")
        before, after = self.begin is not None, self.end is not None
        codes = np.where(same.any(axis=2), same.argmax(axis=2), 0)
        return Strings(codes[:, before : batch.steps - after], batch.lengths - before - after)
