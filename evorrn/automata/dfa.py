"""The class DFA: a deterministic finite automaton, which accepts or rejects strings of symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evorrn.automata import drawing, minimise, product
from evorrn.automata.strings import Strings
from evorrn.base.errors import DataError, ShapeError

NOWHERE = -1
"""A transition that is missing: the string is rejected, whatever follows."""


@dataclass(frozen=True, eq=False)
class DFA:
    """A deterministic finite automaton of S states over A symbols.

    Parameters
    ----------
    transitions : array_like of int, shape (S, A)
        The state after each state and symbol; -1 where there is none, and the string is then rejected.
    accepting : array_like of bool, shape (S,)
        Whether a string that ends in a state is accepted.
    start : int
        The state before the first symbol.
    symbols : sequence of str, optional
        The names of the symbols; ``"0", "1", ...`` by default.

    Raises
    ------
    ShapeError
        When an array has a wrong shape, or a state or the start is none.

    Examples
    --------
    Strings of 0 and 1 with an odd number of ones, with a state too many:

    >>> from evorrn.automata import DFA
    >>> odd = DFA([[0, 1], [2, 0], [1, 0]], [False, True, True])
    >>> odd.accepts(["", "1", "101", "0111"]).tolist()
    [False, True, False, True]
    >>> print(odd.minimised())
    start  state     0  1
    ->     0         0  1
           1 accept  1  0
    >>> even = DFA([[0, 1], [1, 0]], [True, False])
    >>> odd.difference(even), odd.complement().difference(even)
    ('', None)
    """

    transitions: np.ndarray
    accepting: np.ndarray
    start: int = 0
    symbols: Sequence[str] = ()

    def __post_init__(self) -> None:
        transitions = np.array(self.transitions)
        if transitions.ndim != 2 or 0 in transitions.shape or transitions.dtype.kind not in "iu":
            raise ShapeError(
                f"transitions: expected integers of shape (states, symbols), got {transitions.shape} of "
                f"{transitions.dtype}"
            )
        states, count = transitions.shape
        if transitions.min() < NOWHERE or transitions.max() >= states:
            raise ShapeError(
                f"transitions: expected states from 0 to {states - 1}, or -1 for none, got "
                f"{transitions.min()} to {transitions.max()}"
            )
        accepting = np.array(self.accepting)
        if accepting.shape != (states,) or not np.isin(accepting, (0, 1)).all():
            raise ShapeError(
                f"accepting: expected {states} booleans, got {accepting.shape} of {accepting.dtype}"
            )
        if not 0 <= int(self.start) < states:
            raise ShapeError(f"start: expected a state from 0 to {states - 1}, got {self.start}")
        symbols = tuple(map(str, self.symbols)) or tuple(map(str, range(count)))
        if len(symbols) != count or len(set(symbols)) != count:
            raise ShapeError(f"symbols: expected {count} different names, got {', '.join(symbols)}")
        for name, value in (
            ("transitions", transitions.astype(np.int64)),
            ("accepting", accepting.astype(bool)),
        ):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "start", int(self.start))
        object.__setattr__(self, "symbols", symbols)

    @property
    def states(self) -> int:
        """The number of states, S."""
        return len(self.transitions)

    # --- Strings -----------------------------------------------------------------------------------

    def run(self, strings: Strings | Sequence[Sequence[str]]) -> np.ndarray:
        """Return the state after every symbol of many strings.

        Parameters
        ----------
        strings : Strings, or sequence of str or of sequence of str

        Returns
        -------
        ndarray of int, shape (N, T + 1)
            The start first. A string that has ended stays in its state; -1 after a transition that is missing.

        Raises
        ------
        UnknownName, ShapeError
            When a string holds a symbol that the automaton does not have.
        """
        given = self._given(strings)
        moves, _ = minimise.completed(self.transitions, self.accepting)
        states = np.empty((len(given), given.codes.shape[1] + 1), dtype=np.int64)
        states[:, 0] = self.start
        for step, codes in enumerate(given.codes.T):
            here = states[:, step]
            states[:, step + 1] = np.where(step < given.lengths, moves[here, codes], here)
        return np.where(states < self.states, states, NOWHERE)

    def accepts(self, strings: Strings | Sequence[Sequence[str]]) -> np.ndarray:
        """Return whether each string is accepted, shape (N,), bool; for arguments and errors see `run`."""
        last = self.run(strings)[:, -1]
        return (last != NOWHERE) & self.accepting[last]

    def prefixes_accepted(self, strings: Strings | Sequence[Sequence[str]]) -> np.ndarray:
        """Return whether the prefix of 0, 1, ... T symbols of each string is accepted, shape (N, T + 1), bool."""
        states = self.run(strings)
        return (states != NOWHERE) & self.accepting[states]

    def _given(self, strings: Strings | Sequence[Sequence[str]]) -> Strings:
        given = strings if isinstance(strings, Strings) else Strings.of(strings, self.symbols)
        if given.codes.max(initial=0) >= len(self.symbols):
            raise ShapeError(
                f"strings: expected symbols from 0 to {len(self.symbols) - 1}, got {given.codes.max()}"
            )
        return given

    # --- Other automata ----------------------------------------------------------------------------

    def completed(self) -> DFA:
        """Return the automaton with a rejecting state, the last one, to which all missing transitions lead.

        An automaton without a missing transition is returned as it is.
        """
        moves, accepting = minimise.completed(self.transitions, self.accepting)
        return self if moves is self.transitions else DFA(moves, accepting, self.start, self.symbols)

    def complement(self) -> DFA:
        """Return a complete automaton that accepts what this one rejects."""
        whole = self.completed()
        return DFA(whole.transitions, ~whole.accepting, whole.start, whole.symbols)

    def minimised(self) -> DFA:
        """Return the complete automaton of fewest states that accepts the same strings.

        Its states are numbered in the order in which they are reached, breadth first: automata of the same language
        have equal minimal ones.
        """
        whole = self.completed()
        reached = minimise.in_order_of_reach(whole.transitions, whole.start)
        place = np.full(whole.states, NOWHERE)
        place[reached] = np.arange(len(reached))
        moves, accepting = place[whole.transitions[reached]], whole.accepting[reached]
        _, firsts, classes = np.unique(
            minimise.equivalence_classes(moves, accepting), return_index=True, return_inverse=True
        )
        number = np.argsort(np.argsort(firsts))  # a class has the place of its first state among all classes
        kept = np.sort(firsts)
        return DFA(number[classes[moves[kept]]], accepting[kept], 0, self.symbols)

    def difference(self, other: DFA, empty: bool = True) -> str | None:
        """Return a shortest string on which two automata differ, None when they are equivalent.

        The answer is exact: it comes from the product of the two automata.

        Parameters
        ----------
        other : DFA
            An automaton of the same symbols.
        empty : bool
            Whether the empty string counts.

        Raises
        ------
        DataError
            When the symbols differ.
        """
        if self.symbols != other.symbols:
            raise DataError(
                f"difference: expected automata of the same symbols, got {', '.join(self.symbols)} and "
                f"{', '.join(other.symbols)}"
            )
        a, b = (
            (each.transitions, each.accepting, each.start) for each in (self.completed(), other.completed())
        )
        found = product.shortest_difference(a, b, empty)
        return None if found is None else Strings(np.array([found], dtype=np.int64)).texts(self.symbols)[0]

    def equivalent(self, other: DFA, empty: bool = True) -> bool:
        """Return whether two automata accept the same strings, exactly; for arguments and errors see `difference`."""
        return self.difference(other, empty) is None

    # --- As text and data --------------------------------------------------------------------------

    def __str__(self) -> str:
        """Return the table of transitions."""
        return drawing.table(self.transitions, self.accepting, self.start, self.symbols)

    def dot(self) -> str:
        """Return the automaton as text for Graphviz (``dot -Tsvg``)."""
        return drawing.dot(self.transitions, self.accepting, self.start, self.symbols)

    def as_dict(self) -> dict[str, Any]:
        """Return the automaton as plain data for JSON; ``DFA(**data)`` makes it again."""
        return {
            "transitions": self.transitions.tolist(),
            "accepting": self.accepting.tolist(),
            "start": self.start,
            "symbols": list(self.symbols),
        }
