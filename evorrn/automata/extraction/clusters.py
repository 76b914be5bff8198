"""Clusters of a network's states: first accepting and rejecting ones, then divided where their transitions disagree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.automata.dfa import DFA
from evorrn.automata.extraction.visits import Visits

START, REJECTING, ACCEPTING = 0, 1, 2
"""The first clusters: that of the state before the first symbol alone, and those of all others by their answer."""


@dataclass(frozen=True, eq=False)
class Split:
    """One cluster made two: members nearer to the second centre (S,) than to the first become a new cluster."""

    cluster: int
    new: int
    centres: tuple[np.ndarray, np.ndarray]

    def moves(self, states: np.ndarray) -> np.ndarray:
        """Return which of states (N, S) become members of the new cluster."""
        first, second = self.centres
        return (states @ (second - first)) > (second @ second - first @ first) / 2


class Clusters:
    """Clusters of the states (M, S) that a network visits, and of the states one symbol later.

    Attributes
    ----------
    of : ndarray of int, shape (M,)
    after : ndarray of int, shape (A, M)
        The clusters one symbol later.
    count : int
    """

    def __init__(self, visits: Visits) -> None:
        self.visits = visits
        self.of = np.where(visits.accepted, ACCEPTING, REJECTING)
        self.of[0] = START
        self.after = np.where(visits.next_accepted, ACCEPTING, REJECTING)
        self.count = 3
        self.hopeless: set[tuple[int, int]] = set()

    def votes(self) -> np.ndarray:
        """Return how many members of each cluster go to each cluster at each symbol, shape (A, count, count)."""
        found = np.zeros((len(self.after), self.count, self.count), dtype=np.int64)
        for symbol, after in enumerate(self.after):
            np.add.at(found[symbol], (self.of, after), 1)
        return found

    def consistency(self) -> float:
        """Return the share of transitions that agree with the majority of their cluster."""
        return float(self.votes().max(axis=2).sum() / self.after.size)

    def divide(self) -> bool:
        """Split the cluster whose transitions disagree most; return False when none can be split.

        The members whose successors are in the most frequent cluster and the others are two groups. Their means are
        the first centres of k-means with two clusters, which makes the new clusters.
        """
        votes = self.votes()
        against = votes.sum(axis=2) - votes.max(axis=2)
        for symbol, cluster in zip(
            *np.unravel_index(np.argsort(-against, axis=None, kind="stable"), against.shape)
        ):
            if against[symbol, cluster] == 0:
                return False
            if (int(symbol), int(cluster)) not in self.hopeless:
                if self._split(int(symbol), int(cluster), int(votes[symbol, cluster].argmax())):
                    return True
                self.hopeless.add((int(symbol), int(cluster)))
        return False

    def _split(self, symbol: int, cluster: int, majority: int) -> bool:
        members = np.flatnonzero(self.of == cluster)
        states = self.visits.states[members].astype(np.float64)
        agree = self.after[symbol, members] == majority
        means = np.stack([states[agree].mean(axis=0), states[~agree].mean(axis=0)])
        split = Split(cluster, self.count, (means[0], means[1]))
        moved = split.moves(states)
        if moved.all() or not moved.any():
            return False
        self.of[members[moved]] = self.count
        for symbol_after, after in enumerate(self.after):
            places = np.flatnonzero(after == cluster)
            moved = split.moves(self.visits.next_states[symbol_after, places].astype(np.float64))
            self.after[symbol_after, places[moved]] = self.count
        self.count += 1
        self.hopeless.clear()
        return True

    def automaton(self, symbols: tuple[str, ...], start_accepts: bool) -> DFA:
        """Return the minimal automaton of the clusters, whose transitions are those of the majority."""
        votes = self.votes()
        accepting = np.zeros(self.count, dtype=bool)
        accepting[self.of[self.visits.accepted]] = True
        accepting[START] = start_accepts
        return DFA(votes.argmax(axis=2).T, accepting, START, symbols).minimised()
