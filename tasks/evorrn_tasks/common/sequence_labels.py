"""Classifiers for comparison with trained networks: neighbours, Markov models, patterns, the n-gram, a feed-forward network.

What is left open, the band of the warping and the number of states, is chosen by accuracy on validation. The chosen
classifier is then made of training and validation together, because a network that is chosen on validation has seen both.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from evorrn.base.errors import unknown
from evorrn.data.batch import Batch
from evorrn.data.task import Splits
from evorrn_tasks.common import hmm, window_classes
from evorrn_tasks.common.dtw import nearest
from evorrn_tasks.common.ngram import MOST_SYMBOLS, is_symbolic, next_labels
from evorrn_tasks.common.weasel import Bag

WHOLE, STEPS = ("dtw", "hmm", "weasel"), ("ngram", "mlp")
"""Those that tell the class of a whole sequence, and those that tell a label at every step."""
NAMES = (*WHOLE, *STEPS)
EXTRA = ("weasel", "mlp")
"""Those that need scikit-learn."""
BANDS = (0.0, 0.05, 0.1, 0.2, 1.0)
STATES = (1, 2, 3, 5, 8)
MOST_WORK = 10_000_000_000
"""Pairs of steps times inputs that one search for neighbours may compare; of more sequences, some are drawn."""


def whole_sequences(batch: Batch) -> bool:
    """Return whether a batch has one label for each sequence, at its last step."""
    assert batch.lengths is not None
    last = batch.scored[np.arange(batch.size), batch.lengths - 1]
    return bool(batch.labelled and last.all() and batch.scored.sum() == batch.size)


def problems(batch: Batch, names: Sequence[str]) -> list[str]:
    """Return a sentence for each name that is not a classifier, or one that needs other data."""
    found = [unknown("baseline", name, NAMES) for name in names if name not in NAMES]
    for name in dict.fromkeys(names):
        if name in EXTRA and find_spec("sklearn") is None:
            found.append(f"{name} needs scikit-learn: pip install 'evorrn[baselines]'")
        if name == "mlp" and (not batch.labelled or batch.whole or whole_sequences(batch)):
            found.append("mlp needs a label at every step")
        if name in WHOLE and not whole_sequences(batch):
            found.append(f"{name} needs one label for each sequence, at its last step")
        if name == "ngram" and not is_symbolic(batch):
            found.append(
                f"ngram needs labels, and inputs of at most {MOST_SYMBOLS} different values at a time step"
            )
    return found


def classifiers(splits: Splits, classes: int, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the logits of the test split (B, T, classes) of each named classifier by a name for the report."""
    assert splits.test is not None
    found = {}
    for name in dict.fromkeys(names):
        if name in STEPS:
            label, logits = (next_labels if name == "ngram" else window_classes.next_labels)(splits, classes)
        else:
            make = {"dtw": nearest_neighbour, "hmm": markov_models, "weasel": patterns}[name]
            label, scores = make(splits, classes)
            logits = np.repeat(scores[:, None, :], splits.test.steps, axis=1)
        found[label] = logits
    return found


def nearest_neighbour(splits: Splits, classes: int) -> tuple[str, np.ndarray]:
    """Return a name and the logits (B, classes) of the class of the nearest sequence by dynamic time warping.

    The logits say the class of the neighbour with the probability that it was right on validation, and share the rest among
    the other classes.
    """
    train, valid, test = splits.train, splits.valid, splits.test
    assert valid is not None and test is not None
    truth = sequence_labels(valid)
    known = _affordable(train, valid)
    places = {band: nearest(valid, known, band)[0] for band in BANDS}
    right = {band: int((sequence_labels(known)[found] == truth).sum()) for band, found in places.items()}
    best = max(BANDS, key=lambda band: right[band])
    known = _affordable(_together(train, valid), test)
    chosen = sequence_labels(known)[nearest(test, known, best)[0]]
    share = (right[best] + 0.5) / (valid.size + 1)
    scores = np.full((test.size, classes), np.log((1 - share) / max(classes - 1, 1)))
    scores[np.arange(test.size), chosen] = max(np.log(share), scores[0, 0] + 1e-6)
    return f"nearest neighbour, DTW, band {best:g}", scores


def markov_models(splits: Splits, classes: int) -> tuple[str, np.ndarray]:
    """Return a name and the joint log densities (B, classes) of hidden Markov models, one for each class."""
    train, valid, test = splits.train, splits.valid, splits.test
    assert valid is not None and test is not None
    right = {}
    for states in STATES:
        scores = _models(train, classes, states).scores(rows(valid))
        right[states] = int((scores.argmax(axis=1) == sequence_labels(valid)).sum())
    best = max(STATES, key=lambda states: right[states])
    name = f"hidden Markov models, {best} state{'s' if best > 1 else ''}"
    return name, _models(_together(train, valid), classes, best).scores(rows(test))


def patterns(splits: Splits, classes: int) -> tuple[str, np.ndarray]:
    """Return a name and the log probabilities (B, classes) of a bag of patterns, see `evorrn_tasks.common.weasel`."""
    assert splits.valid is not None and splits.test is not None
    known = _together(splits.train, splits.valid)
    return "bag of patterns", Bag(rows(known), sequence_labels(known), classes).logits(rows(splits.test))


def rows(batch: Batch) -> list[np.ndarray]:
    """Return the inputs of each sequence up to its end, (T, I) in float64."""
    assert batch.lengths is not None
    return [np.asarray(x[:steps], dtype=np.float64) for x, steps in zip(batch.inputs, batch.lengths)]


def sequence_labels(batch: Batch) -> np.ndarray:
    """Return the label of each sequence, (B,)."""
    assert batch.lengths is not None
    return np.asarray(batch.targets[np.arange(batch.size), batch.lengths - 1])


def _models(batch: Batch, classes: int, states: int) -> hmm.Classifier:
    return hmm.Classifier(rows(batch), sequence_labels(batch), classes, states=states)


def _affordable(known: Batch, queries: Batch) -> Batch:
    """Return the known sequences, or as many drawn ones as do not take too much work."""
    most = max(MOST_WORK // (queries.size * known.steps * queries.steps * max(known.n_inputs, 1)), 1)
    if known.size <= most:
        return known
    return known.take(np.sort(np.random.default_rng(0).permutation(known.size)[:most]))


def _together(first: Batch, second: Batch) -> Batch:
    """Return the sequences of two batches that have one label each."""
    steps = max(first.steps, second.steps)
    inputs = [np.pad(batch.inputs, ((0, 0), (0, steps - batch.steps), (0, 0))) for batch in (first, second)]
    labels = np.concatenate([sequence_labels(first), sequence_labels(second)])
    assert first.lengths is not None and second.lengths is not None
    return Batch(np.concatenate(inputs), labels, lengths=np.concatenate([first.lengths, second.lengths]))
