"""Learning an automaton by queries to a network, where aalpy is installed, and the error where it is not."""

import sys

import numpy as np
import pytest
from acceptors import SIZES, drawn
from hand_set import elman_of

from evorrn.automata import DFA, Alphabet, extract_dfa, learn_dfa, tomita_dfa
from evorrn.base.errors import EvorrnError


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "aalpy", None)
    monkeypatch.setitem(sys.modules, "aalpy.base", None)
    network, genome = elman_of([[0, 1], [1, 0]], [True, False], 0)
    with pytest.raises(EvorrnError, match=r"aalpy: pip install 'evorrn\[automata\]'"):
        learn_dfa(network, genome)


@pytest.mark.parametrize("language", SIZES)
def test_the_language_of_a_network_is_learned(language):
    pytest.importorskip("aalpy")
    dfa = tomita_dfa(language)
    network, genome = elman_of(dfa.transitions, dfa.accepting, dfa.start, end=language % 2 == 0)
    found = learn_dfa(network, genome, Alphabet.one_hot("01", end=language % 2 == 0))
    assert found.dfa.states == SIZES[language] and found.dfa.equivalent(dfa)
    assert found.fidelity == 1.0 and found.disagreement is None


@pytest.mark.parametrize("seed", range(4))
def test_clusters_and_queries_give_the_same_automaton(seed):
    pytest.importorskip("aalpy")
    rng = np.random.default_rng(seed)
    table, accepting, start = drawn(rng, int(rng.integers(1, 7)), 2)
    network, genome = elman_of(table, accepting, start, end=True)
    alphabet = Alphabet.one_hot("01", end=True)
    learned, clustered = learn_dfa(network, genome, alphabet), extract_dfa(network, genome, alphabet)
    assert learned.dfa.as_dict() == clustered.dfa.as_dict()
    assert learned.dfa.equivalent(DFA(table, accepting, start))


def test_an_automaton_of_too_many_states_is_given_up():
    pytest.importorskip("aalpy")
    dfa = tomita_dfa(5)
    network, genome = elman_of(dfa.transitions, dfa.accepting, dfa.start)
    found = learn_dfa(network, genome, most_states=1)
    assert found.fidelity < 1 and found.disagreement is not None
