"""The nonlinear channel: its equations, its noise, and how well its symbols can be told."""

import numpy as np
import pytest

import evorrn
from evorrn.data import metrics
from evorrn_tasks.channel_equalisation import transmit


def test_the_channel_mixes_ten_symbols_and_distorts_the_mixture():
    d = np.random.default_rng(0).choice([-3.0, -1.0, 1.0, 3.0], 40)
    for n in range(7, 38):
        q = 0.08 * d[n + 2] - 0.12 * d[n + 1] + d[n] + 0.18 * d[n - 1] - 0.1 * d[n - 2] + 0.091 * d[n - 3]
        q += -0.05 * d[n - 4] + 0.04 * d[n - 5] + 0.03 * d[n - 6] + 0.01 * d[n - 7]
        assert transmit(d)[n - 7] == pytest.approx(q + 0.036 * q**2 - 0.011 * q**3)


@pytest.mark.parametrize("snr", [0.0, 12.0, 32.0])
def test_targets_are_the_symbols_two_steps_before_and_the_noise_has_its_power(snr):
    task = evorrn.task("channel-equalisation", snr=snr, train=5000, valid=5, test=5, washout=0, windows=1)
    splits = task.data(3)
    received = splits.scaling.restore_inputs(splits.train.inputs)[0, :, 0]
    symbols = splits.scaling.restore_targets(splits.train.targets)[0, :, 0]
    # The target of step n + 2 is d(n); the channel's output of step n needs d(n - 7) to d(n + 2).
    clean = transmit(symbols)  # its entry m has d(n) = symbols[m + 7], whose step is m + 5
    noise = received[5 : 5 + len(clean) - 4] - clean[: len(received) - 9 - 4 + 4][: len(clean) - 4]
    assert np.mean(noise**2) == pytest.approx(np.mean(clean**2) / 10 ** (snr / 10), rel=0.1)
    assert set(np.unique(symbols.round(9))) == {-3.0, -1.0, 1.0, 3.0}


def test_the_symbol_error_rate_counts_outputs_that_are_nearer_to_another_symbol():
    truth = np.array([-3.0, -1.0, 1.0, 3.0, 3.0])[:, None]
    predicted = np.array([-9.0, -1.9, 2.1, 1.9, 2.1])[:, None]
    assert metrics.symbol_error_rate(predicted, truth) == pytest.approx(0.4)
    assert np.isnan(metrics.symbol_error_rate(predicted * np.nan, truth))


def test_a_reservoir_tells_symbols_better_than_a_linear_equaliser():
    task = evorrn.task("channel-equalisation", snr=28.0, train=3000, valid=500, test=3000)
    network = evorrn.Network.for_task(task, **task.recommended("esn").network)
    strategy = evorrn.EchoState(reservoirs=2, **task.recommended("esn").strategy)
    found = strategy.fit(network, task, seed=0).metrics["test"]["symbol_error_rate"]
    splits = task.data(0)
    linear = task.baselines(splits)["linear equaliser"][splits.test.scored]
    beside = metrics.symbol_error_rate(
        splits.scaling.restore_targets(linear),
        splits.scaling.restore_targets(splits.test.targets[splits.test.scored]),
    )
    assert found < 0.5 * beside
