"""Times of rows: their usual step, how they go on, what is written of them, and inputs made of them."""

import numpy as np
import pandas as pd
import pytest

from evorrn.base.errors import ConfigError, DataError
from evorrn.data.tables.calendar import cycles
from evorrn.data.tables.dates import either_order, moments
from evorrn.data.tables.reader import read_table
from evorrn.data.tables.times import RISES, Times, rise, times_of_dates, times_of_numbers


def times(dates):
    return times_of_dates("date", moments([str(each) for each in dates]))


@pytest.mark.parametrize(
    ("frequency", "words"),
    [
        ("15min", "15 minutes"), ("h", "1 hour"), ("6h", "6 hours"), ("D", "1 day"), ("W", "7 days"),
        ("B", "1 business day"), ("MS", "1 month"), ("ME", "1 month"), ("QS", "3 months"), ("QE", "3 months"),
        ("YS", "1 year"), ("30s", "30 seconds"), ("BME", "1 month"), ("BQE", "3 months"), ("BYE", "1 year"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("start", ["2019-11-29", "2023-12-18"])
def test_dates_go_on_by_their_usual_step_as_pandas_has_them(frequency, words, start):
    wanted = pd.date_range(start, periods=70, freq=frequency)
    known = times(wanted[:45])
    assert known.step.words() == words and known.step.regular
    assert (pd.to_datetime(known.continued(25).dates) == wanted).all()
    assert (pd.to_datetime(known.continued(25).last(25).dates) == wanted[45:]).all()


@pytest.mark.parametrize(
    "start", ["2001-01-28", "2001-01-29", "2001-01-30 18:30", "2001-01-31", "2004-02-29"]
)
@pytest.mark.parametrize(
    ("months", "words"), [(1, "1 month"), (2, "2 months"), (3, "3 months"), (6, "6 months"), (12, "1 year")]
)
@pytest.mark.parametrize("rows", [26, 27])
def test_a_day_that_short_months_lack_is_their_last_day(start, months, words, rows):
    wanted = [pd.Timestamp(start) + pd.DateOffset(months=months * row) for row in range(rows + 20)]
    known = times(wanted[:rows])  # monthly rows end in February and in March
    assert known.steps(range(rows)) == f"step {words}"
    assert pd.to_datetime(known.continued(20).dates).tolist() == wanted


def test_months_are_found_by_the_day_from_their_end_and_with_a_missing_row():
    wanted = pd.date_range("2001-01-29", periods=60, freq="ME") - pd.Timedelta(days=1)
    known = times(wanted[:40].delete(20))
    assert known.steps(range(39)) == "step 1 month; 1 of 38 steps differ, first in line 20 (2 months)"
    assert (pd.to_datetime(known.continued(20).last(20).dates) == wanted[40:]).all()
    odd = [str(day) for day in wanted[:40]]
    odd[7] = "2001-08-29"  # a day early
    assert "days" in times(odd).step.words()


def test_a_zone_goes_with_the_dates_and_with_those_after_them():
    wanted = pd.date_range("2020-03-27", periods=100, freq="h", tz="Europe/Berlin")
    found = times(wanted).continued(2)
    assert found.texts()[0] == "2020-03-27 00:00+01:00"  # before the clock goes forward
    assert found.texts()[-3] == "2020-03-31 04:00+02:00" and found.texts()[-1] == "2020-03-31 06:00+02:00"
    assert np.allclose(np.diff(found.values), 3600)
    assert "zones from +01:00 and +02:00: rows are ordered by UTC" in found.clock()
    days = times(pd.date_range("2020-03-27", periods=9, freq="D", tz="Europe/Berlin"))  # one has 23 hours
    assert days.steps(range(9)) == "step 1 day" and days.continued(1).texts()[-1] == "2020-04-05 00:00+02:00"
    assert times(pd.date_range("2020-03-27", periods=9, freq="h", tz="UTC")).texts()[0] == "2020-03-27 00:00Z"


def test_clocks_put_forward_and_back_without_zones_are_noted():
    local = pd.date_range("2020-03-20", periods=5400, freq="h", tz="Europe/Berlin").tz_localize(None)
    said = times(local).clock()
    assert "forward an hour after 2020-03-29 01:00 and back an hour after 2020-10-25 02:00" in said
    assert times(pd.date_range("2020-03-20", periods=5400, freq="h")).clock() == ""
    assert (
        times(pd.date_range("2020-03-20", periods=540, freq="D").delete(9)).clock() == ""
    )  # a missing Sunday


def test_holidays_are_steps_of_two_business_days_and_missing_days_differ():
    weekdays = pd.date_range("2021-01-04", periods=40, freq="B").delete([10])
    assert times(weekdays).steps(range(2, 41)) == (
        "step 1 business day; 1 of 38 steps differ, first in line 12 (2 business days)"
    )
    gaps = pd.date_range("2021-01-04", periods=40, freq="D").delete([10, 11])
    assert times(gaps).steps(range(2, 40)) == "step 1 day; 1 of 37 steps differ, first in line 12 (3 days)"


def test_rows_without_a_usual_step_have_no_known_dates_after_them():
    rng = np.random.default_rng(0)
    odd = times(
        pd.Timestamp("2020-01-01") + pd.to_timedelta(np.cumsum(rng.integers(60, 99999, 30)), unit="s")
    )
    assert not odd.step.regular and np.isnan(odd.continued(3).values[-3:]).all()
    assert odd.continued(3).texts()[-1] == ""


def test_texts_have_the_digits_that_they_need_and_are_read_again():
    for cells in (
        ["2020-01-01", "2020-01-02", "2020-01-03"],
        ["2020-01-01 00:00", "2020-01-01 06:00", "2020-01-01 12:00"],
        ["2020-01-01 00:00:10", "2020-01-01 00:00:20", "2020-01-01 00:00:30"],
        ["2020-01-01 00:00:10.250", "2020-01-01 00:00:10.500", "2020-01-01 00:00:10.750"],
        ["2020-01-01 00:00-05:30", "2020-01-01 06:00-05:30", "2020-01-01 12:00-05:30"],
        ["1066-10-14", "1066-10-15", "1066-10-16"],
    ):
        assert times(cells).texts() == cells
        assert np.allclose(times(times(cells).texts()).values, times(cells).values)


def test_numbers_are_written_as_they_are_and_seconds_since_1970_as_dates():
    years = times_of_numbers("year", np.arange(1990.0, 2000.0))
    assert years.continued(2).texts()[-3:] == ["1999", "2000", "2001"] and not years.dated
    for scale in (1, 1000, 10**6, 10**9):
        stamps = times_of_numbers("t", scale * (1577836800.0 + 3600 * np.arange(30)))
        assert stamps.texts()[0] == "2020-01-01 00:00Z" and stamps.step.words() == "1 hour"
    assert times_of_numbers("t", np.array([20200130.0, 20200131.0])).continued(1).texts()[-1] == "2020-02-01"


@pytest.mark.parametrize(
    ("name", "values", "how"),
    [
        ("x", [20.126, 21.292], ""),
        ("x", [20.126, np.nan, 21.292], ""),
        ("x", [20.126, 21.292, 23.459], RISES),
        ("x", [1, 2, 3], "rises by 1 in every row"),
        ("year", [1999, 2000], "holds time stamps"),
    ],
)
def test_two_numbers_are_no_counter(name, values, how):
    assert rise(name, np.array(values)) == how


def test_calendar_inputs_are_points_on_a_circle():
    dates = pd.date_range("2019-12-30", periods=24 * 400, freq="h")
    found = cycles(times(dates), ("hour", "weekday", "month", "yearday"))
    assert found.shape == (9600, 8) and np.allclose((found.reshape(-1, 4, 2) ** 2).sum(axis=2), 1)
    length = np.where(dates.is_leap_year, 366, 365)
    turns = (dates.hour / 24, dates.day_of_week / 7, (dates.month - 1) / 12, (dates.day_of_year - 1) / length)
    for place, turn in enumerate(turns):
        assert np.allclose(found[:, 2 * place], np.sin(2 * np.pi * np.asarray(turn)))
        assert np.allclose(found[:, 2 * place + 1], np.cos(2 * np.pi * np.asarray(turn)))


def test_the_hour_is_that_of_the_local_clock():
    summer = pd.date_range("2020-07-01", periods=48, freq="h", tz="Asia/Kolkata")
    found = cycles(times(summer), ("hour",))
    assert np.allclose(found[:, 0], np.sin(2 * np.pi * (summer.hour / 24)))


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%y", "%m-%d-%y"])
@pytest.mark.parametrize("frequency", ["MS", "D", "QS", "B", "6h"])
@pytest.mark.parametrize("day", [1, 3, 12])
def test_of_day_and_month_the_order_is_taken_in_which_rows_are_regular(form, frequency, day):
    wanted = pd.date_range("1990-03-01", periods=60, freq=frequency) + pd.Timedelta(days=day - 1)
    cells = wanted.strftime(form + (" %H:%M" if frequency == "6h" else ""))
    assert (pd.to_datetime(times(cells).dates) == wanted).all()
    assert not either_order(cells)


def test_dates_that_may_have_the_day_or_the_month_first_are_noted(tmp_path):
    path = tmp_path / "day.csv"
    hours = [f"03/02/2023 {hour:02d}:00,{hour % 5}.5" for hour in range(24)]
    path.write_text("\n".join(["time,load", *hours]))
    assert "dates have the day first, so '03/02/2023 00:00' is 2023-02-03" in " ".join(
        read_table(path).notes()
    )
    path.write_text("\n".join(["time,load", *(row.replace("03/02", "13/02") for row in hours)]))
    assert "day first" not in " ".join(read_table(path).notes())


def test_a_table_is_reversed_with_its_times():
    there = times(["2020-01-03", "2020-01-02", "2020-01-01"])
    assert there.newest_first and there.reversed().texts() == ["2020-01-01", "2020-01-02", "2020-01-03"]
    assert isinstance(there.reversed(), Times)


def test_a_calendar_needs_dates(tmp_path):
    import evorrn

    path = tmp_path / "my.csv"
    path.write_text("load\n" + "\n".join(map(str, np.sin(np.arange(90.0)).tolist())))
    with pytest.raises(
        DataError, match="calendar: expected a column of dates, got no column of dates; name one"
    ):
        evorrn.task("csv", path=str(path), calendar="hour").data(0)
    with pytest.raises(ConfigError) as error:
        evorrn.task("csv", path=str(path), calendar="hours,weekday,weekday")
    assert "calendar: expected hour, weekday, month, yearday, got 'hours'; did you mean hour?" in str(
        error.value
    )
    assert "got weekday more than once" in str(error.value)
