"""Intervals and tests, against enumeration of every resample and every choice of signs, and SciPy."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evorrn.lab.study.statistics import (
    holm,
    median_interval,
    paired_differences,
    seeds_needed,
    signed_ranks,
    smallest_p,
)


def every_resampled_median(values):
    return np.sort([np.median(draw) for draw in itertools.product(values, repeat=len(values))])


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 5.0],
        [1.0, 2.0, 10.0],
        [0.3, 0.1, 0.9, 0.4],
        [3.0, 1.0, 1.0, 1.0],
        [5.0, 4.0, 0.5, 2.0, 2.5],
        [1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
        [1.0, 2.0, 3.0, np.inf, np.inf],
        [1.0, 2.0, 3.0, np.inf],
    ],
)
def test_interval_equals_that_of_every_possible_resample(values):
    medians = every_resampled_median(values)
    count = len(medians)
    tail = math.ceil(0.025 * count - 1e-9)
    interval = median_interval(values)
    assert interval.value == np.median(values)
    assert interval.low == pytest.approx(medians[tail - 1])
    assert interval.high == pytest.approx(medians[count - tail])


@pytest.mark.parametrize("n", [20_000, 20_001])
def test_interval_of_many_values_ends_at_the_binomial_ranks(n):
    interval = median_interval(np.arange(n))
    assert interval.value == (n - 1) / 2
    # The median of a resample lies at a rank whose deviation is sqrt(n) / 2.
    reach = stats.norm.ppf(0.975) * np.sqrt(n) / 2
    assert interval.low == pytest.approx((n - 1) / 2 - reach, abs=1)
    assert interval.high == pytest.approx((n - 1) / 2 + reach, abs=1)


@pytest.mark.parametrize("n", [9, 10, 25])
def test_interval_agrees_with_scipys_drawn_bootstrap(n):
    values = np.random.default_rng(n).normal(size=n)
    drawn = stats.bootstrap(
        (values,), np.median, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    interval = median_interval(values)
    ordered = np.sort(values)
    step = np.diff(ordered).max()  # the distribution is discrete: a drawn quantile may fall one atom off
    assert interval.low == pytest.approx(drawn.low, abs=step / 2)
    assert interval.high == pytest.approx(drawn.high, abs=step / 2)


def test_interval_of_equal_values_is_that_value():
    assert median_interval([2.0] * 7).low == 2.0
    assert median_interval([2.0] * 8).high == 2.0


def test_one_value_has_no_interval():
    interval = median_interval([3.0])
    assert interval.value == 3.0
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_interval_of_mostly_failed_runs_reaches_infinity():
    interval = median_interval([0.1, np.inf, np.inf, np.inf, np.inf, np.inf, np.inf])
    assert interval.value == np.inf
    assert interval.high == np.inf


def test_interval_of_many_values_stays_finite():
    values = np.random.default_rng(0).normal(size=1200)
    interval = median_interval(values)
    assert -0.2 < interval.low < interval.value < interval.high < 0.2


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
@settings(max_examples=60, deadline=None)
def test_interval_holds_the_median_and_mirrors_with_the_sign(values):
    there, back = median_interval(values), median_interval([-value for value in values])
    assert there.low <= there.value <= there.high
    assert back.low == pytest.approx(-there.high, abs=1e-9)


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_interval_refuses_what_has_no_median(values):
    with pytest.raises(ValueError, match="at least one value"):
        median_interval(values)


def test_signed_rank_without_ties_equals_scipys_exact_test():
    rng = np.random.default_rng(1)
    for n in (3, 6, 10, 20, 45):
        differences = rng.normal(0.4, 1, size=n)
        assert signed_ranks(differences).p == pytest.approx(
            stats.wilcoxon(differences, method="exact").pvalue
        )


def test_signed_rank_with_ties_equals_scipys_full_permutation():
    differences = np.array([1.0, 1.0, -1.0, 2.0, 2.0, 3.0, 3.0, -0.5])
    full = stats.wilcoxon(differences, method=stats.PermutationMethod(n_resamples=np.inf))
    assert signed_ranks(differences).p == pytest.approx(full.pvalue)


def test_signed_rank_with_zeros_counts_every_choice_of_signs():
    differences = np.array([0.0, 0.0, 1.0, -2.0, 3.0, 3.0, 4.0])
    ranks = np.array([3.0, 4.0, 5.5, 5.5, 7.0])  # the two zeros hold ranks 1 and 2
    observed = 3.0 + 5.5 + 5.5 + 7.0
    sums = np.array([np.dot(ranks, signs) for signs in itertools.product((0, 1), repeat=5)])
    expected = min(1.0, 2 * min(np.mean(sums <= observed), np.mean(sums >= observed)))
    assert signed_ranks(differences).p == pytest.approx(expected)


def test_signed_rank_sums_by_hand():
    outcome = signed_ranks([3.0, -1.0, 2.0, 2.0])
    assert (outcome.positive, outcome.negative) == (9.0, 1.0)


def test_signed_rank_of_no_difference_at_all_is_one():
    assert signed_ranks([0.0, 0.0, 0.0]).p == 1.0


def test_signed_rank_ranks_infinite_differences_largest():
    assert signed_ranks([np.inf, np.inf, 1.0, 2.0, 3.0]) == signed_ranks([9.0, 9.0, 1.0, 2.0, 3.0])


def test_both_failed_is_a_draw_and_one_failed_a_loss():
    differences = paired_differences([np.inf, 1.0, np.inf, 2.0], [np.inf, np.inf, 0.5, 1.5])
    assert differences.tolist() == [0.0, -np.inf, np.inf, 0.5]


def test_holm_equals_statsmodels():
    # statsmodels.stats.multitest.multipletests(p, method="holm")[1], version 0.15.0
    np.testing.assert_allclose(
        holm([0.01, 0.04, 0.03, 0.005, 0.5, 0.04]), [0.05, 0.12, 0.12, 0.03, 0.5, 0.12]
    )


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.02, 0.01, 0.04]), [0.04, 0.03, 0.04])
    assert holm([]).shape == (0,)


def test_smallest_p_is_what_a_clean_sweep_reaches():
    for seeds in (2, 5, 10):
        sweep = signed_ranks(np.arange(1.0, seeds + 1)).p
        assert sweep == pytest.approx(2 / 2**seeds)
        assert smallest_p(seeds, 6) == pytest.approx(min(1.0, holm([sweep] * 6)[0]))


def test_seeds_needed_is_the_first_number_that_can_show_anything():
    for pairs in (1, 3, 6, 10, 45):
        needed = seeds_needed(pairs)
        assert smallest_p(needed, pairs) <= 0.05 < smallest_p(needed - 1, pairs)
    assert seeds_needed(1) == 6
    assert seeds_needed(6) == 8


@pytest.mark.parametrize("seed", range(6))
def test_differences_of_accuracies_are_ties_where_their_fractions_are_equal(seed):
    rng = np.random.default_rng(seed)
    total, n = int(rng.choice([3, 7, 10, 49, 1000])), int(rng.integers(2, 9))
    counts = rng.integers(0, min(total, 12) + 1, (2, n)) + rng.integers(0, total // 2 + 1)
    exact = [Fraction(int(x), total) - Fraction(int(y), total) for x, y in counts.T]
    sizes = [abs(difference) for difference in exact]
    ranks = [sum(s < size for s in sizes) + Fraction(sizes.count(size) + 1, 2) for size in sizes]
    pairs = [(rank, difference) for rank, difference in zip(ranks, exact) if difference]
    observed = sum(rank for rank, difference in pairs if difference > 0)
    sums = [
        sum(rank for (rank, _), there in zip(pairs, chosen) if there)
        for chosen in itertools.product([0, 1], repeat=len(pairs))
    ]
    tail = min(sum(s <= observed for s in sums), sum(s >= observed for s in sums))
    found = signed_ranks(paired_differences(*(counts / total)))
    assert found.p == pytest.approx(min(1.0, 2 * tail / len(sums)), rel=1e-12)
    assert found.positive == observed


def test_differences_that_are_apart_stay_as_they_are_whatever_their_scale():
    a = np.array([1e20, 1e-3, 1e-3 + 1e-15, np.inf, np.nan, 5.0])
    np.testing.assert_array_equal(paired_differences(a, [0, 0, 0, 0, 0, 5.0]), [*a[:5], 0.0])
