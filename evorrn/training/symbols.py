"""Symbols by name or number: what a network takes that was trained on text or on other symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from evorrn.base.errors import ShapeError
from evorrn.data.characters import UNKNOWN, character

MARKS = ("start", "stop", "blank", UNKNOWN)
"""Names of symbols that stand for no character."""


class Rows(NamedTuple):
    """Symbols of B sequences: numbers (B, T), zero beyond their lengths (B,), and whether there was one alone."""

    numbers: np.ndarray
    lengths: np.ndarray
    single: bool


@dataclass(frozen=True)
class Alphabet:
    """The symbols of a network by their names.

    Parameters
    ----------
    names : tuple of str
        Those of all symbols in the order of their numbers.

    Examples
    --------
    >>> digits = Alphabet(("start", "stop", "0", "1", "space"))
    >>> digits.text([3, 2, 4, 3])
    '10 1'
    """

    names: tuple[str, ...]

    @cached_property
    def signs(self) -> tuple[str, ...] | None:
        """The character that each symbol stands for, empty for marks such as ``stop``; None where some are words."""
        found = [None if name in MARKS else character(name) for name in self.names]
        words = any(sign is None and name not in MARKS for sign, name in zip(found, self.names))
        return None if words or not any(found) else tuple(sign or "" for sign in found)

    def text(self, numbers: Sequence[int] | np.ndarray) -> str:
        """Return the characters of numbers, or their names with spaces between them."""
        if self.signs is None:
            return " ".join(self.names[number] for number in numbers)
        return "".join(self.signs[number] or "\ufffd" for number in numbers)

    def numbers(self, tokens: Sequence[str]) -> list[int]:
        """Return the number of each character or name; raise ShapeError for one that is not known."""
        known = {sign: place for place, sign in enumerate(self.signs or self.names) if sign}
        other = self.names.index(UNKNOWN) if UNKNOWN in self.names else None
        missing = [token for token in tokens if token not in known]
        if missing and other is None:
            shown = " ".join(map(repr, list(known)[:20]))
            raise ShapeError(f"x: expected symbols that the network knows ({shown}), got {missing[0]!r}")
        return [known.get(token, other) for token in tokens]  # type: ignore[misc]


def read_symbols(x: Any, names: Sequence[str], by_name: bool, by_number: bool) -> Rows | None:
    """Return symbols that are given by name or number; None for an array of other numbers.

    Parameters
    ----------
    x : str, sequence of str, or array_like
        A text or, where symbols are words, a list of them: one sequence. A list of texts, or of lists of words: several. Integers (T,): one
        sequence; integers (B, T), or lists of integers of different lengths, with `by_number`.
    names : sequence of str
        Of the symbols.
    by_name : bool
        Whether the network knows its symbols by name; integers (T,) are then symbols too.
    by_number : bool
        Whether integers (T,) and (B, T) are symbols.

    Raises
    ------
    ShapeError
        For names that are not known, and sequences without a symbol.
    """
    alphabet = Alphabet(tuple(names))
    given = _rows_of_names(x, alphabet.signs is not None)
    if given is None:
        return _rows_of_numbers(x, by_number) if by_name or by_number else None
    if not by_name:
        raise ShapeError(
            "x: expected numbers, got text: this network was not trained on symbols that have names"
        )
    single, tokens = given
    if not tokens or not all(len(each) for each in tokens):
        raise ShapeError("x: expected at least one symbol in each sequence, got none")
    return _filled([alphabet.numbers(each) for each in tokens], single)


def _filled(rows: Sequence[Sequence[int]], single: bool) -> Rows:
    lengths = np.array([len(each) for each in rows], dtype=np.int64)
    filled = np.zeros((len(rows), int(lengths.max())), dtype=np.int64)
    for row, each in zip(filled, rows):
        row[: len(each)] = each
    return Rows(filled, lengths, single)


def _rows_of_numbers(x: Any, several: bool) -> Rows | None:
    """Return symbols (T,), or also (B, T) and lists of different lengths; None for what is no whole numbers of such a shape."""
    if (
        several
        and isinstance(x, list | tuple)
        and all(isinstance(each, list | tuple | np.ndarray) for each in x)
    ):
        rows = [np.asarray(each) for each in x]
        whole = all(row.ndim == 1 and row.dtype.kind in "iu" and len(row) for row in rows)
        return _filled(rows, False) if rows and whole else None  # type: ignore[arg-type]
    array = np.asarray(x)
    if array.dtype.kind not in "iu" or array.ndim not in ((1, 2) if several else (1,)):
        return None
    if not array.size:
        raise ShapeError("x: expected at least one symbol, got none")
    rows_of_one = np.atleast_2d(array).astype(np.int64)
    return Rows(rows_of_one, np.full(len(rows_of_one), rows_of_one.shape[1]), array.ndim == 1)


def _rows_of_names(x: Any, characters: bool) -> tuple[bool, list[Sequence[str]]] | None:
    """Return whether names are of one sequence, and the names of each; None for what holds no names."""
    if isinstance(x, np.ndarray) and x.dtype.kind == "U":
        x = x.tolist()
    if isinstance(x, str):
        return True, [x if characters else x.split()]
    if not isinstance(x, list | tuple) or not x:
        return None
    if all(isinstance(each, str) for each in x):
        return (False, list(x)) if characters else (True, [x])
    words = [isinstance(each, list | tuple) and all(isinstance(token, str) for token in each) for each in x]
    return (False, list(x)) if all(words) and any(len(each) for each in x) else None
