"""How many strings an automaton accepts, and strings drawn from those that it accepts or rejects."""

from __future__ import annotations

import numpy as np

from evorrn.automata.dfa import DFA
from evorrn.automata.strings import Strings


def accepted_counts(dfa: DFA, longest: int) -> list[int]:
    """Return the number of strings of 0, 1, ... `longest` symbols that an automaton accepts.

    Examples
    --------
    >>> from evorrn.automata import accepted_counts, tomita_dfa
    >>> accepted_counts(tomita_dfa(5), 6)
    [1, 0, 2, 0, 8, 0, 32]
    """
    whole = dfa.completed()
    return [int(row[whole.start]) for row in _continuations(whole, longest)]


def draw_accepted(
    dfa: DFA, rng: np.random.Generator, count: int, longest: int, shortest: int = 0
) -> Strings | None:
    """Return strings drawn from those that an automaton accepts, None when it accepts none of these lengths.

    The length is uniform on those from `shortest` to `longest` of which a string is accepted, and the string is
    uniform on the accepted ones of its length. Strings are drawn with replacement: a language with few strings gives
    the same ones again. For rejected strings draw from ``dfa.complement()``.

    Examples
    --------
    >>> import numpy as np
    >>> from evorrn.automata import draw_accepted, tomita_dfa
    >>> draw_accepted(tomita_dfa(1), np.random.default_rng(0), count=3, longest=5, shortest=4).texts("01")
    ['11111', '11111', '11111']
    """
    whole = dfa.completed()
    ways = _continuations(whole, longest)
    possible = [length for length in range(shortest, longest + 1) if ways[length][whole.start]]
    if not possible:
        return None
    lengths = rng.choice(np.array(possible), count)
    chances = np.zeros(
        (longest + 1, whole.states, len(whole.symbols))
    )  # by the symbols that are still to come
    for left in range(1, longest + 1):
        for state, following in enumerate(whole.transitions.tolist()):
            total = ways[left][state]
            if total:
                chances[left, state] = [ways[left - 1][each] / total for each in following]
    codes = np.zeros((count, longest), dtype=np.int64)
    states = np.full(count, whole.start)
    for step in range(longest):
        left = np.maximum(lengths - step, 0)
        edges = chances[left, states].cumsum(axis=1)
        drawn = rng.random(count) * edges[:, -1]
        codes[:, step] = np.minimum((drawn[:, None] >= edges).sum(axis=1), len(whole.symbols) - 1)
        states = np.where(left > 0, whole.transitions[states, codes[:, step]], states)
    return Strings(codes, lengths)


def _continuations(whole: DFA, longest: int) -> list[list[int]]:
    """Return how many strings of each length lead from each state to acceptance; exact, whatever their size."""
    rows = [[int(accepts) for accepts in whole.accepting]]
    for _ in range(longest):
        rows.append([sum(rows[-1][each] for each in following) for following in whole.transitions.tolist()])
    return rows
