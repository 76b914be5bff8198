"""``evorrn export``: the network of a run as one file that needs no run."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from tiny import WALK, WAVE

import evorrn


@pytest.fixture
def run(console, tmp_path):
    words = ("run", WAVE, "--strategy", WALK, "--budget", "3gen", "--quiet")
    assert console.type(*words).code == 0
    return next((tmp_path / "runs").glob("wave/walk-elman/*"))


def test_a_model_predicts_as_the_run_does_after_the_run_has_gone(console, tmp_path, run):
    x = np.sin(np.arange(30) / 3)[:, None]
    wanted = evorrn.load(run).predict(x)
    said = console.type("export", run.name[:8])
    assert said.code == 0 and said.out.startswith(f"{run.name}.model: "), said.err
    shutil.rmtree(tmp_path / "runs")
    np.testing.assert_array_equal(evorrn.load_model(tmp_path / f"{run.name}.model").predict(x), wanted)


def test_the_format_is_that_which_is_named_or_which_the_file_ends_in(console, tmp_path, run):
    pytest.importorskip("safetensors")
    assert console.type("export", run, "--out", "deep/w.safetensors").code == 0
    result = evorrn.load(run)
    again = result.network.from_safetensors(tmp_path / "deep" / "w.safetensors")
    np.testing.assert_array_equal(again, result.genome)
    said = console.type("export", run, "--to", "model", "--out", "plain", "--json")
    assert json.loads(said.out) == {"run": run.name, "file": "plain", "format": "model"}
    assert evorrn.load_model(tmp_path / "plain").network.settings() == result.network.settings()


def test_an_onnx_model_is_in_the_original_units_of_the_task(console, tmp_path, run):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    assert console.type("export", run, "--to", "onnx").code == 0
    session = onnxruntime.InferenceSession(
        str(tmp_path / f"{run.name}.onnx"), providers=["CPUExecutionProvider"]
    )
    result, x = evorrn.load(run), np.sin(np.arange(30) / 3)[None, :, None]
    x = x if result.scaling is not None else x.astype(result.network.dtype)
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0], result.predict(x), atol=1e-5)


@pytest.mark.parametrize(
    "words,sentence",
    [
        (("--to", "onxx"), "did you mean 'onnx'?"),
        (("--to", "onnx", "--out", "a.model"), "--out: expected a name that ends in .onnx, got a.model"),
    ],
)
def test_wrong_formats_are_refused_and_nothing_is_written(console, tmp_path, run, words, sentence):
    before = sorted(tmp_path.iterdir())
    said = console.type("export", run, *words)
    assert said.code == 2 and sentence in said.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_run_that_is_not_complete_and_a_place_that_cannot_be_written_are_said(console, tmp_path, run):
    (tmp_path / "file").write_text("")
    said = console.type("export", run, "--out", "file/a.model")
    assert said.code == 2 and "cannot write file" in said.err
    (run / "status.json").write_text('{"status": "failed"}')
    said = console.type("export", run)
    assert said.code == 2 and "expected a complete run, this one is failed" in said.err
    assert console.type("export", "0123").code == 2


def german(path, rows, rng):
    """Write a table of hours with decimal commas and semicolons."""
    values = np.sin(np.arange(rows) / 4) + 0.1 * rng.standard_normal(rows)
    lines = ["zeit;wind;last"]
    for row, value in enumerate(values):
        date = np.datetime64("2021-03-01T00") + row
        lines.append(f"{date}:00;{value * 2:.3f};{value:.3f}".replace(".", ","))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("horizon", [1, 3])
def test_predict_and_forecast_take_the_file_of_a_model_and_read_tables_as_its_training_did(
    console, tmp_path, horizon
):
    rng = np.random.default_rng(0)
    german(tmp_path / "my.csv", 160, rng)
    german(tmp_path / "new.csv", 40, rng)
    words = ("run", "my.csv", "--target", "last", "--decimal", ",", "--separator", ";", "--calendar", "hour")
    said = console.type(*words, "--horizon", horizon, "--strategy", "random", "--budget", "2gen", "--quiet")
    assert said.code == 0, said.err
    run = next((tmp_path / "runs").glob("*/*/*/spec.toml")).parent
    assert console.type("export", run, "--out", "my.model").code == 0
    wanted = console.type("predict", run, "new.csv").out
    assert "lower" in wanted and wanted == console.type("predict", "my.model", "new.csv").out
    head, *lines = (tmp_path / "new.csv").read_text().splitlines(keepends=True)
    (tmp_path / "next.csv").write_text(head + "".join(lines[-3:]))
    (tmp_path / "known.csv").write_text(head + "".join(lines[:-3]))
    steps = ("--steps", 3, "--warmup", "known.csv", *(("--inputs", "next.csv") if horizon == 1 else ()))
    wanted, found = console.type("forecast", run, *steps), console.type("forecast", "my.model", *steps)
    assert wanted.code == found.code == 0, found.err
    first = [list(row.values())[:3] for row in csv.DictReader(io.StringIO(wanted.out))]
    assert first == [list(row.values())[:3] for row in csv.DictReader(io.StringIO(found.out))]
    assert ("lower" in found.out) == (
        horizon > 1
    )  # a forecast on its own outputs needs validation data for that
    assert (tmp_path / "predict.png").exists() and (tmp_path / "forecast.png").exists()


def test_a_forecast_from_a_model_needs_the_known_inputs_and_other_files_are_no_models(console, tmp_path, run):
    assert console.type("export", run, "--out", "my.model").code == 0
    said = console.type("forecast", "my.model")
    assert said.code == 2 and "has no data; give the known inputs as --warmup FILE" in said.err
    (tmp_path / "x.npz").write_bytes(b"")
    said = console.type("predict", "x.npz", "x.npz")
    assert said.code == 2 and "cannot be read" in said.err
