"""A fitted model in one file: it predicts and forecasts as the result did, with no data and no history beside it."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import EvorrnError, RunError
from evorrn.base.files import load_tree, save_tree
from evorrn.data.task import Scaling
from evorrn.training.model import Model

FORMS = [
    {"cell": "lstm", "hidden": (3, 2), "reads": "all"},
    {"cell": "gru", "hidden": 4, "dtype": "float64", "direct": True},
    {"cell": "leaky", "hidden": 5, "cell_options": {"leak": 0.7, "activation": "sigmoid"}, "biases": False},
    {"cell": "elman", "hidden": 1, "feedback": True},
]


def drawn_at_random(seed, form):
    rng = np.random.default_rng(seed)
    inputs, outputs = int(rng.integers(1, 4)), 1
    network = evorrn.Network(inputs, outputs, **form)
    scaling = Scaling(*(rng.uniform(1, 2, size) for size in (inputs, inputs, outputs, outputs)))
    names = tuple(f"wind {place} [m/s], ü" for place in range(inputs))
    horizon = 1 if rng.random() < 0.5 else None
    return Model(network.init(seed=seed), network, scaling if seed % 3 else None, horizon, names, ("load",))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_a_model_read_back_predicts_and_forecasts_the_same_numbers(form, seed, tmp_path):
    model = drawn_at_random(seed, form)
    model.save_model(tmp_path / "deep" / "my.model")
    again = evorrn.load_model(tmp_path / "deep" / "my.model")
    x = np.random.default_rng(seed).normal(size=(2, 6, model.network.inputs))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    own = model.horizon == 1
    future = np.zeros((2, 4, model.network.inputs - own)) if model.network.inputs > own else None
    teacher = {"teacher": x[:, :, :1]} if model.network.feedback else {}
    wanted = model.forecast(x, 4, future, **teacher)
    np.testing.assert_array_equal(again.forecast(x, 4, future, **teacher), wanted)
    assert again.input_names == model.input_names and again.output_names == model.output_names
    assert again.genome.dtype == model.network.dtype and repr(again) == repr(model)


def test_a_result_of_a_task_writes_a_small_model_without_data_or_history(tmp_path):
    task = evorrn.task("sunspots")
    network = evorrn.Network.for_task(task, cell="elman", hidden=3)
    result = evorrn.RandomSearch().fit(network, task, budget="2gen")
    result.save_model(tmp_path / "sun.model")
    model = evorrn.load_model(tmp_path / "sun.model")
    assert not isinstance(model, evorrn.Result)
    known = np.linspace(0, 100, 30)[:, None]
    np.testing.assert_array_equal(model.forecast(known, 5), result.forecast(known, 5))
    assert (tmp_path / "sun.model").stat().st_size < 8000
    result.save_model(tmp_path / "again.model")
    assert (tmp_path / "sun.model").read_bytes() == (tmp_path / "again.model").read_bytes()


def written(tmp_path, **changes):
    model = drawn_at_random(1, FORMS[0])
    path = tmp_path / "a.model"
    model.save_model(path)
    save_tree(path, {**load_tree(path), **changes})
    return path


@pytest.mark.parametrize(
    "changes,words",
    [
        ({"genome": np.zeros(3)}, "genome"),
        ({"network": {"inputs": 1, "outputs": 1, "cell": "lstn"}}, "did you mean 'lstm'"),
        ({"network": {"inputs": 1, "outputs": 1, "hiden": 2}}, "did you mean 'hidden'"),
        ({"kind": "search"}, "expected a model that save_model wrote, got a file of the kind 'search'"),
        ({"kind": None}, "another file of evorrn"),
        ({"scaling": {"input_mean": np.zeros(1)}}, "input_deviation"),
        ({"input_names": 3}, "cannot be read"),
        ({"residuals": np.zeros(4)}, "residuals: expected shape (n, 1), got (4,)"),
        ({"table": 3}, "cannot be read"),
    ],
)
def test_wrong_content_of_a_model_file_is_refused_in_words(changes, words, tmp_path):
    with pytest.raises(RunError) as caught:
        evorrn.load_model(written(tmp_path, **changes))
    assert words in str(caught.value) and "a.model" in str(caught.value)


def test_scaling_of_other_sizes_than_the_network_is_refused(tmp_path):
    model = drawn_at_random(1, FORMS[0])
    seven = np.ones(7)
    wrong = {"input_mean": seven, "input_deviation": seven, "target_mean": seven, "target_deviation": seven}
    with pytest.raises(RunError, match=r"scaling.input_mean: expected shape"):
        evorrn.load_model(written(tmp_path, scaling=wrong))
    assert model.scaling is not None


def test_damaged_missing_and_foreign_files_are_refused(tmp_path):
    path = written(tmp_path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(20):
        path.write_bytes(whole[: rng.integers(0, len(whole))])
        with pytest.raises(RunError):
            evorrn.load_model(path)
    with pytest.raises(RunError):
        evorrn.load_model(tmp_path / "none.model")
    with zipfile.ZipFile(tmp_path / "z.model", "w") as archive:
        archive.writestr("data.pkl", b"\x80\x04.")
    with pytest.raises(RunError):
        evorrn.load_model(tmp_path / "z.model")
    (tmp_path / "file").write_text("")
    with pytest.raises(EvorrnError, match="cannot write"):
        drawn_at_random(0, FORMS[0]).save_model(tmp_path / "file" / "a.model")


CELL = """
import evorrn
from evorrn import tanh
open("imported", "w").close()
@evorrn.cell(state={"h": "H"}, parameters={"W": "H I", "u": "H"})
def own(p, x, h):
    return tanh(p.W @ x + p.u * h)
"""
LOAD = "import sys, evorrn; print(evorrn.load_model('own.model', trust=eval(sys.argv[1])).network)"


@pytest.mark.thorough
def test_a_cell_of_the_users_own_is_imported_only_from_the_file_that_the_model_was_written_with(tmp_path):
    (tmp_path / "own.py").write_text(CELL)
    write = (
        "import evorrn; n = evorrn.Network(1, 1, cell='own.py:own', hidden=2);"
        "evorrn.Model(n.init(seed=0), n).save_model('own.model')"
    )

    def python(*words):
        return subprocess.run([sys.executable, "-c", *words], cwd=tmp_path, capture_output=True, text=True)

    assert python(write).returncode == 0
    assert "own 2" in python(LOAD, "None").stdout
    with (tmp_path / "own.py").open("a") as stream:
        stream.write("# another content\n")
    (tmp_path / "imported").unlink()
    refused = python(LOAD, "None")
    assert refused.returncode and "was not imported" in refused.stderr
    assert not (tmp_path / "imported").exists()
    assert "own 2" in python(LOAD, "True").stdout


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e13, 1e30, 1e300])
def test_a_forecast_has_diverged_by_the_scale_of_its_targets(size):
    """A national debt of 1e13 is as good a series as any."""
    network = evorrn.Network(1, 1, hidden=2)
    one = np.array([size])
    model = Model(network.init(seed=0), network, Scaling(one, one, one, one), 1, ("debt",), ("debt",))
    assert not model.diverged(np.array([[2 * size], [-3 * size]]))
    for bad in (1e13 * size, np.nan, -np.inf):
        assert model.diverged(np.array([[size], [bad]]))
