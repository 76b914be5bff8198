"""Automata against loops over tables, all short strings, and renamed copies; and against automata-lib where installed."""

import itertools
import json

import numpy as np
import pytest
from acceptors import accepted, blown_up, drawn, nerode_size

from evorrn.automata import DFA, Strings
from evorrn.base.errors import DataError, EvorrnError, ShapeError


def all_codes(symbols, longest):
    return list(itertools.chain(*(itertools.product(range(symbols), repeat=n) for n in range(longest + 1))))


@pytest.mark.parametrize("seed", range(6))
def test_many_strings_at_once_end_as_each_does_alone(seed):
    rng = np.random.default_rng(seed)
    states, symbols = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    table, accepting, start = drawn(rng, states, symbols, missing=0.2 * (seed % 2))
    dfa = DFA(table, accepting, start)
    codes = all_codes(symbols, 5)
    wanted = [accepted(table, accepting, start, string) for string in codes]
    strings = Strings.up_to(symbols, 5)
    assert list(strings) == codes
    assert dfa.accepts(strings).tolist() == wanted
    prefixes = dfa.prefixes_accepted(strings)
    for string, row in zip(codes, prefixes):
        for length in range(len(string) + 1):
            assert row[length] == accepted(table, accepting, start, string[:length])


@pytest.mark.parametrize("seed", range(12))
def test_the_minimal_automaton_has_as_many_states_as_continuations_tell_apart(seed):
    rng = np.random.default_rng(seed)
    states, symbols = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    table, accepting, start = drawn(rng, states, symbols, missing=0.15 * (seed % 2))
    smallest = DFA(table, accepting, start).minimised()
    wanted = nerode_size(
        lambda string: accepted(table, accepting, start, string), symbols, 4 if symbols > 1 else 9
    )
    assert smallest.states == wanted
    strings = Strings.up_to(symbols, 6)
    assert (smallest.accepts(strings) == DFA(table, accepting, start).accepts(strings)).all()


@pytest.mark.parametrize("seed", range(12))
def test_copies_with_doubled_and_renumbered_states_are_equivalent_and_have_the_same_minimal_automaton(seed):
    rng = np.random.default_rng(100 + seed)
    states, symbols = int(rng.integers(1, 9)), int(rng.integers(1, 4))
    table, accepting, start = drawn(rng, states, symbols, missing=0.1 * (seed % 2))
    first = DFA(table, accepting, start)
    second = DFA(*blown_up(rng, table.tolist(), accepting, start, copies=int(rng.integers(0, 9))))
    assert first.difference(second) is None and second.equivalent(first)
    a, b = first.minimised(), second.minimised()
    assert (
        (a.transitions == b.transitions).all() and (a.accepting == b.accepting).all() and a.start == b.start
    )
    assert a.minimised().states == a.states


@pytest.mark.parametrize("seed", range(20))
def test_the_counterexample_is_a_shortest_string_on_which_two_automata_differ(seed):
    rng = np.random.default_rng(200 + seed)
    symbols = int(rng.integers(1, 4))
    one = drawn(rng, int(rng.integers(1, 4)), symbols, missing=0.1)
    table, accepting, start = one
    other = (table, np.where(rng.random(len(table)) < 0.2, ~accepting, accepting), start)
    if seed % 2:
        other = drawn(rng, int(rng.integers(1, 4)), symbols)
    bound = (
        len(one[0]) + len(other[0]) + 2
    )  # with the sinks, two automata that differ do so below their states' sum
    for empty in (True, False):
        differing = [
            string
            for string in all_codes(symbols, bound if symbols < 3 else min(bound, 8))
            if (string or empty) and accepted(*one, string) != accepted(*other, string)
        ]
        found = DFA(*one).difference(DFA(*other), empty)
        assert found == ("".join(map(str, differing[0])) if differing else None)


def test_missing_transitions_reject_and_a_complement_accepts_what_they_lose():
    dfa = DFA([[-1, 1], [0, -1]], [True, False], symbols="ab")
    assert dfa.accepts(["", "ba", "b", "a", "ab"]).tolist() == [True, True, False, False, False]
    assert dfa.complement().accepts(["", "ba", "b", "a", "ab"]).tolist() == [False, False, True, True, True]
    assert dfa.run(["ab"]).tolist() == [[0, -1, -1]]
    whole = dfa.completed()
    assert whole.states == 3 and whole.completed() is whole
    assert dfa.minimised().states == 3


