"""A feed-forward network on a window of the last inputs, which tells a label at every step."""

from __future__ import annotations

import warnings

import numpy as np
from threadpoolctl import threadpool_limits

from evorrn.data.batch import Batch
from evorrn.data.metrics import cross_entropy
from evorrn.data.task import Splits
from evorrn_tasks.common import linear

WINDOWS = (1, 3, 8)
"""Steps that are seen: the present one and those before it."""
MOST_ROWS = 10_000
LEAST = 1e-10
"""The smallest probability, that of a label which training has not."""


def next_labels(splits: Splits, classes: int) -> tuple[str, np.ndarray]:
    """Return a name and the log probabilities (B, T, classes) of test, of the window with the lowest cross-entropy on validation.

    The chosen network is then trained on training and validation together, because a network that is chosen on validation has
    seen both. It has 32 units with rectified activation, as scikit-learn's MLPClassifier trains them, always with the same seed.
    """
    train, valid, test = splits
    assert train is not None and valid is not None and test is not None
    symbols = max(each.n_inputs for each in (train, valid, test))
    if train.symbols:
        train, valid, test = (each.with_inputs(np.eye(symbols)[each.inputs]) for each in (train, valid, test))
    losses = {}
    for window in sorted({min(window, train.steps) for window in WINDOWS}):
        found = _predicted([train], window, classes, valid)
        losses[window] = cross_entropy(found[valid.scored], valid.targets[valid.scored])
    best = min(losses, key=lambda window: losses[window])
    name = f"window MLP, {best} step{'' if best == 1 else 's'} seen"
    return name, _predicted([train, valid], best, classes, test)


def _predicted(known: list[Batch], window: int, classes: int, asked: Batch) -> np.ndarray:
    """Return log probabilities (B, T, classes) of a network that was trained on the known batches."""
    from sklearn.neural_network import MLPClassifier

    x = np.concatenate([linear.register(batch.inputs, window)[batch.scored] for batch in known])
    labels = np.concatenate([batch.targets[batch.scored] for batch in known])
    every = -(-len(x) // MOST_ROWS)
    model = MLPClassifier((32,), alpha=1e-3, max_iter=100, random_state=0)
    shown = linear.register(asked.inputs, window).reshape(-1, x.shape[1])
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")  # of steps that did not converge: validation chooses
        model.fit(x[::every], labels[::every])
        shares = model.predict_proba(shown)
    found = np.full((len(shown), classes), LEAST)
    found[:, model.classes_] = np.maximum(shares, LEAST)
    return np.log(found).reshape(asked.size, asked.steps, classes)
