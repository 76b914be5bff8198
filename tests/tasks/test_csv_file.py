"""CSV: the columns used, the splits, and an error for every mistake in a file."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evorrn
from evorrn.base.errors import ConfigError, DataError, EvorrnError, UnknownName
from evorrn.training.assessment import score


def series(rows=120, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(rows)
    temp = 10 + 5 * np.sin(0.3 * time) + rng.normal(0, 0.1, rows)
    work = (time % 7 < 5).astype(float)
    load = 100 + 3 * np.roll(temp, 1) + 20 * work
    return time, temp, work, load


@pytest.fixture
def path(tmp_path):
    time, temp, work, load = series()
    lines = ["day,time,temp,work,load"]
    lines += [
        f"2020-{d:03d},{d},{a!r},{b:.0f},{c!r}"
        for d, a, b, c in zip(time, temp.tolist(), work, load.tolist())
    ]
    target = tmp_path / "load.csv"
    target.write_text("\n".join(lines) + "\n")
    return target


def make(path, **settings):
    return evorrn.task("csv", path=str(path), **settings)


def test_by_default_the_last_column_is_forecast_from_all_that_help(path):
    task = make(path)
    assert task.output_names == ("load",)
    assert task.input_names == ("load", "temp", "work")  # day is text, time increases in every row
    assert (task.inputs, task.outputs, task.horizon) == (3, 1, 1)


@pytest.mark.parametrize(
    ("settings", "inputs", "outputs"),
    [
        ({"target": "temp"}, ("temp", "work", "load"), ("temp",)),
        ({"target": "temp", "inputs": ""}, ("temp",), ("temp",)),
        ({"target": "temp", "inputs": []}, ("temp",), ("temp",)),
        ({"target": "temp", "inputs": "load"}, ("temp", "load"), ("temp",)),
        ({"target": "load", "inputs": "temp, time"}, ("load", "temp", "time"), ("load",)),
        ({"target": "load", "inputs": ["load", "work"]}, ("load", "work"), ("load",)),
        ({"target": ["load", "temp"], "inputs": ["work"]}, ("load", "temp", "work"), ("load", "temp")),
        ({"target": "load,temp", "input_columns": ""}, ("load", "temp"), ("load", "temp")),
    ],
)
def test_columns_can_be_named(path, settings, inputs, outputs):
    task = make(path, **settings)
    assert task.input_names == inputs and task.output_names == outputs


@pytest.mark.parametrize(("horizon", "washout"), [(1, 4), (7, 0), (3, 20)])
def test_values_splits_and_scaling(path, horizon, washout):
    _, temp, work, load = series()
    splits = make(path, horizon=horizon, washout=washout, windows=1).data(0)
    scaling = splits.scaling
    rows = np.stack([load, temp, work], axis=1)
    spans = [(horizon + washout, 84), (84, 102), (102, 120)]  # rows to be forecast; shares 0.7, 0.15, 0.15
    for batch, (first, last) in zip(splits, spans):
        start = first - horizon - washout
        assert np.allclose(scaling.restore_inputs(batch.inputs[0]), rows[start : last - horizon])
        assert np.allclose(scaling.restore_targets(batch.targets[0])[:, 0], load[start + horizon : last])
        assert np.flatnonzero(batch.scored[0]).tolist() == list(range(washout, last - horizon - start))
    assert np.allclose(scaling.target_mean, load[:84].mean())
    assert np.allclose(scaling.input_deviation, [load[:84].std(), temp[:84].std(), 1.0])
    assert scaling.input_mean[2] == 0  # a column of 0 and 1 is not scaled


def test_training_sees_nothing_of_later_rows(path):
    lines = path.read_text().splitlines()
    before = make(path, horizon=2).data(0)
    for place in range(85, 121):  # rows of validation and test
        day, time, *_ = lines[place].split(",")
        lines[place] = f"{day},{time},-999,1,12345"
    path.write_text("\n".join(lines))
    after = make(path, horizon=2).data(0)
    assert np.array_equal(before.train.inputs, after.train.inputs)
    assert np.array_equal(before.train.targets, after.train.targets)
    assert np.array_equal(before.scaling.target_mean, after.scaling.target_mean)


def test_windows_follow_the_length_of_the_record(tmp_path):
    target = tmp_path / "long.csv"
    target.write_text("\n".join(f"{v:.6f}" for v in np.sin(0.1 * np.arange(3000))))
    splits = make(target).data(0)
    assert splits.train.size == 16 and splits.train.scored.sum() == 2100 - 1 - 50
    assert make(target, windows=3).data(0).train.size == 3
    one = make(target, windows=1).data(0).train
    assert np.array_equal(one.targets[one.scored], splits.train.targets[splits.train.scored])


def test_a_single_column_is_a_series(tmp_path):
    target = tmp_path / "one.csv"
    target.write_text("\n".join(str(v) for v in np.sin(np.arange(80)).tolist()))
    task = make(target)
    assert task.input_names == task.output_names == ("column1",)
    baselines = task.baselines(task.data(0))
    assert set(baselines) == {"mean", "persistence", "linear autoregression", "linear autoregression, AIC"}


def test_a_series_that_only_rises_can_be_a_target(tmp_path):
    target = tmp_path / "rise.csv"
    target.write_text("n,total\n" + "".join(f"{k},{k * k + 5}\n" for k in range(60)))
    assert make(target).input_names == ("total",)


def test_baselines_by_hand(path):
    _, _, _, load = series()
    task = make(path, horizon=3)
    splits = task.data(0)
    found = {
        name: score(outputs, splits.test, ("rmse",), splits.scaling)["rmse"]
        for name, outputs in task.baselines(splits).items()
    }
    assert np.isclose(found["persistence"], np.sqrt(np.mean((load[99:117] - load[102:120]) ** 2)))
    assert np.isclose(found["mean"], np.sqrt(np.mean((load[11:84].mean() - load[102:120]) ** 2)))
    assert found["linear model of the last rows"] < found["mean"]


def test_any_file_trains_and_forecasts(path):
    task = make(path, target="temp", inputs="")
    net = evorrn.Network.for_task(task, cell="elman", hidden=4)
    result = evorrn.RandomSearch().fit(net, task, seed=0, budget="200eval")
    assert result.output_names == ("temp",)
    known = series()[1][:100, None]
    assert result.forecast(known, 5).shape == (5, 1)
    assert result.predict(known).shape == (100, 1)


@pytest.mark.parametrize(
    ("content", "settings", "sentence"),
    [
        (
            "a,b\n1,2\n",
            {},
            "expected at least 16 rows of numbers, for 10 scored training steps after 1 of washout",
        ),
        ("1\n", {}, "expected at least 16 rows of numbers"),
        ("a,b\n" + "1,2\n3,4\n" * 7, {}, "got 14"),
        ("x\n20.126\n21.292\n23.459\n24.261\n24.873\n26.912\n", {}, "expected at least 16 rows of numbers"),
        ("x\n1\n2\n3\n4\n5\n6\n7\n8\n5\n2\n9\n1", {}, "expected at least 16 rows of numbers"),
        ("a,b\n" + "1,2\n3,4\n" * 30, {"horizon": 60}, "horizon of 60, got 60"),
        ("a,b\n" + "1,2\n3,4\n" * 30, {"horizon": 10**9}, "horizon of 1000000000, got 60"),
        ("a,b\n" + "1,2\n3,4\n" * 30, {"washout": 50}, "after 50 of washout"),
        (
            "a,b\n" + "1,2\n3,2\n" * 30,
            {},
            "target b: target 1 of 1 is constant (2) over the 42 training rows: there is nothing to learn; "
            "choose another numeric column (--target NAME): a",
        ),
        ("a,b\n" + "1,x\n3,y\n" * 30, {"target": "b"}, "line 2, column 'b': expected a number, got 'x'"),
        ("a,b\n" + "p,x\nq,y\n" * 30, {}, "expected a numeric column, got only text in a, b"),
        ("a,b\n" + "1,2\n3,4\n" * 20 + "5,\n", {}, "line 42, column 'b': the value is missing"),
        ("a,b\n" + "1,2\n3,4\n" * 20 + "NA,5\n", {}, "line 42, column 'a': the value is missing"),
        ("a,b\n" + "1,2\n3,1e308\n" * 20, {}, "too large or too close"),
        ("a,b\n" + "1,2\n3,4\n" * 20, {"windows": 30}, "windows: expected at most one per training step"),
        ("", {}, "got an empty file"),
        (b"PK\x03\x04\x00\x00\x00", {}, "got binary data"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, settings, sentence):
    target = tmp_path / "bad.csv"
    target.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as error:
        make(target, **settings).data(0)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        ("a,b\n" + "1,2\n3,2\n" * 30, {"target": "b"}),
        ("b\n" + "2\n" * 60, {}),
        ("a,b\n" + "1,2\n3,1e308\n" * 20, {}),
    ],
)
def test_another_target_is_advised_only_where_it_would_help(tmp_path, content, settings):
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(DataError) as error:
        make(tmp_path / "bad.csv", **settings).data(0)
    assert "--target" not in str(error.value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"horizon": 12, "shares": [0.5, 0.2, 0.3]},
        {"washout": 9},
        {"shares": [0.1, 0.8, 0.1]},
        {"horizon": 5, "folds": 2, "fold": 2, "shares": [0.34, 0.33, 0.33]},
        {"washout": 7, "folds": 5, "fold": 4, "shares": [0.5, 0.25, 0.25]},
        {"folds": 3, "fold": 1},
    ],
)
def test_the_least_number_of_rows_is_enough_and_one_less_is_not(tmp_path, settings):
    target = tmp_path / "few.csv"

    def data(rows):
        target.write_text("\n".join(map(str, np.sin(np.arange(rows)).tolist())))
        return make(target, **settings).data(0)

    with pytest.raises(DataError) as error:
        data(2)
    least = int(re.search(r"at least (\d+) rows", str(error.value)).group(1))
    splits = data(least)
    assert splits.train.scored.sum() >= 10 and splits.test.scored.sum() >= 2
    with pytest.raises(DataError, match=f"expected at least {least} rows of numbers.* got {least - 1}"):
        data(least - 1)


@pytest.mark.parametrize("name", ["target", "inputs"])
def test_unknown_columns(path, name):
    with pytest.raises(UnknownName, match="'tmp'; did you mean 'temp'"):
        make(path, **{name: "tmp"}).data(0)


def test_a_missing_file_is_an_error_when_data_are_wanted(tmp_path):
    task = make(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot read"):
        task.data(0)


def test_settings_keep_their_form(path):
    task = make(path, target=["load"], inputs=["temp"], horizon=2)
    values = task.values()
    assert values["target"] == ["load"] and values["input_columns"] == ["temp"] and values["washout"] is None
    assert evorrn.task("csv", **values) == task
    with pytest.raises(ConfigError, match=r"task.horizon: expected int, got '2'"):
        make(path, horizon="2")


def test_unused_columns_do_not_matter(path):
    text = path.read_text().replace("2020-050", "")
    path.write_text(text.replace("\n", ",\n").replace("load,\n", "load,notes\n"))
    assert make(path).input_names == ("load", "temp", "work")
    make(path, target="load", inputs="temp").data(0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.floats(-1e300, 1e300), st.sampled_from([0.0, 1.0, 7.5])), min_size=1, max_size=60),
    st.integers(1, 40),
)
def test_any_numbers_give_splits_or_an_evorrn_error(tmp_path, rows, horizon):
    target = tmp_path / "any.csv"
    target.write_text("".join(f"{a!r},{b!r}\n" for a, b in rows))
    try:
        splits = make(target, horizon=horizon).data(0)
    except EvorrnError:
        return
    for batch in splits:
        assert np.isfinite(batch.inputs).all() and np.isfinite(batch.targets).all()
