"""Losses on whole sequences: training under them, their metrics, and a loss of one's own."""

import numpy as np
import pytest

from evorrn import (
    BPTT,
    CMAES,
    Batch,
    Budget,
    EchoState,
    Evolino,
    EvolvedReservoir,
    GeneticAlgorithm,
    Network,
    load,
)
from evorrn.base.errors import ConfigError, ShapeError
from evorrn.diagnostics import gradient_by_lag
from evorrn.losses import SequenceLoss, find


def symbols(rng, size):
    """Return sequences in which each label is a pulse of two steps on its own input, at times that are not told."""
    inputs, targets = rng.normal(0, 0.1, (size, 14, 3)), rng.integers(1, 4, (size, 3))
    numbers, lengths = rng.integers(1, 4, size), rng.integers(10, 15, size)
    for row in range(size):
        starts = np.sort(rng.choice([0, 3, 6], numbers[row], replace=False))
        for start, label in zip(starts, targets[row]):
            inputs[row, start : start + 2, label - 1] += 1
    return Batch(inputs, targets, lengths=lengths, target_lengths=numbers)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return [symbols(rng, 48), symbols(rng, 24), symbols(rng, 24)]


def test_bptt_learns_labels_without_their_times(data, tmp_path):
    network = Network(3, 4, cell="gru", hidden=8, loss="ctc")
    result = BPTT(rate=0.03).fit(network, data, seed=0, budget="15gen")
    test = result.metrics["test"]
    assert list(test) == ["label_error_rate", "edit_distance", "exact_match", "ctc"]
    assert test["label_error_rate"] < 0.05 and test["exact_match"] > 0.9
    shown = result.predictions
    for row, count in enumerate(shown["token_lengths"]):
        assert (shown["tokens"][row, count:] == 0).all()
    right = [
        np.array_equal(tokens[:count], truth[:number])
        for tokens, count, truth, number in zip(
            shown["tokens"], shown["token_lengths"], shown["truth"], shown["target_lengths"]
        )
    ]
    assert np.mean(right) == test["exact_match"]
    result.save(tmp_path / "saved")
    again = load(tmp_path / "saved")
    outputs = network.predict(result.genome, data[2].inputs, lengths=data[2].lengths)
    assert np.array_equal(
        again.network.predict(again.genome, data[2].inputs, lengths=data[2].lengths), outputs
    )


@pytest.mark.parametrize("strategy", [GeneticAlgorithm(population=16), CMAES(population=16)])
def test_evolution_lowers_the_loss(data, strategy):
    network = Network(3, 4, cell="elman", hidden=4, loss="ctc")
    history = strategy.fit(network, data, seed=0, budget="8gen").history["train_loss"]
    assert np.isfinite(history).all() and history[-1] < history[0]


def test_training_ends_when_a_share_of_sequences_is_learned(data):
    network = Network(3, 4, cell="gru", hidden=8, loss="ctc")
    result = BPTT(rate=0.03).fit(network, data, seed=0, budget=Budget(generations=40, learned=0.9))
    assert result.stopped_by == "learned" and result.metrics["train"]["exact_match"] >= 0.9


@pytest.mark.parametrize("strategy", [EchoState(), EvolvedReservoir(), Evolino()])
def test_a_solved_readout_has_no_targets_to_be_fitted_to(data, strategy):
    network = Network(3, 4, cell="lstm" if strategy.name == "evolino" else "leaky", hidden=4, loss="ctc")
    with pytest.raises(ConfigError, match=f"strategy {strategy.name}: .* ctc has labels of whole sequences"):
        strategy.fit(network, data, budget="1gen")


def test_what_needs_a_loss_at_each_time_step_says_so(data):
    network = Network(3, 4, hidden=2, loss="ctc")
    with pytest.raises(ConfigError, match="ctc is a loss on whole sequences, leave out window"):
        BPTT(window=4).fit(network, data, budget="1gen")
    with pytest.raises(ConfigError, match="loss ctc: a gradient by lag"):
        gradient_by_lag(network, network.init(seed=0), data[0])


class Counted(SequenceLoss):
    """The squared difference between the sum of the first output and the number of labels."""

    name = "counted"

    def __call__(self, outputs, targets, lengths):
        inside = np.arange(outputs.shape[1]) < lengths[:, None]
        error = (outputs[:, :, 0] * inside).sum(axis=1) - [len(row) for row in targets]
        gradient = np.zeros_like(outputs)
        gradient[:, :, 0] = 2 * error[:, None] * inside
        return error**2, gradient


@pytest.fixture
def counted(monkeypatch):
    known = {**find.losses(), "counted": Counted()}
    for place in ("evorrn.losses.find", "evorrn.network.settings"):
        monkeypatch.setattr(f"{place}.losses", lambda: known)


def test_a_loss_of_ones_own_needs_one_function(counted, data):
    """Without metrics and decoding, runs are ranked by the loss itself."""
    network = Network(3, 2 + 2, cell="elman", hidden=4, loss="counted", dtype="float64")
    genome, batch = network.init(seed=0), data[0]
    loss, gradient = network.loss_and_gradient(genome, batch)
    way = np.random.default_rng(1).normal(size=network.size)
    change = network.loss(genome + 1e-6 * way, batch) - network.loss(genome - 1e-6 * way, batch)
    assert gradient @ way == pytest.approx(change / 2e-6, rel=1e-6)
    result = BPTT().fit(network, data, seed=0, budget="5gen")
    assert list(result.metrics["test"]) == ["counted"] and result.metrics["test"]["counted"] < loss
    assert "tokens" not in result.predictions


def test_a_loss_that_returns_another_shape_is_named(counted, data, monkeypatch):
    monkeypatch.setattr(Counted, "__call__", lambda self, outputs, targets, lengths: (np.zeros(2), outputs))
    network = Network(3, 4, hidden=2, loss="counted")
    with pytest.raises(ShapeError, match=r"loss counted: expected losses of shape \(48,\), got \(2,\)"):
        network.loss_and_gradient(network.init(seed=0), data[0])
