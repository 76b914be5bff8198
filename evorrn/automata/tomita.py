"""Tomita's seven regular languages over 0 and 1, the usual test of networks that learn automata.

Source: Tomita 1982, "Dynamic construction of finite automata from examples using hill-climbing".
"""

from __future__ import annotations

import numpy as np

from evorrn.automata.dfa import DFA
from evorrn.base.errors import UnknownName

TOMITA: dict[int, tuple[str, list[list[int]], list[int]]] = {
    1: ("ones alone", [[1, 0], [1, 1]], [0]),
    2: ("10, repeated", [[1, 2], [1, 1], [0, 1]], [0]),
    3: (
        "no run of an odd number of zeros anywhere after a run of an odd number of ones",
        [[0, 1], [2, 0], [3, 4], [2, 3], [4, 4]],
        [0, 1, 3],
    ),
    4: ("no three zeros in a row", [[1, 0], [2, 0], [3, 0], [3, 3]], [0, 1, 2]),
    5: ("an even number of zeros and an even number of ones", [[1, 2], [0, 3], [3, 0], [2, 1]], [0]),
    6: ("the number of ones minus the number of zeros is a multiple of three", [[1, 2], [2, 0], [0, 1]], [0]),
    7: (
        "zeros, ones, zeros, ones: at most two runs of each",
        [[0, 1], [2, 1], [2, 3], [4, 3], [4, 4]],
        [0, 1, 2, 3],
    ),
}
"""In words, the transitions of the minimal complete automaton, and its accepting states; state 0 is the start."""


def tomita_dfa(language: int) -> DFA:
    """Return the minimal complete automaton of one of Tomita's languages, 1 to 7; each accepts the empty string.

    Raises
    ------
    UnknownName
        For another number.

    Examples
    --------
    >>> from evorrn.automata import tomita_dfa
    >>> no_three_zeros = tomita_dfa(4)
    >>> no_three_zeros.states, no_three_zeros.accepts(["1001", "10001"]).tolist()
    (4, [True, False])
    """
    if language not in TOMITA:
        raise UnknownName("language", language, map(str, TOMITA))
    _, transitions, accepting = TOMITA[language]
    return DFA(np.array(transitions), np.isin(np.arange(len(transitions)), accepting), symbols="01")
