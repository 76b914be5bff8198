"""Mackey-Glass, against SciPy's integrator by the method of steps."""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import evorrn
from evorrn.lab.sweep.experiment import find_experiment
from evorrn.training.assessment import score
from evorrn_tasks.mackey_glass import integrate


def by_scipy(count, tau, start):
    """Solve one interval of a delay at a time, with the interval before as a known function."""
    known = [lambda t: np.full(np.shape(t), start)]
    bounds = [(-tau, 0.0)]
    value = start
    while bounds[-1][1] < count:
        begin = bounds[-1][1]
        past = known[-1]

        def slope(t, x, past=past):
            delayed = past(t - tau)
            return 0.2 * delayed / (1 + delayed**10) - 0.1 * x

        solved = solve_ivp(
            slope, (begin, begin + tau), [value], method="DOP853", rtol=1e-11, atol=1e-12, dense_output=True
        )
        value = solved.y[0, -1]
        known.append(lambda t, solved=solved: solved.sol(t)[0])
        bounds.append((begin, begin + tau))
    times = np.arange(count)
    values = np.full(count, start)
    for (begin, end), function in zip(bounds[1:], known[1:]):
        inside = (times > begin) & (times <= end)
        values[inside] = function(times[inside])
    return values


@pytest.mark.parametrize(
    ("tau", "start", "error"), [(17.0, 1.2, 1e-8), (30.0, 0.6, 1e-8), (5.0, 1.4, 1e-8), (23.456, 0.9, 5e-5)]
)
def test_solution_agrees_with_scipy(tau, start, error):
    ours = integrate(250, tau=tau, start=start)
    assert ours.shape == (250,)
    assert np.abs(ours - by_scipy(250, tau, start)).max() < error


def test_error_falls_as_the_fourth_power_of_the_step():
    exact = by_scipy(250, 17.0, 0.7)
    errors = [np.abs(integrate(250, tau=17.0, start=0.7, substeps=n) - exact).max() for n in (2, 4, 8)]
    assert errors[0] > 12 * errors[1] > 12 * 12 * errors[2]


def test_record_holds_the_splits_in_order():
    task = evorrn.task("mackey-glass", train=100, valid=30, test=40, washout=20, horizon=6, windows=4)
    splits = task.data(5)
    scaling = splits.scaling
    truth = {
        name: scaling.restore_targets(batch.targets)[:, :, 0][batch.scored]
        for name, batch in (("train", splits.train), ("valid", splits.valid), ("test", splits.test))
    }
    assert [len(values) for values in truth.values()] == [100, 30, 40]
    series = np.concatenate(list(truth.values()))
    first = scaling.restore_inputs(splits.train.inputs)[0, :, 0]
    whole = np.concatenate([first[:26], series])
    assert np.allclose(scaling.restore_inputs(splits.test.inputs)[0, :, 0], whole[130 : 130 + 60])
    assert splits.train.inputs.shape == (4, 45, 1)
    training_rows = whole[:126]
    assert np.allclose(scaling.input_mean, training_rows.mean())
    assert np.allclose(scaling.target_deviation, training_rows.std())


def test_windows_of_unequal_length_score_every_training_step_once():
    splits = evorrn.task("mackey-glass", train=100, valid=5, test=5, washout=8, windows=7).data(0)
    assert splits.train.scored.sum() == 100
    assert set(splits.train.lengths.tolist()) == {22, 23}
    assert not splits.train.scored[:, :8].any()
    one = evorrn.task("mackey-glass", train=100, valid=5, test=5, washout=8, windows=1).data(0)
    assert np.array_equal(splits.train.targets[splits.train.scored], one.train.targets[one.train.scored])


def test_series_stays_on_the_attractor():
    series = integrate(3000, tau=17.0, start=1.1)[1000:]
    assert 0.2 < series.min() < 0.5 and 1.2 < series.max() < 1.4
    assert 0.21 < series.std() < 0.24


def test_default_horizon_leaves_room_above_the_linear_baseline():
    task = evorrn.task("mackey-glass")
    splits = task.data(0)
    values = {
        name: score(outputs, splits.test, task.metrics, splits.scaling)["nrmse_std"]
        for name, outputs in task.baselines(splits).items()
    }
    assert abs(values["mean"] - 1) < 0.05
    assert values["persistence"] > 1
    assert 0.3 < values["linear autoregression"] < 0.6


