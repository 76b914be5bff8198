"""Chaotic systems against SciPy's integrator and their known exponents, and the valid time of free runs."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.data import metrics
from evorrn.lab.runs.assessments import longest_valid_time
from evorrn.lab.runs.spec import resolve
from evorrn.training.assessment import score
from evorrn_tasks.common.flows import LORENZ, LORENZ_96, ROESSLER, henon, integrate

CHAOTIC = ("lorenz", "lorenz-96", "roessler", "henon")


def lorenz(t, v):
    x, y, z = v
    return [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]


def roessler(t, v):
    x, y, z = v
    return [-y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)]


def ring(t, v):
    return (np.roll(v, -1) - np.roll(v, 2)) * np.roll(v, 1) - v + 8.0


SYSTEMS = [
    (LORENZ, lorenz, [1.0, -5.0, 20.0], 0.025, 60),
    (ROESSLER, roessler, [1.0, -3.0, 0.5], 0.2, 100),
    (LORENZ_96, ring, 8 + np.sin(np.arange(40.0)), 0.05, 24),
    (LORENZ_96, ring, 8 + np.cos(np.arange(5.0)), 0.01, 40),
]


@pytest.mark.parametrize(("system", "slope", "start", "step", "count"), SYSTEMS)
def test_solutions_agree_with_scipy(system, slope, start, step, count):
    times = step * np.arange(count)
    exact = solve_ivp(slope, (0, times[-1]), start, "DOP853", times, rtol=1e-12, atol=1e-12).y.T
    ours = integrate(system, start, count, step, forcing=8.0)
    np.testing.assert_allclose(ours, exact, atol=3e-5 * np.abs(exact).max())


@pytest.mark.parametrize(("system", "slope", "start", "step", "count"), SYSTEMS[:3])
def test_the_error_falls_as_the_fourth_power_of_the_step(system, slope, start, step, count):
    last = (count // 2 - 1) * step
    exact = solve_ivp(slope, (0, last), start, "DOP853", [last], rtol=1e-13, atol=1e-13).y[:, 0]
    errors = [
        np.abs(integrate(system, start, count // 2, step, forcing=8.0, substeps=n)[-1] - exact).max()
        for n in (4, 8, 16)
    ]
    assert errors[0] > 11 * errors[1] > 11 * 11 * errors[2]


def exponent(advance, start, stretches):
    """Return the mean logarithm of the growth of a small difference per call of `advance`, by Benettin's method."""
    here, there, grown = start, start + 1e-7 / np.sqrt(len(start)), 0.0
    for _ in range(stretches):
        here, there = advance(here), advance(there)
        distance = np.linalg.norm(there - here)
        grown += np.log(distance / 1e-7)
        there = here + (there - here) * 1e-7 / distance
    return grown / stretches


@pytest.mark.parametrize(
    ("name", "settings", "advance", "stretches", "tolerance"),
    [
        ("lorenz", {}, lambda v: integrate(LORENZ, v, 21, 0.025)[-1], 3000, 0.02),
        ("roessler", {}, lambda v: integrate(ROESSLER, v, 21, 0.2)[-1], 3000, 0.05),
        ("lorenz-96", {}, lambda v: integrate(LORENZ_96, v, 21, 0.05, forcing=8.0)[-1], 600, 0.05),
        (
            "lorenz-96",
            {"forcing": 10.0},
            lambda v: integrate(LORENZ_96, v, 21, 0.05, forcing=10.0)[-1],
            600,
            0.05,
        ),
        ("henon", {}, lambda v: henon(v, 21)[-1], 1000, 0.02),
    ],
)
def test_the_lyapunov_time_of_a_step_is_that_of_a_measured_exponent(
    name, settings, advance, stretches, tolerance
):
    task = evorrn.task(name, **settings)
    start = task.solution(1, np.random.default_rng(0))[0]
    assert exponent(advance, start, stretches) / 20 == pytest.approx(task.step_time, rel=tolerance)


def test_points_of_the_henon_map_satisfy_its_equations():
    rows = henon(np.array([0.05, -0.02]), 50)
    np.testing.assert_allclose(rows[1:, 0], 1 - 1.4 * rows[:-1, 0] ** 2 + rows[:-1, 1], rtol=1e-14)
    np.testing.assert_array_equal(rows[1:, 1], 0.3 * rows[:-1, 0])


