"""Horizons and folds put together: means, an interval over folds and seeds, and in how many folds a way is ahead."""

import dataclasses
import json

import numpy as np
import pytest
from comparisons import made_up

from evorrn.lab.report.backtest import folds_table, horizons_table
from evorrn.lab.report.comparison import summary
from evorrn.lab.report.terminal import lines
from evorrn.lab.study.backtest import ahead, combined, folds, horizons, newest, periods
from evorrn.lab.study.comparison import Comparison, Part
from evorrn.lab.study.ranking import make_differences
from evorrn.lab.study.sentences.comparison import answer, notes
from evorrn.lab.study.statistics import two_level_interval


def backtest(horizons=(1, 6), count=3, seeds=5, failed=0):
    """Return a comparison of several horizons and folds, of made-up values."""
    parts = []
    for horizon in horizons:
        for fold in range(1, count + 1):
            found = made_up(seeds, failed=failed, seed=10 * horizon + fold)
            period = f"2020-0{fold}-01 to 2020-0{fold}-20"
            parts.append(Part(horizon, fold, period, found.rows, found.baselines))
    rows, baselines = combined(parts, "nrmse_std")
    return dataclasses.replace(
        made_up(seeds),
        rows=tuple(rows),
        baselines=tuple(baselines),
        differences=tuple(make_differences(rows, "nrmse_std")),
        parts=tuple(parts),
        task={"name": "csv", "path": "my.csv", "seed_changes": "training", "horizon": list(horizons)},
    )


def values(comparison, strategy, **wanted):
    """Return the values (parts, seeds) of a strategy in some parts."""
    return np.array(
        [
            row.values
            for part in comparison.parts
            for row in part.rows
            if row.strategy == strategy
            and all(getattr(part, name) == value for name, value in wanted.items())
        ]
    )


def test_the_value_of_a_seed_is_its_mean_over_horizons_and_folds():
    found = backtest()
    for row in found.rows:
        assert np.allclose(row.values, values(found, row.strategy).mean(axis=0))
        assert row.median == pytest.approx(np.median(row.values))
    for part in horizons(found):
        for row in part.rows:
            mine = values(found, row.strategy, horizon=part.task["horizon"])
            assert np.allclose(row.values, mine.mean(axis=0))
    assert [len(part.parts) for part in folds(found)] == [2, 2, 2]
    assert [part.task["horizon"] for part in newest(found)] == [1, 6]
    assert newest(found)[0].rows[0].values == found.parts[2].rows[0].values


def test_the_interval_comes_from_folds_and_seeds():
    rng = np.random.default_rng(0)
    wide = rng.normal(0, 1, (6, 1)) + rng.normal(0, 0.01, (6, 8))  # folds differ, seeds hardly
    found = two_level_interval(wide)
    assert found.value == pytest.approx(np.median(wide.mean(axis=0)))
    drawn = [wide[rng.integers(6, size=6)].mean(axis=0)[rng.integers(8, size=8)] for _ in range(20_000)]
    ends = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    assert np.allclose([found.low, found.high], ends, atol=0.08)
    assert two_level_interval(wide) == found  # the same values, the same interval
    constant = two_level_interval(np.full((3, 4), 2.0))
    assert (constant.value, constant.low, constant.high) == (2.0, 2.0, 2.0)
    failed = two_level_interval(np.array([[1.0, np.inf], [1.0, 1.0]]))
    assert failed.high == np.inf


def test_folds_ahead_are_counted_by_hand():
    found = backtest(count=4)
    mine, theirs = (
        [np.median(values(found, name, fold=fold).mean(axis=0)) for fold in (1, 2, 3, 4)]
        for name in ("esn", "bptt")
    )
    assert ahead(found, "esn", "bptt") == sum(a < b for a, b in zip(mine, theirs))
    assert ahead(found, "esn", "mean") == 4
    assert "of 4 folds" in answer(found)


def test_a_run_that_failed_in_one_fold_fails_its_seed():
    found = backtest(failed=1)
    row = next(row for row in found.rows if row.strategy == "ga")
    assert row.values[0] == np.inf and np.isfinite(row.values[1:]).all() and row.failed == 6


def test_tables_have_a_column_for_each_horizon_and_each_fold():
    found = backtest()
    table, other = horizons_table(found), folds_table(found)
    assert table.columns == ("strategy", "1 ahead", "6 ahead")
    assert other.columns == ("strategy", "fold 1", "fold 2", "fold 3")
    assert other.entries[-1].cells == ("test from", "2020-01-01", "2020-02-01", "2020-03-01")
    assert [entry.cells[0] for entry in table.entries][:2] == [found.rows[0].strategy, found.rows[1].strategy]
    assert periods(found)[0] == "2020-01-01 to 2020-01-20"
    text = "\n".join(lines(summary(found)))
    assert "over horizons 1 and 6 and 3 folds" in text and "by fold" in text
    assert any("A backtest of 3 folds" in note for note in notes(found))
    assert not horizons_table(made_up()).entries and not folds_table(made_up()).entries
    one = backtest(horizons=(1,))
    assert not horizons_table(one).entries and folds_table(one).entries


def test_a_backtest_is_read_back_from_json():
    found = backtest(failed=1)
    again = Comparison.from_dict(json.loads(json.dumps(found.as_dict())))
    assert repr(again.parts) == repr(found.parts) and repr(again.rows) == repr(found.rows)  # NaN is NaN
