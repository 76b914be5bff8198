"""Baselines have prediction intervals as networks have them, and the same names in all parts of a comparison."""

import dataclasses

import numpy as np

from evorrn.data.find import task as make_task
from evorrn.data.intervals import series_width
from evorrn.lab.runs.outputs import Predictions
from evorrn.lab.study.backtest import combined, same_names
from evorrn.lab.study.comparison import Baseline, Part
from evorrn.lab.study.intervals import measured
from evorrn.training.assess import assess


def test_intervals_of_persistence_have_the_width_of_its_errors_on_validation():
    """The yearly sunspots by hand: the changes from year to year in validation, and those of test within them."""
    task = make_task("sunspots")
    record = assess(task, 0).baseline_records()["persistence"]
    series = np.loadtxt(
        "/".join([*__file__.split("/")[:-4], "tasks/evorrn_tasks/data/sunspots.csv"]),
        delimiter=",",
        skiprows=1,
    )[:, 1]
    changes = np.abs(np.diff(series))  # changes[k] is that of the year 1701 + k
    width = series_width(changes[1830 - 1701 : 1921 - 1701], 0.9)
    found = measured([Predictions(**record)], 0.9, 1)[0]
    assert found.kind == "conformal" and np.isclose(found.width[0], 2 * width)
    assert np.isclose(found.coverage[0], (changes[1921 - 1701 :] <= width).mean())


def test_seasonal_forecasts_of_validation_know_nothing_later(tmp_path):
    t = np.arange(24 * 20)
    values = np.sin(2 * np.pi * t / 24) + 0.1 * np.random.default_rng(0).normal(size=len(t))
    dates = np.datetime64("2024-01-01T00", "h") + t
    path = tmp_path / "my.csv"
    path.write_text(
        "date,load\n" + "".join(f"{str(d).replace('T', ' ')}:00,{v:.5f}\n" for d, v in zip(dates, values))
    )
    task = make_task("csv", path=str(path), horizon=2)
    records = assess(task, 0).baseline_records()
    name = next(name for name in records if name.startswith("seasonal naive, 24"))
    first, end = int(0.7 * len(t)), int(0.7 * len(t)) + int(0.15 * len(t))
    rounded = np.round(values, 5)
    expected = (rounded - np.roll(rounded, 24))[first:end]
    assert np.allclose(np.sort(records[name]["residuals"][:, 0]), np.sort(expected), atol=1e-6)
    assert {"mean", "persistence", "drift"} <= set(records)


def test_a_season_that_differs_from_fold_to_fold_is_one_baseline():
    def part(fold, *names):
        return Part(1, fold, "", (), tuple(Baseline(name, float(fold), (float(fold),)) for name in names))

    parts = same_names(
        [part(1, "mean", "seasonal naive, 24 rows", "drift"), part(2, "seasonal naive, 168 rows", "mean")]
    )
    assert [[each.name for each in each.baselines] for each in parts] == [
        ["mean", "seasonal naive"],
        ["seasonal naive", "mean"],
    ]
    kept = same_names([part(1, "seasonal naive, 24 rows"), part(2, "seasonal naive, 24 rows")])
    assert kept[0].baselines[0].name == "seasonal naive, 24 rows"
    assert dataclasses.asdict(combined([kept[0]], "rmse")[1][0])["name"] == "seasonal naive, 24 rows"