@pytest.mark.parametrize("name", CHAOTIC)
def test_free_runs_follow_the_known_rows_of_other_solutions(name):
    task = evorrn.task(name, train=80, valid=30, continuations=3, ahead=20, washout=10)
    train, valid, test = task.data(4)
    assert task.free_run and train.inputs.shape == (1, 90, task.inputs) and valid.size == 2
    assert test.inputs.shape == (3, 30, task.inputs)
    assert not test.scored[:, :10].any() and test.scored[:, 10:].all()
    np.testing.assert_array_equal(test.inputs[:, 1:], test.targets[:, :-1])
    starts = np.concatenate([batch.inputs[:, 0] for batch in (train, valid, test)])
    assert len(np.unique(starts, axis=0)) == 6


def test_a_seen_variable_is_one_of_the_whole_system():
    whole = evorrn.task("lorenz", continuations=0, train=60, valid=20, test=20).data(1)
    part = evorrn.task("lorenz", continuations=0, train=60, valid=20, test=20, observed=1).data(1)
    np.testing.assert_allclose(part.test.inputs, whole.test.inputs[:, :, :1], rtol=1e-10)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"observed": 4}, "observed: expected at most 3 variables, got 4"),
        ({"horizon": 2}, "horizon: expected 1 with continuations"),
        ({"washout": 0}, "washout: expected at least one known step"),
        ({"continuations": 0, "horizon": 80, "train": 50}, "horizon: expected at most the training steps"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        evorrn.task("lorenz", **settings)


# ---------------------------------------------------------------------------------------- valid time


def test_the_valid_time_is_the_mean_of_the_steps_before_the_error_exceeds_half_a_deviation():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(30, 2)) * [1.0, 100.0]
    wrong = truth + 0.4 * truth.std(axis=0)
    wrong[7] = truth[7] + [0.0, 72.0]  # 0.72 / sqrt(2) of a deviation of 100 or so
    wrong[25] += 1e3
    ends = np.array([9, 19, 29])
    assert np.sqrt(0.5) * 72 / truth[:, 1].std() > 0.5
    assert metrics.valid_time(wrong, truth, ends) == pytest.approx((7 + 10 + 5) / 3)
    assert metrics.evaluate(["valid_time"], wrong, truth, ends, 0.1)["valid_time"] == pytest.approx(22 / 30)
    assert metrics.valid_time(truth, truth, ends) == 10


def test_the_largest_valid_time_is_that_of_the_truth_itself():
    settings = {"name": "henon", "train": 60, "valid": 20, "continuations": 3, "ahead": 11}
    spec = resolve({"task": settings, "strategy": {"name": "random"}, "budget": "1gen"})
    batch = spec.task.data(0).test
    perfect = score(batch.targets, batch, ["valid_time"], None, (), spec.task.step_time)["valid_time"]
    assert longest_valid_time(spec) == perfect == 11 * spec.task.step_time


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_free_run_that_diverges_is_valid_until_then(bad):
    truth = np.arange(12.0)[:, None]
    predicted = truth.copy()
    predicted[8:] = bad
    assert metrics.evaluate(["valid_time"], predicted, truth, np.array([5, 11]))["valid_time"] == 4


def test_sequences_of_different_lengths_count_with_their_own_steps():
    truth = np.arange(9.0)[:, None]
    predicted = truth.copy()
    predicted[3] += 50
    assert metrics.valid_time(predicted, truth, np.array([0, 2, 8])) == pytest.approx((1 + 2 + 0) / 3)
    assert np.isnan(metrics.valid_time(predicted, np.ones((9, 1)), np.array([8])))


def test_a_reservoir_forecasts_lorenz_beyond_its_baselines_and_says_it_in_lyapunov_times():
    task = evorrn.task("lorenz", train=600, valid=600, continuations=4, ahead=600)
    network = evorrn.Network.for_task(task, cell="leaky", hidden=60, direct=True, dtype="float64")
    strategy = evorrn.EchoState(spectral_radius=0.4, leak=1.0, input_scaling=0.15, bias_scaling=0.3)
    result = strategy.fit(network, task, seed=0, budget="1gen")
    found = result.metrics["test"]["valid_time"]
    splits = task.data(0)
    by_baselines = [
        score(outputs, splits.test, ["valid_time"], splits.scaling, (), task.step_time)["valid_time"]
        for outputs in task.baselines(splits).values()
    ]
    assert found > 1.0 > max(by_baselines)
    outputs = result.network.predict(result.genome, splits.test.inputs, free_from=np.full(4, 100))
    error = (outputs - splits.test.targets)[:, 100:]
    deviation = splits.test.targets[:, 100:].reshape(-1, 3).std(axis=0)
    wrong = np.sqrt(np.mean((error / deviation) ** 2, axis=2)) > 0.5
    steps = [row.argmax() if row.any() else 600 for row in wrong]
    assert found == pytest.approx(np.mean(steps) * 0.025 * 0.9056)
    assert "valid_time" not in result.metrics["train"]
