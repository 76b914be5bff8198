"""Extraction from networks that compute a known automaton, set by hand, and from trained ones."""

import numpy as np
import pytest
from acceptors import SIZES, drawn
from hand_set import elman_of, second_order_of

import evorrn
from evorrn import Budget, Network
from evorrn.automata import DFA, Alphabet, Reader, Strings, extract_dfa, tomita_dfa
from evorrn.base.errors import DataError, EvorrnError, ShapeError


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("language", SIZES)
def test_a_network_that_computes_a_language_gives_its_automaton(language, end):
    dfa = tomita_dfa(language)
    network, genome = elman_of(dfa.transitions, dfa.accepting, dfa.start, end)
    alphabet = Alphabet.one_hot("01", end=end)
    strings = Strings.up_to(2, 8, shortest=0 if end else 1)
    assert (Reader(network, genome, alphabet).accepts(strings) == dfa.accepts(strings)).all()
    found = extract_dfa(network, genome, alphabet)
    assert found.dfa.states == SIZES[language] and found.dfa.equivalent(dfa)
    assert found.fidelity == 1.0 and found.disagreement is None and found.answers_empty is end


@pytest.mark.parametrize("seed", range(6))
def test_a_network_that_computes_any_automaton_gives_it(seed):
    rng = np.random.default_rng(seed)
    symbols = int(rng.integers(1, 4))
    table, accepting, start = drawn(rng, int(rng.integers(1, 8)), symbols)
    network, genome = elman_of(
        table, accepting, start, end=seed % 2 == 0, dtype=f"float{32 + 32 * (seed % 3 == 0)}"
    )
    alphabet = Alphabet.one_hot("abc"[:symbols], end=seed % 2 == 0)
    found = extract_dfa(network, genome, alphabet, seed=seed)
    wanted = DFA(table, accepting, start, "abc"[:symbols])
    assert found.dfa.difference(wanted, empty=found.answers_empty) is None
    if found.answers_empty:
        assert found.dfa.states == wanted.minimised().states


@pytest.mark.parametrize("language", SIZES)
def test_a_second_order_network_that_computes_a_language_gives_its_automaton(language):
    dfa = tomita_dfa(language)
    network, genome = second_order_of(dfa.transitions, dfa.accepting, dfa.start)
    alphabet = Alphabet.one_hot("01", begin=True)
    long = Strings.drawn(np.random.default_rng(language), 2, 20, longest=500)
    assert (Reader(network, genome, alphabet).accepts(long) == dfa.accepts(long)).all()
    found = extract_dfa(network, genome, alphabet)
    assert found.dfa.as_dict() == dfa.as_dict() and found.fidelity == 1.0


@pytest.mark.parametrize("seed", range(4))
def test_a_second_order_network_of_any_automaton_gives_it(seed):
    rng = np.random.default_rng(seed)
    symbols = int(rng.integers(1, 4))
    table, accepting, start = drawn(rng, int(rng.integers(2, 8)), symbols)
    network, genome = second_order_of(table, accepting, start)
    found = extract_dfa(network, genome, Alphabet.one_hot("abc"[:symbols], begin=True))
    assert found.dfa.as_dict() == DFA(table, accepting, start, "abc"[:symbols]).minimised().as_dict()


def test_the_alphabet_of_data_is_that_of_its_inputs():
    parity = evorrn.task("parity", shortest=3, longest=9, train=20, valid=5, test=5)
    found = Alphabet.found_in([parity.data(0).train])
    assert found.names == ("0", "1") and found.inputs.tolist() == [[-1.0], [1.0]]
    strings = found.decoded(parity.data(0).train)
    inputs, lengths = found.encoded(strings)
    np.testing.assert_array_equal(inputs, parity.data(0).train.inputs)
    np.testing.assert_array_equal(lengths, parity.data(0).train.lengths)
    task = evorrn.task("tomita", language=4, end=True)
    ended = Alphabet.found_in([task.data(0).train])
    assert ended.names == ("0", "1") and ended.end.tolist() == [0, 0, 1]
    both = Alphabet.found_in([evorrn.task("tomita", begin=True, end=True).data(0).train])
    assert both.begin.tolist() == [0, 0, 1, 0] and both.end.tolist() == [0, 0, 0, 1]
    with pytest.raises(DataError, match="at most 16 different inputs"):
        Alphabet.found_in([evorrn.task("narma").data(0).train])


def test_an_end_is_no_symbol_and_stands_last():
    alphabet = Alphabet.one_hot("ab", end=True)
    strings = Strings.of(["ab", "", "b"], "ab")
    inputs, lengths = alphabet.encoded(strings)
    batch = evorrn.Batch(inputs, np.array([0, 1, 0]), lengths=lengths)
    assert alphabet.decoded(batch).texts("ab") == ["ab", "", "b"]
    early = evorrn.Batch(inputs[:1, ::-1], np.array([0]))
    with pytest.raises(DataError, match="expected the end once in each sequence, at its end"):
        alphabet.decoded(early)
    with pytest.raises(DataError, match="expected a symbol"):
        alphabet.decoded(evorrn.Batch(inputs * [0.5, 1, 1], np.array([0, 1, 0]), lengths=lengths))


