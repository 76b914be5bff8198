"""``--multistep`` on the command line: a comparison, a forecast, and what is refused."""

import json

import numpy as np
import pytest


def write_table(path):
    t = np.arange(140)
    days = np.datetime64("2024-01-01") + t
    rows = [f"{day},{value:.5f},{t0}" for day, value, t0 in zip(days, np.sin(0.3 * t), np.cos(t))]
    path.write_text("\n".join(["date,load,other", *rows]) + "\n")


@pytest.mark.thorough
def test_a_comparison_of_recursive_forecasts_and_of_many_outputs(console, tmp_path):
    write_table(tmp_path / "my.csv")
    words = (
        "compare",
        "my.csv",
        "--target",
        "load",
        "--inputs",
        "",
        "--horizon",
        "1,3",
        "--strategies",
        "esn",
    )
    usual = ("--seeds", "3", "--budget", "2M", "--json")
    values = {}
    for multistep in ("direct", "recursive", "multi-output"):
        said = console.type(*words, *usual, "--multistep", multistep)
        assert said.code == 0, said.err
        content = json.loads(said.out)
        assert content["task"]["outputs"] == ["load"]
        assert content["task"]["multistep"] == multistep
        values[multistep] = content["parts"]
        kinds = [each["kind"] for each in content["parts"][1]["rows"][0]["intervals"]]
        assert kinds == ["conformal", "adaptive", "seeds"]
    baselines = {
        name: [
            [{key: value for key, value in each.items() if key != "seconds"} for each in part["baselines"]]
            for part in parts
        ]
        for name, parts in values.items()
    }
    assert baselines["recursive"] == baselines["multi-output"] == baselines["direct"]
    assert (
        console.type(
            "compare", "my.csv", "--target", "load", "--multistep", "recursive", "--horizon", "3"
        ).code
        == 2
    )
    said = console.type("compare", "my.csv", "--target", "load", "--multistep", "recursiv")
    assert said.code == 2 and "did you mean 'recursive'?" in said.err


def test_runs_of_both_kinds_predict_and_a_recursive_one_forecasts(console, tmp_path):
    write_table(tmp_path / "my.csv")
    for multistep in ("recursive", "multi-output"):
        said = console.type(
            "run", "my.csv", "--target", "load", "--inputs", "", "--strategy", "esn", "--budget", "2M",
            "--set", "task.horizon=3", "--multistep", multistep, "--json",
        )  # fmt: skip
        assert said.code == 0, said.err
        folder = json.loads(said.out)["folder"]
        said = console.type("predict", folder, "my.csv")
        assert said.code == 0, said.err
        assert ("load, 3 ahead" in said.out) == (multistep == "multi-output")
        said = console.type("forecast", folder, "--steps", "2")
        if multistep == "recursive":
            assert said.code == 0 and len(said.out.splitlines()) == 3 and "lower" in said.out
        else:
            assert said.code == 2 and "forecast: " in said.err
