"""Conformal intervals: their widths by hand, what they cover, and that they look at no error before it is known."""

import math

import numpy as np
import pytest

from evorrn.data.intervals import adaptive_widths, covered, effective_count, series_width, split_width


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


def made(rng, memory, count):
    """Return errors whose neighbours are alike, with the variance 1."""
    shocks = rng.normal(size=count + 200) * np.sqrt(1 - memory**2)
    errors = np.zeros(count + 200)
    for step in range(1, len(errors)):
        errors[step] = memory * errors[step - 1] + shocks[step]
    return errors[200:]


@pytest.mark.parametrize("level", [0.8, 0.9])
@pytest.mark.parametrize("memory", [0.0, 0.6, 0.9])
def test_intervals_of_errors_that_are_alike_cover_what_they_are_to(memory, level):
    """On test data as long as validation, mean over many series; the plain quantile covers too few where memory is long."""
    rng = np.random.default_rng(int(10 * memory))
    plain, found = [], []
    for _ in range(400):
        errors = np.abs(made(rng, memory, 500))
        plain.append(np.mean(errors[250:] <= split_width(errors[:250], level)))
        found.append(np.mean(errors[250:] <= series_width(errors[:250], level)))
    assert abs(np.mean(found) - level) < 0.02
    assert np.mean(plain) <= np.mean(found)
    if memory == 0.9:
        assert np.mean(plain) < np.mean(found) - 0.01 and np.mean(plain) < level


def test_the_effective_number_is_that_of_the_sum_of_autocorrelations():
    rng = np.random.default_rng(4)
    for memory in (0.0, 0.5, 0.95):
        series = made(rng, memory, 333)
        centred = series - series.mean()
        total = 1.0
        for lag in range(1, 333):
            r = sum(centred[k] * centred[k + lag] for k in range(333 - lag)) / np.sum(centred**2)
            if r <= 0:
                break
            total += 2 * (1 - lag / 333) * r
        assert effective_count(series) == pytest.approx(333 / total)
    assert effective_count(np.ones(7)) == 7.0


def test_the_width_for_a_series_is_never_smaller_and_at_most_the_largest_error():
    errors = np.repeat([1.0, 2.0, 9.0, 3.0], 10)
    assert series_width(errors, 0.5) >= split_width(errors, 0.5)
    assert series_width(errors, 0.9) == 9.0
    assert series_width(np.arange(8.0), 0.9) == math.inf
    assert math.isnan(series_width(np.array([1.0, np.nan, 2.0]), 0.5))
