"""Several targets: each has metrics of its own and a picture of its own."""

import json

import numpy as np
import pytest

from evorrn.base.files import read_arrays
from evorrn.data.metrics import METRICS


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(2)
    time = np.arange(260)
    wave, walk = 100 * np.sin(time / 5), 0.01 * np.cumsum(rng.normal(size=260))
    rows = [f"{np.datetime64('2021-01-01') + day},{a:.4f},{b:.6f}" for day, a, b in zip(time, wave, walk)]
    (tmp_path / "my.csv").write_text("date,wave,walk\n" + "\n".join(rows) + "\n")


def test_a_run_has_the_metrics_of_each_target(console, table, tmp_path):
    words = (
        "run",
        "my.csv",
        "--target",
        "wave,walk",
        "--strategy",
        "random",
        "--budget",
        "2gen",
        "--hidden",
        3,
    )
    content = json.loads(console.type(*words, "--json").out)
    shown = read_arrays(tmp_path / content["folder"] / "predictions.npz")
    truth, predicted = shown["truth"][shown["scored"]], shown["predicted"][shown["scored"]]
    test = content["metrics"]["test"]
    assert next(iter(test)) == "nrmse_std"
    for place, target in enumerate(("wave", "walk")):
        for name in ("nrmse_std", "rmse", "mae", "nrmse_range"):
            column = slice(place, place + 1)
            assert test[f"{name}[{target}]"] == pytest.approx(
                METRICS[name](predicted[:, column], truth[:, column])
            )
    said = console.type(*words).out
    assert "\n    wave: nrmse_std" in said and "\n    walk: nrmse_std" in said and "[wave]" not in said


@pytest.mark.usefixtures("pictures")
def test_a_comparison_tells_and_draws_each_target(console, table, tmp_path):
    words = ("compare", "my.csv", "--target", "wave,walk", "--strategies", "random", "--hidden", 3)
    words += ("--seeds", 3, "--budget", "300k", "--jobs", 1, "--horizon", "1,4")
    said = console.type(*words)
    assert said.code == 0, said.err
    assert "nrmse_std on test by target\n  strategy" in said.out
    content = json.loads(console.type(*words, "--json").out)
    for part in content["parts"]:
        (row,) = part["rows"]
        for target in ("wave", "walk"):
            values = [
                json.loads((tmp_path / "runs" / run / "result.json").read_text())["metrics"]["test"][
                    f"rmse[{target}]"
                ]
                for run in row["runs"]
            ]
            assert row["targets"][target]["rmse"] == pytest.approx(np.median(values))
        persistence = next(each for each in part["baselines"] if each["name"] == "persistence")
        shown = read_arrays(tmp_path / "runs" / row["runs"][0] / "predictions.npz")
        first = int(np.flatnonzero(shown["scored"][0])[0])
        series, steps = shown["truth"][0, :, 1], part["horizon"]
        known = series[first - steps : len(series) - steps]
        wanted = np.sqrt(np.mean(np.square(known - series[first:])))
        assert persistence["targets"]["walk"]["rmse"] == pytest.approx(wanted)
        errors = [each["targets"]["wave"]["nrmse_std"] ** 2 + each["targets"]["walk"]["nrmse_std"] ** 2
                  for each in (persistence,)]  # fmt: skip
        assert persistence["value"] == pytest.approx(np.sqrt(errors[0] / 2))
    page = next((tmp_path / "runs" / "comparisons").glob("*/report.html")).read_text()
    for text in ("wave: 1 ahead, random, seed", "walk: 4 ahead, random, seed", "<h3>walk, 4 ahead</h3>"):
        assert text in page
    assert page.count("predictions-random-") > 4


def test_one_target_has_no_metrics_by_target(console, table):
    words = (
        "run",
        "my.csv",
        "--target",
        "wave",
        "--strategy",
        "random",
        "--budget",
        "2gen",
        "--hidden",
        3,
        "--json",
    )
    assert list(json.loads(console.type(*words).out)["metrics"]["test"]) == [
        "nrmse_std",
        "rmse",
        "mae",
        "nrmse_range",
    ]