def test_symbols_of_several_letters_are_written_with_spaces():
    dfa = DFA([[1, 0], [1, 1]], [False, True], symbols=("up", "down"))
    assert dfa.accepts([["down", "up"], ["down"], []]).tolist() == [True, False, False]
    assert (
        dfa.difference(DFA([[1, 0], [1, 2], [2, 2]], [False, True, False], symbols=("up", "down")))
        == "up down"
    )


def test_an_automaton_comes_back_from_its_data():
    dfa = DFA([[0, 1], [1, -1]], [False, True], 1, "xy")
    again = DFA(**json.loads(json.dumps(dfa.as_dict())))
    assert (again.transitions == dfa.transitions).all() and again.symbols == ("x", "y") and again.start == 1
    assert (again.accepting == dfa.accepting).all()


def test_text_and_graph():
    dfa = DFA([[0, 1], [1, -1]], [False, True], 0, ('"', "y"))
    assert str(dfa).splitlines()[1:] == ["->     0         0  1", "       1 accept  1  -"]
    graph = dfa.dot()
    assert graph.startswith("digraph {") and graph.rstrip().endswith("}")
    assert '0 -> 0 [label="\\""]' in graph and "1 [shape=doublecircle]" in graph and "start -> 0" in graph


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([0, 1], [True]), "transitions: expected integers of shape"),
        (([[0.5]], [True]), "transitions: expected integers of shape"),
        (
            ([[0, 2], [1, 1]], [True, False]),
            "transitions: expected states from 0 to 1, or -1 for none, got 0 to 2",
        ),
        (([[0]], [True, False]), "accepting: expected 1 booleans"),
        (([[0]], [3]), "accepting: expected 1 booleans"),
        (([[0]], [True], 1), "start: expected a state from 0 to 0, got 1"),
        (([[0, 0]], [True], 0, "aa"), "symbols: expected 2 different names"),
        (([[0, 0]], [True], 0, "abc"), "symbols: expected 2 different names"),
        ((np.zeros((0, 2), int), []), "transitions: expected integers of shape"),
    ],
)
def test_what_is_no_automaton_is_refused(arguments, sentence):
    with pytest.raises(ShapeError, match=sentence):
        DFA(*arguments)


def test_strings_that_do_not_fit_are_refused():
    dfa = DFA([[0, 0]], [True])
    with pytest.raises(EvorrnError, match="unknown symbol '2'"):
        dfa.accepts(["012"])
    with pytest.raises(ShapeError, match="expected symbols from 0 to 1, got 2"):
        dfa.accepts(Strings(np.array([[2]])))
    with pytest.raises(ShapeError, match="lengths: expected values from 0 to 1"):
        Strings(np.array([[0]]), np.array([2]))
    with pytest.raises(ShapeError, match="codes: expected symbols from 0 on"):
        Strings(np.array([[-1]]))
    with pytest.raises(DataError, match="same symbols"):
        dfa.difference(DFA([[0, 0]], [True], symbols="ab"))
    assert dfa.accepts([]).tolist() == []


def test_an_automaton_cannot_be_changed_after_its_checks():
    dfa = DFA([[0, 0]], [True])
    with pytest.raises(ValueError):
        dfa.transitions[0, 0] = 5


@pytest.mark.parametrize("seed", range(8))
def test_minimal_sizes_and_equivalence_are_those_of_automata_lib(seed):
    fa = pytest.importorskip("automata.fa.dfa")
    rng = np.random.default_rng(300 + seed)

    def theirs(table, accepting, start):
        names = [str(symbol) for symbol in range(len(table[0]))]
        return fa.DFA(
            states=set(range(len(table))),
            input_symbols=set(names),
            transitions={
                state: dict(zip(names, map(int, following))) for state, following in enumerate(table)
            },
            initial_state=start,
            final_states={state for state, accepts in enumerate(accepting) if accepts},
        )

    one, other = drawn(rng, int(rng.integers(1, 12)), 2), drawn(rng, int(rng.integers(1, 5)), 2)
    assert DFA(*one).minimised().states == len(theirs(*one).minify().states)
    assert DFA(*one).equivalent(DFA(*other)) == (theirs(*one) == theirs(*other))
