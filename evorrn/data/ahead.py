"""Whether the targets of data are the inputs of the next step."""

from __future__ import annotations

import numpy as np

from evorrn.data.batch import Batch


def next_inputs(batch: Batch) -> bool:
    """Return whether every scored target is the input of the next step: its first numbers, or the class that it shows.

    A class is shown by an input that is that whole number, or by a one-hot input. Targets of the last step of a sequence, which
    no input follows, are not compared. Labels of whole sequences and nodes of trees have no next input.
    """
    if batch.whole or batch.vectors or batch.links is not None or batch.steps < 2:
        return False
    assert batch.lengths is not None
    followed = np.arange(1, batch.steps)[None, :] < batch.lengths[:, None]
    inside = batch.scored[:, :-1] & followed
    if not inside.any():
        return False
    inputs, targets = batch.inputs[:, 1:][inside], batch.targets[:, :-1][inside]
    if not batch.labelled:
        wide = inputs.ndim == 2 and targets.shape[1] <= inputs.shape[1]
        return wide and np.array_equal(inputs[:, : targets.shape[1]], targets)
    if batch.symbols:
        return np.array_equal(inputs, targets)
    one_hot = bool(((inputs == 0) | (inputs == 1)).all() and (inputs.sum(axis=1) == 1).all())
    return one_hot and np.array_equal(inputs.argmax(axis=1), targets)


def detect_horizon(batch: Batch) -> int | None:
    """Return 1 when the targets are the first inputs of the next step, so that a closed loop is possible; else None."""
    return 1 if not batch.labelled and next_inputs(batch) else None
