"""Prediction intervals on the command line: in comparisons, predictions and forecasts."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import evorrn
from evorrn.base.files import npz_bytes, read_arrays

TRAIN = ("--strategy", "esn", "--hidden", 8, "--budget", "2gen", "--json")


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def table(tmp_path):
    """Write a noisy wave of 300 hours beside another, and return the two columns."""
    rng = np.random.default_rng(5)
    time = np.arange(300)
    values = np.round(
        np.stack([np.sin(time / 4), np.cos(time / 7)], axis=1) + rng.normal(0, 0.1, (300, 2)), 4
    )
    hours = np.datetime64("2021-03-01T00", "h") + time
    lines = [f"{hour},{a},{b}" for hour, (a, b) in zip(hours.astype("datetime64[m]"), values.tolist())]
    (tmp_path / "my.csv").write_text("date,wave,other\n" + "\n".join(lines) + "\n")
    return values


def trained(console, *words):
    said = console.type("run", "my.csv", *words, *TRAIN)
    assert said.code == 0, said.err
    return json.loads(said.out)["folder"]


def quantile(errors, level):
    """The half width for errors in order of time, which are as many as their effective number says."""
    errors = np.abs(errors)
    plain = np.quantile(np.append(errors, np.inf), level, method="inverted_cdf")
    if plain >= errors.max():
        return plain
    missed = (errors > plain) - np.mean(errors > plain)
    total, count = 1.0, len(errors)
    for lag in range(1, count):
        r = missed[lag:] @ missed[:-lag] / (missed @ missed)
        if r <= 1e-12:
            break
        total += 2 * (1 - lag / count) * r
    share = min(level * (1 + total / count), 1.0) - 1e-12
    return max(plain, np.quantile(errors, share, method="inverted_cdf"))


@pytest.mark.parametrize("level", [None, 0.5])
def test_predictions_have_the_interval_of_the_errors_on_validation(console, table, level):
    folder = trained(console, "--target", "wave", "--horizon", 3)
    said = console.type("predict", folder, "my.csv", *(() if level is None else ("--level", level)))
    found = rows(said.out)
    assert list(found[0]) == ["step", "date+3", "wave+3", "lower", "upper"]
    result = evorrn.load(folder)
    outputs = result.predict(table)[:, 0]
    before = 210 - 3 - 21  # the network sees a tenth of training before validation
    own = table[210:255, 0] - result.predict(table[before:252])[21:, 0]
    errors = result.predictions["residuals"][:, 0]  # of the best networks on the other half, see Calibration
    assert errors.shape == own.shape and np.mean(errors**2) >= 0.9 * np.mean(own**2)
    half = quantile(errors, level or 0.9)
    assert np.allclose([float(row["lower"]) for row in found], outputs - half)
    assert np.allclose([float(row["upper"]) for row in found], outputs + half)


def test_several_targets_have_ends_of_their_own(console, table):
    folder = trained(console, "--target", "wave,other")
    head = [*rows(console.type("forecast", folder, "--steps", 2).out)[0]]
    assert head == ["step", "date", "wave", "other", "wave lower", "wave upper", "other lower", "other upper"]


def test_each_step_of_a_forecast_has_the_interval_of_such_forecasts_in_validation(console, table):
    folder = trained(console, "--target", "wave", "--inputs", "")
    said = console.type("forecast", folder, "--steps", 40)
    found = rows(said.out)
    assert "where lower and upper are empty, validation has too few errors" in said.err
    assert "too few errors" not in console.type("forecast", folder, "--steps", 20).err
    result, wave = evorrn.load(folder), table[:, :1]
    valid = evorrn.task("csv", path="my.csv", target="wave", inputs="").data(0).valid
    start = 255 - 1 - valid.steps  # the first row that the network sees before validation
    errors = np.full((45, 40), np.nan)
    for place, first in enumerate(range(210, 255)):
        count = min(40, 255 - first)
        forecast = result.forecast(wave[start:first], count)[:, 0]
        errors[place, :count] = wave[first : first + count, 0] - forecast
    for step, row in enumerate(found):
        known = errors[: 45 - step, step]
        if len(known) < 9:  # too few for an interval of 90 %
            assert row["lower"] == row["upper"] == ""
        else:
            half = (float(row["upper"]) - float(row["lower"])) / 2
            assert half == pytest.approx(quantile(known, 0.9), rel=1e-3)
            assert float(row["upper"]) - half == pytest.approx(float(row["wave"]))
    assert found[36]["lower"] and not found[37]["lower"]


def test_a_run_without_residuals_has_no_intervals(console, table):
    folder = trained(console, "--target", "wave", "--inputs", "")
    path = Path(folder) / "predictions.npz"
    kept = {name: array for name, array in read_arrays(path).items() if name != "residuals"}
    path.write_bytes(npz_bytes(kept))  # as before there were intervals
    assert [*rows(console.type("forecast", folder, "--steps", 2).out)[0]] == ["step", "date", "wave"]
    assert [*rows(console.type("predict", folder, "my.csv").out)[0]] == ["step", "date+1", "wave+1"]


def compared(console, *words):
    common = ("--strategies", "esn", "--hidden", 6, "--seeds", 3, "--budget", "2M", "--jobs", 1)
    return console.type("compare", "my.csv", "--target", "wave,other", *common, *words)


def test_a_comparison_tells_what_intervals_cover_and_how_wide_they_are(console, table, tmp_path):
    said = compared(console, "--level", 0.8, "--json")
    assert said.code == 0, said.err
    content = json.loads(said.out)
    assert content["level"] == 0.8
    row = next(row for row in content["rows"] if row["strategy"] == "esn")
    shown = [read_arrays(tmp_path / "runs" / run / "predictions.npz") for run in row["runs"]]
    kinds = {each["kind"]: each for each in row["intervals"]}
    assert set(kinds) == {"conformal", "adaptive", "seeds"}
    for output in (0, 1):
        cover, width = [], []
        for run in shown:
            half = quantile(run["residuals"][:, output], 0.8)
            errors = np.abs(run["truth"] - run["predicted"])[run["scored"]][:, output]
            cover.append(np.mean(errors <= half))
            width.append(2 * half)
        assert kinds["conformal"]["coverage"][output] == pytest.approx(np.median(cover))
        assert kinds["conformal"]["width"][output] == pytest.approx(np.median(width))
        stacked = np.stack([run["predicted"][run["scored"]][:, output] for run in shown])
        low, high = np.quantile(stacked, [0.1, 0.9], axis=0)
        assert kinds["seeds"]["width"][output] == pytest.approx(np.mean(high - low))
    said = compared(console, "--level", 0.8)
    assert "80 % prediction intervals on test, medians over seeds" in said.out
    page = next((tmp_path / "runs" / "comparisons").glob("*/report.html")).read_text()
    assert "Prediction intervals are to cover 80" in page and "range of seeds" in page
    usual = json.loads(compared(console, "--json").out)
    assert usual["level"] == 0.9 and usual["report"] != content["report"]


def test_the_level_is_in_the_file_of_a_comparison(console, table, tmp_path):
    (tmp_path / "my.toml").write_text(
        'budget = "1M"\n[task]\nname = "my.csv"\ntarget = "wave"\n[network]\nhidden = 4\n[comparison]\nlevel = 0.7\n'
    )
    words = ("compare", "my.toml", "--strategies", "random", "--seeds", 1, "--jobs", 1, "--json")
    assert json.loads(console.type(*words).out)["level"] == 0.7
    assert json.loads(console.type(*words, "--level", 0.6).out)["level"] == 0.6
    for wrong, said in (
        ("level = 90", "level: expected a share above 0 and below 1"),
        ("levels = 1", "levels"),
    ):
        (tmp_path / "my.toml").write_text(f'[task]\nname = "my.csv"\n[comparison]\n{wrong}\n')
        answer = console.type(*words)
        assert answer.code == 2 and said in answer.err
    assert console.type("compare", "my.csv", "--level", 1.5).code == 2


def test_a_comparison_of_before_there_were_intervals_is_read(console, table, tmp_path):
    compared(console)
    path = next((tmp_path / "runs" / "comparisons").glob("*/comparison.json"))
    content = json.loads(path.read_text())
    del content["level"]
    for row in (*content["rows"], *content["baselines"]):
        del row["intervals"]
    path.write_text(json.dumps(content))
    said = console.type("report", path.parent)
    assert said.code == 0 and "prediction intervals" not in said.out
