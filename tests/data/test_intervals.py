"""Conformal intervals: their widths by hand, what they cover, and that they look at no error before it is known."""

import math

import numpy as np
import pytest

from evorrn.data.intervals import adaptive_widths, covered, split_width


@pytest.mark.parametrize("count", [1, 2, 9, 10, 19, 57, 500])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_the_split_width_is_a_quantile_of_the_errors_and_one_more(count, level):
    errors = np.abs(np.random.default_rng(count).normal(size=count))
    wanted = np.quantile(np.append(errors, np.inf), level, method="inverted_cdf")
    assert split_width(errors, level) == wanted


def test_too_few_errors_give_no_finite_width_and_one_that_is_not_finite_none():
    assert split_width(np.arange(8.0), 0.9) == math.inf
    assert split_width(np.arange(9.0), 0.9) == 8.0
    assert math.isnan(split_width(np.array([1.0, np.nan, 2.0]), 0.5))


@pytest.mark.parametrize("level", [0.6, 0.9])
def test_a_split_interval_covers_its_level_of_noise_of_any_form(level):
    rng = np.random.default_rng(3)
    hits = []
    for _ in range(400):
        noise = rng.standard_cauchy(60)
        hits.append(np.abs(noise[50:]) <= split_width(np.abs(noise[:50]), level))
    assert level - 0.02 < np.mean(hits) < level + 0.03


def by_hand(calibration, errors, level, delay, rate):
    """Return adaptive widths, one step at a time with plain lists."""
    alpha, widths, missed = 1 - level, [], []
    for step in range(len(errors)):
        if step >= delay:
            alpha = alpha + rate * ((1 - level) - missed[step - delay])
        known = [*calibration, *errors[: max(step - delay + 1, 0)]]
        known = known[: len(known) - max(delay - 1 - step, 0)]  # those of validation that are not known yet
        recent = sorted(known[-len(calibration) :])
        rank = math.ceil((len(recent) + 1) * min(max(1 - alpha, 1e-12), 1.0) - 1e-9)
        widths.append(recent[min(rank, len(recent)) - 1])
        missed.append(float(errors[step] > widths[step]))
    return widths


@pytest.mark.parametrize("delay", [1, 2, 7])
@pytest.mark.parametrize(("level", "rate"), [(0.9, 0.005), (0.8, 0.1), (0.5, 0.5)])
def test_adaptive_widths_by_hand(delay, level, rate):
    rng = np.random.default_rng(delay)
    calibration, errors = np.abs(rng.normal(size=40)), np.abs(rng.normal(size=90)) * np.linspace(1, 4, 90)
    found = adaptive_widths(calibration, errors, level, delay=delay, rate=rate)
    assert np.allclose(found, by_hand(calibration, errors, level, delay, rate))


@pytest.mark.parametrize("delay", [1, 5])
def test_an_adaptive_width_does_not_depend_on_errors_that_are_not_known_yet(delay):
    rng = np.random.default_rng(0)
    calibration, errors = np.abs(rng.normal(size=30)), np.abs(rng.normal(size=60))
    before = adaptive_widths(calibration, errors, 0.9, delay=delay, rate=0.05)
    for step in (0, 13, 59):
        changed = errors.copy()
        changed[max(step - delay + 1, 0) :] = 1e6
        after = adaptive_widths(calibration, changed, 0.9, delay=delay, rate=0.05)
        assert np.array_equal(after[: step + 1], before[: step + 1])


def test_adaptive_intervals_follow_a_drift_that_fixed_ones_miss():
    rng = np.random.default_rng(1)
    calibration = np.abs(rng.normal(size=200))
    errors = np.abs(rng.normal(size=2000)) * np.linspace(1, 5, 2000)
    fixed = np.mean(errors <= split_width(calibration, 0.9))
    adaptive = np.mean(errors <= adaptive_widths(calibration, errors, 0.9))
    assert fixed < 0.6 and 0.87 < adaptive < 0.93


def test_coverage_counts_the_ends_and_is_unknown_where_an_end_is():
    truth, low, high = (
        np.array([1.0, 2.0, 3.0, 4.0]),
        np.array([1.0, 2.1, 2.0, 0.0]),
        np.array([2.0, 3.0, 3.0, 1.0]),
    )
    assert covered(truth, low, high) == 0.5
    assert math.isnan(covered(truth, np.full(4, np.nan), high))
    assert np.isnan(adaptive_widths(np.array([1.0, np.nan]), np.ones(3), 0.9)).all()
