"""Metrics of whole sequences: how many of their scored steps are right, and in how many sequences all are.

They take the predictions and the truth of the scored steps, and the rows at which sequences end; without these every row is
a sequence of its own.
"""

from __future__ import annotations

import math

import numpy as np

from evorrn.data.finite import nan_unless_finite


def right_steps(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return True (N,) where the label has the largest logit, or every logit has the sign of its bit."""
    if truth.ndim == 1:
        return np.asarray(predicted.argmax(axis=1) == truth)
    return np.asarray(((predicted > 0) == (truth > 0.5)).all(axis=1))


def _per_sequence(values: np.ndarray, ends: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of values (N,) over each sequence (K,), and the number of its rows (K,)."""
    last = np.arange(len(values)) if ends is None else np.asarray(ends)
    sums = np.diff(np.cumsum(values)[last], prepend=0)
    return sums, np.diff(last, prepend=-1)


@nan_unless_finite
def token_accuracy(predicted: np.ndarray, truth: np.ndarray, ends: np.ndarray | None = None) -> float:
    """Return the mean over sequences of the share of their scored steps that are right, see `right_steps`.

    Source: Delétang et al. 2023, "Neural networks and the Chomsky hierarchy".
    """
    right, steps = _per_sequence(right_steps(predicted, truth), ends)
    return float(np.mean(right / steps))


@nan_unless_finite
def exact_match(predicted: np.ndarray, truth: np.ndarray, ends: np.ndarray | None = None) -> float:
    """Return the share of sequences of which every scored step is right, see `right_steps`."""
    right, steps = _per_sequence(right_steps(predicted, truth), ends)
    return float(np.mean(right == steps))


@nan_unless_finite
def legal_match(predicted: np.ndarray, truth: np.ndarray, ends: np.ndarray | None = None) -> float:
    """Return the share of sequences in which at every scored step the true entries have larger outputs than all others.

    An entry (N, O) is true where the truth is above 0.5; a tie between a true entry and another is wrong.

    Source: Hochreiter and Schmidhuber 1997, who ask that the outputs of the legal next symbols are always the most active ones.
    """
    legal = truth > 0.5
    least = np.where(legal, predicted, np.inf).min(axis=1)
    right, steps = _per_sequence(least > np.where(legal, -np.inf, predicted).max(axis=1), ends)
    return float(np.mean(right == steps))


def all_legal(predicted: np.ndarray, truth: np.ndarray, ends: np.ndarray | None = None) -> float:
    """Return 1 where every sequence is right by `legal_match`, else 0; the mean over runs is the share of successes."""
    share = legal_match(predicted, truth, ends)
    return share if math.isnan(share) else float(share == 1.0)


@nan_unless_finite
def vote_accuracy(predicted: np.ndarray, truth: np.ndarray, ends: np.ndarray | None = None) -> float:
    """Return the share of sequences whose class gets the most votes, for labels (N,) and logits (N, O).

    Each scored step is a vote for its largest logit; of classes with equally many votes the one with the larger sum of
    logits wins. The class of a sequence is the label of its last scored step.
    """
    last = np.arange(len(truth)) if ends is None else np.asarray(ends)
    firsts = np.concatenate([[0], last[:-1] + 1])
    votes = np.add.reduceat(np.eye(predicted.shape[1])[predicted.argmax(axis=1)], firsts)
    sums = np.add.reduceat(predicted, firsts)
    leading = np.where(votes == votes.max(axis=1, keepdims=True), sums, -np.inf)
    return float(np.mean(leading.argmax(axis=1) == truth[last]))


@nan_unless_finite
def bit_errors(predicted: np.ndarray, truth: np.ndarray, ends: np.ndarray | None = None) -> float:
    """Return the mean over sequences of the number of scored bits whose logit has the wrong sign.

    Source: Graves, Wayne and Danihelka 2014, "Neural Turing machines", who plot it for every task.
    """
    wrong, _ = _per_sequence(((predicted > 0) != (truth > 0.5)).sum(axis=1), ends)
    return float(np.mean(wrong))
