"""Tasks of time and lag: intervals recounted step by step, waveforms found again by least squares, the Bayes rate by its formula."""

import math

import numpy as np
import pytest
from scipy.optimize import curve_fit

import evorrn
from evorrn.base.errors import ConfigError
from evorrn.training.assessment import score


def test_a_waveform_is_a_sum_of_two_sinusoids_of_the_ranges_named():
    """SciPy finds the six numbers again, from a grid of starts, and the error is that of rounding."""
    for seed in range(3):
        splits = evorrn.task("waveform", continued=100).data(seed)
        train, test = splits.train.targets[0, :, 0], splits.test.targets[0, :, 0]
        t = np.arange(len(test))

        def model(x, a, b, c, d, fast, slow):
            fast, slow = 2 * np.pi * x / fast, 2 * np.pi * x / slow
            return a * np.sin(fast) + b * np.cos(fast) + c * np.sin(slow) + d * np.cos(slow)

        best = (np.inf, None)
        for fast in np.geomspace(8, 36, 12):
            for slow in np.geomspace(36, 160, 8):
                try:
                    found, _ = curve_fit(
                        model, t[:320], train, p0=(0.3, 0.3, 0.3, 0.3, fast, slow), maxfev=400
                    )
                except RuntimeError:
                    continue
                best = min(best, (np.abs(model(t, *found) - test).max(), tuple(found)))
            if best[0] < 1e-6:
                break
        assert best[0] < 1e-6
        middle = math.sqrt(8 * 160)
        assert 8 <= best[1][4] <= middle <= best[1][5] <= 160
        assert np.abs(train).max() == 1 and np.array_equal(train, test[:320])
        assert (splits.test.inputs == 1).all() and splits.test.scored[0].tolist() == [False] * 320 + [
            True
        ] * 100


def test_a_waveform_that_is_not_continued_is_tested_on_the_steps_of_training():
    train, valid, test = evorrn.task("waveform", steps=50).data(4)
    assert np.array_equal(train.targets, test.targets) and np.array_equal(train.targets, valid.targets)
    assert test.scored.all() and test.steps == 50


def test_one_sinusoid_is_exact_for_one_wave_of_whole_cycles_and_not_for_two():
    for waves, continued in ((1, 0), (2, 0), (2, 80)):
        task = evorrn.task("waveform", waves=waves, continued=continued)
        splits = task.data(1)
        values = {
            name: score(outputs, splits.test, ["nmse_std"], None)["nmse_std"]
            for name, outputs in task.baselines(splits).items()
        }
        assert values["one sinusoid"] < (0.02 if waves == 1 else 0.8)
        if not continued:
            assert abs(values["mean"] - 1) < 1e-9
    wave = np.sin(2 * np.pi * np.arange(320) * 4 / 320 + 1)[None, :, None]
    batch = evorrn.Batch(np.ones((1, 320, 1)), wave)
    found = evorrn.task("waveform").baselines(evorrn.Splits(batch, batch, batch))["one sinusoid"]
    assert np.abs(found - wave).max() < 1e-9


@pytest.mark.parametrize(("base", "choices"), [(10, 2), (1, 4), (7, 1 + 1)])
def test_the_label_of_a_spike_is_the_steps_since_the_last_one(base, choices):
    task = evorrn.task("spike-intervals", base=base, choices=choices, longest=6, test_longest=9)
    for batch, lengths in zip(task.data(1), (range(1, 7), range(1, 7), range(7, 10))):
        seen = set()
        for x, y, scored, steps in zip(batch.inputs, batch.targets, batch.scored, batch.lengths):
            since, count = None, 0
            for step in range(steps):
                since = None if since is None else since + 1
                assert scored[step] == (x[step, 0] == 1 and step > 0)
                if x[step, 0] == 1:
                    if step:
                        assert y[step] == since - base
                        seen.add(since - base)
                        count += 1
                    since = 0
            assert x[0, 0] == 1 and x[steps - 1, 0] == 1 and count in lengths
        assert seen == set(range(choices))


@pytest.mark.parametrize(("base", "choices"), [(10, 2), (3, 5), (1, 1)])
def test_spikes_are_asked_for_at_the_interval_that_was_named(base, choices):
    task = evorrn.task("spike-generation", base=base, choices=choices, test_longest=8)
    for batch, lengths in zip(task.data(2), (range(3, 6), range(3, 6), range(6, 9))):
        pauses, intervals = set(), set()
        for x, y, scored, steps in zip(batch.inputs, batch.targets, batch.scored, batch.lengths):
            assert scored[:steps].all() and x.sum() == 1
            asked, choice = (int(place) for place in np.argwhere(x)[0])
            pauses.add(asked)
            intervals.add(choice)
            wanted = [int(s > asked and (s - asked) % (base + choice) == 0) for s in range(steps)]
            assert y[:steps, 0].tolist() == wanted and wanted[-1] == 1 and sum(wanted) in lengths
        assert intervals == set(range(choices)) and max(pauses) <= base
    train_pauses = {int(np.argwhere(x)[0, 0]) for x in task.data(0).train.inputs}
    assert train_pauses == set(range(base + 1))


