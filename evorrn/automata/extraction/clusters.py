"""Clusters of a network's states: first by the network's answer, then divided where their transitions disagree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evorrn.automata.dfa import DFA
from evorrn.automata.extraction.visits import Visits

START, REJECTING, ACCEPTING = 0, 1, 2
"""The first clusters: that of the state before the first symbol alone, and those of all others by their answer."""

SHRINKAGE = 1e-3
"""What is added to the covariance of a discriminant, as a share of its mean variance."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A hyperplane: states (N, S) with ``states @ normal > bound`` are on its far side."""

    normal: np.ndarray
    bound: float

    def beyond(self, states: np.ndarray) -> np.ndarray:
        """Return which of states (N, S) are on the far side, bool."""
        return states.astype(np.float64) @ self.normal > self.bound


def discriminant(near: np.ndarray, far: np.ndarray) -> Cut:
    """Return a hyperplane between two groups of states, (N, S) and (M, S).

    Its normal is Fisher's linear discriminant; its bound makes the sum of the two groups' shares on the wrong side
    smallest.

    Source: Fisher 1936, "The use of multiple measurements in taxonomic problems".
    """
    centres = near.mean(axis=0), far.mean(axis=0)
    deviations = np.concatenate([near - centres[0], far - centres[1]])
    covariance = deviations.T @ deviations / len(deviations)
    covariance += (SHRINKAGE * np.trace(covariance) / len(covariance) + 1e-12) * np.eye(len(covariance))
    normal = np.linalg.solve(covariance, centres[1] - centres[0])
    along = np.concatenate([near, far]) @ normal
    order = np.argsort(along, kind="stable")
    is_far = order >= len(near)
    wrong_near, wrong_far = 1 - np.cumsum(~is_far) / len(near), np.cumsum(is_far) / len(far)
    last = int(np.argmin((wrong_near + wrong_far)[:-1]))  # the last state on the near side
    return Cut(normal, float(along[order[last : last + 2]].mean()))


class Clusters:
    """Clusters of the states (M, S) that a network visits, and of the states one symbol later.

    Attributes
    ----------
    of : ndarray of int, shape (M,)
        The cluster of each state.
    after : ndarray of int, shape (A, M)
        The cluster of the state one symbol later.
    count : int
    """

    def __init__(self, visits: Visits) -> None:
        self.visits = visits
        self.of = np.where(visits.accepted, ACCEPTING, REJECTING)
        self.of[0] = START
        self.after = np.where(visits.next_accepted, ACCEPTING, REJECTING)
        self.count = 3

    def majority(self) -> np.ndarray:
        """Return the cluster to which most members of each cluster go at each symbol, shape (A, count)."""
        votes = np.zeros((len(self.after), self.count, self.count), dtype=np.int64)
        for symbol, after in enumerate(self.after):
            np.add.at(votes[symbol], (self.of, after), 1)
        return votes.argmax(axis=2)

    def consistency(self) -> float:
        """Return the share of transitions that agree with the majority of their cluster."""
        majority = self.majority()
        agree = [(after == row[self.of]).mean() for after, row in zip(self.after, majority)]
        return float(np.mean(agree))

    def automaton(self, symbols: tuple[str, ...], start_accepts: bool) -> DFA:
        """Return the minimal automaton of the clusters, whose transitions are those of the majority."""
        return DFA(self.majority().T, self._accepting(start_accepts), START, symbols).minimised()

    def wrong(self) -> tuple[np.ndarray, np.ndarray]:
        """Return on which of the M strings the automaton errs, bool, and where each left the clusters of the network.

        The second array (M,) has the shortest prefix of each string, as its place among the strings, whose cluster by
        the automaton is not that of the network's state; -1 where there is none.
        """
        majority, visits = self.majority(), self.visits
        reached, left = np.zeros(len(self.of), dtype=np.int64), np.full(len(self.of), -1)
        for length in range(1, int(visits.strings.lengths.max()) + 1):
            here = np.flatnonzero(visits.strings.lengths == length)
            before = visits.before[here]
            reached[here] = majority[visits.last[here], reached[before]]
            first = np.where(reached[here] != self.of[here], here, -1)
            left[here] = np.where(left[before] >= 0, left[before], first)
        errs = self._accepting(bool(visits.accepted[0]))[reached] != visits.accepted
        return errs & visits.answered, left

    def divide(self) -> bool:
        """Split one cluster; return False when no string is wrong, or no cluster that is to blame can be split.

        A string on which the automaton errs left the network's clusters at one transition: the member goes elsewhere
        than the majority of its cluster. The transition at which most of these strings left is mended: its cluster is
        cut between the members that go with the majority and the others.
        """
        errs, left = self.wrong()
        majority, visits = self.majority(), self.visits
        blamed = left[errs]
        transitions = visits.last[blamed] * self.count + self.of[visits.before[blamed]]
        different, counts = np.unique(transitions, return_counts=True)
        for transition in different[np.argsort(-counts, kind="stable")].tolist():
            symbol, cluster = divmod(transition, self.count)
            if self._split(symbol, cluster, int(majority[symbol, cluster])):
                return True
        return False

    def _accepting(self, start_accepts: bool) -> np.ndarray:
        """Return whether each cluster accepts, shape (count,)."""
        accepting = np.zeros(self.count, dtype=bool)
        accepting[self.of[self.visits.accepted]] = True
        accepting[START] = start_accepts
        return accepting

    def _split(self, symbol: int, cluster: int, majority: int) -> bool:
        """Cut a cluster by where its members go at a symbol; return False when the cut divides no member."""
        members = np.flatnonzero(self.of == cluster)
        states = self.visits.states[members].astype(np.float64)
        agree = self.after[symbol, members] == majority
        cut = discriminant(states[agree], states[~agree])
        moved = cut.beyond(states)
        if moved.all() or not moved.any():
            return False
        self.of[members[moved]] = self.count
        for after, next_states in zip(self.after, self.visits.next_states):
            places = np.flatnonzero(after == cluster)
            after[places[cut.beyond(next_states[places])]] = self.count
        self.count += 1
        return True
