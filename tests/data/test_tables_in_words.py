"""What the reader of tables says: what it took, and how to state what it cannot know."""

import numpy as np
import pytest

from evorrn.base.errors import DataError, UnknownName
from evorrn.data.tables.fill import fill
from evorrn.data.tables.reader import read_table
from evorrn.data.tables.rules import Rules


@pytest.fixture
def read(tmp_path):
    """Write a table and read it."""

    def read(content, **rules):
        (tmp_path / "my.csv").write_text(content)
        return read_table(tmp_path / "my.csv", Rules(**rules))

    return read


@pytest.fixture
def refused(read):
    """Return the sentence with which a table, or one of its columns, is refused."""

    def refused(content, column="", **rules):
        with pytest.raises(DataError) as error:
            read(content, **rules).columns([column])
        return str(error.value).partition("my.csv")[2]

    return refused


def days(count, start=1):
    return [f"2020-01-{day:02d}" for day in range(start, start + count)]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("0,1\n0.5,0.25\n0.3,0.1\n", ("0", "1")),
        (",0,1\n0,0.5,3\n1,0.3,4\n", ("column1", "0", "1")),
        ("0,1,2\n7,3,8\n5,5,1\n", ("0", "1", "2")),
        ("date,2019,2020\n2020-01-01,5,6\n2020-01-02,5,6\n", ("date", "2019", "2020")),
        ("date,0.1,0.9\n2020-01-01,5,6\n2020-01-02,5,6\n", ("date", "0.1", "0.9")),
        ("flag,load\nTrue,5\nFalse,6\n", ("flag", "load")),
    ],
)
def test_a_header_of_numbers_as_data_frames_write_it_is_recognised(read, content, names):
    table = read(content)
    assert table.names == names and len(table.rows) == 2 and "header in line 1" in table.notes()[0]


@pytest.mark.parametrize(
    "content",
    [
        "0\n1\n2\n",
        "0;1\n1;5\n2;3\n",
        "2019,2020\n5.5,6.5\n1.5,2.5\n7.1,8.1\n",
        "x,5\n3,4.5\n4,6\n",
        "NA\n5\n6\n",
    ],
)
def test_a_first_row_that_may_be_either_is_refused_until_it_is_stated(read, refused, content):
    assert "state it with --header or --no-header" in refused(content)
    assert len(read(content, header=False).rows) == len(read(content, header=True).rows) + 1


def test_a_file_without_header_is_said_to_have_none(read):
    assert "no header: columns are named column1, column2" in read("1.5,2\n3,4\n").notes()[0]


@pytest.mark.parametrize("content", ["10,01\n10,59\n11,30\n", "2020-01-01,10,01\n2020-01-02,10,02\n"])
def test_digits_around_a_comma_without_header_are_refused_as_ambiguous(refused, content):
    said = refused(content)
    assert "line 1, column" in said and "state it with --separator , or --decimal ," in said


def test_what_is_stated_about_commas_is_obeyed(read):
    content = "10,01\n10,59\n11,30\n"
    assert read(content, decimal=",").columns(["column1"]).ravel().tolist() == [10.01, 10.59, 11.3]
    assert read(content, separator=",").columns(["column2"]).ravel().tolist() == [1, 59, 30]
    assert read("a, b\n1, 2\n", header=False).names == ("column1", "column2")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("load\n10,01\n9,5\n", "has a decimal comma; state it with --decimal ,"),
        ('k,load\n1,"1,099"\n2,"2,300"\n', "has separators of thousands"),
        (
            "k;load\n1;1,099\n2;2,300\n",
            "its comma is a decimal mark (then say --decimal ,) or separates thousands",
        ),
        ("k,load\n1,50.5%\n2,40%\n", "has a percent sign"),
        ("k,load\n1,$50\n2,$40\n", "has a sign of currency"),
        ("k,load\n1,50 kW\n2,40 kW\n", "it is not a plain number, without a unit"),
        ("k,load\n1,(50)\n2,40\n", "it is in brackets"),
        ("k;load\n1;1.099.000\n2;2.300.000\n", "has separators of thousands"),
        ("k,load\n1,1 099\n2,2 300\n", "has separators of thousands"),
        ("k,load\n1,−5\n2,−6\n", "its minus sign is not the plain one"),
    ],
)
def test_cells_that_look_like_numbers_are_refused_with_their_reason(refused, content, sentence):
    said = refused(content, "load")
    assert "line 2, column 'load': expected a number" in said and sentence in said


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_point_beside_whole_numbers_may_separate_thousands(read, refused, mark):
    content = "k;load\n1;987\n2;1.099\n3;1.200\n".replace(";", mark)
    said = refused(content, "load")
    assert "line 3, column 'load'" in said and "--decimal ." in said
    assert read(content, decimal=".").columns(["load"]).ravel().tolist() == [987, 1.099, 1.2]
    assert read(content.replace("1.200", "1.21")).columns(["load"]).ravel().tolist() == [987, 1.099, 1.21]


