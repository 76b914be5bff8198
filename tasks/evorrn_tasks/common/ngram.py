"""The n-gram: frequencies of labels after the last symbols, backing off to fewer symbols where these are rare."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.task import Splits

MOST_SYMBOLS = 256
"""Different inputs of a time step; of more, they are no symbols."""
LONGEST = 8
"""Most symbols that are seen."""


def is_symbolic(batch: Batch) -> bool:
    """Return whether a batch has labels at time steps, and inputs that take at most `MOST_SYMBOLS` different values."""
    assert batch.lengths is not None
    inside = np.arange(batch.steps) < batch.lengths[:, None]
    return batch.labelled and int(_symbols(batch.inputs[inside]).max()) < MOST_SYMBOLS


def next_labels(splits: Splits, classes: int) -> tuple[str, np.ndarray]:
    """Return a name and the log probabilities of labels at every test step, shape (B, T, classes).

    The number of symbols that are seen, the present one and those before it, is that with the lowest cross-entropy on
    validation. The frequencies are then those of training and validation together, because a network that is chosen on
    validation has seen both.
    """
    train, valid, test = splits.train, splits.valid, splits.test
    assert valid is not None and test is not None
    pasts, truths = _pasts([train, valid, test]), [each.targets[each.scored] for each in (train, valid)]
    scored = [past[batch.scored] for past, batch in zip(pasts, (train, valid))]
    losses = [
        -np.log(found[np.arange(len(truths[1])), truths[1]]).mean()
        for found in probabilities(scored[0], truths[0], scored[1], classes)
    ]
    best = int(np.argmin(losses))
    known = np.concatenate(scored)[:, :best]
    *_, found = probabilities(known, np.concatenate(truths), pasts[2].reshape(-1, LONGEST)[:, :best], classes)
    name = f"n-gram, {best} symbol{'' if best == 1 else 's'} seen"
    return name, np.log(found).reshape(test.size, test.steps, classes)


def probabilities(
    known: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int
) -> Iterator[np.ndarray]:
    """Yield the probability of each label after the first 0, 1, ..., K symbols of each row, shape (M, classes).

    After a context with n observations of d different labels, a label that was observed c times has the probability
    (c + d p) / (n + d), where p is its probability after one symbol less; without symbols, p is the same for all labels.

    Parameters
    ----------
    known : ndarray of int, shape (N, K)
        Symbols from 0 on, the newest first.
    labels : ndarray of int, shape (N,)
        What followed.
    asked : ndarray of int, shape (M, K)
    classes : int
        Number of labels.

    Source: Witten and Bell 1991, method C, interpolated as in Chen and Goodman 1999.
    """
    both = np.concatenate([known, asked])
    context = np.zeros(len(both), dtype=np.int64)
    chance = np.full((len(asked), classes), 1 / classes)
    for seen in range(both.shape[1] + 1):
        if seen:
            joint = context * (both.max() + 1) + both[:, seen - 1]
            context = np.unique(joint, return_inverse=True)[1].ravel()
        counts = np.zeros((context.max() + 1, classes))
        np.add.at(counts, (context[: len(known)], labels), 1.0)
        own = counts[context[len(known) :]]
        different = (own > 0).sum(axis=1, keepdims=True)
        total = own.sum(axis=1, keepdims=True) + different
        chance = np.where(total > 0, (own + different * chance) / np.maximum(total, 1), chance)
        yield chance


def _pasts(batches: list[Batch]) -> list[np.ndarray]:
    """Return the last symbols at every step, the newest first, (B, T, `LONGEST`); 0 before the start of a sequence."""
    width = 1 if batches[0].symbols else batches[0].n_inputs
    symbols = _symbols(np.concatenate([batch.inputs.reshape(-1, width) for batch in batches]))
    found, first = [], 0
    for batch in batches:
        own = symbols[first : first + batch.size * batch.steps].reshape(batch.size, batch.steps) + 1
        first += own.size
        past = np.zeros((*own.shape, LONGEST), dtype=np.int64)
        for back in range(min(LONGEST, batch.steps)):
            past[:, back:, back] = own[:, : batch.steps - back]
        found.append(past)
    return found


def _symbols(rows: np.ndarray) -> np.ndarray:
    """Return a number from 0 on for each row (N, I), the same for equal rows, in the order in which they appear."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows + 0.0], dtype=np.int64)
