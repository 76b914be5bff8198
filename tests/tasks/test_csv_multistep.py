"""Forecasts of several rows ahead: direct, recursive, or with an output for each row."""

import numpy as np
import pytest

from evorrn.base.errors import DataError
from evorrn.data.find import task as make_task
from evorrn.network.network import Network
from evorrn.training.assess import assess

ROWS, AHEAD = 120, 4


@pytest.fixture
def table(tmp_path):
    """A table of two columns with dates, and the path to it."""
    rng, t = np.random.default_rng(3), np.arange(ROWS)
    values = np.stack([np.sin(0.4 * t), np.cos(0.7 * t)], axis=1) + 0.1 * rng.normal(size=(ROWS, 2))
    days = np.datetime64("2024-01-01") + t
    lines = [f"{day},{a:.6f},{b:.6f}" for day, (a, b) in zip(days, values)]
    path = tmp_path / "my.csv"
    path.write_text("\n".join(["date,a,b", *lines]) + "\n")
    return path


def made(table, multistep, **settings):
    return make_task("csv", path=str(table), multistep=multistep, horizon=AHEAD, washout=5, **settings)


def fitted(task):
    network = Network.for_task(task, cell="gru", hidden=3, dtype="float64")
    return network, network.init(seed=1)


@pytest.mark.parametrize("target", ["a", "b,a"])
@pytest.mark.parametrize("multistep", ["recursive", "multi-output"])
def test_the_steps_that_are_judged_and_their_truth_are_those_of_a_direct_forecast(table, target, multistep):
    direct = assess(made(table, "direct", target=target, inputs=""), 0)
    other = assess(made(table, multistep, target=target, inputs=""), 0)
    wanted = direct.predictions(*fitted(direct.task))
    found = other.predictions(*fitted(made(table, multistep, target=target, inputs="")))
    for name in ("truth", "scored", "dates"):
        assert np.array_equal(wanted[name], found[name])
    assert found["residuals"].shape == wanted["residuals"].shape
    assert other.baselines("rmse") == direct.baselines("rmse")
    assert other.comparators("rmse", ()) == direct.comparators("rmse", ())


@pytest.mark.parametrize("target", ["a", "b,a"])
def test_a_recursive_forecast_feeds_outputs_back_and_sees_nothing_later(table, target):
    """A plain loop: the known rows first, then each output as the next input, at every scored test step."""
    task = made(table, "recursive", target=target, inputs="")
    network, genome = fitted(task)
    assessment = assess(task, 0)
    found = assessment.outputs(network, genome, "test")
    inputs, scored = assessment.trained_on.test.inputs, assessment.splits.test.scored[0]
    for step in np.flatnonzero(scored):
        known = inputs[:1, : step + 1]
        for _ in range(AHEAD):
            output = network.predict(genome, known)[:, -1:]
            known = np.concatenate([known, output], axis=1)
        assert np.allclose(found[0, step], output[0, 0], rtol=1e-6, atol=1e-9)
    assert np.isnan(found[0, ~scored]).all()


def test_inputs_made_of_dates_are_known_ahead_and_go_into_a_recursive_forecast(table):
    task = made(table, "recursive", target="a", inputs="", calendar="weekday")
    network, genome = fitted(task)
    assessment = assess(task, 0)
    found = assessment.outputs(network, genome, "test")
    inputs = assessment.trained_on.test.inputs
    step = int(
        np.flatnonzero(assessment.splits.test.scored[0])[-1]
    )  # the last rows ahead are not in the direct inputs
    known = inputs[:1, : step + 1]
    for ahead in range(1, AHEAD + 1):
        output = network.predict(genome, known)[:, -1:]
        if ahead < AHEAD:
            later = np.concatenate([output, inputs[:1, step + ahead : step + ahead + 1, 1:]], axis=2)
            known = np.concatenate([known, later], axis=1)
    assert np.allclose(found[0, step], output[0, 0], rtol=1e-6)


def test_a_network_with_an_output_for_each_row_is_trained_on_all_and_judged_on_the_last(table):
    task = made(table, "multi-output", target="a,b", inputs="")
    splits, direct = task.data(0), made(table, "direct", target="a,b", inputs="").data(0)
    assert task.outputs == 2 * AHEAD and task.output_names[:3] == ("a, 1 ahead", "b, 1 ahead", "a, 2 ahead")
    for own, judged in zip(splits, direct):
        assert np.array_equal(own.inputs, judged.inputs) and np.array_equal(own.scored, judged.scored)
        assert np.array_equal(own.targets[:, :, -2:], judged.targets)
        inside = own.scored[:, :-1] & own.scored[:, 1:]
        assert np.allclose(own.targets[:, :-1, 2:4][inside], own.targets[:, 1:, :2][inside])
    network, genome = fitted(task)
    outputs = assess(task, 0).outputs(network, genome, "test")
    assert np.array_equal(outputs, network.predict(genome, splits.test.inputs)[:, :, -2:])


def test_no_row_of_validation_or_test_is_in_the_training_data(table):
    for multistep in ("recursive", "multi-output"):
        before = made(table, multistep, target="a", inputs="").data(0).train
        lines = table.read_text().splitlines()
        end = 1 + int(0.7 * ROWS)
        table.write_text(
            "\n".join([*lines[:end], *(line.split(",")[0] + ",9e5,-9e5" for line in lines[end:])])
        )
        after = made(table, multistep, target="a", inputs="").data(0).train
        assert np.array_equal(before.inputs, after.inputs) and np.array_equal(before.targets, after.targets)
        table.write_text("\n".join(lines))


def test_other_inputs_whose_later_values_nobody_knows_are_refused_for_recursive_forecasts(table):
    with pytest.raises(
        DataError, match=r"recursive forecasts need the later values .* those of b are not known"
    ):
        made(table, "recursive", target="a").data(0)


def test_a_direct_forecast_has_the_id_that_it_had_before_there_were_others(table):
    assert "multistep" not in made(table, "direct").stored_values()
    assert made(table, "recursive").stored_values()["multistep"] == "recursive"