@pytest.mark.parametrize(
    "content", ["a b\n1 2\n3 4\n", "1 2\n3 4\n", "2020-01-01 5\n2020-01-02 6\n", "1,5 2\n2,5 3\n"]
)
def test_a_file_separated_by_spaces_is_refused_with_the_known_separators(refused, content):
    assert "expected columns separated by comma, semicolon, tab or bar, got spaces" in refused(content)


def test_rows_with_the_newest_date_first_are_turned_round_with_a_note(read):
    for dates in (
        days(5)[::-1],
        [f"{day}/01/2020" for day in (15, 14, 13, 3, 2)],
        ["300000000", "200000000"],
    ):
        table = read("date,load\n" + "".join(f"{day},{row}\n" for row, day in enumerate(dates)))
        assert table.columns(["load"]).ravel().tolist() == list(range(len(dates)))[::-1]
        assert "newest row first in the file, turned round" in table.notes()[1] and table.lines[-1] == 2


def test_rows_in_no_order_of_time_are_refused_with_line_and_column(read, refused):
    content = "date,load\n" + "".join(f"{day},5\n" for day in (*days(3), "2020-01-01", *days(2, 4)))
    assert "line 5, column 'date': '2020-01-01' is earlier than a row before" in refused(content, "load")
    assert len(read(content, time="none").rows) == 6
    shuffled = "index,load\n" + "".join(f"{row},5\n" for row in np.random.default_rng(0).permutation(20))
    assert "line 2, column 'index': these row numbers are not in order" in refused(shuffled, "load")


def test_an_hour_that_a_clock_repeats_gaps_and_irregular_steps_are_counted_with_their_first_place(read):
    hours = [0, 1, 2, 2, 3, 6, 7, 8, 9, 10]
    note = read("date,load\n" + "".join(f"2020-10-25 {hour:02d}:00,5\n" for hour in hours)).notes()[1]
    assert note == (
        "my.csv: time column date: step 1 hour; 1 of 9 steps equal the row before, first in line 5; 1 of 9 steps differ, "
        "first in line 7 (3 hours)"
    )


def test_dates_that_repeat_are_refused_where_no_clock_explains_it(read, refused):
    def table(stamps):
        return "date,load\n" + "".join(f"{stamp},5\n" for stamp in stamps)

    said = "is that of the row before; keep one row for each time, one series a file"
    assert f"line 5, column 'date': '2020-01-03' {said}" in refused(table([*days(3), *days(6, 3)]), "load")
    hours = [f"2020-01-01 {hour:02d}:00" for hour in range(20)]
    assert f"line 4, column 'date': '2020-01-01 01:00' {said}" in refused(
        table([*hours[:2], hours[1], *hours[2:9], hours[8], *hours[9:]]), "load"
    )
    assert f"line 3, column 'year': '1901' {said}" in refused(
        "year,load\n1901,5\n1901,6\n1902,5\n", "load", time="year"
    )
    assert len(read(table([*days(3), *days(6, 3)]), time="none").rows) == 9


@pytest.mark.parametrize(
    ("stamps", "step"),
    [
        (["2020-01-31 00:00", "2020-01-31 01:00", "2020-01-31 02:00"], "1 hour"),
        (["2020-01-31T00:00:00Z", "2020-01-31T00:15:00Z", "2020-01-31T00:30:00Z"], "15 minutes"),
        (["2020-01", "2020-02", "2020-03"], "1 month"),
        (["31.12.2019", "01.01.2020", "02.01.2020"], "1 day"),
        (["1/2/2020", "1/3/2020", "1/14/2020", "1/15/2020"], "1 day"),
        (["2/1/2020", "3/1/2020", "14/1/2020", "15/1/2020"], "1 day"),
        (["5 Jan 2019", "5 Jan 2020", "5 Jan 2021"], "1 year"),
        (["2020Q1", "2020Q2", "2020Q3"], "3 months"),
        (["2020-W52", "2020-W53", "2021-W01"], "7 days"),
        (["2024W04", "2024W05", "2024W06"], "7 days"),
        (["2024-W05-6", "2024-W05-7", "2024-W06-1"], "1 day"),
        (["1600000000", "1600003600", "1600007200"], "1 hour"),
        (["1600000000000", "1600000060000", "1600000120000"], "1 minute"),
        (["20200131", "20200201", "20200202"], "1 day"),
    ],
)
def test_the_step_of_the_time_column_is_said(read, stamps, step):
    table = read("stamp,load\n" + "".join(f"{stamp},5\n" for stamp in stamps))
    assert f"time column stamp: step {step}" in table.notes()[1]


