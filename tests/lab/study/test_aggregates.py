"""Aggregates over tasks, against SciPy, hand counts and every possible resample."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from evorrn.lab.study import aggregates
from evorrn.lab.study.aggregates import (
    draws,
    improvement,
    interquartile_estimate,
    interquartile_mean,
    performance_profile,
)


@pytest.mark.parametrize("n", [1, 3, 4, 7, 10, 23])
def test_interquartile_mean_is_scipys_trimmed_mean(n):
    values = np.random.default_rng(n).normal(size=n)
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25))


def test_interquartile_mean_survives_a_quarter_of_failures_and_no_more():
    assert interquartile_mean([1.0, 2.0, 3.0, np.inf]) == 2.5
    assert interquartile_mean([1.0, 2.0, np.inf, np.inf]) == np.inf


def test_stratified_interval_agrees_with_scipys_bootstrap():
    rng = np.random.default_rng(0)
    strata = [rng.normal(1, 0.1, 12), rng.normal(3, 1.0, 9), rng.normal(2, 0.3, 15)]
    drawn = stats.bootstrap(
        strata,
        lambda *parts, axis: stats.trim_mean(np.concatenate(parts, axis=-1), 0.25, axis=-1),
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    estimate = interquartile_estimate(strata)
    width = drawn.high - drawn.low
    assert estimate.value == pytest.approx(stats.trim_mean(np.concatenate(strata), 0.25))
    assert estimate.low == pytest.approx(drawn.low, abs=0.05 * width)
    assert estimate.high == pytest.approx(drawn.high, abs=0.05 * width)
    pooled = interquartile_estimate([np.concatenate(strata)])
    assert pooled.high - pooled.low > 1.1 * (estimate.high - estimate.low)  # strata do narrow it


def test_interval_of_three_values_is_that_of_every_resample():
    values = np.array([0.0, 1.0, 5.0])
    means = np.sort([np.mean(resample) for resample in itertools.product(values, repeat=3)])
    estimate = interquartile_estimate([values])
    assert estimate.low in means[:2] and estimate.high in means[-4:]


def test_one_run_a_task_has_no_interval():
    assert np.isnan(interquartile_estimate([np.array([1.0]), np.array([2.0, 3.0])]).low)
    assert np.isnan(improvement([np.array([1.0])], [np.array([2.0])]).high)


def test_resamples_are_the_same_in_every_call_and_differ_between_strata():
    first = draws(10, 0)
    assert (draws(10, 0) == first).all() and (draws(10, 1) != first).any()


def test_intervals_do_not_depend_on_how_many_resamples_are_drawn_at_a_time(monkeypatch):
    rng = np.random.default_rng(5)
    a, b = [rng.normal(size=9), rng.normal(size=6)], [rng.normal(size=7), rng.normal(size=6)]

    def found():
        profile = performance_profile(a, np.array([-0.5, 0.5]))
        estimates = [interquartile_estimate(a), improvement(a, b)]
        return np.concatenate(
            [[e.low for e in estimates], [e.high for e in estimates], profile.low, profile.high]
        )

    whole = found()
    monkeypatch.setattr(aggregates, "AT_ONCE", 70)
    # Not to the last digit: BLAS adds up in an order of its own for every number of rows.
    np.testing.assert_allclose(found(), whole, rtol=1e-13)


def test_improvement_is_scipys_mann_whitney_statistic_averaged_over_tasks():
    rng = np.random.default_rng(3)
    a = [rng.normal(0.0, 1, 10), rng.integers(0, 4, 8).astype(float)]
    b = [rng.normal(0.7, 1, 12), rng.integers(0, 4, 9).astype(float)]
    shares = [stats.mannwhitneyu(y, x).statistic / (len(x) * len(y)) for x, y in zip(a, b)]
    estimate = improvement(a, b)
    assert estimate.value == pytest.approx(np.mean(shares))
    assert estimate.low < estimate.value < estimate.high
    back = improvement(b, a)
    assert back.value == pytest.approx(1 - estimate.value)


def test_improvement_interval_agrees_with_resampling_by_hand():
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, 10), rng.normal(0.5, 1, 10)
    drawn = [np.mean(rng.choice(a, 10)[:, None] < rng.choice(b, 10)) for _ in range(4000)]
    estimate = improvement([a], [b])
    assert estimate.low == pytest.approx(np.quantile(drawn, 0.025), abs=0.03)
    assert estimate.high == pytest.approx(np.quantile(drawn, 0.975), abs=0.03)


def test_improvement_of_failed_runs():
    good, bad = np.array([1.0, np.inf]), np.array([np.inf, np.inf])
    assert improvement([good], [bad]).value == 0.75  # one failed against failed: a draw


def test_profile_counts_runs_and_weighs_tasks_the_same():
    profile = performance_profile(
        [np.array([1.0, 2.0]), np.array([1.0, 1.0, 4.0, np.inf])], np.array([0.5, 1.0, 2.0, 4.0])
    )
    assert profile.share.tolist() == [0.0, 0.5, 0.75, 0.875]
    assert (profile.low <= profile.share).all() and (profile.share <= profile.high).all()
