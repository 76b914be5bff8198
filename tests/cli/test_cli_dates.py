"""Dates on the command line: in predictions and forecasts, in plots and stored runs, and of future inputs."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import num2date

import evorrn
from evorrn.base.errors import EvorrnError, UnknownName

QUICK = ("--strategy", "random", "--hidden", 3, "--budget", "2gen")


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def hourly(tmp_path):
    """Write a table of hourly loads and temperatures, and return its dates."""
    dates = pd.date_range("2021-01-01", periods=200, freq="h")
    load, temp = np.sin(np.arange(200) / 4), np.cos(np.arange(200) / 9)
    frame = pd.DataFrame({"date": dates, "load": load.round(4), "temp": temp.round(4)})
    frame.to_csv(tmp_path / "my.csv", index=False)
    return dates


def trained(console, *words):
    said = console.type("run", "my.csv", *words, *QUICK, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)["folder"]


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_prediction_has_the_date_of_what_it_predicts(console, hourly, horizon):
    folder = trained(console, "--target", "load", "--horizon", horizon)
    found = rows(console.type("predict", folder, "my.csv").out)
    wanted = hourly + pd.Timedelta(hours=horizon)
    assert [row[f"date+{horizon}"] for row in found] == wanted.strftime("%Y-%m-%d %H:%M").tolist()


def test_a_forecast_goes_on_with_the_dates_and_makes_inputs_of_them(console, tmp_path, hourly):
    folder = trained(console, "--target", "load", "--inputs", "", "--calendar", "hour,weekday")
    result = evorrn.load(folder)
    assert result.input_names == ("load", "hour sine", "hour cosine", "weekday sine", "weekday cosine")
    found = rows(console.type("forecast", folder, "--steps", 6).out)
    dates = pd.date_range(hourly[0], periods=206, freq="h")
    assert [row["date"] for row in found] == dates[200:].strftime("%Y-%m-%d %H:%M").tolist()
    turns = 2 * np.pi * np.stack([dates.hour / 24, dates.day_of_week / 7])
    waves = np.stack([np.sin(turns[0]), np.cos(turns[0]), np.sin(turns[1]), np.cos(turns[1])], axis=1)
    load = np.loadtxt(tmp_path / "my.csv", delimiter=",", skiprows=1, usecols=1)
    known = np.hstack([load[:, None], waves[:200]])
    by_hand = result.forecast(known, 6, waves[200:])[:, 0]
    assert np.allclose([float(row["load"]) for row in found], by_hand, rtol=1e-6)


def test_a_horizon_is_forecast_from_the_last_known_rows(console, tmp_path, hourly):
    folder = trained(console, "--target", "load", "--horizon", 5)
    found = rows(console.type("forecast", folder).out)
    assert [row["date"] for row in found] == [f"2021-01-09 {hour:02d}:00" for hour in range(8, 13)]
    table = np.loadtxt(tmp_path / "my.csv", delimiter=",", skiprows=1, usecols=(1, 2))
    outputs = evorrn.load(folder).predict(table)[-5:, 0]
    assert [float(row["load"]) for row in found] == outputs.tolist()


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (
            ["2021-01-09 10:00", "2021-01-09 11:00"],
            "there is a gap; the first row has to be of 2021-01-09 08:00",
        ),
        (
            ["2021-01-09 07:00", "2021-01-09 08:00"],
            "known inputs end at 2021-01-09 07:00: they overlap by 1 row;",
        ),
        (["2020-12-31 23:00", "2021-01-01 00:00"], "they overlap by 2 rows; leave out what is known already"),
        (
            ["2021-01-09 08:00", "2021-01-09 10:00"],
            "row 2: expected 2021-01-09 09:00, a step after the row before",
        ),
    ],
)
def test_future_inputs_that_do_not_follow_the_known_ones_are_refused(console, tmp_path, hourly, dates, said):
    folder = trained(console, "--target", "load")
    good = ["2021-01-09 08:00", "2021-01-09 09:00"]
    for cells, code in ((dates, 2), (good, 0)):
        text = "".join(f"{date},0.5\n" for date in cells)
        (tmp_path / "next.csv").write_text(f"date,temp\n{text}")
        answer = console.type("forecast", folder, "--steps", 2, "--inputs", "next.csv")
        assert answer.code == code, answer.err
        assert code == 0 or said in answer.err
    assert [row["date"] for row in rows(answer.out)] == good
    (tmp_path / "next.csv").write_text("temp\n0.5\n0.5\n")  # without dates they are taken as they come
    assert rows(console.type("forecast", folder, "--steps", 2, "--inputs", "next.csv").out) == rows(
        answer.out
    )


def test_a_run_keeps_the_dates_of_its_test_split_and_draws_them(console, tmp_path, hourly):
    folder = trained(console, "--target", "load,temp", "--horizon", 3)
    result = evorrn.load(folder)
    shown = result.predictions
    assert shown["dates"].shape == shown["scored"].shape
    test = hourly[170:].to_numpy().astype("datetime64[ms]")  # the last 15 % of the rows
    assert np.array_equal(shown["dates"][shown["scored"]], test)
    axes = result.plot("temp")
    drawn = [num2date(value).strftime("%d %H") for value in axes.get_lines()[0].get_xdata(orig=False)]
    assert drawn == hourly[170:].strftime("%d %H").tolist() and axes.get_ylabel() == "temp"
    assert np.array_equal(axes.get_lines()[0].get_ydata(), shown["truth"][shown["scored"]][:, 1])
    with pytest.raises(UnknownName):
        result.plot("wind")
    again = evorrn.load(folder)
    again.save(tmp_path / "copy")
    for name, array in evorrn.load(tmp_path / "copy").predictions.items():
        assert np.array_equal(array, shown[name])


def test_a_result_has_its_training_curve_beside_its_predictions_and_alone_without_test_data():
    batch = evorrn.Batch(np.ones((4, 5, 1)), np.ones((4, 5, 1)))
    network = evorrn.Network(inputs=1, outputs=1, hidden=2)
    result = evorrn.RandomSearch().fit(network, batch, budget="2gen")
    assert result.predictions is None
    losses = result.plot()
    assert len(losses.figure.axes) == 1 and losses.get_ylabel() == "loss"
    assert np.array_equal(losses.get_lines()[0].get_ydata(), result.history["train_loss"])
    with pytest.raises(EvorrnError, match="expected a result with test data"):
        result.plot(axes=losses)
    split = evorrn.RandomSearch().fit(network, (batch, batch, batch), budget="2gen")
    both = split.plot()
    assert len(both.get_lines()) == 2
    assert [axes.get_ylabel() for axes in both.figure.axes] == ["output", "loss"]


def test_a_run_of_before_there_were_dates_is_drawn_over_steps(console, hourly):
    from evorrn.lab.runs.outputs import read_outputs

    folder = trained(console, "--target", "load", "--time", "none")
    assert (
        "dates" not in evorrn.load(folder).predictions and read_outputs(Path(folder)).excerpt_dates() is None
    )
    assert [*rows(console.type("predict", folder, "my.csv").out)[0]] == [
        "step", "load+1", "lower", "upper"
    ]  # fmt: skip
