"""Encoder-decoders against a plain NumPy loop: loss, gradient, answers and the search for the most probable one."""

import naive_encoder_decoder as naive
import numpy as np
import pytest

from evorrn import Batch, Network
from evorrn.base.errors import ConfigError, DataError, ShapeError

PLAIN = {"cell": "gru", "hidden": 5}
FORMS = {
    "one layer each": (PLAIN, PLAIN, 3),
    "two layers of lstm, of which the decoder continues the last": (
        {"cell": "lstm", "hidden": (3, 4)},
        {"cell": "lstm", "hidden": 4},
        0,
    ),
    "a bidirectional encoder hands over twice its units": (
        {"cell": "lstm", "hidden": 3, "bidirectional": True},
        {"cell": "lstm", "hidden": 6},
        4,
    ),
    "a bidirectional encoder of vectors with a one": (
        {"cell": "gru", "hidden": 2, "bidirectional": True},
        {"cell": "gru", "hidden": 4},
        0,
    ),
    "a decoder that needs a part of the states": (
        {"cell": "lstm", "hidden": 4},
        {"cell": "elman", "hidden": 4},
        2,
    ),
    "an embedding of the decoder alone": (
        {**PLAIN, "embedding": 0},
        {**PLAIN, "biases": False, "reads": "all"},
        3,
    ),
    "two layers of two cells each": (
        {"cell": ["elman", "gru"], "hidden": (4, 5)},
        {"cell": ["elman", "gru"], "hidden": (4, 5), "reads": "all"},
        2,
    ),
}


def made(form, inputs=4, outputs=5, dtype="float64"):
    encoder, decoder, embedding = FORMS[form]
    marks = {"start": 2, "stop": 4} if outputs == 5 else {"start": 0, "stop": 1}
    return Network.encoder_decoder(inputs, outputs, encoder, decoder, embedding, **marks, dtype=dtype)


def sequences(network, rng, count, steps, longest, kind="symbols"):
    """Return a batch, the inputs of each sequence up to its length, and its targets."""
    free = [symbol for symbol in range(network.outputs) if symbol not in (network.start, network.stop)]
    lengths, numbers = rng.integers(1, steps + 1, count), rng.integers(0, longest + 1, count)
    x = rng.integers(0, network.inputs, (count, steps))
    if kind == "vectors":
        x = rng.standard_normal((count, steps, network.inputs))
    targets = rng.choice(free, (count, longest))
    batch = Batch(x, targets, lengths=lengths, target_lengths=numbers)
    return batch, [row[:end] for row, end in zip(x, lengths)], list(batch.rows)


@pytest.mark.parametrize("kind", ["symbols", "vectors"])
@pytest.mark.parametrize("form", FORMS)
def test_losses_of_ragged_sequences_are_those_of_a_loop(form, kind):
    rng = np.random.default_rng(len(form))
    network = made(form)
    for count, steps, longest in ((1, 1, 0), (3, 1, 4), (11, 6, 5)):
        batch, inputs, rows = sequences(network, rng, count, steps, longest, kind)
        genomes = network.init_many(rng, 3)
        genomes += 0.3 * rng.standard_normal(genomes.shape)
        true = np.array([naive.losses(network, genome, inputs, rows) for genome in genomes])
        symbols = np.array([len(row) + 1 for row in rows])
        np.testing.assert_allclose(
            network.sequence_losses(genomes, batch), true / symbols, rtol=1e-12, atol=1e-12
        )
        means = true.sum(axis=1) / symbols.sum()
        np.testing.assert_allclose(-network.fitness(genomes, batch), means, rtol=1e-12)
        assert network.loss(genomes[1], batch) == -network.fitness(genomes, batch)[1]
        loss, _ = network.loss_and_gradient(genomes[1], batch)
        assert loss == pytest.approx(means[1], rel=1e-12)


