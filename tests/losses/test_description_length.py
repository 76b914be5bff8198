"""Description length in bits, against counts by hand, differences and the cross-entropy."""

import math

import numpy as np
import pytest

import evorrn
from evorrn import Batch, Network
from evorrn.base.errors import EvorrnError
from evorrn.losses.find import find_loss

LOSS = find_loss("description-length")


def test_a_fair_choice_among_four_labels_costs_two_bits_each():
    losses, _ = LOSS(np.zeros((2, 5, 4)), [np.array([0, 1, 2]), np.array([3] * 5)], np.array([3, 5]))
    assert losses.tolist() == [6.0, 10.0]


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_differences_and_zero_beyond_the_end(seed):
    rng = np.random.default_rng(seed)
    outputs, lengths = 3 * rng.standard_normal((3, 6, 4)), np.array([6, 1, 4])
    labels = [rng.integers(0, 4, steps) for steps in lengths]
    _, gradient = LOSS(outputs, labels, lengths)
    step = 1e-6
    for place in np.ndindex(*outputs.shape):
        shifted = [outputs.copy(), outputs.copy()]
        shifted[0][place] += step
        shifted[1][place] -= step
        up, down = [LOSS.losses(each, labels, lengths).sum() for each in shifted]
        assert gradient[place] == pytest.approx((up - down) / (2 * step), abs=1e-6)
    assert not gradient[1, 1:].any() and not gradient[2, 4:].any()
    large, _ = LOSS(1e4 * outputs, labels, lengths)
    assert np.isfinite(large).all()


def test_a_network_has_the_gradient_of_the_cross_entropy_times_a_number():
    """For sequences of one length T the cross-entropy in nats is the description length times ln 2 / T."""
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((4, 7, 2)), rng.integers(0, 3, (4, 7))
    bits, nats = (
        Network(2, 3, cell="elman", hidden=3, loss=loss, dtype="float64")
        for loss in ("description-length", "cross-entropy")
    )
    genome = bits.init(seed=0)
    loss, gradient = bits.loss_and_gradient(genome, Batch(x, labels, target_lengths=[7] * 4))
    other, slope = nats.loss_and_gradient(genome, Batch(x, labels))
    assert loss * math.log(2) / 7 == pytest.approx(other)
    assert np.allclose(gradient * math.log(2) / 7, slope, atol=1e-10)


def test_a_network_is_trained_and_measured_in_bits_of_whole_sequences():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2, (12, 6, 1)).astype(float)
    lengths = rng.integers(1, 7, 12)
    batch = Batch(x, x[:, :, 0].astype(int), lengths=lengths, target_lengths=lengths)
    net = Network(1, 2, cell="elman", hidden=3, loss="description-length")
    result = evorrn.BPTT(rate=0.1).fit(net, (batch, batch, batch), seed=0, budget="60gen")
    assert result.metrics["test"]["label_error_rate"] == 0
    assert result.metrics["test"]["description-length"] < 0.5 * lengths.mean()


def test_sequences_with_fewer_labels_than_steps_are_refused():
    net = Network(1, 2, cell="elman", hidden=2, loss="description-length")
    batch = Batch(np.zeros((2, 3, 1)), [[0, 1, 1], [0, 0, 0]], target_lengths=[3, 2])
    with pytest.raises(EvorrnError, match="3 in sequence 1, got 2"):
        net.loss_and_gradient(net.init(seed=0), batch)
