"""Models that a table is compared with: seasonal naive and drift by hand, those of other libraries as these compute them."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

import evorrn
from evorrn.data.tables.dates import moments
from evorrn.data.tables.times import times_of_dates
from evorrn_tasks.common.comparators import (
    MOST_ROWS,
    Series,
    comparator_problems,
    drift,
    seasonal_naive,
    seasons_of,
)


def make(tmp_path, rows=240, horizon=3, targets=1):
    rng = np.random.default_rng(0)
    time = np.arange(rows)
    values = np.stack(
        [10 + np.sin(2 * np.pi * time / 7) + 0.2 * rng.normal(size=rows), np.cos(time / 9)], axis=1
    )
    lines = [f"{np.datetime64('2021-01-01') + day},{a:.4f},{b:.4f}" for day, (a, b) in zip(time, values)]
    (tmp_path / "my.csv").write_text("date,y,other\n" + "\n".join(lines) + "\n")
    target = "y,other" if targets == 2 else "y"
    task = evorrn.task("csv", path=str(tmp_path / "my.csv"), target=target, horizon=horizon)
    return task, np.round(values, 4)


@pytest.mark.parametrize(
    ("frequency", "wanted"),
    [
        ("h", (24, 168)), ("30min", (2, 48, 336)), ("15min", (4, 96, 672)), ("6h", (4, 28)), ("D", (7,)),
        ("W", (52,)), ("B", (5,)), ("MS", (12,)), ("ME", (12,)), ("QS", (4,)), ("YS", ()), ("7h", (24,)), ("5h", ()),
    ],
)  # fmt: skip
def test_seasons_follow_from_the_step(frequency, wanted):
    cells = [str(each) for each in pd.date_range("2021-01-04", periods=60, freq=frequency)]
    assert seasons_of(times_of_dates("t", moments(cells)).step) == wanted


@pytest.mark.parametrize("horizon", [1, 3, 7, 8, 20])
def test_seasonal_naive_and_drift_by_hand(horizon):
    values = np.cumsum(np.random.default_rng(horizon).normal(size=(80, 2)), axis=0)
    series = Series(values, (50, 65), horizon, (7,))
    rows = np.arange(65, 80)
    for row, naive, drifted in zip(rows, seasonal_naive(series, rows, 7), drift(series, rows)):
        same = [known for known in range(row - horizon + 1) if (row - known) % 7 == 0]
        assert np.array_equal(naive, values[same[-1]])  # the newest known row of the same phase
        last = row - horizon
        assert np.allclose(drifted, values[last] + horizon * (values[last] - values[0]) / last)


@pytest.mark.parametrize("targets", [1, 2])
def test_the_usual_ones_are_scored_on_the_test_rows(tmp_path, targets):
    task, values = make(tmp_path, targets=targets)
    splits = task.data(0)
    found = task.comparators(splits, ())
    assert set(found) == {"seasonal naive, 7 rows", "drift"}
    outputs = splits.scaling.restore_targets(found["seasonal naive, 7 rows"])[splits.test.scored]
    assert np.allclose(outputs, values[204 - 7 : 240 - 7, :targets])


def test_no_comparator_knows_what_comes_after_its_forecast(tmp_path):
    task, _ = make(tmp_path, rows=130)
    names = [name for name in ("boosting", "mlp", "ets") if not comparator_problems([name])]
    before = task.comparators(task.data(0), names)
    lines = (tmp_path / "my.csv").read_text().splitlines()
    lines[-10:] = [f"{line.split(',')[0]},99,99" for line in lines[-10:]]
    (tmp_path / "my.csv").write_text("\n".join(lines) + "\n")
    again = evorrn.task("csv", path=str(tmp_path / "my.csv"), target="y", horizon=3)
    after = again.comparators(again.data(0), names)
    for name, outputs in before.items():
        assert np.array_equal(outputs[0, : -10 + 3], after[name][0, : -10 + 3]), name
        assert name == "drift" or not np.array_equal(outputs, np.zeros_like(outputs))


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="scikit-learn is not installed")
def test_boosting_is_that_of_scikit_learn_on_the_window_that_validation_chose(tmp_path):
    from sklearn.ensemble import HistGradientBoostingRegressor

    task, values = make(tmp_path)
    splits = task.data(0)
    scaled = splits.scaling.scale_inputs(values)
    found = task.comparators(splits, ["boosting"])["histogram boosting"][0]

    def rows(targets, window):
        return np.stack([scaled[row - 3 - np.arange(window)].ravel() for row in targets])

    def fitted(end, window):
        first = 3 + max(window - 1, 16)  # 16 rows of training come before the first that is scored
        targets = np.arange(first, end)
        model = HistGradientBoostingRegressor(random_state=0, early_stopping=False)
        with threadpool_limits(limits=1):
            return model.fit(rows(targets, window), scaled[targets, 0])

    valid, losses = np.arange(168, 204), {}
    for window in (4, 12, 17):
        losses[window] = np.mean(
            np.square(fitted(168, window).predict(rows(valid, window)) - scaled[valid, 0])
        )
    best = min(losses, key=losses.get)
    wanted = fitted(204, best).predict(rows(np.arange(204, 240), best))
    assert np.allclose(found[splits.test.scored[0], 0], wanted)
    assert MOST_ROWS > 240


@pytest.mark.skipif(
    importlib.util.find_spec("statsforecast") is None, reason="statsforecast is not installed"
)
def test_auto_ets_is_that_of_statsforecast_from_every_origin(tmp_path):
    from statsforecast.models import AutoETS

    task, values = make(tmp_path, rows=120, horizon=2)
    splits = task.data(0)
    y = splits.scaling.scale_targets(values[:, :1])[:, 0]
    model = AutoETS(season_length=7).fit(y[:102])
    wanted = [model.forward(y[: row - 1], h=2)["mean"][1] for row in range(102, 120)]
    found = task.comparators(splits, ["ets"])["AutoETS"][0]
    assert np.allclose(found[splits.test.scored[0], 0], wanted)


def test_names_that_are_unknown_or_not_installed_are_refused(monkeypatch):
    assert "did you mean 'boosting'" in comparator_problems(["boostin"])[0]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert comparator_problems(["arima"]) == [
        "arima needs statsforecast; install it with: pip install 'evorrn[baselines]'"
    ]
    assert comparator_problems(["seasonal", "drift"]) == []