@pytest.mark.parametrize("end", [False, True])
def test_a_begin_is_no_symbol_and_gives_the_empty_string_an_answer(end):
    alphabet = Alphabet.one_hot("ab", end=end, begin=True)
    strings = Strings.of(["ab", "", "b"], "ab")
    inputs, lengths = alphabet.encoded(strings)
    places = inputs.argmax(axis=2)
    assert lengths.tolist() == [3 + end, 1 + end, 2 + end]
    assert places[0].tolist() == [2, 0, 1, 3][: 3 + end] and inputs[1, 1 + end :].sum() == 0
    batch = evorrn.Batch(inputs, np.array([0, 1, 0]), lengths=lengths)
    assert alphabet.decoded(batch).texts("ab") == ["ab", "", "b"]
    network = Network(3 + end, 1, cell="gru", hidden=2, loss="binary-cross-entropy", dtype="float64")
    genome = 5 * network.init(seed=2)
    reader = Reader(network, genome, alphabet)
    assert reader.answers_empty
    _, empty = reader.begin()
    one = network.predict(genome, inputs[1:2, : 1 + end])[0, -1, 0] > 0
    assert empty[0] == one == reader.accepts([""])[0]
    found = extract_dfa(network, genome, alphabet, strings=Strings.up_to(2, 6))
    assert found.answers_empty and (found.dfa.accepts([""])[0] == one or found.disagreement == "")


def test_a_network_that_gives_no_yes_or_no_is_refused():
    for network in (
        Network(2, 2),
        Network(2, 3, loss="cross-entropy"),
        Network(3, 1),
        Network(2, 1, loss="reward"),
    ):
        with pytest.raises(ShapeError):
            Reader(network, np.zeros(network.size), Alphabet.one_hot("01"))


@pytest.mark.parametrize("loss", ["mse", "cross-entropy", "binary-cross-entropy"])
def test_each_loss_of_an_answer_of_yes_or_no_is_read(loss):
    outputs = 2 if loss == "cross-entropy" else 1
    network = Network(2, outputs, cell="elman", hidden=1, loss=loss)
    readout = [[-1], [1]] if outputs == 2 else [[1]]
    bias = {"mse": [0], "cross-entropy": [0.5, -0.5], "binary-cross-entropy": [-0.5]}[loss]
    weights = {
        "layer0.W_x": [[0, 9]],
        "layer0.W_h": [[9]],
        "layer0.b": [0],
        "readout.W": readout,
        "readout.b": bias,
    }
    found = extract_dfa(network, network.pack(weights))
    assert found.dfa.equivalent(DFA([[0, 1], [1, 1]], [False, True]))


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm", "jordan", "leaky", "indrnn"])
def test_any_cell_is_read_one_symbol_at_a_time_as_at_once(cell):
    network = Network(
        3, 1, cell=cell, hidden=[3, 2], loss="binary-cross-entropy", dtype="float64", feedback=True
    )
    genome = 3 * network.init(seed=1)
    reader = Reader(network, genome, Alphabet.one_hot("abc"))
    strings = Strings.up_to(3, 4, shortest=4)
    states = np.repeat(reader.begin()[0], len(strings), axis=0)
    for codes in strings.codes.T:
        states, accepts = reader.step(states, codes)
    assert (accepts == reader.accepts(strings)).all()
    found = extract_dfa(network, genome, reader.alphabet, strings=strings)
    wrong = found.dfa.accepts(strings) != accepts
    assert wrong.mean() <= 0.2 and found.clusters >= 3 and 0 <= found.consistency <= 1


def test_a_network_that_diverges_is_refused():
    network = Network(2, 1, cell="elman", hidden=1, cell_options={"activation": "identity"}, loss="mse")
    weights = {
        "layer0.W_x": [[1, 1]],
        "layer0.W_h": [[1e9]],
        "layer0.b": [0],
        "readout.W": [[1]],
        "readout.b": [0],
    }
    with pytest.raises(DataError, match="diverged"):
        extract_dfa(network, network.pack(weights))


def test_too_many_strings_are_refused():
    from evorrn.automata.extraction.extract import default_strings

    with pytest.raises(EvorrnError, match="longest: expected at most"):
        default_strings(2, longest=30)
    assert default_strings(1).lengths.max() == 50


def test_a_trained_network_gives_the_automaton_of_its_language():
    task = evorrn.task("tomita", language=1, strings="every", longest=6, valid=50, test=50)
    network = Network.for_task(task, cell="elman", hidden=1)
    guessing = evorrn.RandomSearch(count=64, width=10.0)
    result = guessing.fit(network, task, seed=0, budget=Budget(learned=1.0, evaluations=5000))
    assert result.stopped_by == "learned" and result.metrics["test"]["binary_accuracy"] == 1.0
    found = extract_dfa(network, result.genome, task.alphabet)
    assert found.dfa.equivalent(task.automaton, empty=False) and found.fidelity == 1.0


def test_the_same_network_gives_the_same_automaton_again():
    network = Network(2, 1, cell="gru", hidden=4, loss="binary-cross-entropy")
    genome = 4 * network.init(seed=3)
    first, again = extract_dfa(network, genome), extract_dfa(network, genome)
    assert first.dfa.as_dict() == again.dfa.as_dict() and first.fidelity == again.fidelity
