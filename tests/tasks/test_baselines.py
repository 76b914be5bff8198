"""Baselines, against the same predictions made by hand and by scikit-style least squares."""

import numpy as np

from evorrn.data.batch import Batch
from evorrn.data.task import Splits
from evorrn_tasks.common import baselines
from evorrn_tasks.common.records import forecasting_splits


def record(rows, seed=0):
    rng = np.random.default_rng(seed)
    x = np.zeros(rows)
    for t in range(2, rows):
        x[t] = 1.6 * x[t - 1] - 0.8 * x[t - 2] + rng.normal()
    return np.stack([x, rng.normal(size=rows)], axis=1)


def splits_of(rows=1200, horizon=1, washout=20, windows=1):
    ends = (rows - 400, rows - 200)
    return forecasting_splits(
        record(rows), targets=1, horizon=horizon, ends=ends, washout=washout, windows=windows
    )


def loss(outputs, batch):
    return float(np.mean(np.square(outputs - batch.targets)[batch.scored]))


def test_linear_finds_an_autoregression_of_second_order():
    splits = splits_of(8000)
    error = loss(baselines.linear(splits), splits.test) * splits.scaling.target_deviation[0] ** 2
    innovation = 1.0
    assert abs(error - innovation) < 0.2


def test_linear_is_least_squares_on_the_training_steps():
    splits = splits_of(horizon=2)
    x = np.concatenate([splits.train.inputs[0], np.ones((splits.train.steps, 1))], axis=1)
    lagged = np.concatenate([x[1:, :2], x[:-1]], axis=1)
    chosen = splits.train.scored[0, 1:]
    weights, *_ = np.linalg.lstsq(lagged[chosen], splits.train.targets[0, 1:][chosen], rcond=None)
    test = np.concatenate([splits.test.inputs[0], np.ones((splits.test.steps, 1))], axis=1)
    by_hand = np.concatenate([test[1:, :2], test[:-1]], axis=1) @ weights
    ours = baselines.linear(splits)[0]
    assert loss(ours[None], splits.test) < 1.02 * np.mean(
        np.square(by_hand - splits.test.targets[0, 1:])[splits.test.scored[0, 1:]]
    )


def test_linear_is_the_same_for_one_window_and_for_many_where_context_suffices():
    one, many = splits_of(windows=1, washout=70), splits_of(windows=5, washout=70)
    assert np.allclose(baselines.linear(one), baselines.linear(many), atol=1e-10)


def test_linear_runs_freely_on_its_own_outputs():
    t = np.arange(300)
    wave = (np.sin(0.3 * t) + 0.5 * np.sin(0.71 * t))[:, None]
    mask = (np.arange(120) >= 60)[None]
    parts = [Batch(wave[None, a : a + 120], wave[None, a + 1 : a + 121], mask=mask) for a in (0, 80, 160)]
    splits = Splits(*parts)
    outputs = baselines.linear(splits, free_run=True)
    assert np.abs(outputs - splits.test.targets)[splits.test.scored].max() < 1e-6
    changed = np.array(splits.test.inputs)
    changed[:, 60:] = 99.0  # inputs that a free run must not use
    hidden = Batch(changed, splits.test.targets, mask=mask)
    assert np.array_equal(baselines.linear(Splits(*parts[:2], hidden), free_run=True), outputs)


def test_linear_falls_back_on_what_the_data_allow():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4, 2))
    tiny = Splits(*[Batch(x, x[:, :, :1] * 2.0)] * 3)
    assert np.isfinite(baselines.linear(tiny)).all()
    last = np.zeros((3, 4), dtype=bool)
    last[:, -1] = True
    once = Splits(*[Batch(x, x[:, :, :1], mask=last)] * 3)
    assert np.isfinite(baselines.linear(once)).all()


def test_mean_persistence_and_class_frequencies_by_hand():
    splits = splits_of()
    level = splits.train.targets[splits.train.scored].mean()
    assert (baselines.mean(splits) == level).all()
    assert np.array_equal(baselines.persistence(splits), splits.test.inputs[:, :, :1])
    labels = [np.array([[0, 0, 1, 2, 0]]), np.array([[0, 1, 2, 0, 1]])]
    x = np.ones((1, 5, 1))
    made = Splits(Batch(x, labels[0]), Batch(x, labels[1]), Batch(x, labels[1]))
    logits = baselines.class_frequencies(made, 4)
    assert logits.shape == (1, 5, 4) and np.isfinite(logits).all()
    assert np.allclose(np.exp(logits[0, 0, :3]), [0.6, 0.2, 0.2]) and logits[0, 0, 3] < logits[0, 0, 2]
