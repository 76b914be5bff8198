"""Power spectra of free runs against SciPy's periodogram, and what their distance tells."""

import numpy as np
import pytest
from scipy.signal import periodogram

import evorrn
from evorrn.base.errors import EvorrnError
from evorrn.data.metrics import evaluate
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
    assert power_spectra(np.full_like(x, 0.3), x).distance == 1.0
    assert np.isnan(power_spectra(x, np.zeros_like(x)).distance)
    assert power_spectra(np.random.default_rng(0).normal(size=x.shape), x).distance > 0.5


@pytest.mark.parametrize("lengths", [(40,), (30, 30), (17, 4, 33, 3, 8), (4,)])
def test_the_metric_of_free_runs_is_the_distance_of_scipys_mean_periodograms(lengths):
    """Sequences may have different lengths; those of fewer than four steps have no spectrum."""
    rng, ends = np.random.default_rng(sum(lengths)), np.cumsum(lengths) - 1
    truth, predicted = rng.normal(size=(2, sum(lengths), 3)) * [1, 10, 0.1]
    predicted = np.cumsum(predicted, axis=0)
    means = []
    for rows in (predicted, truth):
        total = 0
        for part in np.split(rows, ends[:-1] + 1):
            if len(part) > 3:
                part = part - part.mean(axis=0)
                window, longest = np.hanning(len(part)), max(lengths)
                one = periodogram(part, window=window, nfft=longest, axis=0, detrend=False)[1][1:]
                one *= np.square(window).sum() / 2  # back from densities, of both signs of a frequency
                one[-1] *= 1 + (longest % 2 == 0)
                total = total + one
        means.append(total / total.sum(axis=0))
    wanted = np.abs(means[0] - means[1]).sum(axis=0).mean() / 2
    found = evaluate(["spectral_distance"], predicted, truth, ends)["spectral_distance"]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    assert evaluate(["spectral_distance"], truth * 3 + 1, truth, ends)["spectral_distance"] < 1e-12


def test_the_metric_of_a_free_run_that_dies_out_is_one_and_of_one_that_diverges_undefined():
    truth = np.sin(0.3 * np.arange(60))[:, None]
    ends = np.array([19, 39, 59])
    tests = [(np.full_like(truth, 0.1), 1.0), (np.where(truth > 0.9, np.inf, truth), np.nan)]
    for predicted, wanted in tests:
        found = evaluate(["spectral_distance"], predicted, truth, ends)["spectral_distance"]
        np.testing.assert_equal(found, wanted)
    assert np.isnan(evaluate(["spectral_distance"], truth, np.ones_like(truth), ends)["spectral_distance"])
    assert np.isnan(evaluate(["spectral_distance"], truth[:3], truth[:3])["spectral_distance"])


def test_free_runs_of_tasks_and_of_arrays_of_ones_own_have_the_metric():
    wave = np.sin(0.3 * np.arange(301))[None, :, None]
    batch = evorrn.Batch(wave[:, :-1], wave[:, 1:], mask=np.arange(300)[None] >= 100)
    network = evorrn.Network(1, 1, cell="leaky", hidden=50, direct=True, dtype="float64")
    result = evorrn.EchoState(reservoirs=1).fit(network, (batch, batch, batch), seed=0, free_run=True)
    assert result.metrics["test"]["spectral_distance"] < 0.05
    assert "spectral_distance" not in result.metrics["train"]
    for name in ("lorenz", "mackey-glass"):
        options = {"continuations": 2, "horizon": 1} if name == "mackey-glass" else {}
        assert "spectral_distance" in evorrn.task(name, **options).metrics


@pytest.mark.parametrize("outputs", [1, 2, 11])
def test_spectra_are_drawn_and_written(outputs, tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 30, outputs))
    found = power_spectra(x, np.cumsum(x, axis=1))
    figure = found.plot(names=("east",), path=str(tmp_path / "spectra.png"))
    assert (tmp_path / "spectra.png").read_bytes().startswith(b"\x89PNG")
    assert len(figure.axes) == min(outputs, 9) and figure.axes[0].get_title(loc="right") == "east"
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), found.truth[:, 0])
    assert power_spectra(np.full_like(x, np.nan), x).plot() is not None


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
