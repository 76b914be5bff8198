"""Tables on the command line: columns by their names, how files are read, and the notes that say so."""

import csv
import io
import json

import numpy as np
import pytest

QUICK = ("--strategy", "random", "--hidden", 3, "--budget", "2gen")
DAYS = [f"2020-{1 + day // 28:02d}-{1 + day % 28:02d}" for day in range(120)]
TEMP = [f"{10 + 5 * np.sin(day / 4):.2f}" for day in range(120)]
LOAD = [f"{300 + 40 * np.cos(day / 5):.1f}" for day in range(120)]


@pytest.fixture
def write(tmp_path):
    """Write a table of columns, name to cells, with or without its header."""

    def write(name, columns, header=True, mark=","):
        rows = [[*columns]] if header else []
        rows += zip(*columns.values())
        (tmp_path / name).write_text("\n".join(mark.join(map(str, row)) for row in rows) + "\n")

    return write


@pytest.fixture
def run(console, write):
    """A run on a table of dates, temperatures and loads, the last of which is forecast."""
    write("my.csv", {"date": DAYS, "temp [C]": TEMP, "load [kW]": LOAD})
    said = console.type("run", "my.csv", *QUICK, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)["folder"]


def values(text):
    return [float(row["load [kW]+1"]) for row in csv.DictReader(io.StringIO(text))]


def test_training_says_once_what_it_took(console, tmp_path, run):
    notes = [
        "my.csv: 120 rows, separated by commas, decimal point, header in line 1",
        "my.csv: time column date: step 1 day; 4 of 119 steps differ, first in line 30 (4 days)",
        "my.csv: forecasts load [kW] of the next row from load [kW], temp [C]",
        "my.csv: left out date (dates)",
    ]
    said = console.type("run", "my.csv", *QUICK, "--json")
    assert json.loads(said.out)["notes"] == notes
    for words in (
        ("run", "my.csv", *QUICK),
        ("compare", "my.csv", "--strategies", "random", "--seeds", 2, *QUICK[2:4]),
    ):
        budget = () if words[0] == "run" else ("--budget", "300k", "--jobs", 1)
        said = console.type(*words, *budget)
        assert said.code == 0 and all(said.err.count(f"{note}\n") == 1 for note in notes), said.err
    status = json.loads((tmp_path / run / "status.json").read_text())
    assert status["notes"] == notes and status["columns"] == ["date", "temp [C]", "load [kW]"]
    found = json.loads(console.type(*words, *budget, "--json").out)
    assert found["task"]["notes"] == notes
    page = next((tmp_path / "runs" / "comparisons").glob("*/report.html")).read_text()
    assert "left out date (dates)" in page
    assert console.type("run", "my.csv", *QUICK, "--quiet").err == ""


def test_a_prediction_takes_columns_by_their_names_in_any_order(console, write, run):
    wanted = values(console.type("predict", run, "my.csv").out)
    write("other.csv", {"load [kW]": LOAD, "new": TEMP[::-1], "temp [C]": TEMP, "date": DAYS})
    said = console.type("predict", run, "other.csv", "--json")
    content = json.loads(said.out)
    assert [row["load [kW]+1"] for row in content["rows"]] == wanted
    assert content["notes"][0] == "other.csv: 120 rows, separated by commas, decimal point, header in line 1"
    assert all(note in said.err for note in content["notes"])


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ({"date": DAYS, "temp [C]": TEMP, "Load [kW]": LOAD}, "'load [kW]' (did you mean 'Load [kW]'?)"),
        ({"date": DAYS, "temp [C]": TEMP, "wind": LOAD}, "no column 'load [kW]'"),
        ({"temperature": TEMP, "power": LOAD}, "'load [kW]', 'temp [C]'"),
        ({"load [kW]": LOAD}, "no column 'temp [C]'"),
    ],
)
def test_a_name_that_training_used_and_a_file_lacks_is_refused(console, write, run, columns, missing):
    write("other.csv", columns)
    for words in (
        ("predict", run, "other.csv"),
        ("forecast", run, "--warmup", "other.csv", "--inputs", "next.csv"),
    ):
        write("next.csv", {"temp [C]": TEMP[:20]})
        said = console.type(*words)
        assert said.code == 2 and said.out == "" and missing in said.err, said.err
    assert "expected 2 columns of inputs (load [kW], temp [C])" in said.err
    said = console.type("forecast", run, "--inputs", "other.csv", "--steps", 120, "--time", "none")
    assert said.code == (0 if "temp [C]" in columns else 2)


