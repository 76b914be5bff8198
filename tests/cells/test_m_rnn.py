"""m-RNN by hand: words, their history and a context that an encoder gives, or none at all."""

import numpy as np
import pytest

from evorrn import Batch, Network
from evorrn.base.errors import ConfigError


def logits(network, blocks, context, symbols):
    """Return the logits (V, O) of a decoder of one layer that sees symbols (V,) beside a context (C,)."""
    r, found = np.zeros(network.decoder.hidden[0]), []
    for symbol in symbols:
        w = blocks["decoder.layer0.W_w"] @ blocks["decoder.embedding.W"][symbol]
        r = np.maximum(blocks["decoder.layer0.U_r"] @ r + w, 0)
        inner = blocks["decoder.layer0.V_w"] @ w + blocks["decoder.layer0.V_r"] @ r
        m = 1.7159 * np.tanh(2 / 3 * (inner + blocks["decoder.layer0.V_I"] @ context))
        found.append(blocks["decoder.readout.W"] @ m + blocks["decoder.readout.b"])
    return np.array(found)


def made(encoder, hidden=4):
    decoder = {"cell": "m-rnn", "hidden": hidden}
    return Network.encoder_decoder(3, 6, encoder, decoder, start=0, stop=1, dtype="float64", embedding=2)


def loss(network, genome, contexts, rows):
    total, count = 0.0, 0
    for context, row in zip(contexts, rows):
        values = logits(network, network.unpack(genome), context, [0, *row])
        logs = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
        total -= logs[np.arange(len(row) + 1), [*row, 1]].sum()
        count += len(row) + 1
    return total / count


def test_captions_of_vectors_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    network = made({"cell": "feed-forward", "hidden": 5, "embedding": 0})
    assert network.blocks["decoder.layer0.V_I"] == (4, 5)
    x, targets, numbers = rng.standard_normal((7, 3)), rng.integers(2, 6, (7, 4)), rng.integers(0, 5, 7)
    batch = Batch(x, targets, target_lengths=numbers)
    genome = network.init(rng=rng)
    blocks = network.unpack(genome)
    contexts = np.tanh(x @ blocks["encoder.layer0.W_x"].T + blocks["encoder.layer0.b"])
    assert network.loss(genome, batch) == pytest.approx(
        loss(network, genome, contexts, batch.rows), rel=1e-12
    )
    found, gradient = network.loss_and_gradient(genome, batch)
    way = rng.standard_normal(network.size)
    ends = [network.loss(genome + sign * 1e-6 * way, batch) for sign in (1, -1)]
    assert gradient @ way == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)
    assert found == pytest.approx(network.loss(genome, batch), rel=1e-12)
    answers = network.decode(genome, x, steps=3)
    for row, context in zip(answers, contexts):
        chosen = []
        while len(chosen) < 3:
            last = logits(network, blocks, context, [0, *chosen])[-1]
            last[0] = -np.inf
            if last.argmax() == 1:
                break
            chosen.append(int(last.argmax()))
        assert row.tolist() == chosen


def test_without_weights_for_the_context_it_is_a_model_of_language():
    rng = np.random.default_rng(1)
    network = made({"cell": "gru", "hidden": 3})
    genome = network.init(rng=rng)
    network.unpack(genome)["decoder.layer0.V_I"][:] = 0
    targets, numbers = rng.integers(2, 6, (2, 4)), [4, 4]
    losses = [
        network.loss(genome, Batch(rng.integers(0, 3, (2, 5)), targets, target_lengths=numbers)) for _ in "ab"
    ]
    assert losses[0] == losses[1]


def test_a_bidirectional_encoder_and_two_layers_give_and_take_a_context():
    rng = np.random.default_rng(2)
    encoder = {"cell": ["lstm", "gru"], "hidden": (4, 3), "bidirectional": True}
    network = made(encoder, (4, 2))
    assert network.blocks["decoder.layer0.V_I"] == (4, 6) and network.blocks["decoder.layer1.V_I"] == (2, 6)
    batch = Batch(rng.integers(0, 3, (5, 4)), rng.integers(2, 6, (5, 3)), target_lengths=[3, 1, 0, 2, 3])
    genome, way = network.init(rng=rng), rng.standard_normal(network.size)
    _, gradient = network.loss_and_gradient(genome, batch)
    ends = [network.loss(genome + sign * 1e-6 * way, batch) for sign in (1, -1)]
    assert gradient @ way == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)
    assert Network.from_settings(network.settings()).blocks == network.blocks


def test_a_context_of_another_size_is_refused_in_a_sentence():
    decoder = {"cell": "m-rnn", "hidden": 4, "cell_options": {"C": 7}}
    with pytest.raises(
        ConfigError, match="the last output of the encoder: expected 7 numbers of context, got 5"
    ):
        Network.encoder_decoder(3, 6, {"hidden": 5}, decoder, start=0, stop=1)
