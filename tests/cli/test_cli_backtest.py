"""Folds and horizons on the command line and in files: runs of their own, one table, one report."""

import json

import numpy as np
import pytest

from evorrn.base.files import read_arrays

FAST = ("--strategies", "random", "--hidden", 3, "--seeds", 2, "--budget", "300k", "--jobs", 1)


@pytest.fixture
def table(tmp_path):
    values = np.round(np.sin(np.arange(300) / 4), 4).tolist()
    days = np.datetime64("2021-01-01") + np.arange(300)
    rows = [f"{day},{value}" for day, value in zip(days, values)]
    (tmp_path / "my.csv").write_text("date,wave\n" + "\n".join(rows) + "\n")


def test_every_horizon_and_fold_has_its_runs_and_its_place_in_the_tables(console, table, tmp_path):
    said = console.type("compare", "my.csv", "--horizon", "6,1", "--folds", 3, *FAST)
    assert said.code == 0, said.err
    assert "2 seeds over horizons 1 and 6 and 3 folds" in said.out
    for text in ("1 ahead   6 ahead", "fold 1", "test from", "2021-06-15", "90 % prediction intervals"):
        assert text in said.out, said.out
    content = json.loads(
        console.type("compare", "my.csv", "--horizon", "1,6", "--folds", 3, *FAST, "--json").out
    )
    assert content["task"]["horizon"] == [1, 6] and content["task"]["folds"] == 3
    places = [(part["horizon"], part["fold"]) for part in content["parts"]]
    assert places == [(horizon, fold) for horizon in (1, 6) for fold in (1, 2, 3)]
    means = []
    for part in content["parts"]:
        (row,) = part["rows"]
        for seed, run in enumerate(row["runs"]):
            folder = tmp_path / "runs" / run
            result = json.loads((folder / "result.json").read_text())
            assert result["horizon"] == part["horizon"]
            assert result["metrics"]["test"]["nrmse_std"] == row["values"][seed]
            shown = read_arrays(folder / "predictions.npz")
            assert str(shown["dates"][shown["scored"]][0])[:10] == part["period"].split(" to ")[0]
        means.append(row["values"])
    assert np.allclose(content["rows"][0]["values"], np.mean(means, axis=0))
    assert np.allclose(
        [each["value"] for each in content["baselines"] if each["name"] == "persistence"],
        np.mean(
            [b["value"] for part in content["parts"] for b in part["baselines"] if b["name"] == "persistence"]
        ),
    )
    page = next((tmp_path / "runs" / "comparisons").glob("*/report.html")).read_text()
    for text in ("6 ahead, random, seed", "by horizon", "A backtest of 3 folds", "direct forecasts"):
        assert text in page
    assert len(list((tmp_path / "runs" / "csv").glob("*/*/result.json"))) == 12
    again = console.type("report", content["report"].split("/")[-2])
    assert again.code == 0 and "over horizons 1 and 6 and 3 folds" in again.out


def test_a_file_states_them_and_an_option_goes_before(console, table, tmp_path):
    (tmp_path / "my.toml").write_text(
        'budget = "300k"\n[task]\nname = "my.csv"\n[network]\nhidden = 3\n[comparison]\nhorizons = [1, 2]\nfolds = 2\n'
    )
    words = ("compare", "my.toml", "--strategies", "random", "--seeds", 1, "--jobs", 1, "--json")
    found = json.loads(console.type(*words).out)
    assert [(part["horizon"], part["fold"]) for part in found["parts"]] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    found = json.loads(console.type(*words, "--folds", 1).out)
    assert [(part["horizon"], part["fold"]) for part in found["parts"]] == [(1, 1), (2, 1)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--horizon", "1,two"),
            "--horizon: expected whole numbers, with commas, for instance 1,6,24, got '1,two'",
        ),
        (("--horizon", ","), "--horizon: expected whole numbers"),
        (("--horizon", "0,1"), "comparison.horizons: expected a list of whole numbers of at least 1"),
        (("--horizon", "2,2"), "comparison.horizons: expected different numbers"),
        (("--folds", 0), "comparison.folds: expected a whole number of at least 1, got 0"),
        (("--folds", 200), "in fold 1 of 200, got 300"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(console, table, tmp_path, words, said):
    answer = console.type("compare", "my.csv", *words, *FAST)
    assert answer.code == 2 and said in answer.err, answer.err
    assert not (tmp_path / "runs").exists()


def test_a_task_without_folds_says_so(console):
    answer = console.type("compare", "narma", "--folds", 3, *FAST)
    assert answer.code == 2 and "task.folds: unknown setting 'folds'" in answer.err


def test_a_single_horizon_and_fold_is_the_comparison_of_before(console, table):
    plain = json.loads(console.type("compare", "my.csv", *FAST, "--json").out)
    same = json.loads(console.type("compare", "my.csv", "--horizon", 1, "--folds", 1, *FAST, "--json").out)
    assert plain["report"] == same["report"] and plain["parts"] == [] and plain["rows"] == same["rows"]


def test_models_stand_beside_the_trivial_baselines_and_it_is_said_when_they_win(console, table, tmp_path):
    pytest.importorskip("sklearn")
    plain = json.loads(console.type("compare", "my.csv", *FAST, "--json").out)
    words = ("compare", "my.csv", "--baselines", "boosting", "--folds", 2, *FAST)
    said = console.type(*words)
    assert said.code == 0, said.err
    assert (
        "histogram boosting (" in said.out
        and "at least as good as the best way of training, random" in said.out
    )
    content = json.loads(console.type(*words, "--json").out)
    models = {each["name"]: each["model"] for each in content["baselines"]}
    assert models["histogram boosting"] and models["drift"] and not models["persistence"]
    names = {each["name"] for each in plain["baselines"]}
    assert "drift" in names and "histogram boosting" not in names
    for part in content["parts"]:
        assert {each["name"] for each in part["baselines"]} == set(models)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("compare", "my.csv", "--baselines", "boostin"),
            "unknown baseline 'boostin'; did you mean 'boosting'?",
        ),
        (("compare", "narma", "--baselines", "drift"), "narma has no baselines of this name: drift"),
    ],
)
def test_models_that_cannot_be_are_refused(console, table, tmp_path, words, said):
    answer = console.type(*words, *FAST)
    assert answer.code == 2 and said in answer.err, answer.err
    assert not (tmp_path / "runs").exists()
