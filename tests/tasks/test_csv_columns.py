"""CSV: which columns are taken, which are left out and why, and the settings that say how the file is read."""

import numpy as np
import pytest

import evorrn
from evorrn.base.errors import ConfigError, DataError
from evorrn.lab.runs.spec import resolve

ROWS = 60


@pytest.fixture
def make(tmp_path):
    """Write a file of columns, name to cells, and return its task."""

    def make(columns, mark=",", name="my.csv", **settings):
        lines = [mark.join(columns)]
        lines += [mark.join(map(str, cells)) for cells in zip(*columns.values())]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return evorrn.task("csv", path=str(tmp_path / name), **settings)

    return make


def wave(speed=3.0, decimals=2):
    return [f"{50 + 9 * np.sin(step / speed):.{decimals}f}" for step in range(ROWS)]


def dates():
    return [f"2020-{1 + day // 28:02d}-{1 + day % 28:02d}" for day in range(ROWS)]


def unix():
    return [1_600_000_000 + 3600 * step for step in range(ROWS)]


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        ([cell.replace(".", ",") for cell in wave()], "has a decimal comma; state it with --decimal ,"),
        ([f"{cell}%" for cell in wave()], "has a percent sign"),
        ([f"{cell} kW" for cell in wave()], "without a unit"),
        ([f"1'0{cell}" for cell in wave()], "has separators of thousands"),
    ],
)
def test_a_last_column_that_looks_like_numbers_is_refused_with_its_reason(make, load, reason):
    columns = {"date": dates(), "hour": [step % 24 for step in range(ROWS)], "load": load}
    with pytest.raises(DataError) as error:
        make(columns, ";").data(0)
    said = str(error.value)
    assert (
        "line 2, column 'load': the last column looks like numbers" in said
        and reason in said
        and "--target" in said
    )
    task = make(columns, ";", target="hour")
    assert task.output_names == ("hour",) and reason in task.data_notes[-1]


def test_a_decimal_comma_that_is_stated_is_read(make):
    columns = {"date": dates(), "load": [cell.replace(".", ",") for cell in wave()]}
    task = make(columns, ";", decimal=",")
    splits = task.data(0)
    first = splits.scaling.restore_inputs(splits.train.inputs[0])[:, 0]
    assert np.allclose(first, list(map(float, wave()))[: len(first)])
    assert "decimal comma" in task.data_notes[0]


@pytest.mark.parametrize(
    ("name", "stamps", "why"),
    [
        ("unix", unix(), "holds time stamps"),
        ("unix", [*unix()[:5], *unix()[4:-1]], "holds time stamps"),
        ("step", list(range(ROWS)), "rises by 1 in every row"),
        ("x", [0.5 * step for step in range(ROWS)], "rises by 0.5 in every row"),
        ("year", list(range(1900, 1900 + ROWS)), "holds time stamps"),
        ("day", [day.replace("-", "") for day in dates()], "holds time stamps"),
    ],
)
def test_rising_stamps_are_neither_the_default_target_nor_an_input(make, name, stamps, why):
    task = make({"temp": wave(2), "load": wave(), name: stamps})
    assert task.output_names == ("load",) and task.input_names == ("load", "temp")
    assert task.data_notes[-1] == f"my.csv: left out {name} ({why})"
    named = make({"temp": wave(2), "load": wave(), name: stamps}, target=name)
    assert named.output_names == (name,)


def test_a_file_of_stamps_alone_has_nothing_to_forecast(make):
    with pytest.raises(
        DataError, match=r"only times or row numbers: step \(rises by 1 in every row\); .*--target"
    ):
        make({"step": range(ROWS)}).data(0)


def test_a_column_that_rises_in_training_alone_is_said_to_do_so(make):
    steps = [*range(ROWS - 5), 3, 1, 4, 1, 5]
    task = make({"k": steps, "load": wave()})
    assert task.output_names == ("load",)
    assert task.data_notes[-1] == "my.csv: left out k (rises by 1 in every training row)"
    with pytest.raises(DataError, match=r"row numbers: k \(rises by 1 in every training row\); .*--target"):
        make({"k": steps}).data(0)


def test_true_and_false_are_inputs_but_no_default_target(make):
    flags = [step % 7 < 5 for step in range(ROWS)]
    task = make({"load": wave(), "workday": flags})
    assert task.output_names == ("load",) and task.input_names == ("load", "workday")
    train = task.data(0).train
    assert train.inputs[0, :, 1].tolist() == [float(flag) for flag in flags[: train.steps]]
    assert make({"workday": flags}).output_names == ("workday",)


def test_columns_left_out_are_named_with_their_reason(make):
    columns = {
        "date": dates(),
        "place": ["x"] * ROWS,
        "k": range(ROWS),
        "none": [""] * ROWS,
        "a": wave(2),
        "b": wave(),
    }
    assert make(columns, inputs="").data_notes == (
        "my.csv: 60 rows, separated by commas, decimal point, header in line 1",
        "my.csv: time column date: step 1 day; 2 of 59 steps differ, first in line 30 (4 days)",
        "my.csv: forecasts b of the next row from b",
        "my.csv: left out date (dates), place (text), k (rises by 1 in every row), none (no values), a (not named as an "
        "input)",
    )