# ------------------------------------------------------------------------------------- continuations


def continued(**settings):
    given = {
        "horizon": 1,
        "continuations": 3,
        "washout": 40,
        "train": 100,
        "valid": 100,
        "windows": 2,
        **settings,
    }
    return evorrn.task("mackey-glass", **given)


def test_continuations_are_other_solutions_whose_last_scored_value_lies_84_steps_ahead():
    task = continued(squash=True)
    splits = task.data(4)
    test, scaling = splits.test, splits.scaling
    assert test.inputs.shape == (3, 123, 1) and splits.valid.size == 2 and splits.train.size == 2
    assert test.scored.tolist() == [[False] * 40 + [True] * 83] * 3
    assert splits.train.scored.sum() == 100
    # The values themselves: every sequence solves the equation from a constant past of its own.
    values = scaling.restore_inputs(test.inputs)[:, :, 0]
    ends = scaling.restore_targets(test.targets)[:, -1, 0]
    raw = np.arctanh(values) + 1
    assert raw.min() > 0.2 and raw.max() < 1.4 and len({tuple(row) for row in values.round(6)}) == 3
    # 40 known values, 0 to 39; the last target is value 39 + 84.
    last_known = 39
    again = np.stack([scaling.restore_targets(test.targets)[:, t, 0] for t in range(123)], axis=1)
    np.testing.assert_array_equal(again[:, last_known + 83], ends)
    np.testing.assert_allclose(values[:, 1:], again[:, :-1], rtol=1e-12)
    assert task.metrics[0] == "nrmse84" and task.free_run


def test_nrmse84_is_the_error_at_the_ends_over_the_deviation_of_all():
    splits = continued().data(0)
    outputs = splits.test.targets + 0.5 * (np.arange(123) == 122)[None, :, None]
    values = score(outputs, splits.test, ("nrmse84", "nrmse_std"), splits.scaling)
    scored = splits.test.targets[splits.test.scored]
    assert values["nrmse84"] == pytest.approx(0.5 / scored.std())
    assert values["nrmse_std"] == pytest.approx(0.5 / scored.std() / np.sqrt(83))
    result = evorrn.GeneticAlgorithm(population=4).fit(
        evorrn.Network.for_task(continued(), hidden=2), continued(), budget="1gen"
    )
    assert "nrmse84" in result.metrics["test"] and "nrmse84" not in result.metrics["train"]


def test_settings_of_continuations_are_checked_and_leave_the_series_as_it_was():
    with pytest.raises(evorrn.EvorrnError, match="horizon: expected 1 with continuations"):
        evorrn.task("mackey-glass", continuations=5)
    with pytest.raises(evorrn.EvorrnError, match="washout"):
        continued(washout=0)
    plain = evorrn.task("mackey-glass")
    assert plain.metrics == ("nrmse_std", "rmse", "nrmse_range") and not plain.free_run
    assert not {"squash", "continuations"} & set(plain.stored_values())


def best_of_four():
    """Return the row of Jaeger's settings in which the best of four networks on validation is kept."""
    return find_experiment("mackey-glass").cases[1]


@pytest.mark.thorough
def test_reservoirs_continue_mackey_glass_for_84_steps():
    """Jaeger's settings with 300 units and 2,000 training steps; a linear model of the past errs by 0.55."""
    spec = best_of_four().specs(1)[0]
    task = dataclasses.replace(spec.task, train=2000, washout=300, continuations=20)
    network = evorrn.Network.for_task(task, **{**spec.content["network"], "hidden": 300})
    strategy = dataclasses.replace(spec.strategy, washout=300)
    found = strategy.fit(network, task, seed=0, budget="4gen").metrics["test"]["nrmse84"]
    assert found < 2e-3


@pytest.mark.thorough
def test_a_reservoir_of_400_units_continues_mackey_glass_as_published():
    """Jaeger 2001: 2.8e-4 over 50 continuations; with a readout solved from the Gram matrix it was 8.3e-4."""
    found = [
        spec.strategy.fit(spec.network, spec.task, seed=spec.seed, budget=spec.budget).metrics["test"][
            "nrmse84"
        ]
        for spec in find_experiment("mackey-glass").cases[0].specs(10)
    ]
    assert np.median(found) <= 3e-4
