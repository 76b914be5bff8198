"""The states that a network visits while it reads strings, and what every symbol makes of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.automata.extraction.reader import Reader
from evorrn.automata.strings import Strings
from evorrn.base.errors import DataError


@dataclass(frozen=True, eq=False)
class Visits:
    """The states after M different strings, the empty one first.

    Attributes
    ----------
    strings : Strings
        The strings that lead to the states: every prefix of the strings that were read.
    before : ndarray of int, shape (M,)
        The place of each string without its last symbol; 0 for the empty string.
    last : ndarray of int, shape (M,)
        The last symbol of each string; 0 for the empty string.
    states : ndarray, shape (M, S)
    accepted : ndarray of bool, shape (M,)
        Whether the network accepts there. At the start it is False when the network gives no answer.
    next_states : ndarray, shape (A, M, S)
        The states one symbol later.
    next_accepted : ndarray of bool, shape (A, M)
    answered : ndarray of bool, shape (M,)
        Where the network gives an answer: everywhere, or everywhere but at the start.
    """

    strings: Strings
    before: np.ndarray
    last: np.ndarray
    states: np.ndarray
    accepted: np.ndarray
    next_states: np.ndarray
    next_accepted: np.ndarray
    answered: np.ndarray


def visit(reader: Reader, strings: Strings) -> Visits:
    """Return the states that a network visits while it reads strings.

    Raises
    ------
    DataError
        When a state is not finite.
    """
    first, empty_accepted = reader.begin()
    states, accepted = [first], [empty_accepted]
    steps = strings.codes.shape[1]
    codes, lengths, before = [np.zeros((1, steps), dtype=np.int64)], [0], [0]
    so_far = np.zeros(
        len(strings), dtype=np.int64
    )  # the place of each string's prefix among those of its length
    for step in range(int(strings.lengths.max(initial=0))):
        going = strings.lengths > step
        rows, places = np.unique(strings.codes[going, : step + 1], axis=0, return_inverse=True)
        _, example = np.unique(places, return_index=True)
        parents = so_far[going][example]
        before += (parents + len(lengths) - len(states[-1])).tolist()
        after, accepts = reader.step(states[-1][parents], rows[:, -1])
        so_far[going] = places.reshape(-1)
        codes.append(np.pad(rows, ((0, 0), (0, steps - step - 1))))
        lengths += [step + 1] * len(rows)
        states.append(after)
        accepted.append(accepts)
    visited = Strings(np.concatenate(codes), np.array(lengths))
    ends = np.maximum(visited.lengths - 1, 0)
    reached = np.concatenate(states)
    following = [
        reader.step(reached, np.full(len(reached), code)) for code in range(len(reader.alphabet.names))
    ]
    next_states = np.stack([each for each, _ in following])
    if not (np.isfinite(reached).all() and np.isfinite(next_states).all()):
        raise DataError("the network diverged: a state that it visits is not finite")
    return Visits(
        strings=visited,
        before=np.array(before),
        last=visited.codes[np.arange(len(visited)), ends] if steps else np.zeros(1, dtype=np.int64),
        states=reached,
        accepted=np.concatenate(accepted),
        next_states=next_states,
        next_accepted=np.stack([each for _, each in following]),
        answered=np.arange(len(reached)) >= (not reader.answers_empty),
    )
