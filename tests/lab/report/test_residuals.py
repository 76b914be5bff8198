"""Residuals of runs: what they are, their autocorrelation against plain loops, and which runs have them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from evorrn.lab.report import plots
from evorrn.lab.report.figures import inline_svg
from evorrn.lab.report.residuals import autocorrelation, has_residuals, panels, residuals
from evorrn.lab.runs.outputs import Predictions, Trajectory


def draw(rng):
    """Return predictions of random sizes: ragged, with gaps, some not finite; often one sequence or few steps."""
    shape = int(rng.choice([1, rng.integers(1, 6)])), int(rng.integers(1, 80)), int(rng.integers(1, 3))
    truth, predicted = 3 + rng.standard_normal((2, *shape))
    scored = rng.random(shape[:2]) < rng.uniform(0.3, 1)
    scored[0, 0] = True
    predicted[rng.random(shape) < 0.05] = np.nan
    predicted[0, 0] = 1.0
    truth[~scored] = np.nan
    return Predictions(truth, predicted, scored)


@pytest.mark.parametrize("seed", range(12))
def test_residuals_and_their_autocorrelation_equal_plain_loops(seed):
    shown = draw(np.random.default_rng(seed))
    found, good = residuals(shown), []
    for b, row in enumerate(shown.scored):
        for t, scored in enumerate(row):
            value = shown.truth[b, t, 0] - shown.predicted[b, t, 0]
            if scored and np.isfinite(value):
                assert found[b, t] == value
                good.append(value)
            else:
                assert np.isnan(found[b, t])
    mean, lags = np.mean(good), min(7, shown.scored.shape[1] - 1)
    sums = np.zeros(lags + 1)
    for row in found:
        for lag in range(lags + 1):
            for t in range(len(row) - lag):
                pair = (row[t] - mean) * (row[t + lag] - mean)
                sums[lag] += 0 if np.isnan(pair) else pair
    actual = autocorrelation(found, lags)
    if sums[0] > 0:
        np.testing.assert_allclose(actual, sums / sums[0], atol=1e-12)
        assert actual[0] == 1
    else:
        assert np.isnan(actual).all()


def test_the_autocorrelation_of_a_wave_and_of_noise():
    wave = np.sin(2 * np.pi * np.arange(400) / 20)[None]
    found = autocorrelation(wave, 20)
    assert found[10] == pytest.approx(-1, abs=0.05) and found[20] == pytest.approx(0.95, abs=0.01)
    noise = np.random.default_rng(0).standard_normal((1, 4000))
    assert (np.abs(autocorrelation(noise, 40)[1:]) < 1.96 / np.sqrt(4000)).mean() >= 0.9


@pytest.mark.parametrize("seed", range(6))
def test_every_plot_is_drawn_without_a_warning(seed, tmp_path):
    shown = draw(np.random.default_rng(100 + seed))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, draw_panel in panels(shown).items():
            assert "<path" in inline_svg(
                lambda axes, draw_panel=draw_panel: draw_panel(axes, shown), 4, 3, name
            )
        plots.residuals_plot(shown, tmp_path / "r.png")
    assert (tmp_path / "r.png").stat().st_size > 5000


@pytest.mark.parametrize("error", [0.0, 2.5])
def test_constant_residuals_and_a_single_one_are_drawn(error, tmp_path):
    for steps in (1, 2, 30):
        truth = np.ones((1, steps, 1))
        plots.residuals_plot(Predictions(truth, truth - error, np.ones((1, steps), bool)), tmp_path / "r.svg")


def test_dates_are_on_the_axis_of_time(tmp_path):
    dates = np.datetime64("2021-01-01") + np.arange(60)[None]
    truth = np.random.default_rng(0).standard_normal((1, 60, 1))
    shown = Predictions(truth, 0 * truth, np.ones((1, 60), bool), dates=dates)
    text = inline_svg(lambda axes: panels(shown)["over time"](axes, shown), 4, 3, "dates")
    assert "2021" in text and "date" in text


def test_labels_episodes_and_networks_that_diverged_have_no_residuals():
    ones = np.ones((2, 5), bool)
    assert not has_residuals(Predictions(np.zeros((2, 5), int), np.zeros((2, 5, 3)), ones))
    assert not has_residuals(Predictions(np.zeros((2, 5, 1)), np.full((2, 5, 1), np.nan), ones))
    assert has_residuals(Predictions(np.zeros((2, 5, 1)), np.zeros((2, 5, 1)), ones))
    nothing = np.zeros((1, 1))
    assert not has_residuals(
        Trajectory(nothing, nothing, nothing[0], nothing, nothing[0], nothing[0], 0, nothing[0], nothing[0])
    )


def test_sequences_that_are_scored_once_have_a_histogram_alone():
    scored = np.zeros((9, 5), bool)
    scored[:, -1] = True
    values = np.random.default_rng(0).standard_normal((9, 5, 1))
    assert list(panels(Predictions(values, 0 * values, scored))) == ["histogram"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e200, 1e-200, 1.0])
def test_the_autocorrelation_of_a_run_that_diverges_is_that_of_the_same_residuals_made_small(size):
    values = np.random.default_rng(0).normal(size=(2, 50))
    np.testing.assert_allclose(autocorrelation(size * values, 5), autocorrelation(values, 5))