def test_rows_with_the_newest_first_are_trained_on_from_the_oldest(make, tmp_path):
    forward = make({"date": dates(), "load": wave()}).data(0)
    task = make({"date": dates()[::-1], "load": wave()[::-1]}, name="back.csv")
    for one, other in zip(forward, task.data(0)):
        assert np.array_equal(one.inputs, other.inputs) and np.array_equal(one.targets, other.targets)
    assert "newest row first in the file, turned round" in task.data_notes[1]


def test_gaps_are_filled_and_not_scored_as_targets(make):
    columns = {"temp": wave(2), "load": wave()}
    whole = make(columns, windows=1, washout=4).data(0)
    columns["load"][20], columns["temp"][30] = "", "NA"
    with pytest.raises(
        DataError, match=r"missing values: load 1 \(first in line 22\), temp 1 \(first in line 32\)"
    ):
        make(columns).data(0)
    task = make(columns, fill="linear", windows=1, washout=4)
    filled = task.data(0)
    assert np.flatnonzero(whole.train.scored[0] & ~filled.train.scored[0]).tolist() == [19]
    restored = filled.scaling.restore_inputs(filled.train.inputs[0])
    load, temp = (
        np.array([float(cell if cell[:1].isdigit() else "nan") for cell in columns[name]])
        for name in ("load", "temp")
    )
    assert np.isclose(restored[20, 0], (load[19] + load[21]) / 2) and np.isclose(
        restored[30, 1], (temp[29] + temp[31]) / 2
    )
    assert "missing values, filled by straight lines: load 1" in task.data_notes[1]


@pytest.mark.parametrize("value", [2020, "2020", [2020], ["2020"]])
def test_names_of_columns_may_be_numbers(make, value):
    columns = {"date": dates(), "2019": wave(2), "2020": wave(), "2021": wave(4)}
    assert make(columns, target=value).output_names == ("2020",)
    assert make(columns, target=value) == make(
        columns, target="2020" if not isinstance(value, list) else ["2020"]
    )
    assert make(columns, target=2019, inputs=2021, time="none").input_names == ("2019", "2021")


def test_wrong_settings_are_told_at_once(make):
    with pytest.raises(ConfigError) as error:
        make({"load": wave()}, decimal="x", separator=":", fill="mean")
    assert [problem.partition(":")[0] for problem in error.value.problems] == [
        "task.decimal",
        "task.separator",
        "task.fill",
    ]


def test_settings_that_state_nothing_leave_the_id_of_a_run_as_it_was(make, tmp_path):
    path = make({"temp": wave(2), "load": wave()}).path
    plain = resolve({"task": {"name": path, "target": "load"}})
    assert not {"header", "decimal", "separator", "fill", "time"} & plain.content["task"].keys()
    stated = {"header": None, "decimal": "", "separator": "", "fill": "", "time": ""}
    assert resolve({"task": {"name": path, "target": "load", **stated}}).id == plain.id
    for name, value in {
        "header": True,
        "decimal": ".",
        "separator": ",",
        "fill": "linear",
        "time": "none",
    }.items():
        assert resolve({"task": {"name": path, "target": "load", name: value}}).id != plain.id


@pytest.mark.parametrize("name", ["UP.CSV", "a.tsv", "a.txt", "a.Csv"])
def test_tables_are_known_by_the_end_of_their_name(make, tmp_path, name):
    path = make({"temp": wave(2), "load": wave()}, "\t" if name == "a.tsv" else ",", name).path
    assert resolve({"task": {"name": path}}).task.name == "csv"


@pytest.mark.parametrize("name", ["a.dat", "a.xlsx", "none.parquet", "."])
def test_other_files_and_folders_are_refused_with_the_ends_that_are_known(tmp_path, name):
    (tmp_path / "a.dat").write_text("load\n1\n")
    with pytest.raises(
        ConfigError, match=r"names of tables end in .csv, .tsv or .txt, those of arrays in .npz"
    ):
        resolve({"task": {"name": str(tmp_path / name)}})


def test_an_index_that_falls_to_zero_says_that_the_last_row_was_written_first(make):
    task = make({"": range(ROWS - 1, -1, -1), "load": wave()[::-1]})
    assert (
        task.input_names == ("load",) and "newest row first in the file, turned round" in task.data_notes[1]
    )
    assert np.array_equal(task.data(0).train.inputs, make({"load": wave()}).data(0).train.inputs)


def test_a_column_that_counts_down_is_an_input_with_a_note(make):
    columns = {"left": range(ROWS, 0, -1), "load": wave()}
    task = make(columns)
    assert task.input_names == ("load", "left")
    assert task.data_notes[-1].endswith(
        "left falls by 1 in every row; if it counts back from the newest row, say --time left"
    )
    turned = make(columns, time="left")
    assert turned.input_names == ("load",) and turned.table.turned
