"""Equivalence of two automata, decided exactly by their product, with a shortest string that tells them apart."""

from __future__ import annotations

from collections import deque

import numpy as np

Machine = tuple[np.ndarray, np.ndarray, int]
"""Complete transitions (S, A), accepting states (S,) and the start."""


def shortest_difference(a: Machine, b: Machine, empty: bool = True) -> tuple[int, ...] | None:
    """Return a shortest string that one automaton accepts and the other rejects, None when there is none.

    Of several shortest strings it is the first in the order of the symbols. The pairs of states that a string
    leads to are searched breadth first; there are at most as many as the product of the numbers of states, so
    the answer is exact.

    Parameters
    ----------
    a, b : tuple
        Transitions, accepting states and start of two complete automata over equally many symbols.
    empty : bool
        Whether the empty string counts.
    """
    (moves_a, accepts_a, start_a), (moves_b, accepts_b, start_b) = a, b
    if empty and accepts_a[start_a] != accepts_b[start_b]:
        return ()
    next_a, next_b = moves_a.tolist(), moves_b.tolist()
    differs = (accepts_a[:, None] != accepts_b[None, :]).tolist()
    begin = (start_a, start_b)
    reached: dict[tuple[int, int], tuple[tuple[int, int], int] | None] = {begin: None}
    waiting = deque([begin])
    while waiting:
        pair = waiting.popleft()
        for symbol, following in enumerate(zip(next_a[pair[0]], next_b[pair[1]])):
            if differs[following[0]][following[1]]:
                return (*_path(reached, pair), symbol)
            if following not in reached:
                reached[following] = (pair, symbol)
                waiting.append(following)
    return None


def _path(
    reached: dict[tuple[int, int], tuple[tuple[int, int], int] | None], pair: tuple[int, int]
) -> tuple[int, ...]:
    """Return the symbols that lead from the start to a pair of states."""
    symbols = []
    step = reached[pair]
    while step is not None:
        pair, symbol = step
        symbols.append(symbol)
        step = reached[pair]
    return tuple(reversed(symbols))
