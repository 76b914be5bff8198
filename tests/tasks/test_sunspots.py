"""Sunspots: the record, the years of each split, and the data that scaling and baselines use."""

import csv

import numpy as np
import pytest

import evorrn
from evorrn.training.assessment import score
from evorrn_tasks.sunspots import RECORD


def record():
    with RECORD.open() as stream:
        rows = list(csv.reader(stream))
    return np.array([int(row[0]) for row in rows[1:]]), np.array([float(row[1]) for row in rows[1:]])


def test_record_is_the_one_of_statsmodels():
    years, numbers = record()
    assert years.tolist() == list(range(1700, 2009))
    assert numbers[:5].tolist() == [5, 11, 16, 23, 36]
    assert numbers[-5:].tolist() == [40.4, 29.8, 15.2, 7.5, 2.9]
    assert numbers[1957 - 1700] == 190.2 == numbers.max()
    statsmodels = pytest.importorskip("statsmodels.api")
    assert np.array_equal(numbers, statsmodels.datasets.sunspots.load_pandas().data["SUNACTIVITY"])


@pytest.mark.parametrize(("horizon", "washout"), [(1, 20), (3, 11), (11, 0)])
def test_each_year_is_forecast_in_its_own_split(horizon, washout):
    years, numbers = record()
    splits = evorrn.task("sunspots", horizon=horizon, washout=washout).data(0)
    scaling = splits.scaling
    spans = [(1700 + horizon + washout, 1829), (1830, 1920), (1921, 2008)]
    for batch, (first, last) in zip(splits, spans):
        forecast = scaling.restore_targets(batch.targets[batch.scored])[:, 0]
        assert np.allclose(forecast, numbers[(years >= first) & (years <= last)])
        seen = scaling.restore_inputs(batch.inputs)[0, :, 0]
        start = first - horizon - washout - 1700
        assert np.allclose(seen, numbers[start : start + len(seen)])
        assert not batch.scored[0, :washout].any() and batch.scored[0, washout:].all()


def test_scaling_knows_the_training_years_alone():
    years, numbers = record()
    scaling = evorrn.task("sunspots").data(0).scaling
    assert np.allclose(scaling.input_mean, numbers[years <= 1829].mean())
    assert np.allclose(scaling.target_deviation, numbers[years <= 1829].std())


def test_baselines_by_hand():
    years, numbers = record()
    task = evorrn.task("sunspots")
    splits = task.data(0)
    test = years >= 1921
    found = {
        name: score(outputs, splits.test, ("rmse", "nrmse_std"), splits.scaling)
        for name, outputs in task.baselines(splits).items()
    }
    last_year = numbers[np.flatnonzero(test) - 1]
    assert np.isclose(found["persistence"]["rmse"], np.sqrt(np.mean((last_year - numbers[test]) ** 2)))
    level = numbers[(years >= 1721) & (years <= 1829)].mean()
    assert np.isclose(found["mean"]["rmse"], np.sqrt(np.mean((level - numbers[test]) ** 2)))
    assert found["linear autoregression"]["nrmse_std"] < 0.75 * found["persistence"]["nrmse_std"]
    assert found["linear autoregression, AIC"]["nrmse_std"] < 0.37  # an AR(9) by least squares: 0.354


def test_an_echo_state_network_beats_the_linear_baseline():
    task = evorrn.task("sunspots")
    splits = task.data(0)
    linear = score(task.baselines(splits)["linear autoregression"], splits.test, task.metrics, splits.scaling)
    net = evorrn.Network.for_task(task, **task.recommended("esn").network)
    result = evorrn.EchoState().fit(net, task, seed=1, budget="0.4G")
    assert result.metrics["test"]["nrmse_std"] < linear["nrmse_std"]
