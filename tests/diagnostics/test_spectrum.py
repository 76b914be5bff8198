"""Power spectra of free runs against SciPy's periodogram, and what their distance tells."""

import numpy as np
import pytest
from scipy.signal import periodogram

import evorrn
from evorrn.base.errors import EvorrnError
from evorrn.diagnostics import power_spectra


@pytest.mark.parametrize(("sequences", "steps", "outputs"), [(3, 40, 2), (1, 5, 1), (2, 33, 3)])
def test_power_is_that_of_windowed_periodograms(sequences, steps, outputs):
    x = np.random.default_rng(steps).normal(size=(sequences, steps, outputs)) + 5.0
    found = power_spectra(2 * x, x)
    frequencies, wanted = periodogram(
        x - x.mean(axis=1, keepdims=True), window=np.hanning(steps), axis=1, detrend=False
    )
    wanted = wanted[:, 1:].mean(axis=0)
    if steps % 2 == 0:
        wanted[:-1] /= 2  # SciPy counts all but the last frequency twice
    else:
        wanted /= 2
    np.testing.assert_allclose(found.frequencies, frequencies[1:])
    np.testing.assert_allclose(found.truth, wanted / wanted.sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.predicted, 4 * found.truth)
    assert found.distance < 1e-12


def test_a_late_free_run_has_the_spectrum_of_the_truth_and_one_that_dies_out_has_not():
    task = evorrn.task("sines", test=400)
    x = task.data(0).test.targets[0, -400:]
    assert power_spectra(x[:300], x[100:]).distance < 0.1
    assert np.isnan(power_spectra(np.zeros_like(x), x).distance)
    assert power_spectra(np.random.default_rng(0).normal(size=x.shape), x).distance > 0.5


@pytest.mark.parametrize(
    ("predicted", "truth", "message"),
    [
        (np.ones(5), np.ones(6), "predicted: expected 6 time steps of 1 outputs as in truth, got 5 of 1"),
        (np.ones((5, 2)), np.ones((5, 1)), "got 5 of 2"),
        (np.ones(3), np.ones(3), "T of at least 4"),
        (np.ones((0, 5, 1)), np.ones((1, 5, 1)), "predicted: expected shape"),
        (["a"], np.ones(5), "predicted"),
    ],
)
def test_series_that_do_not_fit_are_refused(predicted, truth, message):
    with pytest.raises(EvorrnError, match=message):
        power_spectra(predicted, truth)