@pytest.mark.parametrize("kind", ["symbols", "vectors"])
@pytest.mark.parametrize("form", FORMS)
def test_the_gradient_is_that_of_finite_differences(form, kind):
    rng = np.random.default_rng(3)
    network = made(form)
    batch, inputs, rows = sequences(network, rng, 4, 4, 3, kind)
    genome = network.init(rng=rng)
    _, gradient = network.loss_and_gradient(genome, batch)
    symbols = sum(len(row) + 1 for row in rows)
    for _ in range(3):
        way = rng.standard_normal(network.size)
        ends = [naive.losses(network, genome + sign * 1e-5 * way, inputs, rows).sum() for sign in (1, -1)]
        assert gradient @ way == pytest.approx((ends[0] - ends[1]) / 2e-5 / symbols, rel=1e-6, abs=1e-9)


def test_float32_is_near_float64_and_a_population_equals_its_members():
    rng = np.random.default_rng(0)
    wide, narrow = (made("one layer each", dtype=dtype) for dtype in ("float64", "float32"))
    batch, *_ = sequences(wide, rng, 37, 9, 7)
    genomes = wide.init_many(rng, 9)
    np.testing.assert_allclose(narrow.fitness(genomes, batch), wide.fitness(genomes, batch), rtol=1e-5)
    alone = [narrow.fitness(genome[None], batch)[0] for genome in genomes]
    assert narrow.fitness(genomes, batch).tolist() == alone
    _, gradient = narrow.loss_and_gradient(genomes[0], batch)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, wide.loss_and_gradient(genomes[0], batch)[1], atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_greedy_answers_are_those_of_a_loop(form):
    rng = np.random.default_rng(7)
    network = made(form)
    batch, inputs, _ = sequences(network, rng, 6, 5, 3)
    genome = 3 * network.init(rng=rng)
    true = [naive.greedy(network, genome, x, 8) for x in inputs]
    found = network.decode(genome, batch.inputs, batch.lengths, steps=8)
    assert [row.tolist() for row in found] == true
    assert [row.tolist() for row in network.decode(genome, batch.inputs[:1], batch.lengths[:1], 8)] == true[
        :1
    ]


@pytest.mark.parametrize("form", ["one layer each", "a bidirectional encoder hands over twice its units"])
def test_a_wide_beam_finds_the_most_probable_of_all_answers(form):
    rng = np.random.default_rng(1)
    network = made(form)
    batch, inputs, _ = sequences(network, rng, 5, 4, 3)
    for scale in (1, 3, 6):
        genome = scale * network.init(rng=rng)
        true = [naive.best(network, genome, x, 3) for x in inputs]
        found = network.decode(genome, batch.inputs, batch.lengths, steps=3, beam=60)
        assert [row.tolist() for row in found] == true


def test_a_beam_finds_more_probable_answers_than_the_greedy_ones():
    rng = np.random.default_rng(5)
    network = made("one layer each")
    sums = np.zeros(2)
    for _ in range(5):
        genome = 5 * network.init(rng=rng)
        x = rng.integers(0, 4, (8, 5))
        for place, beam in enumerate((1, 5)):
            rows = network.decode(genome, x, steps=6, beam=beam)
            sums[place] += naive.losses(network, genome, x, rows).sum()
    assert sums[1] < sums[0]


def test_sampled_answers_follow_the_probabilities_of_the_decoder_and_the_seed():
    rng = np.random.default_rng(2)
    network = made("one layer each")
    genome, x = 3 * network.init(rng=rng), np.zeros((4000, 2), int)
    drawn = network.decode(genome, x, steps=1, temperature=1.5, seed=4)
    again = network.decode(genome, x, steps=1, temperature=1.5, seed=4)
    assert all(np.array_equal(*pair) for pair in zip(drawn, again))
    blocks = network.unpack(genome)
    logits = naive.logits(network, blocks, naive.encoded(network, blocks, x[0]), [network.start])[0] / 1.5
    logits[network.start] = -np.inf
    shares = np.exp(naive.log_probabilities(logits))
    first = [row[0] if len(row) else network.stop for row in drawn]
    np.testing.assert_allclose(np.bincount(first, minlength=5) / 4000, shares, atol=0.03)
    cold = network.decode(genome, x[:3], steps=6, temperature=1e-3)
    assert [row.tolist() for row in cold] == [row.tolist() for row in network.decode(genome, x[:3], steps=6)]


