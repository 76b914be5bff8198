"""Costs to a target with censored runs, against SciPy and counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evorrn.lab.study.curves import Curve
from evorrn.lab.study.reaching import Spent, expected_running_time, median_cost, reached_share, until


def curve(*losses):
    return Curve(np.arange(1.0, len(losses) + 1) * 10, np.array(losses))


def test_until_takes_the_first_step_at_the_target_and_the_end_otherwise():
    spent = until([curve(3, 2, 1, 2), curve(3, np.nan, 2.5), curve(1, 1)], 1.0, failed=1)
    assert spent.cost.tolist() == [30, 30, 10, 40]  # a failed run ends where the longest did
    assert spent.reached.tolist() == [True, False, True, False]


def test_share_is_scipys_estimate_with_censoring():
    rng = np.random.default_rng(0)
    cost, reached = np.round(rng.exponential(5, 40), 1), rng.random(40) < 0.6
    data = stats.CensoredData.right_censored(cost, ~reached)
    expected = stats.ecdf(data).cdf
    costs, share = reached_share(Spent(cost, reached))
    np.testing.assert_allclose(share, expected.evaluate(costs))


def test_share_at_one_budget_is_plain_counting():
    costs, share = reached_share(Spent(np.array([5.0, 9, 9, 20, 20]), np.array([True] * 3 + [False] * 2)))
    assert costs.tolist() == [5, 9]
    np.testing.assert_allclose(share, [0.2, 0.6])


def test_expected_running_time_by_hand():
    spent = Spent(np.array([10.0, 30, 50]), np.array([True, True, False]))
    assert expected_running_time(spent) == 45  # 90 spent for two successes
    assert expected_running_time(Spent(np.array([50.0]), np.array([False]))) == np.inf


def test_expected_running_time_is_that_of_restarting():
    rng = np.random.default_rng(1)
    spent = Spent(np.array([2.0, 3, 10, 10]), np.array([True, True, False, False]))
    totals = []
    for _ in range(20_000):
        total = 0.0
        while True:
            pick = rng.integers(4)
            total += spent.cost[pick]
            if spent.reached[pick]:
                break
        totals.append(total)
    assert expected_running_time(spent) == pytest.approx(np.mean(totals), rel=0.03)


def test_median_cost_needs_half_of_the_runs():
    assert median_cost(Spent(np.array([4.0, 6, 9, 9]), np.array([True, True, False, False]))) == 6
    assert median_cost(Spent(np.array([4.0, 9, 9]), np.array([True, False, False]))) == np.inf
