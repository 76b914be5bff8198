"""Reading tables: all accepted forms of files, and an error with its place for all others."""

import csv

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evorrn.base.errors import DataError, EvorrnError, UnknownName
from evorrn.data.tables.reader import read_table
from evorrn.data.tables.rules import Rules


def write(folder, content):
    path = folder / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2.5\n-3,4e-1\n",
        "a;b\n1;2.5\n-3;.4\n",
        "a\tb\n1\t2.5\n-3\t0.40\n",
        "a|b\n1|2.5\n-3|+0.4\n",
        "a,b\r\n1,2.5\r\n-3,0.4\r\n",
        "a,b\r1,2.5\r-3,0.4\r",
        "\ufeffa,b\n1,2.5\n-3,0.4",
        ' "a" , "b" \n 1 , 2.5 \n -3 , 0.4 \n',
        "# a comment, with commas\n# another\na,b\n1,2.5\n-3,0.4\n",
        "\n\na,b\n\n1,2.5\n\n-3,0.4\n\n\n",
        ",\na,b\n1,2.5\n-3,0.4\n,\n,\n",
        "a,b\n1,2.5\n-3,0.4\n".encode("utf-16"),
    ],
)
def test_the_same_table_in_many_forms(tmp_path, content):
    table = read_table(write(tmp_path, content))
    assert table.names == ("a", "b")
    assert table.columns(["b", "a"]).tolist() == [[2.5, 1.0], [0.4, -3.0]]
    assert table.numeric() == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        ("1,2.5\n3,4\n", ("column1", "column2"), 2),
        ("5\n6\n7\n", ("column1",), 3),
        ("value\n6\n7\n", ("value",), 2),
        ("2020-01-01,5\n2020-01-02,6\n", ("column1", "column2"), 2),
        ("date,2\n2020-01-01,5\n2020-01-02,6\n", ("date", "2"), 2),
        ("a,2019\nx1,5\nx2,6\n", ("a", "2019"), 2),
        (",load\n0,5\n1,6\n", ("column1", "load"), 2),
        ("1\n", ("column1",), 1),
    ],
)
def test_header_or_none(tmp_path, content, names, rows):
    table = read_table(write(tmp_path, content))
    assert table.names == names
    assert len(table.rows) == rows


def test_columns_of_text_are_told_from_columns_with_slips(tmp_path):
    rows = "date,place,none,slip,value\n" + "".join(f"2020-01-{d},x,,{d},{d}\n" for d in range(10, 20))
    table = read_table(write(tmp_path, rows.replace("x,,15", "x,,oops")))
    assert table.numeric() == ["slip", "value"]


def test_latin_1_names_are_read(tmp_path):
    table = read_table(write(tmp_path, "Temp °C,v\n1,2\n3,4\n".encode("latin-1")))
    assert table.names == ("Temp °C", "v")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "expected a table, got an empty file"),
        ("\n \n", "expected a table, got an empty file"),
        ("# only\n# comments\n", "expected a table, got an empty file"),
        ("a,b\n", "expected rows of numbers below the header, got none"),
        ("a,b\n1,2\n3\n4,5\n", "line 3: expected 2 cells as in line 1, got 1 (separator ',')"),
        ("a,b\n1,2\n3,4,5\n", "line 3: expected 2 cells as in line 1, got 3"),
        ("a,a\n1,2\n3,4\n", "line 1: expected different column names, got 'a' more than once"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "expected a text file with a table, got binary data"),
        (bytes(range(256)), "expected a text file with a table, got binary data"),
    ],
)
def test_files_that_are_no_tables(tmp_path, content, sentence):
    path = write(tmp_path, content)
    with pytest.raises(DataError) as error:
        read_table(path)
    assert sentence in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("", "the value is missing ('')"),
        ("NaN", "the value is missing ('NaN')"),
        ("n/a", "the value is missing ('n/a')"),
        ("?", "the value is missing ('?')"),
        ("abc", "expected a number, got 'abc'"),
        ("1_000", "expected a number, got '1_000'"),
        ("inf", "expected a number, got 'inf'"),
        ("5 %", "expected a number, got '5 %'"),
        ("0x1f", "expected a number, got '0x1f'"),
        ("١٢", "expected a number, got '١٢'"),
        ("1e999", "expected a number that double precision can hold, got '1e999'"),
        ("1,5", "expected a number, got '1,5'; it has a decimal comma; state it with --decimal ,"),
        ("x" * 300, "expected a number, got 'xxxxxxxxx"),
    ],
)
def test_cells_that_are_no_numbers(tmp_path, cell, sentence):
    path = write(tmp_path, f"a;b\n1;2\n3;4\n5;{cell}\n6;7\n8;9\n")
    with pytest.raises(DataError) as error:
        read_table(path).columns(["b"])
    assert f"line 4, column 'b': {sentence}" in str(error.value)
    assert len(str(error.value)) < 300 + len(str(path))


def test_an_unknown_column_has_a_nearest_name(tmp_path):
    with pytest.raises(UnknownName, match="'lod'; did you mean 'load'"):
        read_table(write(tmp_path, "time,load\n1,2\n3,4\n")).columns(["lod"])


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*: No such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"cannot read .*: Is a directory"):
        read_table(tmp_path)


def test_a_quoted_cell_may_hold_separators_and_line_ends(tmp_path):
    table = read_table(write(tmp_path, 'note,v\n"a,b\nc",1\n"d",2\nx,oops\n'))
    assert table.rows[0] == ["a,b\nc", "1"]
    with pytest.raises(DataError, match="line 5, column 'v'"):
        table.columns(["v"])


def test_a_cell_longer_than_the_limit_is_an_error(tmp_path):
    with pytest.raises(DataError, match="field larger than field limit"):
        read_table(write(tmp_path, '"' + "x" * (csv.field_size_limit() + 10)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=60), st.text(alphabet="1.5,;\t|\n\r\"'#ab-eN ", max_size=60)))
def test_junk_gives_a_table_or_an_evorrn_error(tmp_path, content):
    path = write(tmp_path, content)
    try:
        table = read_table(path)
        values = table.columns(table.numeric())
    except EvorrnError:
        return
    assert np.isfinite(values).all() and len(values) == len(table.rows)


@pytest.mark.parametrize(
    "times", [[f"2024-03-{day:02d}" for day in range(1, 31)], [str(1700 + n) for n in range(30)]]
)
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("totals", [1, 2])
def test_totals_below_rows_with_times_are_refused(tmp_path, times, newest_first, totals):
    """A last line without a date is a total, and was the last value of the series."""
    lines = [f"{time},{n % 7}.5" for n, time in enumerate(times)][:: -1 if newest_first else 1]
    path = write(tmp_path, "\n".join(["year,load", *lines, *[",99999.5"] * totals]))
    with pytest.raises(DataError, match=r"line 32: .*have none; if they are totals, delete them"):
        read_table(path)
    assert len(read_table(path, Rules(time="none")).rows) == 30 + totals


def test_a_row_without_a_time_between_others_is_counted(tmp_path):
    lines = [f"2024-03-{day:02d},{day % 7}.5" for day in range(1, 31)]
    table = read_table(write(tmp_path, "\n".join(["date,load", *lines[:9], ",3.5", *lines[10:]])))
    assert any("1 row without a time, first in line 11" in note for note in table.notes())