def test_predict_gives_the_logits_of_the_decoder_with_a_teacher_and_without():
    rng = np.random.default_rng(8)
    network = made("one layer each")
    batch, inputs, _ = sequences(network, rng, 4, 5, 3)
    genome, blocks = 3 * network.init(rng=rng), network.unpack(3 * network.init(seed=0))
    blocks = network.unpack(genome)
    given = network.predict(genome, batch.inputs, lengths=batch.lengths, teacher=batch.targets)
    free = network.predict(genome, batch.inputs, lengths=batch.lengths, steps=6)
    answers = network.decode(genome, batch.inputs, batch.lengths, steps=6)
    for row, x in enumerate(inputs):
        states = naive.encoded(network, blocks, x)
        true = naive.logits(network, blocks, states, [network.start, *batch.targets[row]])
        np.testing.assert_allclose(given[row], true, rtol=1e-12, atol=1e-12)
        steps = min(len(answers[row]) + 1, 6)
        true = naive.logits(network, blocks, states, [network.start, *answers[row]][:steps])
        np.testing.assert_allclose(free[row, :steps], true, rtol=1e-12, atol=1e-12)
        assert not free[row, steps:].any()


def test_symbols_and_vectors_with_a_one_are_the_same_inputs():
    rng = np.random.default_rng(0)
    for form in ("one layer each", "an embedding of the decoder alone"):
        network = made(form)
        batch, *_ = sequences(network, rng, 5, 4, 3)
        vectors = batch.with_inputs(np.eye(4)[batch.inputs])
        genome = network.init(rng=rng)
        assert network.loss(genome, vectors) == pytest.approx(network.loss(genome, batch), rel=1e-12)


def test_one_vector_a_sequence_is_a_sequence_of_one_step():
    network = made("one layer each")
    x, genome = np.random.default_rng(0).standard_normal((3, 4)), network.init(seed=0)
    targets = {"targets": [[0, 1], [3, 3], [1, 0]], "target_lengths": [2, 1, 0]}
    assert network.loss(genome, Batch(x, **targets)) == network.loss(genome, Batch(x[:, None], **targets))
    found = [network.decode(genome, each, steps=3) for each in (x, x[:, None])]
    assert [row.tolist() for row in found[0]] == [row.tolist() for row in found[1]]


def test_a_network_is_made_again_from_its_settings():
    import pickle

    for form in FORMS:
        network = made(form)
        again = Network.from_settings(network.settings())
        assert again.settings() == network.settings() and again.blocks == network.blocks
        assert pickle.loads(pickle.dumps(network)).blocks == network.blocks
        genome = network.init(seed=1)
        assert network.pack(network.unpack(genome)).tolist() == genome.tolist()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"stop": None}, "network.stop: expected the symbol that ends an answer, from 0 to 5, got none"),
        ({"stop": 6}, "network.stop: .* from 0 to 5, got 6"),
        ({"start": -1}, "network.start: .* from 0 to 5, got -1"),
        ({"stop": 0}, "network.stop: expected another symbol than start, which is 0"),
        ({"outputs": 2}, "network.outputs: expected a whole number of at least 3"),
        ({"loss": "mse"}, "network.loss: expected cross-entropy"),
        ({"decoder": {"cell": "gru", "hidden": 6}}, "expected 6 numbers of h, got 5 numbers"),
        ({"decoder": {"cell": "lstm", "hidden": 5}}, "expected 5 numbers of c, got no such state"),
        ({"decoder": {"cell": "gru", "hidden": (5, 5)}}, "at most as many layers as the encoder has, 1"),
        (
            {"decoder": {"cell": "gru", "hiden": 5}},
            "network.decoder.hiden: unknown setting 'hiden'; did you mean 'hidden'",
        ),
        ({"encoder": {"cell": "grru", "hidden": 5}}, "network.encoder.cell: unknown cell 'grru'"),
        (
            {"encoder": {"cell": "jordan", "hidden": 5}},
            "network.encoder.cell: jordan sees the previous output, which an encoder-decoder does not have",
        ),
        (
            {"decoder": {"cell": "tree-lstm", "hidden": 5}},
            "network.decoder.cell: tree-lstm sees linked steps",
        ),
        ({"encoder": 5}, "network.encoder: expected a table"),
        ({"embedding": -1}, "network.encoder.embedding: expected a whole number"),
        ({"begin": 1}, "network.begin: unknown setting"),
    ],
)
def test_wrong_arguments_are_named_in_a_sentence(changed, reason):
    good = {"inputs": 4, "outputs": 6, "encoder": PLAIN, "decoder": PLAIN, "start": 0, "stop": 1}
    with pytest.raises(ConfigError, match=reason):
        Network.encoder_decoder(**{**good, **changed})