def test_columns_that_are_named_are_taken_with_a_note(console, write, run):
    wanted = console.type("predict", run, "my.csv").out
    write("other.csv", {"date": DAYS, "t": TEMP, "l": LOAD})
    said = console.type("predict", run, "other.csv", "--columns", "l,t")
    assert said.out == wanted and "columns taken as named: l as load [kW], t as temp [C]\n" in said.err
    said = console.type("predict", run, "other.csv", "--columns", "l")
    assert said.code == 2 and "expected 2 columns of inputs (load [kW], temp [C]), got l" in said.err


def test_a_file_without_header_is_taken_by_the_places_of_training_with_a_note(console, write, run):
    wanted = console.type("predict", run, "my.csv").out
    write("bare.csv", {"date": DAYS, "temp": TEMP, "load": LOAD}, header=False)
    said = console.type("predict", run, "bare.csv")
    assert said.out == wanted.replace("date+1", "column1+1", 1)
    assert "columns taken by position: column3 as load [kW], column2 as temp [C]\n" in said.err
    write("bare.csv", {"temp": TEMP, "load": LOAD}, header=False)
    said = console.type("predict", run, "bare.csv")
    assert said.code == 2 and "expected 3 columns as in the file that the run was trained on" in said.err


def test_a_run_on_a_file_without_header_goes_by_places(console, write):
    write("bare.csv", {"date": DAYS, "temp": TEMP, "load": LOAD}, header=False)
    folder = json.loads(console.type("run", "bare.csv", *QUICK, "--json").out)["folder"]
    said = console.type("predict", folder, "bare.csv")
    assert said.code == 0 and "by position: column3 as column3, column2 as column2" in said.err
    write("less.csv", {"temp": TEMP, "new": TEMP, "load": LOAD, "x": LOAD}, header=False)
    said = console.type("predict", folder, "less.csv")
    assert said.code == 2 and "expected 3 columns" in said.err and "got 4" in said.err
    write("named.csv", {"date": DAYS, "temp": TEMP, "load": LOAD})
    said = console.type("predict", folder, "named.csv")
    assert said.code == 2 and "no column 'column3'" in said.err


def test_prediction_and_forecast_read_as_training_did(console, write):
    comma = {"date": DAYS, "load": [cell.replace(".", ",") for cell in LOAD]}
    comma["load"][50] = ""
    write("my.txt", comma, mark=";")
    stated = ("--decimal", ",", "--separator", ";", "--fill", "previous", "--time", "date", "--header")
    said = console.type("run", "my.txt", *QUICK, *stated, "--json")
    assert said.code == 0, said.err
    content = json.loads(said.out)
    assert (
        "my.txt: missing values, filled with the value before: load 1 (first in line 52)" in content["notes"]
    )
    folder = content["folder"]
    said = console.type("predict", folder, "my.txt")
    assert said.code == 0 and "decimal comma" in said.err and "load 1 (first in line 52)" in said.err
    assert console.type("forecast", folder, "--steps", 2).code == 0
    write("point.csv", {"load": LOAD})
    said = console.type("predict", folder, "point.csv")
    assert said.code == 2 and "it has a point, but the decimal mark is a comma" in said.err
    said = console.type(
        "predict", folder, "point.csv", "--decimal", ".", "--separator", ",", "--fill", "linear"
    )
    assert said.code == 0, said.err
    said = console.type("predict", folder, "point.csv", "--decimal", ":", "--fill", "mean")
    assert (
        said.code == 2
        and "decimal: expected . or ," in said.err
        and "fill: expected linear or previous" in said.err
    )


def test_rules_of_a_forecast_are_those_of_the_files_that_are_given(console, tmp_path, run):
    """The table of training has points, and is read as in training."""
    for name, mark in (("point", "."), ("comma", ",")):
        cells = "\n".join(cell.replace(".", mark) for cell in TEMP[:2])
        (tmp_path / f"{name}.csv").write_text(f"temp [C]\n{cells}\n")
    wanted = console.type("forecast", run, "--steps", 2, "--inputs", "point.csv")
    assert wanted.code == 0, wanted.err
    said = console.type("forecast", run, "--steps", 2, "--inputs", "comma.csv", "--decimal", ",")
    assert said.code == 0, said.err
    assert said.out == wanted.out and "my.csv: 120 rows, separated by commas, decimal point" in said.err
    known = "\n".join(";".join(row).replace(".", ",") for row in zip(DAYS, TEMP, LOAD))
    (tmp_path / "known.csv").write_text(f"date;temp [C];load [kW]\n{known}\n")
    words = ("--warmup", "known.csv", "--inputs", "comma.csv", "--decimal", ",")
    assert console.type("forecast", run, "--steps", 2, *words).out == wanted.out


