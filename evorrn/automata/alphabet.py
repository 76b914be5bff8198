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
        symbol, and gives no answer for the empty string.

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

    def __post_init__(self) -> None:
        names = tuple(map(str, self.names))
        inputs = np.array(self.inputs, dtype=np.float64)
        if inputs.ndim != 2 or len(inputs) != len(names):
            raise ShapeError(f"inputs: expected shape ({len(names)}, I), got {inputs.shape}")
        end = None if self.end is None else np.array(self.end, dtype=np.float64)
        if end is not None and end.shape != inputs.shape[1:]:
            raise ShapeError(f"end: expected shape {inputs.shape[1:]}, got {end.shape}")
        rows = inputs if end is None else np.vstack([inputs, end])
        if not names or len(set(names)) < len(names) or len(np.unique(rows, axis=0)) < len(rows):
            raise ShapeError("names and inputs: expected at least one symbol, all different from each other")
        for name, value in (("names", names), ("inputs", inputs), ("end", end)):
            object.__setattr__(self, name, value)

    @classmethod
    def one_hot(cls, names: Sequence[str], end: bool = False) -> Alphabet:
        """Return an alphabet in which each symbol has an input of its own, 1 at this symbol and 0 elsewhere.

        With `end`, one more input, the last, is 1 at the step after the last symbol.
        """
        rows = np.eye(len(names) + end)
        return cls(tuple(names), rows[: len(names)], rows[-1] if end else None)

    @classmethod
    def found_in(cls, batches: Sequence[Batch]) -> Alphabet:
        """Return the alphabet of the different inputs that batches hold, in ascending order.

        An input that is the last one of every sequence, and stands nowhere else, is the end. Names are
        ``"0", "1", ...`` for inputs that are one-hot and for one input of two values, else the inputs.

        Raises
        ------
        DataError
            When there are more than 16 different inputs, so that they are no symbols.
        """
        read, last = [], []
        for batch in batches:
            assert batch.lengths is not None
            inputs = np.asarray(batch.inputs, dtype=np.float64)
            read.append(inputs[np.arange(batch.steps) < batch.lengths[:, None]])
            last.append(inputs[np.arange(batch.size), batch.lengths - 1])
        different, counts = np.unique(np.concatenate(read), axis=0, return_counts=True)
        count, width = different.shape
        if count > MOST_SYMBOLS or not width:
            raise DataError(
                f"expected sequences of symbols, at most {MOST_SYMBOLS} different inputs, got "
                f"{count if width else 'no inputs'}"
            )
        ends = np.concatenate(last)
        is_end = (different == ends[0]).all(axis=1) & (counts == len(ends)) & (ends == ends[0]).all()
        end = different[is_end][0] if is_end.any() and count > 1 else None
        different = different if end is None else different[~is_end]
        one_hot = np.isin(different, (0, 1)).all() and (different.sum(axis=1) == 1).all()
        if width > 1 and one_hot:
            different = different[np.argsort(different.argmax(axis=1))]
            names = [str(place) for place in different.argmax(axis=1)]
        elif width == 1 and count == 2:
            names = ["0", "1"][: len(different)]
        else:
            names = ["/".join(f"{value:.6g}" for value in row) for row in different]
        return cls(names, different, end)

    @property
    def width(self) -> int:
        """The number of inputs, I."""
        return int(np.asarray(self.inputs).shape[1])

    def encoded(self, strings: Strings) -> tuple[np.ndarray, np.ndarray]:
        """Return strings as inputs (N, T, I), with the end where there is one, and the number of their steps (N,)."""
        ended = self.end is not None
        steps = strings.codes.shape[1] + ended
        inputs = np.zeros((len(strings), steps, self.width))
        inputs[:, : strings.codes.shape[1]] = self.inputs[strings.codes]
        inputs[np.arange(steps) >= strings.lengths[:, None]] = 0
        if ended:
            inputs[np.arange(len(strings)), strings.lengths] = self.end
        return inputs, strings.lengths + ended

    def decoded(self, batch: Batch) -> Strings:
        """Return the strings that a batch holds; an end is no symbol.

        Raises
        ------
        DataError
            When an input is no symbol, or an end is not at the last step.
        """
        assert batch.lengths is not None
        rows = self.inputs if self.end is None else np.vstack([self.inputs, self.end])
        same = (batch.inputs[:, :, None, :] == rows.astype(batch.inputs.dtype)).all(axis=3)
        read = np.arange(batch.steps) < batch.lengths[:, None]
        if not same.any(axis=2)[read].all():
            where = np.argwhere(~same.any(axis=2) & read)[0].tolist()
            raise DataError(f"inputs: expected a symbol, got {batch.inputs[tuple(where)]} at {tuple(where)}")
        codes = same.argmax(axis=2)
        if self.end is None:
            return Strings(codes, batch.lengths)
        last = np.arange(batch.steps) == batch.lengths[:, None] - 1
        if ((codes == len(self.names))[read] != last[read]).any():
            raise DataError("inputs: expected the end of each string at its last step and nowhere else")
        return Strings(np.where(last, 0, codes), batch.lengths - 1)
