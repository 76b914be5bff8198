"""Baselines, against the same predictions made by hand and by scikit-style least squares."""

import numpy as np
import pytest

from evorrn.data.batch import Batch
from evorrn.data.task import Splits
from evorrn_tasks.common import baselines, linear
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
    error = loss(linear.by_validation(splits), splits.test) * splits.scaling.target_deviation[0] ** 2
    innovation = 1.0
    assert abs(error - innovation) < 0.2


def by_hand(splits, order, ridge, batches):
    """Return the test outputs of ridge regression on the scored steps with a full past, by the normal equations."""

    def rows(batch, sequence):
        for step in range(order - 1, batch.steps):
            past = batch.inputs[sequence, step - order + 1 : step + 1][::-1].ravel()
            yield np.append(past, 1.0), batch.targets[sequence, step], batch.scored[sequence, step]

    found = [row for batch in batches for sequence in range(batch.size) for row in rows(batch, sequence)]
    x = np.array([features for features, _, scored in found if scored])
    y = np.array([target for _, target, scored in found if scored])
    penalty = ridge * len(x) * np.eye(x.shape[1])
    penalty[-1, -1] = 0.0
    weights = np.linalg.solve(x.T @ x + penalty, x.T @ y)
    residuals = y - x @ weights
    return weights, residuals


def outputs_by_hand(weights, order, batch):
    outputs = np.zeros(batch.targets.shape)
    for sequence in range(batch.size):
        padded = np.vstack([np.zeros((order - 1, batch.n_inputs)), batch.inputs[sequence]])
        for step in range(batch.steps):
            past = padded[step : step + order][::-1].ravel()
            outputs[sequence, step] = np.append(past, 1.0) @ weights
    return outputs


@pytest.mark.parametrize(
    "seed", [0, 1, pytest.param(2, marks=pytest.mark.thorough), pytest.param(3, marks=pytest.mark.thorough)]
)
def test_the_order_and_penalty_of_the_lowest_validation_loss_are_fitted_again_on_training_and_validation(
    seed,
):
    rng = np.random.default_rng(seed)
    rows, horizon, windows = int(rng.integers(450, 700)), int(rng.integers(1, 4)), int(rng.integers(1, 4))
    splits = splits_of(rows, horizon, washout=int(rng.integers(5, 30)), windows=windows)
    tried = []
    for order in range(1, linear.MOST_ORDERS + 1):
        usable = sum(mask[order - 1 :].sum() for mask in splits.train.scored)
        if order > 1 and usable < 2 * order * splits.train.n_inputs:
            break
        for ridge in linear.RIDGES:
            weights, _ = by_hand(splits, order, ridge, [splits.train])
            tried.append((loss(outputs_by_hand(weights, order, splits.valid), splits.valid), order, ridge))
    lowest = min(tried)[0]
    chosen = [one for one in tried if one[0] < lowest * (1 + 1e-9)]  # tiny penalties are equal to rounding
    ours = linear.by_validation(splits)
    fits = [by_hand(splits, order, ridge, [splits.train, splits.valid])[0] for _, order, ridge in chosen]
    expected = [outputs_by_hand(weights, order, splits.test) for weights, (_, order, _) in zip(fits, chosen)]
    assert any(np.allclose(ours, one, atol=1e-6) for one in expected)


@pytest.mark.parametrize("seed", range(4))
def test_akaikes_criterion_chooses_the_order_on_common_training_steps(seed):
    rng = np.random.default_rng(seed)
    splits = splits_of(int(rng.integers(500, 900)), washout=int(rng.integers(5, 30)))
    train, x = splits.train, splits.train.inputs[0]
    count = int(train.scored.sum())
    limit = int(10 * np.log10(count) / 2)
    criteria = []
    for order in range(1, limit + 1):
        steps = [t for t in range(limit - 1, train.steps) if train.scored[0, t]]
        features = np.array([np.append(x[t - order + 1 : t + 1][::-1].ravel(), 1.0) for t in steps])
        _, squares, *_ = np.linalg.lstsq(features, train.targets[0, steps], rcond=None)
        criteria.append(len(steps) * np.log(squares[0] / len(steps)) + 2 * (features.shape[1] + 1))
    order = 1 + int(np.argmin(criteria))
    assert 2 <= order < limit
    weights, _ = by_hand(splits, order, linear.RIDGES[0], [splits.train, splits.valid])
    assert np.allclose(linear.by_aic(splits), outputs_by_hand(weights, order, splits.test), atol=1e-8)


def test_test_targets_do_not_change_a_linear_model():
    splits = splits_of(600)
    test = Batch(splits.test.inputs, -7 * splits.test.targets, mask=splits.test.mask)
    for model in (linear.by_validation, linear.by_aic):
        assert np.array_equal(model(splits), model(Splits(splits.train, splits.valid, test)))


def test_linear_is_the_same_for_one_window_and_for_many_where_context_suffices():
    one, many = splits_of(windows=1, washout=70), splits_of(windows=5, washout=70)
    assert np.allclose(linear.by_validation(one), linear.by_validation(many), atol=1e-10)


def test_linear_runs_freely_on_its_own_outputs():
    t = np.arange(300)
    wave = (np.sin(0.3 * t) + 0.5 * np.sin(0.71 * t))[:, None]
    mask = (np.arange(120) >= 60)[None]
    parts = [Batch(wave[None, a : a + 120], wave[None, a + 1 : a + 121], mask=mask) for a in (0, 80, 160)]
    splits = Splits(*parts)
    outputs = linear.by_validation(splits, free_run=True)
    assert np.abs(outputs - splits.test.targets)[splits.test.scored].max() < 1e-6
    changed = np.array(splits.test.inputs)
    changed[:, 60:] = 99.0  # inputs that a free run must not use
    hidden = Batch(changed, splits.test.targets, mask=mask)
    assert np.array_equal(linear.by_validation(Splits(*parts[:2], hidden), free_run=True), outputs)


def test_linear_falls_back_on_what_the_data_allow():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4, 2))
    tiny = Splits(*[Batch(x, x[:, :, :1] * 2.0)] * 3)
    assert np.isfinite(linear.by_validation(tiny)).all()
    last = np.zeros((3, 4), dtype=bool)
    last[:, -1] = True
    once = Splits(*[Batch(x, x[:, :, :1], mask=last)] * 3)
    assert np.isfinite(linear.by_validation(once)).all()


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


@pytest.mark.parametrize("order", [1, 4])
@pytest.mark.parametrize("outputs", [1, 2])
def test_free_runs_of_many_models_together_have_the_losses_of_each_alone(order, outputs):
    rng = np.random.default_rng(order)
    mask = np.arange(15) >= np.array([3, 1, 6])[:, None]
    mask[0, 9] = False
    lengths = np.array([15, 12, 13])
    batch = Batch(rng.normal(size=(3, 15, 2)), rng.normal(size=(3, 15, outputs)), mask=mask, lengths=lengths)
    weights = [rng.normal(scale=0.3, size=(2 * order + 1, outputs)) for _ in range(4)]
    alone = [
        np.mean(np.square(linear._apply(each, order, batch, True) - batch.targets)[batch.scored])
        for each in weights
    ]
    assert linear._free_losses(weights, order, batch) == pytest.approx(alone)
