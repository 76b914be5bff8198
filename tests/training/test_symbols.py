"""Models take text, lists of texts, words and numbers where their network knows symbols, and answer with text."""

import numpy as np
import pytest

import evorrn
from evorrn import Model, Network
from evorrn.base.errors import EvorrnError, ShapeError
from evorrn.training.symbols import Alphabet, read_symbols

LETTERS = ("space", "a", "b", "\\n", "unknown")


def model(names=LETTERS, seed=0, **settings):
    network = Network(len(names), 3, hidden=4, loss="cross-entropy", dtype="float64", **settings)
    return Model(network.init(seed=seed), network, input_names=names, output_names=("x", "y", "z"))


@pytest.mark.parametrize(
    "settings",
    [
        {"embedding": 3},
        {"embedding": 2, "readout": "last"},
        pytest.param({}, marks=pytest.mark.thorough),
        pytest.param({"bidirectional": True}, marks=pytest.mark.thorough),
    ],
)
def test_texts_and_their_numbers_and_vectors_with_a_one_give_the_same_outputs(settings):
    known = model(**settings)
    numbers = [1, 2, 0, 3, 4, 1]
    said = known.predict("ab \né" + "a")
    assert np.array_equal(said, known.predict(np.array(numbers)))
    assert np.array_equal(said, known.predict(numbers))
    if not known.network.embedding:
        assert np.array_equal(said, known.predict(np.eye(5)[numbers]))
    pair = known.predict(["abba", "b"])
    assert pair.shape == ((2, 3) if "readout" in settings else (2, 4, 3))
    alone = known.predict("b")
    assert np.allclose(pair[1] if "readout" in settings else pair[1, :1], alone, atol=1e-12)
    assert "readout" in settings or not pair[1, 1:].any()
    if known.network.embedding:
        assert np.array_equal(pair, known.predict([[1, 2, 2, 1], [2]]))


def test_symbols_that_are_words_are_given_as_lists_or_with_spaces_between():
    words = model(("not", "very", "good"), embedding=2)
    said = words.predict(["not", "very", "good"])
    assert said.shape == (3, 3) and np.array_equal(said, words.predict("not very good"))
    several = words.predict([["good"], ["not", "good"]])
    assert several.shape == (2, 2, 3) and np.array_equal(
        several, words.predict(np.array([[2, 0], [0, 2]])) * [[[1], [0]], [[1], [1]]]
    )
    with pytest.raises(ShapeError, match=r"expected symbols that the network knows .*got 'bad'"):
        words.predict("not bad")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "at least one symbol"),
        (["ab", ""], "at least one symbol"),
        (np.zeros((0,), int), "at least one symbol"),
        ([5], "expected symbols from 0 to 4"),
        ([-1], "expected symbols from 0 to 4"),
        (0.5, "expected symbols, whole numbers from 0 to 4"),
        (np.zeros((2, 5)), "expected symbols, whole numbers from 0 to 4"),
        ([[1, 2], []], "rectangular"),
    ],
)
def test_what_is_no_symbol_is_refused_in_words(given, sentence):
    with pytest.raises(ShapeError, match=sentence):
        model(embedding=2).predict(given)


def test_networks_of_numbers_refuse_text_and_read_whole_numbers_as_before():
    network = Network(2, 1, hidden=2)
    numbers = Model(network.init(seed=0), network, input_names=("load", "day"))
    with pytest.raises(ShapeError, match="not trained on symbols that have names"):
        numbers.predict("load")
    assert read_symbols(np.array([[0, 1], [1, 0]]), ("load", "day"), False, False) is None
    with pytest.raises(ShapeError, match="expected shape"):
        numbers.predict([1, 2, 3])
    with pytest.raises(EvorrnError, match="expected an encoder-decoder"):
        numbers.decode([[0, 1]])


def test_an_encoder_decoder_answers_text_with_text():
    table = {"cell": "gru", "hidden": 5}
    network = Network.encoder_decoder(3, 5, encoder=table, decoder=table, start=0, stop=1)
    genome = network.init(seed=3)
    known = Model(
        genome, network, input_names=("1", "2", "+"), output_names=("start", "stop", "1", "2", "space")
    )
    wanted = network.decode(genome, np.array([[0, 2, 1]]), steps=6)[0]
    assert known.decode("1+2", steps=6) == "".join(" 12  "[k - 1] if k < 4 else " " for k in wanted)
    assert known.decode(["1+2", "2"], steps=6) == [known.decode("1+2", steps=6), known.decode("2", steps=6)]
    nameless = Model(genome, network)
    assert np.array_equal(nameless.decode(np.array([[0, 2, 1]]), steps=6)[0], wanted)
    with pytest.raises(ShapeError, match="got 'x'"):
        known.decode("1x")


def test_marks_are_no_characters_and_words_are_joined_by_spaces():
    assert Alphabet(("start", "stop", "a", "space")).text([0, 2, 3, 2, 1]) == "�a a�"
    assert Alphabet(("red", "a")).text([1, 0]) == "a red"
    assert Alphabet(("input1", "input2")).signs is None and Alphabet(()).signs is None


def test_the_result_of_a_text_run_takes_text_after_it_was_loaded(tmp_path):
    task = evorrn.task("text", characters=600)
    network = Network.for_task(task, cell="elman", hidden=2)
    result = evorrn.RandomSearch(count=2).fit(network, task, seed=0, budget="1gen")
    result.save(tmp_path)
    assert np.array_equal(
        evorrn.load(tmp_path).predict("The sum"), result.predict(task.alphabet.numbers("The sum"))
    )


def test_symbols_of_a_network_without_an_embedding_are_answered_with_who_takes_them():
    x = np.random.default_rng(0).integers(0, 5, (4, 6))
    network = evorrn.Network(5, 1, cell="elman", hidden=2)
    result = evorrn.RandomSearch().fit(network, evorrn.Batch(x, np.ones((4, 6, 1))), budget="2eval")
    with pytest.raises(evorrn.EvorrnError, match=r"network.predict\(result.genome, x\) takes them"):
        result.predict(x)
    assert network.predict(result.genome, x).shape == (4, 6, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_follow_the_lengths_of_sequences_that_differ(dtype):
    """In a network of both directions each sequence has the outputs that it has alone, and in one array its own length."""
    rng = np.random.default_rng(5)
    symbols, lengths = rng.integers(0, 4, (5, 7)), np.array([7, 1, 3, 6, 2])
    network = evorrn.Network(4, 2, cell="gru", hidden=3, embedding=2, bidirectional=True, dtype=dtype)
    batch = evorrn.Batch(symbols, rng.standard_normal((5, 7, 2)), lengths=lengths)
    result = evorrn.RandomSearch(count=2).fit(network, batch, seed=1, budget="1gen")
    found = result.predict(symbols, lengths=lengths)
    for row, length, outputs in zip(symbols, lengths, found):
        assert np.array_equal(result.predict(row[:length]), outputs[:length])
        assert np.array_equal(result.predict(row, lengths=length)[:length], outputs[:length])
    ragged = [row[:length].tolist() for row, length in zip(symbols, lengths)]
    assert np.array_equal(result.predict(ragged)[1, 0], found[1, 0])
    with pytest.raises(ShapeError, match="lengths of their own"):
        result.predict(ragged, lengths=lengths)
    with pytest.raises(ShapeError, match="lengths: expected"):
        result.predict(symbols, lengths=lengths + 5)
