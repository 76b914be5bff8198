"""Copy: the layout of a sequence, and the known cross-entropy without memory."""

import numpy as np
import pytest

import evorrn
from evorrn.training.assessment import score


@pytest.mark.parametrize(("delay", "copied", "symbols"), [(20, 10, 8), (1, 3, 2), (7, 1, 4)])
def test_sequences_are_laid_out_as_published(delay, copied, symbols):
    task = evorrn.task("copy", delay=delay, copied=copied, symbols=symbols, train=40)
    batch = task.data(0).train
    steps = delay + 2 * copied
    assert batch.inputs.shape == (40, steps, symbols + 2) and batch.targets.shape == (40, steps)
    assert (batch.inputs.sum(axis=2) == 1).all() and batch.scored.all()
    shown = batch.inputs.argmax(axis=2)
    blank, cue = symbols, symbols + 1
    assert (shown[:, :copied] < symbols).all()
    assert (shown[:, copied : copied + delay - 1] == blank).all()
    assert (shown[:, copied + delay - 1] == cue).all()
    assert (shown[:, copied + delay :] == blank).all()
    assert (batch.targets[:, : copied + delay] == blank).all()
    assert np.array_equal(batch.targets[:, copied + delay :], shown[:, :copied])
    assert task.outputs == symbols + 1


@pytest.mark.parametrize("delay", [20, 100, 200, 500])
def test_cross_entropy_without_memory_is_ten_ln_8_over_the_length(delay):
    task = evorrn.task("copy", delay=delay, train=2, valid=2, test=50)
    splits = task.data(0)
    value = score(task.baselines(splits)["without memory"], splits.test, task.metrics, splits.scaling)
    assert abs(value["cross_entropy"] - 10 * np.log(8) / (delay + 20)) < 1e-12


def test_published_lines():
    values = [round(reference.value, 4) for reference in evorrn.task("copy").references]
    assert values == [0.1733, 0.0945, 0.0400]