def test_a_time_column_that_is_stated_has_to_be_there(console, write, run):
    said = console.type("predict", run, "my.csv", "--time", "temp")
    assert said.code == 2 and "unknown column of my.csv 'temp'; did you mean 'temp [C]'" in said.err


def test_future_inputs_are_one_column_with_or_without_header(console, write, run):
    write("named.csv", {"temp [C]": ["10.5", "11"]})
    write("bare.csv", {"temp [C]": ["10.5", "11"]}, header=False)
    write("other.csv", {"Temp [C]": ["10.5", "11"]})
    named, bare, other = (
        console.type("forecast", run, "--steps", 2, "--inputs", f"{name}.csv")
        for name in ("named", "bare", "other")
    )
    assert named.code == 0 and named.out == bare.out
    assert "bare.csv: columns taken by position: column1 as temp [C]\n" in bare.err
    assert other.code == 2 and "no column 'temp [C]' (did you mean 'Temp [C]'?)" in other.err


def test_settings_that_look_like_numbers_name_columns(console, write):
    write("my.csv", {"date": DAYS, "2019": TEMP, "2020": LOAD, "2021": TEMP[::-1]})
    folders = {
        json.loads(console.type("run", "my.csv", *QUICK, *words, "--json").out)["folder"]
        for words in (("--target", "2020"), ("--set", "task.target=2020"), ("--set", "task.target='2020'"))
    }
    assert len(folders) == 1


def test_a_separator_may_be_typed_as_a_tab(console, write):
    write("a.tsv", {"temp": TEMP, "load": LOAD}, mark="\t")
    for tab in ("tab", "\t", "\\t"):
        assert console.type("run", "a.tsv", *QUICK, "--separator", tab).code == 0


@pytest.mark.parametrize(
    ("name", "content", "words", "wanted"),
    [
        ("a.csv", "10,01\n10,59\n11,30\n" * 20, (), "state it with --separator , or --decimal ,"),
        ("a.csv", "load\n" + "10,01\n10,59\n" * 20, (), "it has a decimal comma; state it with --decimal ,"),
        ("a.csv", "load\n" + "1.5\n\n2.5\n" * 20, (), "--fill linear or --fill previous"),
        ("a.csv", "a b\n" + "1 2\n3 4\n" * 20, (), "columns separated by comma, semicolon, tab or bar"),
        ("a.csv", "0\n1\n" * 20, (), "--header or --no-header"),
        ("a.dat", "load\n1\n", (), "the names of tables end in .csv, .tsv or .txt, those of arrays in .npz"),
        ("a.csv", "a\n1\n", ("--time", "b"), "unknown column"),
        ("a.csv", "a\n1\n", ("--fill", "liner"), "task.fill: expected linear or previous"),
    ],
)
def test_what_a_file_leaves_open_is_refused_with_the_option_that_states_it(
    console, tmp_path, name, content, words, wanted
):
    (tmp_path / name).write_text(content)
    for command in ("run", "compare"):
        said = console.type(command, name, *words)
        assert said.code == 2 and wanted in said.err and said.out == "", said.err
    assert [*tmp_path.iterdir()] == [tmp_path / name]


@pytest.mark.parametrize("command", [("compare",), ("run", "--strategy", "random")])
def test_numbers_that_cannot_be_read_are_refused_before_anything_runs(console, tmp_path, command):
    rows = "".join(f"2024-01-01 {t // 60:02d}:{t % 60:02d};{t * 7 % 11},5\n" for t in range(200))
    (tmp_path / "load.csv").write_text("time;load\n" + rows)
    said = console.type(command[0], "load.csv", "--target", "load", *command[1:], "--budget", "100k")
    assert said.code == 2 and "decimal comma; state it with --decimal ," in said.err
    assert "runs done" not in said.err and not (tmp_path / "runs").exists()
