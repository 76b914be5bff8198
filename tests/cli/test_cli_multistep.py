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


def test_runs_of_both_kinds_predict_and_forecast(console, tmp_path):
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
        assert said.code == 0 and len(said.out.splitlines()) == 3 and "lower" in said.out


@pytest.mark.parametrize(
    ("targets", "inputs", "horizon"), [("load", "", 3), ("load,other", "", 3), ("other", "load", 1)]
)
def test_many_outputs_at_the_last_row_are_the_forecast(console, tmp_path, targets, inputs, horizon):
    """As the last row of a prediction has them, with its intervals; more than these it refuses."""
    write_table(tmp_path / "my.csv")
    said = console.type(
        "run", "my.csv", "--target", targets, "--inputs", inputs, "--strategy", "random", "--budget", "2gen",
        "--horizon", horizon, "--multistep", "multi-output", "--json",
    )  # fmt: skip
    folder = json.loads(said.out)["folder"]
    _, _, *last = json.loads(console.type("predict", folder, "my.csv", "--json").out)["rows"][-1].values()
    columns = len(targets.split(","))
    outputs = np.reshape(last[: horizon * columns], (horizon, columns))
    ends = np.reshape(last[horizon * columns :], (horizon, 2 * columns))
    assert console.type("export", folder, "--to", "model", "--out", "my.model").code == 0
    for words in ((folder,), ("my.model", "--warmup", "my.csv"), (folder, "--steps", 1)):
        said = console.type("forecast", *words, "--json")
        assert said.code == 0, said.err
        rows = json.loads(said.out)["rows"]
        assert [*rows[0]][: 2 + columns] == ["step", "date", *targets.split(",")]
        assert len(rows) == (1 if "--steps" in words else horizon)
        for step, row in enumerate(rows):
            dated = [step + 1, f"2024-05-{20 + step}"]
            assert [*row.values()] == [*dated, *outputs[step].tolist(), *ends[step].tolist()]
    said = console.type("forecast", folder, "--steps", 4)
    most = ("1 row", "1 step") if horizon == 1 else ("3 rows", "3 steps")
    assert said.code == 2
    assert f"forecasts {most[0]} ahead, so expected at most {most[1]}, got 4; a run with" in said.err