@pytest.mark.parametrize(
    ("inputs", "targets", "numbers", "reason"),
    [
        ([[0, 1]], [[0, 5]], [2], "expected targets below 5, the symbols of the decoder, got 5"),
        ([[0, 4]], [[0, 1]], [2], "expected symbols from 0 to 3, as the encoder has 4 inputs, got 4"),
        ([[0, 1]], [[0, 2]], [2], "expected targets without start, 2"),
        ([[0, 1]], [[4, 0]], [2], "expected targets without stop, 4"),
        ([[[0.0, 1.0]]], [[1, 0]], [2], "expected 4 inputs, got 2"),
        ([[0, 1]], [[1, 0]], None, r"targets \(B, U\) of integers, .* with target_lengths"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_in_a_sentence(inputs, targets, numbers, reason):
    network = made("one layer each")
    batch = Batch(np.array(inputs), np.array(targets), target_lengths=numbers)
    with pytest.raises((ShapeError, DataError), match=reason):
        network.loss(network.init(seed=0), batch)


def test_what_a_decoder_does_not_have_is_refused_in_a_sentence():
    network = made("one layer each")
    genome, x = network.init(seed=0), np.zeros((2, 3), int)
    for call, reason in (
        (lambda: network.decode(genome, x, beam=0), "beam: expected a whole number of at least 1"),
        (lambda: network.decode(genome, x, temperature=-1.0), "temperature: expected a number of at least 0"),
        (lambda: network.decode(genome, x, beam=2, temperature=1.0), "a beam or a temperature"),
        (lambda: network.predict(genome, x, state=np.zeros((2, 5))), "state: an encoder-decoder has none"),
        (lambda: network.states(genome, x), "states: an encoder-decoder"),
        (lambda: network.influence(genome, x), "make it without an encoder and a decoder"),
        (lambda: network.to_torch(genome), "PyTorch"),
        (lambda: network.decode(genome, x + 4), "expected symbols from 0 to 3"),
    ):
        with pytest.raises((ConfigError, ShapeError), match=reason):
            call()


def test_all_mistakes_are_told_at_once():
    tables = {"encoder": {"cell": "grru"}, "decoder": {"cell": "tree-lstm", "hiden": 4}}
    with pytest.raises(ConfigError) as error:
        Network.encoder_decoder(4, 6, **tables, start=0, stop=0)
    told = str(error.value)
    for part in ("another symbol than start", "network.decoder.hiden"):
        assert part in told
    with pytest.raises(ConfigError) as error:
        Network.encoder_decoder(4, 6, {"cell": "grru"}, {"cell": "tree-lstm"}, start=0, stop=1)
    assert "grru" in str(error.value) and "tree-lstm sees linked steps" in str(error.value)


def test_a_setting_of_both_parts_is_told_once_and_one_of_a_part_with_its_table():
    with pytest.raises(ConfigError) as error:
        Network.encoder_decoder(4, 6, {"initial": {"W_q": "zeros"}}, PLAIN, start=0, stop=1, dtype="float16")
    assert str(error.value).count("network.dtype") == 1
    with pytest.raises(ConfigError, match=r"network\.encoder\.initial: unknown block 'W_q'"):
        Network.encoder_decoder(4, 6, {"initial": {"W_q": "zeros"}}, PLAIN, start=0, stop=1)
