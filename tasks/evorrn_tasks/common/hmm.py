"""Hidden Markov models of several sequences, in log space; and a classifier with one model for each class.

A model has K states. It begins in a state, each step draws an observation from the distribution of the present state, and
the next state depends on the present one alone. All sums over states are of logarithms, so that no length underflows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evorrn.base.blas import one_thread
from evorrn.base.errors import ConfigError, DataError
from evorrn.kernels.deferred import cached
from evorrn_tasks.common.emissions import Emission, started

ROUNDS, TOLERANCE = 50, 1e-4
"""Most rounds of Baum-Welch, and the gain of log-likelihood a step below which it ends."""


@dataclass(frozen=True)
class HMM:
    """A hidden Markov model of K states.

    Attributes
    ----------
    start : ndarray, shape (K,)
        Probability that a sequence begins in each state.
    transition : ndarray, shape (K, K)
        Probability of the next state (column) after each state (row).
    emission : Gaussian or Categorical
        Distribution of an observation in each state.
    """

    start: np.ndarray
    transition: np.ndarray
    emission: Emission

    def log_likelihoods(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Return the logarithm of the density of each sequence, shape (B,)."""
        return _forward(*_joined(self, sequences), *_logarithms(self))[1]

    def filtered(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the logarithm of the probability of each state given what was observed up to its step, (T, K) a sequence."""
        emitted, ends = _joined(self, sequences)
        forward, _ = _forward(emitted, ends, *_logarithms(self))
        found = forward - np.logaddexp.reduce(forward, axis=1, keepdims=True)
        return np.split(found, ends[:-1])

    def smoothed(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the logarithm of the probability of each state given the whole sequence, (T, K) a sequence.

        Source: Rabiner 1989, equations 24 to 27.
        """
        emitted, ends = _joined(self, sequences)
        start, transition = _logarithms(self)
        occupied, _ = _backward(emitted, ends, transition, *_forward(emitted, ends, start, transition))
        with np.errstate(divide="ignore"):
            return np.split(np.log(occupied), ends[:-1])

    def viterbi(self, sequence: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the most likely path of states, shape (T,), and the logarithm of its joint density with the sequence.

        Source: Viterbi 1967; Rabiner 1989, equations 32 to 35. Of equally likely states the first is taken.
        """
        start, transition = _logarithms(self)
        emitted = self.emission.log_density(np.asarray(sequence))
        best = start + emitted[0]
        back = np.zeros(emitted.shape, dtype=np.int64)
        for step in range(1, len(emitted)):
            scores = best[:, None] + transition
            back[step] = scores.argmax(axis=0)
            best = scores.max(axis=0) + emitted[step]
        path = np.zeros(len(emitted), dtype=np.int64)
        path[-1] = best.argmax()
        for step in range(len(emitted) - 1, 0, -1):
            path[step - 1] = back[step, path[step]]
        return path, float(best.max())


class Expected(NamedTuple):
    """What a model expects of the hidden states of sequences.

    Attributes
    ----------
    log_likelihood : float
        Of all sequences.
    occupied : ndarray, shape (N, K)
        Probability of each state at every step, the sequences one after the other.
    starts : ndarray, shape (K,)
        Expected sequences that begin in each state.
    transitions : ndarray, shape (K, K)
        Expected transitions; none leads from one sequence to the next.
    """

    log_likelihood: float
    occupied: np.ndarray
    starts: np.ndarray
    transitions: np.ndarray


def expect(model: HMM, sequences: Sequence[np.ndarray]) -> Expected:
    """Return the expectations of a round of Baum-Welch, by the forward and the backward recursion."""
    emitted, ends = _joined(model, sequences)
    start, transition = _logarithms(model)
    forward, likelihoods = _forward(emitted, ends, start, transition)
    if not np.isfinite(likelihoods).all():
        raise DataError(
            "expected sequences that the hidden Markov model can produce, got one of probability 0"
        )
    occupied, counts = _backward(emitted, ends, transition, forward, likelihoods)
    firsts = np.concatenate([[0], ends[:-1]])
    return Expected(float(likelihoods.sum()), occupied, occupied[firsts].sum(axis=0), counts)


def fit(
    sequences: Sequence[np.ndarray],
    states: int,
    *,
    seed: int = 0,
    symbols: int | None = None,
    starts: int = 3,
    prior: float = 0.01,
) -> HMM:
    """Return the most likely of several models that Baum-Welch has fitted from different first values.

    Parameters
    ----------
    sequences : sequence of ndarray, shape (T, D) of floats, or (T,) of symbols
        T may differ from sequence to sequence, and may be 1.
    states : int
        Number of states, K.
    seed : int
        Of the first values.
    symbols : int, optional
        Number of different symbols, which are whole numbers from 0 on; None for floats, which have Gaussian emissions.
    starts : int
        First values that are tried.
    prior : float
        Added to every expected count of a first state, a transition and a symbol, so that nothing is impossible; 0 for the
        maximum of the likelihood alone.

    Raises
    ------
    ConfigError
        When there are no states or no first values.
    DataError
        When there is no sequence, one without a step, or a symbol that is not below `symbols`.
    """
    if states < 1 or starts < 1:
        raise ConfigError(f"expected at least one state and one start, got {states} and {starts}")
    if not sequences or not all(len(each) for each in sequences):
        raise DataError("expected sequences of at least one step each, got none, or one without a step")
    rng = np.random.default_rng(seed)
    fitted: list[tuple[float, HMM]] = []
    with one_thread():
        for _ in range(starts):
            emission = started(np.concatenate(sequences), states, symbols, rng)
            stay = np.full((states, states), 0.5 / states) + 0.5 * np.eye(states)
            fitted.append(improve(HMM(np.full(states, 1 / states), stay, emission), sequences, prior=prior))
    return max(fitted, key=lambda each: each[0])[1]


def improve(
    model: HMM, sequences: Sequence[np.ndarray], *, rounds: int = ROUNDS, prior: float = 0.0
) -> tuple[float, HMM]:
    """Return the log-likelihood of all sequences and the model, after rounds of Baum-Welch until it gains little.

    With a `prior` of 0 the log-likelihood rises in every round, except where a variance is at its lower limit.

    Source: Baum, Petrie, Soules and Weiss 1970; Rabiner 1989, equations 40 and 109 to 111, for several sequences.
    Deviation: `prior` is added to the expected counts, and variances have a lower limit.
    """
    values = np.concatenate(sequences)
    before = -np.inf
    for _ in range(rounds):
        found = expect(model, sequences)
        if found.log_likelihood - before < TOLERANCE * len(values):
            return found.log_likelihood, model
        before = found.log_likelihood
        model = HMM(
            start=_shares(found.starts + prior, model.start),
            transition=_shares(found.transitions + prior, model.transition),
            emission=model.emission.refitted(values, found.occupied, prior),
        )
    return float(model.log_likelihoods(sequences).sum()), model


class Classifier:
    """One hidden Markov model for each class; a sequence belongs to the class under which it is most probable.

    Parameters
    ----------
    sequences : sequence of ndarray, shape (T, D)
        Training sequences.
    labels : ndarray of int, shape (B,)
    classes : int
    states : int
        Number of states of each model; a class with fewer steps has as many as it has steps.
    """

    def __init__(
        self, sequences: Sequence[np.ndarray], labels: np.ndarray, classes: int, *, states: int
    ) -> None:
        counts = np.bincount(labels, minlength=classes)
        self.shares = counts / counts.sum()
        self.models: list[HMM | None] = []
        for label, count in enumerate(counts):
            own = [each for each, of in zip(sequences, labels) if of == label]
            fewer = min(states, sum(map(len, own)))
            self.models.append(fit(own, fewer, seed=label) if count else None)

    def scores(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """Return the logarithm of the joint density of each sequence and each class, shape (B, classes).

        A class that training does not have gets a score below that of every other class.
        """
        found = np.full((len(sequences), len(self.models)), np.nan)
        for label, (model, share) in enumerate(zip(self.models, self.shares)):
            if model is not None:
                found[:, label] = model.log_likelihoods(sequences) + np.log(share)
        lowest = np.nanmin(found, axis=1, keepdims=True) - 100.0
        return np.where(np.isnan(found), lowest, found)


@cached
def log_sum(values: np.ndarray) -> float:
    """Return the logarithm of the sum of exponentials of values (K,); -inf of nothing but -inf."""
    top = values.max()
    if top == -np.inf:
        return -np.inf
    total = 0.0
    for value in values:
        total += np.exp(value - top)
    return float(top + np.log(total))


@cached
def _forward(
    emitted: np.ndarray, ends: np.ndarray, start: np.ndarray, transition: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the log density of every sequence up to a step with the state there (N, K), and of all of it (B,).

    Source: Rabiner 1989, equations 19 to 21.
    """
    forward, likelihoods = np.empty_like(emitted), np.empty(len(ends))
    first = 0
    for sequence in range(len(ends)):
        forward[first] = start + emitted[first]
        for step in range(first + 1, ends[sequence]):
            for state in range(len(start)):
                arrived = log_sum(forward[step - 1] + transition[:, state])
                forward[step, state] = arrived + emitted[step, state]
        likelihoods[sequence] = log_sum(forward[ends[sequence] - 1])
        first = ends[sequence]
    return forward, likelihoods


@cached
def _backward(
    emitted: np.ndarray,
    ends: np.ndarray,
    transition: np.ndarray,
    forward: np.ndarray,
    likelihoods: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of each state at every step (N, K), and the expected transitions (K, K).

    Source: Rabiner 1989, equations 24, 25, 27 and 37.
    """
    occupied, counts = np.empty_like(emitted), np.zeros_like(transition)
    first = 0
    for sequence in range(len(ends)):
        backward = np.zeros(len(transition))
        occupied[ends[sequence] - 1] = np.exp(forward[ends[sequence] - 1] - likelihoods[sequence])
        for step in range(ends[sequence] - 2, first - 1, -1):
            later = transition + (emitted[step + 1] + backward)
            counts += np.exp(later + forward[step].copy().reshape(-1, 1) - likelihoods[sequence])
            for state in range(len(transition)):
                backward[state] = log_sum(later[state])
            occupied[step] = np.exp(forward[step] + backward - likelihoods[sequence])
        first = ends[sequence]
    return occupied, counts


def _joined(model: HMM, sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the log density of every observation in every state (N, K), and the step after each sequence's last (B,)."""
    ends = np.cumsum([len(each) for each in sequences])
    return model.emission.log_density(np.concatenate(sequences)), ends


def _logarithms(model: HMM) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithms of the first and the next states' probabilities."""
    with np.errstate(divide="ignore"):
        return np.log(model.start), np.log(model.transition)


def _shares(counts: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Return counts as shares along the last axis; those of before where there is no count."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.where(total > 0, counts / np.where(total > 0, total, 1.0), otherwise)
