"""Sines: the sum by hand, the start of the free run, and the free run of a linear model."""

import numpy as np
import pytest

import evorrn
from evorrn.training.assessment import predictions, score

FREQUENCIES = [0.2, 0.311, 0.42, 0.51, 0.74]


@pytest.mark.parametrize("waves", [2, 3, 5])
def test_values_are_a_sum_of_sines_with_the_published_frequencies(waves):
    splits = evorrn.task("sines", waves=waves).data(4)
    x = splits.scaling.restore_inputs(splits.test.inputs)[0, :, 0]
    time = np.arange(len(x))
    angles = np.multiply.outer(time, FREQUENCIES[:waves])
    basis = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    weights, *_ = np.linalg.lstsq(basis, x, rcond=None)
    assert np.allclose(basis @ weights, x, atol=1e-10)
    assert np.allclose(np.hypot(weights[:waves], weights[waves:]), 1.0)


def test_splits_lie_where_the_docstring_says():
    splits = evorrn.task("sines").data(0)
    assert [batch.inputs.shape for batch in splits] == [(1, 400, 1), (1, 400, 1), (1, 700, 1)]
    assert np.flatnonzero(splits.train.scored[0]).tolist() == list(range(100, 400))
    assert np.flatnonzero(splits.valid.scored[0]).tolist() == list(range(100, 400))
    assert np.flatnonzero(splits.test.scored[0]).tolist() == list(range(400, 700))
    assert np.array_equal(splits.test.inputs[0, :400], splits.train.inputs[0])
    assert np.allclose(
        splits.valid.targets[0, -1], splits.train.inputs[0, 0]
    )  # validation ends where training begins
    known = splits.scaling.restore_inputs(splits.train.inputs)
    assert np.allclose(splits.scaling.input_mean, known.mean())


def test_the_linear_recurrence_is_the_baseline_to_beat():
    task = evorrn.task("sines", waves=2)
    splits = task.data(0)
    values = {
        name: score(outputs, splits.test, task.metrics, None)["nrmse_std"]
        for name, outputs in task.baselines(splits).items()
    }
    assert values["linear autoregression"] < 1e-8
    assert values["mean"] > 0.9 and values["persistence"] > 0.9


def test_persistence_holds_the_last_value_that_was_seen():
    task = evorrn.task("sines", train=20, valid=10, test=30)
    splits = task.data(0)
    held = task.baselines(splits)["persistence"][0, :, 0]
    assert np.array_equal(held[:120], splits.test.inputs[0, :120, 0])
    assert (held[120:] == splits.test.inputs[0, 119, 0]).all()


def test_a_network_is_scored_in_its_free_run():
    task = evorrn.task("sines", waves=2, train=30, valid=30, test=30)
    splits = task.data(1)
    net = evorrn.Network.for_task(task, cell="elman", hidden=4)
    genome = net.init(seed=0)
    free = predictions(net, genome, splits.test, task.free_run)
    forced = predictions(net, genome, splits.test, False)
    assert np.array_equal(free[:, :130], forced[:, :130])
    assert not np.allclose(free[:, 131:], forced[:, 131:])