def test_a_column_of_hours_belongs_to_the_dates(read):
    rows = [f"{day};{hour};5" for day in days(3) for hour in range(1, 25)]
    assert read("date;hour;load\n" + "\n".join(rows)).notes()[1].endswith("date and hour: step 1 hour")
    rows = [f"{day};{hour:02d}:30;5" for day in days(3) for hour in range(24)]
    assert read("date;clock;load\n" + "\n".join(rows)).notes()[1].endswith("date and clock: step 1 hour")


def test_a_named_time_column_orders_the_rows(read, refused):
    content = "a,b\n" + "".join(f"{9 - row},{row % 4}\n" for row in range(8))
    assert read(content, time="a").columns(["b"]).ravel().tolist() == [3, 2, 1, 0, 3, 2, 1, 0]
    assert "column 'b': 0.0" not in refused(content, "b", time="b") and "line 6" in refused(
        content, "b", time="b"
    )
    with pytest.raises(UnknownName, match="did you mean 'a'"):
        read(content, time="A")
    assert "expected dates or numbers as times" in refused("a,b\nx,1\ny,2\n", time="a")


def test_a_last_row_that_is_a_sum_is_refused(refused):
    content = "date,load\n" + "".join(f"{day},5\n" for day in days(20)) + "Total,100\n"
    assert "line 22, column 'date': expected a date as in the other rows, got 'Total'" in refused(
        content, "load"
    )


def test_true_and_false_are_read_as_1_and_0(read, refused):
    content = "flag,load\nTrue,1\nfalse,2\nTRUE,3\n"
    assert read(content).columns(["flag"]).ravel().tolist() == [1, 0, 1]
    assert "line 5, column 'flag': expected true or false" in refused(content + "1,4\n", "flag")
    assert "line 5, column 'load': expected a number, got 'True'" in refused(content + "true,True\n", "load")


GAPS = "a,b\n1,1\n2,NA\n3,\n4,7\n5,8\nx,9\n".replace("x", "")


def test_missing_values_are_counted_by_column(refused, tmp_path):
    (tmp_path / "my.csv").write_text(GAPS)
    with pytest.raises(DataError) as error:
        read_table(tmp_path / "my.csv").columns(["a", "b"])
    said = str(error.value)
    assert (
        "line 3, column 'b': the value is missing ('NA'); fill the gaps with --fill linear or --fill previous"
        in said
    )
    assert said.endswith("missing values: a 1 (first in line 7), b 2 (first in line 3)")


@pytest.mark.parametrize(("way", "b"), [("linear", [1, 3, 5, 7, 8, 9]), ("previous", [1, 1, 1, 7, 8, 9])])
def test_missing_values_are_filled_as_stated(read, way, b):
    table = read(GAPS, fill=way)
    assert table.columns(["a", "b"]).T.tolist() == [[1, 2, 3, 4, 5, 5], b]
    assert table.gaps(["a", "b"]).sum(axis=0).tolist() == [1, 2]
    assert "a 1 (first in line 7), b 2 (first in line 3)" in table.notes(["a", "b"])[-1]


def test_a_gap_is_filled_from_its_own_part_and_those_before():
    values = np.array([1.0, np.nan, np.nan, 4.0, np.nan, 6.0])
    assert fill(values, "linear", [6]).tolist() == [1, 2, 3, 4, 5, 6]
    assert fill(values, "linear", [2, 5, 6]).tolist() == [1, 1, 2.5, 4, 4, 6]
    assert fill(values, "previous", [2, 5, 6]).tolist() == [1, 1, 1, 4, 4, 6]


def test_a_gap_before_the_first_value_cannot_be_filled_with_the_previous_one(read, refused):
    content = "a\n-\n5\n7\n"
    assert "line 2, column 'a': the value is missing, with no value before it" in refused(
        content, "a", fill="previous"
    )
    assert read(content, fill="linear").columns(["a"]).ravel().tolist() == [5, 5, 7]


def test_a_blank_line_in_a_file_of_one_column_is_a_missing_value(read, refused):
    assert "line 3, column 'load': the value is missing" in refused("load\n5\n\n6\n7\n", "load")
    assert read("load\n5\n\n6\n7\n", fill="linear").columns(["load"]).ravel().tolist() == [5, 5.5, 6, 7]
    assert read("load\n\n5\n\n6\n\n7\n").columns(["load"]).ravel().tolist() == [5, 6, 7]
    assert "these blank lines may be missing values" in refused("load\n\n5\n\n\n\n6\n\n7\n")


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"decimal": ";"}, "decimal: expected . or ,, got ';'"),
        ({"separator": " "}, "separator: expected tab or ; or | or ,, got ' '"),
        ({"fill": "Linear"}, "fill: expected linear or previous, got 'Linear'; did you mean linear?"),
        ({"decimal": ",", "separator": ","}, "decimal: a comma cannot be both"),
    ],
)
def test_rules_that_cannot_be(rules, sentence):
    assert sentence in Rules(**rules).problems()[0]
