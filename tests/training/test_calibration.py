"""Errors on validation for prediction intervals come from networks that were chosen without them."""

import numpy as np
import pytest

import evorrn
from evorrn.data.intervals import series_width
from evorrn.training.calibration import Calibration, halves
from evorrn.training.loop import train
from evorrn.training.trainer import Trainer


def batch(targets, mask=None):
    targets = np.asarray(targets, float)[None, :, None]
    return evorrn.Batch(np.zeros(targets.shape), targets, mask=mask)


class Guess:
    """A network whose genome is what it predicts."""

    def loss(self, genome, data):
        return float(np.mean(np.square(data.targets[0, :, 0] - genome)[data.mask[0]]))


def test_halves_follow_each_other_in_time_and_share_no_step():
    mask = np.array([[False, True, True, False, True, True, True]])
    first, second = halves(batch(np.zeros(7), mask))
    assert np.flatnonzero(first[0]).tolist() == [1, 2] and np.flatnonzero(second[0]).tolist() == [4, 5, 6]
    ragged = evorrn.Batch(np.zeros((3, 4, 1)), np.zeros((3, 4, 1)), lengths=np.array([4, 1, 3]))
    first, second = halves(ragged)
    assert first.sum(axis=1).tolist() == [4, 0, 0] and second.sum(axis=1).tolist() == [0, 1, 3]


def test_the_best_of_many_guesses_has_honest_errors_on_the_half_that_did_not_choose_it():
    """Of 300 guesses at noise the best looks better than it is, by much more than its errors on the other half do."""
    rng = np.random.default_rng(0)
    own, other = [], []
    for _ in range(40):
        truth = rng.normal(size=60)
        valid, guesses = batch(truth), rng.normal(scale=0.5, size=(300, 60))
        calibration = Calibration(valid)
        for guess in guesses:
            calibration.see(Guess(), guess, {})
        early, late = calibration.chosen(dict)
        first, _ = halves(valid)
        errors = np.where(first[0], truth - late.genome, truth - early.genome)
        own.append(min(np.mean(np.square(truth - guesses), axis=1)))
        other.append(np.mean(np.square(errors)))
    assert np.mean(own) < 0.9  # the variance of truth and guess together is 1.25
    assert np.mean(other) == pytest.approx(1.25, rel=0.06)


def test_options_of_the_cell_belong_to_the_genome_and_the_same_genome_is_judged_once():
    calls = []

    class Counting(Guess):
        def loss(self, genome, data):
            calls.append(1)
            return super().loss(genome, data)

    calibration = Calibration(batch([1.0, 1.0, 5.0, 5.0]))
    for value in (1.0, 1.0, 5.0):
        calibration.see(Counting(), np.full(4, value), {"leak": value})
    assert len(calls) == 4
    early, late = calibration.chosen(dict)
    assert (early.network, late.network) == ({"leak": 1.0}, {"leak": 5.0})


def test_a_run_that_stops_and_goes_on_has_the_same_residuals():
    task = evorrn.task("sunspots")
    network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    strategy, budget = evorrn.GeneticAlgorithm(population=6, elite=1), evorrn.Budget(generations=6)
    whole = strategy.fit(network, task, seed=3, budget=budget)
    data = task.data(0)
    parts = [evorrn.Problem(network, data.train, data.valid, calibrated=True) for _ in range(2)]
    first = Trainer(strategy, parts[0], seed=3, budget=evorrn.Budget(generations=2))
    train(first)
    second = Trainer(strategy, parts[1], seed=3, budget=budget, state=first.state())
    train(second)
    early, late = second.calibrating()
    valid, scaling = data.valid, data.scaling
    on = [(valid.targets - network.predict(judge.genome, valid.inputs)) for judge in (late, early)]
    wanted = np.where(halves(valid)[0][:, :, None], *on)[valid.scored] * scaling.target_deviation
    assert np.array_equal(wanted, whole.predictions["residuals"])


@pytest.mark.parametrize(("name", "settings"), [("even-pairs", {}), ("mackey-glass", {"horizon": 1})])
def test_classes_and_free_runs_have_no_residuals(name, settings):
    task = evorrn.task(name, **settings)
    network = evorrn.Network.for_task(task, cell="elman", hidden=2)
    free = True if settings else None
    result = evorrn.RandomSearch(count=2).fit(network, task, budget="1gen", free_run=free)
    assert "residuals" not in result.predictions


@pytest.mark.thorough
@pytest.mark.parametrize("horizon", [1, 6])
def test_intervals_of_trained_networks_cover_what_they_are_to_on_stationary_series(tmp_path, horizon):
    """Mean over generated series and two strategies: within two points of 90 %."""
    covered = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        series = np.zeros(2400)
        for step in range(2, len(series)):
            series[step] = 1.2 * series[step - 1] - 0.4 * series[step - 2] + rng.normal()
        path = tmp_path / f"{seed}.csv"
        np.savetxt(path, series[200:], header="load", comments="", fmt="%.2f")
        task = evorrn.task("csv", path=str(path), target="load", horizon=horizon)
        for strategy, cell in ((evorrn.BPTT(), "gru"), (evorrn.GeneticAlgorithm(), "gru")):
            network = evorrn.Network.for_task(task, cell=cell, hidden=6)
            found = strategy.fit(network, task, seed=0, budget="150M").predictions
            errors = np.abs(found["truth"] - found["predicted"])[found["scored"]][:, 0]
            covered.append(np.mean(errors <= series_width(np.abs(found["residuals"][:, 0]), 0.9)))
    assert abs(np.mean(covered) - 0.9) < 0.02