@pytest.mark.parametrize(
    ("informative", "level", "noise"), [(3, 0.5, 0.45), (1, 0.5, 1.0), (5, 0.2, 0.6), (2, 3.0, 0.1)]
)
def test_the_bayes_rate_of_latching_is_that_of_its_formula(informative, level, noise):
    task = evorrn.task(
        "latching", informative=informative, level=level, noise=noise, test=20000, shortest=6, longest=8
    )
    splits = task.data(0)
    outputs = task.baselines(splits)["Bayes, optimal"]
    found = score(outputs, splits.test, task.metrics, None)
    exact = 0.5 * (1 + math.erf(level * math.sqrt(informative) / noise / math.sqrt(2)))
    assert abs(found["binary_accuracy"] - exact) < 4 * math.sqrt(exact * (1 - exact) / 20000) + 1e-9
    rows = np.arange(40)
    x, y = splits.test.inputs[rows, :, 0], splits.test.targets[rows, splits.test.lengths[rows] - 1, 0]
    for row in rows:
        densities = [
            math.prod(
                math.exp(-((value - sign * level) ** 2) / 2 / noise**2) for value in x[row, :informative]
            )
            for sign in (1, -1)
        ]
        if min(densities) > 0:
            odds = math.log(densities[0] / densities[1])
            assert math.isclose(odds, outputs[row, splits.test.lengths[row] - 1, 0], rel_tol=1e-9)
    assert set(y) == {0.0, 1.0}


def test_the_noise_of_latching_does_not_tell_the_class():
    task = evorrn.task("latching", test=4000, shortest=20, longest=20)
    batch = task.data(0).test
    answers = batch.targets[:, -1, 0]
    noise = batch.inputs[:, 3:, 0]
    assert abs(noise[answers == 1].mean() - noise[answers == 0].mean()) < 0.01
    assert abs(noise.std() - 0.45) < 0.005
    signal = batch.inputs[:, :3, 0].mean(axis=1)
    assert abs(signal[answers == 1].mean() - 0.5) < 0.02 and abs(signal[answers == 0].mean() + 0.5) < 0.02


@pytest.mark.parametrize(("channels", "rate"), [(3, 0.1), (1, 0.5), (5, 0.02)])
def test_a_flip_flop_has_the_sign_of_its_last_pulse(channels, rate):
    task = evorrn.task("flip-flop", channels=channels, rate=rate, shortest=5, longest=20, test_longest=200)
    splits = task.data(3)
    pulses = steps_in_all = 0
    for batch in splits:
        for x, y, steps in zip(batch.inputs, batch.targets, batch.lengths):
            state = [None] * channels
            for step in range(steps):
                for channel in range(channels):
                    if x[step, channel]:
                        assert abs(x[step, channel]) == 1
                        state[channel] = x[step, channel] > 0
                    assert y[step, channel] == state[channel]
            pulses += np.abs(x[1:steps]).sum()
            steps_in_all += (steps - 1) * channels
    assert abs(pulses / steps_in_all - rate) < 5 * math.sqrt(rate / steps_in_all)
    present = task.baselines(splits)["present pulse"]
    found = score(present, splits.test, ["binary_accuracy"], None)["binary_accuracy"]
    assert abs(found - (rate + (1 - rate) / 2)) < 0.04


def test_delayed_recall_asks_for_every_earlier_input():
    task = evorrn.task("delayed-recall", delays=4, steps=12, train=3)
    for batch in task.data(5):
        assert batch.scored[:, 4:].all() and not batch.scored[:, :4].any()
        for x, y in zip(batch.inputs[:, :, 0], batch.targets):
            for step in range(4, 12):
                assert y[step].tolist() == [x[step - k] for k in (1, 2, 3, 4)]
    drawn = evorrn.task("delayed-recall").data(0).train.inputs
    assert drawn.min() < -0.99 and drawn.max() > 0.99 and abs(drawn.mean()) < 0.04


def test_the_memory_capacity_of_a_linear_delay_line_is_its_number_of_units():
    """A reservoir that is a chain of six linear units remembers six inputs exactly, and none of those before."""
    task = evorrn.task("delayed-recall", delays=12, steps=2000, test=5)
    splits = task.data(0)
    outputs = np.zeros((5, 2000, 12))
    outputs[:, :, :6] = np.nan_to_num(splits.test.targets[:, :, :6])
    values = score(outputs, splits.test, task.metrics, None)
    assert abs(values["memory_capacity"] - 6) < 1e-9
    mean = score(task.baselines(splits)["mean"], splits.test, task.metrics, None)
    assert mean["memory_capacity"] == 0 and abs(mean["nrmse_std"] - 1) < 0.01


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("waveform", {"shortest": 50, "longest": 40}, "longest: expected at least shortest, 50, got 40"),
        ("waveform", {"waves": 0}, "waves: expected a value >= 1"),
        ("latching", {"informative": 31}, "informative: expected at most shortest, 30, got 31"),
        ("latching", {"noise": 0}, "noise: expected a value > 0"),
        ("flip-flop", {"rate": 1.5}, "rate: expected a value <= 1"),
        ("delayed-recall", {"steps": 21}, "steps: expected at least delays + 2, 22, got 21"),
        ("spike-intervals", {"choices": 1}, "choices: expected a value >= 2"),
    ],
)
def test_settings_out_of_range_are_refused(name, settings, sentence):
    with pytest.raises(ConfigError) as error:
        evorrn.task(name, **settings)
    assert sentence in str(error.value)
