"""``evorrn predict`` and ``evorrn forecast``: CSV and a plot from a run."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from tiny import WALK, WAVE

import evorrn


@pytest.fixture
def run(console, tmp_path):
    words = ("run", WAVE, "--strategy", WALK, "--budget", "30gen", "--quiet")
    assert console.type(*words).code == 0
    return next((tmp_path / "runs").glob("wave/walk-elman/*"))


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_prediction_is_that_of_the_loaded_result(console, tmp_path, run):
    x = np.sin(np.arange(30) / 3)
    (tmp_path / "x.csv").write_text(
        "year,wave\n" + "".join(f"{1900 + t},{value!r}\n" for t, value in enumerate(x.tolist()))
    )
    said = console.type("predict", run.name, "x.csv")
    assert said.code == 0, said.err
    found = rows(said.out)
    assert list(found[0]) == ["step", "year+1", "output1+1", "lower", "upper"]
    assert [(row["step"], row["year+1"]) for row in found[:2]] == [("1", "1901"), ("2", "1902")]
    assert found[-1]["year+1"] == "1930"  # the year after the last of the file
    values = [float(row["output1+1"]) for row in found]
    assert np.array_equal(values, evorrn.load(run).predict(x[:, None])[:, 0])
    assert (run / "plots" / "predict.png").read_bytes().startswith(b"\x89PNG") and "predict.png" in said.err


@pytest.mark.usefixtures("pictures")
def test_out_takes_the_table_and_the_plot_beside_it(console, tmp_path, run):
    np.savez(tmp_path / "x.npz", inputs=np.random.default_rng(0).standard_normal((2, 9, 1)))
    said = console.type("predict", run.name[:6], "x.npz", "--out", "made/y.csv")
    assert said.code == 0 and said.out == ""
    found = rows((tmp_path / "made" / "y.csv").read_text())
    assert len(found) == 18 and list(found[0]) == ["sequence", "step", "output1+1", "lower", "upper"]
    assert (tmp_path / "made" / "y.png").exists()


@pytest.mark.usefixtures("pictures")
def test_a_forecast_goes_on_from_the_end_of_the_test_data(console, run):
    said = console.type("forecast", run, "--steps", 5)
    assert said.code == 0, said.err
    values = [float(row["output1"]) for row in rows(said.out)]
    result = evorrn.load(run)
    test = evorrn.task(WAVE).data(0).test
    known = np.concatenate([test.inputs[0], test.targets[0, -1:]])
    by_hand = []
    for _ in range(5):  # the network's own way of going on, one prediction at a time
        by_hand.append(result.predict(known)[-1])
        known = np.concatenate([known, by_hand[-1:]])
    assert np.allclose(values, np.ravel(by_hand), rtol=1e-9)
    assert (run / "plots" / "forecast.png").exists()


def test_a_forecast_with_further_inputs_goes_on_from_the_last_row_of_the_file(console, tmp_path):
    time = np.arange(150)
    table = np.round(np.stack([np.sin(time / 4), np.cos(time / 9)], axis=1), 5)
    lines = [f"{t},{load!r},{temp!r}" for t, (load, temp) in zip(time, table.tolist())]
    (tmp_path / "my.csv").write_text("day,load,temp\n" + "\n".join(lines))
    (tmp_path / "future.csv").write_text("temp\n0.5\n0.25\n0.125\n")
    words = (
        "run",
        "my.csv",
        "--target",
        "load",
        "--strategy",
        "random",
        "--hidden",
        3,
        "--budget",
        "2gen",
        "--json",
    )
    folder = json.loads(console.type(*words).out)["folder"]
    said = console.type("forecast", folder, "--steps", 3)
    assert said.code == 2 and "give --inputs FILE with 1 column of inputs (temp) and 3 rows" in said.err
    said = console.type("forecast", folder, "--steps", 3, "--inputs", "future.csv")
    values = [float(row["load"]) for row in rows(said.out)]
    result, known, by_hand = evorrn.load(folder), table, []
    for temp in (0.5, 0.25, 0.125):
        by_hand.append(result.predict(known)[-1, 0])
        known = np.concatenate([known, [[by_hand[-1], temp]]])
    assert np.allclose(values, by_hand, rtol=1e-5)
    said = console.type("forecast", folder, "--steps", 4, "--inputs", "future.csv")
    assert said.code == 2 and "future.csv: expected 4 rows, one for each of --steps, got 3" in said.err
    (tmp_path / "none.csv").write_text("a,b\n2,1\n1,2\n2,1\n")
    said = console.type("forecast", folder, "--steps", 3, "--inputs", "none.csv")
    assert (
        said.code == 2
        and "expected 1 column of inputs (temp), but there is no column 'temp'; got a, b" in said.err
    )
    assert "exactly --steps" in console.type("forecast", "--help").out
    assert [*rows(console.type("predict", folder, "my.csv").out)[0]][:2] == ["step", "load+1"]


def test_classes_are_predicted_with_their_label(console, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "my.npz", inputs=rng.standard_normal((30, 6, 2)), targets=rng.integers(0, 3, 30))
    words = ("run", "my.npz", "--strategy", "random", "--hidden", 3, "--budget", "2gen", "--json")
    folder = json.loads(console.type(*words).out)["folder"]
    found = rows(console.type("predict", folder, "my.npz").out)
    assert list(found[0]) == ["sequence", "step", "label", "logit0", "logit1", "logit2"] and len(found) == 180
    for row in found:
        logits = [float(row[f"logit{place}"]) for place in range(3)]
        assert logits[int(row["label"])] == max(logits)


def test_a_forecast_from_a_file_as_json(console, tmp_path, run):
    x = np.sin(np.arange(40) / 3)
    (tmp_path / "x.csv").write_text("wave\n" + "\n".join(map(repr, x.tolist())))
    said = console.type("forecast", run, "--steps", 3, "--warmup", "x.csv", "--json")
    content = json.loads(said.out)
    assert [row["output1"] for row in content["rows"]] == evorrn.load(run).forecast(x[:, None], 3)[
        :, 0
    ].tolist()
    assert content["diverged"] is False


def test_a_forecast_that_diverges_is_flagged(console, tmp_path):
    words = ("run", WAVE, "--strategy", WALK, "--budget", "2gen", "--set", "strategy.explodes=true", "--json")
    folder = json.loads(console.type(*words).out)["folder"]
    said = console.type("forecast", folder, "--steps", 3, "--json")
    content = json.loads(said.out, parse_constant=pytest.fail)
    assert said.code == 0 and content["diverged"] and "diverged" in said.err
    assert content["rows"][0]["output1"] is None


def test_what_cannot_be_forecast_says_what_is_missing(console, tmp_path):
    words = ("run", WAVE, "--strategy", WALK, "--budget", "2gen", "--set", "task.horizon=2", "--json")
    folder = json.loads(console.type(*words).out)["folder"]
    said = console.type("forecast", folder, "--steps", 3)
    assert said.code == 2 and said.out == ""
    assert "forecasts 2 rows ahead, so expected at most 2 steps, got 3; a run with task.horizon=1" in said.err
    words = ("run", "adding", "--strategy", "random", "--budget", "1gen", "--hidden", 2, "--json")
    folder = json.loads(console.type(*words).out)["folder"]
    np.savez(tmp_path / "x.npz", inputs=np.zeros((1, 30, 2)))
    said = console.type("forecast", folder, "--warmup", "x.npz")
    assert said.code == 2 and "task.horizon=1" in said.err and said.out == ""
    assert "give --inputs FILE with 2 columns of inputs (number, marker) and 20 rows" in said.err


def test_future_inputs_that_are_not_needed_or_not_of_as_many_sequences_are_refused(console, tmp_path, run):
    np.savez(tmp_path / "x.npz", inputs=np.zeros((2, 3, 1)))
    said = console.type("forecast", run, "--steps", 3, "--inputs", "x.npz")
    assert said.code == 2 and "no inputs but its own outputs; leave x.npz out" in said.err
    words = ("run", WAVE, "--strategy", WALK, "--budget", "2gen", "--set", "task.horizon=2", "--json")
    folder = json.loads(console.type(*words).out)["folder"]
    said = console.type("forecast", folder, "--steps", 3, "--inputs", "x.npz")
    assert said.code == 2 and "x.npz: expected one sequence for each of the 1 known, got 2" in said.err


def test_a_number_that_is_not_finite_is_named_with_its_file_and_place(console, tmp_path, run):
    inputs = np.zeros((2, 5, 1))
    inputs[1, 3, 0] = inputs[1, 4, 0] = np.nan
    np.savez(tmp_path / "all.npz", inputs=inputs)
    np.savez(tmp_path / "one.npz", inputs=inputs[1])
    for name, place in (("all", "[1, 3, 0]"), ("one", "[3, 0]")):
        said = console.type("predict", run, f"{name}.npz")
        assert said.code == 2 and f"{name}.npz: expected finite inputs, got nan at {place}\n" in said.err


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("a,b\n3,2\n1,1\n", "expected 1 column of inputs (input1), got a, b; name them as --columns A,B"),
        ("a\nx\ny\n", "expected 1 column of inputs"),
        ("a\n1\n\n,\n", "x.csv"),
        ("", "empty file"),
        (bytes(range(256)), "binary"),
    ],
)
def test_files_that_do_not_fit_are_refused(console, tmp_path, run, content, wanted):
    (tmp_path / "x.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    said = console.type("predict", run, "x.csv")
    assert said.code == 2 and wanted in said.err and said.out == ""
    assert not (run / "plots" / "predict.png").exists()


def test_columns_can_be_named(console, tmp_path, run):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3,1\n")
    assert console.type("predict", run, "x.csv", "--columns", "b").code == 0
    said = console.type("predict", run, "x.csv", "--columns", "c")
    assert said.code == 2 and "unknown column" in said.err


def test_other_wrong_words(console, tmp_path, run):
    (tmp_path / "x.npz").write_bytes(b"PK junk")
    for words, wanted in (
        (("predict", run, "none.csv"), "cannot read none.csv"),
        (("predict", run, "x.npz"), "expected an .npz archive of plain arrays, but it is none"),
        (("predict", "ffff", "x.npz"), "no run 'ffff'"),
        (("forecast", tmp_path), "no spec.toml"),
        (("forecast", run, "--steps", 0), "steps: expected at least 1"),
        (("forecast", run, "--steps", 10**12), "steps: expected at most 10,000,000"),
        (("forecast", run, "--warmup", "none.csv"), "cannot read none.csv"),
    ):
        said = console.type(*words)
        assert said.code == 2 and wanted in said.err, words


def test_a_run_that_is_not_complete_or_torn_is_refused(console, run):
    (run / "genome.npz").write_bytes((run / "genome.npz").read_bytes()[:40])
    said = console.type("forecast", run)
    assert said.code == 2 and "cannot be read" in said.err
    (run / "status.json").write_text('{"status": "failed"}')
    said = console.type("forecast", run)
    assert said.code == 2 and "expected a complete run, this one is failed" in said.err


def test_a_network_that_sees_its_output_is_taught_to_the_end_of_the_test_data(console, tmp_path):
    """It goes on from the true outputs; the plot of a series without known inputs of its own is drawn too."""
    settings = ("network.feedback=true", "task.train=60", "task.valid=40", "task.test=50", "task.windows=1")
    words = ("run", "narma", "--strategy", "random", "--hidden", 3, "--budget", "1gen", "--json")
    folder = Path(
        json.loads(console.type(*words, *(part for each in settings for part in ("--set", each))).out)[
            "folder"
        ]
    )
    future = np.random.default_rng(0).uniform(0, 0.5, (4, 1))
    (tmp_path / "u.csv").write_text("u\n" + "\n".join(map(repr, future[:, 0].tolist())))
    said = console.type("forecast", folder, "--steps", 4, "--inputs", "u.csv")
    assert said.code == 0 and (folder / "plots" / "forecast.png").exists()
    result = evorrn.load(folder)
    test = evorrn.task("narma", train=60, valid=40, test=50, windows=1).data(0).test
    known = result.scaling.restore_inputs(test.inputs[0])
    true = result.scaling.restore_targets(test.targets[0])
    wanted = result.forecast(known, 4, future, teacher=true)[:, 0]
    np.testing.assert_allclose([float(row["y"]) for row in rows(said.out)], wanted, rtol=1e-5)
