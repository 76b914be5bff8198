"""Strings of symbols: many strings as one array of numbers, padded, with their lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.base.errors import ShapeError, UnknownName


@dataclass(frozen=True, eq=False)
class Strings:
    """N strings over an alphabet whose symbols are the whole numbers 0, 1, ...

    Parameters
    ----------
    codes : array_like of int, shape (N, T)
        The symbols; those beyond the length of a string are ignored, and stored as 0.
    lengths : array_like of int, shape (N,), optional
        The number of symbols of each string, T by default.

    Raises
    ------
    ShapeError
        When an array has a wrong shape, a symbol is negative or a length is not from 0 to T.

    Examples
    --------
    >>> from evorrn.automata import Strings
    >>> strings = Strings.of(["", "0", "10"], "01")
    >>> strings.codes.tolist(), strings.lengths.tolist()
    ([[0, 0], [0, 0], [1, 0]], [0, 1, 2])
    >>> Strings.up_to(2, longest=2).texts("ab")
    ['', 'a', 'b', 'aa', 'ab', 'ba', 'bb']
    """

    codes: np.ndarray
    lengths: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        codes = np.asarray(self.codes)
        if codes.ndim != 2 or codes.dtype.kind not in "iu":
            raise ShapeError(f"codes: expected integers of shape (N, T), got {codes.shape} of {codes.dtype}")
        count, steps = codes.shape
        lengths = np.full(count, steps) if self.lengths is None else np.asarray(self.lengths)
        if lengths.shape != (count,) or lengths.dtype.kind not in "iu":
            raise ShapeError(f"lengths: expected {count} integers, got {lengths.shape} of {lengths.dtype}")
        if count and not 0 <= lengths.min() <= lengths.max() <= steps:
            raise ShapeError(
                f"lengths: expected values from 0 to {steps}, got {lengths.min()} to {lengths.max()}"
            )
        codes = np.where(np.arange(steps) < lengths[:, None], codes, 0).astype(np.int64)
        if codes.min(initial=0) < 0:
            raise ShapeError(f"codes: expected symbols from 0 on, got {codes.min()}")
        object.__setattr__(self, "codes", codes)
        object.__setattr__(self, "lengths", lengths.astype(np.int64))

    @classmethod
    def of(cls, strings: Sequence[Sequence[str]], symbols: Sequence[str]) -> Strings:
        """Return strings given as text, or as lists of symbols.

        Parameters
        ----------
        strings : sequence of str or of sequence of str
            In a str every character is a symbol.
        symbols : sequence of str
            The names of the symbols 0, 1, ...

        Raises
        ------
        UnknownName
            For a symbol that is not among the names.
        """
        places = {name: place for place, name in enumerate(symbols)}
        lengths = np.array([len(string) for string in strings], dtype=np.int64)
        codes = np.zeros((len(lengths), int(lengths.max(initial=0))), dtype=np.int64)
        for row, string in enumerate(strings):
            for step, name in enumerate(string):
                if name not in places:
                    raise UnknownName("symbol", name, places)
                codes[row, step] = places[name]
        return cls(codes, lengths)

    @classmethod
    def up_to(cls, symbols: int, longest: int, shortest: int = 0) -> Strings:
        """Return every string of `shortest` to `longest` symbols, by length and then in the order of the symbols."""
        parts = []
        for length in range(shortest, longest + 1):
            numbers = np.arange(symbols**length)[:, None]
            part = np.zeros((len(numbers), longest), dtype=np.int64)
            part[:, :length] = numbers // symbols ** np.arange(length)[::-1] % symbols
            parts.append(part)
        lengths = np.repeat(np.arange(shortest, longest + 1), [len(part) for part in parts])
        return cls(np.concatenate(parts), lengths)

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, symbols: int, count: int, longest: int, shortest: int = 0
    ) -> Strings:
        """Return strings of uniformly distributed lengths, every symbol with equal probability."""
        lengths = rng.integers(shortest, longest + 1, count)
        return cls(rng.integers(0, symbols, (count, longest)), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        for codes, length in zip(self.codes.tolist(), self.lengths.tolist()):
            yield tuple(codes[:length])

    def and_also(self, other: Strings) -> Strings:
        """Return these strings and, after them, others."""
        steps = max(self.codes.shape[1], other.codes.shape[1])
        padded = [np.pad(each.codes, ((0, 0), (0, steps - each.codes.shape[1]))) for each in (self, other)]
        return Strings(np.concatenate(padded), np.concatenate([self.lengths, other.lengths]))

    def take(self, places: np.ndarray) -> Strings:
        """Return the strings at the given places, or where a boolean array is True."""
        return Strings(self.codes[places], self.lengths[places])

    def texts(self, symbols: Sequence[str]) -> list[str]:
        """Return the strings as text, the names of the symbols joined, with spaces where a name has several letters."""
        between = "" if all(len(name) == 1 for name in symbols) else " "
        return [between.join(symbols[code] for code in string) for string in self]
